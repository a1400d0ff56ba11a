import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import * as tus from 'tus-js-client'
import { contentOf, json, problemType, refusal, type Served, say, serve } from '../../test/http-fixture.ts'
import { bodyType, metadataOf, patchHead, type TusClient, tusClient } from '../../test/tus-fixture.ts'

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n'
const bytes = Buffer.alloc(300_000, plays)

const idOf = (path: string) => path.split('/').at(-1) ?? ''
const uploadAt = async (served: Served, path: string) => json(await fetch(new URL(path, served.url)))

/** Sends with the unmodified client of others; the upload's address once it is there. */
function sendByTus({ url }: Served, options: tus.UploadOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const upload: tus.Upload = new tus.Upload(bytes, {
    endpoint: `${url}/v1/uploads`,
    retryDelays: null,
    metadata: { filename: 'plays.csv', filetype: 'text/csv', pipeline: 'song-plays', again: 'true' },
    onError: reject,
    onSuccess: () => resolve(upload.url ?? ''),
    ...options,
  })
  upload.start()
  return promise
}

test('the client of the protocol’s makers sends a file whole, in stretches, with the creation, and by POST', async () => {
  await using served = await serve({ limits: { segment: 64_000 } })
  const ways = [
    {},
    { chunkSize: 70_000 },
    { uploadDataDuringCreation: true },
    { chunkSize: 70_000, uploadDataDuringCreation: true },
    { overridePatchMethod: true },
  ]
  for (const options of ways) {
    const url = await sendByTus(served, options)
    const { id, name, state, task } = await uploadAt(served, url)
    assert.deepEqual([name, state], ['plays.csv', 'complete'])
    assert.ok((await contentOf(served, String(id))).equals(bytes))
    const { inputs } = await json(await fetch(`${served.url}/v1/tasks/${String(task)}`))
    assert.deepEqual(inputs, [{ input: 'plays', upload: id, name: 'plays.csv' }])
  }
})

test('the client that gave up in the middle goes on at what was acknowledged, or behind it', async () => {
  await using served = await serve()
  const stopped = Promise.withResolvers<{ url: string; acknowledged: number }>()
  const first: tus.Upload = new tus.Upload(bytes, {
    endpoint: `${served.url}/v1/uploads`,
    retryDelays: null,
    chunkSize: 70_000,
    onError: stopped.reject,
    onChunkComplete(_size, acknowledged) {
      if (acknowledged < 140_000) return
      first.abort().then(() => stopped.resolve({ url: first.url ?? '', acknowledged }), stopped.reject)
    },
  })
  first.start()
  const { url, acknowledged } = await stopped.promise
  const offsets: number[] = []
  const onBeforeRequest = (request: tus.HttpRequest) => {
    if (request.getMethod() === 'PATCH') offsets.push(Number(request.getHeader('Upload-Offset')))
  }
  await sendByTus(served, { endpoint: null, uploadUrl: url, onBeforeRequest })
  assert.ok((offsets[0] ?? 0) >= acknowledged, `${offsets[0]} is before ${acknowledged}`)
  const { id, state, name } = await uploadAt(served, url)
  assert.deepEqual([state, name], ['complete', 'upload.csv'])
  assert.ok((await contentOf(served, String(id))).equals(bytes))
})

test('what the client terminates is gone', async () => {
  await using served = await serve()
  const path = await tusClient(served).begin(bytes.length)
  await tusClient(served).patch(path, 0, bytes.subarray(0, 100_000))
  await tus.Upload.terminate(served.url + path)
  assert.equal((await uploadAt(served, path))['state'], 'deleted')
  assert.deepEqual(await served.files(), [])
})

test('OPTIONS says what is spoken, whatever version is asked for', async () => {
  await using served = await serve({ limits: { maxUpload: 12_345 } })
  for (const headers of [{}, { 'tus-resumable': '0.2.2' }]) {
    const response = await fetch(`${served.url}/v1/uploads`, { method: 'OPTIONS', headers: { ...headers } })
    const told = ['tus-version', 'tus-extension', 'tus-max-size', 'tus-checksum-algorithm', 'tus-resumable']
    assert.equal(response.status, 204)
    assert.deepEqual(
      told.map((name) => response.headers.get(name)),
      [
        '1.0.0',
        'creation,creation-with-upload,expiration,termination,checksum',
        '12345',
        'sha256,sha1,sha512,md5',
        '1.0.0',
      ],
    )
  }
})

