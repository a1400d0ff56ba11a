import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { createMeter, duration, quantity } from './progress.ts'

function sink(): Writable & { text: string } {
  const stream = Object.assign(
    new Writable({
      write(chunk: Buffer, _, done) {
        stream.text += chunk.toString()
        done()
      },
    }),
    { text: '' },
  )
  return stream
}

test('without a terminal, progress is a line every five seconds after a silent one, and none for what is done', () => {
  const stderr = sink()
  let now = 0
  using meter = createMeter(stderr, () => now)
  const show = (at: number, done: number) => {
    now = at
    meter.show('Reading', { unit: 'bytes', done, total: 200 })
  }
  show(999, 10)
  show(1000, 20)
  show(5999, 30)
  show(6000, 200)
  show(6001, 199)
  now = 20_000
  meter.show('Working', { unit: 'rows', done: 1, total: null })
  assert.deepEqual(stderr.text.split('\n'), [
    'Reading: 20 bytes of 200 bytes (10 %)',
    'Reading: 199 bytes of 200 bytes (99 %), 38 B/s, 1 s left',
    'Working: 1 row',
    '',
  ])
})

test('the pace is that of the last seconds, and begins anew where something goes back', () => {
  const stderr = sink()
  let now = 0
  using meter = createMeter(stderr, () => now)
  const show = (at: number, megabytes: number) => {
    now = at
    meter.show('Uploading', { unit: 'bytes', done: megabytes * 1e6, total: 1000e6 })
  }
  for (let second = 0; second <= 20; second++) show(second * 1000, second < 10 ? second : 10 + (second - 10) * 5)
  for (let second = 21; second <= 30; second++) show(second * 1000, second - 21)
  meter.tell('A line of its own.')
  assert.deepEqual(stderr.text.split('\n'), [
    'Uploading: 1.0 MB of 1.0 GB (0 %), 1.0 MB/s, 16 min 39 s left',
    'Uploading: 6.0 MB of 1.0 GB (0 %), 1.0 MB/s, 16 min 34 s left',
    'Uploading: 15.0 MB of 1.0 GB (1 %), 1.4 MB/s, 11 min 44 s left',
    'Uploading: 40.0 MB of 1.0 GB (4 %), 3.4 MB/s, 4 min 43 s left',
    'Uploading: 0 bytes of 1.0 GB (0 %)',
    'Uploading: 5.0 MB of 1.0 GB (0 %), 1.0 MB/s, 16 min 35 s left',
    'A line of its own.',
    '',
  ])
})

test('what is left is told as people say it', () => {
  assert.deepEqual([0.2, 59, 60, 200, 7500].map(duration), ['1 s', '59 s', '1 min 0 s', '3 min 20 s', '2 h 5 min'])
})

test('on a terminal, progress is a bar that ends when the label changes', () => {
  const stderr = Object.assign(sink(), { isTTY: true, columns: 120, cursorTo() {}, clearLine() {}, moveCursor() {} })
  let now = 0
  using meter = createMeter(stderr, () => now)
  meter.show('Reading', { unit: 'bytes', done: 10, total: 200 })
  assert.equal(stderr.text, '')
  now = 2000
  meter.show('Reading', { unit: 'bytes', done: 50, total: 200 })
  assert.match(stderr.text, /Reading .*50 bytes of 200 bytes \(25 %\)/)
  meter.show('Working', { unit: 'rows', done: 3, total: null })
  assert.match(stderr.text, /\n.*Working .*3 rows/)
})

test('amounts are told as people say them', () => {
  assert.equal(quantity(10_000_000, 'rows'), '10,000,000 rows')
  assert.equal(quantity(354_000_000, 'bytes'), '354.0 MB')
  assert.equal(quantity(999, 'bytes'), '999 bytes')
})
