import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../../errors.ts'
import { persist } from './retry.ts'

const answer = (status: number) => new AppError('unavailable', `HTTP ${status}`, { cause: { status, retryAfterMs: 0 } })
const broken = new AppError('unavailable', 'It broke.', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) })
const missing = new AppError('not_found', 'There is no file.')

/** Fails with these one after another, and then not. */
async function tried(errors: Error[], most = 60_000): Promise<{ attempts: number; told: string[] }> {
  const told: string[] = []
  const patience = { most, wait: 1, longestWait: 2 }
  const signal = new AbortController().signal
  const attempts = await persist({ patience, signal, tell: (line) => told.push(line) }, async ({ number }) => {
    const error = errors.shift()
    if (error !== undefined) throw error
    return number
  })
  return { attempts, told }
}

test('what may pass is tried again, and told', async () => {
  assert.deepEqual(await tried([broken, answer(503), answer(429), answer(409)]), {
    attempts: 5,
    told: [
      'The connection broke (ECONNRESET). Trying again in 1 s.',
      'The service answers 503. Trying again in 1 s.',
      'The service answers 429. Trying again in 1 s.',
      'The service answers 409. Trying again in 1 s.',
    ],
  })
})

test('what does not pass is final: refusals, a full disk, a conflict that no attempt before has made', async () => {
  for (const error of [answer(400), answer(409), answer(413), answer(507), missing, new Error('a fault')]) {
    await assert.rejects(tried([error]), error)
  }
})

test('it is given up when nothing gets on, and the last reason told', async () => {
  await assert.rejects(tried([broken], 0), { code: 'unavailable', message: 'For 0 minutes nothing got on. It broke.' })
})

test('an interrupt ends the wait', async () => {
  const stop = new AbortController()
  const patience = { most: 60_000, wait: 60_000, longestWait: 60_000 }
  const tell = () => stop.abort()
  await assert.rejects(
    persist({ patience, signal: stop.signal, tell }, () => Promise.reject(broken)),
    { name: 'AbortError' },
  )
})
