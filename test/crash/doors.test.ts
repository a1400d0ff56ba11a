import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryFolder } from '../harness.ts'
import { killWhileSending } from './doors.ts'

test('what was acknowledged by any door is there after a kill, and what was not goes on', async (t) => {
  await using folder = await temporaryFolder()
  const { kills, hits, files } = await killWhileSending(folder, 4)
  t.diagnostic(`${hits} of ${kills} kills have interrupted requests; ${files} files came in`)
  assert.ok(hits * 2 >= kills, `only ${hits} of ${kills} kills have interrupted anything`)
})
