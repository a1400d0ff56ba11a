/** Values of which a column would keep only some, and say nothing: found in the rows on their way there. */
import { Readable } from 'node:stream'
import { parseTabbed } from '../../csv/tabbed.ts'
import { AppError } from '../../errors.ts'
import type { ProducedColumn } from '../../job.ts'
import type { Typed } from './compare.ts'
import { type Limit, limitOf } from './types.ts'

interface Limited extends Limit {
  readonly column: string
  /** In a row, from 0. */
  readonly at: number
}

/**
 * The same rows.
 * @param known the columns of the table; what is new keeps everything.
 * @throws {AppError} unprocessable, as an error of the stream, at the first value that would lose something.
 */
export function exactly(rows: Readable, columns: readonly ProducedColumn[], known: readonly Typed[]): Readable {
  const limited = columns.flatMap(({ name }, at): Limited[] => {
    const limit = limitOf(known.find((column) => column.name === name)?.type ?? '')
    return limit === undefined ? [] : [{ ...limit, column: name, at }]
  })
  return limited.length === 0 ? rows : Readable.from(checked(rows, limited))
}

async function* checked(rows: AsyncIterable<Buffer>, limited: readonly Limited[]): AsyncGenerator<Buffer> {
  let rest = ''
  let row = 0
  for await (const chunk of rows) {
    // A character for each byte: no chunk ends within one.
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      row += 1
      const values = parseTabbed(line)
      for (const limit of limited) check(values[limit.at] ?? null, limit, row)
    }
    yield chunk
  }
}

function check(value: string | null, { column, unit, most }: Limited, row: number): void {
  if (value === null || needed(value, unit) <= most) return
  const text = Buffer.from(value, 'latin1').toString().slice(0, 100)
  throw new AppError(
    'unprocessable',
    `Row ${row} has “${text}” for the column “${column}”, which keeps ${most} ${unit}; more would be lost. Round it, or change the column’s type. Nothing was loaded.`,
    { details: { row, column, value: text } },
  )
}

/** How many of them a value has; 0 where the database has to judge what it is. */
function needed(value: string, unit: Limit['unit']): number {
  if (unit === 'bytes') return value.length
  if (unit === 'digits of a fraction of a second') return /[.,](\d*[1-9])/.exec(value)?.[1]?.length ?? 0
  const [, whole, fraction = '', exponent = '0'] =
    /^\s*[+-]?(\d*)(?:[.](\d*))?(?:e([+-]?\d{1,6}))?\s*$/i.exec(value) ?? []
  if (whole === undefined) return 0
  const digits = (whole + fraction).replace(/0+$/, '')
  if (/^0*$/.test(digits)) return -Infinity
  return digits.length - whole.length - Number(exponent)
}
