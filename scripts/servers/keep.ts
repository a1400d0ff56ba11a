/**
 * The keeper of one server, started by launch.ts as `keep.ts KIND FOLDER [--durable] [--temporary]`. The server is its
 * child. It stops the server on SIGTERM and, if that is temporary, at the end of the process that started it: the
 * channel between the two closes then, however that process ended.
 */
import { type ChildProcessByStdio, type SpawnOptions, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { parseArgs, promisify } from 'node:util'
import { AppError } from '../../src/errors.ts'
import { type Account, accountFor } from './account.ts'
import { claim, createInstance, noteUrl, readInstance, release } from './instance.ts'
import type { LaunchOptions, Message } from './launch.ts'
import { locate } from './programs.ts'
import type { Recipe, Run } from './recipe.ts'
import { type Kind, recipes } from './recipes.ts'

/** A server that takes longer to stop in good order is killed. */
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
    const instance =
      (await readInstance(folder)) ??
      (await createInstance(folder, account, recipe.ports ?? 1, (made) =>
        recipe.prepare(made, runner(recipe, folder, account)),
      ))
    isKept = !temporary
    const options = { cwd: folder, ...account, env: { ...process.env, ...recipe.env?.(instance) } }
    const beside = recipe.beside?.(instance)
    using _ = beside && runBeside(recipe, beside, options)
    const [program, ...args] = recipe.serve(instance, { durable })
    const server = spawn(locate(recipe, program), args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    await isUp(recipe, server, join(folder, 'log'))
    const ended = once(server, 'exit')
    const url = recipe.url(instance)
    await noteUrl(folder, url)
    await say({ url })
    const isTold = await Promise.race([told.then(() => true), ended.then(() => false)])
    if (isTold) {
      server.kill(recipe.shutdown)
      setTimeout(() => server.kill('SIGKILL'), patienceMs).unref()
      await ended
    }
    // One that was killed is perhaps started again.
    isKept ||= !isTold
  } finally {
    await (isKept ? release(folder) : rm(folder, { recursive: true, force: true, maxRetries: 10 }))
  }
}

type Command = ReturnType<Recipe['serve']>

/** Runs a program until disposed. */
function runBeside(recipe: Recipe, [program, ...args]: Command, options: SpawnOptions): Disposable {
  const child = spawn(locate(recipe, program), args, { ...options, stdio: 'ignore' })
  return { [Symbol.dispose]: () => void child.kill('SIGKILL') }
}

function runner(recipe: Recipe, folder: string, account: Account | undefined): Run {
  return async (program, args, input = '') => {
    const running = promisify(execFile)(locate(recipe, program), args, { cwd: folder, ...account })
    running.child.stdin?.end(input)
    await running.catch(({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new AppError('unavailable', `${recipe.name} cannot be set up in ${folder}:\n${stdout}${stderr}`)
    })
  }
}

/**
 * Writes what a server says into its log.
 * @throws {AppError} unavailable, when it ends before it is up.
 */
async function isUp(recipe: Recipe, server: ChildProcessByStdio<null, Readable, Readable>, log: string): Promise<void> {
  const file = createWriteStream(log, { flags: 'a' })
  const latest: string[] = []
  await new Promise<void>((resolve, reject) => {
    for (const input of [server.stdout, server.stderr]) {
      createInterface({ input }).on('line', (line) => {
        file.write(`${line}\n`)
        if (latest.push(line) > mostLines) latest.shift()
        if (recipe.ready.test(line)) resolve()
      })
    }
    server.on('error', reject)
    server.on('close', () =>
      reject(new AppError('unavailable', `${recipe.name} does not start; ${log} ends:\n${latest.join('\n')}`)),
    )
  })
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
