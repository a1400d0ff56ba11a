/** What is delivered without a service: once for the same run, and again when there is reason to. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { createLog } from '../log.ts'
import { parsePipeline } from '../pipeline/parse.ts'
import { sqliteSink } from '../sinks/sqlite/sink.ts'
import { type Folder, temporaryFolder } from '../../test/harness.ts'
import type { Shipped } from './deliver.ts'
import { digestsOf } from './digests.ts'
import { deliverLocally, planLocally, runLocally } from './local.ts'
import { Supervisor } from './supervisor.ts'
import { targetsOf } from './targets.ts'

const text = `
about: Two tables.
params: { mode: { default: append } }
inputs: { file: {} }
outputs:
  all: { to: db, table: people, mode: $mode, sql: FROM file }
  some: { to: db, table: first, mode: $mode, sql: "SELECT * FROM file WHERE id = 1" }
`

const engine = new Supervisor({ memory: 2e9, timeoutMs: 60_000, log: createLog('silent') })
let folder: Folder
before(async () => {
  folder = await temporaryFolder()
  await writeFile(folder.at('people.csv'), 'id,name\n1,Ada\n2,Bob\n')
})
after(async () => {
  await engine[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** Greater with each run, as the time is. */
let clock = 0

interface Given {
  readonly database: string
  readonly file?: string
  readonly mode?: string
  readonly again?: boolean
  readonly planHash?: string
  /** Whether it is only planned. */
  readonly plan?: boolean
}

async function deliver(given: Given): Promise<Shipped & { hash: string }> {
  const { database, file = 'people.csv', mode = 'append', again = false, planHash, plan = false } = given
  const pipeline = parsePipeline('two', text, 'two.yaml')
  const sinks = new Map([['db', sqliteSink('db', folder.at(database))]])
  const { signal } = new AbortController()
  const params = { mode }
  const targets = await targetsOf(sinks, pipeline, { params, file })
  const inputs = [{ input: 'file', name: file, path: folder.at(file) }]
  const limits = { memory: 1e9, threads: 2, unpacked: 1e9 }
  const job = { pipeline, params, inputs, targets, now: ++clock, ...limits, signal, onProgress: () => {} }
  await using run = await runLocally(engine, job)
  const [digest] = await digestsOf([{ path: folder.at(file) }], signal)
  const planned = { files: [['file', digest?.sha256 ?? '']] as const, names: [file], text, params, targets }
  const delivery = { ...job, engine, sinks, job, run, planned, planHash, again, fail: undefined }
  const { hash } = plan ? await planLocally(delivery) : { hash: '' }
  if (plan) return { hash, outputs: [], balances: { inputs: {}, outputs: {} }, state: 'new' }
  return { ...(await deliverLocally(delivery)), hash }
}

function counts(database: string): number[] {
  using db = new DatabaseSync(folder.at(database))
  return ['people', 'first'].map((table) => Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']))
}

test('the same run puts its rows in once, unless it is asked to do so again', async () => {
  const database = 'once.db'
  assert.equal((await deliver({ database })).state, 'new')
  const { state, outputs, balances } = await deliver({ database })
  assert.deepEqual([state, outputs.length, balances.outputs['all']?.inserted], ['repeated', 2, 2])
  assert.deepEqual(counts(database), [2, 1])
  assert.equal((await deliver({ database, again: true })).state, 'new')
  assert.deepEqual(counts(database), [4, 2])
})

test('it puts them in anew when something else was loaded since, or the tables are gone', async () => {
  const database = 'anew.db'
  await writeFile(folder.at('other.csv'), 'id,name\n1,Cid\n')
  const mode = 'replace'
  await deliver({ database, mode })
  await deliver({ database, mode, file: 'other.csv' })
  assert.deepEqual(counts(database), [1, 1])
  assert.equal((await deliver({ database, mode })).state, 'new')
  assert.deepEqual(counts(database), [2, 1])
  {
    using db = new DatabaseSync(folder.at(database))
    db.exec('DROP TABLE people; DROP TABLE first')
  }
  assert.equal((await deliver({ database, mode })).state, 'new')
  assert.deepEqual(counts(database), [2, 1])
})

test('a plan binds all outputs: when one would come to something else, none is delivered', async () => {
  const database = 'bound.db'
  const { hash } = await deliver({ database, plan: true })
  await assert.rejects(deliver({ database, planHash: '0'.repeat(64) }), { code: 'conflict' })
  await assert.rejects(deliver({ database, mode: 'replace', planHash: hash }), { code: 'conflict' })
  assert.throws(() => counts(database), /no such table/)
  assert.equal((await deliver({ database, planHash: hash })).state, 'new')
  assert.deepEqual(counts(database), [2, 1])
  // The tables are there by now, so that it is another plan.
  await assert.rejects(deliver({ database, planHash: hash, again: true }), { code: 'conflict' })
  assert.deepEqual(counts(database), [2, 1])
})
