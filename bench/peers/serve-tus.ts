/** `node bench/peers/serve-tus.ts FOLDER`: the reference server of tus, with its own store of files. */
import type { AddressInfo } from 'node:net'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const [directory = ''] = process.argv.slice(2)

const server = new Server({ path: '/files', datastore: new FileStore({ directory }) }).listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})
