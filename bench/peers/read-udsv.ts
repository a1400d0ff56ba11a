/** `node bench/peers/read-udsv.ts FILE`: uDSV on a stream, to arrays of strings, each taken as it is found and not kept. */
import { createReadStream } from 'node:fs'
import { inferSchema, initParser, type Parser } from 'udsv'
import { Tally } from './tally.ts'

const [file = ''] = process.argv.slice(2)

const tally = new Tally()
let parser: Parser | undefined
for await (const chunk of createReadStream(file, {
  encoding: 'utf8',
  highWaterMark: 1 << 18,
}) as AsyncIterable<string>) {
  // Whether there are quotes is left to it: it looks in each chunk, and is faster where there are none.
  parser ??= initParser(inferSchema(chunk, { col: ',', row: '\n' }))
  parser.chunk(chunk, parser.stringArrs, (record: string[]) => tally.add(record))
}
parser?.end()
tally.print()
