import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { temporaryFolder } from '../../test/harness.ts'
import { json, refusal, type Served, type ServeOptions, serve } from '../../test/http-fixture.ts'
import { metadataOf, tusClient } from '../../test/tus-fixture.ts'

type Shown = Readonly<Record<string, unknown>>

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n'
const songs = 'Song,Artist\nUmbrella,Rihanna\n'

const chart = `about: Plays of each artist.
inputs:
  plays: { match: "*plays*" }
  songs: { match: "*songs*" }
params:
  day: { type: string, default: "" }
outputs:
  chart: { to: results, format: csv, sql: "SELECT Artist, sum(\\"Number of Plays\\") AS n FROM plays JOIN songs USING (Song) GROUP BY Artist" }
`

/** A server that knows the pipeline \`chart\`, of two inputs. */
async function serveChart(options: ServeOptions = {}) {
  await using folder = await temporaryFolder()
  await writeFile(folder.at('chart.yaml'), chart)
  return await serve({ ...options, pipelines: [folder.path] })
}

const send = ({ url }: Served, query: string, body: string) =>
  fetch(`${url}/v1/uploads?${query}`, { method: 'POST', body })

interface Answer {
  readonly upload: Shown
  readonly task?: Shown
  readonly duplicate?: boolean
}

/** What is answered to a file. */
async function sent(served: Served, query: string, body: string): Promise<Answer> {
  const response = await send(served, query, body)
  assert.ok(response.ok, await response.clone().text())
  return (await response.json()) as Answer
}

/** The files of its task. */
const inputsOf = ({ task = {} }: Answer) => task['inputs'] as Shown[]

const setOf = (served: Served, { upload }: Answer) => getSet(served, String(upload['set']))
const getSet = async ({ url }: Served, id: string) => json(await fetch(`${url}/v1/sets/${id}`))

const tasksOf = async ({ catalog }: Served) => (await catalog.listTasks('local', { limit: 50 })).map(({ id }) => id)

test('a set of so many files is one task, with all of them', async () => {
  await using served = await serve()
  const query = 'set=week 1&pipeline=song-plays'
  const one = await sent(served, `${query}&files=2&name=a.csv`, plays)
  assert.equal(one.task, undefined)
  const waiting = await setOf(served, one)
  assert.partialDeepStrictEqual(waiting, { name: 'week 1', generation: 1, state: 'waiting', files: 2, task: null })
  assert.deepEqual(waiting['missing'], { inputs: [], files: 1 })
  const two = await sent(served, `${query}&name=b.csv`, `${plays}Halo,2020-01-02,7\n`)
  const inputs = [one, two].map(({ upload }) => ({ input: 'plays', upload: upload['id'], name: upload['name'] }))
  assert.deepEqual(two.task?.['inputs'], inputs)
  const closed = await setOf(served, two)
  assert.partialDeepStrictEqual(closed, { id: waiting['id'], state: 'closed', task: two.task['id'] })
  assert.deepEqual(closed['missing'], { inputs: [], files: 0 })
  const uploads = closed['uploads'] as Shown[]
  assert.deepEqual(
    uploads.map(({ id, task }) => [id, task]),
    [one, two].map(({ upload }) => [upload['id'], two.task?.['id']]),
  )
})

test('how many files there will be is told in the query, in a form and in metadata alike', async () => {
  await using served = await serve()
  const form = new FormData()
  for (const [name, value] of Object.entries({ set: 'form', files: '7', file: new Blob([plays]) }))
    form.set(name, value)
  const answers = [
    await send(served, 'set=query&files=7', plays),
    await fetch(`${served.url}/v1/uploads`, { method: 'POST', body: form }),
    await tusClient(served).create(9, { 'upload-metadata': metadataOf({ set: 'metadata', files: '7' }) }),
    await send(served, 'parts=any&set=pieces&files=7', ''),
  ]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 201, 201, 201],
  )
  const sets = await served.catalog.listSets('local', { limit: 5 })
  assert.deepEqual(
    sets.map(({ name, files }) => [name, files]),
    [
      ['pieces', 7],
      ['metadata', 7],
      ['form', 7],
      ['query', 7],
    ],
  )
})

