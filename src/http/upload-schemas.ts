/** Uploads and sets as they go over the wire; see `schemas.ts`. */
import { z } from 'zod'
import { setStates, type Upload, type UploadSet, uploadStates } from '../model.ts'
import { count, iso, isoOrNull, sha256, time } from './schemas.ts'

export const uploadSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    state: z.enum(uploadStates),
    bytes: count.describe('So many are stored for good.'),
    size: count.nullable().describe('What they will be in the end; null where nobody has said.'),
    sha256: sha256.nullable().describe('Null until it is known: of one that came in stretches, when it is first read.'),
    comes: z.enum(['at once', 'in order', 'in pieces']),
    joined: z.enum(['as bytes', 'as rows']).describe('Of pieces: those that begin with one header are united as rows.'),
    set: z.string().nullable(),
    task: z.string().nullable().describe('What has come of it.'),
    duplicateOf: z.string().nullable().describe('An earlier upload of yours with the same bytes.'),
    createdAt: time,
    completedAt: time.nullable(),
    expiresAt: time.describe('From then on its bytes may be gone.'),
    links: z.object({ self: z.string(), task: z.string().optional(), set: z.string().optional() }),
  })
  .meta({ id: 'Upload' })

export function showUpload(upload: Upload) {
  const { id, name, state, bytes, size, sha256: digest, comes, joined, set, task, duplicateOf } = upload
  return {
    id,
    name,
    state,
    bytes,
    size,
    sha256: digest,
    comes,
    joined,
    set,
    task,
    duplicateOf,
    createdAt: iso(upload.createdAt),
    completedAt: isoOrNull(upload.completedAt),
    expiresAt: iso(upload.expiresAt),
    links: {
      self: `/v1/uploads/${id}`,
      ...(task !== null && { task: `/v1/tasks/${task}` }),
      ...(set !== null && { set: `/v1/sets/${set}` }),
    },
  } satisfies z.input<typeof uploadSchema>
}

export const setSchema = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    generation: count.describe('From 1 on, among the sets of this name: one that has closed is followed by the next.'),
    state: z.enum(setStates),
    pipeline: z.string().nullable(),
    files: count.nullable().describe('How many there will be; null where nobody has said.'),
    task: z.string().nullable().describe('What it has closed with.'),
    createdAt: time,
    closedAt: time.nullable(),
    expiresAt: time.describe('From then on it waits no longer.'),
    links: z.object({ self: z.string() }),
  })
  .meta({ id: 'Set' })

export function showSet({
  id,
  name,
  generation,
  state,
  order,
  files,
  task,
  createdAt,
  closedAt,
  expiresAt,
}: UploadSet) {
  return {
    id,
    name,
    generation,
    state,
    pipeline: order?.pipeline ?? null,
    files,
    task,
    createdAt: iso(createdAt),
    closedAt: isoOrNull(closedAt),
    expiresAt: iso(expiresAt),
    links: { self: `/v1/sets/${id}` },
  } satisfies z.input<typeof setSchema>
}
