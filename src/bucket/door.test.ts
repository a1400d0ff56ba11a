/** What a notification comes to, with a real bucket and no broker. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, suite, test } from 'node:test'
import { type Dropped, type DropBucket, eventOf, openDropBucket } from '../../test/bucket-fixture.ts'
import { contentOf, post, refusal, serve, type Served } from '../../test/http-fixture.ts'
import { type Folder, temporaryFolder, until } from '../../test/harness.ts'
import { type Proxy, startProxy } from '../../test/proxy.ts'
import { missing } from '../../test/servers.ts'
import { openBucket } from '../blobs/bucket.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { RunRequest } from '../ingest/orders.ts'
import { createLog } from '../log.ts'
import type { Fate, Handle } from '../ports.ts'
import { createDoor } from './door.ts'

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n'
const three = `about: Orders and their items with their customers.
inputs:
  customers: { match: "*customers*" }
  orders: { match: "*orders*" }
  items: { match: "*items*" }
outputs:
  joined: { to: results, sql: "SELECT name, n, item FROM customers JOIN orders USING (id) JOIN items USING (id)" }
`
const never = new AbortController().signal

suite('the bucket as a door', { skip: missing('radosgw') }, () => {
  let folder: Folder
  let served: Served
  let ingest: Ingest
  let bucket: DropBucket
  let proxy: Proxy
  const told: { what: string; about: Record<string, unknown> }[] = []
  const note = (about: Record<string, unknown>, what: string) => void told.push({ what, about })
  const log = { ...createLog('silent'), info: note, warn: note } as ReturnType<typeof createLog>

  before(async () => {
    folder = await temporaryFolder()
    await writeFile(folder.at('three.yaml'), three)
    served = await serve({
      pipelines: [folder.path],
      limits: { maxUpload: 1e6 },
      wrap: (own) => {
        ingest = own
        return own
      },
    })
    bucket = await openDropBucket()
    const { hostname, port } = new URL(new URL(bucket.url).searchParams.get('endpoint') ?? '')
    proxy = await startProxy({ host: hostname, port: Number(port) })
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await bucket[Symbol.asyncDispose]()
    await served[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  async function openDoor({ url = bucket.url, run }: { url?: string; run?: RunRequest } = {}): Promise<Handle> {
    return createDoor({ ingest, bucket: await openBucket(url, { log }), run, pollMs: 20, log })
  }
  const tell = async (...objects: readonly Dropped[]): Promise<Fate> =>
    await (await openDoor())(eventOf(bucket, ...objects), never)

  /** What there is by now that was not there at the last look. */
  const seen = new Set<string>()
  async function added() {
    const page = { limit: 100 }
    const isNew = ({ id }: { id: string }) => !seen.has(id)
    const tasks = (await served.catalog.listTasks('local', page)).filter(isNew)
    const uploads = (await served.catalog.listUploads('local', page)).filter(isNew)
    for (const { id } of [...tasks, ...uploads]) seen.add(id)
    return { tasks, uploads }
  }

  test('takes every object that an event tells of, by any name', async () => {
    const names = ['a.csv', 'my file+100%.csv', 'ümlaut 日本 "quoted".csv']
    const dropped: Dropped[] = []
    for (const [n, name] of names.entries()) dropped.push(await bucket.drop(`song-plays/${name}`, plays.repeat(n + 1)))
    assert.equal(await tell(...dropped), 'done')
    const { tasks, uploads } = await added()
    assert.deepEqual(
      uploads.map(({ name, state }) => `${name} ${state}`).toReversed(),
      names.map((one) => `${one} complete`),
    )
    assert.deepEqual(
      tasks.map(({ pipeline, state, inputs }) => `${pipeline} ${state} ${inputs[0]?.name}`).toReversed(),
      names.map((one) => `song-plays queued ${one}`),
    )
    const contents = await Promise.all(uploads.map(async ({ id }) => String(await contentOf(served, id))))
    assert.deepEqual(
      contents.toReversed(),
      [1, 2, 3].map((n) => plays.repeat(n)),
    )
  })

  test('takes an object once, however often and by however many it is told', async () => {
    const object = await bucket.drop('song-plays/often.csv', `${plays}Halo,2020-01-01,1\n`)
    const [one, other] = [await openDoor(), await openDoor()]
    const event = eventOf(bucket, object, object)
    const fates = await Promise.all([one, other, one, other, one].map((door) => door(event, never)))
    assert.deepEqual(fates, Array(5).fill('done'))
    // Whoever put it there has cleared it away.
    await bucket.remove(object.key)
    assert.equal(await one(event, never), 'done')
    const { tasks, uploads } = await added()
    assert.deepEqual([tasks.length, uploads.length], [1, 1])
    const again = await bucket.drop(object.key, `${plays}Halo,2020-01-01,2\n`)
    assert.equal(await tell(again), 'done')
    assert.equal((await added()).tasks.length, 1)
  })

  test('makes a task that has failed of an object that is gone, once', async () => {
    const object = await bucket.drop('load/june/gone.csv', plays)
    await bucket.remove(object.key)
    for (let times = 0; times < 3; times++) assert.equal(await tell(object), 'done')
    const { tasks, uploads } = await added()
    assert.deepEqual([tasks.length, uploads.length], [1, 0])
    const [task] = tasks
    const { state, attempt, pipeline, setName, error } = task ?? {}
    assert.deepEqual([state, attempt, pipeline, setName, error?.code], ['failed', 0, 'load', 'load/june', 'not_found'])
    const where = `s3://${bucket.name}/load/june/gone.csv`
    assert.equal(error?.message, `${where}: The object was gone when it was to be read. Put it there again.`)
    assert.equal(await refusal(await post(`${served.url}/v1/tasks/${task?.id}/retry`, {})), '409 conflict')
    // It is not for good: the very same may come after all, once.
    assert.deepEqual(await bucket.drop(object.key, plays), object)
    for (let times = 0; times < 3; times++) assert.equal(await tell(object), 'done')
    assert.deepEqual(
      (await added()).tasks.map((one) => one.state),
      ['queued'],
    )
  })

  test('leaves an object out that was written over: its successor is told of, too', async () => {
    const earlier = await bucket.drop('song-plays/changing.csv', plays)
    const later = await bucket.drop(earlier.key, `${plays}Halo,2020-01-01,5\n`)
    told.length = 0
    assert.equal(await tell(earlier), 'done')
    assert.deepEqual(told, [
      { what: 'an object was written over since, and is left out', about: { bucket: bucket.name, key: earlier.key } },
    ])
    assert.deepEqual(await added(), { tasks: [], uploads: [] })
    assert.equal(await tell(later, earlier), 'done')
    const { uploads } = await added()
    assert.deepEqual(
      uploads.map(({ bytes }) => bytes),
      [plays.length + 'Halo,2020-01-01,5\n'.length],
    )
  })

  test('waits for all files of a set, and makes one task of them', async () => {
    for (const name of ['customers', 'orders', 'items']) {
      assert.deepEqual((await added()).tasks, [])
      assert.equal(await tell(await bucket.drop(`three/june/${name}.csv`, `id,${name}\n1,1\n`)), 'done')
    }
    const { tasks } = await added()
    assert.deepEqual(
      tasks.map(({ setName, inputs }) => [setName, ...inputs.map(({ input }) => input).toSorted()]),
      [['three/june', 'customers', 'items', 'orders']],
    )
  })

  test('does with every object what the setting says, below a prefix if there is one', async () => {
    const run = { pipeline: 'load', params: { table: 'sales', mode: 'replace' } }
    const door = await openDoor({ run, url: bucket.url.replace('?', '/in?') })
    const object = await bucket.drop('in/2020/june/sales.csv', plays)
    const other = await bucket.drop('out/sales.csv', plays)
    assert.equal(await door(eventOf(bucket, object, other), never), 'done')
    const { tasks } = await added()
    assert.deepEqual(
      tasks.map(({ pipeline, params, inputs }) => [pipeline, params, inputs[0]?.name]),
      [['load', { ...run.params, drift: 'fail' }, '2020/june/sales.csv']],
    )
  })

  test('makes tasks that have failed of what is refused, where there is a pipeline to name', async () => {
    const long = `${'n'.repeat(256)}.csv`
    const objects = [
      await bucket.drop('song-plays/picture.csv', Buffer.from('\x89PNG\r\n\x1a\n and so on', 'latin1')),
      await bucket.drop(`song-plays/${long}`, plays),
      await bucket.drop('song-plays/large.csv', plays.repeat(20_001)),
      await bucket.drop('three/orders.csv', 'id,n\n'),
      await bucket.drop('song-plays/\u001b[2Jred.csv', plays),
    ]
    assert.equal(await tell(...objects), 'done')
    // No list of keys can hold it.
    await bucket.remove(objects.at(-1)?.key ?? '')
    const { tasks, uploads } = await added()
    const errors = tasks.toReversed().map(({ state, error }) => `${state} ${error?.code}`)
    assert.deepEqual(
      errors,
      ['rejected', 'invalid', 'too_large', 'unprocessable', 'invalid'].map((one) => `failed ${one}`),
    )
    for (const { error } of tasks)
      assert.match(error?.message ?? '', /^s3:\/\/app-\w+\/(song-plays|three)\/\P{Cc}+\.csv: \S/u)
    assert.deepEqual(uploads, [])
    // Where there is none, the log has it.
    told.length = 0
    const lost = [await bucket.drop('no-such/a.csv', plays), await bucket.drop('b.csv', plays)]
    assert.equal(await tell(...lost), 'done')
    assert.deepEqual(await added(), { tasks: [], uploads: [] })
    assert.deepEqual(
      told.map(({ what, about }) => [what, about['bucket'], about['key'], about['code']]),
      [
        ['an object was not taken in', bucket.name, 'no-such/a.csv', 'not_found'],
        ['an object was not taken in', bucket.name, 'b.csv', 'invalid'],
      ],
    )
  })

  test('holds on to a message while the bucket is away, and gives it back when it is to stop', async () => {
    const url = bucket.url.replace(/endpoint=.*/, `endpoint=http://127.0.0.1:${proxy.port}`)
    const door = await openDoor({ url })
    const object = await bucket.drop('song-plays/patient.csv', `${plays}Patience,2020-01-01,1\n`)
    proxy.set('reset')
    told.length = 0
    const stop = new AbortController()
    const [stopped, going] = [door(eventOf(bucket, object), stop.signal), door(eventOf(bucket, object), never)]
    await until('both have tried in vain', () => told.length >= 4)
    stop.abort()
    assert.equal(await stopped, 'later')
    proxy.set('pass')
    assert.equal(await going, 'done')
    assert.equal((await added()).tasks.length, 1)
    assert.match(told[0]?.what ?? '', /waits; it will be tried again/)
  })

  test('knows what is for somebody else', async () => {
    const door = await openDoor()
    assert.equal(await door('hello', never), 'unreadable')
    assert.equal(await door(eventOf({ name: 'another' }, { key: 'song-plays/a.csv', etag: 'x' }), never), 'unreadable')
    assert.equal(await door('{"Event":"s3:TestEvent"}', never), 'done')
    assert.deepEqual(await added(), { tasks: [], uploads: [] })
  })
})
