import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from './config.ts'
import { AppError } from './errors.ts'

test('the environment goes before .env, .env before the defaults, and what is empty is not set', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-config-'))
  await writeFile(join(folder.path, '.env'), 'ROWMILL_PORT=6000\nROWMILL_LEASE=5s\nOTHER=1\n')
  const { config, origins } = loadConfig({ ROWMILL_PORT: '7000', ROWMILL_POLL: '', OTHER: '2' }, folder.path)
  assert.deepEqual([config.PORT, config.LEASE, config.POLL], [7000, 5000, 5000])
  assert.deepEqual(
    [origins.PORT, origins.LEASE.source, origins.POLL.source],
    [{ text: '7000', source: 'environment' }, '.env', 'default'],
  )
})

test('a value can be in a file that NAME_FILE names', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-config-'))
  const file = join(folder.path, 'port')
  await writeFile(file, '8000\n')
  const { config, origins } = loadConfig({ ROWMILL_PORT_FILE: file }, folder.path)
  assert.deepEqual([config.PORT, origins.PORT.source], [8000, 'file'])
  assert.throws(
    () => loadConfig({ ROWMILL_PORT_FILE: `${file}x` }, folder.path),
    /ROWMILL_PORT_FILE names .* \(ENOENT\)/,
  )
})

test('sizes and durations are written as people write them', () => {
  const { config } = loadConfig(
    { ROWMILL_MAX_UPLOAD: '1.5GB', ROWMILL_DISK_RESERVE: '10kb', ROWMILL_LEASE: '250ms', ROWMILL_TASK_TIMEOUT: '2d' },
    tmpdir(),
  )
  assert.deepEqual(
    [config.MAX_UPLOAD, config.DISK_RESERVE, config.LEASE, config.TASK_TIMEOUT],
    [1.5e9, 10_000, 250, 2 * 86_400_000],
  )
})

test('all that is wrong is told at once, with what was perhaps meant', () => {
  const wrong = { ROWMILL_PROT: '1', ROWMILL_NOTHING_LIKE_IT: '1', ROWMILL_PORT: '70000', ROWMILL_LEASE: 'soon' }
  assert.throws(
    () => loadConfig(wrong, tmpdir()),
    (error) => {
      assert.ok(error instanceof AppError)
      assert.deepEqual(error.message.split('\n'), [
        'ROWMILL_PROT is not a setting. Did you mean ROWMILL_PORT?',
        'ROWMILL_NOTHING_LIKE_IT is not a setting.',
        'ROWMILL_PORT=70000 (environment): expected at most 65535',
        'ROWMILL_LEASE=soon (environment): expected a duration such as 500ms, 30s, 5m or 7d',
      ])
      return true
    },
  )
})
