/** `node bench/peers/read-csv-parse.ts FILE`: csv-parse on a stream, told the dialect, and as strict as it is by default. */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'
import { Tally } from './tally.ts'

const [file = ''] = process.argv.slice(2)

const tally = new Tally()
const parser = parse({ delimiter: ',', record_delimiter: '\n', quote: '"', escape: '"', from: 2 })
parser.on('readable', () => {
  for (let record = parser.read() as string[] | null; record !== null; record = parser.read() as string[] | null) {
    tally.add(record)
  }
})
createReadStream(file, { highWaterMark: 1 << 18 }).pipe(parser)
await once(parser, 'end')
tally.print()
