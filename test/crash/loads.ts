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
/** What is in the table before: a row that no other is like, and one that there is another of. */
const others = [0, 1]
const othersCsv = `id,text\n${others.map((id) => `${id},older text of row ${id}\n`).join('')}`

/** What was received, and what was sent for that. */
type Sent = Received & { readonly body: string }

function uploads(sent: readonly Sent[]): Map<string, string> {
  return new Map(sent.map(({ upload, body }) => [upload.id, createHash('sha256').update(body).digest('hex')]))
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
  body: string = csv,
): Promise<Sent> {
  const given = Object.entries({ table: 'people', ...params }).map(([name, value]): [string, string] => [
    `param.${name}`,
    value,
  ])
  const query = String(new URLSearchParams([['name', 'people.csv'], ['pipeline', 'load'], ['again', 'true'], ...given]))
  const received = await json<Received>(await fetch(`${url}/v1/uploads?${query}`, { method: 'POST', body }))
  return { ...received, body }
}

/** @param there the ids that should be there, as often as they should. */
export async function checkLoads(
  { data, database }: Loading,
  received: readonly Sent[],
  there: readonly number[],
): Promise<void> {
  const expected = there.map(String)
  const rows = await database.texts('SELECT id FROM people')
  const ledger = await database.texts('SELECT task FROM _rowmill_loads WHERE committed_at IS NOT NULL')
  await check({ data, uploads: uploads(received), tables: [{ rows, expected, ledger }] })
}

/** What there is to be done, and to what. */
export interface Subject {
  readonly params?: Readonly<Record<string, string>>
  /** Whether there are other rows in the table before, from another load. */
  readonly isFilled?: boolean
  /** What somebody else does between the death and the second start. */
  readonly meanwhile?: (database: LoadDatabase) => Promise<unknown>
}

/** Kills the service at the point, starts it again, and sees that each row is there once. */
export async function killAt(
  point: Failpoint,
  kind: DatabaseKind,
  folder: Folder,
  subject: Subject = {},
): Promise<void> {
  const { params = {}, isFilled = false, meanwhile = async () => {} } = subject
  await using loading = await openLoading(kind, folder)
  const before = isFilled ? [await fill(loading, params)] : []
  const received: Sent[] = []
  await dieAt(point, loading, async (service) => received.push(await sendLoad(service, params)))
  await meanwhile(loading.database)
  await using second = await loading.start()
  for (const { task } of received) {
    const ended = await taskEnds(second, task)
    assert.equal(ended.state, 'succeeded', JSON.stringify(ended.error))
    assert.equal(ended.balances?.outputs['rows']?.produced, ids.length)
  }
  await second.stop()
  await checkLoads(loading, [...before, ...received], [...leftOf(before, params), ...ids])
}

async function fill(loading: Loading, params: Subject['params']): Promise<Sent> {
  await using service = await loading.start()
  const sent = await sendLoad(service, params, othersCsv)
  assert.equal((await taskEnds(service, sent.task)).state, 'succeeded')
  await service.stop()
  return sent
}

/** The rows of before that are still there after the other load. */
function leftOf(before: readonly Sent[], { mode }: Readonly<Record<string, string>>): readonly number[] {
  if (before.length === 0 || mode === 'replace') return []
  return mode === 'upsert' ? others.filter((id) => !ids.includes(id)) : others
}

/** Has a service do something, and sees it die at the point. */
async function dieAt(point: Failpoint, loading: Loading, ask: (service: Service) => Promise<unknown>): Promise<void> {
  await using service = await loading.start({ ROWMILL_FAILPOINT: `${point}:kill` })
  await ask(service)
  let isOver = false
  void service.exited.then(() => (isOver = true))
  await until(`the service dies ${point}`, () => isOver)
}

/** Kills the service at a point of an undo, starts it again, and sees that there is what was there before the load. */
export async function killUndoAt(
  point: Failpoint,
  kind: DatabaseKind,
  folder: Folder,
  { params = {} }: Subject = {},
): Promise<void> {
  await using loading = await openLoading(kind, folder)
  const before = await fill(loading, params)
  let sent: Sent | undefined
  {
    await using first = await loading.start()
    sent = await sendLoad(first, params)
    assert.equal((await taskEnds(first, sent.task)).state, 'succeeded')
    await first.stop()
  }
  const { id } = sent.task
  let undoing: TaskAnswer | undefined
  await dieAt(point, loading, async ({ url }) => {
    undoing = await json<TaskAnswer>(await fetch(`${url}/v1/tasks/${id}/undo`, { method: 'POST' }))
  })
  await using second = await loading.start()
  const ended = await taskEnds(second, undoing ?? sent.task)
  assert.equal(ended.state, 'succeeded', JSON.stringify(ended.error))
  const { removed, restored, left } = ended.undone?.['rows'] ?? {}
  const changed = { append: 0, replace: others.length, upsert: 1 }[params['mode'] ?? 'append']
  assert.deepEqual(
    { removed, restored, left },
    { removed: ids.length - (params['mode'] === 'upsert' ? 1 : 0), restored: changed, left: 0 },
  )
  await second.stop()
  await checkLoads(loading, [before, sent], others)
  const texts = await loading.database.texts('SELECT text FROM people')
  assert.ok(
    texts.every((text) => text.startsWith('older')),
    'there are rows of the load',
  )
}

/** Stops the service at the point for longer than its lease; another takes its task; then it goes on. */
export async function freezeAt(point: Failpoint, kind: DatabaseKind, folder: Folder): Promise<void> {
  await using loading = await openLoading(kind, folder)
  await using zombie = await loading.start({ ROWMILL_FAILPOINT: `${point}:stop` })
  const received = [await sendLoad(zombie)]
  const [{ task }] = received as [Sent]
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
  await checkLoads(loading, received, [...ids, ...ids])
}
