/**
 * Made-up customers, as a real export has them: some cells are quoted, a few have quotes or a line break in them, and
 * on request some records are bad. Each record draws from a stream of its own, so that a part can be made without those
 * before it, and what is bad can be told without making any.
 */
import { cleanLine } from '../csv/write.ts'
import { Chunk } from './chunk.ts'
import { cities, firstNames, lastNames, type Pool, romanised } from './names.ts'
import { chance, pick, type Random, sfc32 } from './random.ts'

const columns = ['id', 'first_name', 'last_name', 'email', 'city', 'signed_up', 'amount'] as const

/**
 * What is wrong with a bad record: what stands in the place of a cell and of the comma before it. None of it makes the
 * neighbours doubtful, whoever reads the file.
 */
const flaws = {
  'no-id': { column: 'id', text: '' },
  'no-such-day': { column: 'signed_up', text: ',2023-02-30' },
  'no-date': { column: 'signed_up', text: ',n/a' },
  'no-number': { column: 'amount', text: ',abc' },
  'decimal-comma': { column: 'amount', text: ',12,50' },
  'missing-cell': { column: 'amount', text: '' },
  'extra-cell': { column: 'amount', text: ',12.50,EUR' },
} as const satisfies Record<string, { column: (typeof columns)[number]; text: string }>

export type Flaw = keyof typeof flaws
export const flawNames = Object.keys(flaws) as readonly Flaw[]

const emptyAmounts = 0.05
const negativeAmounts = 0.05
const firstYear = 2015
const days = 3653

export interface Customers {
  readonly rows: number
  readonly seed: number
  /** The share of the records that are bad, from 0 to 1. */
  readonly bad?: number
  /** Which of how many parts, from 1 on. */
  readonly part?: number
  readonly parts?: number
}

/**
 * What is wrong with the record in this place, from 1 on, which is its id; undefined if it is sound. What is bad at one
 * share is bad at every larger one.
 */
export function flawOf(id: number, { seed, bad = 0 }: Pick<Customers, 'seed' | 'bad'>): Flaw | undefined {
  return drawFlaw(bad, sfc32(seed, id))
}

/** The first thing that is drawn for a record. */
function drawFlaw(bad: number, next: Random): Flaw | undefined {
  return chance(bad, next) ? pick(flawNames, next) : undefined
}

/**
 * A header and the records of one part, in chunks. The parts, one behind the other, have the records of the whole.
 * @param onProgress has how many there are up to here, those of the parts before included.
 */
export function* customersCsv(
  { rows, seed, bad = 0, part = 1, parts = 1 }: Customers,
  onProgress: (rows: number) => void = () => {},
): Generator<Buffer> {
  const write = recordWriter()
  const chunk = new Chunk()
  chunk.putText(cleanLine(columns))
  const last = rowsOf(part, parts, rows)
  for (let id = rowsOf(part - 1, parts, rows) + 1; id <= last; id++) {
    if (chunk.isFull) {
      onProgress(id - 1)
      yield chunk.take()
    }
    const next = sfc32(seed, id)
    write(chunk, id, drawFlaw(bad, next), next)
  }
  yield chunk.take()
}

/** How many rows the first parts have; as equal as can be. */
function rowsOf(first: number, parts: number, rows: number): number {
  return first * Math.floor(rows / parts) + Math.min(first, rows % parts)
}

/** Every cell but the first brings the comma before it. */
function recordWriter(): (chunk: Chunk, id: number, flaw: Flaw | undefined, next: Random) => void {
  const firsts = pieces(firstNames, (name) => ({ cell: cell(name), initial: Buffer.from(`,${romanised(name)[0]}`) }))
  const lasts = pieces(lastNames, (name) => ({ cell: cell(name), mailbox: Buffer.from(romanised(name)) }))
  const towns = pieces(cities, cell)
  const domain = Buffer.from('@example.com')
  const dates = Array.from({ length: days }, (_, i) => {
    return cell(new Date(Date.UTC(firstYear, 0, 1 + i)).toISOString().slice(0, 10))
  })
  const [plus, minus] = [Buffer.from(','), Buffer.from(',-')]
  const cents = Array.from({ length: 100 }, (_, i) => Buffer.from(`.${String(i).padStart(2, '0')}`))
  const lineEnd = Buffer.from('\n')

  const putAmount = (chunk: Chunk, next: Random) => {
    if (chance(emptyAmounts, next)) return chunk.put(plus)
    chunk.put(chance(negativeAmounts, next) ? minus : plus)
    chunk.putNumber(1 + Math.floor(next() * 99_999))
    chunk.put(pick(cents, next))
  }

  return (chunk, id, flaw, next) => {
    const wrong = flaw && flaws[flaw]
    const [first, last] = [firsts(next), lasts(next)]
    if (wrong?.column === 'id') chunk.putText(wrong.text)
    else chunk.putNumber(id)
    chunk.put(first.cell)
    chunk.put(last.cell)
    chunk.put(first.initial)
    chunk.put(last.mailbox)
    chunk.putNumber(id)
    chunk.put(domain)
    chunk.put(towns(next))
    if (wrong?.column === 'signed_up') chunk.putText(wrong.text)
    else chunk.put(pick(dates, next))
    if (wrong?.column === 'amount') chunk.putText(wrong.text)
    else putAmount(chunk, next)
    chunk.put(lineEnd)
  }
}

/** Draws from what a pool's texts are made into. */
function pieces<T>({ common, rare, rareShare }: Pool, make: (text: string) => T): (next: Random) => T {
  const [usual, unusual] = [common.map(make), rare.map(make)]
  return (next) => pick(chance(rareShare, next) ? unusual : usual, next)
}

function cell(text: string): Buffer {
  return Buffer.from(`,${cleanLine([text]).slice(0, -1)}`)
}
