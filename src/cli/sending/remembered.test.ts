import assert from 'node:assert/strict'
import { appendFile, mkdtempDisposable, readdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../config.ts'
import { remember } from './remembered.ts'

const push = { service: 'http://localhost', files: ['/a', '/b'], fields: [['pipeline', 'x']], set: undefined } as const
const notes = [
  { path: '/a', stamp: '1:1', key: 'k', upload: '/v1/uploads/1' },
  { path: '/b', stamp: '2:2', key: 'l', pieces: 4 },
] as const

test('what was noted is remembered by the same push alone, and nobody else may read it', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-state-'))
  const state = join(folder.path, 'deep', 'state')
  const warned: string[] = []
  const open = (more = {}) => remember(state, { ...push, ...more }, 'fresh', (line) => warned.push(line))
  const first = await open()
  for (const note of notes) await first.note(note)
  const [name = ''] = await readdir(join(state, 'uploads'))
  const modes = [join(state, 'uploads'), join(state, 'uploads', name)].map(
    async (path) => (await stat(path)).mode & 0o77,
  )
  assert.deepEqual(await Promise.all(modes), [0, 0])

  // Killed amid a line.
  await appendFile(join(state, 'uploads', name), '\n{"path":"/a","forg')
  const second = await remember(state, push, 'another', () => {})
  assert.deepEqual([second.set, second.of('/a'), second.of('/b')], ['fresh', ...notes])
  await second.note({ ...notes[1], upload: '/v1/uploads/2' })
  await second.forget('/a')
  const third = await open()
  assert.deepEqual([third.of('/a'), third.of('/b')?.upload, third.isUnfinished], [undefined, '/v1/uploads/2', true])

  for (const other of [{ service: 'http://other' }, { files: ['/a'] }, { fields: [] }, { set: 'named' }]) {
    assert.equal((await open(other)).isUnfinished, false)
  }
  await third.forget('/b')
  assert.deepEqual([third.isUnfinished, await readdir(join(state, 'uploads')), warned], [false, [], []])
})

test('it is noted where the machine keeps such things, unless another folder is set', () => {
  const stateOf = (env: Record<string, string>) => loadConfig(env, tmpdir()).config.STATE
  assert.equal(stateOf({ HOME: '/home/me' }), '/home/me/.local/state/rowmill')
  assert.equal(stateOf({ HOME: '/home/me', XDG_STATE_HOME: 'relative' }), '/home/me/.local/state/rowmill')
  assert.equal(stateOf({ HOME: '/home/me', XDG_STATE_HOME: '/state' }), '/state/rowmill')
  assert.equal(stateOf({ XDG_STATE_HOME: '/state', ROWMILL_STATE: '/mine' }), '/mine')
})

test('where nothing can be noted it is told once, and the push goes on', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-state-'))
  const state = join(folder.path, 'file')
  await writeFile(state, '')
  const warned: string[] = []
  const remembered = await remember(state, push, undefined, (line) => warned.push(line))
  for (const note of notes) await remembered.note(note)
  assert.deepEqual([remembered.of('/a'), remembered.isUnfinished, warned.length], [notes[0], false, 1])
  assert.match(warned[0] ?? '', /cannot be noted in .* \(ENOTDIR\)\. ROWMILL_STATE names another folder\.$/)
  await remembered.clear()
})
