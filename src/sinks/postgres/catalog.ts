/** What PostgreSQL's system catalogs tell of a table. */
import type { Client } from 'pg'
import { AppError } from '../../errors.ts'
import { identifier, postgresNames } from '../../identifiers.ts'
import type { TargetColumn } from '../../job.ts'
import { type Described, fieldOf, isUnclear } from './types.ts'
import { notATable, withoutKey } from '../refusals.ts'
import { tableIdentifier, type TableName, taskColumn } from '../tables.ts'

/** Where a table is, or would be made. */
export interface Place {
  readonly schema: string
  readonly table: string
  /** With its schema, quoted: the same whatever a user calls it. */
  readonly sql: string
}

/** A table that is there. */
export interface Found extends Place {
  readonly oid: string
  /** For FROM and UPDATE: its own rows, and those of its partitions, and not those of tables that inherit from it. */
  readonly rows: string
  readonly isPartitioned: boolean
}

export function isFound(place: Place): place is Found {
  return 'oid' in place
}

export function placeOf(schema: string, table: string): Place {
  return { schema, table, sql: tableIdentifier({ schema, table }, postgresNames) }
}

/** @throws {AppError} unprocessable, when the name is that of something else, or of the database's own. */
export async function locate(client: Client, name: TableName): Promise<Place | Found> {
  refuseSystem(name.schema, name)
  const { rows } = await client.query<{
    oid: string | null
    schema: string | null
    table: string
    kind: string | null
  }>(
    `SELECT c.oid::text AS oid, coalesce(n.nspname, $2, current_schema()) AS schema, coalesce(c.relname, $3) AS table,
       c.relkind AS kind
     FROM to_regclass($1) AS asked LEFT JOIN pg_class c ON c.oid = asked LEFT JOIN pg_namespace n ON n.oid = c.relnamespace`,
    [tableIdentifier(name, postgresNames), name.schema, name.table],
  )
  const [found] = rows
  if (found === undefined || found.schema === null) {
    throw new AppError(
      'unprocessable',
      `There is no schema that the table ${name.table} could be made in. Write schema.table, or set a search_path for the user.`,
    )
  }
  refuseSystem(found.schema, name)
  const place = placeOf(found.schema, found.table)
  if (found.oid === null) return place
  const isPartitioned = found.kind === 'p'
  if (!isPartitioned && found.kind !== 'r') throw notATable(name.table)
  return { ...place, oid: found.oid, isPartitioned, rows: isPartitioned ? place.sql : `ONLY ${place.sql}` }
}

function refuseSystem(schema: string | undefined, { table }: TableName): void {
  if (schema === undefined || !/^(pg_.*|information_schema)$/s.test(schema)) return
  throw new AppError(
    'unprocessable',
    `The schema ${schema} belongs to PostgreSQL itself, and takes no rows for the table ${table}. Name a table in a schema of your own.`,
  )
}

/** A column as the table has it. */
export interface TableColumn extends Described {
  readonly name: string
  /** Whether the database fills it in where a row comes without it. */
  readonly isFilled: boolean
  /** Whether nobody may write to it. */
  readonly isComputed: boolean
}

/** Its columns in their order, without those of Rowmill's own. Of a domain, the type is the one that it is made of. */
export async function describe(client: Client, { oid }: Found): Promise<TableColumn[]> {
  const { rows } = await client.query<TableColumn>(
    `WITH RECURSIVE base (attnum, type, modifier, required, filled) AS (
       SELECT attnum, atttypid, atttypmod, attnotnull, atthasdef AND attgenerated = '' OR attidentity <> ''
       FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attname <> $2
       UNION ALL SELECT attnum, t.typbasetype, t.typtypmod, required OR t.typnotnull, filled OR t.typdefault IS NOT NULL
       FROM base JOIN pg_type t ON t.oid = type AND t.typtype = 'd')
     SELECT a.attname AS name, format_type(base.type, base.modifier) AS type, required AS "isRequired", filled AS "isFilled",
       a.attgenerated <> '' OR a.attidentity = 'a' AS "isComputed",
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = base.type) AS labels
     FROM base JOIN pg_attribute a USING (attnum) JOIN pg_type t ON t.oid = base.type
     WHERE a.attrelid = $1 AND t.typtype <> 'd' ORDER BY attnum`,
    [oid, taskColumn],
  )
  return rows
}

/** The same, as a load has to know them. */
export async function columnsOf(client: Client, found: Found): Promise<TargetColumn[]> {
  const columns = await describe(client, found)
  return columns.map((column) => ({
    name: column.name,
    field: fieldOf(column),
    absent: column.isFilled ? 'filled' : column.isRequired ? 'refused' : 'null',
    isComputed: column.isComputed || isUnclear(column.type),
  }))
}

/** Names the task of rows that come without it. It is set for a load that is to be undoable, and NULL for all else. */
const taskDefault = "nullif(current_setting('rowmill.task', true), '')"
export const taskColumnSql = `${identifier(taskColumn, postgresNames)} text DEFAULT ${taskDefault}`

/** Whether the table has the column for the task of a row, and whether rows get theirs by themselves. */
export async function taskMark(client: Client, { oid }: Found): Promise<'none' | 'column' | 'default'> {
  const { rows } = await client.query<{ expression: string | null }>(
    `SELECT pg_get_expr(d.adbin, d.adrelid) AS expression
     FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = $1 AND a.attname = $2 AND NOT a.attisdropped`,
    [oid, taskColumn],
  )
  const [column] = rows
  if (column === undefined) return 'none'
  return column.expression?.includes("'rowmill.task'") === true ? 'default' : 'column'
}

/**
 * An index by which the key tells rows apart, just as rows are compared.
 * @returns its name and those of its parts in partitions, by which PostgreSQL tells of a key that is there already.
 * @throws {AppError} unprocessable, when there is none.
 */
export async function needUniqueKey(
  client: Client,
  { oid }: Found,
  key: readonly string[],
  table: string,
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `WITH RECURSIVE family (oid) AS (
       SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
         AND i.indpred IS NULL AND i.indexprs IS NULL
         AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_attribute a
              WHERE a.attrelid = $1 AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))
           = (SELECT array_agg(name ORDER BY name) FROM unnest($2::text[]) AS name)
         AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) AS part (attnum, collation_)
           JOIN pg_attribute a USING (attnum) WHERE a.attrelid = $1 AND part.collation_ NOT IN (0, a.attcollation))
       UNION ALL SELECT inhrelid FROM family JOIN pg_inherits ON inhparent = family.oid)
     SELECT relname AS name FROM family JOIN pg_class USING (oid)`,
    [oid, key],
  )
  if (rows.length === 0) throw withoutKey(table, key)
  return rows.map(({ name }) => name)
}
