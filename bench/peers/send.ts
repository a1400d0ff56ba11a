/**
 * `node bench/peers/send.ts WAY URL FILE BYTES`: the client. It sends a little and deletes it, so that neither it nor the
 * server is new to the work, and says `ready`. At a line from its standard input it sends the file, and prints how long
 * that took and where it is.
 */
import { once } from 'node:events'
import { cut, pieces, put, remove, type Slice, tus, type Way } from '../upload/client.ts'

const warmBytes = 32e6
const chunk = 8e6
/** More than any file has. */
const whole = Number.MAX_SAFE_INTEGER

const ways: Readonly<Record<string, readonly Way[]>> = {
  put: [put],
  'tus-chunks': [tus(chunk)],
  'tus-whole': [tus(whole)],
  pieces: [pieces(64e6, 4)],
  // Uploads of a twentieth each, all of them at once.
  twenty: Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? put : tus(chunk))),
}

const [name = '', address = '', path = '', size = ''] = process.argv.slice(2)
const chosen = ways[name]
if (chosen === undefined) throw new TypeError(`There is no way ${name}.`)
const bytes = Number(size)

const warmed = await sendAll(chosen, { path, start: 0, bytes: Math.min(warmBytes, bytes) })
for (const at of warmed) await remove(at)
process.stdout.write('ready\n')
await once(process.stdin, 'data')
const started = performance.now()
const places = await sendAll(chosen, { path, start: 0, bytes })
const seconds = (performance.now() - started) / 1000
process.stdout.write(`${JSON.stringify({ seconds, places })}\n`)
process.exit()

async function sendAll(by: readonly Way[], file: Slice): Promise<URL[]> {
  const slices = cut(file, Math.ceil(file.bytes / by.length))
  return await Promise.all(slices.map((slice, i) => (by[i] ?? put)(slice, new URL(address))))
}
