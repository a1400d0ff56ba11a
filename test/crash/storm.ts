/**
 * Files are sent and loaded while processes are killed and frozen, bells ring more often than they should, tasks are
 * cancelled at any moment, and some are poison. In the end each file has one upload and one task, each row of a task that
 * has succeeded is there once, and of one that was cancelled none.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Queue } from '../../src/ports.ts'
import { check } from '../checker.ts'
import { type Folder, until } from '../harness.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { type Chance, chanceOf } from './seed.ts'
import { openStack, type StackName } from './stacks.ts'

export interface StormReport {
  readonly kills: number
  /** How many of them have interrupted a request or a task. */
  readonly hits: number
  readonly frozen: number
  readonly files: number
  readonly cancelled: number
}

const clients = 3
/** A client waits for its tasks before it sends more than so many files. */
const ahead = 3
const leaseMs = 1_000
const env = {
  ROWMILL_LEASE: `${leaseMs}ms`,
  ROWMILL_POLL: '200ms',
  ROWMILL_DRAIN: '1s',
  ROWMILL_WORKERS: '2',
  ROWMILL_THREADS: '1',
  ROWMILL_PART_SIZE: '50KB',
  ROWMILL_TASK_MEMORY: '500MB',
  // What never ends is interrupted by nearly each death.
  ROWMILL_LOST_LEASES: '1000',
  ROWMILL_PIPELINES: fileURLToPath(new URL('../pipelines', import.meta.url)),
}
/** From so many kills on, one task that never ends is there all the time. */
const longStorm = 50

interface Sent {
  readonly name: string
  readonly ids: readonly number[]
  readonly upload: string
  readonly sha256: string
  readonly task: string
  readonly pipeline: 'load' | 'hungry' | 'endless'
  readonly mayBeCancelled: boolean
}

export async function storm(
  name: StackName,
  folder: Folder,
  { kills, seed }: { kills: number; seed: number },
): Promise<StormReport> {
  const chance = chanceOf(seed)
  await using stack = await openStack(name, folder)
  await using queue = await stack.openQueue()
  await using fleet = await startFleet(stack, env)
  const sent: Sent[] = []
  const endless =
    kills < longStorm
      ? undefined
      : await send(fleet, { name: 'endless.csv', pipeline: 'endless', firstId: 1e6 }, chance)
  /** Those whose end a client has not seen yet. */
  const waiting = new Set<Sent>()
  const end = new AbortController()
  const sending = Promise.all(
    Array.from({ length: clients }, (_, n) => sendOn(fleet, queue, n, chance.fork(), { sent, waiting }, end.signal)),
  )
  sending.catch(() => {})
  const counts = await strike(fleet, chance, kills, async () => {
    await Promise.all(Array.from(waiting, (one) => endOf(fleet, one)))
  })
  end.abort()
  await Promise.race([
    sending,
    sleep(60_000, undefined, { ref: false }).then(() => assert.fail('files do not come to an end')),
  ])
  if (endless !== undefined) {
    await cancel(fleet, endless)
    sent.push(endless)
  }
  const states = await ended(fleet, sent)
  // A bell for what has ended is nothing.
  if (queue !== undefined) await Promise.all(sent.map(({ task }) => queue.ring(task)))
  await fleet.stop()
  const done = sent.filter(({ task }) => states.get(task) === 'succeeded')
  const ledger = 'SELECT task FROM _rowmill_loads WHERE committed_at IS NOT NULL'
  await check({
    data: stack.folderOf(0),
    env: stack.env,
    uploads: new Map(sent.map(({ upload, sha256 }) => [upload, sha256])),
    tables: [
      {
        rows: await stack.sink.texts('SELECT id FROM people'),
        expected: done.flatMap(({ ids }) => ids.map(String)),
        ledger: await stack.sink.texts(ledger),
      },
    ],
  })
  const cancelled = sent.filter(({ task }) => states.get(task) === 'cancelled')
  return { ...counts, files: sent.length, cancelled: cancelled.length }
}

/**
 * Kills somebody, again and again; now and then somebody who works is only frozen, for longer than its lease. The pauses go
 * by how long a process takes to be there again.
 * @param lull is waited for after each fifth kill: what a death has interrupted takes longer than the next one is away.
 */
async function strike(
  fleet: Fleet,
  chance: Chance,
  kills: number,
  lull: () => Promise<void>,
): Promise<Pick<StormReport, 'kills' | 'hits' | 'frozen'>> {
  let [hits, frozen, startMs] = [0, 0, 500]
  for (let kill = 0; kill < kills; ) {
    await sleep((chance.between(20, 150) / 100) * startMs)
    const victim = chance.below(fleet.size)
    if (fleet.size > 1 && fleet.isWorker(victim) && chance.is(0.15)) {
      await fleet.freeze(victim, 2 * leaseMs)
      frozen++
    } else {
      const began = performance.now()
      if (await fleet.kill(victim)) hits++
      startMs = performance.now() - began
      if (++kill % 5 === 0) await lull()
    }
  }
  return { kills, hits, frozen }
}

