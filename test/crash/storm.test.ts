/** A short storm on each stack; `npm run crash` has longer ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryFolder } from '../harness.ts'
import { missingFor, stackNames } from './stacks.ts'
import { storm } from './storm.ts'

const kills = 2

/** With these, of several processes the first is killed, and one that works, and one that works is frozen. */
const seeds = { embedded: 1_000, 'amqp-postgres-s3': 1_028, 'sqs-mariadb-disk': 1_040 } as const

for (const name of stackNames) {
  test(`what is sent to ${name} in a storm is there once`, { skip: missingFor(name) }, async (t) => {
    await using folder = await temporaryFolder()
    const seed = seeds[name]
    const report = await storm(name, folder, { kills, seed })
    t.diagnostic(`seed ${seed}: ${JSON.stringify(report)}`)
    assert.ok(report.files > 0)
    assert.equal(report.frozen, name === 'embedded' ? 0 : 1)
  })
}
