/** Where a file can be sent to, and how: Rowmill by each of its ways, and everybody else. */
import { basename, join } from 'node:path'
import { peer, rowmill } from '../measure.ts'
import { type Server, startServer } from '../server.ts'
import { fileHolds, type Held, serviceHolds } from './held.ts'
import { type Nginx, startNginx } from './nginx.ts'

export const names = {
  put: 'Rowmill, PUT',
  tusChunks: 'Rowmill, tus by 8 MB',
  tusWhole: 'Rowmill, tus in one PATCH',
  pieces: 'Rowmill, pieces of 64 MB, 4 at once',
  tusServerChunks: '@tus/server, by 8 MB',
  tusServerWhole: '@tus/server, in one PATCH',
  durableTusServer: '@tus/server, by 8 MB, SHA-256 and fsync',
  pipe: 'bare pipe',
  syncedPipe: 'bare pipe, and fsync',
  durablePipe: 'bare pipe, SHA-256 and fsync',
  nginx: 'nginx, PUT',
  dd: '`dd conv=fsync`',
} as const

/** A server, new for each run, and how the client sends to it. */
export interface Door {
  readonly name: string
  /** As `peers/send.ts` knows it. */
  readonly way: string
  /** Where it is sent to. */
  readonly path: string
  readonly open: (folder: string, signal: AbortSignal) => Promise<Server>
  /** What it has of what was sent. */
  readonly holds: (folder: string, at: URL) => Promise<Held[]>
}

/** Those of the service, and who is beside it. */
export function allDoors(nginx: Nginx | undefined): Door[] {
  return [
    { ...service, name: names.put, way: 'put', path: '/v1/uploads?name=upload.csv' },
    { ...service, name: names.tusChunks, way: 'tus-chunks', path: '/v1/uploads' },
    { ...service, name: names.tusWhole, way: 'tus-whole', path: '/v1/uploads' },
    { ...service, name: names.pieces, way: 'pieces', path: '/v1/uploads?name=upload.csv' },
    { ...tusServer(), name: names.tusServerChunks, way: 'tus-chunks' },
    { ...tusServer(), name: names.tusServerWhole, way: 'tus-whole' },
    { ...tusServer('durable'), name: names.durableTusServer, way: 'tus-chunks' },
    { ...pipe(), name: names.pipe },
    { ...pipe('fsync'), name: names.syncedPipe },
    { ...pipe('fsync', 'sha256'), name: names.durablePipe },
    ...(nginx === undefined ? [] : [{ ...davOf(nginx), name: names.nginx }]),
  ]
}

const service = {
  open: async (folder: string, signal: AbortSignal) => {
    const { env, ...command } = rowmill('serve')
    const settings = { ROWMILL_PORT: '0', ROWMILL_DATA: join(folder, 'data'), ROWMILL_LOG_LEVEL: 'error' }
    return await startServer({ ...command, env: { ...env, ...settings } }, folder, signal)
  },
  holds: async (_folder: string, at: URL) => await serviceHolds(at),
}

/** Twenty uploads to the service at once. */
export const twenty: Door = { ...service, name: 'Rowmill, 20 uploads at once', way: 'twenty', path: '/v1/uploads' }

const namedFile = {
  holds: async (folder: string, at: URL) => await fileHolds(join(folder, basename(at.pathname))),
}

function tusServer(...options: readonly string[]): Omit<Door, 'name' | 'way'> {
  return {
    ...namedFile,
    path: '/files',
    open: async (folder, signal) => await startServer(peer('serve-tus', folder, ...options), folder, signal),
  }
}

function pipe(...options: readonly string[]): Omit<Door, 'name'> {
  return {
    ...namedFile,
    way: 'put',
    path: '/upload.csv',
    open: async (folder, signal) => await startServer(peer('serve-pipe', folder, ...options), folder, signal),
  }
}

function davOf(nginx: Nginx): Omit<Door, 'name'> {
  return {
    ...namedFile,
    way: 'put',
    path: '/upload.csv',
    open: async (folder, signal) => await startNginx(nginx, folder, signal),
  }
}
