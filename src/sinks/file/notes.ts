/**
 * Who loads into a database in a file: beside it lies a note for each process that does so or is about to, by which a
 * later attempt at the same task finds what an earlier one still does. All that a note says is in its name, so that
 * nobody ever reads half of it.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errnoOf } from '../../errors.ts'
import type { Loading } from '../../ports.ts'

export interface Note extends Loading {
  readonly pid: number
  /** Where it lies. */
  readonly at: string
}

/**
 * Tells the others what this process loads for, until disposed.
 * @param path of the database: absolute, and an argument of this process.
 */
export async function announce(path: string, { task, attempt }: Loading): Promise<AsyncDisposable> {
  const note = `${await ownName(path)}-${attempt}-${encodeURIComponent(task)}`
  await writeFile(note, '')
  return { [Symbol.asyncDispose]: () => rm(note, { force: true }) }
}

/** The start of the names of all that this process lays beside the database: others remove it when it is dead. */
export async function ownName(path: string): Promise<string> {
  return `${path}.rowmill-${process.pid}-${(await processOf(process.pid))?.began ?? '0'}`
}

/** The living processes, but for this one. What the dead have left is removed. */
export async function othersLoading(path: string): Promise<Note[]> {
  const notes: Note[] = []
  for (const file of await readdir(dirname(path))) {
    const [start = '', pid, began, attempt, task] =
      /^(.+)[.]rowmill-(\d+)-(\d+)-(?:(\d+)-(.+)|.+)$/s.exec(file)?.slice(1) ?? []
    if (start !== basename(path) || Number(pid) === process.pid) continue
    if (!(await isLoading(Number(pid), began, path))) await rm(join(dirname(path), file), { force: true })
    else if (task !== undefined) {
      const at = join(dirname(path), file)
      notes.push({ pid: Number(pid), attempt: Number(attempt), task: decodeURIComponent(task), at })
    }
  }
  return notes
}

/** Ends what earlier attempts at the same task still do to the database: stopped, they would hold it for ever. */
export async function endEarlier(path: string, { task, attempt }: Loading): Promise<void> {
  for (const note of await othersLoading(path)) {
    // Without its note, the process may be at work for another task by now.
    if (note.task !== task || note.attempt >= attempt || !existsSync(note.at)) continue
    try {
      process.kill(note.pid, 'SIGKILL')
    } catch (error) {
      // It is gone by now; or another user's, so that all one can do is wait.
      if (errnoOf(error) !== 'ESRCH' && errnoOf(error) !== 'EPERM') throw error
    }
  }
}

/** Whether it is still the process that left the note, and not a later one of the same number. */
async function isLoading(pid: number, began: string | undefined, path: string): Promise<boolean> {
  const found = await processOf(pid)
  return found !== undefined && found.began === began && found.isAlive && found.args.includes(path)
}

interface Process {
  /** In ticks since the machine was started. */
  readonly began: string
  readonly isAlive: boolean
  readonly args: readonly string[]
}

/** By Linux's /proc/PID (proc(5)); undefined when there is no such process, or no such folder. */
async function processOf(pid: number): Promise<Process | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
    // After the name in brackets: the state, 18 others, and when it began.
    const [state = '', ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { began: rest[18] ?? '', isAlive: state !== 'Z' && state !== 'X', args }
  } catch {
    return undefined
  }
}
