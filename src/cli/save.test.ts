import assert from 'node:assert/strict'
import { mkdtempDisposable, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { makeFolder, save, saveAll } from './save.ts'

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

test('a file keeps its mode, and a link stays one, also to what is not there yet', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-save-'))
  const signal = new AbortController().signal
  const [path, link, late] = ['secret.csv', 'link.csv', 'late.csv'].map((name) => join(folder.path, name))
  assert.ok(path && link && late)
  await writeFile(path, 'old', { mode: 0o600 })
  await symlink('late.csv', link)
  await save(Readable.from([Buffer.from('new')]), path, signal)
  await save(Readable.from([Buffer.from('late')]), link, signal)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual([await readFile(path, 'utf8'), await readFile(late, 'utf8')], ['new', 'late'])
  assert.equal(await readlink(link), 'late.csv')
})

test('of files that belong together none is left when one breaks off', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-save-'))
  const signal = new AbortController().signal
  const whole = { path: join(folder.path, 'totals.csv'), open: () => Readable.from([Buffer.from('all of it')]) }
  await assert.rejects(saveAll([whole, { path: join(folder.path, 'rejects.csv'), open: breakingOff }], signal), /gone/)
  assert.deepEqual(await readdir(folder.path), [])
})

test('a full disk is told by the place that is on it', async () => {
  const signal = new AbortController().signal
  await assert.rejects(save(Readable.from([Buffer.from('x')]), '/dev/full', signal), {
    code: 'full',
    message: '/dev/full cannot be written (its disk is full). Free some space there, or choose another place.',
  })
})

test('folders are made with those above them, and where none can be made that is told', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-save-'))
  const deep = join(folder.path, 'a/b/c')
  await Promise.all([makeFolder(deep), makeFolder(deep)])
  for (let i = 0; i < 50; i++) {
    // Each finds what is above missing, or just made by the other.
    await Promise.all(['a', 'b'].map((name) => makeFolder(join(deep, String(i), name))))
  }
  await makeFolder(deep)
  assert.deepEqual(await readdir(join(folder.path, 'a/b')), ['c'])
  await writeFile(join(folder.path, 'file'), '')
  await symlink('nowhere', join(folder.path, 'link'))
  for (const path of ['/proc/nowhere/at/all', join(folder.path, 'file/x'), join(folder.path, 'link/x')]) {
    await assert.rejects(makeFolder(path), { code: 'invalid', message: /cannot be written/ })
  }
})
