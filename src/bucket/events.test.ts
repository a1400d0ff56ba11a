import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { readEvent } from './events.ts'

interface Told {
  readonly eventName?: string
  readonly bucket?: string
  readonly key: string
  readonly [more: string]: unknown
}

const record = ({ eventName = 'ObjectCreated:Put', bucket = 'drops', key, ...object }: Told) => ({
  eventVersion: '2.1',
  eventSource: 'aws:s3',
  eventName,
  s3: { bucket: { name: bucket }, object: { key, size: 7, eTag: 'ab12', sequencer: '0A', ...object } },
})
const event = (...records: readonly Told[]) => ({ Records: records.map(record) })
const keysOf = (told: unknown) => readEvent(JSON.stringify(told))?.map(({ key }) => key)

test('every record is told, in order, with what tells it from another object under its key', () => {
  const told = event({ key: 'load/a.csv' }, { key: 'load/b.csv', versionId: 'v1', bucket: 'other' })
  assert.deepEqual(readEvent(JSON.stringify(told)), [
    { bucket: 'drops', key: 'load/a.csv', version: undefined, etag: 'ab12' },
    { bucket: 'other', key: 'load/b.csv', version: 'v1', etag: 'ab12' },
  ])
  for (const versionId of ['', 'null', null]) {
    assert.equal(readEvent(JSON.stringify(event({ key: 'a', versionId })))?.[0]?.version, undefined)
  }
  // Ceph writes sizes as text, and nobody needs them.
  assert.deepEqual(keysOf(event({ key: 'a', size: '1024' })), ['a'])
})

suite('a key is read as forms write it', () => {
  for (const [written, key] of [
    ['load/my+file.csv', 'load/my file.csv'],
    ['load/a%2Bb.csv', 'load/a+b.csv'],
    ['load/100%25.csv', 'load/100%.csv'],
    ['load/100%2525.csv', 'load/100%25.csv'],
    ['load/%C3%BCmlaut%20%E6%97%A5%E6%9C%AC.csv', 'load/ümlaut 日本.csv'],
    ['load/ümlaut.csv', 'load/ümlaut.csv'],
    ['load/%22quoted%22%26%3D.csv', 'load/"quoted"&=.csv'],
  ] as const) {
    test(written, () => assert.deepEqual(keysOf(event({ key: written })), [key]))
  }
})

suite('what brings no object is nothing to do', () => {
  const cases: readonly (readonly [what: string, told: unknown])[] = [
    ['a test', { Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'drops', RequestId: '1', HostId: '2' }],
    ['a removal', event({ eventName: 'ObjectRemoved:Delete', key: 'load/a.csv' })],
    ['a removal that another store tells', event({ eventName: 's3:ObjectRemoved:Delete', key: 'load/a.csv' })],
    ['a removal without a key', { Records: [{ eventName: 'ObjectRemoved:Delete' }] }],
    ['a folder of a console', event({ key: 'load/' })],
    ['no record', { Records: [] }],
    ['a removal by EventBridge', { source: 'aws.s3', 'detail-type': 'Object Deleted', detail: {} }],
  ]
  for (const [what, told] of cases) test(what, () => assert.deepEqual(keysOf(told), []))
})

suite('a new object is told in several forms', () => {
  const told = event({ key: 'load/my+file.csv' })
  const bridged = {
    version: '0',
    'detail-type': 'Object Created',
    source: 'aws.s3',
    detail: {
      bucket: { name: 'drops' },
      object: { key: 'load/a+b 100%.csv', size: 7, etag: 'ab12', 'version-id': 'v1', sequencer: '0A' },
      reason: 'PutObject',
    },
  }
  const wrapped = (inner: unknown) => ({ Type: 'Notification', TopicArn: 'x', Message: JSON.stringify(inner) })
  for (const eventName of ['ObjectCreated:Copy', 'ObjectCreated:CompleteMultipartUpload', 's3:ObjectCreated:Post']) {
    test(eventName, () => assert.deepEqual(keysOf(event({ eventName, key: 'a' })), ['a']))
  }
  test('by SNS', () => assert.deepEqual(keysOf(wrapped(told)), ['load/my file.csv']))
  test('by EventBridge, with the key as it is', () => {
    const object = { bucket: 'drops', key: 'load/a+b 100%.csv', version: 'v1', etag: 'ab12' }
    assert.deepEqual(readEvent(JSON.stringify(bridged)), [object])
    assert.deepEqual(readEvent(JSON.stringify(wrapped(bridged))), [object])
  })
  test('with members that nobody knows', () => assert.deepEqual(keysOf({ ...told, more: 1 }), ['load/my file.csv']))
})

suite('what cannot be understood is no event', () => {
  const cases: readonly (readonly [what: string, message: string])[] = [
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['JSON of something else', '{"task":"01m808r5m8mhepg1dpa9ccs4gz"}'],
    ['a list', '[]'],
    ['records that are none', '{"Records":["x"]}'],
    ['a record without an object', '{"Records":[{"eventName":"ObjectCreated:Put"}]}'],
    ['a key that is no text', JSON.stringify(event({ key: 7 as unknown as string }))],
    ['a key that is not written as in a form', JSON.stringify(event({ key: 'load/100%.csv' }))],
    ['a key in Latin-1', JSON.stringify(event({ key: 'load/%FC.csv' }))],
    ['an object that could be any under its key', JSON.stringify(event({ key: 'a', eTag: '' }))],
    ['one good record beside a bad one', JSON.stringify(event({ key: 'a' }, { key: '%' }))],
    ['an envelope of nothing', '{"Type":"Notification","Message":"hello"}'],
    [
      'an envelope in an envelope',
      JSON.stringify({ Type: 'Notification', Message: '{"Type":"Notification","Message":"{}"}' }),
    ],
    ['more records than anybody sends', JSON.stringify(event(...Array.from({ length: 1_001 }, () => ({ key: 'a' }))))],
    ['more than anybody sends', `${JSON.stringify(event({ key: 'a' }))}${' '.repeat(1 << 20)}`],
  ]
  for (const [what, message] of cases) test(what, () => assert.equal(readEvent(message), undefined))
})
