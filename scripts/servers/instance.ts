/** The folder of one server: whose it is, who keeps it running, and what it remembers between two runs. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { AppError, errnoOf } from '../../src/errors.ts'
import { newId } from '../../src/ids.ts'
import type { Account } from './account.ts'
import type { Instance, Recipe } from './recipe.ts'

/** Below those that systems hand out by themselves: nobody else gets the port while its server is down. */
const range = { from: 20_000, to: 32_000 }

const files = { pid: 'pid', url: 'url', instance: 'instance.json' } as const

/** The process that keeps a server running. */
export interface Keeper {
  readonly pid: number
  readonly durable: boolean
}

/** Who keeps the server of a folder running, if anybody does. */
export function keeperOf(folder: string): Keeper | undefined {
  try {
    const pid = Number(readFileSync(join(folder, files.pid), 'utf8'))
    // A number that was given to another process since is not mistaken for it.
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return command.includes(folder) ? { pid, durable: command.includes('--durable') } : undefined
  } catch {
    return undefined
  }
}

/** Where the server of a folder is, once it is up. */
export async function urlOf(folder: string): Promise<string | undefined> {
  return await readFile(join(folder, files.url), 'utf8').catch(() => undefined)
}

export async function noteUrl(folder: string, url: string): Promise<void> {
  await writeFile(join(folder, files.url), url, { mode: 0o600 })
}

/**
 * Makes this process the folder's keeper, the folder too when there is none.
 * @throws {AppError} conflict, when there is another keeper.
 */
export async function claim(folder: string): Promise<void> {
  // The server's account has to get through.
  const created = await mkdir(dirname(folder), { recursive: true })
  if (created !== undefined) await chmod(dirname(folder), 0o711)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (keeperOf(folder) === undefined) await release(folder)
  try {
    await writeFile(join(folder, files.pid), String(process.pid), { flag: 'wx' })
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    throw new AppError('conflict', `Another process has just started the server of ${folder}.`)
  }
}

export async function release(folder: string): Promise<void> {
  await Promise.all([files.pid, files.url].map((name) => rm(join(folder, name), { force: true })))
}

/** The instance that a folder holds; undefined when it holds none yet. */
export async function readInstance(folder: string): Promise<Instance | undefined> {
  try {
    const remembered = JSON.parse(await readFile(join(folder, files.instance), 'utf8')) as Omit<Instance, 'folder'>
    return { folder, ...remembered }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Makes an instance in a folder that was claimed and is empty otherwise.
 * @param prepare fills it.
 * @throws {AppError} conflict, when the folder holds something else.
 */
export async function createInstance(
  folder: string,
  account: Account | undefined,
  ports: Recipe['ports'],
  prepare: (instance: Instance) => Promise<void>,
): Promise<Instance> {
  if ((await readdir(folder)).some((name) => name !== files.pid)) {
    throw new AppError('conflict', `${folder} holds something else than a server, or half of one. Remove it first.`)
  }
  if (account !== undefined) await chown(folder, account.uid, account.gid)
  const remembered = { port: await freePorts(ports), password: newId() }
  const instance = { folder, ...remembered }
  try {
    await prepare(instance)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  await writeFile(join(folder, files.instance), JSON.stringify(remembered), { mode: 0o600 })
  return instance
}

/** The first of so many in a row. */
async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = randomInt(range.from, range.to - count)
    const row = Array.from({ length: count }, (_, i) => isFree(first + i))
    if ((await Promise.all(row)).every(Boolean)) return first
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return true
  } catch (error) {
    if (errnoOf(error) === 'EADDRINUSE') return false
    throw error
  } finally {
    server.close()
  }
}
