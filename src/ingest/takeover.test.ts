import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { createTakeovers } from './takeover.ts'

/** Work that ends only when it is cut off; and how many were at it at the same time. */
function hanging() {
  let now = 0
  const seen = { most: 0, ended: 0 }
  const work = async (signal: AbortSignal) => {
    seen.most = Math.max(seen.most, ++now)
    try {
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    } finally {
      // What has come is written down first.
      await turn()
      now--
      seen.ended++
    }
  }
  return { seen, work }
}

test('who comes later cuts off who is at it, and begins when that has ended', async () => {
  const takeovers = createTakeovers()
  const { seen, work } = hanging()
  const first = assert.rejects(takeovers.run('a', work), { code: 'conflict' })
  await turn()
  assert.equal(await takeovers.run('a', async () => seen.ended), 1)
  await first
  // Nobody is at it any more.
  await takeovers.cut('a')
  assert.equal(await takeovers.run('a', async () => 'done'), 'done')
})

test('uploads are in nobody’s way but their own', async () => {
  const takeovers = createTakeovers()
  const { seen, work } = hanging()
  const one = assert.rejects(takeovers.run('one', work), { code: 'conflict' })
  const two = assert.rejects(takeovers.run('two', work), { code: 'conflict' })
  await turn()
  await takeovers.cut('one')
  await one
  assert.deepEqual(seen, { most: 2, ended: 1 })
  await takeovers.cut('two')
  await two
})

test('of a crowd that comes at once, one is at it at a time, and all can be cut off', async () => {
  const takeovers = createTakeovers()
  const { seen, work } = hanging()
  let cutOff = 0
  const one = async () => {
    await assert.rejects(takeovers.run('a', work), { code: 'conflict' })
    cutOff++
  }
  const crowd = Array.from({ length: 5 }, one)
  for (let i = 0; i < 50; i++) await turn()
  await takeovers.cut('a')
  for (let i = 0; i < 50; i++) await turn()
  assert.deepEqual([seen.most, cutOff], [1, 5])
  await Promise.all(crowd)
})

test('work that fails is over, and its own error is told', async () => {
  const takeovers = createTakeovers()
  const fails = takeovers.run('a', async () => {
    throw new Error('the disk')
  })
  await assert.rejects(fails, /the disk/)
  assert.equal(await takeovers.run('a', async () => 'done'), 'done')
})
