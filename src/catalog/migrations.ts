/** The catalog's schema, as the steps that lead to it. A step that was released is never changed: add another. */
import { type Kysely, sql } from 'kysely'
import { DEFAULT_MIGRATION_TABLE, type Migration, Migrator } from 'kysely/migration'
import { AppError } from '../errors.ts'
import type { Database } from './database.ts'
import type { Dialect } from './dialect.ts'

/** Applied in the order of their names. */
const steps: Readonly<Record<string, (db: Kysely<unknown>, dialect: Dialect) => Promise<void>>> = {
  '0001_uploads_and_tasks': uploadsAndTasks,
  '0002_outputs_of_tables': outputsOfTables,
  '0003_corrections': corrections,
  '0004_plans_and_undo': plansAndUndo,
  '0005_doors': doors,
  '0006_locks': (db, dialect) => dialect.makeLocks(db),
}

export interface MigrationStatus {
  readonly applied: string[]
  readonly pending: string[]
  /** Applied by a newer Rowmill: this one does not know what they did. */
  readonly unknown: string[]
}

export const nothingApplied: MigrationStatus = { applied: [], pending: Object.keys(steps), unknown: [] }

export async function statusOf<T>(db: Kysely<T>): Promise<MigrationStatus> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some((table) => table.name === DEFAULT_MIGRATION_TABLE)) return nothingApplied
  const ledger = db as unknown as Kysely<{ [DEFAULT_MIGRATION_TABLE]: { name: string } }>
  const rows = await ledger.selectFrom(DEFAULT_MIGRATION_TABLE).select('name').orderBy('name').execute()
  const done = new Set(rows.map((row) => row.name))
  const known = Object.keys(steps)
  return {
    applied: known.filter((name) => done.has(name)),
    pending: known.filter((name) => !done.has(name)),
    unknown: [...done].filter((name) => !known.includes(name)),
  }
}

/**
 * Brings the schema up to date; the names of the steps taken. Safe in several processes at once: Kysely takes the
 * database's lock before it looks at what is left to do.
 * @throws {AppError} conflict, when the schema is newer than this code.
 */
export async function migrateToLatest({ db, dialect }: Pick<Database, 'db' | 'dialect'>): Promise<string[]> {
  const { unknown } = await statusOf(db)
  if (unknown.length > 0) {
    throw new AppError(
      'conflict',
      `The catalog was made by a newer Rowmill (it has ${unknown.join(', ')}, which this version does not know). ` +
        'Run that version, or point ROWMILL_CATALOG_URL, or ROWMILL_DATA, at another one.',
    )
  }
  const migrations = Object.entries(steps).map(([name, up]): [string, Migration] => [
    name,
    { up: (on) => up(on as Kysely<unknown>, dialect) },
  ])
  const migrator = new Migrator({ db, provider: { getMigrations: async () => Object.fromEntries(migrations) } })
  const { error, results } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
  return (results ?? []).map((result) => result.migrationName)
}