test('a creation says where the upload is, and until when it is kept; each answer says how far it is', async () => {
  await using served = await serve()
  const { create, send, patch } = tusClient(served)
  const began = Date.now()
  const created = await create(plays.length)
  const path = created.headers.get('location') ?? ''
  const shown = (response: Response) =>
    ['tus-resumable', 'upload-offset', 'upload-length', 'rowmill-task'].map((name) => response.headers.get(name))
  const isKept = ({ headers }: Response) => Date.parse(headers.get('upload-expires') ?? '') > began
  assert.deepEqual([created.status, ...shown(created)], [201, '1.0.0', '0', String(plays.length), null])
  const head = await send('HEAD', path)
  assert.deepEqual([head.status, head.headers.get('cache-control')], [200, 'no-store'])
  assert.deepEqual(shown(head), ['1.0.0', '0', String(plays.length), null])
  const half = await patch(path, 0, plays.slice(0, 20))
  assert.deepEqual([half.status, ...shown(half)], [204, '1.0.0', '20', String(plays.length), null])
  assert.deepEqual([created, head, half].map(isKept), [true, true, true])
  const whole = await patch(path, 20, plays.slice(20))
  assert.deepEqual([whole.status, ...shown(whole)], [204, '1.0.0', String(plays.length), String(plays.length), null])
  assert.equal(whole.headers.get('upload-expires'), null)
  assert.deepEqual(shown(await send('HEAD', path)), shown(whole))
  assert.equal(String(await contentOf(served, idOf(path))), plays)
})

test('the metadata names the file, the pipeline and its params, and means nothing else', async () => {
  await using served = await serve()
  const { create } = tusClient(served)
  const metadata = metadataOf({ filename: 'ünï.csv', pipeline: 'song-plays', filetype: 'text/csv', wait: '99' })
  const created = await create(
    plays.length,
    { 'upload-metadata': `${metadata}, is_confidential,relativePath bnVsbA` },
    plays,
  )
  const { name, task } = ((await created.json()) as { upload: Record<string, unknown> }).upload
  assert.equal(name, 'ünï.csv')
  assert.equal(created.headers.get('rowmill-task'), task)
  assert.deepEqual(await served.catalog.dueTasks(2), [task])

  const refused = [
    [{ pipeline: 'nope' }, '404 not_found'],
    [{ pipeline: 'song-plays', 'param.x': '1' }, '422 unprocessable'],
    [{ 'param.x': '1' }, '400 invalid'],
    [{ pipeline: 'song-plays', input: 'nope' }, '422 unprocessable'],
    [{ pipeline: 'song-plays', dryRun: 'perhaps' }, '400 invalid'],
    [{ filename: '' }, '400 invalid'],
    [{ filename: 'a\nb' }, '400 invalid'],
    [{ sha256: 'abc' }, '400 invalid'],
    [{ files: '2' }, '400 invalid'],
  ] as const
  for (const [pairs, told] of refused) {
    const response = await create(plays.length, { 'upload-metadata': metadataOf({ ...pairs }) })
    assert.equal(await refusal(response), told, JSON.stringify(pairs))
    assert.equal(response.headers.get('tus-resumable'), '1.0.0')
  }
  assert.equal((await served.catalog.listUploads('local', { limit: 10 })).length, 1)
})

test('the query of the creation says what the metadata may say, and lists', async () => {
  await using served = await serve()
  const { send } = tusClient(served)
  const query = 'pipeline=load&param.table=people&param.mode=upsert&param.key=id&param.key=name'
  const headers = { 'upload-length': '9', 'upload-metadata': metadataOf({ filename: 'people.csv' }) }
  const created = await send('POST', `/v1/uploads?${query}`, headers)
  assert.equal(created.status, 201, await created.clone().text())
  const [upload] = await served.catalog.listUploads('local', { limit: 1 })
  assert.deepEqual([upload?.name, upload?.order?.params['key']], ['people.csv', ['id', 'name']])
  assert.equal(await refusal(await send('POST', '/v1/uploads?nonsense=1', headers)), '400 invalid')
})

