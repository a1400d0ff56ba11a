/** What came of a load, held against what was planned: a sentence for each difference. */
import type { Counts, Loaded, Loader } from './load.ts'
import { canonical, type Kind } from './oracle.ts'
import type { Plan, PlannedFile } from './plan.ts'
import { type DatabaseName, readBack, typesOf } from './read-back.ts'

/** Values by column, each in its canonical form. */
export type Row = readonly (string | null)[]

/** More of them say no more. */
const mostShown = 5

export function compareRecords(loaded: Loaded, { records, rows, rejects, written }: PlannedFile): string[] {
  const rejected = new Set(rejects.map(({ record }) => record)).size
  const wanted = JSON.stringify({ records, accepted: rows.length, rejected, blankLines: written.blankLines })
  const found = JSON.stringify(loaded.records)
  const differences = found === wanted ? [] : [`the balance is ${found}, and should be ${wanted}`]
  const left = [...loaded.rejects]
  for (const { record, code, column } of rejects) {
    const at = left.findIndex((one) => {
      return one.record === record && one.code === code && (column === undefined || one.column === column)
    })
    const { offset = -1, raw = Buffer.of() } = written.places[record - 1] ?? {}
    const [one] = at < 0 ? [] : left.splice(at, 1)
    if (one === undefined) differences.push(`record ${record} is no ${code} in “${column}”: ${shown(String(raw))}`)
    else if (one.offset !== offset) differences.push(`record ${record} begins at byte ${offset}, and not ${one.offset}`)
    else if (isText(raw) && one.raw !== String(raw)) differences.push(came(String(raw), one.raw, `record ${record}`))
  }
  const more = left.map((one) => `this is no reject: ${JSON.stringify(one).slice(0, 500)}`)
  return [...differences, ...more].slice(0, mostShown)
}

function isText(raw: Buffer): boolean {
  return !raw.includes(0) && Buffer.from(raw.toString('utf8')).equals(raw)
}

export function compareCounts({ kind }: Loader, { files }: Plan, found: Counts, wanted: Counts): string[] {
  // SQLite has long decimals as texts, and there 1.50 is not 1.5.
  const isLoose = kind.name === 'SQLite' && files[0].kinds.includes('decimal')
  const [one, other] = [found, wanted].map(({ inserted, updated, unchanged }) =>
    JSON.stringify(isLoose ? [inserted, updated + unchanged] : [inserted, updated, unchanged]),
  )
  return one === other ? [] : [`inserted, updated and unchanged rows are ${one}, and should be ${other}`]
}

export async function compareTable({ kind, database }: Loader, plan: Plan, rows: readonly Row[]): Promise<string[]> {
  const { table, key, isDeclared, files } = plan
  const types = await typesOf(database, table)
  const columns = plan.columns.map(({ label }, i) => {
    return { label, type: types.get(label) ?? 'not there', kind: files[0].kinds[i] ?? 'text' }
  })
  const differences = columns
    .filter((one) => !types.has(one.label) || (!isDeclared && made[kind.name][one.kind]?.test(one.type) !== true))
    .map(({ label, type, kind: wanted }) => `column ${shown(label)} is ${type}, and should be for ${wanted}`)
  if (columns.some(({ label }) => !types.has(label))) return differences
  const found = (await readBack(database, table, columns)).map((row) =>
    row.map((value, i) => (value === null ? null : canonicalIn(kind.name, columns[i], value))),
  )
  if (found.length !== rows.length) differences.push(`${found.length} rows are there, and should be ${rows.length}`)
  const [there, wanted] = [sorted(found, key), sorted(rows, key)]
  for (const [n, row] of wanted.entries()) {
    for (const [i, value] of row.entries()) {
      const other = there[n]?.[i]
      const { type, kind: of } = columns[i] ?? {}
      const where = `column ${i} (${type}, ${of}) of row ${shown(row[key])}`
      if (other !== value) differences.push(came(value, other, where))
    }
  }
  return differences.slice(0, mostShown)
}

function came(value: string | null, other: string | null | undefined, where: string): string {
  if (typeof value !== 'string' || typeof other !== 'string' || value.length + other.length < 300) {
    return `${where}: ${shown(value)} came back as ${shown(other)}`
  }
  const at = Array.from({ length: value.length }, (_, i) => i).find((i) => value[i] !== other[i]) ?? value.length
  const [one, two] = [value, other].map((text) => shown(text.slice(Math.max(0, at - 20), at + 60)))
  return `${where}: from character ${at} on, … ${one} of ${value.length} came back as … ${two} of ${other.length}`
}

function sorted(rows: readonly Row[], key: number): Row[] {
  const keyed = rows.map((row) => ({ row, by: JSON.stringify([row[key], row]) }))
  return keyed.toSorted((a, b) => (a.by < b.by ? -1 : 1)).map(({ row }) => row)
}

interface Column {
  readonly type: string
  readonly kind: Kind
}

/** A double of SQLite's that holds a decimal is meant to fifteen digits. */
function canonicalIn(name: DatabaseName, { type, kind }: Column = { type: '', kind: 'text' }, text: string): string {
  const isDouble = name === 'SQLite' && kind === 'decimal' && type !== 'TEXT' && /[.e]/.test(text)
  return canonical(kind, isDouble ? Number(text).toPrecision(15) : text)
}

type Types = Readonly<Partial<Record<Kind, RegExp>>>

/** The types of the columns that Rowmill makes. */
const made: Readonly<Record<DatabaseName, Types>> = {
  PostgreSQL: {
    text: /^text$/,
    integer: /^bigint$/,
    decimal: /^numeric\(\d+,\d+\)$/,
    boolean: /^boolean$/,
    date: /^date$/,
    time: /^time without time zone$/,
    datetime: /^timestamp with time zone$/,
  },
  MariaDB: {
    text: /^(longtext|varchar\(\d+\))$/,
    integer: /^bigint/,
    decimal: /^decimal\(\d+,\d+\)$/,
    boolean: /^tinyint\(1\)$/,
    date: /^date$/,
    time: /^time\(6\)$/,
    datetime: /^datetime\(6\)$/,
  },
  SQLite: {
    text: /^TEXT$/,
    integer: /^INTEGER$/,
    decimal: /^(TEXT|DECIMAL\(15,\d+\))$/,
    boolean: /^BOOLEAN$/,
    date: /^DATE$/,
    time: /^TIME$/,
    datetime: /^DATETIME$/,
  },
  DuckDB: {
    text: /^VARCHAR$/,
    integer: /^BIGINT$/,
    decimal: /^DECIMAL\(\d+,\d+\)$/,
    boolean: /^BOOLEAN$/,
    date: /^DATE$/,
    time: /^TIME$/,
    datetime: /^TIMESTAMP WITH TIME ZONE$/,
  },
}

export function shown(text: string | null | undefined): string {
  const written = JSON.stringify(text) ?? 'nothing'
  return written.length > 200 ? `${written.slice(0, 200)}… (${written.length})` : written
}
