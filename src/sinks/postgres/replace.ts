/** A table in the place of another: made like it, with its names, its counters, its comments and its grants. */
import pg, { type Client } from 'pg'
import { identifier, postgresNames } from '../../identifiers.ts'
import { type Found, type Place, placeOf } from './catalog.ts'
import { heldBack } from '../refusals.ts'

/**
 * Another table in its place would leave them with the old one.
 * @throws {AppError} conflict, naming what depends on the table.
 */
export async function refuseDependents(client: Client, { oid, table }: Found): Promise<void> {
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
     UNION SELECT 'that it is partitioned' FROM pg_class WHERE oid = $1 AND relkind = 'p'
     UNION SELECT 'its replica identity' FROM pg_class WHERE oid = $1 AND relreplident <> 'd'
     UNION SELECT 'the publication ' || pubname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = prpubid WHERE prrelid = $1
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

/** Makes an empty table with all that LIKE knows of, and what it does not: where and how it is stored, and its comment. */
export async function createLike(client: Client, old: Found, { sql }: Place): Promise<void> {
  const { rows } = await client.query<{ more: string; remark: string }>(
    `SELECT concat(
         (SELECT format(' WITH (%s)', string_agg(format('%I = %L', option_name, option_value), ', '))
            FROM pg_options_to_table(c.reloptions) HAVING count(*) > 0),
         (SELECT format(' TABLESPACE %I', spcname) FROM pg_tablespace t WHERE t.oid = c.reltablespace)) AS more,
       format('COMMENT ON TABLE %s IS %L', $2::text, obj_description(c.oid, 'pg_class')) AS remark
     FROM pg_class c WHERE c.oid = $1`,
    [old.oid, sql],
  )
  for (const { more, remark } of rows) {
    await client.query(`CREATE TABLE ${sql} (LIKE ${old.sql} INCLUDING ALL)${more}`)
    await client.query(remark)
  }
}

/**
 * What goes over from the table that is replaced: whose it is, who may use it, and the sequences that count its defaults.
 * @throws {AppError} conflict, when a sequence cannot, since the new table has to be another user's.
 */
export async function inherit(client: Client, { oid, table }: Found, { oid: fresh, sql }: Found): Promise<void> {
  await inheritOwner(client, oid, sql)
  const { rows: grants } = await client.query<{ sql: string }>(
    `SELECT format('GRANT %s ON %s TO %s%s', acl.privilege_type, $2::text,
       CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
       CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS sql
     FROM pg_class c, aclexplode(c.relacl) acl WHERE c.oid = $1 AND acl.grantee <> c.relowner`,
    [oid, sql],
  )
  const { rows: sequences } = await client.query<{ sql: string; what: string; isFixed: boolean }>(
    `SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', d.objid::regclass, $2::text, a.attname) AS sql,
       'the sequence ' || d.objid::regclass AS what,
       s.relowner <> (SELECT relowner FROM pg_class WHERE oid = $3) AS "isFixed"
     FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
       JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.refobjid = $1 AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'`,
    [oid, sql, fresh],
  )
  const fixed = sequences.filter(({ isFixed }) => isFixed).map(({ what }) => what)
  if (fixed.length > 0) throw heldBack(table, fixed)
  for (const one of [...grants, ...sequences]) await client.query(one.sql)
}

/** Where the user may not give tables away, the new one is the user's own. */
async function inheritOwner(client: Client, oid: string, sql: string): Promise<void> {
  const { rows } = await client.query<{ owner: string }>(
    `SELECT quote_ident(pg_get_userbyid(relowner)) AS owner FROM pg_class
     WHERE oid = $1 AND pg_get_userbyid(relowner) <> current_user`,
    [oid],
  )
  for (const { owner } of rows) {
    await client.query('SAVEPOINT owner')
    try {
      await client.query(`ALTER TABLE ${sql} OWNER TO ${owner}`)
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code !== '42501') throw error
      await client.query('ROLLBACK TO SAVEPOINT owner')
    }
  }
}

/**
 * Puts a table in the place of another. From now on until the end of the transaction, nobody reads the old one.
 * @param aside the name under which that is kept; undefined: it is dropped.
 * @throws {AppError} conflict, when something depends on it.
 */
