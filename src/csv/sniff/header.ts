/**
 * Whether a record is a header: what its cells are, against the cells below them. Evidence is added up in log-odds,
 * above zero for a header.
 */
import { type Column, columnOf, isLikeValues, voteOf } from './labels.ts'
import { isTyped, lookOf } from './looks.ts'
import type { Cell } from './trial.ts'

/** Nine of ten files have a header. */
const prior = 2.2
/** More than this is not to be had from all the columns together. */
const mostVotes = 8

export interface HeaderEvidence {
  /** In favour of a header, with what is known of files in general. */
  readonly odds: number
  /** What these cells say alone. */
  readonly evidence: number
  readonly reason: string
}

/** So much, from the other records alone, makes a record that is there again a header that was repeated. */
const repeatedAnyway = 2

/** @param body records below it, as many as there is use for. */
export function headerEvidence(first: readonly Cell[], body: readonly (readonly Cell[])[]): HeaderEvidence {
  const others = body.filter((cells) => !cells.every(({ text }, at) => text === first[at]?.text))
  const apart = others.length > 0 && others.length < body.length ? evidenceOf(first, others) : undefined
  return apart !== undefined && apart.evidence >= repeatedAnyway ? apart : evidenceOf(first, body)
}

function evidenceOf(first: readonly Cell[], body: readonly (readonly Cell[])[]): HeaderEvidence {
  const columns = first.map(({ text }, at) =>
    columnOf(
      text,
      body.map((cells) => cells[at]?.text ?? ''),
    ),
  )
  const filled = columns.filter(({ look }) => look !== 'empty')
  if (filled.length === 0) return { odds: -1, evidence: -1 - prior, reason: 'it is empty' }
  const sequence = isSequence(filled, body)
  const votes = filled.map((column) => ({ column, vote: voteOf(column, sequence) }))
  const sum = (wanted: typeof votes) => Math.abs(wanted.reduce((total, { vote }) => total + vote, 0))
  const pro = votes.filter(({ vote }) => vote > 0)
  const con = votes.filter(({ vote }) => vote < 0)
  const numbers = con.filter(({ column, vote }) => vote > -2 && /^(?:integer|number)$/.test(column.look))
  // A label that cannot be a value outweighs many numbers, which now and then are labels.
  const spared = sum(pro) >= 2 ? Math.max(0, sum(numbers) * (1 - 1 / columns.length) - 1) : 0
  const whole = wholeVote(filled, columns.length, body.length, sequence) + quoteVote(first, body)
  const evidence = Math.min(sum(pro), mostVotes) - Math.min(sum(con) - spared, mostVotes) + whole
  return { odds: prior + evidence, evidence, reason: reasonOf(evidence, pro.length, con.length, filled.length) }
}

/** What the record says as a whole. */
function wholeVote(filled: readonly Column[], width: number, rows: number, sequence: boolean): number {
  let vote = 0
  if (!sequence && filled.every(isLikeValues)) vote -= 3
  if (rows === 0 && filled.some(({ look }) => isTyped(look))) vote -= 0.5
  const blank = width - filled.length
  // The first column of a table with names of rows has no label.
  if (blank > 1) vote -= Math.min(1.5, (2 * blank) / width)
  const twice = filled.length - new Set(filled.map(({ label }) => label)).size
  if (twice > 0) vote -= Math.min(1.5, 0.5 + twice / filled.length)
  if (filled.some(({ label }) => label.length > 100)) vote -= 0.7
  return vote
}

/** A header whose text is quoted where the other text is not, or the other way round. */
function quoteVote(first: readonly Cell[], body: readonly (readonly Cell[])[]): number {
  const textOf = (cells: readonly Cell[]) => cells.filter(({ text }) => text !== '' && !isTyped(lookOf(text)))
  const above = textOf(first)
  const below = body.flatMap(textOf)
  if (above.length === 0 || below.length === 0) return 0
  const isQuoted = ({ quoted }: Cell) => quoted
  const isHeaderOnly = above.every(isQuoted) && !below.some(isQuoted)
  const isBodyOnly = !above.some(isQuoted) && below.every(isQuoted)
  return isHeaderOnly || isBodyOnly ? 1 : 0
}

/** Years that go up from label to label, or numbers by equal steps, where the numbers of the records do not. */
function isSequence(filled: readonly Column[], body: readonly (readonly Cell[])[]): boolean {
  const numbers = filled.filter(({ look }) => look === 'integer').map(({ label }) => Number(label))
  const areYears = numbers.every((year) => year >= 1800 && year <= 2200)
  if (numbers.length < (areYears ? 2 : 3) || !goesUp(numbers, !areYears)) return false
  if (body.length === 0) return areYears
  return !body.some((cells) => {
    const below = cells.filter(({ text }) => /^\s*\d+\s*$/.test(text)).map(({ text }) => Number(text))
    return below.length >= numbers.length && goesUp(below, true)
  })
}

function goesUp(numbers: readonly number[], evenly: boolean): boolean {
  const steps = numbers.slice(1).map((n, at) => n - (numbers[at] ?? 0))
  const [step = 0] = steps
  if (!evenly) return steps.every((n) => n > 0) || steps.every((n) => n < 0)
  return step !== 0 && Math.abs(step) <= 10 && steps.every((n) => n === step)
}

function reasonOf(evidence: number, pro: number, con: number, filled: number): string {
  if (evidence >= 0.5) return `cells that look like labels of what is below them: ${pro} of ${filled}`
  if (evidence > -0.5) return 'little tells it from the records below it'
  if (con === 0) return 'it has blank or repeated cells, as records have and headers seldom'
  return `cells that look like the values below them: ${con} of ${filled}`
}
