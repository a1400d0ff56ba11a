import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { createMeter, quantity } from './progress.ts'

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
  assert.equal(
    stderr.text,
    'Reading: 20 bytes of 200 bytes (10 %)\nReading: 199 bytes of 200 bytes (99 %)\nWorking: 1 row\n',
  )
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
