/** Files that are sent once more: the task that did the same before is told, and none comes into being. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { crashedOut } from '../../test/contracts/catalog-samples.ts'
import { insertTask, json, post, type Served, type ServeOptions, serve, succeed } from '../../test/http-fixture.ts'
import type { Output, TableOutput } from '../model.ts'

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n'
const table: TableOutput = { name: 'rows', to: 'warehouse', table: 'plays', mode: 'append', rows: 1, undoable: true }

interface Answer {
  readonly upload: { readonly id: string; readonly task: string | null; readonly duplicateOf: string | null }
  readonly task: { readonly id: string }
  readonly duplicate: boolean
}

async function send(
  { url }: Served,
  query = 'pipeline=song-plays',
  body: string | Uint8Array = plays,
): Promise<Answer> {
  const response = await fetch(`${url}/v1/uploads?${query}`, { method: 'POST', body })
  assert.ok(response.ok, await response.clone().text())
  return (await response.json()) as Answer
}

/** A server, and a task on it that others may repeat. */
async function serveOnce(query?: string, options?: ServeOptions) {
  const served = await serve(options)
  const { upload, task, duplicate } = await send(served, query)
  assert.equal(duplicate, false)
  return { served, upload, id: task.id, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() }
}

/** Whether the same file once more is told to repeat that task. */
async function isRepeated({ served, id }: { served: Served; id: string }, query?: string): Promise<boolean> {
  const again = await send(served, query)
  assert.equal(again.duplicate, again.task.id === id)
  assert.equal(again.upload.task, again.task.id)
  return again.duplicate
}

test('the same file for the same pipeline is told the earlier task, from its beginning to its end', async () => {
  await using once = await serveOnce()
  const { served, id, upload } = once
  const again = await send(served, 'pipeline=song-plays&name=other.csv')
  assert.deepEqual([again.duplicate, again.task.id], [true, id])
  assert.deepEqual([again.upload.task, again.upload.duplicateOf], [id, upload.id])
  await served.catalog.claim(id, 60_000)
  assert.ok(await isRepeated(once))
  await served.catalog.finish(id, 1, { state: 'queued', delayMs: 0, why: 'stopped' })
  await succeed(served, id)
  assert.ok(await isRepeated(once))
  const submitted = await post(`${served.url}/v1/tasks`, {
    pipeline: 'song-plays',
    inputs: [{ upload: again.upload.id }],
  })
  assert.equal(submitted.status, 200)
  assert.partialDeepStrictEqual(await json(submitted), { id, duplicate: true })
  assert.equal((await served.catalog.listTasks('local', { limit: 9 })).length, 1)
})

test('what differs in its bytes, its pipeline, its params or its table is no repetition', async () => {
  const load = 'pipeline=load&name=a.csv'
  await using once = await serveOnce(load)
  const { served } = once
  const others = [
    [load, `${plays}Halo,2020-01-02,7\n`],
    [load, gzipSync(plays)],
    ['pipeline=profile&name=a.csv', plays],
    [`${load}&param.mode=replace`, plays],
    // The table is called after the file.
    ['pipeline=load&name=b.csv', plays],
    [`${load}&param.table=other`, plays],
  ] as const
  for (const [query, body] of others) assert.equal((await send(served, query, body)).duplicate, false, query)
  assert.ok(await isRepeated(once, load))
  // What is the default anyhow is no difference.
  assert.ok(await isRepeated(once, `${load}&param.mode=append`))
})

test('who asks for it gets it once more, and the earliest counts from then on', async () => {
  await using once = await serveOnce()
  assert.equal(await isRepeated(once, 'pipeline=song-plays&again=true'), false)
  assert.ok(await isRepeated(once))
})

test('a dry run is none that could be repeated, and repeats none', async () => {
  await using once = await serveOnce('pipeline=song-plays&dryRun=true')
  assert.equal(await isRepeated(once, 'pipeline=song-plays&dryRun=true'), false)
  assert.equal(await isRepeated(once), false)
  assert.equal((await send(once.served, 'pipeline=song-plays&dryRun=true')).duplicate, false)
})

test('a task that has failed, was cancelled or has expired is not repeated, but done', async () => {
  const ends: Readonly<Record<string, (served: Served, id: string) => Promise<unknown>>> = {
    failed: async ({ catalog }, id) => {
      const claimed = await catalog.claim(id, 60_000)
      await catalog.finish(id, claimed?.attempt ?? 0, crashedOut)
    },
    cancelled: ({ catalog }, id) => catalog.cancel(id),
    expired: async (served, id) => {
      await succeed(served, id)
      await served.catalog.expire(10)
    },
  }
  for (const [what, end] of Object.entries(ends)) {
    await using once = await serveOnce(undefined, { keeping: { filesMs: what === 'expired' ? -1000 : 1e9 } })
    await end(once.served, once.id)
    assert.equal(await isRepeated(once), false, what)
  }
})

test('a task whose rows were taken out again is not repeated, unless that came to nothing', async () => {
  await using once = await serveOnce()
  const { served, id } = once
  await succeed(served, id, [table])
  assert.ok(await isRepeated(once))
  const undoing = await json(await fetch(`${served.url}/v1/tasks/${id}/undo`, { method: 'POST' }))
  const done = await send(served)
  assert.equal(done.duplicate, false)
  await served.catalog.cancel(done.task.id)
  await served.catalog.cancel(String(undoing['id']))
  assert.ok(await isRepeated(once))
})

test('a task is done again once another has written to its table', async () => {
  const others: readonly (readonly [what: string, outputs: readonly Output[], isSuperseded: boolean])[] = [
    ['nothing', [], false],
    ['another table', [{ ...table, table: 'other' }], false],
    ['a table of another database', [{ ...table, to: 'elsewhere' }], false],
    ['the table', [table], true],
    ['the table, spelled otherwise', [{ ...table, table: 'PLAYS' }], true],
  ]
  for (const [what, outputs, isSuperseded] of others) {
    await using once = await serveOnce()
    const { served, id } = once
    await succeed(served, id, [table])
    const other = await insertTask(served)
    assert.ok(await isRepeated(once), what)
    await succeed(served, other.id, outputs)
    assert.equal(await isRepeated(once), !isSuperseded, what)
  }
})

test('a task is done again while another is about to write to its table', async () => {
  await using once = await serveOnce()
  const { served, id } = once
  await succeed(served, id, [table])
  const other = await insertTask(served)
  const attempt = (await served.catalog.claim(other.id, 60_000))?.attempt ?? 0
  const target = { table: 'Plays', mode: 'append', key: [], drift: 'fail', undoable: true } as const
  await served.catalog.commit(other.id, attempt, { rows: { target, rows: 'csv', columns: undefined } })
  assert.equal(await isRepeated(once), false)
})
