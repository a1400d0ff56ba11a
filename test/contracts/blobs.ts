/** What every store of blobs must do. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Blobs } from '../../src/ports.ts'

/** A place of one test's own; what one opening of it has stored, the next one finds. */
export interface BlobStore extends AsyncDisposable {
  open(): Promise<Blobs>
}

const never = new AbortController().signal

async function* chunksOf(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

/** Yields some bytes and then nothing, for ever. */
async function* silentAfter(text: string, then: () => void): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
  then()
  await new Promise(() => {})
}

const textOf = async (blobs: Blobs, key: string) => (await buffer(await blobs.read(key))).toString()

async function scratch() {
  const path = await mkdtemp(join(tmpdir(), 'rowmill-scratch-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

export function testBlobs(name: string, makeStore: () => Promise<BlobStore>): void {
  function check(what: string, body: (blobs: Blobs, store: BlobStore) => Promise<void>): void {
    test(`${name}: ${what}`, async () => {
      await using store = await makeStore()
      await body(await store.open(), store)
    })
  }

  check('any bytes in any chunks come back whole, with their digest', async (blobs, store) => {
    let n = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300_000, size: 'max' }), { maxLength: 6 }),
        async (chunks) => {
          const key = `uploads/one/${++n}`
          const whole = Buffer.concat(chunks)
          const sum = { bytes: whole.length, sha256: createHash('sha256').update(whole).digest('hex') }
          assert.deepEqual(await blobs.put(key, chunksOf(...chunks)), sum)
          assert.ok(whole.equals(await buffer(await (await store.open()).read(key))))
        },
      ),
      { numRuns: 12, examples: [[[]], [[new Uint8Array()]]] },
    )
  })

  check('a key is taken once, also by two at the same moment', async (blobs, store) => {
    await blobs.put('a/1', chunksOf('first'))
    let read = false
    async function* second() {
      read = true
      yield* chunksOf('second')
    }
    await assert.rejects(blobs.put('a/1', second()), { code: 'conflict' })
    assert.equal(await textOf(blobs, 'a/1'), 'first')
    assert.equal(read, false, 'what cannot be kept need not be sent')

    const other = await store.open()
    async function* overtaken() {
      yield* chunksOf('slow')
      await other.put('a/3', chunksOf('fast'))
    }
    await assert.rejects(blobs.put('a/3', overtaken()), { code: 'conflict' })
    assert.equal(await textOf(blobs, 'a/3'), 'fast')

    const race = await Promise.allSettled(['x', 'y', 'z'].map((text) => blobs.put('a/2', chunksOf(text, text))))
    const won = race.flatMap((result, i) => (result.status === 'fulfilled' ? ['xyz'.charAt(i).repeat(2)] : []))
    assert.deepEqual([await textOf(blobs, 'a/2')], won)
    assert.deepEqual(await blobs.list(''), ['a/1', 'a/2', 'a/3'])
  })

  check('what is too large, fails or is stopped leaves nothing and frees its key', async (blobs) => {
    const key = 'uploads/id/1'
    await assert.rejects(blobs.put(key, chunksOf('123', '45'), { maxBytes: 4 }), { code: 'too_large' })
    const broken = new Error('the client went away')
    async function* breaking() {
      yield* chunksOf('123')
      throw broken
    }
    await assert.rejects(blobs.put(key, breaking()), (error) => error === broken)
    const stop = new AbortController()
    const reason = new Error('stopped')
    const stopped = blobs.put(
      key,
      silentAfter('123', () => stop.abort(reason)),
      { signal: stop.signal },
    )
    await assert.rejects(stopped, (error) => error === reason)
    await assert.rejects(blobs.put(key, chunksOf('1'), { signal: stop.signal }), (error) => error === reason)
    assert.deepEqual(await blobs.list(''), [])
    await assert.rejects(blobs.read(key), { code: 'not_found' })
    assert.equal((await blobs.put(key, chunksOf('123', '4'), { maxBytes: 4, signal: never })).bytes, 4)
  })

  check('nothing can be seen of a blob before it is whole', async (blobs, store) => {
    const { promise: halfway, resolve: arrive } = Promise.withResolvers<void>()
    const { promise: go, resolve: goOn } = Promise.withResolvers<void>()
    async function* slow() {
      yield* chunksOf('first half, ')
      arrive()
      await go
      yield* chunksOf('second half')
    }
    const put = blobs.put('a/b/c', slow())
    await halfway
    // Somebody else opening the store must not take the half for debris.
    const other = await store.open()
    assert.deepEqual(await other.list(''), [])
    await assert.rejects(other.read('a/b/c'), { code: 'not_found' })
    goOn()
    await put
    assert.equal(await textOf(other, 'a/b/c'), 'first half, second half')
  })

  check('fetch makes one file of one blob or of several, in the order given', async (blobs) => {
    await using at = await scratch()
    const big = Buffer.alloc(3_000_000, 'abcdefg\n')
    await blobs.put('u/1', chunksOf('one,'))
    await blobs.put('u/2', chunksOf(big))
    const fetched = async (...keys: string[]) => {
      const path = join(at.path, `file${keys.join('').replaceAll('/', '')}`)
      await blobs.fetch(keys, path, never)
      return await readFile(path)
    }
    assert.equal((await fetched('u/1')).toString(), 'one,')
    assert.ok(Buffer.concat([big, Buffer.from('one,'), big]).equals(await fetched('u/2', 'u/1', 'u/2')))
    assert.equal((await fetched()).length, 0)
  })

  check('a fetched file and its blob live and die apart', async (blobs) => {
    await using at = await scratch()
    const path = join(at.path, 'file')
    await blobs.put('u/1', chunksOf('kept'))
    await blobs.fetch(['u/1'], path, never)
    await rm(path)
    assert.equal(await textOf(blobs, 'u/1'), 'kept')
    await blobs.fetch(['u/1'], path, never)
    await blobs.delete('u')
    assert.equal(await readFile(path, 'utf8'), 'kept')
  })

  check('a fetch that cannot end well leaves no file', async (blobs) => {
    await using at = await scratch()
    const path = join(at.path, 'file')
    await blobs.put('u/1', chunksOf('there'))
    await assert.rejects(blobs.fetch(['u/9'], path, never), { code: 'not_found' })
    await assert.rejects(blobs.fetch(['u/1', 'u/9'], path, never), { code: 'not_found' })
    const reason = new Error('stopped')
    for (const keys of [['u/1'], ['u/1', 'u/1']]) {
      await assert.rejects(blobs.fetch(keys, path, AbortSignal.abort(reason)), (error) => error === reason)
    }
    assert.deepEqual(await readdir(at.path), [])
  })

  check('list and delete see whole names only, and no order but the keys’ own', async (blobs) => {
    const keys = ['a/b/2', 'a/bc/1', 'a/b/10', 'a/b.d', 'z', 'a/b/1/x']
    for (const key of keys) await blobs.put(key, chunksOf(key))
    assert.deepEqual(await blobs.list(''), keys.toSorted())
    assert.deepEqual(await blobs.list('a/b'), ['a/b/1/x', 'a/b/10', 'a/b/2'])
    assert.deepEqual(await blobs.list('a/b/'), await blobs.list('a/b'))
    assert.deepEqual(await blobs.list('z'), ['z'])
    assert.deepEqual(await blobs.list('nowhere/at/all'), [])
    await blobs.delete('a/b')
    await blobs.delete('a/b/')
    await blobs.delete('z')
    await blobs.delete('nowhere')
    assert.deepEqual(await blobs.list(''), ['a/b.d', 'a/bc/1'])
    await blobs.put('a/b/2', chunksOf('again'))
    assert.equal(await textOf(blobs, 'a/b/2'), 'again')
  })

  check('no text but a key of ours becomes a place', async (blobs) => {
    await blobs.put('a/b', chunksOf('kept'))
    const bad = [
      '',
      '/',
      '/a',
      'a//b',
      '..',
      '../a',
      'a/../../b',
      'a/.',
      './a',
      'a\0',
      'a\\b',
      'ä',
      'a b',
      'a/b\n',
      '%2e',
    ]
    for (const key of [...bad, 'x'.repeat(256)]) {
      await assert.rejects(blobs.put(key, chunksOf('x')), { code: 'internal' }, key)
      await assert.rejects(blobs.read(key), { code: 'internal' }, key)
      await assert.rejects(blobs.fetch([key], join(tmpdir(), 'never-made'), never), { code: 'internal' }, key)
      await assert.rejects(blobs.delete(key), { code: 'internal' }, key)
    }
    assert.deepEqual(await blobs.list(''), ['a/b'])
  })

  check('it knows how much more it can store, and that it can', async (blobs) => {
    assert.ok((await blobs.free()) > 0)
    await blobs.ping()
  })

  check('what is being put is not taken for abandoned, and what is whole never', async (blobs, store) => {
    const other = await store.open()
    await blobs.put('a/1', chunksOf('whole'))
    async function* slow() {
      yield* chunksOf(Buffer.alloc(11 << 20, 'x'))
      assert.equal(await other.abandon(3_600_000), 0)
      yield* chunksOf('end')
    }
    assert.equal((await blobs.put('a/2', slow())).bytes, (11 << 20) + 3)
    assert.equal(await other.abandon(-3_600_000), 0)
    assert.deepEqual(await blobs.list(''), ['a/1', 'a/2'])
  })

  check('a reader that goes away early leaves nothing open', async (blobs) => {
    await blobs.put('a/1', chunksOf(Buffer.alloc(3_000_000)))
    const unread = await blobs.read('a/1')
    unread.destroy()
    const halfRead = await blobs.read('a/1')
    for await (const _ of halfRead) break
    assert.deepEqual([unread.destroyed, halfRead.destroyed], [true, true])
  })

  check('clients send and get objects without a detour, where it has an address for them', async (blobs) => {
    const { direct } = blobs
    if (direct === undefined) return
    await assert.rejects(direct.stat('d/1'), { code: 'not_found' })
    for (const ask of [direct.stat('../d'), direct.upload('../d', 60)]) await assert.rejects(ask, { code: 'internal' })
    const sent = await fetch(await direct.upload('d/1', 60), { method: 'PUT', body: 'a,b\n1,2\n' })
    assert.equal(sent.status, 200)
    assert.deepEqual(await direct.stat('d/1'), { bytes: 8 })
    assert.equal(await textOf(blobs, 'd/1'), 'a,b\n1,2\n')
    const fileName = `Umsätze "März" (2).csv`
    const got = await fetch(await direct.download('d/1', 60, { name: fileName, type: 'text/csv' }))
    assert.equal(await got.text(), 'a,b\n1,2\n')
    assert.equal(got.headers.get('content-type'), 'text/csv')
    assert.equal(
      got.headers.get('content-disposition'),
      `attachment; filename="Ums_tze _M_rz_ (2).csv"; filename*=UTF-8''Ums%C3%A4tze%20%22M%C3%A4rz%22%20%282%29.csv`,
    )
    const bare = new URL(await direct.download('d/1', 60, { name: fileName, type: 'text/csv' }))
    bare.search = ''
    assert.equal((await fetch(bare)).status, 403)
  })
}
