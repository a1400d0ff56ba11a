import type { Readable, Writable } from 'node:stream'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'

/** What a command tells the shell. `docs/cli.md` has a sentence for each. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  rejects: 3,
  unavailable: 4,
  interrupted: 130,
  brokenPipe: 141,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What a command works with. Results go to stdout, everything else to stderr. */
export interface Context {
  readonly config: Config
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly log: Log
}

/** Makes the context that a command works with, and keeps its exit code. */
export type Run = (command: (context: Context) => Promise<ExitCode>) => Promise<void>
