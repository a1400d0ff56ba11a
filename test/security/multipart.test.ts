/** `node test/multipart-long.ts` does the same with as many as one has time for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryFolder } from '../harness.ts'
import { sendForms } from './multipart.ts'

test('forms that are broken in any way are taken or refused, and the service keeps what it says and nothing else', async () => {
  await using folder = await temporaryFolder()
  const { outcomes } = await sendForms(folder, [1, 150])
  // Such as are all refused for one reason would tell nothing.
  for (const way of ['sound: 201', 'broken: 201', 'broken: 400', 'broken: 413', 'broken: 422']) {
    assert.ok((outcomes.get(way) ?? 0) > 0, `none of the forms is ${way}`)
  }
})