test('a set for a pipeline of several inputs is a task once each has a file', async () => {
  await using served = await serveChart()
  const query = 'set=today&pipeline=chart'
  const one = await sent(served, `${query}&name=plays-1.csv`, plays)
  const two = await sent(served, `${query}&name=plays-2.csv`, `${plays}Halo,2020-01-02,7\n`)
  assert.deepEqual((await setOf(served, two))['missing'], { inputs: ['songs'], files: null })
  assert.equal(two.task, undefined)
  const three = await sent(served, `${query}&name=x.csv&input=songs`, songs)
  assert.deepEqual(
    three.task?.['inputs'],
    [one, two, three].map(({ upload }, i) => ({
      input: i < 2 ? 'plays' : 'songs',
      upload: upload['id'],
      name: upload['name'],
    })),
  )
  const { state, missing, task } = await setOf(served, three)
  assert.deepEqual([state, missing, task], ['closed', { inputs: [], files: null }, three.task?.['id']])
  assert.deepEqual(await tasksOf(served), [task])
})

test('a file that comes after its set has closed opens the next one of that name', async () => {
  await using served = await serveChart()
  const query = 'set=daily&pipeline=chart'
  const generations = []
  for (const day of [1, 2]) {
    const one = await sent(served, `${query}&name=plays.csv`, `${plays}Halo,2020-01-02,${day}\n`)
    const two = await sent(served, `${query}&name=songs.csv`, songs)
    assert.equal(one.upload['set'], two.upload['set'])
    assert.deepEqual(
      inputsOf(two).map(({ upload }) => upload),
      [one.upload['id'], two.upload['id']],
    )
    generations.push((await setOf(served, two))['generation'])
  }
  assert.deepEqual(generations, [1, 2])
  assert.equal((await tasksOf(served)).length, 2)
  // The same two files once more would only repeat the second task.
  await sent(served, `${query}&name=plays.csv`, `${plays}Halo,2020-01-02,2\n`)
  const again = await sent(served, `${query}&name=songs.csv`, songs)
  assert.deepEqual([again.duplicate, again.task?.['id']], [true, (await tasksOf(served))[0]])
  assert.partialDeepStrictEqual(await setOf(served, again), {
    generation: 3,
    state: 'closed',
    task: again.task?.['id'],
  })
})

test('what does not belong to a set is refused, and nothing of it stays', async () => {
  await using served = await serveChart()
  await sent(served, 'set=s&pipeline=chart&files=3&name=plays.csv', plays)
  const refused = [
    ['set=s&pipeline=song-plays', '409 conflict'],
    ['set=s&pipeline=chart&param.day=1&name=songs.csv', '409 conflict'],
    ['set=s&pipeline=chart&files=2&name=songs.csv', '409 conflict'],
    ['set=s&pipeline=chart&name=other.csv', '422 unprocessable'],
    ['set=s&pipeline=chart&input=other&name=songs.csv', '422 unprocessable'],
    ['set=s&pipeline=nope', '404 not_found'],
    ['files=2', '400 invalid'],
    ['set=s&files=0', '400 invalid'],
    ['set=s&files=1000000', '400 invalid'],
    ['set=s&files=0x3', '400 invalid'],
    ['set=', '400 invalid'],
    [`set=${'s'.repeat(256)}`, '400 invalid'],
    ['set=a%0Ab', '400 invalid'],
  ] as const
  for (const [query, told] of refused) assert.equal(await refusal(await send(served, query, songs)), told, query)
  assert.equal((await served.files()).length, 1)
  assert.equal((await served.catalog.listUploads('local', { limit: 5 })).length, 1)
  const [set, ...others] = await served.catalog.listSets('local', { limit: 5 })
  assert.deepEqual([set?.name, others], ['s', []])
})

test('how many files there will be is told in time, or not at all: no file is in two tasks', async () => {
  await using served = await serveChart()
  const alone = await sent(served, 'set=alone&pipeline=song-plays', plays)
  assert.equal(await refusal(await send(served, 'set=alone&files=2', `${plays}Halo,2020-01-02,7\n`)), '409 conflict')
  for (const i of [1, 2]) await sent(served, 'set=late', `${plays}Halo,2020-01-02,${i}\n`)
  assert.equal(await refusal(await send(served, 'set=late&files=2&pipeline=song-plays', plays)), '409 conflict')
  const third = await sent(served, 'set=late&files=3&pipeline=song-plays', plays)
  assert.equal(inputsOf(third).length, 3)
  assert.deepEqual(await tasksOf(served), [third.task?.['id'], alone.task?.['id']])
})

test('a pipeline may be edited while its set waits', async () => {
  await using folder = await temporaryFolder()
  await using before = await serveChart()
  await writeFile(folder.at('chart.yaml'), chart.replace('Plays of each artist', 'How often each artist was played'))
  await using after = await serve({ pipelines: [folder.path], data: before.data })
  const one = await sent(before, 'set=s&pipeline=chart&name=plays.csv', plays)
  const two = await sent(after, 'set=s&pipeline=chart&name=songs.csv', songs)
  assert.deepEqual(
    inputsOf(two).map(({ upload }) => upload),
    [one, two].map(({ upload }) => upload['id']),
  )
})