async function uploadsAndTasks(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const { schema } = db
  const { text } = dialect
  await (await dialect.createTable(db, 'uploads'))

    .addColumn('id', 'varchar(64)', (column) => column.primaryKey())
    .addColumn('owner', 'varchar(64)', (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('state', 'varchar(16)', (column) => column.notNull())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('sha256', 'varchar(64)')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('completed_at', 'bigint')
    .execute()
  await schema.createIndex('uploads_by_owner').on('uploads').columns(['owner', 'id']).execute()

  await (await dialect.createTable(db, 'parts'))

    .addColumn('upload', 'varchar(64)', (column) => column.notNull())
    .addColumn('n', 'integer', (column) => column.notNull())
    .addColumn('blob', 'varchar(255)', (column) => column.notNull())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('sha256', 'varchar(64)', (column) => column.notNull())
    .addPrimaryKeyConstraint('parts_key', ['upload', 'n'])
    .addForeignKeyConstraint('parts_upload', ['upload'], 'uploads', ['id'])
    .execute()

  await (await dialect.createTable(db, 'tasks'))

    .addColumn('id', 'varchar(64)', (column) => column.primaryKey())
    .addColumn('owner', 'varchar(64)', (column) => column.notNull())
    .addColumn('pipeline', 'varchar(255)', (column) => column.notNull())
    .addColumn('pipeline_text', text, (column) => column.notNull())
    .addColumn('params', text, (column) => column.notNull())
    .addColumn('state', 'varchar(16)', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('crashes', 'integer', (column) => column.notNull())
    .addColumn('failures', 'integer', (column) => column.notNull())
    .addColumn('lost_leases', 'integer', (column) => column.notNull())
    .addColumn('run_after', 'bigint', (column) => column.notNull())
    .addColumn('lease_until', 'bigint')
    .addColumn('progress', text)
    .addColumn('balances', text)
    .addColumn('warnings', text, (column) => column.notNull())
    .addColumn('rejects_count', 'bigint')
    .addColumn('rejects_bytes', 'bigint')
    .addColumn('rejects_blob', 'varchar(255)')
    .addColumn('error_code', 'varchar(64)')
    .addColumn('error_message', text)
    .addColumn('error_details', text)
    .addColumn('retry_of', 'varchar(64)')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .execute()
  await schema.createIndex('tasks_by_owner').on('tasks').columns(['owner', 'id']).execute()
  await schema.createIndex('tasks_by_state').on('tasks').columns(['owner', 'state', 'id']).execute()
  await schema.createIndex('tasks_due').on('tasks').columns(['state', 'run_after', 'id']).execute()
  await schema.createIndex('tasks_lapsed').on('tasks').columns(['state', 'lease_until']).execute()

  await (await dialect.createTable(db, 'task_inputs'))

    .addColumn('task', 'varchar(64)', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('input', 'varchar(255)', (column) => column.notNull())
    .addColumn('upload', 'varchar(64)', (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('task_inputs_key', ['task', 'position'])
    .addForeignKeyConstraint('task_inputs_task', ['task'], 'tasks', ['id'])
    .addForeignKeyConstraint('task_inputs_upload', ['upload'], 'uploads', ['id'])
    .execute()
  await schema.createIndex('task_inputs_by_upload').on('task_inputs').column('upload').execute()

  await (await dialect.createTable(db, 'outputs'))

    .addColumn('task', 'varchar(64)', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('name', 'varchar(255)', (column) => column.notNull())
    .addColumn('format', 'varchar(16)', (column) => column.notNull())
    .addColumn('rows', 'bigint', (column) => column.notNull())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('sha256', 'varchar(64)', (column) => column.notNull())
    .addColumn('blob', 'varchar(255)', (column) => column.notNull())
    .addPrimaryKeyConstraint('outputs_key', ['task', 'name'])
    .addForeignKeyConstraint('outputs_task', ['task'], 'tasks', ['id'])
    .execute()
}

async function outputsOfTables(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const { schema } = db
  const { text } = dialect
  await schema
    .alterTable('tasks')
    .addColumn('committing', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await (await dialect.createTable(db, 'table_outputs'))

    .addColumn('task', 'varchar(64)', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('name', 'varchar(255)', (column) => column.notNull())
    .addColumn('sink', 'varchar(64)', (column) => column.notNull())
    .addColumn('target', text, (column) => column.notNull())
    .addColumn('mode', 'varchar(16)', (column) => column.notNull())
    .addColumn('rows', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('table_outputs_key', ['task', 'name'])
    .addForeignKeyConstraint('table_outputs_task', ['task'], 'tasks', ['id'])
    .execute()
}

async function corrections({ schema }: Kysely<unknown>, { text }: Dialect): Promise<void> {
  await schema.alterTable('tasks').addColumn('corrects', 'varchar(64)').execute()
  await schema.alterTable('tasks').addColumn('rejects_fixable', text).execute()
  await schema.createIndex('tasks_by_corrected').on('tasks').column('corrects').execute()
}

async function plansAndUndo(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const { schema } = db
  const { text } = dialect
  await schema.alterTable('tasks').addColumn('delivery', 'varchar(64)').execute()
  await schema.alterTable('tasks').addColumn('targets', text).execute()
  await schema
    .alterTable('tasks')
    .addColumn('dry_run', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await schema.alterTable('tasks').addColumn('plan', text).execute()
  await schema.alterTable('tasks').addColumn('plan_hash', 'varchar(64)').execute()
  await schema.alterTable('tasks').addColumn('undoes', 'varchar(64)').execute()
  await schema.alterTable('tasks').addColumn('undone', text).execute()
  await schema.createIndex('tasks_by_delivery').on('tasks').column('delivery').execute()
  await schema.createIndex('tasks_by_undone').on('tasks').column('undoes').execute()
  await schema
    .alterTable('table_outputs')
    .addColumn('undoable', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
}

const week = 604_800_000

async function doors(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const { schema } = db
  const { text } = dialect
  const upload = (name: string, type: Parameters<ReturnType<typeof schema.alterTable>['addColumn']>[1]) =>
    schema.alterTable('uploads').addColumn(name, type)
  await schema
    .alterTable('uploads')
    .addColumn('comes', 'varchar(16)', (column) => column.notNull().defaultTo('in order'))
    .execute()
  await schema
    .alterTable('uploads')
    .addColumn('joined', 'varchar(16)', (column) => column.notNull().defaultTo('as bytes'))
    .execute()
  await schema
    .alterTable('uploads')
    .addColumn('expires_at', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute()
  await upload('size', 'bigint').execute()
  await upload('pieces', 'integer').execute()
  await upload('claimed_sha256', 'varchar(64)').execute()
  await upload('set_id', 'varchar(64)').execute()
  await upload('task_order', text).execute()
  await upload('task', 'varchar(64)').execute()
  await upload('duplicate_of', 'varchar(64)').execute()
  await sql`update uploads set expires_at = created_at + ${week}`.execute(db)
  await schema.createIndex('uploads_by_set').on('uploads').columns(['set_id', 'state']).execute()
  await schema.createIndex('uploads_by_content').on('uploads').columns(['sha256', 'owner']).execute()
  await schema.createIndex('uploads_to_expire').on('uploads').columns(['state', 'expires_at']).execute()
  await schema.createIndex('parts_by_content').on('parts').columns(['sha256', 'bytes']).execute()

  await (await dialect.createTable(db, 'contents'))

    .addColumn('sha256', 'varchar(64)', (column) => column.notNull())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('blob', 'varchar(255)', (column) => column.notNull())
    .addPrimaryKeyConstraint('contents_key', ['sha256', 'bytes'])
    .addUniqueConstraint('contents_by_blob', ['blob'])
    .execute()
  // A word of MySQL's own.
  const blob = sql.ref('blob')
  await sql`
    insert into contents (sha256, bytes, ${blob})
    select sha256, bytes, max(${blob}) from parts group by sha256, bytes`.execute(db)
  await schema.alterTable('parts').dropColumn('blob').execute()

  await (await dialect.createTable(db, 'upload_sets'))

    .addColumn('id', 'varchar(64)', (column) => column.primaryKey())
    .addColumn('owner', 'varchar(64)', (column) => column.notNull())
    .addColumn('name', 'varchar(255)')
    .addColumn('generation', 'integer', (column) => column.notNull())
    .addColumn('state', 'varchar(16)', (column) => column.notNull())
    .addColumn('task_order', text)
    .addColumn('files', 'integer')
    .addColumn('task', 'varchar(64)')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('closed_at', 'bigint')
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addUniqueConstraint('upload_sets_by_name', ['owner', 'name', 'generation'])
    .execute()

  await (await dialect.createTable(db, 'stored'))

    .addColumn('owner', 'varchar(64)', (column) => column.primaryKey())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .execute()
  await sql`
    insert into stored (owner, bytes)
    select owner, sum(bytes) from uploads where state = 'complete' group by owner`.execute(db)

  await (await dialect.createTable(db, 'receipts'))

    .addColumn('owner', 'varchar(64)', (column) => column.notNull())
    .addColumn('idempotency_key', 'varchar(64)', (column) => column.notNull())
    .addColumn('holder', 'varchar(64)')
    .addColumn('held_until', 'bigint', (column) => column.notNull())
    .addColumn('request', 'varchar(64)')
    .addColumn('upload', 'varchar(64)')
    .addColumn('set_id', 'varchar(64)')
    .addColumn('task', 'varchar(64)')
    .addColumn('duplicate', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('receipts_key', ['owner', 'idempotency_key'])
    .execute()
  await schema.createIndex('receipts_to_expire').on('receipts').column('expires_at').execute()

  await (await dialect.createTable(db, 'clock'))

    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('seen', 'bigint', (column) => column.notNull())
    .execute()

  await schema.alterTable('tasks').addColumn('set_name', 'varchar(255)').execute()
  await schema.alterTable('tasks').addColumn('repeat_key', 'varchar(64)').execute()
  await schema
    .alterTable('tasks')
    .addColumn('again', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await schema.alterTable('tasks').addColumn('duplicate_of', 'varchar(64)').execute()
  await schema.alterTable('tasks').addColumn('expires_at', 'bigint').execute()
  await schema
    .alterTable('tasks')
    .addColumn('expired', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await sql`update tasks set expires_at = ended_at + ${week}`.execute(db)
  await schema.createIndex('tasks_by_repeat_key').on('tasks').columns(['repeat_key', 'owner']).execute()
  await schema.createIndex('tasks_to_expire').on('tasks').columns(['expired', 'expires_at']).execute()
}
