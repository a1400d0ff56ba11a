/**
 * `node test/crash/points-long.ts [STACK…]`: a service dies at the first point, then at the second, and so on, until there is
 * none left, on each stack. Together they must have died at every point that there is.
 */
import assert from 'node:assert/strict'
import { type Failpoint, failpoints } from '../../src/failpoints.ts'
import { temporaryFolder } from '../harness.ts'
import { shareServers } from '../servers.ts'
import { dieAtNth } from './points.ts'
import { type StackName, stackNames } from './stacks.ts'

await using shared = await shareServers()
Object.assign(process.env, shared.env)
const chosen = process.argv.length > 2 ? (process.argv.slice(2) as StackName[]) : stackNames
const died = new Set<string>()
for (const name of chosen) {
  for (let k = 1; ; k++) {
    await using folder = await temporaryFolder()
    const point = await dieAtNth(name, k, folder)
    process.stdout.write(`${name}, point ${k}: ${point ?? 'it came to its end'}\n`)
    if (point === undefined) break
    died.add(point)
  }
}
if (chosen.length === stackNames.length) {
  const never = failpoints.filter((point: Failpoint) => !died.has(point))
  assert.deepEqual(never, [], 'points that nobody has died at')
}
