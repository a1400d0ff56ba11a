import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { contentOf, json, refusal, type ServeOptions, type Served, serve } from '../../test/http-fixture.ts'
import { freshBucket, missing, type TestBucket } from '../../test/servers.ts'
import { openS3Blobs } from '../blobs/s3/store.ts'
import { newId } from '../ids.ts'
import { createLog } from '../log.ts'
import { directKey, directPrefix, uploadsPrefix } from '../model.ts'
import { sweepBlobs } from '../work/sweep.ts'

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\nHalo,2020-01-02,7\n'
const pieces = [plays.slice(0, 30), plays.slice(30, 60), plays.slice(60)] as const
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** An upload in pieces, and what is asked of it. */
async function begin({ url }: Pick<Served, 'url'>, query: string) {
  const { upload } = await json(await fetch(`${url}/v1/uploads?${query}`, { method: 'POST' }))
  const { id } = upload as { id: string }
  const part = (n: number) => `${url}/v1/uploads/${id}/parts/${n}`
  const offer = (n: number) => fetch(`${part(n)}/direct`, { method: 'POST' })
  return {
    id,
    offer,
    /** Puts bytes past the service; the URL that they were put at. */
    send: async (n: number, body: string) => {
      const offered = await json(await offer(n))
      assert.equal(offered['method'], 'PUT')
      assert.ok(Date.parse(String(offered['expiresAt'])) > Date.now())
      const at = String(offered['url'])
      await resend(at, body)
      return at
    },
    tell: (n: number, told = '') => fetch(`${part(n)}/direct${told && `?sha256=${told}`}`, { method: 'PUT' }),
    put: (n: number, body: string) => fetch(part(n), { method: 'PUT', body }),
    get: () => fetch(`${url}/v1/uploads/${id}`).then(json),
    remove: () => fetch(`${url}/v1/uploads/${id}`, { method: 'DELETE' }),
  }
}

async function resend(url: string, body: string): Promise<void> {
  assert.equal((await fetch(url, { method: 'PUT', body })).status, 200)
}

