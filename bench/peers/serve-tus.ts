/**
 * `node bench/peers/serve-tus.ts FOLDER [durable]`: the reference server of tus, with its own store of files; durable, each
 * chunk is hashed and synced before it is answered, as Rowmill does it.
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

class DurableStore extends FileStore {
  override async write(readable: Readable, id: string, offset: number): Promise<number> {
    const hash = createHash('sha256')
    const hashing = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk)
        done(null, chunk)
      },
    })
    const end = await super.write(readable.pipe(hashing), id, offset)
    await using file = await open(join(this.directory, id), 'r+')
    await file.sync()
    hash.digest()
    return end
  }
}

const [directory = '', durable] = process.argv.slice(2)
const datastore = durable === 'durable' ? new DurableStore({ directory }) : new FileStore({ directory })

const server = new Server({ path: '/files', datastore }).listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})
