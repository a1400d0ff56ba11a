/** What the catalog's contract is tested with. */
import assert from 'node:assert/strict'
import type { AppError, ErrorCode } from '../../src/errors.ts'
import { newId } from '../../src/ids.ts'
import type { Task } from '../../src/model.ts'
import type { Completion, NewTask, Verdict } from '../../src/entries.ts'
import type { Catalog } from '../../src/ports.ts'

export const hour = 3_600_000
/** A lease that has ended before it began, so that no test waits for one. */
export const lapsed = -1_000

export const succeeded = {
  state: 'succeeded',
  balances: {
    inputs: { plays: { records: 5, accepted: 4, rejected: 1, blankLines: 2 } },
    outputs: { totals: { produced: 4, inserted: 4, updated: 0, unchanged: 0, skipped: 0 } },
  },
  warnings: [{ code: 'no-rows', message: 'plays has no rows.' }],
  outputs: [
    { name: 'totals', format: 'csv', rows: 4, bytes: 99, sha256: 'ab', blob: 'results/1' },
    { name: 'again', format: 'parquet', rows: 4, bytes: 2 ** 41, sha256: 'cd', blob: 'results/2' },
  ],
  rejects: {
    count: 3,
    bytes: 120,
    blob: 'results/rejects',
    fixable: [{ input: 'plays', bytes: 80, blob: 'results/fixable' }],
  },
} as const satisfies Verdict
export const failed = {
  state: 'failed',
  error: { code: 'rejected', message: 'plays: 1 of 5 records', details: { first: { line: 3 } } },
  balances: succeeded.balances,
  rejects: succeeded.rejects,
  crashed: false,
} as const satisfies Verdict
export const crashedOut: Verdict = {
  state: 'failed',
  error: { code: 'crashed', message: 'three times' },
  balances: null,
  rejects: null,
  crashed: true,
}
export const again = (why: 'crashed' | 'failed' | 'stopped'): Verdict => ({ state: 'queued', delayMs: 0, why })

export function code(expected: ErrorCode, message = /./) {
  return (error: AppError) => {
    assert.equal(error.code, expected, error.message)
    assert.match(error.message, message)
    return true
  }
}

export async function upload(catalog: Catalog, owner = 'local'): Promise<string> {
  const { id } = await catalog.createUpload({ id: newId(), owner, name: 'plays.csv' })
  await catalog.completeUpload(id)
  return id
}

/** Closes an upload, and makes this task of it. */
export function closing(task: NewTask): Completion {
  return { decide: () => ({ task, closes: false }) }
}

export function taskOf(uploads: readonly string[], over: Partial<NewTask> = {}): NewTask {
  return {
    id: newId(),
    owner: 'local',
    pipeline: 'song-plays',
    pipelineText: 'about: Totals.\n',
    params: { table: 'plays', mode: 'append', strict: true, limit: 1.5, key: ['a', 'b'] },
    inputs: uploads.map((id, at) => ({ input: 'plays', upload: id, name: `${at}.csv` })),
    retryOf: null,
    corrects: null,
    dryRun: false,
    planHash: null,
    undoes: null,
    setName: null,
    again: false,
    repeatKey: null,
    ...over,
  }
}

export async function queued(catalog: Catalog, over: Partial<NewTask> = {}): Promise<string> {
  return (await catalog.createTask(taskOf([await upload(catalog)], over))).id
}

export async function get(catalog: Catalog, id: string): Promise<Task> {
  const task = await catalog.getTask(id)
  assert.ok(task)
  return task
}

/** All pages of a list, one after another. */
export async function walk<T extends { id: string }>(page: (before: string | undefined) => Promise<T[]>): Promise<T[]> {
  const seen: T[] = []
  for (let more = await page(undefined); more.length > 0; more = await page(seen.at(-1)?.id)) seen.push(...more)
  return seen
}
