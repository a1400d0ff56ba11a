/** A service that dies at the k-th place where something can be left half done, for every k; then another in its place. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { check } from '../checker.ts'
import { type Env, type Folder, type Service, startService, taskEnds, until } from '../harness.ts'
import { openStack, type Stack, type StackName } from './stacks.ts'

/** Short, since a death costs a whole lease. */
const quick: Env = { ROWMILL_LEASE: '600ms', ROWMILL_POLL: '100ms', ROWMILL_DRAIN: '1s', ROWMILL_THREADS: '1' }

const ids = Array.from({ length: 2_000 }, (_, i) => i + 1)
const csv = `id,text\n${ids.map((id) => `${id},some text of row ${id}\n`).join('')}`

/**
 * Sends a file to be loaded to a service that dies at the k-th point, and again, under the same key, to the next one.
 * @returns the point; undefined when there are fewer than k.
 */
export async function dieAtNth(name: StackName, k: number, folder: Folder): Promise<string | undefined> {
  await using stack = await openStack(name, folder)
  const point = await dies(stack, k)
  await using second = await start(stack)
  const { upload, task } = await until('it is acknowledged', () => send(second))
  const ended = await taskEnds(second, task)
  assert.equal(ended.state, 'succeeded', JSON.stringify(ended.error))
  assert.equal(ended.balances?.outputs['rows']?.produced, ids.length)
  await second.stop()
  await check({
    data: stack.folderOf(0),
    env: stack.env,
    uploads: new Map([[upload.id, createHash('sha256').update(csv).digest('hex')]]),
    tables: [
      {
        rows: await stack.sink.texts('SELECT id FROM people'),
        expected: ids.map(String),
        ledger: await stack.sink.texts('SELECT task FROM _rowmill_loads WHERE committed_at IS NOT NULL'),
      },
    ],
  })
  return point
}

/** The point at which it dies; undefined when it does all there is to do, and has passed fewer. */
async function dies(stack: Stack, k: number): Promise<string | undefined> {
  const pointIn = (told: string) => /"point":"([a-z-]+)"/.exec(told)?.[1] ?? assert.fail(told)
  // The janitor passes points in every round, and would never come to an end.
  const env = { ROWMILL_FAILPOINT: `${k}:kill`, ROWMILL_POLL: '1h' }
  const first = await start(stack, env).catch((error: unknown) => pointIn(String(error)))
  if (typeof first === 'string') return first
  await using _ = first
  const sent = await send(first)
  if (sent !== undefined) await Promise.race([first.exited, ends(first, sent.task)])
  const isOver = await Promise.race([first.exited.then(() => true), sleep(300, false, { ref: false })])
  if (isOver) return pointIn(first.stderr())
  await first.stop()
  return undefined
}

/** All roles in one process, so that it passes every point. */
function start(stack: Stack, env: Env = {}): Promise<Service> {
  return startService({ data: stack.folderOf(0), env: { ...quick, ...stack.env, ...env } })
}

interface Answer {
  readonly upload: { readonly id: string }
  readonly task: { readonly id: string }
}

/** Undefined when there is no answer, or none yet: who held the key is dead, and is waited for. */
async function send({ url }: Service): Promise<Answer | undefined> {
  try {
    const path = `${url}/v1/uploads?name=people.csv&pipeline=load&param.table=people`
    const response = await fetch(path, { method: 'PUT', body: csv, headers: { 'idempotency-key': 'people' } })
    if (response.status === 409) return undefined
    assert.ok(response.ok, await response.clone().text())
    return (await response.json()) as Answer
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    return undefined
  }
}

/** Whether the task ends, as long as there is somebody to tell. */
async function ends(service: Service, task: Answer['task']): Promise<void> {
  await taskEnds(service, task).catch(() => undefined)
}
