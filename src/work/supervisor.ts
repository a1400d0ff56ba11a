/** The engine in a child process: it may crash, hang or eat memory, and the service stays up. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { getCompileCacheDir } from 'node:module'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Engine, RunOptions } from '../ports.ts'
import type { Job, Report } from '../job.ts'
import type { Message, Order } from './child.ts'
import { passedRows } from './passing.ts'
import { startDeadline } from './deadline.ts'

export interface SupervisorOptions {
  /** Resident bytes at which a child is ended. */
  readonly memory: number
  readonly timeoutMs: number
  readonly log: Log
}

/** How often a child's memory is looked at. */
const memoryCheckMs = 250

export class Supervisor implements Engine {
  readonly #options: SupervisorOptions
  readonly #children = new Set<Child>()
  /** Started before it is needed: starting takes as long as a small task. */
  #warm: Child | undefined

  /** @param first a child that has been started already. */
  constructor(options: SupervisorOptions, first: Child = startChild()) {
    this.#options = options
    this.#warm = this.#keep(first)
  }

  async run(folder: string, options: RunOptions): Promise<Report> {
    options.signal.throwIfAborted()
    const child = this.#warm?.alive === true ? this.#warm : this.#keep(startChild())
    this.#warm = undefined
    try {
      const report = await child.run(folder, options, this.#options)
      // Memory that a child has once used is not always given back: a big one is not kept.
      const isBig = (await residentBytes(child.pid)) >= this.#options.memory / 2
      if (this.#warm === undefined && !isBig) this.#warm = child
      return report
    } finally {
      // Nor is one that has failed.
      if (this.#warm !== child) await child.end()
    }
  }

  rows(path: string, signal: AbortSignal): Readable {
    return passedRows(path, signal)
  }

  #keep(child: Child): Child {
    this.#children.add(child)
    void child.ended.then(() => this.#children.delete(child))
    return child
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#children, (child) => child.end()))
  }
}

/** Before settings are known, even: whoever only wants one run does not wait for it then. */
export function startChild(): Child {
  return new Child()
}

class Child {
  readonly ended: Promise<void>
  readonly #process: ChildProcess
  /** The last it wrote to stderr, for the log. */
  #lastWords = ''

  constructor() {
    const cache = getCompileCacheDir()
    const script = fileURLToPath(new URL('child.ts', import.meta.url))
    // JavaScript in it only passes records through: a small heap, so that the memory is the engine's.
    this.#process = spawn(process.execPath, ['--max-old-space-size=192', script], {
      // It knows no secret: not even the environment.
      env: { TZ: 'UTC', ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) },
      // The fourth is the lifeline: see lifeline.ts.
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'ipc'],
      // Out of the terminal's reach: Ctrl-C is for the parent, which lets a running task finish.
      detached: true,
    })
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-4000)
    })
    this.ended = new Promise((resolve) => {
      this.#process.once('exit', () => resolve())
      this.#process.once('error', () => resolve())
    })
  }

  get pid(): number {
    return this.#process.pid ?? -1
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null && this.#process.connected
  }

  /**
   * @throws {AppError} crashed, when the child dies or has to be ended; timeout; what the run itself came to; or the
   * reason that the signal was aborted with.
   */
  async run(
    folder: string,
    { signal, onProgress }: RunOptions,
    { memory, timeoutMs, log }: SupervisorOptions,
  ): Promise<Report> {
    const stop = new AbortController()
    using deadline = startDeadline(timeoutMs)
    const watch = setInterval(() => {
      void residentBytes(this.pid).then((bytes) => bytes > memory && stop.abort(tooBig(memory)))
    }, memoryCheckMs)
    const either = AbortSignal.any([signal, stop.signal, deadline.signal])
    const kill = () => this.#process.kill('SIGKILL')
    either.addEventListener('abort', kill)
    try {
      return await new Promise<Report>((resolve, reject) => {
        this.#process.removeAllListeners('message')
        this.#process.on('message', (message: Message) => {
          if (message.kind === 'progress') return onProgress(message.progress)
          if (message.kind === 'report') return resolve(message.report)
          const { code, message: text, details } = message.error
          reject(new AppError(code, text, { cause: new Error(message.trace), ...(details && { details }) }))
        })
        void this.ended.then(() => reject(either.aborted ? (either.reason as Error) : this.#death()))
        const order: Order = { folder }
        this.#process.send(order, (error) => error && log.debug({ err: error }, 'the child is gone already'))
      })
    } finally {
      clearInterval(watch)
      either.removeEventListener('abort', kill)
    }
  }

  #death(): AppError {
    const { exitCode, signalCode } = this.#process
    const how = signalCode === null ? `exit code ${exitCode}` : `signal ${signalCode}`
    return new AppError('crashed', `The process that ran the pipeline died (${how}).`, {
      cause: new Error(this.#lastWords || 'it left no last words'),
    })
  }

  async end(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.ended
  }
}

function tooBig(bytes: number): AppError {
  const most = `${Math.round(bytes / 1e6)} MB`
  return new AppError(
    'crashed',
    `The process that ran the pipeline was ended: it used more than ${most} (ROWMILL_TASK_MEMORY).`,
  )
}

/** 0 where the system does not tell (it does on Linux). */
async function residentBytes(pid: number): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** What a job may plan with: half of its memory, since about as much again goes by DuckDB's own count. */
export function limitsOf({
  TASK_MEMORY,
  THREADS,
  MAX_UNPACKED,
}: Pick<Config, 'TASK_MEMORY' | 'THREADS' | 'MAX_UNPACKED'>): Pick<Job, 'memory' | 'threads' | 'unpacked'> {
  return { memory: TASK_MEMORY / 2, threads: THREADS, unpacked: MAX_UNPACKED }
}

/** The engine as the settings want it. */
export function openSupervisor(
  { TASK_MEMORY: memory, TASK_TIMEOUT: timeoutMs }: Pick<Config, 'TASK_MEMORY' | 'TASK_TIMEOUT'>,
  log: Log,
  first?: Child,
): Supervisor {
  return new Supervisor({ memory, timeoutMs, log }, first)
}
