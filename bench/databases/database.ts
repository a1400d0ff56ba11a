/** A database with a table of customers in it, and who can load a file into that. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Contents, table } from '../customers.ts'
import { type Command, rowmill } from '../measure.ts'
import type { Package } from '../report.ts'

export interface Database {
  /** With its version; undefined where it is one of the project's packages. */
  readonly program: string | undefined
  /** Those of the project's packages that do some of the work. */
  readonly packages: readonly Package[]
  /** The floor first: the database's own way, which takes the file for granted. */
  readonly loaders: readonly Loader[]
  /** Who takes no part, and why: a line each. */
  readonly leftOut: readonly string[]
  /** Nothing but the table, empty, whatever there has been before. */
  renew(): Promise<void>
  contents(): Promise<Contents>
}

export interface Loader {
  readonly name: string
  /** With its version, where it is neither the database's own nor one of the project's packages. */
  readonly program?: string
  /** @param folder an empty one, which is also the command's working folder. */
  readonly command: (file: string, folder: string) => Command
  /** It takes minutes where others take seconds. */
  readonly isSlow?: boolean
  /** Of larger files it is spared. */
  readonly mostRows?: number
  /** What is left to do until the rows are the same as everybody's. It is not timed. */
  readonly settle?: () => void
}

export const rowmillLoads = '`rowmill run load`'

/** `rowmill run load` as on its first day: with a data folder of its own. */
export function rowmillLoader(url: string, name: string = rowmillLoads): Loader {
  return {
    name,
    command: (file, folder) => {
      const command = rowmill('run', 'load', file, '--param', `table=${table}`, '--param', 'mode=replace', '--again')
      const settings = { ROWMILL_SINK_WAREHOUSE_URL: url, ROWMILL_DATA: join(folder, 'data') }
      return { ...command, env: { ...command.env, ...settings } }
    },
  }
}

/** The first number with points in it that a command prints; undefined where there is no such command, or it fails. */
export async function versionOf(file: string, ...args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(file, args)
    return /\d+([.]\d+)+/.exec(stdout)?.[0]
  } catch {
    return undefined
  }
}
