/** Files for one table, made up from a seed, and what must come of each: which records are rejects, and which are rows. */
import { chance, pick, type Random, sfc32 } from '../../src/cli/random.ts'
import { anything, between, shuffled } from './cells.ts'
import { bare, type DrawnColumns, drawColumns, filled, type PlannedColumn } from './columns.ts'
import { type Fault, taken } from './declared.ts'
import { type Cell, inferred, type Kind } from './oracle.ts'
import type { DatabaseName } from './read-back.ts'
import {
  type Dialect,
  drawDialect,
  type Flaw,
  holdable,
  type Line,
  readerParams,
  type Sheet,
  write,
  type Written,
} from './sheet.ts'

/** A reject of one file: a record, by its number, and what is told of it. */
export interface PlannedReject {
  readonly record: number
  readonly code: Flaw | Fault | 'primary-key'
  /** Undefined where it is nobody's business. */
  readonly column?: string | null
}

export interface PlannedFile {
  readonly written: Written
  readonly params: Readonly<Record<string, string>>
  readonly records: number
  readonly rejects: readonly PlannedReject[]
  readonly rows: readonly (readonly Cell[])[]
  /** Of every column, by the cells of all records that can be read. */
  readonly kinds: readonly Kind[]
}

export interface Plan {
  readonly table: string
  readonly mode: 'append' | 'replace' | 'upsert'
  readonly columns: readonly PlannedColumn[]
  /** Which column tells rows apart. */
  readonly key: number
  readonly isDeclared: boolean
  /** In the order in which they are loaded. */
  readonly files: readonly [PlannedFile, PlannedFile]
}

interface Draft {
  readonly cells: readonly Cell[]
  readonly flaw?: Flaw
  readonly breaks?: 'primary-key'
}

export function drawPlan(seed: number, database: DatabaseName, records: number): Plan {
  const next = sfc32(seed)
  const mode = pick(['append', 'replace', 'upsert'] as const, next)
  const isDeclared = chance(0.5, next)
  const dialect = drawDialect(next)
  const drawn = drawColumns(isDeclared ? database : undefined, dialect, next)
  const { columns, key, keys } = drawn
  const drafts = drawDrafts({ ...drawn, mode, hasBad: chance(0.5, next), dialect }, between(1, records, next), next)
  const first = plannedFile(columns, drafts, dialect, next)
  const other = drawDialect(next)
  const dialectToo = columns.every(({ label }) => holdable(label, other) === label) ? other : dialect
  const again = secondDrafts(first.rows, key, keys, next)
    // SQLite has long decimals as texts, and in a column of texts one that is empty and in quotes is no NULL.
    .map((cells) => cells.map((cell, i) => (database === 'SQLite' && first.kinds[i] === 'decimal' ? bare(cell) : cell)))
    .map((cells) => held({ cells }, dialectToo))
  const second = plannedFile(columns, columns.length === 1 && dialectToo.quote === '' ? [] : again, dialectToo, next)
  const table = `${pick(['people', 'order', 'Ünï cödé', 'a b', 'x"y', 'da.ta', "o'clock", 'MiXed'], next)} ${seed}`
  return { table, mode, columns, key, isDeclared, files: [first, second] }
}

// --------------------------------------------------------------------------------------------------- records

interface Drawing extends DrawnColumns {
  readonly mode: Plan['mode']
  readonly hasBad: boolean
  readonly dialect: Dialect
}

