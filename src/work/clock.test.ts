import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClockJudge } from './clock.ts'

const hour = 3_600_000
const start = Date.UTC(2026, 0, 1)

/** One look an hour, at a clock that is off by so much from some hour on. */
function looks(hours: number, { seen = start, off = (i: number): number => 0 * i } = {}) {
  const judge = createClockJudge()
  return Array.from(
    { length: hours },
    (_, i) => judge({ now: start + i * hour + off(i), monotonic: 5 + i * hour, seen }) === undefined,
  )
}

test('a clock that runs on is believed, also after a night without us, and at the very first start', () => {
  assert.deepEqual(looks(3), [true, true, true])
  assert.deepEqual(looks(2, { seen: start - 25 * hour }), [true, true])
  const judge = createClockJudge()
  assert.equal(judge({ now: start, monotonic: 0, seen: null }), undefined)
})

test('a clock that jumps, forth or back, is not believed until it has run for hours', () => {
  for (const jump of [hour, -hour, 48 * hour]) {
    const believed = looks(12, { off: (i) => (i < 2 ? 0 : jump), seen: start - 24 * hour })
    assert.deepEqual(believed, [
      true,
      true,
      ...Array.from({ length: 6 }, () => false),
      ...Array.from({ length: 4 }, () => true),
    ])
  }
})

test('a clock that is days ahead of when it was last believed is not believed at once', () => {
  assert.deepEqual(looks(8, { seen: start - 48 * hour }), [false, false, false, false, false, false, true, true])
})

test('a clock that is behind is not believed before it has caught up', () => {
  assert.deepEqual(looks(5, { seen: start + 2 * hour }), [false, false, true, true, true])
})
