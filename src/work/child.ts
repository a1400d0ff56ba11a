/** The child process: takes one job folder after another from its parent, and dies with it. */
import { flushCompileCache } from 'node:module'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Kernel } from '../csv/kernel/kernel.ts'
import { runJob } from '../engine/run.ts'
import { asAppError } from '../errors.ts'
import { type Progress, taskError, type TaskError } from '../model.ts'
import type { Report } from '../job.ts'

/** From the parent: run what is in this folder. */
export interface Order {
  readonly folder: string
}

/** To the parent. The last message of a run is its report or its error. */
export type Message =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'report'; readonly report: Report }
  | { readonly kind: 'error'; readonly error: TaskError; readonly trace: string }

function say(message: Message): void {
  process.send?.(message)
}

// Before there is a job: it is the same for all of them.
const kernel = Kernel.load()

async function work({ folder }: Order): Promise<void> {
  try {
    const report = await runJob(folder, {
      kernel: await kernel,
      // The parent ends a run by ending this process, which nothing in it can delay.
      signal: new AbortController().signal,
      onProgress: (progress) => say({ kind: 'progress', progress }),
    })
    say({ kind: 'report', report })
  } catch (cause) {
    say({ kind: 'error', error: taskError(asAppError(cause)), trace: inspect(cause) })
  }
}

// Nothing else ends this process: `process.exit` would wait for the statement that DuckDB is running.
new Worker(new URL('../lifeline.ts', import.meta.url)).unref()
process.on('message', (order: Order) => void work(order))
// Compiled modules are kept now: a child that is ended has no chance to.
flushCompileCache()
