/** Which files a push is of. */
import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { AppError } from '../../errors.ts'
import { lookAt, type Source } from './source.ts'

export interface Sources {
  readonly files: readonly Source[]
  /** What the directory is called that they are in, if that was given. */
  readonly folder: string | undefined
  /** What else is in that directory. */
  readonly leftOut: readonly string[]
}

/**
 * The files named, or those in the only directory named: regular ones that are not hidden, by name.
 * @throws {AppError} not_found, invalid: all before anything is sent.
 */
export async function findSources(paths: readonly string[]): Promise<Sources> {
  const [only = ''] = paths
  const isOneFolder = paths.length === 1 && (await isA('directory', only))
  const { found, leftOut } = isOneFolder ? await filesOf(only) : { found: paths, leftOut: [] }
  const files: Source[] = []
  for (const path of found) files.push(await lookAt(path))
  refuseTwice(files)
  return { files, folder: isOneFolder ? basename(resolve(only)) : undefined, leftOut }
}

async function filesOf(folder: string): Promise<{ found: string[]; leftOut: string[] }> {
  const found: string[] = []
  const leftOut: string[] = []
  for (const name of (await readdir(folder)).toSorted()) {
    if (name.startsWith('.')) continue
    const path = join(folder, name)
    if (await isA('file', path)) found.push(path)
    else leftOut.push(name)
  }
  if (found.length > 0) return { found, leftOut }
  throw new AppError('invalid', `${folder} is a directory without any files in it. Put some there, or give others.`)
}

/** What is not there is told by whoever looks at it. */
async function isA(kind: 'file' | 'directory', path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined)
  return (kind === 'file' ? stats?.isFile() : stats?.isDirectory()) === true
}

/** The same rows twice would be a wrong total that balances. */
function refuseTwice(files: readonly Source[]): void {
  const seen = new Set<string>()
  for (const { path, real } of files) {
    if (seen.has(real)) throw new AppError('invalid', `${path} is a file that is given twice. Name it once.`)
    seen.add(real)
  }
}
