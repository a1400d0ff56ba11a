/** What the information schema of MySQL and MariaDB tells of a table. */
import { AppError } from '../../errors.ts'
import { mysqlNames } from '../../identifiers.ts'
import type { TargetColumn } from '../../job.ts'
import type { Session } from './session.ts'
import { fieldOf } from './types.ts'
import { heldBack, notATable, withoutKey } from '../refusals.ts'
import { parseTable, tableIdentifier, type TableName, taskColumn } from '../tables.ts'

/** A table of MariaDB's that keeps the rows it had, too. */
const versioned = 'SYSTEM VERSIONED'

export interface Found {
  readonly schema: string
  readonly table: string
  /** Quoted, with its schema. */
  readonly sql: string
  readonly kind: string
  readonly engine: string
  readonly columns: readonly Column[]
}

/** Where a target is or will be. */
export interface Place {
  readonly schema: string
  readonly table: string
  /** Quoted, with its schema. */
  readonly sql: string
  /** The same text for the same table, by whatever name it goes, and for no other. */
  readonly canonical: string
}

export interface Column {
  readonly name: string
  /** Such as `int(10) unsigned`. */
  readonly type: string
  readonly isRequired: boolean
  readonly isFilled: boolean
  readonly isNumbered: boolean
  readonly isComputed: boolean
}

/** @throws {AppError} unprocessable, when the name is none. */
export function placeOf({ database, foldsNames }: Session, text: string): Place {
  const { schema = database, table } = parseTable(text)
  const sql = tableIdentifier({ schema, table }, mysqlNames)
  const folded = foldsNames ? { schema: schema.toLowerCase(), table: table.toLowerCase() } : { schema, table }
  // As a user would write it.
  return { schema, table, sql, canonical: tableIdentifier(folded, { ...mysqlNames, mark: '"' }) }
}

/** @throws {AppError} unprocessable, when the name is none, or that of something else. */
export async function findTable(session: Session, name: TableName): Promise<Found | undefined> {
  const { schema = session.database, table } = name
  const sql = tableIdentifier({ schema, table }, mysqlNames)
  const [found] = await session.rows<Pick<Found, 'kind' | 'engine'>>(
    'SELECT table_type AS kind, engine AS engine FROM information_schema.tables WHERE table_schema = ? AND table_name = ?',
    [schema, table],
  )
  if (found === undefined) return undefined
  if (found.kind === 'BASE TABLE' || found.kind === versioned) {
    return { schema, table, sql, ...found, columns: await readColumns(session, schema, table) }
  }
  throw notATable(table)
}

async function readColumns(session: Session, schema: string, table: string): Promise<Column[]> {
  const rows = await session.rows<{
    name: string
    type: string
    nullable: string
    initial: string | null
    extra: string
    computed: number
  }>(
    `SELECT column_name AS name, column_type AS type, is_nullable AS nullable, column_default AS initial, extra AS extra,
       coalesce(generation_expression, '') <> '' AS computed
     FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position`,
    [schema, table],
  )
  return rows.map(({ name, type, nullable, initial, extra, computed }) => {
    const isRequired = nullable === 'NO'
    // MariaDB writes the default NULL as a text.
    const hasDefault = initial !== null && (isRequired || initial !== 'NULL')
    return {
      name,
      type,
      isRequired,
      isFilled: hasDefault || extra.includes('auto_increment'),
      // It makes a number of NULL.
      isNumbered: extra.includes('auto_increment'),
      isComputed: computed === 1,
    }
  })
}

/** By a name that may be in another case. */
export function columnNamed({ columns }: Found, name: string): Column | undefined {
  return columns.find((column) => column.name.toLowerCase() === name.toLowerCase())
}

/** Its columns in their order, without those of Rowmill's own. */
export function columnsOf({ columns }: Found): TargetColumn[] {
  return columns
    .filter(({ name }) => name !== taskColumn)
    .map(({ name, type, isRequired, isFilled, isNumbered, isComputed }) => ({
      name,
      field: fieldOf(type, isRequired && !isNumbered),
      absent: isFilled ? 'filled' : isRequired ? 'refused' : 'null',
      isComputed,
    }))
}

/** @throws {AppError} unprocessable, when what is written to the table could not be taken back. */
export function needTransactions({ table, engine }: Found): void {
  if (engine === 'InnoDB') return
  throw new AppError(
    'unprocessable',
    `The table ${table} is kept by ${engine}, which has no transactions, so that half of a load could stay there. Convert it: ALTER TABLE … ENGINE = InnoDB.`,
    { details: { table, engine } },
  )
}

/**
 * Another table in its place would leave them with the old one. Views and grants go by the name, and stay right.
 * @throws {AppError} conflict, naming what depends on the table.
 */
export async function refuseDependents(session: Session, { schema, table, kind }: Found): Promise<void> {
  const keys = await session.rows<{ name: string }>(
    `SELECT constraint_name AS name FROM information_schema.referential_constraints
     WHERE constraint_schema = ? AND table_name = ? OR unique_constraint_schema = ? AND referenced_table_name = ?`,
    [schema, table, schema, table],
  )
  const triggers = await session.rows<{ name: string }>(
    'SELECT trigger_name AS name FROM information_schema.triggers WHERE event_object_schema = ? AND event_object_table = ?',
    [schema, table],
  )
  const what = [
    ...keys.map(({ name }) => `the foreign key ${name}`),
    ...triggers.map(({ name }) => `the trigger ${name}`),
    ...(kind === versioned ? ['the history of its rows'] : []),
  ]
  if (what.length > 0) throw heldBack(table, what)
}

/**
 * The name of the index by which the key tells rows apart.
 * @throws {AppError} unprocessable, when there is none.
 */
export async function needUniqueKey(
  session: Session,
  { schema, table }: Found,
  key: readonly string[],
): Promise<string> {
  const rows = await session.rows<{ name: string; column: string | null; part: number | null }>(
    `SELECT index_name AS name, column_name AS \`column\`, sub_part AS part FROM information_schema.statistics
     WHERE table_schema = ? AND table_name = ? AND non_unique = 0`,
    [schema, table],
  )
  const wanted = key.toSorted().join('\0')
  for (const name of new Set(rows.map((row) => row.name))) {
    const columns = rows.filter((row) => row.name === name)
    if (columns.some(({ part }) => part !== null)) continue
    const names = columns.map(({ column }) => column ?? '')
    if (names.toSorted().join('\0') === wanted) return name
  }
  throw withoutKey(table, key)
}
