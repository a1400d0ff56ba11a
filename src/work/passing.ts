import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { getCompileCacheDir } from 'node:module'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { AppError } from '../errors.ts'

/**
 * The bytes that `rows.ts` writes, in a process of its own, which ends when they are not wanted any more.
 * @throws {AppError} crashed, in place of the end, when it has not written them all.
 */
export function passedRows(path: string, signal: AbortSignal): Readable {
  // Chunk by chunk; joined, they would be copied.
  return Readable.from(read(path, signal))
}

async function* read(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  const cache = getCompileCacheDir()
  const script = fileURLToPath(new URL('rows.ts', import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, path], {
    env: { TZ: 'UTC', ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let lastWords = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (lastWords = (lastWords + text).slice(-4000)))
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', kill)
  const closed = once(child, 'close')
  // That it does not even start is told when its end is waited for; until then nobody is.
  closed.catch(() => undefined)
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk
    await closed
    signal.throwIfAborted()
    if (child.exitCode === 0) return
    throw new AppError('crashed', 'The process that wrote the rows died.', { cause: new Error(lastWords) })
  } finally {
    signal.removeEventListener('abort', kill)
    kill()
  }
}
