/** Processes whose clock is days off, or steps: nothing is deleted before its time, and nothing is done twice. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import { test } from 'node:test'
import { check } from '../checker.ts'
import { type Env, mainCommand, type Service, startService, taskEnds, temporaryFolder } from '../harness.ts'
import { missingFor, openStack, type Stack } from './stacks.ts'

/** libfaketime: it gives a program another time of day, and leaves it the clock that only goes on. */
const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
const absent = 'libfaketime is not installed; on Debian or Ubuntu: apt-get install libfaketime'
if (library === undefined && process.env['CI'] === 'true') throw new Error(absent)
const skip = library === undefined ? absent : false

const clock = (offset: string): Env => ({ LD_PRELOAD: library ?? '', FAKETIME: offset, DONT_FAKE_MONOTONIC: '1' })

const quick: Env = { ROWMILL_POLL: '100ms', ROWMILL_KEEP_FILES: '1d', ROWMILL_THREADS: '1' }
const csvOf = (name: string) => `id,text\n1,${name}\n2,${name}\n`
const digestOf = (name: string) => createHash('sha256').update(csvOf(name)).digest('hex')

async function load({ url }: Service, name: string): Promise<{ upload: string; task: string }> {
  const path = `${url}/v1/uploads?name=${name}&pipeline=load&param.table=people`
  const response = await fetch(path, { method: 'PUT', body: csvOf(name), headers: { 'idempotency-key': name } })
  const text = await response.text()
  assert.ok(response.ok, text)
  const { upload, task } = JSON.parse(text) as { upload: { id: string }; task: { id: string } }
  return { upload: upload.id, task: task.id }
}

async function assertWhole(stack: Stack, files: ReadonlyMap<string, string>): Promise<void> {
  await check({
    data: stack.folderOf(0),
    env: stack.env,
    uploads: new Map(Array.from(files, ([name, upload]) => [upload, digestOf(name)])),
    tables: [
      {
        rows: await stack.sink.texts('SELECT text FROM people'),
        expected: [...files.keys()].flatMap((name) => [name, name]),
        ledger: await stack.sink.texts('SELECT task FROM _rowmill_loads WHERE committed_at IS NOT NULL'),
      },
    ],
  })
}

test('a service that wakes up two days off keeps what it has, and takes what comes', { skip }, async () => {
  await using folder = await temporaryFolder()
  await using stack = await openStack('embedded', folder)
  const files = new Map<string, string>()
  for (const offset of ['+0', '+2d', '-2d', '+1h', '-1h', '+0']) {
    await using service = await startService({
      data: stack.folderOf(0),
      env: { ...stack.env, ...quick, ...clock(offset) },
    })
    const name = `at${offset}`
    const { upload, task } = await load(service, name)
    files.set(name, upload)
    assert.equal((await taskEnds(service, { id: task })).state, 'succeeded')
    for (const id of files.values()) {
      const { state } = (await (await fetch(`${service.url}/v1/uploads/${id}`)).json()) as { state: string }
      assert.equal(state, 'complete', offset)
    }
    await service.stop()
  }
  await assertWhole(stack, files)
})

test('roles whose clocks are days apart work together', { skip: skip || missingFor('amqp-postgres-s3') }, async () => {
  await using folder = await temporaryFolder()
  await using stack = await openStack('amqp-postgres-s3', folder)
  const start = (roles: string, process: number, offset: string) =>
    startService({
      data: stack.folderOf(process),
      env: { ...stack.env, ...quick, ...clock(offset) },
      command: [...mainCommand, 'serve', '--roles', roles],
    })
  await using front = await start('upload,tasks', 0, '+2d')
  await using back = await start('worker,janitor', 1, '-2d')
  const files = new Map<string, string>()
  for (const name of ['one', 'two', 'three']) {
    const { upload, task } = await load(front, name)
    files.set(name, upload)
    const { state, attempt } = await taskEnds(front, { id: task })
    assert.deepEqual([state, attempt], ['succeeded', 1])
  }
  await Promise.all([front.stop(), back.stop()])
  await assertWhole(stack, files)
})
