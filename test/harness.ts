/**
 * The real program under test: started as a process of its own, on a port and a data folder of its own, with the
 * settings given and no others. What has to be waited for is waited for by asking, never by sleeping a guess.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { TaskAnswer, UploadAnswer } from '../src/cli/client.ts'
import { errnoOf } from '../src/errors.ts'
import { isEnded } from '../src/model.ts'

export type Env = Readonly<Record<string, string>>

/** No machine is so slow that what has not happened by then still will. */
const patienceMs = 60_000
const pollMs = 20

const root = fileURLToPath(new URL('..', import.meta.url))

/** How a program is called, from `node src/main.ts` on. */
export const mainCommand = [process.execPath, '--disable-warning=ExperimentalWarning', join(root, 'src/main.ts')]
export const launcherCommand = [join(root, 'rowmill')]

/** Short, so that a test does not wait for them; a free port; nothing of the machine's own settings. */
const quick: Env = { ROWMILL_PORT: '0', ROWMILL_LEASE: '2s', ROWMILL_POLL: '200ms', ROWMILL_BACKOFF: '50ms' }

// ------------------------------------------------------------------------------------------------ the program

export interface Program extends AsyncDisposable {
  readonly pid: number
  stdout(): string
  stderr(): string
  send(signal: NodeJS.Signals): void
  /** The exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>
}

/** Starts a program. It is killed when disposed, if it still runs, and so are the processes below it. */
export function start(command: readonly string[], { cwd, env }: { cwd: string; env: Env }): Program {
  const [file = '', ...args] = command
  const child = spawn(file, args, { cwd, env: { ...cleanEnv(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const told = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (told.stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (told.stderr += chunk))
  const exited = once(child, 'close').then(() => child.exitCode)
  return {
    pid: child.pid ?? assert.fail(`${file} does not start`),
    stdout: () => told.stdout,
    stderr: () => told.stderr,
    send: (signal) => child.kill(signal),
    exited,
    [Symbol.asyncDispose]: () => finish(child, exited),
  }
}

async function finish(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  const below = childrenOf(child.pid ?? -1)
  // SIGKILL ends a stopped process, too.
  child.kill('SIGKILL')
  await exited
  await until('the children of an ended service end', () => below.every((one) => !isAlive(one)))
}

function cleanEnv(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'NODE_COMPILE_CACHE'].map((name) => [name, process.env[name]])
  return Object.fromEntries(kept.filter(([, value]) => value !== undefined)) as Record<string, string>
}

// ------------------------------------------------------------------------------------------------ the service

export interface Service extends Program {
  readonly url: string
  /** The data folder. */
  readonly data: string
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>
  kill(): Promise<void>
}

export interface ServiceOptions {
  readonly data: string
  readonly env?: Env
  readonly command?: readonly string[]
}

/** `rowmill serve`, once it says where it is. */
export async function startService({
  data,
  env = {},
  command = [...mainCommand, 'serve'],
}: ServiceOptions): Promise<Service> {
  const settings = { ROWMILL_DATA: data, ...quick, ...env }
  const program = start(command, { cwd: dirname(data), env: settings })
  let isOver = false
  void program.exited.then(() => (isOver = true))
  const url = await until('the service says where it is', () => {
    assert.ok(!isOver, `the service ended before it was up:\n${program.stderr()}`)
    return /^Rowmill \S+ is at (http:\S+) /m.exec(program.stdout())?.[1]
  }).catch(async (error: unknown) => {
    await program[Symbol.asyncDispose]()
    throw error
  })
  return {
    ...program,
    url,
    data,
    async stop() {
      program.send('SIGTERM')
      return await program.exited
    },
    async kill() {
      program.send('SIGKILL')
      await program.exited
    },
  }
}

// ---------------------------------------------------------------------------------------------------- the API

export interface Received {
  readonly upload: UploadAnswer
  readonly task: TaskAnswer
}

/** Sends bytes for a pipeline to work on, even if it has done so before. */
export async function send(
  { url }: Pick<Service, 'url'>,
  body: string | Uint8Array | Blob,
  { name, pipeline }: { name: string; pipeline: string },
): Promise<Received> {
  const query = String(new URLSearchParams({ name, pipeline, again: 'true' }))
  return await json<Received>(await fetch(`${url}/v1/uploads?${query}`, { method: 'POST', body }))
}

/** Sends bytes and nothing more. */
export async function store({ url }: Pick<Service, 'url'>, body: Blob, name: string): Promise<UploadAnswer> {
  const query = String(new URLSearchParams({ name }))
  const { upload } = await json<Received>(await fetch(`${url}/v1/uploads?${query}`, { method: 'POST', body }))
  return upload
}

/** Has a pipeline work on bytes that were sent before, even if it has done so. */
export async function submit({ url }: Pick<Service, 'url'>, pipeline: string, upload: string): Promise<TaskAnswer> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
  const body = JSON.stringify({ pipeline, inputs: [{ upload }], again: true })
  return await json<TaskAnswer>(await fetch(`${url}/v1/tasks`, { ...init, body }))
}

export async function getTask({ url }: Pick<Service, 'url'>, { id }: Pick<TaskAnswer, 'id'>): Promise<TaskAnswer> {
  return await json<TaskAnswer>(await fetch(`${url}/v1/tasks/${id}`))
}

/** The task as soon as it is as wanted. It is no use to wait for more once it has ended. */
export async function taskWhen(
  service: Service,
  task: Pick<TaskAnswer, 'id'>,
  wanted: (task: TaskAnswer) => boolean,
): Promise<TaskAnswer> {
  let latest: TaskAnswer | undefined
  const found = await until(`task ${task.id} is as wanted`, async () => {
    latest = await getTask(service, task)
    return wanted(latest) || isEnded(latest.state) ? latest : undefined
  }).catch((error: unknown) => {
    throw new Error(`it is ${JSON.stringify(latest)}\n${service.stderr()}`, { cause: error })
  })
  assert.ok(wanted(found), `task ended otherwise than wanted: ${JSON.stringify(found)}\n${service.stderr()}`)
  return found
}

export function taskEnds(service: Service, task: Pick<TaskAnswer, 'id'>): Promise<TaskAnswer> {
  return taskWhen(service, task, ({ state }) => isEnded(state))
}

/** What a succeeded task has delivered. */
export async function output({ url }: Pick<Service, 'url'>, task: TaskAnswer, name: string): Promise<string> {
  const found = task.outputs.find((one) => one.name === name)
  if (found === undefined || !('url' in found)) assert.fail(`no file ${name}: ${JSON.stringify(task)}`)
  return await text(await fetch(url + found.url))
}

export async function json<T>(response: Response): Promise<T> {
  return JSON.parse(await text(response)) as T
}

export async function text(response: Response): Promise<string> {
  const body = await response.text()
  assert.ok(response.ok, `${response.url} answers ${response.status}: ${body}`)
  return body
}

/** No user is to see the inside of the program. */
export function assertNoTrace(told: string): void {
  assert.doesNotMatch(told, /^\s+at .+:\d+|node:internal|AppError|\.ts:\d+/m)
}

// -------------------------------------------------------------------------------------------------- processes

/** A process, told apart from a later one of the same number by when it began. */
export interface Process {
  readonly pid: number
  readonly began: string
}

/** Linux's /proc/PID/stat: what follows the name in brackets is state, parent, … and 22nd the start time (proc(5)). */
function statOf(pid: number): { state: string; parent: number; began: string } | undefined {
  try {
    const [state = '', parent = '', ...rest] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return { state, parent: Number(parent), began: rest[17] ?? '' }
  } catch {
    return undefined
  }
}

export function childrenOf(parent: number): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined
    return stat?.parent === parent ? [{ pid, began: stat.began }] : []
  })
}

/** SIGKILL, if it is not gone by itself. */
export function kill({ pid }: Process, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}

export function isStopped(pid: number): boolean {
  return statOf(pid)?.state === 'T'
}

/** Whether it still runs. One that nobody has buried yet does not. */
export function isAlive({ pid, began }: Process): boolean {
  const stat = statOf(pid)
  return stat?.began === began && stat.state !== 'Z' && stat.state !== 'X'
}

// ---------------------------------------------------------------------------------------------- files and time

export interface Folder extends AsyncDisposable {
  readonly path: string
  /** A path in it. */
  at(...names: string[]): string
}

export async function temporaryFolder(parent: string = tmpdir()): Promise<Folder> {
  const path = await mkdtemp(join(parent, 'rowmill-test-'))
  return {
    path,
    at: (...names) => join(path, ...names),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 10 }),
  }
}

/** Every file below a folder, by its path in it; none when it is not there. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted()
}

/** Asks until the answer is neither undefined nor false. */
export async function until<T>(what: string, ask: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs / 1000} s in vain: ${what}`)
    await sleep(pollMs)
  }
}
