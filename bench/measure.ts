/** Runs commands as a user would, one after another in turns, and says how long they took and what they needed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../src/config.ts'
import { type Peaks, watchMemory } from './watch.ts'

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  /** Variables beside those that everybody gets. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Contender {
  readonly name: string
  /** @param folder an empty one, which is also the command's working folder. */
  readonly command: (folder: string) => Command
  /** It takes part in the first so many rounds only; in all of them without it. */
  readonly mostRounds?: number
}

export interface Measured {
  readonly seconds: number
  readonly peaks: Peaks
  /** What it has printed. */
  readonly stdout: string
}

/** What came of a contender over all rounds. */
export interface Result {
  readonly name: string
  readonly seconds: { readonly median: number; readonly least: number; readonly most: number }
  /** The highest of any round. */
  readonly peaks: Peaks
}

export interface Course {
  readonly rounds: number
  /** Holds a folder for each run, for as long as the run takes. */
  readonly work: string
  readonly signal: AbortSignal
  /** Called before each run. */
  readonly beforeRun?: () => Promise<void>
  /** Called after each run, while its folder is still there. */
  readonly onRun: (contender: Contender, measured: Measured, folder: string) => Promise<void>
}

export async function compare(contenders: readonly Contender[], course: Course): Promise<Result[]> {
  const runs = new Map<string, Measured[]>(contenders.map(({ name }) => [name, []]))
  for (const [round, contender] of turns(contenders, course.rounds)) {
    if (round >= (contender.mostRounds ?? course.rounds)) continue
    const folder = join(course.work, 'run')
    await mkdir(folder)
    await course.beforeRun?.()
    const measured = await measure(contender.command(folder), folder, course.signal)
    await course.onRun(contender, measured, folder)
    await rm(folder, { recursive: true })
    runs.get(contender.name)?.push(measured)
  }
  return Array.from(runs, ([name, measured]) => sumUp(name, measured))
}

/** Everyone once a round, so that a machine that slows down slows down for all; each round begins with another one. */
export function* turns<T>(contenders: readonly T[], rounds: number): Generator<[round: number, contender: T]> {
  for (let round = 0; round < rounds; round++) {
    const first = round % contenders.length
    for (const one of [...contenders.slice(first), ...contenders.slice(0, first)]) yield [round, one]
  }
}

/** @throws {Error} with the command's last words, when it fails. */
export async function measure({ file, args, env }: Command, cwd: string, signal: AbortSignal): Promise<Measured> {
  const started = performance.now()
  const child = spawn(file, args, { cwd, env: { ...plainEnv(), ...env }, stdio: ['ignore', 'pipe', 'pipe'], signal })
  using watch = watchMemory(child.pid ?? -1)
  const ended = once(child, 'exit').then(() => (performance.now() - started) / 1000)
  const [seconds, stdout, lastWords] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  if (child.exitCode === 0) return { seconds, peaks: watch.peaks, stdout }
  throw new Error(`${file} ${args.join(' ')} has failed:\n${lastWords}`)
}

/** A script of `peers/`, which is run by the same Node. */
export function peer(name: string, ...args: readonly string[]): Command {
  return { file: process.execPath, args: [fileURLToPath(new URL(`peers/${name}.ts`, import.meta.url)), ...args] }
}

/** Rowmill as its launcher starts it, on the same Node. */
export function rowmill(...args: readonly string[]): Command {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const heap = args[0] === 'serve' ? ['--max-semi-space-size=2'] : []
  return {
    file: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', ...heap, join(root, 'src/main.ts'), ...args],
    env: { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/rowmill') },
  }
}

/** The memory limit that DuckDB has in Rowmill's child. No setting is given, so these are the defaults, as elsewhere. */
export function childMemory(): string {
  return `${loadConfig({}, tmpdir()).config.TASK_MEMORY / 2e6}MB`
}

/** The environment without settings: what is measured are the defaults. */
export function plainEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ROWMILL_')))
}

export function sumUp(name: string, measured: readonly Omit<Measured, 'stdout'>[]): Result {
  const times = measured.map(({ seconds }) => seconds)
  return {
    name,
    seconds: { median: median(times), least: Math.min(...times), most: Math.max(...times) },
    peaks: {
      own: Math.max(...measured.map(({ peaks }) => peaks.own)),
      child: Math.max(...measured.map(({ peaks }) => peaks.child)),
    },
  }
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low = 0, high = 0] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return (low + high) / 2
}
