/** Sends a file once, by a client that is a process of its own, and says what that took of the server. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { BenchFile } from '../files.ts'
import { measure, type Measured, peer, plainEnv } from '../measure.ts'
import { endedChildrenSeconds, peakOf, processorSeconds } from '../watch.ts'
import type { Door } from './doors.ts'
import { fileHolds, type Held } from './held.ts'

export interface Run extends Omit<Measured, 'stdout'> {
  /** Seconds of a processor's time, of the server alone. */
  readonly processor: number
}

export interface Sent extends Run {
  /** What is there now, of each upload; it is asked while the server is up. */
  readonly held: readonly (readonly Held[])[]
}

/**
 * @param folder an empty one.
 * @param isAsked whether to ask what the server holds.
 */
export async function send(
  door: Door,
  { path, bytes }: BenchFile,
  folder: string,
  signal: AbortSignal,
  isAsked: boolean,
): Promise<Sent> {
  await using server = await door.open(folder, signal)
  const { file, args } = peer('send', door.way, new URL(door.path, server.url).href, path, String(bytes))
  const client = spawn(file, args, { env: plainEnv(), stdio: ['pipe', 'pipe', 'pipe'], signal })
  const ended = once(client, 'exit')
  const lastWords = text(client.stderr)
  const lines = createInterface(client.stdout)[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`${door.name}: the client has failed:\n${await lastWords}`)
    return value
  }

  await next()
  await settle()
  const before = processorSeconds(server.pid)
  client.stdin.end('go\n')
  const { seconds, places } = JSON.parse(await next()) as { seconds: number; places: string[] }
  const processor = processorSeconds(server.pid) - before
  const own = peakOf(server.pid)
  await ended
  const held: Held[][] = []
  for (const place of isAsked ? places : []) held.push(await door.holds(folder, new URL(place)))
  return { seconds, processor, peaks: { own, child: 0 }, held }
}

/** The file, from memory to the disk. */
export async function copy({ path }: BenchFile, folder: string, signal: AbortSignal): Promise<Sent> {
  const to = join(folder, 'copy.csv')
  await settle()
  const before = endedChildrenSeconds()
  const measured = await measure(
    { file: 'dd', args: [`if=${path}`, `of=${to}`, 'bs=1M', 'conv=fsync'] },
    folder,
    signal,
  )
  return { ...measured, processor: endedChildrenSeconds() - before, held: [await fileHolds(to)] }
}

/** Nobody is to wait for what another one has left for the disk. */
async function settle(): Promise<void> {
  await promisify(execFile)('sync')
}
