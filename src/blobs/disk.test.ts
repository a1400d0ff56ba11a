import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { testBlobs } from '../../test/contracts/blobs.ts'
import { openDiskBlobs } from './disk.ts'

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'rowmill-blobs-'))
  return { path, blobs: join(path, 'data', 'blobs'), [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

testBlobs('disk', async () => {
  const { blobs, ...rest } = await folder()
  return { ...rest, open: () => openDiskBlobs(blobs) }
})

async function* one(chunk: string) {
  yield Buffer.from(chunk)
}

/** A process that puts a key, says so when half of it is written, and goes on when it is told to. */
async function halfway(root: string) {
  const source = `
    import { once } from 'node:events'
    import { openDiskBlobs } from ${JSON.stringify(import.meta.resolve('./disk.ts'))}
    async function* slow() {
      yield Buffer.alloc(100_000, 'x')
      console.log('halfway')
      await once(process.stdin, 'data')
      yield Buffer.from('end')
    }
    const blobs = await openDiskBlobs(${JSON.stringify(root)})
    await blobs.put('a/b', slow())
    process.exit()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

test('what a killed process left half-written is gone at the next start', async () => {
  await using at = await folder()
  const child = await halfway(at.blobs)
  child.kill('SIGKILL')
  await once(child, 'close')
  assert.equal((await readdir(join(at.blobs, 'tmp'))).length, 1)
  const blobs = await openDiskBlobs(at.blobs)
  assert.deepEqual(await readdir(join(at.blobs, 'tmp')), [])
  assert.deepEqual(await blobs.list(''), [])
  await blobs.put('a/b', one('again'))
})

test('a put that fails leaves no draft', async () => {
  await using at = await folder()
  const blobs = await openDiskBlobs(at.blobs)
  await assert.rejects(blobs.put('a/b', one('too much'), { maxBytes: 3 }), { code: 'too_large' })
  await assert.rejects(blobs.put('a/b', one('too late'), { signal: AbortSignal.abort(new Error('stopped')) }))
  assert.deepEqual(await readdir(join(at.blobs, 'tmp')), [])
})

test('what a living process is writing is left alone', async () => {
  await using at = await folder()
  const child = await halfway(at.blobs)
  const blobs = await openDiskBlobs(at.blobs)
  child.stdin.write('\n')
  assert.deepEqual(await once(child, 'close'), [0, null])
  assert.equal((await text(await blobs.read('a/b'))).length, 100_003)
  assert.deepEqual(await readdir(join(at.blobs, 'tmp')), [])
})

test('what another machine was writing is left for an hour', async () => {
  await using at = await folder()
  const tmp = join(at.blobs, 'tmp')
  await mkdir(tmp, { recursive: true })
  for (const [name, minutes] of [
    ['old', 61],
    ['young', 59],
  ] as const) {
    const path = join(tmp, `${name}.4194305.elsewhere.example`)
    await writeFile(path, 'half')
    const then = Date.now() / 1_000 - minutes * 60
    await utimes(path, then, then)
  }
  await openDiskBlobs(at.blobs)
  assert.deepEqual(await readdir(tmp), ['young.4194305.elsewhere.example'])
})

test('a folder that is deleted while it is open comes back', async () => {
  await using at = await folder()
  const blobs = await openDiskBlobs(at.blobs)
  await blobs.put('a/b', one('lost'))
  await rm(join(at.path, 'data'), { recursive: true })
  await assert.rejects(blobs.read('a/b'), { code: 'not_found' })
  assert.deepEqual(await blobs.list(''), [])
  assert.ok((await blobs.free()) > 0)
  await rm(join(at.path, 'data'), { recursive: true })
  await blobs.put('a/b', one('new'))
  assert.equal(await text(await blobs.read('a/b')), 'new')
})

test('a put whose draft is deleted under it fails, and keeps nothing', async () => {
  await using at = await folder()
  const blobs = await openDiskBlobs(at.blobs)
  async function* source() {
    yield Buffer.from('first')
    await rm(join(at.path, 'data'), { recursive: true })
    yield Buffer.from('second')
  }
  await assert.rejects(blobs.put('a/b', source()), { code: 'unavailable', message: /ENOENT/ })
  assert.deepEqual(await blobs.list(''), [])
})

test('a place that cannot be a folder is refused in clear words', async () => {
  await using at = await folder()
  await writeFile(join(at.path, 'data'), '')
  await assert.rejects(openDiskBlobs(at.blobs), {
    code: 'unavailable',
    message: /data\/blobs cannot be used \(ENOTDIR\)/,
  })
})

test('one blob is fetched without a copy where the filesystem can', async () => {
  await using at = await folder()
  const blobs = await openDiskBlobs(at.blobs)
  await blobs.put('a/b', one('same'))
  const path = join(at.path, 'fetched')
  await blobs.fetch(['a/b'], path, new AbortController().signal)
  assert.equal((await stat(path)).ino, (await stat(join(at.blobs, 'a', 'b'))).ino)
  await assert.rejects(blobs.put('tmp/x', one('')), { code: 'internal' })
})
