/** What every catalog must do, whatever database it stands on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { newId } from '../../src/ids.ts'
import type { Task } from '../../src/model.ts'
import type { Keeping, Verdict } from '../../src/entries.ts'
import type { Catalog } from '../../src/ports.ts'
import { again, closing, code, crashedOut, failed, get, hour, lapsed } from './catalog-samples.ts'
import { queued, succeeded, taskOf, upload, walk } from './catalog-samples.ts'
import { commitsContract } from './catalog-commits.ts'
import { racesContract } from './catalog-races.ts'
import { anySequence } from './task-model.ts'

/** A database of one test's own. Each `open` is a connection of its own, as another process would have it. */
export interface CatalogStore extends AsyncDisposable {
  open(keeping?: Partial<Keeping>): Promise<Catalog>
}

export interface CheckedStore extends Pick<CatalogStore, 'open'> {
  /** One that nobody has opened yet. */
  another(): Promise<CatalogStore>
}

/** Runs a check on a catalog of its own. */
export type CheckCatalog = (what: string, body: (catalog: Catalog, store: CheckedStore) => Promise<void>) => void

/** Where the checks have their databases from: */
export interface CatalogStores {
  /** a new one, with no tables, */
  readonly fresh: () => Promise<CatalogStore>
  /** and one whose tables, if it has them, are empty; nobody else has it until it is disposed. A new one, unless it says more. */
  readonly empty?: () => Promise<CatalogStore>
}

