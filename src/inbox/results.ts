/** What is left beside a file of the inbox that is done with. */
import { access, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { local } from '../auth/authorize.ts'
import { makeFolder, syncFolder } from '../durable.ts'
import { AppError } from '../errors.ts'
import type { Ingest } from '../ingest/ingest.ts'
import { isFile, type Task } from '../model.ts'

type Source = AsyncIterable<Uint8Array>

/** Saves a task's outputs, its rejects and, when all of them are there, what has become of it: once for all its files. */
export async function leaveResults(
  { results }: Ingest,
  task: Task,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const account = join(folder, 'task.json')
  if (await isThere(account)) return
  await makeFolder(folder)
  const leave = async (name: string, find: () => Promise<{ open: () => Promise<Source> }>) => {
    try {
      await write(join(folder, name), await (await find()).open(), signal)
    } catch (error) {
      // A task of long ago, which this one would only have repeated.
      if (!(error instanceof AppError) || !['gone', 'not_found'].includes(error.code)) throw error
    }
  }
  for (const { name, format } of task.outputs.filter(isFile)) {
    await leave(`${name}.${format}`, () => results.output(local, task.id, name))
  }
  if (task.rejects !== null) {
    await leave('rejects.csv', () => results.rejects(local, task.id))
    for (const { input } of task.rejects.fixable) {
      await leave(`rejects.fixable.${input}.csv`, () => results.fixable(local, task.id, input))
    }
  }
  const { id, pipeline: name, params, state, inputs, balances, warnings, error } = task
  const files = inputs.map((one) => ({ input: one.input, name: one.name, upload: one.upload }))
  await writeJson(account, { id, pipeline: name, params, state, files, balances, warnings, error }, signal)
}

export async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

/** Says what has become of a file where its task does not. */
export async function leaveNote(name: string, note: object, folder: string, signal: AbortSignal): Promise<void> {
  await makeFolder(folder)
  await writeJson(join(folder, name), note, signal)
}

async function writeJson(path: string, value: object, signal: AbortSignal): Promise<void> {
  async function* text() {
    yield Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`)
  }
  await write(path, text(), signal)
}

/** A file is there whole or not at all. */
async function write(path: string, source: Source, signal: AbortSignal): Promise<void> {
  const draft = `${path}.part`
  await using file = await open(draft, 'w')
  await file.writeFile(source, { signal })
  await file.sync()
  await rename(draft, path)
  await syncFolder(join(path, '..'))
}
