/** A process that loads into a database in a file, as its parent sees it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { AppError } from '../../errors.ts'
import type { TaskError } from '../../model.ts'
import type { Loads } from './loader.ts'

/** As `WriterOptions.kind` names them. */
export type FileKind = 'duckdb' | 'sqlite'

export interface WriterOptions {
  readonly kind: FileKind
  /** Absolute, and with no link in it. */
  readonly path: string
  readonly settings: WriterSettings
}

export interface WriterSettings {
  /** The sink's name. */
  readonly sink: string
  /** Bytes and threads that the database may use; its own defaults where undefined. */
  readonly memory?: number | undefined
  readonly threads?: number | undefined
  /** How long it waits for a file that is in use. */
  readonly patienceMs: number
}

/** To the process: what is to be done; and for that, the bytes that it takes, until there are no more. */
export type Order =
  | { readonly n: number; readonly name: keyof Loads; readonly args: readonly unknown[] }
  | { readonly n: number; readonly bytes: Uint8Array | 'end' | 'lost' }

/** From the process: what it says to an order. The last one is its value or its error. */
export type Answer = { readonly n: number } & (
  | { readonly kind: 'progress'; readonly rows: number }
  /** There is room for more bytes. */
  | { readonly kind: 'more' }
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: TaskError; readonly trace: string }
)

export interface CallOptions {
  readonly onProgress?: (rows: number) => void
  readonly rows?: Readable | undefined
}

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
  readonly onProgress: (rows: number) => void
  onMore: () => void
}

/** How long a process may take to roll back and close the file, before it is ended. */
const graceMs = 5_000

export class Writer implements AsyncDisposable {
  readonly #sink: string
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  readonly #waiting = new Map<number, Waiting>()
  #orders = 0
  #hasFailed = false
  /** The last it wrote to stderr, for the log. */
  #lastWords = ''

  constructor({ kind, path, settings }: WriterOptions) {
    this.#sink = settings.sink
    const cache = getCompileCacheDir()
    const script = fileURLToPath(new URL('child.ts', import.meta.url))
    // The path is an argument of its own: by it others know the process (notes.ts).
    const args = ['--disable-warning=ExperimentalWarning', script, kind, path, JSON.stringify(settings)]
    this.#process = spawn(process.execPath, args, {
      env: { TZ: 'UTC', ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) },
      // The fourth is the lifeline: see lifeline.ts.
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
      // Out of the terminal's reach: its parent decides what an interrupt means.
      detached: true,
    })
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-4000)
    })
    this.#process.on('message', (answer: Answer) => this.#hear(answer))
    this.#ended = new Promise((resolve) => {
      const end = () => {
        for (const { reject } of this.#waiting.values()) reject(this.#death())
        resolve()
      }
      this.#process.once('exit', end)
      this.#process.on('error', end)
    })
  }

  get isAlive(): boolean {
    return this.#process.connected && this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Whether it lives, and has done all that it was told. */
  get isSound(): boolean {
    return this.isAlive && !this.#hasFailed
  }

  /**
   * Has something done, after what it was told before.
   * @param rows is read while it is done.
   * @throws {AppError} unavailable, when the process dies over it: nothing that is not committed remains.
   */
  async call<K extends keyof Loads>(
    name: K,
    args: Parameters<Loads[K]>,
    { onProgress = () => {}, rows }: CallOptions = {},
  ): Promise<Awaited<ReturnType<Loads[K]>>> {
    const n = ++this.#orders
    try {
      if (!this.isAlive) throw this.#death()
      return await new Promise<Awaited<ReturnType<Loads[K]>>>((resolve, reject) => {
        this.#waiting.set(n, { resolve, reject, onProgress, onMore: () => {} })
        this.#send({ n, name, args })
          .then(() => rows && this.#pass(n, rows))
          .catch(reject)
      })
    } catch (error) {
      this.#hasFailed = true
      throw error
    } finally {
      const waiting = this.#waiting.get(n)
      this.#waiting.delete(n)
      rows?.destroy()
      waiting?.onMore()
    }
  }

  /** A few at a time: it may have to wait for its file, and is not to hold all of them meanwhile. */
  async #pass(n: number, rows: Readable): Promise<void> {
    try {
      for await (const bytes of rows as AsyncIterable<Uint8Array>) {
        const { promise: isTaken, resolve } = Promise.withResolvers<void>()
        const waiting = this.#waiting.get(n)
        if (waiting === undefined) return
        waiting.onMore = resolve
        await this.#send({ n, bytes })
        await isTaken
      }
    } catch (error) {
      await this.#send({ n, bytes: 'lost' })
      throw error
    }
    await this.#send({ n, bytes: 'end' })
  }

  /** Resolves when the process may be sent more. */
  #send(order: Order): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#process.send(order, (error) => (error ? reject(this.#death()) : resolve()))
    })
  }

  #hear(answer: Answer): void {
    const waiting = this.#waiting.get(answer.n)
    if (answer.kind === 'progress') return waiting?.onProgress(answer.rows)
    if (answer.kind === 'more') return waiting?.onMore()
    if (answer.kind === 'done') return waiting?.resolve(answer.value as never)
    const { code, message, details } = answer.error
    waiting?.reject(new AppError(code, message, { cause: new Error(answer.trace), ...(details && { details }) }))
  }

  #death(): AppError {
    const { exitCode, signalCode } = this.#process
    const how = signalCode ?? (exitCode === null ? 'it is ending' : `exit code ${exitCode}`)
    return new AppError(
      'unavailable',
      `The process that loads into the database ${this.#sink} was ended (${how}); what it had not committed is not there. Try again.`,
      { cause: new Error(this.#lastWords || 'it left no last words') },
    )
  }

  /** Has this process stay for as long as that one runs. */
  ref(): void {
    for (const handle of this.#handles()) handle?.ref()
  }

  unref(): void {
    for (const handle of this.#handles()) handle?.unref()
  }

  #handles() {
    const { channel, stdio } = this.#process
    // What their types do not say: a process is reached by sockets.
    return [this.#process, channel, ...(stdio as readonly (Socket | null)[])]
  }

  /** Lets it roll back and close the file. Whether it could: it is ended when that takes too long, or it is stopped. */
  async close(patienceMs: number = graceMs): Promise<boolean> {
    using _ = this.#grace(patienceMs)
    return await this.call('close', []).then(
      () => true,
      () => false,
    )
  }

  /** As `close`, and the process ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    using _ = this.#grace(graceMs)
    await this.#ended
  }

  #grace(ms: number): Disposable {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), ms)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  }
}
