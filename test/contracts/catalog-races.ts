/** What every catalog must keep when many do the same, or the opposite, at the same moment and from several processes. */
import assert from 'node:assert/strict'
import type { AppError } from '../../src/errors.ts'
import { newId } from '../../src/ids.ts'
import type { NewReceipt } from '../../src/entries.ts'
import type { Catalog } from '../../src/ports.ts'
import type { CheckCatalog } from './catalog.ts'
import { closing, hour, taskOf, upload } from './catalog-samples.ts'

/** Often enough to meet now and then, seldom enough not to be waited for. */
const rounds = 6

const fulfilled = <T>(results: readonly PromiseSettledResult<T>[]): T[] =>
  results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))

const refusals = (results: readonly PromiseSettledResult<unknown>[]): string[] =>
  results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as AppError).code] : []))

/** Does something in all of these catalogs at once, twice in each. */
async function everywhere<T>(catalogs: readonly Catalog[], work: (by: Catalog, nth: number) => Promise<T>) {
  return await Promise.allSettled([...catalogs, ...catalogs].map(work))
}

export function racesContract(check: CheckCatalog): void {
  check('an upload that many complete at once is completed once, and all hear the same', async (catalog, store) => {
    await using second = await store.open()
    for (let round = 0; round < rounds; round++) {
      const { id } = await catalog.createUpload({ id: newId(), owner: 'local', name: 'x' })
      const ended = await everywhere([catalog, second], (by) => by.completeUpload(id, closing(taskOf([id]))))
      const told = fulfilled(ended).map(({ upload: { state, task } }) => `${state} ${task}`)
      assert.deepEqual([told.length, new Set(told).size], [4, 1], refusals(ended).join())
    }
    assert.equal((await catalog.listTasks('local', { limit: 99 })).length, rounds)
  })

  check('of tasks that would do the same one is made, whoever asks for it when', async (catalog, store) => {
    await using second = await store.open()
    for (let round = 0; round < rounds; round++) {
      const repeatKey = newId()
      const made = await everywhere([catalog, second], (by) => by.createTask(taskOf([], { repeatKey })))
      assert.deepEqual([fulfilled(made).length, new Set(fulfilled(made).map(({ id }) => id)).size], [4, 1])
      // And the same where that is known only when they run.
      const late = newId()
      const [one, other] = [await catalog.createTask(taskOf([])), await catalog.createTask(taskOf([]))]
      for (const { id } of [one, other]) await catalog.claim(id, hour)
      const found = await Promise.all([
        catalog.cancelRepeated(one.id, 1, late),
        second.cancelRepeated(other.id, 1, late),
      ])
      assert.equal(found.filter((earlier) => earlier === undefined).length, 1)
    }
  })

  check('files that come at once for a set of one name are one set', async (catalog, store) => {
    await using second = await store.open()
    for (let round = 0; round < rounds; round++) {
      const name = `set ${round}`
      const made = await everywhere([catalog, second], (by) =>
        by.createUpload({
          id: newId(),
          owner: 'local',
          name: 'x',
          set: { id: newId(), name, order: null, files: 4 },
        }),
      )
      const sets = new Set(fulfilled(made).map(({ set }) => set))
      assert.deepEqual([fulfilled(made).length, sets.size], [4, 1], refusals(made).join())
      const [first = ''] = sets
      // The last one closes it, and no other.
      const closed = await Promise.all(
        fulfilled(made).map(({ id }, i) =>
          (i % 2 === 0 ? catalog : second).completeUpload(id, {
            decide: (_, set) =>
              set?.complete === 4
                ? (uploads) => ({ task: taskOf(uploads.map((one) => one.id)), closes: true })
                : { closes: false },
          }),
        ),
      )
      assert.equal(closed.filter(({ upload: { task } }) => task !== null).length, 1)
      const { state, task } = (await catalog.getSet(first ?? '')) ?? {}
      assert.equal(state, 'closed')
      assert.equal((await catalog.getTask(task ?? ''))?.inputs.length, 4)
    }
  })

  check('a key of idempotency has one holder at a time', async (catalog, store) => {
    await using second = await store.open()
    for (let round = 0; round < rounds; round++) {
      const key = `key ${round}`
      const receipt = (holder: string): NewReceipt => ({ owner: 'local', key, holder, request: 'ab' })
      const took = await everywhere([catalog, second], (by, nth) => by.holdKey(receipt(`holder ${nth}`), hour))
      assert.deepEqual([fulfilled(took).length, fulfilled(took).filter((one) => one === 'held').length], [4, 1])
      const holder = took.findIndex((one) => one.status === 'fulfilled' && one.value === 'held')
      const done = await everywhere([catalog, second], (by, nth) =>
        by.createTask(taskOf([]), receipt(`holder ${nth === holder ? holder : 'other'}`)),
      )
      assert.equal(fulfilled(done).length, 1)
    }
  })

  check('bytes that some drop while others bring them are kept for who has them', async (catalog, store) => {
    await using second = await store.open()
    const sha256 = 'ab'.repeat(32)
    const bring = async (by: Catalog) => {
      const { id } = await by.createUpload({ id: newId(), owner: 'local', name: 'x' })
      const blob = `uploads/${newId()}`
      const { upload: whole } = await by.completeUpload(id, { last: { upload: id, blob, bytes: 3, sha256, offset: 0 } })
      return whole.id
    }
    const bringAll = () => Promise.all([catalog, second, catalog, second].map(bring))
    const catalogOf = (nth: number) => (nth % 2 === 0 ? catalog : second)
    let before = await bringAll()
    for (let round = 0; round < rounds; round++) {
      const dropping = Promise.all(before.map((id, nth) => catalogOf(nth).deleteUpload(id)))
      const [brought] = await Promise.all([bringAll(), dropping])
      for (const id of brought) assert.equal((await catalog.parts(id))[0]?.sha256, sha256)
      before = brought
    }
  })

  check('an upload is not deleted under the task that is made of it', async (catalog, store) => {
    await using second = await store.open()
    for (let round = 0; round < rounds; round++) {
      const id = await upload(catalog)
      const [made, gone] = await Promise.allSettled([catalog.createTask(taskOf([id])), second.deleteUpload(id)])
      assert.notEqual(made.status, gone.status)
      assert.equal((await catalog.getUpload(id))?.state, made.status === 'fulfilled' ? 'complete' : 'deleted')
    }
  })

  check('what expires is gone once, and no task has it', async (_, store) => {
    await using janitor = await store.open({ filesMs: -1_000 })
    await using second = await store.open({ filesMs: -1_000 })
    for (let round = 0; round < rounds; round++) {
      const ids = [await upload(janitor), await upload(janitor), await upload(janitor)]
      const [counts, other, ...made] = await Promise.allSettled([
        janitor.expire(9),
        second.expire(9),
        ...ids.map((id) => second.createTask(taskOf([id]))),
      ])
      const tasks = fulfilled(made as PromiseSettledResult<{ id: string; inputs: readonly { upload: string }[] }>[])
      assert.deepEqual(refusals([counts, other]), [])
      for (const { id, inputs } of tasks) {
        assert.equal((await janitor.getUpload(inputs[0]?.upload ?? ''))?.state, 'complete')
        await janitor.cancel(id)
      }
      await janitor.expire(9)
    }
  })

  check('a quota is not passed by many at once', async (catalog, store) => {
    await using one = await store.open({ quota: 10 })
    await using other = await store.open({ quota: 10 })
    const made = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        (i % 2 === 0 ? one : other).createUpload({ id: newId(), owner: `owner ${i % 4}`, name: 'x', size: 3 }),
      ),
    )
    assert.deepEqual([fulfilled(made).length, new Set(refusals(made))], [3, new Set(['too_large'])])
    assert.deepEqual(await catalog.checkIntegrity(), [])
  })

  check('many that open a catalog at once find it, or make it, whole', async (_, store) => {
    await using empty = await store.another()
    const opened = await Promise.all(Array.from({ length: 4 }, () => empty.open()))
    await Promise.all(opened.map((catalog) => catalog.createTask(taskOf([]))))
    assert.equal((await opened[0]?.listTasks('local', { limit: 9 }))?.length, 4)
    for (const catalog of opened) await catalog[Symbol.asyncDispose]()
  })
}
