/** `node bench/peers/read-papaparse.ts FILE`: papaparse on a stream, told the dialect, a chunk of records at a time. */
import { createReadStream } from 'node:fs'
import Papa from 'papaparse'
import { Tally } from './tally.ts'

const [file = ''] = process.argv.slice(2)

const tally = new Tally()
let atHeader = true
// The stream decodes, since papaparse would break characters that stand across two chunks.
const stream = createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 16 })
await new Promise<void>((resolve, reject) => {
  Papa.parse<string[]>(stream, {
    delimiter: ',',
    newline: '\n',
    quoteChar: '"',
    escapeChar: '"',
    header: false,
    chunk: ({ data, errors: [error] }) => {
      if (error !== undefined) reject(new Error(`${error.message}, in row ${error.row} of a chunk`))
      // To papaparse, an empty record follows the last line's end.
      const last = data.at(-1)
      if (last?.length === 1 && last[0] === '') data.pop()
      for (const record of atHeader ? data.slice(1) : data) tally.add(record)
      atHeader &&= data.length === 0
    },
    complete: () => resolve(),
    error: reject,
  })
})
tally.print()