/** Sends one file after another, each until it is acknowledged. */
async function sendOn(
  fleet: Fleet,
  queue: Queue | undefined,
  client: number,
  chance: Chance,
  { sent, waiting }: { readonly sent: Sent[]; readonly waiting: Set<Sent> },
  end: AbortSignal,
): Promise<void> {
  let own: Sent[] = []
  for (let nth = 0; !end.aborted; nth++) {
    // One for certain, soon.
    const pipeline = (client === 0 && nth === 1) || chance.is(0.03) ? 'hungry' : 'load'
    const file = { name: `${client}-${nth}.csv`, pipeline, firstId: (client * 1_000 + nth) * 10_000 } as const
    const one = await send(fleet, file, chance)
    sent.push(one)
    own.push(one)
    waiting.add(one)
    if (queue !== undefined && chance.is(0.3)) {
      await Promise.allSettled(Array.from({ length: chance.between(2, 10) }, () => queue.ring(one.task)))
    }
    if (one.mayBeCancelled) {
      await sleep(chance.below(400))
      await cancel(fleet, one)
    }
    if (own.length < ahead) continue
    for (const earlier of own) {
      await endOf(fleet, earlier)
      waiting.delete(earlier)
    }
    own = []
  }
}

async function cancel(fleet: Fleet, { task }: Sent): Promise<void> {
  const answer = await fleet.ask(`/v1/tasks/${task}/cancel`, () => ({ method: 'POST' }))
  assert.ok([200, 409].includes(answer.status), await answer.text())
}

type File = Pick<Sent, 'name' | 'pipeline'> & { readonly firstId: number }

async function send(fleet: Fleet, { name, pipeline, firstId }: File, chance: Chance): Promise<Sent> {
  const ids = Array.from({ length: chance.between(1, 4_000) }, (_, i) => firstId + i)
  const body = Buffer.from(`id,text\n${ids.map((id) => `${id},some text of row ${id}\n`).join('')}`)
  const param = pipeline === 'load' ? '&param.table=people' : ''
  const path = `/v1/uploads?name=${name}&pipeline=${pipeline}${param}`
  for (;;) {
    const init = () => ({ method: 'PUT', body, headers: { 'idempotency-key': name } })
    const response = await fleet.ask(path, init)
    // The dead holder of the key is waited for.
    if (response.status === 409) {
      await sleep(50)
      continue
    }
    const text = await response.text()
    assert.ok([200, 202].includes(response.status), `${response.status} ${text}`)
    const { upload, task } = JSON.parse(text) as { upload: { id: string }; task: { id: string } }
    const sha256 = createHash('sha256').update(body).digest('hex')
    const mayBeCancelled = pipeline === 'endless' || chance.is(0.15)
    return { name, ids, upload: upload.id, sha256, task: task.id, pipeline, mayBeCancelled }
  }
}

/** The state in which a file's task has ended, once it has. */
async function endOf(fleet: Fleet, { name, task }: Sent): Promise<string> {
  let text = ''
  const look = async () => {
    text = await (await fleet.ask(`/v1/tasks/${task}`)).text()
    const { state } = JSON.parse(text) as { state: string }
    return ['queued', 'running'].includes(state) ? undefined : state
  }
  return await until(`the task of ${name} ends`, look).catch((error: Error) => assert.fail(`${error.message}: ${text}`))
}

/** How each task has ended, by its id; one for each file, and no other. */
async function ended(fleet: Fleet, sent: readonly Sent[]): Promise<ReadonlyMap<string, string>> {
  const states = new Map<string, string>()
  for (const one of sent) {
    const { task, name, pipeline, mayBeCancelled } = one
    const state = await endOf(fleet, one)
    const right = { load: 'succeeded', hungry: 'failed', endless: 'cancelled' }[pipeline]
    if (state !== right && !(state === 'cancelled' && mayBeCancelled)) {
      assert.fail(`${name} is ${state}: ${await (await fleet.ask(`/v1/tasks/${task}`)).text()}`)
    }
    states.set(task, state)
  }
  assert.equal(states.size, sent.length)
  const listed = async (what: 'uploads' | 'tasks') => {
    const all: { name?: string; state: string }[] = []
    for (let next: string | null = `/v1/${what}?limit=200`; next !== null; ) {
      const page = (await (await fleet.ask(next)).json()) as Record<string, typeof all> & { next: string | null }
      all.push(...(page[what] ?? []))
      next = page.next
    }
    return all
  }
  assert.equal((await listed('tasks')).length, sent.length, 'tasks')
  const whole = (await listed('uploads')).filter(({ state }) => state === 'complete')
  assert.deepEqual(new Set(whole.map(({ name }) => name)), new Set(sent.map(({ name }) => name)))
  assert.equal(whole.length, sent.length, 'complete uploads')
  return states
}
