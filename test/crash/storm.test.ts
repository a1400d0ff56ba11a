/** A short storm on each stack; `npm run crash` has longer ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryFolder } from '../harness.ts'
import { missingFor, stackNames } from './stacks.ts'
import { storm } from './storm.ts'

const kills = 4

for (const [i, name] of stackNames.entries()) {
  test(`what is sent to ${name} in a storm is there once`, { skip: missingFor(name) }, async (t) => {
    await using folder = await temporaryFolder()
    const seed = 1_000 + i
    const report = await storm(name, folder, { kills, seed })
    t.diagnostic(`seed ${seed}: ${JSON.stringify(report)}`)
    assert.ok(report.files > 0)
  })
}
