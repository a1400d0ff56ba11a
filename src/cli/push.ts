import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError } from '../errors.ts'
import { readRejects } from '../csv/listed.ts'
import { isEnded } from '../model.ts'
import { type Client, createClient, type TaskAnswer } from './client.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { followShown } from './follow.ts'
import { errorText, inLine } from './harmless.ts'
import { quantity } from './progress.ts'
import { tableLine } from './loaded.ts'
import { planText } from './planned.ts'
import { familyLine, fixableFiles, rejectsFile, rejectsTable, shownRejects } from './rejects.ts'
import { makeFolder, save } from './save.ts'
import { submit, type Submission } from './sending/submit.ts'

export interface PushArgs extends Submission {
  readonly wait: boolean
  /** Where outputs go; a single one goes to stdout without it. */
  readonly output: string | undefined
}

/** Has the service run a pipeline over local files, and fetches what comes out. */
export async function push(args: PushArgs, context: Context): Promise<ExitCode> {
  const { config, signal, stdout, stderr } = context
  const client = createClient(config, signal)
  // Before the bytes travel, not after.
  if (args.output !== undefined) await makeFolder(args.output)
  const { task, duplicate } = await submit(client, args, context)
  if (duplicate) stderr.write(doneAlready(task))
  if (!args.wait) {
    stdout.write(`${task.id}\n`)
    return exitCodes.done
  }

  stderr.write(`Task ${task.id}\n`)
  const ended = await followToEnd(client, task, context)
  for (const { message } of ended.warnings) stderr.write(`Warning: ${inLine(message)}\n`)
  if (ended.state === 'succeeded') return await fetchResults(client, ended, args.output, context)
  await tellRejects(client, ended, args.output, context)
  const reason = ended.error === null ? `Task ${ended.id} was cancelled.` : errorText(ended.error)
  stderr.write(`rowmill: ${reason}\n`)
  return exitCodes.failed
}

/** Whether a task would only repeat an earlier one may be known only when its files are read: then that one counts. */
async function followToEnd(client: Client, task: TaskAnswer, context: Context): Promise<TaskAnswer> {
  const ended = await followShown(client, task, context)
  if (ended.state !== 'cancelled' || ended.duplicateOf === null) return ended
  const earlier = await client.get<TaskAnswer>(`/v1/tasks/${ended.duplicateOf}`)
  context.stderr.write(doneAlready(earlier))
  return await followShown(client, earlier, context)
}

function doneAlready({ id, state }: TaskAnswer): string {
  return `Task ${id} ${isEnded(state) ? 'has done' : 'is doing'} this already. Add --again to do it once more.\n`
}

async function fetchResults(
  client: Client,
  task: TaskAnswer,
  folder: string | undefined,
  context: Context,
): Promise<ExitCode> {
  const { signal, stdout, stderr } = context
  if (task.plan !== null) {
    stderr.write(planText(task.plan))
    stdout.write(`${task.plan.hash}\n`)
  }
  const outputs = task.outputs.filter((output) => 'url' in output)
  for (const output of task.outputs) {
    if (!('url' in output)) stderr.write(`${tableLine(output, task.balances?.outputs[output.name])}\n`)
  }
  const [only] = outputs
  if (folder !== undefined) {
    for (const output of outputs) {
      const path = join(folder, `${output.name}.${output.format}`)
      await save(checked(client, output), path, signal)
      stderr.write(`${path}: ${quantity(output.rows, 'rows')}, ${quantity(output.bytes, 'bytes')}\n`)
    }
  } else if (only !== undefined && outputs.length === 1) {
    await pipeline(Readable.from(checked(client, only)), stdout, { signal, end: false })
  } else if (outputs.length > 0) {
    stderr.write('Several outputs; `-o DIR` saves them. They are at:\n')
    for (const { url } of outputs) stdout.write(`${client.url}${url}\n`)
  }
  await tellRejects(client, task, folder, context)
  if (task.corrects !== null) await tellFamily(client, task.id, context)
  return task.rejects === null ? exitCodes.done : exitCodes.rejects
}

async function tellFamily(client: Client, id: string, { stderr }: Context): Promise<void> {
  const { family } = await client.get<TaskAnswer>(`/v1/tasks/${id}`)
  if (family !== undefined) stderr.write(`All together: ${familyLine(family)}\n`)
}

/** The bytes of an output as the task recorded them, or an error at their end. */
async function* checked(
  client: Client,
  { name, url, sha256 }: Extract<TaskAnswer['outputs'][number], { url: string }>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for await (const chunk of await client.download(url)) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest('hex') === sha256) return
  throw new AppError(
    'unavailable',
    `Output ${name} arrived damaged: its SHA-256 is not the task's. Download it again from ${client.url}${url}.`,
  )
}

async function tellRejects(
  client: Client,
  { id, inputs, rejects }: TaskAnswer,
  folder: string | undefined,
  { signal, stderr }: Context,
): Promise<void> {
  if (rejects === null) return
  const { url, count, fixable } = rejects
  const first = await readRejects(Readable.from(await client.download(url)), shownRejects)
  stderr.write(rejectsTable(first, count))
  const path = folder === undefined ? undefined : join(folder, rejectsFile)
  if (path !== undefined) await save(await client.download(url), path, signal)
  stderr.write(`All rejects: ${path ?? `${client.url}${url}`}\n`)
  for (const file of fixableFiles(fixable)) {
    const place = folder === undefined ? `${client.url}${file.url}` : join(folder, file.path)
    if (folder !== undefined) await save(await client.download(file.url), place, signal)
    stderr.write(`To correct: ${place}\n`)
  }
  // Records of one of several inputs cannot be run alone.
  const isAlone = new Set(inputs.map(({ input }) => input)).size === 1
  if (fixable.length > 0 && isAlone) stderr.write(`Then send it back: ./rowmill push FILE --corrects ${id} --wait\n`)
}
