/** A server of the benchmark's own: a process that serves until SIGTERM. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, plainEnv } from './measure.ts'

export interface Server extends AsyncDisposable {
  readonly pid: number
  readonly url: string
}

/** What a server is started by. */
export interface Serving extends Command {
  /** Its address, where it does not say that on its first line. */
  readonly url?: string
}

/** A server that is up. */
export async function startServer(
  { file, args, env, url: known }: Serving,
  cwd: string,
  signal: AbortSignal,
): Promise<Server> {
  const child = spawn(file, args, { cwd, env: { ...plainEnv(), ...env }, stdio: ['ignore', 'pipe', 'inherit'], signal })
  const ended = once(child, 'exit')
  try {
    const url = known ?? (await addressOf(child.stdout, ended))
    if (known !== undefined) await listening(new URL(known), child)
    return { pid: child.pid ?? -1, url, [Symbol.asyncDispose]: () => stop(child, ended) }
  } catch (error) {
    await stop(child, ended)
    throw error
  }
}

async function addressOf(stdout: Readable, ended: Promise<unknown>): Promise<string> {
  const [line] = (await Promise.race([once(createInterface(stdout), 'line'), ended])) as [unknown]
  const url = /http:\/\/\S+:\d+/.exec(String(line))?.[0]
  if (url === undefined) throw new Error('The server has not started.')
  return url
}

async function listening({ hostname, port }: URL, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error('The server has not started.')
    const socket = connect(Number(port), hostname)
    try {
      await once(socket, 'connect')
      return
    } catch {
      await sleep(20)
    } finally {
      socket.destroy()
    }
  }
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGTERM')
  await ended
}

export async function freePort(): Promise<number> {
  await using server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