export async function takePlace(client: Client, old: Found, fresh: Found, aside: string | undefined): Promise<void> {
  await client.query(`LOCK TABLE ${old.sql} IN ACCESS EXCLUSIVE MODE`)
  await refuseDependents(client, old)
  await keepCounting(client, old, fresh)
  const pairs = await pairNames(client, old, fresh)
  if (aside === undefined) await client.query(`DROP TABLE ${old.sql}`)
  else {
    await rename(client, 'TABLE', old.sql, aside)
    for (const { kind, old: one } of pairs)
      await rename(client, kind, one.sql, `_rowmill_${kind.toLowerCase()}_${one.oid}`)
  }
  await rename(client, 'TABLE', fresh.sql, old.table)
  for (const { kind, old: wanted, fresh: one } of pairs) await rename(client, kind, one.sql, wanted.name)
}

async function rename(client: Client, kind: string, sql: string, name: string): Promise<void> {
  await client.query(`ALTER ${kind} ${sql} RENAME TO ${identifier(name, postgresNames)}`)
}

/** Sequences of identity columns go on where those of the old table are, or stay where they are if they are further. */
export async function keepCounting(client: Client, old: Found, fresh: Found): Promise<void> {
  for (const { kind, old: from, fresh: to } of await pairNames(client, old, fresh)) {
    if (kind !== 'SEQUENCE') continue
    await client.query(
      `SELECT setval($1::oid::regclass, known.last_value, known.is_called)
       FROM ${from.sql} AS known, ${to.sql} AS own, pg_sequence WHERE seqrelid = $1::oid
         AND (known.last_value - own.last_value) * sign(seqincrement) + known.is_called::int - own.is_called::int > 0`,
      [to.oid],
    )
  }
}

/** Something with a name of its own in the schema that belongs to a table. */
interface Part {
  readonly oid: string
  readonly name: string
  /** Quoted, with its schema. */
  readonly sql: string
}

interface Pair {
  readonly kind: 'INDEX' | 'STATISTICS' | 'SEQUENCE'
  readonly old: Part
  readonly fresh: Part
}

/**
 * Indexes (and with them the constraints that they are for), statistics, and sequences of identity columns, each with
 * the one of the other table that is made alike.
 */
async function pairNames(client: Client, old: Found, fresh: Found): Promise<Pair[]> {
  const of = (n: 1 | 2) => `SELECT kind, oid, schema, name,
      row_number() OVER (PARTITION BY kind, definition ORDER BY oid) AS nth, definition
    FROM (
      SELECT 'INDEX' AS kind, c.oid, n.nspname AS schema, c.relname AS name, substr(pg_get_indexdef(c.oid),
        length(format('CREATE %sINDEX %I ON %I.%I', CASE WHEN i.indisunique THEN 'UNIQUE ' END, c.relname, n.nspname, r.relname)) + 1)
        || i.indisprimary || i.indimmediate AS definition
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_class r ON r.oid = i.indrelid WHERE i.indrelid = $${n} AND i.indisvalid
      UNION ALL SELECT 'STATISTICS', s.oid, n.nspname, s.stxname, pg_get_statisticsobjdef_columns(s.oid) || s.stxkind::text
      FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid = $${n}
      UNION ALL SELECT 'SEQUENCE', c.oid, n.nspname, c.relname, a.attname
      FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.refobjid = $${n} AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
    ) AS parts`
  const { rows } = await client.query<Record<string, string> & Pick<Pair, 'kind'>>(
    `SELECT kind, a.oid::text AS "oldOid", a.schema AS "oldSchema", a.name AS "oldName",
       b.oid::text AS "newOid", b.schema AS "newSchema", b.name AS "newName"
     FROM (${of(1)}) AS a JOIN (${of(2)}) AS b USING (kind, definition, nth) ORDER BY a.oid`,
    [old.oid, fresh.oid],
  )
  const part = (oid = '', schema = '', name = ''): Part => ({ oid, name, sql: placeOf(schema, name).sql })
  return rows.map(({ kind, oldOid, oldSchema, oldName, newOid, newSchema, newName }) => ({
    kind,
    old: part(oldOid, oldSchema, oldName),
    fresh: part(newOid, newSchema, newName),
  }))
}
