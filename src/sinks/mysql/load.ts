/** Rows of a file into a table, all of them as they are, or none. */
import { AppError } from '../../errors.ts'
import { identifier, mysqlNames } from '../../identifiers.ts'
import type { Produced } from '../../ports.ts'
import type { Result, Session } from './session.ts'
import { secondDigits } from './types.ts'
import { checkTaken, taskColumn } from '../tables.ts'

export interface Destination {
  /** Quoted. */
  readonly table: string
  /** The columns of the table as far as they were there before, with their types. */
  readonly like: readonly { readonly name: string; readonly type: string }[]
  readonly task: string
}

/** LOAD DATA's own format is the one that the rows come in. */
export async function loadRows(
  session: Session,
  { table, like, task }: Destination,
  { columns = [], rows, open }: Produced,
  signal: AbortSignal,
): Promise<number> {
  const fields: string[] = []
  const assignments: string[] = []
  const coarse: Coarse[] = []
  for (const [i, { name }] of columns.entries()) {
    const column = identifier(name, mysqlNames)
    const digits = secondDigits(like.find((one) => one.name === name)?.type ?? '') ?? 6
    const value = `@v${i}`
    fields.push(digits === 6 ? column : value)
    if (digits === 6) continue
    assignments.push(`${column} = ${whole(value, digits)}`)
    coarse.push({ name, digits })
  }
  if (like.some(({ name }) => name === taskColumn)) {
    assignments.push(`${identifier(taskColumn, mysqlNames)} = '${task}'`)
  }
  const set = assignments.length === 0 ? '' : ` SET ${assignments.join(', ')}`
  const result = await session.load(
    `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${table} CHARACTER SET utf8mb4 (${fields.join(', ')})${set}`,
    open(signal),
  )
  await refuseWarnings(session, result, coarse)
  checkTaken(result.affectedRows, rows)
  return rows
}

/** A column of times that keeps fewer digits of a fraction of a second than there can be. */
interface Coarse {
  readonly name: string
  readonly digits: number
}

/** A time, made unreadable when the column would lose some of its fraction in silence. */
function whole(value: string, digits: number): string {
  return `IF(MICROSECOND(${value}) MOD ${10 ** (6 - digits)}, CONCAT('more than ${digits} digits: ', ${value}), ${value})`
}

/**
 * LOAD DATA LOCAL makes warnings of errors: it changes a value that it cannot take, and leaves out a row.
 * @throws {AppError} unprocessable, with the first of them.
 */
async function refuseWarnings(
  session: Session,
  { warningStatus: count }: Result,
  coarse: readonly Coarse[],
): Promise<void> {
  if (count === 0) return
  const warnings = await session.rows<{ Code: number; Message: string }>('SHOW WARNINGS LIMIT 5')
  const told = warnings.map(({ Message }) => Message)
  const more = count > told.length ? `; and ${count - told.length} more` : ''
  const hints = coarse
    .filter(({ name }) => told.some((message) => message.includes(`'${name}'`)))
    .map(
      ({ name, digits }) => ` The column ${name} keeps ${digits} digits of a fraction of a second; more would be lost.`,
    )
  throw new AppError(
    'unprocessable',
    `The database ${session.sink} (MySQL): it refuses rows: ${told.join('; ')}${more}.${hints.join('')} Nothing was loaded.`,
    { details: { warnings: told } },
  )
}