test('a checksum of each kind is accepted, and a wrong one changes nothing', async () => {
  await using served = await serve()
  const { begin, patch, offset } = tusClient(served)
  const sum = (algorithm: string, content: string) =>
    `${algorithm} ${createHash(algorithm).update(content).digest('base64')}`
  const path = await begin(plays.length)
  let at = 0
  for (const algorithm of ['sha256', 'sha1', 'sha512', 'md5']) {
    const stretch = plays.slice(at, at + 10)
    const wrong = await patch(path, at, stretch, { 'upload-checksum': sum(algorithm, 'something else') })
    assert.equal(await refusal(wrong), '460 checksum')
    assert.equal(wrong.headers.get('tus-resumable'), '1.0.0')
    assert.equal(await offset(path), at)
    assert.equal((await served.files()).length, at / 10)
    assert.equal((await patch(path, at, stretch, { 'upload-checksum': sum(algorithm, stretch) })).status, 204)
    at += 10
  }
  assert.equal(
    (await patch(path, at, plays.slice(at), { 'upload-checksum': sum('sha1', plays.slice(at)) })).status,
    204,
  )
  assert.equal(String(await contentOf(served, idOf(path))), plays)
})

test('nothing is left of a creation whose bytes are refused, since nobody knows where it is', async () => {
  await using served = await serve()
  const { create } = tusClient(served)
  const png = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
  assert.equal(await refusal(await create(100, {}, png)), '422 rejected')
  assert.equal(await refusal(await create(10, {}, plays)), '413 too_large')
  const wrong = { 'upload-checksum': `sha1 ${Buffer.alloc(20).toString('base64')}` }
  assert.equal(await refusal(await create(plays.length, wrong, plays)), '460 checksum')
  assert.equal(await refusal(await create(plays.length, { 'upload-checksum': 'crc32 eA==' }, plays)), '400 invalid')
  assert.deepEqual(await served.files(), [])
  assert.deepEqual(await served.catalog.listUploads('local', { limit: 5 }), [])
})

test('an upload of no bytes is complete at once', async () => {
  await using served = await serve()
  const created = await tusClient(served).create(0, { 'upload-metadata': metadataOf({ pipeline: 'song-plays' }) })
  const { state, task } = ((await created.json()) as { upload: Record<string, unknown> }).upload
  assert.deepEqual([created.status, state, created.headers.get('upload-offset')], [201, 'complete', '0'])
  assert.deepEqual(await served.catalog.dueTasks(2), [task])
})

test('who cannot send PATCH and DELETE names them beside a POST', async () => {
  await using served = await serve()
  const { begin, send } = tusClient(served)
  const path = await begin(plays.length)
  const headers = { 'x-http-method-override': 'PATCH', 'upload-offset': '0', 'content-type': bodyType }
  assert.equal((await send('POST', path, headers, plays)).headers.get('upload-offset'), String(plays.length))
  assert.equal((await send('POST', path, { 'x-http-method-override': 'DELETE' })).status, 204)
  assert.equal((await uploadAt(served, path))['state'], 'deleted')
  assert.equal(await refusal(await send('POST', path)), '405 method_not_allowed')
})

/** What is wrong with each, and what is said to it. */
const refusals: readonly (readonly [
  what: string,
  told: string,
  (client: TusClient, path: string) => Promise<Response>,
])[] = [
  [
    'a version of none',
    '412 precondition_failed',
    ({ send }, path) => send('PATCH', path, { 'tus-resumable': '' }, 'x'),
  ],
  ['another version', '412 precondition_failed', ({ send }, path) => send('HEAD', path, { 'tus-resumable': '0.2.2' })],
  ['another version yet', '412 precondition_failed', ({ create }) => create(1, { 'tus-resumable': '2.0.0' })],
  ['an offset behind', '409 conflict', ({ patch }, path) => patch(path, 11, 'x')],
  ['an offset before', '409 conflict', ({ patch }, path) => patch(path, 9, 'x')],
  ['no offset', '400 invalid', ({ send }, path) => send('PATCH', path, { 'content-type': bodyType }, 'x')],
  ['an offset that is no number', '400 invalid', ({ patch }, path) => patch(path, -10, 'x')],
  ['another type', '415 unsupported', ({ patch }, path) => patch(path, 10, 'x', { 'content-type': 'text/csv' })],
  ['no length', '411 length_required', ({ send }) => send('POST', '/v1/uploads')],
  [
    'a length put off',
    '411 length_required',
    ({ send }) => send('POST', '/v1/uploads', { 'upload-defer-length': '1' }),
  ],
  ['a length that is no number', '400 invalid', ({ create }) => create(1.5)],
  ['a part of another upload', '400 invalid', ({ create }) => create(1, { 'upload-concat': 'partial' })],
  ['a length in words', '400 invalid', ({ create }) => create(0, { 'upload-length': 'ten' })],
  ['a length above the limit', '413 too_large', ({ create }) => create(1_000_001)],
  ['more than was announced', '413 too_large', ({ patch }, path) => patch(path, 10, plays)],
  [
    'more than was announced, in chunks',
    '413 too_large',
    ({ patch }, path) => patch(path, 10, new Blob([plays]).stream()),
  ],
  [
    'an upload that there is not',
    '404 not_found',
    ({ patch }) => patch('/v1/uploads/01jzzzzzzzzzzzzzzzzzzzzzzz', 0, 'x'),
  ],
  ['no id at all', '404 not_found', ({ patch }) => patch('/v1/uploads/nope', 0, 'x')],
  ['metadata without a value', '400 invalid', ({ create }) => create(1, { 'upload-metadata': 'filename a b' })],
  ['a key of the metadata twice', '400 invalid', ({ create }) => create(1, { 'upload-metadata': 'set eA==,set eQ==' })],
  ['metadata that is no Base64', '400 invalid', ({ create }) => create(1, { 'upload-metadata': 'filename pläys.csv' })],
  [
    'a checksum of another kind',
    '400 invalid',
    ({ patch }, path) => patch(path, 10, 'x', { 'upload-checksum': 'crc32 eA==' }),
  ],
  [
    'a checksum without a value',
    '400 invalid',
    ({ patch }, path) => patch(path, 10, 'x', { 'upload-checksum': 'sha1' }),
  ],
  [
    'a checksum too short',
    '400 invalid',
    ({ patch }, path) => patch(path, 10, 'x', { 'upload-checksum': 'sha1 eA==' }),
  ],
  ['no method beside a POST', '405 method_not_allowed', ({ send }, path) => send('POST', path, {}, 'x')],
]

