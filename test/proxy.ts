/** A TCP proxy before a server, through which a test spoils the connections. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * What becomes of the bytes: `pass`; `hold`, none comes through any more and nothing is closed, like a cable that was
 * pulled; `reset`, connections are reset, those that there are and every new one; `cut`, a connection is closed as soon as
 * the server has sent so many bytes on it: every one, or only the first, and it is `pass` from then on.
 */
export type Mode = 'pass' | 'hold' | 'reset' | { readonly cut: number; readonly once?: boolean }

export interface Proxy extends AsyncDisposable {
  readonly port: number
  /** How many connections there have been. */
  connections(): number
  /** From now on, also for the connections that there are. */
  set(mode: Mode): void
}

export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  let mode: Mode = 'pass'
  let count = 0
  const pairs = new Set<Pair>()
  const server = createServer((client) => {
    count++
    const pair = joined(client, connect(target), {
      get: () => mode,
      hasCut() {
        if (typeof mode === 'object' && mode.once === true) mode = 'pass'
      },
    })
    pairs.add(pair)
    client.on('close', () => pairs.delete(pair))
    pair.follow()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => count,
    set(next) {
      mode = next
      for (const pair of pairs) pair.follow()
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const pair of pairs) pair.reset()
      await once(server, 'close')
    },
  }
}

/** The two ends of a connection. */
interface Pair {
  /** Does what the mode says now. */
  follow(): void
  reset(): void
}

function joined(client: Socket, server: Socket, mode: { get(): Mode; hasCut(): void }): Pair {
  let sent = 0
  const reset = () => {
    for (const socket of [client, server]) {
      // libuv resets no socket that is being shut down, and Node would wait for it at its end, for ever.
      if (socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
  }
  const forward = (from: Socket, to: Socket) => {
    from.on('data', (chunk: Buffer) => {
      const now = mode.get()
      const limit = from === server && typeof now === 'object' ? now.cut - sent : Number.POSITIVE_INFINITY
      if (from === server) sent += chunk.length
      if (chunk.length >= limit) {
        from.pause()
        mode.hasCut()
        // Not reset: what the client has not read yet would be lost with it.
        to.end(chunk.subarray(0, Math.max(0, limit)))
        from.destroy()
      } else if (!to.write(chunk)) {
        from.pause()
        to.once('drain', () => mode.get() !== 'hold' && from.resume())
      }
    })
    from.on('end', () => to.end())
    from.on('error', reset)
    from.on('close', () => to.destroySoon())
  }
  forward(client, server)
  forward(server, client)
  return {
    reset,
    follow() {
      if (mode.get() === 'reset') reset()
      for (const socket of [client, server]) {
        if (mode.get() === 'hold') socket.pause()
        else socket.resume()
      }
    },
  }
}
