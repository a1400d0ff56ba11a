/** `node test/crash/long.ts`: the death of the service in the middle of ten million rows. */
import { test } from 'node:test'
import { temporaryFolder } from '../harness.ts'
import { killMidway } from './midway.ts'

test('ten million rows come out right and once, although the service is killed half-way', async () => {
  await using folder = await temporaryFolder()
  await killMidway(folder, { rows: 10_000_000, env: {} })
})
