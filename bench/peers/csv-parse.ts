/**
 * `node bench/peers/csv-parse.ts FILE OUTPUT`: the script that one would write with Node and a CSV library. It checks
 * that records have three cells, since csv-parse does, and nothing else.
 */
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parse } from 'csv-parse'

const [file = '', output = ''] = process.argv.slice(2)

const totals = new Map<string, number>()
const parser = parse({ from_line: 2 })
parser.on('readable', () => {
  for (let record = parser.read() as string[] | null; record !== null; record = parser.read() as string[] | null) {
    const [song, date, plays] = record
    // NUL sorts before every other character, so that the keys sort by song, then by date.
    const key = `${song}\0${date}`
    totals.set(key, (totals.get(key) ?? 0) + Number(plays))
  }
})
createReadStream(file, { highWaterMark: 1 << 20 }).pipe(parser)
await once(parser, 'end')

function* lines(): Generator<string> {
  yield 'Song,Date,Total Number of Plays for Date\n'
  for (const key of Array.from(totals.keys()).toSorted()) {
    const [song = '', date = ''] = key.split('\0')
    yield `${quoted(song)},${date},${totals.get(key)}\n`
  }
}

function quoted(cell: string): string {
  return /[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

await pipeline(Readable.from(lines()), createWriteStream(output))
