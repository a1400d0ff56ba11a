/** A file in pieces, several at a time, each of which is there whole or not at all. */
import { answered, type Client, type StoredPart } from '../client.ts'
import { mayPass, type Persistence, persist } from './retry.ts'
import type { OpenSource } from './source.ts'
import { type OnBytes, stretches } from './tally.ts'

/** As much as is sent once more when a piece does not arrive. */
const mostBytes = 64e6
/** How far a cut may be moved. */
const mostMoved = 64 << 10
const byteOrderMarks = ['efbbbf', 'fffe', 'feff']

/** How many pieces a file is cut into: no fewer than are asked for, and none too large. */
export function pieceCount(size: number, least: number): number {
  return Math.max(1, Math.min(size, Math.max(least, Math.ceil(size / mostBytes))))
}

/**
 * Where the pieces begin, and where the last one ends; the same each time for the same file. The service takes pieces
 * that all begin with one header for files of their own. The second piece of a file that was cut up must not look like
 * that, as that of a file with a header in its middle might: it begins with another byte than the file.
 */
export async function cuts(opened: OpenSource, size: number, count: number): Promise<number[]> {
  const even = Array.from({ length: count + 1 }, (_, i) => Math.floor((size / count) * i))
  const [, second = size] = even
  if (count === 1) return even
  const start = await some(opened, 0, 4)
  const mark = byteOrderMarks.find((bytes) => start.toString('hex').startsWith(bytes)) ?? ''
  const beginnings = [start[0], start[mark.length / 2]]
  const from = Math.max(1, second - mostMoved)
  const before = await some(opened, from, second + 1)
  for (let at = before.length - 1; at >= 0; at--) {
    if (!beginnings.includes(before[at])) return even.with(1, from + at)
  }
  return even
}

async function some(opened: OpenSource, from: number, to: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of opened.bytes(from, to)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export interface InPieces {
  /** The upload's path at the service. */
  readonly upload: string
  readonly size: number
  readonly opened: OpenSource
  readonly count: number
  /** So many at a time. */
  readonly atOnce: number
  /** Told of the bytes that are over, of all pieces together. */
  readonly onBytes: OnBytes
}

interface Piece {
  readonly n: number
  readonly from: number
  readonly to: number
}

/** Sends all pieces that the service does not have already. */
export async function sendPieces(client: Client, sending: InPieces, persistence: Persistence): Promise<void> {
  const { upload, opened, count, size, atOnce } = sending
  // What cuts off all of them is told once.
  let isTold = false
  const stretch = stretches((done) => {
    isTold = false
    sending.onBytes(done)
  })
  const tell = (line: string) => {
    if (!isTold) persistence.tell(line)
    isTold = true
  }
  const places = await cuts(opened, size, count)
  const there = await persist(persistence, () => storedOf(client, upload))
  const failed = new AbortController()
  const signal = AbortSignal.any([persistence.signal, failed.signal])
  const waiting = places.slice(1).map((to, i): Piece => ({ n: i + 1, from: places[i] ?? 0, to }))
  waiting.reverse()

  async function work(): Promise<void> {
    try {
      for (let piece = waiting.pop(); piece !== undefined && !failed.signal.aborted; piece = waiting.pop()) {
        await sendPiece(client, piece, { ...sending, onBytes: stretch() }, there.get(piece.n), {
          ...persistence,
          signal,
          tell,
        })
      }
    } catch (error) {
      failed.abort(error)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work))
  failed.signal.throwIfAborted()
}

/** @param stored what the service has under its number hashes to. */
async function sendPiece(
  client: Client,
  { n, from, to }: Piece,
  { upload, opened, onBytes }: Pick<InPieces, 'upload' | 'opened' | 'onBytes'>,
  stored: string | undefined,
  persistence: Persistence,
): Promise<void> {
  const sha256 = await opened.sha256(from, to)
  if (stored === sha256) return onBytes(to - from)
  const digest = `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`
  const headers = { 'content-type': 'application/octet-stream', 'content-digest': digest }
  let furthest = 0

  await persist(
    persistence,
    async ({ number, gotOn }) => {
      // Its answer may have been lost.
      if (number > 1 && (await storedOf(client, upload)).get(n) === sha256) return onBytes(to - from)
      async function* body(): AsyncGenerator<Uint8Array> {
        let done = 0
        for await (const chunk of opened.bytes(from, to)) {
          yield chunk
          done += chunk.byteLength
          onBytes(done)
          if (done > furthest) gotOn()
          furthest = Math.max(furthest, done)
        }
      }
      const { signal } = persistence
      await client.send(`${upload}/parts/${n}`, { method: 'PUT', headers, body: body(), bytes: to - from, signal })
    },
    // Damaged on its way (460), or sent by somebody else meanwhile.
    (error, attempt) => mayPass(error, attempt) || [409, 460].includes(answered(error)?.status ?? 0),
  )
}

/** What each piece that is there hashes to, by its number. */
async function storedOf(client: Client, upload: string): Promise<Map<number, string>> {
  const { parts } = await client.get<{ parts: StoredPart[] }>(`${upload}/parts`)
  return new Map(parts.map(({ n, sha256 }) => [n, sha256]))
}
