/** What the values of a file's columns are like: counted, but where a name says that it is approximate. */
import type { Column } from './columns.ts'
import { type Database, quoteText } from './duckdb.ts'
import { type Source, typedSql } from './relation.ts'
import { sqlTypeOf } from './types.ts'

/** Of one column. What does not go with its type is null. */
export interface Statistics {
  readonly approxDistinct: number
  /** As texts, cut after 200 characters. */
  readonly min: string | null
  readonly max: string | null
  readonly mean: number | null
  /** Approximate: a quarter, a half and three quarters of the values are below. */
  readonly quantiles: readonly string[] | null
  /** Null where nearly every value is another. */
  readonly mostFrequent: readonly Frequent[] | null
  /** Ten bins of equal width; the values of a bin are above `from` (in the first: from it on) and up to `to`. */
  readonly histogram: readonly Bin[] | null
}

export interface Frequent {
  readonly value: string
  readonly count: number
}

export interface Bin {
  readonly from: string
  readonly to: string
  readonly count: number
}

/** Where the values are while they are measured. No input can have this name. */
const measured = '"measured values"'

/** Columns that are measured at a time: each takes memory, however few rows there are. */
const columnsAtOnce = 128

const shownValues = 5
const bins = 10

/** Numbers that have a mean and a width; the others have an order. */
type Kind = 'number' | 'date' | 'datetime' | 'other'

interface Overview {
  readonly count: number
  readonly distinct: number
  readonly min: string | null
  readonly max: string | null
  readonly mean?: number | null
  readonly quantiles?: readonly string[] | null
  /** The bounds as numbers: seconds since 1970 for times. */
  readonly low?: number | null
  readonly high?: number | null
}

/** Upper bounds and how many values are in the bin that ends there. */
type Counted = readonly { readonly key: number; readonly value: number }[]

/** The statistics of every column of a file, over the records for which `where` holds, in the order of its columns. */
export async function statisticsOf(
  database: Database,
  source: Source,
  where: string | undefined,
): Promise<readonly Statistics[]> {
  const all: Statistics[] = []
  for (let from = 0; from < source.columns.length; from += columnsAtOnce) {
    all.push(...(await measure(database, source, where, source.columns.slice(from, from + columnsAtOnce))))
  }
  return all
}

async function measure(
  database: Database,
  source: Source,
  where: string | undefined,
  columns: readonly Column[],
): Promise<Statistics[]> {
  const kinds = columns.map(({ field }) => kindOf(sqlTypeOf(field.type)))
  const names = kinds.map((_, i) => `s${i}`)
  // Read once, looked at several times; where it is more than the memory holds, it spills.
  await database.run(
    `CREATE TABLE ${measured} AS SELECT * FROM (${typedSql(source, where, columns)}) AS t(${names.join(', ')})`,
  )
  const overviews = await ask<Overview>(
    database,
    kinds.map((kind, i) => overviewSql(`s${i}`, kind)),
  )
  const counted = await ask<Counted | null>(
    database,
    overviews.map((overview, i) => binsSql(`s${i}`, kinds[i], overview)),
  )
  const all: Statistics[] = []
  for (const [i, overview] of overviews.entries()) {
    const { distinct, min, max, mean = null, quantiles = null } = overview
    const mostFrequent = isRepeated(overview) ? await countMost(database, `s${i}`) : null
    const histogram = histogramOf(counted[i] ?? null, overview, kinds[i])
    all.push({ approxDistinct: distinct, min, max, mean, quantiles, mostFrequent, histogram })
  }
  await database.run(`DROP TABLE ${measured}`)
  return all
}

function kindOf(sqlType: string): Kind {
  if (/^(BIGINT|DOUBLE|DECIMAL)/.test(sqlType)) return 'number'
  return sqlType === 'DATE' ? 'date' : sqlType === 'TIMESTAMP' ? 'datetime' : 'other'
}

/** One row, of a JSON value for each expression. */
async function ask<T>(database: Database, expressions: readonly string[]): Promise<T[]> {
  const list = expressions.map((sql) => `to_json(${sql})::VARCHAR`).join(', ')
  const [row = []] = await database.rows(`SELECT ${list} FROM ${measured}`)
  return row.map((text): T => JSON.parse(String(text ?? 'null')))
}

function overviewSql(column: string, kind: Kind): string {
  const shown = (value: string) => `left(${value}::VARCHAR, 200)`
  const members = {
    count: `count(${column})`,
    distinct: `approx_count_distinct(${column})`,
    min: shown(`min(${column})`),
    max: shown(`max(${column})`),
    ...(kind !== 'other' && {
      quantiles: `approx_quantile(${column}, [0.25, 0.5, 0.75])::VARCHAR[]`,
      low: numberSql(`min(${column})`, kind),
      high: numberSql(`max(${column})`, kind),
    }),
    ...(kind === 'number' && { mean: `avg(${column})::DOUBLE` }),
  }
  const list = Object.entries(members).map(([name, sql]) => `'${name}': ${sql}`)
  return `{${list.join(', ')}}`
}

function binsSql(column: string, kind: Kind | undefined, overview: Overview): string {
  const bounds = boundsOf(overview)
  if (kind === undefined || kind === 'other' || bounds === undefined) return 'any_value(NULL)'
  // As texts: by way of a decimal, the last bit of a double is lost.
  const list = bounds.map((bound) => quoteText(String(bound)))
  return `map_entries(histogram(${numberSql(column, kind)}, [${list.join(', ')}]::DOUBLE[]))`
}

function numberSql(value: string, kind: Kind): string {
  return kind === 'number' ? `${value}::DOUBLE` : `epoch(${value})::DOUBLE`
}

/** Whether some value can be called frequent. */
function isRepeated({ count, distinct }: Overview): boolean {
  return count > 0 && (distinct <= shownValues || distinct < count * 0.9)
}

/**
 * The upper bounds of the bins; the last is the greatest value, exactly. Undefined where there is no width to divide, or
 * none that numbers of 64 bits could tell apart.
 */
function boundsOf({ low, high }: Overview): number[] | undefined {
  if (typeof low !== 'number' || typeof high !== 'number') return undefined
  const bounds = Array.from({ length: bins }, (_, i) => {
    const share = (i + 1) / bins
    return i === bins - 1 ? high : low * (1 - share) + high * share
  })
  return bounds.every((bound, i) => Number.isFinite(bound) && bound > (bounds[i - 1] ?? low)) ? bounds : undefined
}

async function countMost(database: Database, column: string): Promise<Frequent[]> {
  const rows = await database.rows(
    `SELECT left(${column}::VARCHAR, 200), count(*) AS n FROM ${measured} WHERE ${column} IS NOT NULL
     GROUP BY ${column} ORDER BY n DESC, ${column} LIMIT ${shownValues}`,
  )
  return rows.map(([value, count]) => ({ value: String(value), count: Number(count) }))
}

function histogramOf(found: Counted | null, overview: Overview, kind: Kind | undefined): Bin[] | null {
  const bounds = boundsOf(overview)
  if (found === null || bounds === undefined || kind === undefined) return null
  const counts = new Map(found.map(({ key, value }) => [key, value]))
  return bounds.map((to, i) => ({
    from: shownBound(bounds[i - 1] ?? overview.low ?? 0, kind),
    to: shownBound(to, kind),
    count: counts.get(to) ?? 0,
  }))
}

function shownBound(value: number, kind: Kind): string {
  if (kind === 'number') return String(Number(value.toPrecision(12)))
  const text = new Date(value * 1000).toISOString()
  return kind === 'date' ? text.slice(0, 10) : text
}
