/** Redis that writes down each command before it answers, as durable as the databases are. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { freePort } from '../server.ts'

export interface Redis extends AsyncDisposable {
  readonly port: number
}

/** Undefined where it is not installed. */
export async function redisVersion(): Promise<string | undefined> {
  const { stdout } = await promisify(execFile)('redis-server', ['--version']).catch(() => ({ stdout: '' }))
  return /v=([\d.]+)/.exec(stdout)?.[1]
}

/** @param folder of its own. */
export async function startRedis(folder: string): Promise<Redis> {
  const port = await freePort()
  const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder]
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
  const child = spawn('redis-server', [...place, ...durable], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('Ready to accept connections')) break
  }
  child.stdout.resume()
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
    },
  }
}
