/** Sends files that were begun, each until the service has it for good. */
import { AppError, type ErrorCode } from '../../errors.ts'
import { begin } from './begin.ts'
import { type Begun, giveUp, type Sender } from './begun.ts'
import type { UploadAnswer } from '../client.ts'
import { inLine } from '../harmless.ts'
import { sendPieces } from './pieces.ts'
import { isGone, persist } from './retry.ts'
import { openSource } from './source.ts'
import type { OnBytes } from './tally.ts'
import { sendInOrder } from './tus.ts'

/** After these nothing more can come of what was begun. */
const hopeless: readonly ErrorCode[] = ['invalid', 'rejected', 'unprocessable']
/** A service that loses what it has begun again and again is not to be helped. */
const mostTimes = 3

/** @returns the upload, complete. */
export async function send(begun: Begun, sender: Sender, onBytes: OnBytes): Promise<UploadAnswer> {
  const { file } = begun
  let current = begun
  for (let times = 1; ; times++) {
    try {
      return await sendOnce(current, sender, onBytes)
    } catch (error) {
      if (error instanceof AppError && hopeless.includes(error.code)) await giveUp(file, sender)
      if (!isGone(error) || times === mostTimes) throw error
      sender.meter.tell(`What was begun of ${inLine(file.name)} is gone: it is sent anew.`)
      await sender.remembered.forget(file.real)
      current = await begin(file, sender)
    }
  }
}

async function sendOnce({ file, upload, pieces, from }: Begun, sender: Sender, onBytes: OnBytes) {
  const { client, parts = 1, persistence } = sender
  if (upload.state === 'complete') {
    onBytes(file.size)
    return upload
  }
  const self = upload.links.self
  await using opened = await openSource(file)
  const common = { upload: self, size: file.size, opened, onBytes }
  if (pieces === undefined) await sendInOrder(client, { ...common, from }, persistence)
  else await sendPieces(client, { ...common, count: pieces, atOnce: parts }, persistence)
  const sent = await persist(persistence, () => client.get<UploadAnswer>(self))
  if (sent.state === 'complete') return sent
  // All is there; it says in words what keeps it from being closed.
  return (await persist(persistence, () => client.post<{ upload: UploadAnswer }>(`${self}/complete`))).upload
}
