/** Starts a server by its keeper: a process of its own, which stops the server when it is told to. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { AppError } from '../../src/errors.ts'
import type { ServerOptions } from './recipe.ts'
import type { Kind } from './recipes.ts'

export interface LaunchOptions extends ServerOptions {
  /** It lives no longer than the process that starts it, however that ends, and leaves nothing. */
  readonly temporary: boolean
}

/** What a keeper says, once. */
export type Message = { readonly url: string } | { readonly error: string }

export interface Server {
  readonly url: string
  /** Of its keeper, whose children are its processes and no others. */
  readonly pid: number
  /** Ends it in good order. */
  stop(): Promise<void>
  /** Waits until neither it nor its keeper runs any longer. */
  end(): Promise<void>
}

/**
 * The server of a folder, once it is up; an empty folder, or none, becomes that of a new server.
 * @param folder an absolute path.
 * @throws {AppError} unavailable, when it does not start.
 */
export async function launch(kind: Kind, folder: string, { durable, temporary }: LaunchOptions): Promise<Server> {
  const flags = [...(durable ? ['--durable'] : []), ...(temporary ? ['--temporary'] : [])]
  const child = fork(fileURLToPath(new URL('keep.ts', import.meta.url)), [kind, folder, ...flags], {
    // Ctrl-C is for who started it.
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
    env: { PATH: process.env['PATH'] },
  })
  const exited = once(child, 'exit')
  const silence: Message = { error: `The keeper of ${folder} ended without a word.` }
  // Its exit may be told before what it has said last; the end of the channel is not.
  const silent = once(child, 'disconnect').then(() => [silence])
  const [answer] = (await Promise.race([once(child, 'message'), silent])) as [Message]
  if ('error' in answer) throw new AppError('unavailable', answer.error)
  if (!temporary) child.disconnect()
  child.unref()
  child.channel?.unref()
  const end = async (): Promise<void> => {
    child.ref()
    await exited
  }
  return {
    url: answer.url,
    pid: child.pid ?? -1,
    end,
    async stop() {
      child.kill('SIGTERM')
      await end()
    },
  }
}
