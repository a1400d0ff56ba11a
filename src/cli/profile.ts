/** What the pipeline `profile` finds, as a table to look at. */
import { inLine } from './harmless.ts'
import { quantity } from './progress.ts'
import { table } from './table.ts'

interface File {
  readonly filename: string
  readonly file_size_bytes: number
  readonly row_count: number
  readonly column_count: number
}

interface Column {
  readonly file: string
  readonly name: string
  readonly type: string
  readonly values: number
  readonly nulls: number
  readonly quoted_empty: number
  readonly approx_distinct: number
  readonly min: string | null
  readonly max: string | null
  readonly mean: number | null
  readonly most_frequent: readonly { readonly value: string; readonly count: number }[] | null
  readonly histogram: readonly { readonly count: number }[] | null
}

const bars = '▁▂▃▄▅▆▇█'
const longestCell = 24

/** @param outputs the NDJSON of the pipeline's outputs, by name. */
export function profileTable(outputs: Readonly<Record<string, string>>): string {
  const files = objects<File>(outputs['profile'])
  const columns = objects<Column>(outputs['columns'])
  return files
    .map((file) => {
      const own = columns.filter(({ file: name }) => name === file.filename)
      return `${title(file)}\n\n${table([header, ...own.map(row)])}`
    })
    .join('\n')
}

const header = ['COLUMN', 'TYPE', 'EMPTY', 'DISTINCT', 'LEAST', 'MEAN', 'GREATEST', 'VALUES']

function title({ filename, file_size_bytes: bytes, row_count: rows, column_count: count }: File): string {
  return `${inLine(filename)}: ${quantity(rows, 'rows')}, ${count} ${count === 1 ? 'column' : 'columns'}, ${quantity(bytes, 'bytes')}`
}

function row(column: Column): string[] {
  const { name, type, values, nulls, quoted_empty: quoted, approx_distinct: distinct, min, max, mean } = column
  const empty = nulls + quoted
  return [
    short(name),
    type,
    empty === 0 ? '0' : `${empty.toLocaleString('en')} (${percent(empty, values)})`,
    distinct < 20 ? String(distinct) : `~${distinct.toLocaleString('en')}`,
    short(min ?? ''),
    mean === null ? '' : String(Number(mean.toPrecision(6))),
    short(max ?? ''),
    shape(column),
  ]
}

/** The values of few kinds by name, those of many as a picture of where they lie. */
function shape({ histogram, most_frequent: frequent, approx_distinct: distinct, values }: Column): string {
  if (histogram !== null && distinct > 5) {
    const most = Math.max(...histogram.map(({ count }) => count))
    return histogram
      .map(({ count }) => (count === 0 ? ' ' : bars[Math.ceil((count / most) * bars.length) - 1]))
      .join('')
  }
  const shown = (frequent ?? []).slice(0, 3).map(({ value, count }) => `${short(value)} ${percent(count, values)}`)
  return shown.join(', ')
}

function percent(part: number, whole: number): string {
  const share = (part / whole) * 100
  return share > 0 && share < 0.1 ? '<0.1 %' : `${Number(share.toFixed(1))} %`
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > longestCell ? `${line.slice(0, longestCell - 1)}…` : line
}

function objects<T>(ndjson: string | undefined): T[] {
  const lines = (ndjson ?? '').split('\n').filter((line) => line !== '')
  return lines.map((line): T => JSON.parse(line))
}
