/**
 * `npm run crash -- [--stack NAME] [--kills N] [--seed N]`: storms on one stack or on all, in rounds of a hundred kills, each
 * with its own seed and an empty stack. What the last run of each stack has come to stands in docs/reliability.md.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { temporaryFolder } from '../harness.ts'
import { shareServers } from '../servers.ts'
import { missingFor, type StackName, stackNames } from './stacks.ts'
import { storm, type StormReport } from './storm.ts'

const help = `Usage: npm run crash -- [options]

  --stack NAME  one of ${stackNames.join(', ')} (default: all of them)
  --kills N     how many processes are killed on each (default: 1000)
  --seed N      of the first round (default: 1); each round has the next one
  --no-write    leave docs/reliability.md as it is
`

const roundKills = 100
const page = new URL('../../docs/reliability.md', import.meta.url)

interface Total extends StormReport {
  readonly rounds: number
  readonly seconds: number
}

async function storms(name: StackName, kills: number, firstSeed: number): Promise<Total> {
  const began = performance.now()
  const reports: StormReport[] = []
  for (let left = kills, seed = firstSeed; left > 0; left -= roundKills, seed++) {
    await using folder = await temporaryFolder()
    const report = await storm(name, folder, { kills: Math.min(left, roundKills), seed })
    process.stdout.write(`${name}, seed ${seed}: ${JSON.stringify(report)}\n`)
    reports.push(report)
  }
  const sum = (what: keyof StormReport) => reports.reduce((all, report) => all + report[what], 0)
  return {
    kills: sum('kills'),
    hits: sum('hits'),
    frozen: sum('frozen'),
    files: sum('files'),
    cancelled: sum('cancelled'),
    rounds: reports.length,
    seconds: Math.round((performance.now() - began) / 1000),
  }
}

function lineOf(name: StackName, seed: number, total: Total): string {
  const { kills, hits, frozen, files, cancelled, rounds, seconds } = total
  const seeds = rounds === 1 ? `${seed}` : `${seed} to ${seed + rounds - 1}`
  return `| ${[name, kills, hits, frozen, files, cancelled, seeds, `${Math.round(seconds / 60)} min`].join(' | ')} |`
}

/** The line of a stack stands between marks of its own. */
async function note(name: StackName, line: string): Promise<void> {
  const text = await readFile(page, 'utf8')
  const row = new RegExp(`^\\| ${name} \\|.*$`, 'm')
  if (!row.test(text)) throw new Error(`docs/reliability.md has no line for ${name}`)
  await writeFile(
    page,
    text.replace(row, () => line),
  )
}

const { values } = parseArgs({
  options: {
    stack: { type: 'string' },
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    'no-write': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const [kills, seed] = [Number(values.kills), Number(values.seed)]
const chosen = stackNames.filter((name) => values.stack === undefined || name === values.stack)
if (values.help) process.stdout.write(help)
else if (chosen.length === 0 || !(kills > 0) || !Number.isInteger(seed)) {
  process.stderr.write(help)
  process.exitCode = 2
} else {
  await using shared = await shareServers()
  Object.assign(process.env, shared.env)
  for (const name of chosen) {
    const reason = missingFor(name)
    if (reason !== false) throw new Error(reason)
    const total = await storms(name, kills, seed)
    const line = lineOf(name, seed, total)
    process.stdout.write(`${line}\n`)
    if (total.hits * 2 < total.kills) throw new Error('fewer than half of the kills have interrupted anything')
    if (!values['no-write']) await note(name, line)
  }
}
