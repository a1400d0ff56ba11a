/** What the sinks of tables have in common: names, counts, and what the ledger knows. */
import { createHash } from 'node:crypto'
import { AppError } from '../errors.ts'
import { identifier, isOwn, type Naming, ownPrefix } from '../identifiers.ts'
import type { Target } from '../model.ts'
import type { OutputBalance } from '../balances.ts'
import type { ColumnType } from '../table-schema.ts'
import type { Delivered, Delivery, DeliveryId, Produced } from '../ports.ts'

/**
 * One row for each output that was ever begun in a database: the fence (its attempt), and once it is committed what it
 * came to. It is written in the same transaction as the rows.
 */
export const ledgerTable = '_rowmill_loads'

/**
 * In SQL, for two rows `one` and `other` of the ledger that have the same target, and of which the other is the later one:
 * whether the first can no longer be undone by itself: one of them has replaced the whole table. What was taken back itself
 * does not count.
 */
export const isInTheWay = `(one.mode = 'replace' OR other.mode = 'replace') AND other.mode <> 'undo' AND NOT EXISTS (
  SELECT 1 FROM ${ledgerTable} AS undoing
  WHERE undoing.undoes = other.task AND undoing.output = other.output AND undoing.committed_at IS NOT NULL)`

/** In tables that Rowmill makes for appended rows: the task that brought each. */
export const taskColumn = '_rowmill_task'

/** Tables of Rowmill's own beside the user's: rows on their way, and what `replace` has put aside. */
export const stagingPrefix = '_rowmill_stage_'
export const stagingTable = ({ task, output }: DeliveryId, attempt: number) =>
  ownName('stage', `${task}_${output}_${attempt}`)
export const keptTable = ({ task, output }: DeliveryId) => ownName('kept', `${task}_${output}`)

/** Short enough for every database. One that has to be cut ends with its hash, so that no two become the same. */
function ownName(what: string, rest: string): string {
  const name = `_rowmill_${what}_${rest}`
  if (name.length <= 63) return name
  return `${name.slice(0, 50)}_${createHash('sha256').update(name).digest('hex').slice(0, 12)}`
}

const quotedName = '(?:"(?:[^"]|"")*"|`(?:[^`]|``)*`)'
const keptForm = new RegExp(`^(?:${quotedName}[.])?(["\`])_rowmill_kept_\\w+\\1$`)

/**
 * The name of a kept table as a ledger has it, in SQL. What stands in a table is never trusted to be SQL.
 * @throws {AppError} conflict
 */
export function keptName(sql: string): string {
  if (keptForm.test(sql)) return sql
  throw new AppError('conflict', `The table ${ledgerTable} has been changed by somebody else: it names “${sql}”.`)
}

export interface TableName {
  readonly schema: string | undefined
  readonly table: string
}

/**
 * `name`, `schema.name`, and either in double quotes when there is a dot in it.
 * @throws {AppError} unprocessable
 */
export function parseTable(text: string): TableName {
  const part = '("(?:[^"]|"")+"|[^."]+)'
  const [, schema, table] = new RegExp(`^(?:${part}[.])?${part}$`, 'su').exec(text) ?? []
  const plain = (name: string) => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name)
  if (table !== undefined) {
    // The ledger is one of them: whoever may load must not be able to write it.
    if (isOwn(plain(table))) {
      throw new AppError('unprocessable', `Tables called “${ownPrefix}…” are Rowmill’s own. Choose another name.`)
    }
    return { schema: schema === undefined ? undefined : plain(schema), table: plain(table) }
  }
  throw new AppError('unprocessable', `“${text}” is no name of a table. Write name, schema.name, or "na.me" in quotes.`)
}

/** @throws {AppError} unprocessable, for a name that the database cannot hold. */
export function tableIdentifier({ schema, table }: TableName, naming: Naming): string {
  const own = identifier(table, naming)
  return schema === undefined ? own : `${identifier(schema, naming)}.${own}`
}

export type Counts = Pick<OutputBalance, 'inserted' | 'updated' | 'unchanged'>

/** What an earlier attempt has committed. */
export interface Committed extends Counts {
  /** Whether something else was written to the same table since. */
  readonly superseded: boolean
  /** Whether what is needed to undo it was kept. */
  readonly undoable: boolean
}

/** Rows that came to nothing but new ones. */
export function allInserted(rows: number): Counts {
  return { inserted: rows, updated: 0, unchanged: 0 }
}

export function balanceOf({ inserted, updated, unchanged }: Counts): OutputBalance {
  return { produced: inserted + updated + unchanged, inserted, updated, unchanged, skipped: 0 }
}

export function delivered(
  to: string,
  { output }: DeliveryId,
  { table, mode }: Target,
  counts: Counts,
  undoable: boolean,
): Delivered {
  const balance = balanceOf(counts)
  return { balance, output: { name: output, to, table, mode, rows: balance.produced, undoable } }
}

/** The same of what an earlier attempt has committed, if one has. */
export function deliveredBefore(
  to: string,
  id: DeliveryId,
  target: Target,
  committed: Committed | undefined,
): Delivery['delivered'] {
  return committed && { ...delivered(to, id, target, committed, committed.undoable), superseded: committed.superseded }
}

/** Runs what an abort cuts short; its reason is the error then, and not what comes of the cut. */
export async function cutBy<T>(signal: AbortSignal, cut: () => void, call: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  signal.addEventListener('abort', cut)
  try {
    return await call()
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', cut)
  }
}

/** Another attempt at the same task has begun since. */
export function overtaken({ task, output }: DeliveryId): AppError {
  return new AppError('conflict', `Output ${output} of task ${task} is being delivered by a later attempt.`)
}

/**
 * A table may come or go between the look at its columns and the load.
 * @throws {AppError} unavailable, when it is not as it was looked at: the next attempt looks again.
 */
export function checkUnmoved(isThere: boolean, { table }: Target, { columns = [] }: Pick<Produced, 'columns'>): void {
  if (isThere === columns.some((column) => column.isThere)) return
  const what = isThere ? 'was made' : 'was dropped'
  throw new AppError('unavailable', `The table ${table} ${what} while its rows were on their way. Try again.`)
}

/** @throws {AppError} unprocessable, when the database has taken another number of rows: nothing is committed then. */
export function checkTaken(taken: number, produced: number): void {
  if (taken === produced) return
  throw new AppError(
    'unprocessable',
    `The database took ${taken} of ${produced} rows, so none is there now. A trigger, a rule or a constraint of the table leaves rows out.`,
  )
}

/**
 * Precision and scale of a new column for decimals: with room for greater numbers than those that it is created for.
 * @param least digits that cost no more than fewer would.
 */
export function roomy(type: ColumnType, least: number): [precision: number, scale: number] | undefined {
  const [, precision, scale] = /^decimal\((\d+),(\d+)\)$/.exec(type) ?? []
  if (precision === undefined) return undefined
  return [Number(precision) <= least ? least : 38, Number(scale)]
}

/** The key as the table calls its columns, which may differ in case from what the user wrote. */
export function keyColumns(
  { key }: Target,
  { columns = [] }: { readonly columns?: readonly { readonly name: string }[] },
): string[] {
  return key.map((name) => {
    const same = columns.find((column) => column.name === name)
    return (same ?? columns.find((column) => column.name.toLowerCase() === name.toLowerCase()))?.name ?? name
  })
}
