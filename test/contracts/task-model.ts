/** A task as a few words and the rules for them: the model that a catalog is compared with, call by call. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isEnded, type TaskState } from '../../src/model.ts'
import type { Verdict } from '../../src/entries.ts'
import type { Catalog } from '../../src/ports.ts'
import { again, code, crashedOut, failed, get, hour, lapsed, queued, succeeded } from './catalog-samples.ts'

/** Makes random calls and compares after each. */
export async function anySequence(catalog: Catalog): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...steps), { maxLength: 14 }), async (sequence) => {
      const id = await queued(catalog)
      let expected: Expected = {
        state: 'queued',
        attempt: 0,
        crashes: 0,
        failures: 0,
        lostLeases: 0,
        leased: false,
        lapses: false,
        told: undefined,
      }
      for (const step of sequence) {
        expected = await step.run(catalog, id, expected)
        const { state, attempt, crashes, failures, lostLeases, ...task } = await get(catalog, id)
        const leased = task.leaseUntil !== null
        const { lapses, told } = expected
        assert.deepEqual({ state, attempt, crashes, failures, lostLeases, leased, lapses, told }, expected, step.name)
        assert.equal(task.startedAt !== null, attempt > 0)
        assert.equal(task.endedAt !== null, isEnded(state))
        assert.equal(task.error !== null, state === 'failed')
        assert.equal(task.outputs.length, state === 'succeeded' ? 2 : 0)
        if (!leased) assert.equal(task.progress, null)
      }
      // The next sequence must not find this one's task lapsed.
      if (!isEnded(expected.state)) await catalog.cancel(id)
    }),
    { numRuns: 25 },
  )
}

interface Expected {
  state: TaskState
  attempt: number
  crashes: number
  failures: number
  lostLeases: number
  leased: boolean
  lapses: boolean
  /** What has ended it. */
  told: Verdict | undefined
}

interface Step {
  name: string
  run(catalog: Catalog, id: string, before: Expected): Promise<Expected>
}

const maxLost = 2
const free = { leased: false, lapses: false } as const

const finishes = (name: string, verdict: Verdict, change: (before: Expected) => Partial<Expected>): Step[] =>
  [0, 1].map((behind) => ({
    name: `${name} by ${behind} attempts ago`,
    async run(catalog, id, before) {
      const holds = before.state === 'running' && behind === 0
      const isRepeated = isEnded(before.state) && behind === 0 && before.told === verdict
      assert.equal(await catalog.finish(id, before.attempt - behind, verdict), holds || isRepeated)
      return holds
        ? { ...before, ...free, ...change(before), told: verdict.state === 'queued' ? undefined : verdict }
        : before
    },
  }))

const steps: Step[] = [
  ...[hour, lapsed].map((leaseMs) => ({
    name: `claim for ${leaseMs}`,
    async run(catalog: Catalog, id: string, before: Expected): Promise<Expected> {
      const task = await catalog.claim(id, leaseMs)
      assert.equal(task?.state, before.state === 'queued' ? 'running' : undefined)
      if (task === undefined) return before
      return { ...before, state: 'running', attempt: before.attempt + 1, leased: true, lapses: leaseMs < 0 }
    },
  })),
  {
    name: 'renew',
    async run(catalog, id, before) {
      const progress = { phase: 'reading', unit: 'bytes', done: 1, total: null } as const
      const holds = before.state === 'running'
      assert.equal(await catalog.renew(id, before.attempt, hour, progress), holds)
      if (!holds) return before
      assert.deepEqual((await get(catalog, id)).progress, progress)
      return { ...before, lapses: false }
    },
  },
  {
    name: 'requeueLapsed',
    async run(catalog, id, before) {
      assert.deepEqual(await catalog.requeueLapsed(maxLost), before.lapses ? [id] : [])
      if (!before.lapses) return before
      const lostLeases = before.lostLeases + 1
      return { ...before, ...free, lostLeases, state: lostLeases < maxLost ? 'queued' : 'failed' }
    },
  },
  {
    name: 'cancel',
    async run(catalog, id, before) {
      if (isEnded(before.state)) {
        await assert.rejects(catalog.cancel(id), code('conflict'))
        return before
      }
      await catalog.cancel(id)
      return { ...before, ...free, state: 'cancelled' }
    },
  },
  ...finishes('succeeded', succeeded, () => ({ state: 'succeeded' })),
  ...finishes('failed', failed, () => ({ state: 'failed' })),
  ...finishes('crashed out', crashedOut, ({ crashes }) => ({ state: 'failed', crashes: crashes + 1 })),
  ...finishes('crashed', again('crashed'), ({ crashes }) => ({ state: 'queued', crashes: crashes + 1 })),
  ...finishes('to be tried again', again('failed'), ({ failures }) => ({ state: 'queued', failures: failures + 1 })),
  ...finishes('stopped', again('stopped'), () => ({ state: 'queued' })),
]