test('files that have come are kept for as long as their set waits, and from its task on anew', async () => {
  await using served = await serveChart()
  const one = await sent(served, 'set=s&pipeline=chart&name=plays.csv', plays)
  const expired = new DatabaseSync(join(served.data, 'catalog.db'))
  expired.exec('update uploads set expires_at = 1')
  assert.equal((await served.catalog.expire(10)).count, 0)
  // Of a set that waits for nothing, or whose files are tasks of their own, nothing is kept for longer.
  const stored = await sent(served, 'set=stored', plays)
  await sent(served, 'set=alone&pipeline=song-plays&name=alone.csv', plays)
  await served.catalog.cancel((await tasksOf(served))[0] ?? '')
  expired.exec('update uploads set expires_at = 1')
  assert.equal((await served.catalog.expire(10)).count, 2)
  assert.equal((await served.catalog.getUpload(String(stored.upload['id'])))?.state, 'expired')
  const two = await sent(served, 'set=s&pipeline=chart&name=songs.csv', songs)
  assert.equal(inputsOf(two).length, 2)
  const kept = await served.catalog.getUpload(String(one.upload['id']))
  assert.ok((kept?.expiresAt ?? 0) > Date.now())
  expired.close()
})

test('files of a set that does not add up to a task are refused with the last of them', async () => {
  await using served = await serveChart()
  const query = 'set=s&pipeline=chart&files=2'
  await sent(served, `${query}&name=plays-1.csv`, plays)
  const response = await send(served, `${query}&name=plays-2.csv`, plays)
  assert.equal(await refusal(response), '422 unprocessable')
  const whole = await sent(served, `${query}&name=songs.csv`, songs)
  assert.equal(inputsOf(whole).length, 2)
})

test('what is to be done with a set may be told with any of its files, or never', async () => {
  await using served = await serveChart()
  await sent(served, 'set=late&name=plays.csv', plays)
  const late = await sent(served, 'set=late&name=songs.csv&pipeline=chart', songs)
  assert.deepEqual(
    inputsOf(late).map(({ input }) => input),
    ['plays', 'songs'],
  )
  const stored = await sent(served, 'set=stored&files=1', plays)
  assert.equal(stored.task, undefined)
  assert.partialDeepStrictEqual(await setOf(served, stored), { state: 'closed', task: null, pipeline: null })
})

test('files that come side by side make one task', async () => {
  await using served = await serveChart()
  const many = Array.from({ length: 8 }, (_, i) =>
    sent(served, 'set=many&files=8&pipeline=song-plays', `${plays}Halo,2020-01-02,${i}\n`),
  )
  const pair = [
    sent(served, 'set=pair&pipeline=chart&name=plays.csv', plays),
    sent(served, 'set=pair&pipeline=chart&name=songs.csv', songs),
  ]
  const answers = await Promise.all([...many, ...pair])
  assert.equal(answers.filter(({ task }) => task !== undefined).length, 2)
  const tasks = await served.catalog.listTasks('local', { limit: 5 })
  assert.deepEqual(new Set(tasks.map(({ inputs }) => inputs.length)), new Set([2, 8]))
  assert.equal(tasks.length, 2)
  assert.deepEqual(
    (await served.catalog.listSets('local', { limit: 5 })).map(({ state }) => state),
    ['closed', 'closed'],
  )
})

test('a file that comes in stretches counts once it is whole, in the set that waits then', async () => {
  await using served = await serveChart()
  const { create, patch } = tusClient(served)
  const metadata = metadataOf({ filename: 'plays.csv', set: 's', pipeline: 'chart' })
  const slow = (await create(plays.length, { 'upload-metadata': metadata })).headers.get('location') ?? ''
  const first = await sent(served, 'set=s&pipeline=chart&name=songs.csv', songs)
  const seen = await setOf(served, first)
  assert.deepEqual(
    (seen['uploads'] as Shown[]).map(({ state }) => state),
    ['open', 'complete'],
  )
  assert.deepEqual(seen['missing'], { inputs: ['plays'], files: null })
  const quick = await sent(served, 'set=s&pipeline=chart&name=plays.csv', `${plays}Halo,2020-01-02,7\n`)
  assert.equal((await setOf(served, quick))['state'], 'closed')
  await patch(slow, 0, plays)
  const { set, task } = await json(await fetch(served.url + slow))
  assert.equal(task, null)
  assert.partialDeepStrictEqual(await getSet(served, String(set)), { generation: 2, state: 'waiting', name: 's' })
})

