import assert from 'node:assert/strict'
import { test } from 'node:test'
import { builtInFolder, loadPipelines } from '../pipeline/load.ts'
import { checkSettings, type DoorSettings } from './settings.ts'

const pipelines = await loadPipelines([builtInFolder()])
const none = { url: undefined, events: undefined, run: undefined, bells: undefined }
const whole = { ...none, url: 's3://drops', events: 'sqs://eu-west-1/drops' }

test('without settings there is no door, and with both of them there is', () => {
  assert.equal(checkSettings({ ...none, bells: 'local' }, pipelines), undefined)
  const run = { pipeline: 'load', params: { table: 'sales' } }
  assert.deepEqual(checkSettings({ ...whole, run }, pipelines), { url: whole.url, events: whole.events })
})

test('one sentence says which setting is wrong', () => {
  const cases: readonly (readonly [change: Partial<DoorSettings>, told: RegExp])[] = [
    [{ url: undefined }, /^ROWMILL_BUCKET_URL is not set: [^.]+\?$/],
    [{ events: undefined }, /^ROWMILL_BUCKET_EVENTS is not set: [^.]+\?$/],
    [{ url: undefined, events: undefined, run: { pipeline: 'load', params: {} } }, /^ROWMILL_BUCKET_URL is not set/],
    [{ bells: whole.events }, /^ROWMILL_BUCKET_EVENTS and ROWMILL_QUEUE_URL name the same queue/],
    [{ run: { pipeline: 'laod', params: {} } }, /^ROWMILL_BUCKET_RUN: .*no pipeline/],
    [{ run: { pipeline: 'load', params: { mode: 'x' } } }, /^ROWMILL_BUCKET_RUN: .*mode/],
  ]
  for (const [change, message] of cases) {
    assert.throws(() => checkSettings({ ...whole, ...change }, pipelines), { code: 'invalid', message })
  }
})