suite('past the service', { skip: missing('radosgw') }, () => {
  let bucket: TestBucket
  before(async () => {
    bucket = await freshBucket()
  })
  after(() => bucket[Symbol.asyncDispose]())

  /** @param onRead told which object is read. */
  async function serveBucket(options: ServeOptions = {}, onRead: (key: string) => void = () => {}): Promise<Served> {
    const blobs = await openS3Blobs(bucket.url.replace('?', `/${newId()}?`))
    const read = (key: string) => {
      onRead(key)
      return blobs.read(key)
    }
    return await serve({ ...options, blobs: { ...blobs, read } })
  }

  test('pieces come in any order, by either door, and the last of them completes the upload', async () => {
    await using served = await serveBucket()
    const { id, send, tell, put, get } = await begin(served, 'parts=3&pipeline=song-plays')
    await send(3, pieces[2])
    assert.equal((await json(await tell(3, sha256(pieces[2]))))['bytes'], pieces[2].length)
    assert.equal((await put(1, pieces[0])).status, 200)
    await send(2, pieces[1])
    const last = await tell(2)
    assert.equal(last.status, 200)
    assert.equal((await json(last))['state'], 'complete')
    assert.equal(String(await contentOf(served, id)), plays)
    assert.deepEqual(await served.catalog.dueTasks(2), [(await get())['task']])
    assert.deepEqual(await served.blobs.list(directPrefix), [])
    // Its answer may have been lost.
    assert.equal((await json(await tell(2, sha256(pieces[1]))))['state'], 'complete')
    assert.equal(await refusal(await tell(2, sha256('other'))), '409 conflict')
    assert.equal((await served.catalog.parts(id)).length, 3)
  })

  test('what is told before it was put is refused, and what is told twice is taken once', async () => {
    await using served = await serveBucket()
    const { id, send, tell, get } = await begin(served, 'parts=any')
    const early = await tell(1)
    assert.match(String((await json(early.clone()))['detail']), /^Nothing was put at the URL of piece 1/)
    assert.equal(await refusal(early), '409 conflict')
    await send(1, plays)
    const twice = await Promise.all([tell(1), tell(1, sha256(plays))])
    assert.deepEqual(
      twice.map(({ status }) => status),
      [200, 200],
    )
    assert.equal((await tell(1, sha256(plays))).status, 200)
    assert.equal(await refusal(await tell(1, sha256('other'))), '409 conflict')
    assert.equal((await get())['bytes'], plays.length)
    assert.equal((await served.blobs.list(uploadsPrefix)).length, 1)
    assert.equal((await served.catalog.parts(id))[0]?.sha256, sha256(plays))
  })

  test('what is put at a URL once more changes nothing, until it is told', async () => {
    await using served = await serveBucket()
    const { id, send, tell } = await begin(served, 'parts=any')
    const url = await send(1, plays)
    assert.equal((await tell(1)).status, 200)
    await resend(url, 'other,bytes\n1,2\n')
    assert.equal(String(await contentOf(served, id)), plays)
    assert.equal((await tell(1)).status, 200)
    assert.equal(String(await contentOf(served, id)), 'other,bytes\n1,2\n')
  })

  test('what is too large is refused before it is read, and removed', async () => {
    const limits = { limits: { maxUpload: 100 }, keeping: { ownerQuota: 60 } }
    const read: string[] = []
    await using served = await serveBucket(limits, (key) => read.push(key))
    const { id, send, tell, get } = await begin(served, 'parts=any')
    await send(1, 'x'.repeat(101))
    const large = await tell(1)
    assert.match(String((await json(large.clone()))['detail']), /ROWMILL_MAX_UPLOAD/)
    assert.equal(await refusal(large), '413 too_large')
    assert.deepEqual(await served.blobs.list(''), [])

    await send(1, plays.slice(0, 50))
    assert.equal((await tell(1)).status, 200)
    await send(2, 'x'.repeat(11))
    assert.match(String((await json(await tell(2)))['detail']), /ROWMILL_OWNER_QUOTA/)
    // What it replaces makes room.
    await send(1, plays.slice(0, 60))
    assert.equal((await json(await tell(1)))['bytes'], 60)
    assert.equal((await get())['bytes'], 60)
    assert.equal((await served.blobs.list('')).length, 1)
    assert.deepEqual(read, [directKey(id, 1), directKey(id, 1)])
  })

  test('what does not hash to what was told, or is no table, is refused, and nothing of it stays', async () => {
    await using served = await serveBucket()
    const { send, tell, get } = await begin(served, 'parts=any')
    await send(1, plays)
    assert.equal(await refusal(await tell(1, sha256('other'))), '460 checksum')
    await send(1, '%PDF-1.7\n%\u0001\u0002\n')
    assert.equal(await refusal(await tell(1)), '422 rejected')
    assert.equal((await get())['bytes'], 0)
    assert.deepEqual(await served.blobs.list(''), [])
  })

  test('an upload that is deleted, or has expired, takes with it what was put and not told', async () => {
    await using served = await serveBucket({ keeping: { incompleteMs: -1_000 } })
    const [gone, lapsed] = [await begin(served, 'parts=any'), await begin(served, 'parts=2')]
    await gone.send(1, plays)
    await lapsed.send(2, plays)
    assert.equal((await gone.remove()).status, 204)
    assert.deepEqual(await served.blobs.list(directPrefix), [directKey(lapsed.id, 2)])
    assert.equal(await refusal(await gone.offer(1)), '410 gone')
    assert.equal(await refusal(await gone.tell(1)), '410 gone')
    const { blobs } = await served.catalog.expire(9)
    for (const key of blobs) await served.blobs.delete(key)
    assert.deepEqual(await served.blobs.list(''), [])
  })

  test('what was put after the end is swept away, and what an open upload waits for is not', async () => {
    await using served = await serveBucket()
    const [open, complete] = [await begin(served, 'parts=any'), await begin(served, 'parts=1')]
    await open.send(1, plays)
    const url = await complete.send(1, plays)
    assert.equal((await complete.tell(1)).status, 200)
    await resend(url, 'too late')
    const { catalog, blobs } = served
    await sweepBlobs({ catalog, blobs, log: createLog('silent') })
    assert.deepEqual(await blobs.list(directPrefix), [directKey(open.id, 1)])
    assert.equal((await open.tell(1)).status, 200)
  })

  test('only what comes in pieces, and is not whole, has URLs; they are asked for without a body', async () => {
    await using served = await serveBucket()
    const two = await begin(served, 'parts=2')
    assert.equal(await refusal(await two.offer(3)), '400 invalid')
    assert.equal(await refusal(await two.offer(0)), '400 invalid')
    const path = `${served.url}/v1/uploads/${two.id}/parts/1/direct`
    for (const method of ['POST', 'PUT']) {
      assert.equal(await refusal(await fetch(path, { method, body: plays })), '400 invalid')
    }
    const { upload } = await json(await fetch(`${served.url}/v1/uploads?name=a.csv`, { method: 'POST', body: plays }))
    const { id } = upload as { id: string }
    const other = await fetch(`${served.url}/v1/uploads/${id}/parts/1/direct`, { method: 'POST' })
    assert.equal(await refusal(other), '409 conflict')
    assert.equal((await json(await fetch(`${served.url}/v1/limits`)))['directUploads'], true)
  })
})

test('where blobs are files, pieces come through the service', async () => {
  await using served = await serve()
  assert.equal((await json(await fetch(`${served.url}/v1/limits`)))['directUploads'], false)
  const { offer, tell } = await begin(served, 'parts=any')
  for (const refused of [await offer(1), await tell(1)]) {
    assert.match(String((await json(refused.clone()))['detail']), /directUploads/)
    assert.equal(await refusal(refused), '422 unprocessable')
  }
})