function drawDrafts({ columns, key, keys, mode, hasBad, dialect }: Drawing, count: number, next: Random): Draft[] {
  const flaws: Flaw[] = ['extra-cell', 'nul-byte', 'encoding-error']
  if (columns.length > 1) flaws.push('missing-cell')
  if (dialect.quote !== '') flaws.push('quote-error')
  const drafts: Draft[] = []
  const fresh = (wild: number) =>
    columns.map((column, i): Cell => {
      if (i === key) return { text: keys(), quoted: false }
      return column.declared !== undefined && chance(wild, next) ? filled(anything)(next) : column.draw(next)
    })
  const given = columns.map(({ declared: one, draw }, i) => {
    return one === undefined || i === key ? draw : filled((random) => taken(one, random))
  })
  // A column that holds nothing of its type at all is another column.
  drafts.push({ cells: given.map((draw, i) => (i === key ? { text: keys(), quoted: false } : draw(next))) })
  while (drafts.length < count) {
    const way = hasBad ? next() : 1
    if (way < 0.05) {
      const flaw = pick(flaws, next)
      // What is wrong with a record must not be read into its other cells.
      const isSimple = flaw !== 'extra-cell' && flaw !== 'missing-cell'
      drafts.push({ cells: isSimple ? columns.map(() => ({ text: 'q', quoted: false })) : fresh(0), flaw })
    } else if (way < 0.1 && mode === 'upsert' && columns.length > 1) {
      const earlier = pick(drafts, next)
      // What is a reject itself takes no key.
      const twin = rejectsOf(earlier, columns, 0).length === 0 ? earlier.cells[key] : undefined
      const cells = fresh(0).map((cell, i) => (i === key ? (twin ?? { text: '', quoted: false }) : cell))
      drafts.push({ cells, breaks: 'primary-key' })
    } else drafts.push({ cells: fresh(hasBad ? 0.02 : 0) })
  }
  return drafts.map((draft) => held(draft, dialect))
}

/** Cells as far as the file can hold them. */
function held<T extends Draft>(draft: T, dialect: Dialect): T {
  const isOnly = draft.cells.length === 1
  const cells = draft.cells.map(({ text, quoted }): Cell => {
    const holding = holdable(text, dialect)
    return { text: holding, quoted: dialect.quote !== '' && holding === '' && (isOnly || quoted) }
  })
  return { ...draft, cells }
}

/** Rows of the first file, mixed anew column by column; the first and some others as they were, and some that are new. */
function secondDrafts(rows: readonly (readonly Cell[])[], key: number, keys: () => string, next: Random): Cell[][] {
  const [first] = rows
  const columns =
    first?.map((_, i) =>
      shuffled(
        rows.map((row) => row[i] as Cell),
        next,
      ),
    ) ?? []
  const kept = rows.filter((row) => row === first || chance(0.7, next))
  return shuffled(kept, next).map((row, n) => {
    const isSame = row === first || chance(0.3, next)
    const isNew = row !== first && chance(0.2, next)
    return row.map((cell, i): Cell => {
      if (i === key) return isNew ? { text: keys(), quoted: false } : cell
      return isSame ? cell : (columns[i]?.[n] ?? cell)
    })
  })
}

function plannedFile(
  columns: readonly PlannedColumn[],
  drafts: readonly Draft[],
  dialect: Dialect,
  next: Random,
): PlannedFile {
  const labels = columns.map(({ label }) => label)
  const lines: Line[] = drafts.map(({ cells, flaw }) => ({ cells, flaw }))
  const sheet: Sheet = { dialect, labels, lines }
  const told = drafts.map((draft, i) => rejectsOf(draft, columns, i + 1))
  const readable = drafts.filter(({ flaw }) => flaw === undefined)
  return {
    written: write(sheet, next),
    params: readerParams(dialect),
    records: drafts.length,
    rejects: told.flat(),
    rows: drafts.filter((_, i) => told[i]?.length === 0).map(({ cells }) => cells),
    kinds: columns.map(({ declared: one }, i) => one?.kind ?? inferred(readable.map(({ cells }) => cells[i] as Cell))),
  }
}

function rejectsOf({ cells, flaw, breaks }: Draft, columns: readonly PlannedColumn[], record: number): PlannedReject[] {
  if (flaw !== undefined) return [{ record, code: flaw }]
  const faults = columns.flatMap(({ label, declared: one }, i): PlannedReject[] => {
    const { text = '', quoted = false } = cells[i] ?? {}
    const empty = quoted ? one?.emptyText : undefined
    const code = text === '' ? empty : one?.fault(text)
    return code === undefined ? [] : [{ record, code, column: label }]
  })
  return faults.length === 0 && breaks !== undefined ? [{ record, code: breaks }] : faults
}
