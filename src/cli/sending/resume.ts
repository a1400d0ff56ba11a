/** Goes on with what an earlier push has begun, as far as that can be believed. */
import { AppError } from '../../errors.ts'
import { type Begun, create, giveUp, type RegularFile, type Sender } from './begun.ts'
import type { Client, StoredPart, UploadAnswer } from '../client.ts'
import { inLine } from '../harmless.ts'
import { quantity } from '../progress.ts'
import type { Note } from './remembered.ts'
import { isGone, mayPass, persist } from './retry.ts'
import { openSource } from './source.ts'
import { offsetOf } from './tus.ts'

/** @returns undefined when it is to be sent anew, which is told. */
export async function goOn(file: RegularFile, note: Note, sender: Sender): Promise<Begun | undefined> {
  const { remembered, meter } = sender
  const name = inLine(file.name)
  if (note.stamp !== file.stamp) {
    meter.tell(`${name} has changed since it was begun: it is sent anew.`)
    await giveUp(file, sender)
    return undefined
  }
  try {
    const begun = await find(file, note, sender)
    if (begun !== undefined) {
      const { state, bytes } = begun.upload
      const at = `${quantity(bytes, 'bytes')} of ${quantity(file.size, 'bytes')}`
      if (state === 'open' && bytes > 0) meter.tell(`Going on with ${name}: ${at} are there.`)
      return begun
    }
    meter.tell(`What the service has of ${name} is something else than the file: it is sent anew.`)
    await giveUp(file, sender)
  } catch (error) {
    if (!isGone(error)) throw error
    meter.tell(`What was begun of ${name} is gone: it is sent anew.`)
    await remembered.forget(file.real)
  }
  return undefined
}

/** @returns undefined when the service has other bytes than the file. */
async function find(file: RegularFile, note: Note, sender: Sender): Promise<Begun | undefined> {
  const { client, persistence } = sender
  const self = note.upload ?? (await create(file, note, sender)).links.self
  const { pieces } = note
  if (pieces === undefined) await persist(persistence, () => takeOver(client, self))
  const upload = await persist(persistence, () => client.get<UploadAnswer>(self))
  if (upload.state === 'expired' || upload.state === 'deleted') throw gone(upload)
  const begun = { file, upload, pieces, isNew: false }
  // Pieces are compared one by one when they are sent.
  if (pieces !== undefined && upload.state === 'open') return { ...begun, from: 0 }
  const { parts } = await persist(persistence, () => client.get<{ parts: StoredPart[] }>(`${self}/parts`))
  const from = await sameBytes(file, parts, sender)
  if (from === undefined || (upload.state === 'complete' && from !== file.size)) return undefined
  return { ...begun, from }
}

/** Cuts off whoever is at it, and has it closed if nothing is missing. */
async function takeOver(client: Client, upload: string): Promise<void> {
  try {
    await offsetOf(client, upload)
  } catch (error) {
    // What keeps it from being closed is told in words when it is sent on.
    if (isGone(error) || mayPass(error, 1)) throw error
  }
}

/** @returns how many of the file's first bytes the service has; undefined when it has others. */
async function sameBytes(file: RegularFile, parts: readonly StoredPart[], { meter }: Sender) {
  await using opened = await openSource(file)
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0)
  if (total > file.size) return undefined
  let done = 0
  let at = 0
  for (const { bytes, sha256 } of parts) {
    const own = await opened.sha256(at, at + bytes, (count) => {
      done += count
      meter.show(`Checking ${inLine(file.name)}`, { unit: 'bytes', done, total })
    })
    if (own !== sha256) return undefined
    at += bytes
  }
  return total
}

function gone({ id, state }: UploadAnswer): AppError {
  return new AppError('gone', `Upload ${id} is ${state}.`, { cause: { status: 410, retryAfterMs: 0 } })
}
