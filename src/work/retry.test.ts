import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../errors.ts'
import { afterError } from './retry.ts'

const policy = { attempts: 3, crashes: 2, backoff: 1000, backoffMax: 3000 }
const fresh = { crashes: 0, failures: 0 }

test('what may pass is tried again, with a wait that grows up to its limit', () => {
  const error = new AppError('unavailable', 'The database is away.')
  assert.deepEqual(afterError(fresh, error, policy, 0.5), { state: 'queued', why: 'failed', delayMs: 500 })
  assert.deepEqual(afterError({ ...fresh, failures: 1 }, error, policy, 0.999), {
    state: 'queued',
    why: 'failed',
    delayMs: 1998,
  })
  assert.deepEqual(afterError({ ...fresh, failures: 9 }, error, { ...policy, attempts: 99 }, 0.5), {
    state: 'queued',
    why: 'failed',
    delayMs: 1500,
  })
  assert.partialDeepStrictEqual(afterError({ ...fresh, failures: 2 }, error, policy, 0), {
    state: 'failed',
    crashed: false,
    error: { code: 'unavailable', message: 'The database is away. Given up after 3 times.' },
  })
})

test('crashes are counted apart from errors', () => {
  const error = new AppError('crashed', 'It died.')
  assert.partialDeepStrictEqual(afterError({ crashes: 0, failures: 2 }, error, policy, 0), {
    state: 'queued',
    why: 'crashed',
  })
  assert.partialDeepStrictEqual(afterError({ crashes: 1, failures: 0 }, error, policy, 0), {
    state: 'failed',
    crashed: true,
  })
})

test('what will not pass fails at once', () => {
  for (const code of ['rejected', 'full', 'timeout', 'unprocessable'] as const) {
    assert.partialDeepStrictEqual(afterError(fresh, new AppError(code, 'No.'), policy, 0), {
      state: 'failed',
      crashed: false,
      error: { code, message: 'No.' },
    })
  }
})
