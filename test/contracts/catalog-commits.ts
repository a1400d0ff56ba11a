/** What every catalog must keep of tasks that have begun to commit, that only plan, and that undo others. */
import assert from 'node:assert/strict'
import type { Plan, Undone } from '../../src/balances.ts'
import type { Verdict } from '../../src/entries.ts'
import type { Targets } from '../../src/job.ts'
import type { CheckCatalog } from './catalog.ts'
import { again, code, failed, get, hour, queued, succeeded, taskOf, upload } from './catalog-samples.ts'

const target = { table: 'people', mode: 'append', key: [], drift: 'fail', undoable: true } as const
const columns = [
  { name: 'id', field: { type: 'integer', constraints: {} }, absent: 'refused', isComputed: false },
] as const
const targets: Targets = { rows: { target, rows: 'tabbed', columns } }

const loaded = {
  ...succeeded,
  outputs: [{ name: 'rows', to: 'db', table: 'people', mode: 'append', rows: 4, undoable: true }],
} as const satisfies Verdict

const undone: Record<string, Undone> = { rows: { removed: 3, restored: 0, left: 1, leftKeys: [{ id: '7' }] } }

export function commitsContract(check: CheckCatalog): void {
  check('a commit that has begun is known to later attempts, and cannot be cancelled', async (catalog) => {
    const id = await queued(catalog)
    await catalog.claim(id, hour)
    assert.equal(await catalog.targets(id), undefined)
    assert.equal(await catalog.commit(id, 2, targets), false)
    assert.equal(await catalog.commit(id, 1, targets), true)
    await assert.rejects(catalog.cancel(id), code('conflict', /begun to commit/))
    await catalog.finish(id, 1, again('failed'))
    await assert.rejects(catalog.cancel(id), code('conflict', /begun to commit/))
    const { attempt, committing, delivery } = (await catalog.claim(id, hour)) ?? {}
    assert.deepEqual([attempt, committing, delivery], [2, true, id])
    assert.deepEqual(await catalog.targets(id), targets)
  })

  check('who retries a task that has failed within its commit goes on with it', async (catalog) => {
    const first = await queued(catalog)
    await catalog.claim(first, hour)
    await catalog.commit(first, 1, targets)
    await catalog.finish(first, 1, failed)
    const second = await queued(catalog, { retryOf: first })
    const { attempt, committing, delivery } = (await catalog.claim(second, hour)) ?? {}
    assert.deepEqual([attempt, committing, delivery], [2, true, first])
    assert.deepEqual(await catalog.targets(second), targets)
    // One at a time, and from the end of the chain.
    await assert.rejects(queued(catalog, { retryOf: first }), code('conflict', new RegExp(`task ${second} goes on`)))
    await catalog.finish(second, 2, failed)
    await assert.rejects(queued(catalog, { retryOf: first }), code('conflict', new RegExp(`task ${second} goes on`)))
    const third = await queued(catalog, { retryOf: second })
    assert.equal((await get(catalog, third)).delivery, first)
    await catalog.claim(third, hour)
    await catalog.finish(third, 3, loaded)
    // What has come to its end is done anew.
    const fourth = await get(catalog, await queued(catalog, { retryOf: third }))
    assert.deepEqual([fourth.delivery, fourth.attempt, fourth.committing], [fourth.id, 0, false])
  })

  check('a task that has failed before its commit is done anew', async (catalog) => {
    const first = await queued(catalog)
    await catalog.claim(first, hour)
    await catalog.finish(first, 1, failed)
    const second = await get(catalog, await queued(catalog, { retryOf: first }))
    assert.deepEqual([second.delivery, second.attempt, second.committing], [second.id, 0, false])
  })

  check('a correction that has failed within its commit is retried, and not sent again', async (catalog) => {
    const parent = await queued(catalog)
    await catalog.claim(parent, hour)
    await catalog.finish(parent, 1, succeeded)
    const first = await queued(catalog, { corrects: parent })
    await catalog.claim(first, hour)
    await catalog.commit(first, 1, targets)
    await catalog.finish(first, 1, failed)
    await assert.rejects(
      queued(catalog, { corrects: parent }),
      code('conflict', new RegExp(`by task ${first} already`)),
    )
    const second = await queued(catalog, { corrects: parent, retryOf: first })
    assert.equal((await get(catalog, parent)).correctedBy, second)
  })

  check('a dry run keeps its plan, and a task the plan that it is bound to', async (catalog) => {
    const plan: Plan = { ...succeeded.balances, hash: 'ab'.repeat(32) }
    const id = await queued(catalog, { dryRun: true })
    assert.deepEqual([(await get(catalog, id)).dryRun, (await get(catalog, id)).plan], [true, null])
    await catalog.claim(id, hour)
    await catalog.finish(id, 1, { ...succeeded, outputs: [], plan })
    assert.deepEqual((await get(catalog, id)).plan, plan)
    assert.equal((await get(catalog, await queued(catalog, { planHash: plan.hash }))).planHash, plan.hash)
  })

  check('a task is undone by one other at a time, and once', async (catalog, store) => {
    const id = await queued(catalog)
    const undo = (over = {}, to = catalog) => to.createTask(taskOf([], { undoes: id, ...over }))
    await assert.rejects(undo(), code('conflict', /queued/))
    await catalog.claim(id, hour)
    await catalog.finish(id, 1, loaded)
    assert.deepEqual((await get(catalog, id)).outputs, loaded.outputs)

    await using other = await store.open()
    const both = await Promise.allSettled([undo(), undo({}, other)])
    assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
    const by = (await get(catalog, id)).undoneBy ?? ''
    assert.equal((await get(catalog, by)).undoes, id)
    await catalog.cancel(by)
    assert.equal((await get(catalog, id)).undoneBy, null)

    const next = await undo()
    await catalog.claim(next.id, hour)
    await catalog.commit(next.id, 1, {})
    await catalog.finish(next.id, 1, failed)
    await assert.rejects(undo(), code('conflict', new RegExp(`undone by task ${next.id}`)))
    const last = await undo({ retryOf: next.id })
    await catalog.claim(last.id, hour)
    const balances = { inputs: {}, outputs: {} }
    await catalog.finish(last.id, 2, { ...succeeded, balances, outputs: [], rejects: null, undone })
    assert.deepEqual((await get(catalog, last.id)).undone, undone)
    assert.equal((await get(catalog, id)).undoneBy, last.id)
    await assert.rejects(undo(), code('conflict', /undone by task/))
  })

  check('what has put no rows into tables, or kept nothing, cannot be undone', async (catalog) => {
    const files = await queued(catalog)
    await catalog.claim(files, hour)
    await catalog.finish(files, 1, succeeded)
    await assert.rejects(queued(catalog, { undoes: files }), code('conflict', /no rows into tables/))
    const fixed = (await catalog.createTask(taskOf([await upload(catalog)]))).id
    await catalog.claim(fixed, hour)
    const [rows] = loaded.outputs
    await catalog.finish(fixed, 1, { ...loaded, outputs: [{ ...rows, undoable: false }] })
    await assert.rejects(queued(catalog, { undoes: fixed }), code('conflict', /nothing was kept/))
  })
}
