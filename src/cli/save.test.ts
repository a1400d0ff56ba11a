import assert from 'node:assert/strict'
import { mkdtempDisposable, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { save } from './save.ts'

async function* breakingOff() {
  yield Buffer.from('half of it')
  throw new Error('gone')
}

test('what breaks off leaves no file that could pass for the whole', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-save-'))
  const path = join(folder.path, 'totals.csv')
  const signal = new AbortController().signal
  await save(Readable.from([Buffer.from('all of it')]), path, signal)
  assert.equal(await readFile(path, 'utf8'), 'all of it')
  await assert.rejects(save(breakingOff(), path, signal), /gone/)
  assert.equal(await readFile(path, 'utf8'), 'all of it')
  await assert.rejects(save(breakingOff(), join(folder.path, 'other.csv'), signal), /gone/)
  assert.deepEqual(await readdir(folder.path), ['totals.csv'])
  await assert.rejects(save(breakingOff(), '/dev/null', signal), /gone/)
  assert.equal(await readFile('/dev/null', 'utf8'), '')
})
