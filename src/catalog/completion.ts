/** The moment an upload is whole: closed, counted in its set, and made a task of, in one transaction. */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Transaction } from 'kysely'
import { AppError } from '../errors.ts'
import type { Part, Upload } from '../model.ts'
import type { Completion, Keeping } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import { batches } from './batches.ts'
import { keptFor } from './later.ts'
import { uploadOf } from './nouns.ts'
import { addPart, partsOf } from './parts.ts'
import { take, takenBy } from './quotas.ts'
import { settle } from './receipts.ts'
import { directlySent } from './removal.ts'
import { waitingSet } from './sets.ts'
import { type Database, transact } from './database.ts'
import type { Tables, UploadRow } from './tables.ts'
import { insertTask } from './tasks.ts'
import { holdOpen, lockUploads, needUpload } from './uploads.ts'

/** SHA-256 of no bytes. */
const ofNothing = createHash('sha256').digest('hex')

export function completion(database: Database, keeping: Keeping): Pick<Catalog, 'completeUpload'> {
  return {
    completeUpload: (id, { seen, last, joined = 'as bytes', decide, receipt } = {}) =>
      transact(database, async (trx) => {
        await lockUploads(trx, [id])
        const before = await needUpload(trx, id)
        if (before.state === 'complete' && last === undefined) return { upload: before, unused: [] }
        const open = await holdOpen(trx, id)
        if (seen !== undefined && !isSame(await partsOf(trx, id), seen)) {
          throw new AppError('conflict', `Upload ${id} has got other parts while it was looked at. Complete it again.`)
        }
        const unused = last === undefined ? [] : await addPart(trx, database, open, last, keeping)
        const row = last === undefined ? open : await holdOpen(trx, id)
        const sha256 = await close(trx, database, row, joined, keeping)
        const task = await makeTask(trx, database, id, decide, keeping)
        await settle(trx, database, receipt, { upload: id, task: task ?? null }, keeping)
        await trx
          .updateTable('uploads')
          .set({ duplicate_of: sha256 === null ? null : await twinOf(trx, row, sha256) })
          .where('id', '=', id)
          .execute()
        return { upload: await needUpload(trx, id), unused: [...unused, ...directlySent(row)] }
      }),
  }
}

/** Which blobs the bytes are in makes no difference. */
function isSame(parts: readonly Part[], seen: readonly Part[]): boolean {
  const bytesOf = (all: readonly Part[]) => all.map(({ n, bytes, sha256 }) => ({ n, bytes, sha256 }))
  return isDeepStrictEqual(bytesOf(parts), bytesOf(seen))
}

/** @returns what its bytes hash to, if that is known. */
async function close(
  trx: Transaction<Tables>,
  database: Database,
  upload: UploadRow,
  joined: Upload['joined'],
  keeping: Keeping,
): Promise<string | null> {
  const { now } = database
  const { id, owner, bytes, claimed_sha256: claimed } = upload
  const parts = await partsOf(trx, id)
  refuseMissing(upload, parts)
  const [only] = parts
  const sha256 = parts.length === 0 ? ofNothing : parts.length === 1 ? (only?.sha256 ?? null) : null
  if (sha256 !== null && claimed !== null && sha256 !== claimed) {
    throw new AppError('checksum', `Upload ${id} has the SHA-256 ${sha256}, not ${claimed} as was told. Send it again.`)
  }
  await trx
    .updateTable('uploads')
    .set({ state: 'complete', sha256, joined, completed_at: now, expires_at: keptFor(database, keeping.filesMs) })
    .where('id', '=', id)
    .execute()
  await take(trx, database, owner, takenBy({ ...upload, state: 'complete', bytes }) - takenBy(upload), keeping)
  return sha256
}

function refuseMissing({ id, comes, bytes, size, pieces }: UploadRow, parts: readonly Part[]): void {
  const conflict = (why: string) => new AppError('conflict', `Upload ${id} is not whole: ${why}`)
  if (comes === 'in pieces' && pieces === null && parts.length === 0) throw conflict('no piece has come.')
  if (size !== null && bytes !== size) throw conflict(`${bytes} of ${size} bytes have come. Send the rest.`)
  const most = Math.max(pieces ?? 0, parts.at(-1)?.n ?? 0)
  if (parts.length === most) return
  const there = new Set(parts.map(({ n }) => n))
  const missing = Array.from({ length: most }, (_, i) => i + 1).filter((n) => !there.has(n))
  const shown = missing.slice(0, 10).join(', ')
  const more = missing.length > 10 ? ` and ${missing.length - 10} more` : ''
  throw new AppError('conflict', `Upload ${id} is not whole: of ${most} pieces, these are missing: ${shown}${more}.`, {
    details: { missing: missing.slice(0, 1000) },
  })
}

/** @returns the task that the upload belongs to from now on: a new one, or the earlier one that it would repeat. */
async function makeTask(
  trx: Transaction<Tables>,
  database: Database,
  id: string,
  decide: Completion['decide'],
  keeping: Keeping,
): Promise<string | undefined> {
  const { now } = database
  const upload = await needUpload(trx, id)
  const set = upload.set === null ? undefined : await waitingSet(trx, database, upload.set, keeping)
  if (set !== undefined) await trx.updateTable('uploads').set({ set_id: set.id }).where('id', '=', id).execute()
  const decided = decide?.(upload, set && { set, complete: await countComplete(trx, set.id) }) ?? {}
  const { task: wanted, closes } =
    typeof decided === 'function' ? decided(await completeUploads(trx, set?.id ?? '')) : decided
  const task = wanted && (await insertTask(trx, database, wanted, keeping)).id
  if (set !== undefined && closes === true) {
    await trx
      .updateTable('upload_sets')
      .set({ state: 'closed', closed_at: now, task: task ?? null })
      .where('id', '=', set.id)
      .execute()
  }
  for (const some of batches(wanted?.inputs.map((input) => input.upload) ?? [])) {
    await trx
      .updateTable('uploads')
      // Those that have waited for the others of their set are kept from now on as well.
      .set({ task: task ?? null, expires_at: keptFor(database, keeping.filesMs) })
      .where('id', 'in', some)
      .execute()
  }
  return task
}

async function countComplete(trx: Transaction<Tables>, set: string): Promise<number> {
  const { count } = await trx
    .selectFrom('uploads')
    .select((column) => column.fn.countAll<number>().as('count'))
    .where('set_id', '=', set)
    .where('state', '=', 'complete')
    .where('task', 'is', null)
    .executeTakeFirstOrThrow()
  return count
}

async function completeUploads(trx: Transaction<Tables>, set: string): Promise<Upload[]> {
  const rows = trx
    .selectFrom('uploads')
    .selectAll()
    .where('set_id', '=', set)
    .where('state', '=', 'complete')
    .where('task', 'is', null)
  return (await rows.orderBy('id').execute()).map(uploadOf)
}

/** The first upload of the same owner that has the same bytes. */
async function twinOf(
  trx: Transaction<Tables>,
  { id, owner, bytes }: Pick<UploadRow, 'id' | 'owner' | 'bytes'>,
  sha256: string,
): Promise<string | null> {
  const twin = await trx
    .selectFrom('uploads')
    .select('id')
    .where('sha256', '=', sha256)
    .where('owner', '=', owner)
    .where('bytes', '=', bytes)
    .where('state', '=', 'complete')
    .where('id', '<', id)
    .orderBy('id')
    .executeTakeFirst()
  return twin?.id ?? null
}
