/** The columns of a made-up table: how they are called, and what their cells are drawn from. */
import { chance, pick, type Random } from '../../src/cli/random.ts'
import { foldCase } from '../../src/identifiers.ts'
import { anything, between, type Draw, doubtful, plain, shuffled, texts } from './cells.ts'
import { type Declared, declared, taken } from './declared.ts'
import type { Cell } from './oracle.ts'
import type { DatabaseName } from './read-back.ts'
import { type Dialect, holdable } from './sheet.ts'

export interface PlannedColumn {
  readonly label: string
  /** Of the table that is there before; undefined where Rowmill makes it. */
  readonly declared: Declared | undefined
  readonly draw: (next: Random) => Cell
}

export interface DrawnColumns {
  readonly columns: readonly PlannedColumn[]
  /** Which of them tells rows apart. */
  readonly key: number
  /** Another key with every call. */
  readonly keys: () => string
}

/** @param database of the table that is there before; undefined where Rowmill makes it. */
export function drawColumns(database: DatabaseName | undefined, dialect: Dialect, next: Random): DrawnColumns {
  const labels = drawLabels(next, dialect)
  const key = between(0, labels.length - 1, next)
  const isNumber = chance(0.5, next)
  const columns = labels.map((label, i): PlannedColumn => {
    if (i === key) {
      const one = isNumber ? wholeKey : textKey
      return { label, declared: database === undefined ? undefined : one, draw: filled(() => '') }
    }
    if (database === undefined) return { label, declared: undefined, draw: drawColumn(next) }
    const one = pick(declared[database], next)
    const draw = maybeEmpty((random) => taken(one, random), pick([0, 0.1, 0.5], next))
    return { label, declared: one, draw }
  })
  return { columns, key, keys: keysOf(isNumber, database !== undefined, next) }
}

const names = [
  ['id', 'name', 'Order', 'select', 'table', 'user', 'a b', ' lead', 'a"b', 'a`b', "a'b", 'a,b', 'a;b', 'a\tb', 'a.b'],
  ['ä', 'Ä', 'σ', 'ß', '日本', 'e\u0301', '__proto__', 'constructor', 'toString', '1', '007', '$x', '%s', '?', '@v0'],
  ['v0', 'c0', 'line', 'record', 'x;--', '\\N', '\\', 'NULL', 'rowid', 'oid', 'ctid_', 'key', 'value', 'a::b'],
  ['#', '-'],
  ['A', 'B', 'C', 'x'.repeat(60), 'größe in m²', 'output', 'file', 'rows', 'now', 'date', 'timestamp', 'current_user'],
].flat()

/** All different, in whichever case. */
function drawLabels(next: Random, dialect: Dialect): string[] {
  const least = dialect.quote === '' ? 2 : 1
  const count = chance(0.1, next) ? between(20, 40, next) : between(least, 8, next)
  const unlike = new Map(
    shuffled(names, next).map((name) => [foldCase(holdable(name, dialect)), holdable(name, dialect)]),
  )
  return [...unlike.values()].slice(0, count)
}

export function filled(draw: Draw): PlannedColumn['draw'] {
  return (next) => ({ text: draw(next), quoted: false })
}

export function bare({ text }: Cell): Cell {
  return { text, quoted: false }
}

function maybeEmpty(draw: Draw, empty: number): PlannedColumn['draw'] {
  return (next) => (chance(empty, next) ? { text: '', quoted: chance(0.5, next) } : filled(draw)(next))
}

/** A column of which nobody has declared anything. */
function drawColumn(next: Random): PlannedColumn['draw'] {
  const empty = pick([0, 0, 0.1, 0.5, 0.95], next)
  const one = pick(Object.values<Draw>(plain), next)
  const odd = pick(Object.values<Draw>(doubtful), next)
  const way = next()
  if (way < 0.4) return maybeEmpty(one, empty)
  if (way < 0.5) return maybeEmpty((random) => (chance(0.05, random) ? odd : one)(random), empty)
  if (way < 0.6) return maybeEmpty(odd, empty)
  if (way < 0.75) return maybeEmpty(texts.nasty, empty)
  if (way < 0.8) return maybeEmpty((random) => (chance(0.03, random) ? texts.long : texts.nasty)(random), empty)
  if (way < 0.85) return maybeEmpty(texts.word, empty)
  if (way < 0.95) return maybeEmpty(anything, empty)
  return maybeEmpty(texts.word, 1)
}

const wholeKey: Declared = { sql: 'bigint', kind: 'integer', draw: plain.integer, fault: () => undefined }
const textKey: Declared = { sql: 'varchar(40)', kind: 'text', draw: texts.word, fault: () => undefined }

/** Keys that are all different; of texts, some only to who looks closely, where the table is Rowmill's own. */
function keysOf(isNumber: boolean, isDeclared: boolean, next: Random): () => string {
  const start = pick([-5, 0, 1, 9_007_199_254_740_990, 999_999_999], next)
  let last = 0
  return () => {
    const n = last++
    if (isNumber) return String(BigInt(start) + BigInt(n))
    if (isDeclared) return `k${n}`
    const root = Math.floor(n / 5)
    return [`k${root}`, `K${root}`, `k${root} `, `é${root}`, `e\u0301${root}`][n % 5] ?? ''
  }
}
