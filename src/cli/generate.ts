import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { createMeter } from './progress.ts'
import { save } from './save.ts'

const chunkBytes = 1 << 20

/** Writes made-up plays, the same ones for the same numbers, about 35 bytes a row. */
export async function generatePlays(
  args: { rows: number; seed: number; songs: number; output: string | undefined },
  { signal, stdout, stderr }: Context,
): Promise<ExitCode> {
  using meter = createMeter(stderr)
  const chunks = Readable.from(
    playsCsv(args.rows, args.seed, args.songs, (done) => {
      meter.show('Generating', { unit: 'rows', done, total: args.rows })
    }),
  )
  if (args.output === undefined) await pipeline(chunks, stdout, { signal, end: false })
  else await save(chunks, args.output, signal)
  return exitCodes.done
}

/** `Song,Date,Number of Plays`, in chunks: songs and days of 2020 in any order, 1 to 1000 plays a row. */
export function* playsCsv(
  rows: number,
  seed: number,
  songs = 1000,
  onProgress: (rows: number) => void = () => {},
): Generator<Buffer> {
  const heads = Array.from({ length: songs }, (_, i) => Buffer.from(`${songName(i)},`))
  const days = Array.from({ length: 365 }, (_, i) => {
    return Buffer.from(`${new Date(Date.UTC(2020, 0, 1 + i)).toISOString().slice(0, 10)},`)
  })
  const tails = Array.from({ length: 1000 }, (_, i) => Buffer.from(`${i + 1}\n`))
  const longest = Math.max(...heads.map((head) => head.length)) + 16
  const next = sfc32(seed)

  let chunk = Buffer.allocUnsafe(chunkBytes)
  let at = chunk.write('Song,Date,Number of Plays\n')
  // Byte by byte: for texts this short a loop is several times as fast as Buffer.copy.
  const put = (text: Buffer | undefined) => {
    if (text === undefined) return
    for (let i = 0; i < text.length; i++) chunk[at++] = text[i] ?? 0
  }
  for (let row = 0; row < rows; row++) {
    if (at > chunkBytes - longest) {
      onProgress(row)
      yield chunk.subarray(0, at)
      chunk = Buffer.allocUnsafe(chunkBytes)
      at = 0
    }
    put(heads[Math.floor(next() * songs)])
    put(days[Math.floor(next() * days.length)])
    put(tails[Math.floor(next() * tails.length)])
  }
  yield chunk.subarray(0, at)
}

const first = 'Silver,Golden,Crimson,Velvet,Midnight,Electric,Silent,Broken,Distant,Endless'.split(',')
const second = 'Summer,Winter,River,Ocean,Mountain,Desert,City,Garden,Harbour,Station'.split(',')
const third = 'Dream,Light,Shadow,Echo,Road,Rain,Fire,Letter,Mirror,Promise'.split(',')

/** A name of its own for every number; the first thousand without one in it. */
function songName(n: number): string {
  const words = [first[n % 10], second[Math.floor(n / 10) % 10], third[Math.floor(n / 100) % 10]].join(' ')
  return n < 1000 ? words : `${words} ${Math.floor(n / 1000) + 1}`
}

/**
 * Numbers in [0, 1) from a seed of up to 53 bits: sfc32, "Small Fast Counter", by Chris Doty-Humphrey (PractRand 0.94),
 * seeded and warmed up as there.
 */
function sfc32(seed: number): () => number {
  let a = 0
  let b = seed | 0
  let c = Math.floor(seed / 2 ** 32) | 0
  let counter = 1
  const next = () => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 12; i++) next()
  return next
}
