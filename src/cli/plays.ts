import { Chunk } from './chunk.ts'
import { pick, sfc32 } from './random.ts'

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
  const next = sfc32(seed)

  const chunk = new Chunk()
  chunk.putText('Song,Date,Number of Plays\n')
  for (let row = 0; row < rows; row++) {
    if (chunk.isFull) {
      onProgress(row)
      yield chunk.take()
    }
    chunk.put(pick(heads, next))
    chunk.put(pick(days, next))
    chunk.put(pick(tails, next))
  }
  yield chunk.take()
}

const first = 'Silver,Golden,Crimson,Velvet,Midnight,Electric,Silent,Broken,Distant,Endless'.split(',')
const second = 'Summer,Winter,River,Ocean,Mountain,Desert,City,Garden,Harbour,Station'.split(',')
const third = 'Dream,Light,Shadow,Echo,Road,Rain,Fire,Letter,Mirror,Promise'.split(',')

/** A name of its own for every number; the first thousand without one in it. */
function songName(n: number): string {
  const words = [first[n % 10], second[Math.floor(n / 10) % 10], third[Math.floor(n / 100) % 10]].join(' ')
  return n < 1000 ? words : `${words} ${Math.floor(n / 1000) + 1}`
}
