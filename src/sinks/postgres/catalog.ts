/** What PostgreSQL's system catalogs tell of a table. */
import type { Client } from 'pg'
import { postgresNames } from '../../identifiers.ts'
import type { TargetColumn } from '../../ports.ts'
import { changesValues, fieldOf } from './types.ts'
import { heldBack, notATable, withoutKey } from '../refusals.ts'
import { tableIdentifier, type TableName, taskColumn } from '../tables.ts'

export interface Found {
  readonly oid: number
  readonly schema: string
  readonly table: string
}

/** @throws {AppError} unprocessable, when the name is that of something else. */
export async function findTable(client: Client, name: TableName): Promise<Found | undefined> {
  const { rows } = await client.query<Found & { kind: string }>(
    `SELECT c.oid::int AS oid, n.nspname AS schema, c.relname AS table, c.relkind AS kind
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)`,
    [tableIdentifier(name, postgresNames)],
  )
  const [found] = rows
  if (found === undefined || found.kind === 'r' || found.kind === 'p') return found
  throw notATable(name.table)
}

/** Its columns in their order, without those of Rowmill's own. */
export async function columnsOf(client: Client, { oid }: Found): Promise<TargetColumn[]> {
  const { rows } = await client.query<{
    name: string
    type: string
    labels: string[] | null
    required: boolean
    filled: boolean
    computed: boolean
  }>(
    `SELECT a.attname AS name, CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod)
         ELSE format_type(a.atttypid, a.atttypmod) END AS type, a.attnotnull AS required,
       a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '' AS filled,
       a.attgenerated <> '' OR a.attidentity = 'a' AS computed,
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = a.atttypid) AS labels
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> $2
     ORDER BY a.attnum`,
    [oid, taskColumn],
  )
  return rows.map(({ name, type, labels, required, filled, computed }) => ({
    name,
    field: fieldOf(type, labels ?? undefined, required),
    absent: filled ? 'filled' : required ? 'refused' : 'null',
    isComputed: computed || changesValues(type),
  }))
}

/**
 * Another table in its place would leave them with the old one.
 * @throws {AppError} conflict, naming what depends on the table.
 */
export async function refuseDependents(client: Client, { oid }: Found, table: string): Promise<void> {
  const { rows } = await client.query<{ what: string }>(
    `SELECT 'the view ' || c.oid::regclass AS what FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
       JOIN pg_class c ON c.oid = r.ev_class
       WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = $1 AND c.oid <> $1
     UNION SELECT 'the foreign key ' || conname FROM pg_constraint WHERE contype = 'f' AND (conrelid = $1 OR confrelid = $1)
     UNION SELECT 'the trigger ' || tgname FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal
     UNION SELECT 'the policy ' || polname FROM pg_policy WHERE polrelid = $1
     UNION SELECT 'its row level security' FROM pg_class WHERE oid = $1 AND relrowsecurity
     UNION SELECT 'that it is not logged' FROM pg_class WHERE oid = $1 AND relpersistence <> 'p'
     UNION SELECT 'the rule ' || rulename FROM pg_rewrite WHERE ev_class = $1
     UNION SELECT 'the partition or child ' || inhrelid::regclass FROM pg_inherits WHERE inhparent = $1
     UNION SELECT 'the parent ' || inhparent::regclass FROM pg_inherits WHERE inhrelid = $1
     UNION SELECT 'the grants on its columns' FROM pg_attribute WHERE attrelid = $1 AND attacl IS NOT NULL
     ORDER BY what`,
    [oid],
  )
  if (rows.length === 0) return
  throw heldBack(
    table,
    rows.map(({ what }) => what),
  )
}

/** What goes over from the table that is replaced: who may use it, and the sequences that count its defaults. */
export async function inherit(client: Client, { oid }: Found, staging: string): Promise<void> {
  const { rows: grants } = await client.query<{ sql: string }>(
    `SELECT format('GRANT %s ON %s TO %s%s', acl.privilege_type, $2::text,
       CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
       CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS sql
     FROM pg_class c, aclexplode(c.relacl) acl WHERE c.oid = $1 AND acl.grantee <> c.relowner`,
    [oid, staging],
  )
  const { rows: sequences } = await client.query<{ sql: string }>(
    `SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', d.objid::regclass, $2::text, a.attname) AS sql
     FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
       JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.refobjid = $1 AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'`,
    [oid, staging],
  )
  for (const { sql } of [...grants, ...sequences]) await client.query(sql)
}

/** @throws {AppError} unprocessable, when nothing in the table says that the key tells its rows apart. */
export async function needUniqueKey(
  client: Client,
  { oid }: Found,
  key: readonly string[],
  table: string,
): Promise<void> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
       AND i.indpred IS NULL AND i.indexprs IS NULL
       AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_attribute a
            WHERE a.attrelid = $1 AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))
         = (SELECT array_agg(name ORDER BY name) FROM unnest($2::text[]) AS name)`,
    [oid, key],
  )
  if (rows.length === 0) throw withoutKey(table, key)
}