test('a file that is deleted is missing again', async () => {
  await using served = await serveChart()
  const { upload } = await sent(served, 'set=s&pipeline=chart&files=2&name=plays.csv', plays)
  await fetch(`${served.url}/v1/uploads/${String(upload['id'])}`, { method: 'DELETE' })
  const set = await getSet(served, String(upload['set']))
  assert.deepEqual([set['missing'], set['uploads']], [{ inputs: [], files: 2 }, []])
})

test('a set that has waited for too long is given up, and the next file opens another', async () => {
  await using served = await serveChart({ keeping: { filesMs: -1000 } })
  const first = await sent(served, 'set=s&pipeline=chart&name=plays.csv', plays)
  await served.catalog.expire(10)
  assert.partialDeepStrictEqual(await setOf(served, first), { state: 'failed', generation: 1, uploads: [] })
  const next = await sent(served, 'set=s&pipeline=chart&name=songs.csv', songs)
  assert.partialDeepStrictEqual(await setOf(served, next), { state: 'waiting', generation: 2 })
})

test('a set whose files were tasks of their own has missed nothing when its time is up', async () => {
  await using served = await serve({ keeping: { filesMs: -1000 } })
  const first = await sent(served, 'set=s&pipeline=song-plays&name=a.csv', plays)
  await served.catalog.expire(10)
  assert.partialDeepStrictEqual(await setOf(served, first), { state: 'closed', task: null })
})

test('sets are listed page by page, and what is none is not found', async () => {
  await using served = await serve()
  for (const name of ['a', 'b', 'c']) await sent(served, `set=${name}`, name)
  const names: unknown[] = []
  for (let next: unknown = '/v1/sets?limit=2'; typeof next === 'string'; ) {
    const page = await json(await fetch(served.url + next))
    names.push(...(page['sets'] as Shown[]).map(({ name }) => name))
    next = page['next']
  }
  assert.deepEqual(names, ['c', 'b', 'a'])
  for (const id of ['nope', '01jzzzzzzzzzzzzzzzzzzzzzzz']) {
    assert.equal(await refusal(await fetch(`${served.url}/v1/sets/${id}`)), '404 not_found')
  }
})

test('a set that waits can be deleted with all that has come of it, and its name is free again', async () => {
  await using served = await serve()
  const query = 'set=week&pipeline=song-plays&name=a.csv'
  const [one] = [
    await sent(served, `${query}&files=3`, plays),
    await sent(served, query, `${plays}Halo,2020-01-02,7\n`),
  ]
  const url = `${served.url}/v1/sets/${String(one.upload['set'])}`
  assert.equal((await fetch(url, { method: 'DELETE' })).status, 204)
  assert.equal((await fetch(url, { method: 'DELETE' })).status, 204)
  assert.partialDeepStrictEqual(await json(await fetch(url)), { state: 'deleted', uploads: [], task: null })
  assert.deepEqual(await served.files(), [])
  const next = await sent(served, `${query}&files=1`, plays)
  assert.partialDeepStrictEqual(await setOf(served, next), { generation: 2, state: 'closed', files: 1 })
  assert.deepEqual(await tasksOf(served), [next.task?.['id']])
})

test('what a set has closed with, or a task still needs, is not deleted with it', async () => {
  await using served = await serve()
  const closed = await sent(served, 'set=closed&pipeline=song-plays&files=1&name=a.csv', plays)
  const needed = await sent(served, 'set=needed&pipeline=song-plays&name=b.csv', `${plays}Halo,2020-01-02,7\n`)
  for (const { upload } of [closed, needed]) {
    const url = `${served.url}/v1/sets/${String(upload['set'])}`
    assert.equal(await refusal(await fetch(url, { method: 'DELETE' })), '409 conflict')
    assert.equal((await json(await fetch(`${served.url}/v1/uploads/${String(upload['id'])}`)))['state'], 'complete')
  }
  assert.equal((await setOf(served, needed))['state'], 'waiting')
})

test('nothing comes into a folder that was deleted', async () => {
  await using served = await serve()
  const folder = String((await json(await fetch(`${served.url}/api/upload`, { method: 'POST' })))['folder_name'])
  assert.equal((await fetch(`${served.url}/v1/sets/${folder}`, { method: 'DELETE' })).status, 204)
  const late = await fetch(`${served.url}/api/upload/${folder}`, { method: 'POST', body: plays })
  assert.equal(await refusal(late), '410 gone')
  assert.deepEqual(await served.files(), [])
})
