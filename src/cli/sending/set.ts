/** The files of one task. Several are a set, which the service closes when the last of them is complete. */
import { AppError } from '../../errors.ts'
import { begin } from './begin.ts'
import { type Begun, giveUp, isRegular, type Sender } from './begun.ts'
import type { UploadAnswer } from '../client.ts'
import { inLine } from '../harmless.ts'
import { persist } from './retry.ts'
import { send } from './send.ts'
import type { Source } from './source.ts'
import type { OnBytes } from './tally.ts'
import { sendWhole } from './whole.ts'

/**
 * Sends all files. Each is begun before any is sent: what can be refused is refused before any bytes travel, and the
 * set has them in this order.
 * @param stretch makes what is told of the bytes of a file.
 * @returns the uploads, complete.
 */
export async function sendAll(
  files: readonly Source[],
  sender: Sender,
  stretch: () => OnBytes,
): Promise<UploadAnswer[]> {
  const { remembered, meter } = sender
  let begun = await beginAll(files, sender)
  if (isTornApart(begun)) {
    meter.tell('The set that was begun has closed without some of these files: all are sent anew.')
    for (const { file } of begun) await giveUp(file, sender)
    await remembered.clear()
    begun = await beginAll(files, sender)
  }
  await refuseOthers(begun, sender)
  const there = begun.filter(({ isNew, upload }) => !isNew && upload.state === 'complete').length
  if (there > 0) meter.tell(`${there} of ${counted(files.length)} ${there === 1 ? 'was' : 'were'} sent before.`)
  const byPath = new Map(begun.map((one) => [one.file.real, one]))
  const uploads: UploadAnswer[] = []
  for (const source of files) {
    const own = byPath.get(source.real)
    uploads.push(own === undefined ? await sendPipe(source, sender, stretch()) : await send(own, sender, stretch()))
  }
  return uploads
}

/** What can be read once only is begun and sent in one. */
async function sendPipe(source: Source, { client, fields, persistence }: Sender, onBytes: OnBytes) {
  const sent = { source, fields, onBytes }
  return (await sendWhole<{ upload: UploadAnswer }>(client, '/v1/uploads', sent, persistence)).upload
}

function counted(files: number): string {
  return files === 1 ? '1 file' : `${files} files`
}

async function beginAll(files: readonly Source[], sender: Sender): Promise<Begun[]> {
  const begun: Begun[] = []
  try {
    for (const file of files) if (isRegular(file)) begun.push(await begin(file, sender))
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'conflict') throw error
    throw new AppError('conflict', `${error.message} Name another one with --set.`, { cause: error.cause })
  }
  return begun
}

/** Whether what was begun earlier belongs to a set that has closed, or to several. */
function isTornApart(begun: readonly Begun[]): boolean {
  const sets = new Set(begun.map(({ upload }) => upload.set))
  const tasks = new Set(begun.map(({ upload }) => upload.task))
  return sets.size > 1 || tasks.size > 1
}

/**
 * A set of this name may wait for others' files, or for those of a push that nobody has gone on with: with these among
 * them it would close too early.
 */
async function refuseOthers(begun: readonly Begun[], sender: Sender): Promise<void> {
  const { client, persistence, remembered } = sender
  const set = begun[0]?.upload.set
  if (set === undefined || set === null) return
  const found = await persist(persistence, () => client.get<{ uploads: UploadAnswer[] }>(`/v1/sets/${set}`))
  const own = new Set(begun.map(({ upload }) => upload.id))
  const others = found.uploads.filter(({ id }) => !own.has(id))
  if (others.length === 0) return
  for (const { file, isNew } of begun) if (isNew) await giveUp(file, sender)
  const shown = others.slice(0, 3).map(({ name }) => inLine(name))
  const more = others.length > shown.length ? ` and ${others.length - shown.length} more` : ''
  throw new AppError(
    'conflict',
    `Set ${remembered.set} has other files already, which it waits with: ${shown.join(', ')}${more}. ` +
      'Name another one with --set.',
  )
}
