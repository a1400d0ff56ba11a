import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { csv, fixableCsv, insertTask, refusal, rejectsCsv, serve, succeed } from '../../test/http-fixture.ts'
import { freshBucket, missing } from '../../test/servers.ts'
import { openS3Blobs } from '../blobs/s3/store.ts'

suite('past the service', { skip: missing('radosgw') }, () => {
  test('results come from the store itself to those who ask for it, under the same name and type', async () => {
    await using bucket = await freshBucket()
    await using served = await serve({ blobs: await openS3Blobs(bucket.url) })
    const { id } = await insertTask(served)
    await succeed(served, id)
    const task = `${served.url}/v1/tasks/${id}`
    const files = [
      ['outputs/totals?', csv, 'totals.csv'],
      ['rejects?', rejectsCsv, 'rejects.csv'],
      ['rejects?format=fixable&', fixableCsv, 'rejects.fixable.csv'],
    ] as const
    for (const [path, content, name] of files) {
      const sent = await fetch(`${task}/${path}direct=true`, { redirect: 'manual' })
      assert.equal(sent.status, 307)
      const found = await fetch(sent.headers.get('location') ?? '')
      const usual = await fetch(`${task}/${path}direct=false`)
      assert.equal(usual.status, 200)
      for (const got of [found, usual]) {
        assert.equal(got.headers.get('content-type'), 'text/csv; charset=utf-8')
        assert.equal(got.headers.get('content-disposition')?.split(';')[1], ` filename="${name}"`)
        assert.equal(got.headers.get('content-length'), String(content.length))
        assert.equal(await got.text(), content)
      }
      const head = await fetch(`${task}/${path}direct=true`, { method: 'HEAD', redirect: 'manual' })
      assert.deepEqual([head.status, head.headers.get('content-length')], [200, String(content.length)])
    }
    await served.blobs.delete(`results/${id}`)
    assert.equal(
      await refusal(await fetch(`${task}/outputs/totals?direct=true`, { redirect: 'manual' })),
      '404 not_found',
    )
  })
})

test('where blobs are files, the service sends them, also to those who would rather get them past it', async () => {
  await using served = await serve()
  const { id } = await insertTask(served)
  await succeed(served, id)
  const got = await fetch(`${served.url}/v1/tasks/${id}/outputs/totals?direct=true`, { redirect: 'manual' })
  assert.deepEqual([got.status, await got.text()], [200, csv])
})
