/**
 * The keeper of one server, started by launch.ts as `keep.ts KIND FOLDER [--durable] [--temporary]`. The server's
 * processes are its children. It stops them on SIGTERM and, if that is temporary, at the end of the process that started it: the
 * channel between the two closes then, however that process ended.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs, promisify } from 'node:util'
import { AppError } from '../../src/errors.ts'
import { type Account, accountFor } from './account.ts'
import { claim, createInstance, noteUrl, readInstance, release } from './instance.ts'
import type { LaunchOptions, Message } from './launch.ts'
import { locate } from './programs.ts'
import type { Instance, Recipe, Run, Step } from './recipe.ts'
import { type Kind, recipes } from './recipes.ts'

/** A process that takes longer to stop in good order is killed. */
const patienceMs = 10_000

/** Lines of its log that are told when a server does not start. */
const mostLines = 5

async function keep(recipe: Recipe, folder: string, { durable, temporary }: LaunchOptions): Promise<void> {
  // Both may come while the server is only starting; it is stopped as soon as it is up then.
  const told = Promise.race([once(process, 'SIGTERM'), ...(temporary ? [once(process, 'disconnect')] : [])])
  const account = accountFor(recipe.account, 'nobody')
  // What is not known to be ours is not removed.
  let isKept = true
  await claim(folder)
  try {
    const prepare = (made: Instance) => recipe.prepare(made, runner(recipe, folder, account))
    const instance = (await readInstance(folder)) ?? (await createInstance(folder, account, recipe.ports, prepare))
    isKept = !temporary
    await using server = new AsyncDisposableStack()
    const ends: Promise<unknown>[] = []
    for (const step of recipe.serve(instance, { durable })) {
      const running = await started(recipe, step, instance, account)
      if (running === undefined) continue
      const ended = once(running, 'exit')
      ends.push(ended)
      server.defer(() => stop(running, recipe.shutdown, ended))
    }
    const url = recipe.url(instance)
    await noteUrl(folder, url)
    await say({ url })
    const isTold = await Promise.race([told.then(() => true), ...ends.map((ended) => ended.then(() => false))])
    // One that was killed is perhaps started again.
    isKept ||= !isTold
  } finally {
    await (isKept ? release(folder) : rm(folder, { recursive: true, force: true, maxRetries: 10 }))
  }
}

function runner(recipe: Recipe, folder: string, account: Account | undefined): Run {
  return async (program, args, input = '') => {
    const running = promisify(execFile)(locate(recipe, program), args, { cwd: folder, ...account })
    // One that reads nothing may be gone by now; how it has ended is told below.
    running.child.stdin?.on('error', () => {}).end(input)
    await running.catch(({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new AppError('unavailable', `${recipe.name} cannot be set up in ${folder}:\n${stdout}${stderr}`)
    })
  }
}

/**
 * Starts a process, writes what it says into the server's log, and waits until it is up.
 * @returns the process; undefined when all it had to do is done.
 * @throws {AppError} unavailable, when it ends before it is up.
 */
async function started(
  recipe: Recipe,
  { command: [program, ...args], ready }: Step,
  instance: Instance,
  account: Account | undefined,
): Promise<ChildProcess | undefined> {
  const { folder } = instance
  const env = { ...process.env, ...recipe.env?.(instance) }
  const options = { cwd: folder, env, ...account }
  const running = spawn(locate(recipe, program), args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const log = join(folder, 'log')
  const file = createWriteStream(log, { flags: 'a' })
  const latest: string[] = []
  return await new Promise((resolve, reject) => {
    for (const input of [running.stdout, running.stderr]) {
      createInterface({ input }).on('line', (line) => {
        file.write(`${line}\n`)
        if (latest.push(line) > mostLines) latest.shift()
        if (ready?.test(line) === true) resolve(running)
      })
    }
    running.on('error', reject)
    running.on('close', (code) => {
      if (ready === undefined && code === 0) return resolve(undefined)
      reject(new AppError('unavailable', `${recipe.name} does not start; ${log} ends:\n${latest.join('\n')}`))
    })
  })
}

async function stop(running: ChildProcess, signal: NodeJS.Signals, ended: Promise<unknown>): Promise<void> {
  running.kill(signal)
  setTimeout(() => running.kill('SIGKILL'), patienceMs).unref()
  await ended
}

function say(message: Message): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()))
}

const { values, positionals } = parseArgs({
  options: { durable: { type: 'boolean', default: false }, temporary: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const [kind, folder = ''] = positionals
try {
  await keep(recipes[kind as Kind], folder, values)
} catch (error) {
  await say({ error: error instanceof Error ? error.message : String(error) })
}
// What the server has left behind may still hold its end of a pipe.
process.exit()
