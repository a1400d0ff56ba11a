/**
 * `node test/values/long.ts ROUNDS [FIRST-SEED [RECORDS [DATABASE]]]`: that many made-up tables on each database, with at
 * most so many records in a file. Each difference is a line.
 */
import { openLoader } from './load.ts'
import { databases } from './read-back.ts'
import { mostRecords, round } from './round.ts'

const [rounds = '100', first = '1', records = mostRecords, only] = process.argv.slice(2)

let differences = 0
for (const kind of databases) {
  if (kind.skip !== false || (only !== undefined && kind.name !== only)) continue
  await using loader = await openLoader(kind)
  for (let seed = Number(first); seed < Number(first) + Number(rounds); seed++) {
    const found = await round(loader, seed, Number(records))
    for (const one of found) process.stdout.write(`${one}\n`)
    differences += found.length
  }
  process.stdout.write(`${kind.name}: ${rounds} rounds from seed ${first} on are done.\n`)
}
process.exitCode = differences === 0 ? 0 : 1
