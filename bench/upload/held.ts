/** What a server holds of the file that was sent, and whether that is the file. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Slice } from './client.ts'

/** A stretch, as one file or one part of several in order. */
export interface Held {
  readonly bytes: number
  readonly sha256: string
}

export async function fileHolds(path: string): Promise<Held[]> {
  const { size: bytes } = await stat(path)
  return [{ bytes, sha256: await digest({ path, start: 0, bytes }) }]
}

/** By the parts of an upload that is complete. */
export async function serviceHolds(at: URL): Promise<Held[]> {
  const { state } = await answerOf<{ state: string }>(at)
  if (state !== 'complete') throw new Error(`The upload is ${state}.`)
  const { parts } = await answerOf<{ parts: Held[] }>(new URL(`${at.pathname}/parts`, at))
  return parts
}

/** @throws {Error} when it is not that, byte by byte. */
export async function refuseOther(by: string, held: readonly Held[], { path, start, bytes }: Slice): Promise<void> {
  let at = start
  for (const part of held) {
    const expected = await digest({ path, start: at, bytes: part.bytes })
    if (part.sha256 !== expected) throw new Error(`${by} holds other bytes than were sent, from byte ${at} on.`)
    at += part.bytes
  }
  if (at !== start + bytes) throw new Error(`${by} holds ${at - start} bytes, not ${bytes}.`)
}

async function digest({ path, start, bytes }: Slice): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { start, end: start + bytes - 1, highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer)
  }
  return hash.digest('hex')
}

async function answerOf<T>(url: URL): Promise<T> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url.href}: ${answer.status}`)
  return (await answer.json()) as T
}
