import assert from 'node:assert/strict'
import { link, mkdtempDisposable, open, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Draft } from './draft.ts'
import { descriptorOf, isStandardOutput, outputPlace, placeOf } from './places.ts'

test('a path that leads to what is open already is known by whatever name', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-places-'))
  const path = join(folder.path, 'link')
  await symlink('/dev/stdout', path)
  for (const named of ['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1', '/dev/../dev/stdout', path]) {
    assert.equal(await descriptorOf(named), 1, named)
    assert.equal(await isStandardOutput(named), true, named)
    assert.equal(await outputPlace(named), undefined, named)
  }
  assert.equal(await descriptorOf('/dev/fd/23'), 23)
  assert.equal(await isStandardOutput('-'), true)
  for (const named of ['/dev/null', folder.path, join(folder.path, '1'), '/nowhere/fd/1', '-o']) {
    assert.equal(await descriptorOf(named), undefined, named)
    assert.equal(await outputPlace(named), named)
  }
})

test('one file is one place by all its names', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-places-'))
  const at = (name: string) => join(folder.path, name)
  await writeFile(at('a'), '')
  await symlink(at('a'), at('b'))
  await link(at('a'), at('c'))
  await using file = await open(at('a'), 'a')
  const identity = async (named: string) => (await placeOf(named, 'output')).identity
  for (const name of [at('b'), at('c'), join(folder.path, '.', 'a'), `/dev/fd/${file.fd}`]) {
    assert.equal(await identity(name), await identity(at('a')), name)
  }
  assert.notEqual(await identity(at('d')), await identity(at('a')))
  assert.equal(await identity(at('new')), await identity(join(folder.path, '.', 'new')))
  assert.equal(await identity('-'), await identity('/dev/stdout'))
})

test('a file that is open already is gone on with where it stands', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-places-'))
  const path = join(folder.path, 'a')
  await writeFile(path, 'before\n')
  const before = await stat(path)
  await using file = await open(path, 'a')
  await using draft = await Draft.open(`/dev/fd/${file.fd}`)
  await draft.write(Buffer.from('new\n'))
  await draft.keep()
  await file.appendFile('after\n')
  assert.equal(await readFile(path, 'utf8'), 'before\nnew\nafter\n')
  assert.equal((await stat(path)).ino, before.ino)
})
