/** Sends the files of a push, and finds the task that has come of them. */
import type { Pipeline } from '../../definition.ts'
import { AppError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { assignInputs } from '../../pipeline/match.ts'
import { longBytes } from './begin.ts'
import type { Sender } from './begun.ts'
import type { Client, TaskAnswer, UploadAnswer } from '../client.ts'
import type { Context } from '../context.ts'
import { fieldsOf, type RunOrder, setFields } from './fields.ts'
import { inLine } from '../harmless.ts'
import { type Meter, withMeter } from '../progress.ts'
import { remember } from './remembered.ts'
import { long, type Patience, type Persistence, persist, short } from './retry.ts'
import { sendAll } from './set.ts'
import type { Source } from './source.ts'
import { findSources } from './sources.ts'
import { shownStretches } from './tally.ts'
import { sendWhole } from './whole.ts'

export interface Submission {
  /** Files, or one directory. */
  readonly paths: readonly string[]
  /** What to do with them: run a pipeline, or correct the rejects of a task, which takes one file. */
  readonly order: RunOrder | { readonly corrects: string }
  /** What the set of them is called. */
  readonly set: string | undefined
  /** In how many pieces long files are sent. */
  readonly parts: number | undefined
}

export interface Submitted {
  readonly task: TaskAnswer
  /** Whether it is an earlier one, which this would only repeat. */
  readonly duplicate: boolean
}

/** @throws {AppError} what the service refuses; unavailable, when it is not to be reached. */
export async function submit(client: Client, submission: Submission, context: Context): Promise<Submitted> {
  const { files, folder, leftOut } = await findSources(submission.paths)
  const { order, set = folder } = submission
  if (leftOut.length > 0) context.stderr.write(`Left out, since they are no files: ${inLine(leftOut.join(', '))}\n`)
  return await withMeter(context.stderr, async (meter) => {
    if ('corrects' in order) {
      if (folder !== undefined) throw new AppError('invalid', `${folder} is a directory, and a correction is one file.`)
      // Who has set the wrong address is to learn of it at once.
      await client.get('/v1/version')
      return await submitWhole(client, files, order, meter, context)
    }
    const { inputs } = await client.get<Pipeline>(`/v1/pipelines/${encodeURIComponent(order.pipeline)}`)
    const isShort = (files[0]?.size ?? 0) < longBytes
    if (set === undefined && files.length === 1 && isShort) {
      return await submitWhole(client, files, order, meter, context)
    }
    // Before any is sent: a set waits for its files for days.
    assignInputs({ name: order.pipeline, inputs } as Pipeline, files)
    return await submitLong(client, files, { ...submission, order, set }, meter, context)
  })
}

/** One file and its task go in one request. */
async function submitWhole(
  client: Client,
  [source]: readonly Source[],
  order: Submission['order'],
  meter: Meter,
  { signal }: Context,
): Promise<Submitted> {
  if (source === undefined) throw new AppError('invalid', 'There is no file to send. Name one.')
  const isRun = 'pipeline' in order
  const path = isRun ? '/v1/uploads' : `/v1/tasks/${encodeURIComponent(order.corrects)}/corrections`
  const onBytes = shownStretches(meter, `Uploading ${inLine(source.name)}`, source.size)()
  const sending = { source, fields: isRun ? fieldsOf(order) : [], onBytes }
  return await sendWhole<Submitted>(client, path, sending, persistence(short, meter, signal))
}

/** What takes long, or is of several files, can be gone on with by another push. */
async function submitLong(
  client: Client,
  files: readonly Source[],
  { order, set: named, parts }: Submission & { readonly order: RunOrder },
  meter: Meter,
  { config, signal }: Context,
): Promise<Submitted> {
  const [first] = files
  const isSet = named !== undefined || files.length > 1
  const push = { service: client.url, files: files.map(({ real }) => real), fields: fieldsOf(order), set: named }
  // Tables without a name are called after the set: behind the slash stands what they are called after without one.
  const fresh = isSet ? `push-${newId()}/${first?.name}`.slice(0, 255) : undefined
  const remembered = await remember(config.STATE, push, fresh, (line) => meter.tell(line))
  const { set } = remembered
  const fields = [...push.fields, ...(set === undefined ? [] : setFields(set, files.length))]
  const sender: Sender = { client, fields, parts, remembered, persistence: persistence(long, meter, signal), meter }
  const stretch = shownStretches(meter, labelOf(files, named), totalOf(files))
  try {
    const uploads = await sendAll(files, sender, stretch)
    const submitted = await taskOf(uploads, sender)
    await remembered.clear()
    return submitted
  } catch (error) {
    if (remembered.isUnfinished) meter.tell('What has come is kept for some time: the same command goes on from there.')
    throw error
  }
}

/** @throws {AppError} conflict, when there is none, or it is of other files as well. */
async function taskOf(uploads: readonly UploadAnswer[], { client, persistence: patient, remembered }: Sender) {
  const [first] = uploads
  const last = uploads.at(-1)
  const { task: id } =
    last?.task === null ? await persist(patient, () => client.get<UploadAnswer>(first?.links.self ?? '')) : (last ?? {})
  if (id === null || id === undefined) {
    throw new AppError('conflict', `Set ${remembered.set} still waits for files. GET /v1/sets/${last?.set} says more.`)
  }
  const task = await persist(patient, () => client.get<TaskAnswer>(`/v1/tasks/${id}`))
  const own = new Set(uploads.map((upload) => upload.id))
  const others = task.inputs.filter(({ upload }) => !own.has(upload))
  const duplicate = others.length === task.inputs.length
  if (duplicate || others.length === 0) return { task, duplicate }
  throw new AppError(
    'conflict',
    `Task ${id} is of files of somebody else as well, who has called a set ${remembered.set} too: ` +
      `${others.map(({ name }) => name).join(', ')}. Cancel it, and name another set with --set.`,
  )
}

function persistence(patience: Patience, meter: Meter, signal: AbortSignal): Persistence {
  return { patience, signal, tell: (line) => meter.tell(line) }
}

function labelOf(files: readonly Source[], set: string | undefined): string {
  const [first] = files
  if (files.length === 1) return `Uploading ${inLine(first?.name ?? '')}`
  return set === undefined ? `Uploading ${files.length} files` : `Uploading ${inLine(set)} (${files.length} files)`
}

function totalOf(files: readonly Source[]): number | null {
  return files.reduce<number | null>((sum, { size }) => (sum === null || size === null ? null : sum + size), 0)
}
