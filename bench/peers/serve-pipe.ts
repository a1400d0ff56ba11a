/**
 * `node bench/peers/serve-pipe.ts FOLDER [fsync] [sha256]`: as little as a server can do: what is PUT becomes a file, which
 * is synced, and hashed, where that is asked for.
 */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const [folder = '', ...options] = process.argv.slice(2)

const server = createServer((request, response) => {
  void serve(request).then(() => response.writeHead(201).end())
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})

async function serve(request: IncomingMessage): Promise<void> {
  const path = join(folder, basename(request.url ?? ''))
  if (request.method === 'DELETE') await rm(path)
  else {
    const file = createWriteStream(path, { flush: options.includes('fsync') })
    await (options.includes('sha256') ? pipeline(request, hashed, file) : pipeline(request, file))
  }
}

async function* hashed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of source) {
    hash.update(chunk)
    yield chunk
  }
  hash.digest()
}
