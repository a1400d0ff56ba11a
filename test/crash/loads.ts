/** A service that loads a table, and dies or stops on the way; then another in its place. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Failpoint } from '../../src/failpoints.ts'
import type { TaskAnswer } from '../../src/cli/client.ts'
import { check } from '../checker.ts'
import { type Env, type Folder, json, type Received, type Service, startService, taskEnds, until } from '../harness.ts'
import type { DatabaseKind, LoadDatabase } from './databases.ts'

/** Long enough that its bytes come in more than one piece. */
const ids = Array.from({ length: 20_000 }, (_, i) => i + 1)
const csv = `id,text\n${ids.map((id) => `${id},some text of row ${id}\n`).join('')}`
const uploads = (received: readonly Received[]) => {
  const sha256 = createHash('sha256').update(csv).digest('hex')
  return new Map(received.map(({ upload }) => [upload.id, sha256]))
}

/** Short, since a death costs a whole lease. */
const quick: Env = { ROWMILL_LEASE: '600ms', ROWMILL_POLL: '100ms' }

export interface Loading extends AsyncDisposable {
  readonly data: string
  readonly database: LoadDatabase
  start(env?: Env): Promise<Service>
}

export async function openLoading(kind: DatabaseKind, folder: Folder): Promise<Loading> {
  const database = await kind.open(folder)
  const data = folder.at('data')
  return {
    data,
    database,
    start: (env = {}) => startService({ data, env: { ...quick, ROWMILL_SINK_WAREHOUSE_URL: database.url, ...env } }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

export async function sendLoad(
  { url }: Pick<Service, 'url'>,
  params: Readonly<Record<string, string>> = {},
): Promise<Received> {
  const given = Object.entries({ table: 'people', ...params }).map(([name, value]): [string, string] => [
    `param.${name}`,
    value,
  ])
  const query = String(new URLSearchParams([['name', 'people.csv'], ['pipeline', 'load'], ...given]))
  return await json<Received>(await fetch(`${url}/v1/uploads?${query}`, { method: 'POST', body: csv }))
}

/** @param times how often the rows should be there. */
export async function checkLoads(
  { data, database }: Loading,
  received: readonly Received[],
  times: number,
): Promise<void> {
  const expected = ids.flatMap((id) => Array.from({ length: times }, () => String(id)))
  const rows = await database.texts('SELECT id FROM people')
  const ledger = await database.texts('SELECT task FROM _rowmill_loads WHERE committed_at IS NOT NULL')
  await check({ data, uploads: uploads(received), tables: [{ rows, expected, ledger }] })
}

/** Kills the service at the point, starts it again, and sees that each row is there once. */
export async function killAt(
  point: Failpoint,
  kind: DatabaseKind,
  folder: Folder,
  params: Readonly<Record<string, string>> = {},
  meanwhile: (database: LoadDatabase) => Promise<unknown> = async () => {},
): Promise<void> {
  await using loading = await openLoading(kind, folder)
  const received: Received[] = []
  await dieAt(point, loading, async (service) => received.push(await sendLoad(service, params)))
  await meanwhile(loading.database)
  await using second = await loading.start()
  for (const { task } of received) {
    const ended = await taskEnds(second, task)
    assert.equal(ended.state, 'succeeded', JSON.stringify(ended.error))
    assert.equal(ended.balances?.outputs['rows']?.produced, ids.length)
  }
  await second.stop()
  await checkLoads(loading, received, 1)
}

/** Has a service do something, and sees it die at the point. */
async function dieAt(point: Failpoint, loading: Loading, ask: (service: Service) => Promise<unknown>): Promise<void> {
  await using service = await loading.start({ ROWMILL_FAILPOINT: `${point}:kill` })
  await ask(service)
  let isOver = false
  void service.exited.then(() => (isOver = true))
  await until(`the service dies ${point}`, () => isOver)
}

/** Kills the service at a point of an undo, starts it again, and sees that no row of the load is there any more. */
export async function killUndoAt(
  point: Failpoint,
  kind: DatabaseKind,
  folder: Folder,
  params: Readonly<Record<string, string>> = {},
): Promise<void> {
  await using loading = await openLoading(kind, folder)
  const received: Received[] = []
  {
    await using first = await loading.start()
    // A replace has nothing to go back to without another one before it.
    for (let n = params['mode'] === 'replace' ? 0 : 1; n < 2; n++) received.push(await sendLoad(first, params))
    for (const { task } of received) assert.equal((await taskEnds(first, task)).state, 'succeeded')
    await first.stop()
  }
  const [{ task }] = received.slice(-1) as [Received]
  let undoing: TaskAnswer | undefined
  await dieAt(point, loading, async ({ url }) => {
    undoing = await json<TaskAnswer>(await fetch(`${url}/v1/tasks/${task.id}/undo`, { method: 'POST' }))
  })
  await using second = await loading.start()
  const ended = await taskEnds(second, undoing ?? task)
  assert.equal(ended.state, 'succeeded', JSON.stringify(ended.error))
  const { removed, left } = ended.undone?.['rows'] ?? {}
  assert.deepEqual([removed, left], [ids.length, 0])
  await second.stop()
  await checkLoads(loading, received, received.length - 1)
}

/** Stops the service at the point for longer than its lease; another takes its task; then it goes on. */
export async function freezeAt(point: Failpoint, kind: DatabaseKind, folder: Folder): Promise<void> {
  await using loading = await openLoading(kind, folder)
  await using zombie = await loading.start({ ROWMILL_FAILPOINT: `${point}:stop` })
  const received = [await sendLoad(zombie)]
  const [{ task }] = received as [Received]
  await using other = await loading.start()
  const ended = await taskEnds(other, task)
  assert.equal(ended.state, 'succeeded', JSON.stringify(ended.error))
  // On a busy machine the other one may lose its lease as well.
  const { attempt } = ended
  assert.ok(attempt >= 2)
  zombie.send('SIGCONT')
  // It has one worker: when another task of its own has ended, it has done with the first.
  const again = await sendLoad({ url: zombie.url.replace('localhost', '127.0.0.1') })
  received.push(again)
  await until('both services have nothing left to do', async () => {
    const { state } = await taskEnds(other, again.task)
    return state === 'succeeded'
  })
  assert.equal((await taskEnds(other, task)).attempt, attempt)
  await Promise.all([zombie.stop(), other.stop()])
  await checkLoads(loading, received, 2)
}
