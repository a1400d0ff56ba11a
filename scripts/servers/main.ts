/** `scripts/services COMMAND [NAME…]`: real servers on this machine, for who develops Rowmill, and for its tests. */
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { AppError } from '../../src/errors.ts'
import { keeperOf, urlOf } from './instance.ts'
import { launch } from './launch.ts'
import { lacking } from './programs.ts'
import type { ServerOptions } from './recipe.ts'
import { type Kind, kinds, recipes } from './recipes.ts'

const pollMs = 50

const help = `Usage: scripts/services COMMAND [NAME...]

  up       starts servers, and prints the name and the URL of each; those that are up already stay as they are
  down     stops them; what they hold is kept
  missing  prints the packages of Debian and Ubuntu that are missing for them

NAME is one of: ${kinds.join(', ')} (default: all). They listen on 127.0.0.1 only.

Options:
  --folder DIR  where they are kept, each in a folder of its own (default: one in the folder for temporary files);
                root runs them as other users, who must be able to get there
  --durable     up: commit for good, as benchmarks and tests of crashes need it, which takes longer
  -h, --help    show this help
`

/** The line that tells where it is. */
async function up(kind: Kind, folder: string, { durable }: ServerOptions): Promise<string> {
  const keeper = keeperOf(folder)
  if (durable && keeper?.durable === false) {
    throw new AppError('conflict', `${kind} is up without --durable. Run scripts/services down ${kind} first.`)
  }
  const url = keeper === undefined ? await started(kind, folder, durable) : await urlWhenUp(folder)
  return `${kind} ${url}\n`
}

async function started(kind: Kind, folder: string, durable: boolean): Promise<string> {
  try {
    const { url } = await launch(kind, folder, { durable, temporary: false })
    return url
  } catch (error) {
    // Somebody else may have been a little quicker.
    if (keeperOf(folder) === undefined) throw error
    return await urlWhenUp(folder)
  }
}

/** Where a server is that is up, or is just being started by somebody else. */
async function urlWhenUp(folder: string): Promise<string> {
  while (keeperOf(folder) !== undefined) {
    const url = await urlOf(folder)
    if (url !== undefined) return url
    await sleep(pollMs)
  }
  throw new AppError('unavailable', `The server of ${folder} ended while it was starting. Its log is there.`)
}

async function down(kind: Kind, folder: string): Promise<string> {
  const keeper = keeperOf(folder)
  if (keeper === undefined) return ''
  process.kill(keeper.pid)
  while (keeperOf(folder)?.pid === keeper.pid) await sleep(pollMs)
  return `${kind} is down\n`
}

function missing(kind: Kind): string {
  return lacking(recipes[kind]) === undefined ? '' : `${recipes[kind].packages.join(' ')}\n`
}

async function main(args: string[]): Promise<boolean> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      folder: { type: 'string', default: join(tmpdir(), `rowmill-servers-${userInfo().username}`) },
      durable: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [command = '', ...names] = positionals
  const unknown = names.find((name) => !Object.hasOwn(recipes, name))
  const commands: Record<string, (kind: Kind, folder: string) => string | Promise<string>> = {
    up: (kind, folder) => up(kind, folder, values),
    down,
    missing,
  }
  const run = commands[command]
  if (values.help || run === undefined || unknown !== undefined) {
    process.stdout.write(help)
    return values.help
  }
  const chosen = names.length === 0 ? kinds : (names as Kind[])
  const results = await Promise.allSettled(chosen.map(async (kind) => run(kind, resolve(values.folder, kind))))
  for (const result of results) {
    if (result.status === 'fulfilled') process.stdout.write(result.value)
    else process.stderr.write(`scripts/services: ${messageOf(result.reason)}\n`)
  }
  return results.every(({ status }) => status === 'fulfilled')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

process.exitCode = await main(process.argv.slice(2)).then(
  (isDone) => (isDone ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`scripts/services: ${messageOf(error)}\n`)
    return 1
  },
)
