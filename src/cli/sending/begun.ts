/** Uploads that were begun for files: how the service comes to know of them, and is told to forget. */
import { answered, type Client, type UploadAnswer } from '../client.ts'
import { type Field, queryOf } from './fields.ts'
import type { Meter } from '../progress.ts'
import type { Note, Remembered } from './remembered.ts'
import { type Persistence, persist } from './retry.ts'
import type { Source } from './source.ts'
import { creationHeaders } from './tus.ts'

/** A file whose size is known, and which can be read more than once. */
export type RegularFile = Source & { readonly size: number }

/** What files are sent with. */
export interface Sender {
  readonly client: Client
  /** What the service is told of each. */
  readonly fields: readonly Field[]
  /** In how many pieces long ones are sent, and how many at a time; undefined for one long request. */
  readonly parts: number | undefined
  readonly remembered: Remembered
  readonly persistence: Persistence
  readonly meter: Meter
}

export interface Begun {
  readonly file: RegularFile
  readonly upload: UploadAnswer
  /** How many pieces it is cut into; undefined for one that is sent in order. */
  readonly pieces: number | undefined
  /** Of one that is sent in order: where to go on. */
  readonly from: number
  readonly isNew: boolean
}

export function isRegular(source: Source): source is RegularFile {
  return source.size !== null
}

/** Begins it at the service, with the key of the note: what was created already is not created again. */
export async function create(
  file: RegularFile,
  note: Note,
  { client, fields, remembered, persistence }: Sender,
): Promise<UploadAnswer> {
  const named: Field[] = [['name', file.name], ...fields]
  const { pieces, key } = note
  const query = pieces === undefined ? '' : `?${queryOf([['parts', String(pieces)], ...named])}`
  const headers = { ...(pieces === undefined && creationHeaders(file.size, named)), 'idempotency-key': key }
  const ask = () => client.ask<{ upload: UploadAnswer }>(`/v1/uploads${query}`, { method: 'POST', headers })
  const { upload } = await persist(persistence, ask)
  await remembered.note({ ...note, upload: upload.links.self })
  return upload
}

/** What was begun for a file is forgotten, and removed where no task has come of it. */
export async function giveUp({ real }: RegularFile, { client, remembered, persistence }: Sender): Promise<void> {
  const upload = remembered.of(real)?.upload
  await remembered.forget(real)
  if (upload === undefined) return
  try {
    await persist(persistence, async () => {
      const { state, task } = await client.get<UploadAnswer>(upload)
      if (state === 'open' || (state === 'complete' && task === null))
        await client.request(upload, { method: 'DELETE' })
    })
  } catch (error) {
    // It is gone, or needed: as it may be.
    if (answered(error) === undefined) throw error
  }
}
