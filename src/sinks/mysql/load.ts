/** Rows of a file into a table, all of them as they are, or none. */
import { AppError } from '../../errors.ts'
import { identifier, mysqlNames } from '../../identifiers.ts'
import type { Produced } from '../../ports.ts'
import { guarded, guardOf, refusedValue } from './guards.ts'
import type { Result, Session } from './session.ts'
import { keyMissing } from '../refusals.ts'
import { checkTaken, taskColumn } from '../tables.ts'

export interface Destination {
  /** Quoted. */
  readonly table: string
  /** The columns of the table as far as they were there before, with their types. */
  readonly like: readonly { readonly name: string; readonly type: string }[]
  /** Of which no row may be without a value. */
  readonly key?: readonly string[]
  /** What the rows are marked with, when the table has a column for it. */
  readonly mark: string | undefined
}

/** LOAD DATA's own format is the one that the rows come in. */
export async function loadRows(
  session: Session,
  { table, like, key = [], mark }: Destination,
  { columns = [], rows, isGuess, open }: Produced,
  signal: AbortSignal,
): Promise<number> {
  const fields: string[] = []
  const assignments: string[] = []
  const rules: Rule[] = []
  for (const [n, { name }] of columns.entries()) {
    const column = identifier(name, mysqlNames)
    const value = `@v${n}`
    const guard = guardOf(like.find((one) => one.name === name)?.type ?? '', value)
    fields.push(guard === undefined ? column : value)
    if (guard === undefined) continue
    assignments.push(`${column} = ${guarded(guard, value, n)}`)
    rules[n] = { name, rule: guard.rule }
  }
  if (mark !== undefined && like.some(({ name }) => name === taskColumn)) {
    assignments.push(`${identifier(taskColumn, mysqlNames)} = '${mark}'`)
  }
  const set = assignments.length === 0 ? '' : ` SET ${assignments.join(', ')}`
  const result = await session.load(
    `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${table} CHARACTER SET utf8mb4 (${fields.join(', ')})${set}`,
    open(signal),
  )
  await refuseWarnings(session, result, rules, key)
  if (isGuess !== true) checkTaken(result.affectedRows, rows)
  return result.affectedRows
}

/** What a guarded column does with its values. */
interface Rule {
  readonly name: string
  readonly rule: string
}

/** The numbers of its warnings that there is a NULL where none may be. */
const noNull: ReadonlySet<number> = new Set([1048, 1263])

/**
 * LOAD DATA LOCAL makes warnings of errors: it changes a value that it cannot take, and leaves out a row.
 * @throws {AppError} unprocessable, with the first of them.
 */
async function refuseWarnings(
  session: Session,
  { warningStatus: count }: Result,
  rules: readonly Rule[],
  key: readonly string[],
): Promise<void> {
  if (count === 0) return
  const warnings = await session.rows<{ Code: number; Message: string }>('SHOW WARNINGS LIMIT 5')
  const nulls = warnings.filter(({ Code }) => noNull.has(Code))
  const missing = key.find((name) => nulls.some(({ Message }) => Message.includes(`'${name}'`)))
  if (missing !== undefined) throw keyMissing(session.table, missing)
  const told = warnings.map(({ Message }) => {
    const { n = -1, value } = refusedValue(Message) ?? {}
    const { name, rule } = rules[n] ?? {}
    return name === undefined
      ? session.plain(Message)
      : `the column ${name} ${rule}, so “${value}” would become another value`
  })
  const more = count > told.length ? `; and ${count - told.length} more` : ''
  throw new AppError(
    'unprocessable',
    `The database ${session.sink} (MySQL): it refuses rows: ${told.join('; ')}${more}. Nothing was loaded.`,
    { details: { warnings: told } },
  )
}
