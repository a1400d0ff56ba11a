/** Where the sending of a file begins: anew, or where an earlier push has stopped. */
import { randomUUID } from 'node:crypto'
import { AppError } from '../../errors.ts'
import { type Begun, create, type RegularFile, type Sender } from './begun.ts'
import { answered } from '../client.ts'
import { metadataOf } from './fields.ts'
import { pieceCount } from './pieces.ts'
import { goOn } from './resume.ts'
import { persist } from './retry.ts'

/** From this size on a file goes in a way that can go on after it broke. */
export const longBytes = 16e6

/** Begins the upload of a file, or finds the one that was begun for it. */
export async function begin(file: RegularFile, sender: Sender): Promise<Begun> {
  const note = sender.remembered.of(file.real)
  const found = note && (await goOn(file, note, sender))
  return found ?? (await beginAnew(file, sender))
}

async function beginAnew(file: RegularFile, sender: Sender): Promise<Begun> {
  const { fields, parts, remembered } = sender
  const isLong = file.size >= longBytes
  // What tus cannot tell of a file goes in the query, and its bytes in pieces.
  const least = metadataOf(fields) === undefined ? (parts ?? 1) : isLong ? parts : undefined
  const pieces = least === undefined ? undefined : pieceCount(file.size, least)
  if (pieces !== undefined) await refuseTooLarge(file, sender)
  const note = { path: file.real, stamp: file.stamp, key: randomUUID(), pieces }
  await remembered.note(note)
  try {
    return { file, upload: await create(file, note, sender), pieces, from: 0, isNew: true }
  } catch (error) {
    // What was refused is not there.
    if (answered(error) !== undefined) await remembered.forget(file.real)
    throw error
  }
}

/** Pieces do not tell the size of the whole. */
async function refuseTooLarge({ path, size }: RegularFile, { client, persistence }: Sender): Promise<void> {
  const { maxUploadBytes } = await persist(persistence, () => client.get<{ maxUploadBytes: number }>('/v1/limits'))
  if (size <= maxUploadBytes) return
  throw new AppError(
    'too_large',
    `${path} is larger than the ${maxUploadBytes} bytes that the service takes. Split it.`,
  )
}
