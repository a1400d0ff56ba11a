/**
 * A folder that is watched: a file that has arrived is taken, run, and put into `done/` or `failed/`, where its results
 * are. Where a file is says how far it is, so that whoever starts anew goes on: in `taken/ID/`, it is on its way in under that
 * id as its Idempotency-Key; in `taken/ID.UPLOAD/`, it waits for its task's end.
 */
import { createReadStream } from 'node:fs'
import { readdir, rename, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { local } from '../auth/authorize.ts'
import { makeFolder, syncFolder } from '../durable.ts'
import { AppError, asAppError, errnoOf } from '../errors.ts'
import { isId, newId } from '../ids.ts'
import type { Ingest } from '../ingest/ingest.ts'
import { fileAt } from '../ingest/layout.ts'
import type { RunRequest } from '../ingest/orders.ts'
import { mayPass } from '../ingest/take.ts'
import type { Log } from '../log.ts'
import { isEnded } from '../model.ts'
import { createArrivals, printOf } from './arrivals.ts'
import { ownFolders } from './layout.ts'
import { isThere, leaveNote, leaveResults } from './results.ts'

export interface InboxOptions {
  readonly ingest: Ingest
  readonly folder: string
  /** What is done with every file; undefined lets its folder name the pipeline. */
  readonly run: RunRequest | undefined
  /** How long a file must be unchanged. */
  readonly settleMs: number
  readonly pollMs: number
  readonly now: () => number
  readonly log: Log
}

/** A file that was taken. */
interface Taken {
  readonly id: string
  /** What it has become. */
  readonly upload?: string | undefined
  /** Below the inbox, where it lay. */
  readonly path: string
}

export async function startInbox(options: InboxOptions): Promise<AsyncDisposable> {
  const { folder, pollMs, log } = options
  for (const own of Object.values(ownFolders)) await makeFolder(join(folder, own))
  const stop = new AbortController()
  const arrivals = createArrivals(options)

  async function round(): Promise<void> {
    for (const path of await arrivals()) {
      if (stop.signal.aborted) return
      await takeIn(options, path).catch(tell(path))
    }
    for (const taken of await takenIn(folder)) {
      if (stop.signal.aborted) return
      await goOn(options, taken, stop.signal).catch(tell(taken.path))
    }
  }

  /** One file that is in trouble holds up no other. */
  function tell(path: string) {
    return (err: unknown) => log.warn({ err, path }, 'a file of the inbox waits; it will be tried again')
  }

  const rounds = async () => {
    while (!stop.signal.aborted) {
      await round().catch((err: unknown) => {
        if (!stop.signal.aborted) log.warn({ err, folder }, 'the inbox will be looked at again')
      })
      await sleep(pollMs, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }
  const working = rounds()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort(new AppError('unavailable', 'The service is stopping.'))
      await working
    },
  }
}

/** Moves a file out of everybody's sight. Another process may have been faster. */
async function takeIn({ folder, now, log }: InboxOptions, path: string): Promise<void> {
  const to = placeOf(folder, { id: newId(now()), path })
  await makeFolder(dirname(to))
  try {
    await move(join(folder, path), to)
  } catch (error) {
    await removeEmpty(dirname(to), folder)
    if (errnoOf(error) === 'ENOENT') return
    throw error
  }
  log.info({ path }, 'a file of the inbox is taken')
}

/** Brings one file as far as it can get now. */
async function goOn(options: InboxOptions, found: Taken, signal: AbortSignal): Promise<void> {
  const { ingest, folder, log } = options
  let taken = found
  try {
    const upload = taken.upload ?? (await sendIn(options, taken, signal))
    taken = await note(folder, taken, upload)
    const { state, task: id, bytes } = await ingest.uploads.get(local, upload)
    // The rest of its set is still to come.
    if (id === null && state === 'complete') return
    if (id === null) {
      throw new AppError(
        'gone',
        `Its upload is ${state}: its set was never complete, or it was deleted. Put the file in again.`,
      )
    }
    const task = await ingest.tasks.get(local, id)
    if (!isEnded(task.state)) return
    const own = task.state === 'succeeded' ? ownFolders.done : ownFolders.failed
    const end = join(folder, own, dirname(taken.path), task.id)
    await leaveResults(ingest, task, end, signal)
    const { size } = await stat(placeOf(folder, taken))
    if (size !== bytes) {
      throw new AppError(
        'rejected',
        `It was written to after it was taken: it has ${size} bytes, and task ${id} has read ${bytes}. See to what came ` +
          'of these, and put the whole file in again.',
      )
    }
    if (!task.inputs.some((input) => input.upload === upload)) {
      const message = `The same bytes were run before, by task ${id}. Nothing was done with this file.`
      await leaveNote(`duplicate-${taken.id}.json`, { file: taken.path, upload, message }, end, signal)
    }
    await putAway(folder, taken, end)
  } catch (error) {
    if (signal.aborted || errnoOf(error) === 'ENOENT') return
    const { code, message } = asAppError(error)
    if (mayPass(code)) {
      log.warn({ code, reason: message, path: taken.path }, 'a file of the inbox waits; it will be tried again')
      return
    }
    const end = join(folder, ownFolders.failed, dirname(taken.path), taken.id)
    await leaveNote('error.json', { code, message }, end, signal)
    await putAway(folder, taken, end)
  }
}

/** Keeps what a file has become beside it for good: its set may wait for longer than its Idempotency-Key is remembered. */
async function note(folder: string, taken: Taken, upload: string): Promise<Taken> {
  if (taken.upload !== undefined) return taken
  const top = join(folder, ownFolders.taken)
  const noted = { ...taken, upload }
  await rename(join(top, nameOf(taken)), join(top, nameOf(noted)))
  await syncFolder(top)
  return noted
}

function nameOf({ id, upload }: Taken): string {
  return upload === undefined ? id : `${id}.${upload}`
}

/** @returns its upload. */
async function sendIn({ ingest, folder, run }: InboxOptions, taken: Taken, signal: AbortSignal): Promise<string> {
  const place = placeOf(folder, taken)
  const before = await stat(place, { bigint: true })
  async function* source(): AsyncGenerator<Uint8Array> {
    for await (const chunk of createReadStream(place, { highWaterMark: 1 << 20, signal })) yield chunk as Buffer
    if (printOf(before) === printOf(await stat(place, { bigint: true }))) return
    throw new AppError('conflict', `${taken.path} was still being written to. It is taken when that has ended.`)
  }
  const file = { ...fileAt(taken.path, run), size: Number(before.size) }
  const { upload } = await ingest.uploads.receive(local, { ...file, source: source() }, taken.id)
  return upload.id
}

/** In a folder of its own: it may be called as one of the results, or as another file of its task. */
async function putAway(folder: string, taken: Taken, end: string): Promise<void> {
  const place = placeOf(folder, taken)
  const wanted = join(end, 'input', basename(place))
  const to = (await isThere(wanted)) ? join(end, 'input', taken.id, basename(place)) : wanted
  await makeFolder(dirname(to))
  await move(place, to)
  await removeEmpty(dirname(place), folder)
}

/** It has moved for good once this resolves: or it would be taken anew after a power cut. */
async function move(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncFolder(dirname(to))
  await syncFolder(dirname(from))
}

async function takenIn(folder: string): Promise<Taken[]> {
  const top = join(folder, ownFolders.taken)
  const entries = await readdir(top, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const [name = '', ...path] = relative(top, join(entry.parentPath, entry.name)).split(sep)
      const [id = '', upload] = name.split('.')
      return { id, upload, path: path.join('/') }
    })
    .filter(({ id, upload, path }) => isId(id) && (upload === undefined || isId(upload)) && path !== '')
}

function placeOf(folder: string, taken: Taken): string {
  return join(folder, ownFolders.taken, nameOf(taken), ...taken.path.split('/'))
}

/** Removes a folder, and those above it below the inbox's own, as far as they are empty. */
async function removeEmpty(path: string, folder: string): Promise<void> {
  const top = join(folder, ownFolders.taken)
  for (let at = path; at.length > top.length; at = dirname(at)) {
    try {
      await rmdir(at)
    } catch {
      return
    }
  }
}
