/** Where the user wants something written, and whether two names are one place. */
import { fstat, type Stats } from 'node:fs'
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../errors.ts'

const standardInput = 0
const standardOutput = 1
const standardNames = ['standard input', 'standard output', 'standard error']
const ownDescriptors = '/proc/self/fd'
/** As many links as Linux follows. */
const mostLinks = 40

const statDescriptor: (descriptor: number) => Promise<Stats> = promisify(fstat)

/**
 * The descriptor that a path such as `/dev/stdout` or `/dev/fd/3`, or a link to one, stands for: a place that is open
 * already. Undefined for any other path.
 */
export async function descriptorOf(path: string): Promise<number | undefined> {
  let at = path
  for (let links = 0; links < mostLinks; links++) {
    const folder = await realpath(dirname(at)).catch(() => undefined)
    if (folder === undefined) return undefined
    if (isOwnDescriptors(folder) && /^\d+$/.test(basename(at))) return Number(basename(at))
    const target = await readlink(join(folder, basename(at))).catch(() => undefined)
    if (target === undefined) return undefined
    at = resolve(folder, target)
  }
  return undefined
}

/** `/proc/self/fd` on Linux, where `/dev/fd` leads too; elsewhere `/dev/fd` is a folder itself. */
function isOwnDescriptors(folder: string): boolean {
  const [, id] = /^\/proc\/(\d+)(?:\/task\/\d+)?\/fd$/.exec(folder) ?? []
  return id === String(process.pid) || folder === '/dev/fd'
}

/** Whether something is to be written to standard output: `-`, `/dev/stdout` and the like. */
export async function isStandardOutput(named: string): Promise<boolean> {
  return named === '-' || (await descriptorOf(named)) === standardOutput
}

/** Where an output goes that is for standard output unless the user names another place; undefined for just that. */
export async function outputPlace(named: string | undefined): Promise<string | undefined> {
  return named === undefined || (await isStandardOutput(named)) ? undefined : named
}

/** Whether a descriptor is one that Node has opened for itself: its events, and pipes of which both ends are here. */
export async function isOwn(descriptor: number): Promise<boolean> {
  const target = await readlink(`${ownDescriptors}/${descriptor}`).catch(() => '')
  if (!target.startsWith('pipe:')) return target.startsWith('anon_inode:')
  for (const other of await readdir(ownDescriptors)) {
    const isSame = (await readlink(`${ownDescriptors}/${other}`).catch(() => '')) === target
    if (isSame && (await isForReading(other))) return true
  }
  return false
}

async function isForReading(descriptor: string): Promise<boolean> {
  const info = await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8').catch(() => '')
  return /^flags:\s*[0-7]*[04]$/m.test(info)
}

/** Whether the descriptor leads to a file, and not to a terminal, a device or a pipe. */
export async function leadsToFile(descriptor: number): Promise<boolean> {
  return (await statDescriptor(descriptor)).isFile()
}

export interface Place {
  /** For people. */
  readonly name: string
  readonly descriptor: number | undefined
  /** The same for whatever leads to one file, or to one descriptor where that is no file. */
  readonly identity: string
}

/** @param hyphen what `-` stands for. */
export async function placeOf(named: string, hyphen: 'input' | 'output'): Promise<Place> {
  const standard = hyphen === 'input' ? standardInput : standardOutput
  const descriptor = named === '-' ? standard : await descriptorOf(named)
  const name = descriptor === undefined ? named : (standardNames[descriptor] ?? named)
  const found = descriptor === undefined ? stat(named) : statDescriptor(descriptor)
  const stats = await found.catch(() => undefined)
  if (stats?.isFile() === true) return { name, descriptor, identity: `${stats.dev}:${stats.ino}` }
  if (descriptor !== undefined) return { name, descriptor, identity: `descriptor ${descriptor}` }
  const folder = await realpath(dirname(named)).catch(() => resolve(dirname(named)))
  return { name, descriptor, identity: join(folder, basename(named)) }
}

/** What to tell when there is no space left for the files that a command needs meanwhile. */
export function temporaryFull(cause: unknown): AppError {
  const message = `The disk of the temporary folder, ${tmpdir()}, is full. Free some space there, or point TMPDIR at a folder on a larger disk.`
  return new AppError('full', message, { cause })
}