export function testCatalog(name: string, { fresh, empty = fresh }: CatalogStores): void {
  const check: CheckCatalog = (what, body) => {
    void test(`${name}: ${what}`, async () => {
      await using store = await empty()
      await using catalog = await store.open()
      await body(catalog, { ...store, another: fresh })
      await using after = await store.open()
      assert.deepEqual(await after.checkIntegrity(), [])
    })
  }

  commitsContract(check)
  racesContract(check)

  check('an upload is open, takes parts in any order, and is closed once', async (catalog) => {
    const id = newId()
    const file = { id, owner: 'local', name: '../"plays"\n.csv', comes: 'in pieces' } as const
    const open = await catalog.createUpload(file)
    assert.deepEqual(open, await catalog.getUpload(id))
    assert.deepEqual([open.state, open.bytes, open.sha256, open.completedAt], ['open', 0, null, null])
    const part = (n: number, sha256: string) => ({ upload: id, n, blob: `uploads/${id}/${sha256}`, bytes: n, sha256 })
    await catalog.addPart(part(2, 'b'))
    await catalog.addPart(part(1, 'a'))
    await catalog.addPart(part(2, 'c'))
    assert.deepEqual(await catalog.parts(id), [part(1, 'a'), part(2, 'c')])

    const { upload: complete } = await catalog.completeUpload(id)
    assert.deepEqual([complete.state, complete.bytes, complete.sha256], ['complete', 3, null])
    assert.ok(complete.completedAt !== null && complete.completedAt >= complete.createdAt)
    assert.deepEqual(await catalog.completeUpload(id), { upload: complete, unused: [] })
    await assert.rejects(catalog.addPart(part(3, 'd')), code('conflict'))
    assert.deepEqual(await catalog.getUpload(id), complete)
    assert.equal((await catalog.parts(id)).length, 2)
    await assert.rejects(catalog.createUpload({ id, owner: 'local', name: 'twice' }), code('conflict'))
    for (const absent of [
      () => catalog.addPart({ ...part(1, 'a'), upload: newId() }),
      () => catalog.completeUpload(newId()),
      () => catalog.deleteUpload(newId()),
    ]) {
      await assert.rejects(absent, code('not_found'))
    }
    assert.equal(await catalog.getUpload(newId()), undefined)
  })

  check('completing an upload and creating its task is one transaction', async (catalog) => {
    const { id } = await catalog.createUpload({ id: newId(), owner: 'local', name: 'plays.csv' })
    const other = await queued(catalog)
    const taken = taskOf([id], { id: other })
    await assert.rejects(catalog.completeUpload(id, closing(taken)), code('conflict'))
    const dangling = taskOf([id, newId()])
    await assert.rejects(catalog.completeUpload(id, closing(dangling)), code('not_found'))
    assert.equal((await catalog.getUpload(id))?.state, 'open')
    assert.equal(await catalog.getTask(dangling.id), undefined)

    const task = taskOf([id])
    assert.equal((await catalog.completeUpload(id, closing(task))).upload.state, 'complete')
    const { id: _, ...created } = await get(catalog, task.id)
    assert.deepEqual(
      { ...task, ...created, state: 'queued', attempt: 0, outputs: [], error: null },
      { ...task, ...created },
    )
    assert.deepEqual([created.startedAt, created.endedAt, created.leaseUntil], [null, null, null])
    assert.equal((await catalog.listTasks('local', { limit: 9 })).length, 2)
  })

  check('a task is made of complete uploads only, read in the order given', async (catalog) => {
    const [a, b] = [await upload(catalog), await upload(catalog)]
    const open = await catalog.createUpload({ id: newId(), owner: 'local', name: 'half.csv' })
    const inputs = [b, a, b].map((id, at) => ({ input: `in${at}`, upload: id, name: '' }))
    assert.deepEqual((await catalog.createTask(taskOf([], { inputs }))).inputs, inputs)
    assert.deepEqual((await catalog.createTask(taskOf([]))).inputs, [])
    await assert.rejects(catalog.createTask(taskOf([a, open.id])), code('conflict', /half\.csv.*open/))
    const gone = await upload(catalog)
    await catalog.deleteUpload(gone)
    await assert.rejects(catalog.createTask(taskOf([gone])), code('gone', /deleted/))
    await assert.rejects(catalog.createTask(taskOf([newId()])), code('not_found'))
  })

  check('a task that could not begin is there with its reason, and nobody ever runs it', async (catalog) => {
    const hold = { owner: 'local', key: 'the key', holder: newId() }
    assert.equal(await catalog.holdKey(hold, hour), 'held')
    const error = { code: 'not_found', message: 'The object was gone.', details: { key: 'a "b"' } } as const
    const wanted = taskOf([], { error, setName: 'load/june', repeatKey: 'the same' })
    const task = await catalog.createTask(wanted, { ...hold, request: 'ab' })
    assert.deepEqual(task, await get(catalog, wanted.id))
    assert.deepEqual([task.state, task.attempt, task.error, task.inputs], ['failed', 0, error, []])
    assert.ok(task.endedAt !== null && task.expiresAt !== null && task.expiresAt > task.endedAt)
    const found = await catalog.holdKey({ ...hold, holder: newId() }, hour)
    assert.deepEqual(found, { request: 'ab', upload: null, set: null, task: task.id, duplicate: false })
    assert.deepEqual(await catalog.dueTasks(9), [])
    assert.equal(await catalog.claim(task.id, hour), undefined)
    await assert.rejects(catalog.cancel(task.id), code('conflict', /has ended \(failed\)/))
    // It has done nothing that another would repeat.
    assert.equal((await catalog.createTask(taskOf([], { repeatKey: 'the same' }))).state, 'queued')
  })

  check('an upload is not deleted while a task needs it', async (catalog) => {
    const id = await upload(catalog)
    const { id: task } = await catalog.createTask(taskOf([id]))
    await assert.rejects(catalog.deleteUpload(id), code('conflict', new RegExp(task)))
    assert.ok(await catalog.claim(task, hour))
    await assert.rejects(catalog.deleteUpload(id), code('conflict', /running/))
    assert.equal((await catalog.getUpload(id))?.state, 'complete')
    await catalog.finish(task, 1, failed)
    await catalog.deleteUpload(id)
    await catalog.deleteUpload(id)
    assert.equal((await catalog.getUpload(id))?.state, 'deleted')
    assert.deepEqual(await catalog.listUploads('local', { limit: 9 }), [])
  })

  check('of many claimers one gets the task, over several connections', async (catalog, store) => {
    await using second = await store.open()
    const ids = await Promise.all(Array.from({ length: 8 }, () => queued(catalog)))
    const claims = ids.flatMap((id) => [catalog, second, catalog, second].map((by) => by.claim(id, hour)))
    const won = (await Promise.all(claims)).flatMap((task) => (task === undefined ? [] : [task.id]))
    assert.deepEqual(won.toSorted(), ids.toSorted())
    for (const id of ids) assert.equal((await get(second, id)).attempt, 1)
    assert.deepEqual(await second.dueTasks(9), [])
  })

  check('connections that write at the same moment wait for each other', async (catalog, store) => {
    await using second = await store.open()
    for (let round = 0; round < 5; round++) {
      const id = await queued(catalog)
      await catalog.claim(id, lapsed)
      const [mine, others] = await Promise.all([
        catalog.requeueLapsed(9),
        second.requeueLapsed(9),
        second.createUpload({ id: newId(), owner: 'local', name: 'x' }),
        catalog.createTask(taskOf([])),
        second.createTask(taskOf([])),
      ])
      assert.deepEqual([...mine, ...others], [id])
    }
    assert.equal((await catalog.listTasks('local', { limit: 99 })).length, 15)
  })

  check('an attempt that was overtaken changes nothing', async (catalog) => {
    const id = await queued(catalog)
    const first = await catalog.claim(id, lapsed)
    const unchangedBy = async (attempt: number) => {
      const before = await get(catalog, id)
      const progress = { phase: 'working', unit: 'rows', done: 1, total: 2 } as const
      assert.equal(await catalog.renew(id, attempt, hour, progress), false)
      for (const verdict of [succeeded, failed, crashedOut, again('crashed')]) {
        assert.equal(await catalog.finish(id, attempt, verdict), false)
      }
      assert.deepEqual(await get(catalog, id), before)
    }
    assert.deepEqual(await catalog.requeueLapsed(9), [id])
    // Its number is still the latest, but the task waits for somebody else.
    await unchangedBy(1)
    const second = await catalog.claim(id, hour)
    await unchangedBy(1)
    await unchangedBy(3)
    assert.equal(second?.startedAt, first?.startedAt)
    assert.equal(await catalog.finish(id, 2, succeeded), true)
    const ended = await get(catalog, id)
    // The answer may have been lost.
    assert.equal(await catalog.finish(id, 2, succeeded), true)
    assert.equal(await catalog.finish(id, 2, failed), false)
    assert.deepEqual(await get(catalog, id), ended)
    await unchangedBy(3)
    const { state, outputs, rejects, warnings, balances, endedAt } = await get(catalog, id)
    assert.deepEqual({ state, outputs, rejects, warnings, balances }, succeeded)
    assert.ok(endedAt !== null && endedAt >= (first?.startedAt ?? Number.POSITIVE_INFINITY))
  })

  check('a sum that does not come out is never a success', async (catalog) => {
    const id = await queued(catalog)
    const running = await catalog.claim(id, hour)
    const inputs = { plays: { records: 5, accepted: 4, rejected: 0, blankLines: 1 } }
    const wrong: Verdict = { ...succeeded, balances: { ...succeeded.balances, inputs } }
    await assert.rejects(catalog.finish(id, 1, wrong), code('internal'))
    assert.deepEqual(await get(catalog, id), running)
  })

  check('a success whose outputs cannot be recorded is none', async (catalog) => {
    const id = await queued(catalog)
    const running = await catalog.claim(id, hour)
    const [output] = succeeded.outputs
    assert.ok(output)
    await assert.rejects(catalog.finish(id, 1, { ...succeeded, outputs: [output, output] }), code('conflict'))
    assert.deepEqual(await get(catalog, id), running)
    assert.equal(await catalog.finish(id, 1, succeeded), true)
  })

  check('the rejects of a task are corrected by one other at a time', async (catalog, store) => {
    const parent = await queued(catalog)
    await catalog.claim(parent, hour)
    await catalog.finish(parent, 1, succeeded)
    const correction = async (to = catalog) => to.createTask(taskOf([await upload(to)], { corrects: parent }))
    const first = await correction()
    assert.deepEqual([first.corrects, first.correctedBy], [parent, null])
    assert.equal((await get(catalog, parent)).correctedBy, first.id)
    await assert.rejects(correction(), code('conflict', new RegExp(`by task ${first.id} already`)))
    await catalog.cancel(first.id)
    assert.equal((await get(catalog, parent)).correctedBy, null)

    // Whoever comes second is refused, and nothing of it stays.
    await using other = await store.open()
    const { id } = await other.createUpload({ id: newId(), owner: 'local', name: 'fixed.csv' })
    const late = other.completeUpload(id, closing(taskOf([id], { corrects: parent })))
    const [soon, later] = await Promise.allSettled([correction(), late])
    assert.deepEqual([soon.status, later.status].toSorted(), ['fulfilled', 'rejected'])
    assert.equal((await get(catalog, parent)).correctedBy !== null, true)
    assert.equal((await other.getUpload(id))?.state, later.status === 'fulfilled' ? 'complete' : 'open')
  })

  check('a cancelled task stays cancelled, and an ended one cannot be', async (catalog) => {
    const [waiting, running, done] = [await queued(catalog), await queued(catalog), await queued(catalog)]
    const cancelled = await catalog.cancel(waiting)
    assert.equal(cancelled.state, 'cancelled')
    assert.ok(cancelled.endedAt !== null)
    assert.equal(await catalog.claim(waiting, hour), undefined)
    await catalog.claim(running, lapsed)
    assert.equal((await catalog.cancel(running)).leaseUntil, null)
    assert.equal(await catalog.renew(running, 1, hour, null), false)
    assert.equal(await catalog.finish(running, 1, succeeded), false)
    assert.deepEqual(await catalog.requeueLapsed(1), [])
    await catalog.claim(done, hour)
    await catalog.finish(done, 1, succeeded)
    for (const id of [waiting, running, done])
      await assert.rejects(catalog.cancel(id), code('conflict', /can no longer be/))
    await assert.rejects(catalog.cancel(newId()), code('not_found'))
  })

  check('a silent worker loses its task, and a task its last chance', async (catalog) => {
    const [lively, silent] = [await queued(catalog), await queued(catalog)]
    await catalog.claim(lively, 20)
    await catalog.renew(lively, 1, hour, null)
    await catalog.claim(silent, 20)
    while ((await get(catalog, silent)).state === 'running') {
      const taken = await catalog.requeueLapsed(2)
      assert.ok(!taken.includes(lively))
      await sleep(5)
    }
    const lost = await get(catalog, silent)
    assert.deepEqual([lost.state, lost.lostLeases, lost.crashes, lost.failures], ['queued', 1, 0, 0])
    assert.deepEqual(await catalog.dueTasks(9), [silent])
    await catalog.claim(silent, lapsed)
    assert.deepEqual(await catalog.requeueLapsed(2), [silent])
    const { state, error, endedAt } = await get(catalog, silent)
    assert.deepEqual([state, error?.code, endedAt !== null], ['failed', 'unavailable', true])
    assert.match(error?.message ?? '', /2 times/)
    assert.equal((await get(catalog, lively)).state, 'running')
  })

  check('a task sent round again is due when its time has come, not before', async (catalog) => {
    const [later, sooner] = [await queued(catalog), await queued(catalog)]
    assert.deepEqual(await catalog.dueTasks(1), [later])
    await catalog.claim(later, hour)
    await catalog.claim(sooner, hour)
    await catalog.finish(later, 1, { state: 'queued', delayMs: hour, why: 'failed' })
    await catalog.finish(sooner, 1, { state: 'queued', delayMs: 0.5, why: 'stopped' })
    assert.equal(await catalog.claim(later, hour), undefined)
    const { runAfter, createdAt } = await get(catalog, later)
    assert.ok(runAfter >= createdAt + hour)
    while ((await catalog.dueTasks(9)).length === 0) await sleep(1)
    assert.deepEqual(await catalog.dueTasks(9), [sooner])
    const newer = await queued(catalog)
    await catalog.claim(sooner, hour)
    await sleep(2)
    await catalog.finish(sooner, 2, again('stopped'))
    assert.deepEqual(await catalog.dueTasks(9), [newer, sooner])
  })

  check('lists are an owner’s own, newest first, page by page', async (catalog) => {
    const mine: Task[] = []
    for (let i = 0; i < 7; i++) mine.unshift(await get(catalog, await queued(catalog)))
    await catalog.createTask(taskOf([await upload(catalog, 'other')], { owner: 'other' }))
    assert.deepEqual(await walk((before) => catalog.listTasks('local', { limit: 3, before })), mine)
    const cancelled = [mine[1], mine[4]].flatMap((task) => (task === undefined ? [] : [task.id]))
    for (const id of cancelled) await catalog.cancel(id)
    const page = await walk((before) => catalog.listTasks('local', { limit: 1, before, state: 'cancelled' }))
    assert.deepEqual(
      page.map((task) => task.id),
      cancelled,
    )
    const uploads = await walk((before) => catalog.listUploads('local', { limit: 2, before }))
    assert.deepEqual(
      uploads.map(({ id }) => id),
      mine.flatMap((task) => task.inputs.map((input) => input.upload)),
    )
    assert.deepEqual(await catalog.listTasks('nobody', { limit: 9 }), [])
  })

  check('what was acknowledged is there for the next who opens it', async (catalog, store) => {
    const [done, waiting] = [await queued(catalog), await queued(catalog)]
    await catalog.claim(done, hour)
    await catalog.finish(done, 1, failed)
    const before = await catalog.listTasks('local', { limit: 9 })
    await catalog[Symbol.asyncDispose]()
    await using next = await store.open()
    assert.deepEqual(await next.listTasks('local', { limit: 9 }), before)
    assert.deepEqual((await get(next, done)).error, failed.error)
    assert.equal((await next.claim(waiting, hour))?.id, waiting)
  })

  check('text and params come back as they went in', async (catalog) => {
    // No database takes lone surrogates, and PostgreSQL no NUL.
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'))
    const params = fc.dictionary(
      text,
      fc.oneof(
        text,
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
        fc.boolean(),
        fc.array(text),
      ),
      { noNullPrototype: true },
    )
    await fc.assert(
      fc.asyncProperty(text, text, params, async (fileName, pipelineText, given) => {
        const created = await catalog.createUpload({ id: newId(), owner: 'local', name: fileName })
        assert.equal(created.name, fileName)
        const task = taskOf([created.id], { pipelineText, params: given })
        await catalog.completeUpload(created.id, closing(task))
        const read = await get(catalog, task.id)
        assert.deepEqual([read.pipelineText, read.params], [pipelineText, given])
      }),
      { numRuns: 20 },
    )
  })

  check('any sequence of calls leaves a task where the states allow', anySequence)
}
