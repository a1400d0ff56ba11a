/** Customers, made up by Rowmill's own generator: what is loaded into tables. */
import { dirname } from 'node:path'
import type { BenchContext } from './benchmark.ts'
import { type BenchFile, keptFile } from './files.ts'
import { measure, rowmill } from './measure.ts'

const seed = 1

/** None of them is bad. */
export async function customersFile(rows: number, context: BenchContext): Promise<BenchFile> {
  const make = async (path: string) => {
    const args = ['generate', 'customers', '--rows', String(rows), '--seed', String(seed), '-o', path]
    await measure(rowmill(...args), dirname(path), context.signal)
  }
  return await keptFile(`customers-${rows}-${seed}.csv`, make, context)
}

/** The table that they go to. */
export const table = 'customers'

export const columns = {
  id: 'bigint',
  first_name: 'text',
  last_name: 'text',
  email: 'text',
  city: 'text',
  signed_up: 'date',
  amount: 'numeric(18,2)',
} as const

export type Column = keyof typeof columns

/** Every database here understands it. */
export const createTable = `CREATE TABLE ${table} (${Object.entries(columns)
  .map((column) => column.join(' '))
  .join(', ')})`

/** What a table holds, whatever the order of its rows. */
export interface Contents {
  readonly rows: number
  /** Of the rows' digests. */
  readonly sum: bigint
}

/** How many digits of the MD5 of a row's text its digest has: few enough for the sum to be an integer of 64 bits. */
export const digestDigits = 9

/**
 * The statement that answers them.
 * @param text SQL for a column's value as text, which is to be the same in every database; NULL for NULL.
 * @param digest SQL for the number that the first hexadecimal digits of the MD5 of a text are. The text is SQL as well.
 */
export function contentsSql(text: (column: Column) => string, digest: (text: string) => string): string {
  const values = (Object.keys(columns) as Column[]).map((column) => `coalesce(${text(column)}, '~')`)
  return `SELECT count(*), sum(${digest(`concat_ws('|', ${values.join(', ')})`)}) FROM ${table}`
}