test('every refusal is a problem, says the version, and changes nothing', async () => {
  await using served = await serve({ limits: { maxUpload: 1_000_000 } })
  const client = tusClient(served)
  const path = await client.begin(20)
  await client.patch(path, 0, plays.slice(0, 10))
  for (const [what, told, ask] of refusals) {
    const response = await ask(client, path)
    // A HEAD has no body to be told in.
    if (what === 'another version') assert.equal(response.status, 412)
    else assert.equal(await refusal(response), told, what)
    assert.equal(response.headers.get('tus-resumable'), '1.0.0', what)
    if (told.startsWith('412')) assert.equal(response.headers.get('tus-version'), '1.0.0')
    assert.equal(await client.offset(path), 10, what)
    assert.equal((await served.files()).length, 1, what)
  }
  assert.equal((await served.catalog.listUploads('local', { limit: 10 })).length, 1)
})

test('what has expired, or was deleted, is gone', async () => {
  await using served = await serve({ keeping: { incompleteMs: -1000 } })
  const { begin, patch, send } = tusClient(served)
  const expired = await begin(10)
  await patch(expired, 0, 'Song,')
  await served.catalog.expire(10)
  const deleted = await begin(10)
  assert.equal((await send('DELETE', deleted)).headers.get('tus-resumable'), '1.0.0')
  const whole = await begin(plays.length)
  await patch(whole, 0, plays)
  await send('DELETE', whole)
  for (const path of [expired, deleted, whole]) {
    for (const response of [await send('HEAD', path), await patch(path, 5, 'x')]) {
      assert.equal(response.status, 410)
      assert.equal(response.headers.get('tus-resumable'), '1.0.0')
      assert.match(response.headers.get('content-type') ?? '', problemType)
    }
  }
})

test('a complete upload takes no more, and says that it is whole', async () => {
  await using served = await serve()
  const { create, patch, offset } = tusClient(served)
  const path = (await create(plays.length, {}, plays)).headers.get('location') ?? ''
  assert.equal(await refusal(await patch(path, plays.length, 'x')), '409 conflict')
  assert.equal(await refusal(await patch(path, 0, plays)), '409 conflict')
  assert.equal(await offset(path), plays.length)
})

test('who is refused amid a stretch may send on, reads the answer, and the connection lives', async () => {
  await using served = await serve()
  const { begin } = tusClient(served)
  const next = 'GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
  const body = 'x'.repeat(5_000_000)
  const png = `\x89PNG\r\n\x1a\n${body.slice(8)}`
  for (const [size, sent, status] of [
    [1_000_000, body, '413'],
    [body.length, png, '422'],
  ] as const) {
    const path = await begin(size)
    const answers = await say(served.port, Buffer.from(patchHead(path, 0, sent.length) + sent + next, 'latin1'))
    assert.deepEqual(answers.match(/(?<=HTTP\/1\.1 )\d+/g), [status, '200'])
  }
  assert.deepEqual(await served.files(), [])
})
