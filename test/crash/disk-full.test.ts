/** A disk that fills up: told as what it is, nothing left behind, and all is well again once there is space. */
import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  childrenOf,
  filesIn,
  type Folder,
  mainCommand,
  output,
  type Received,
  send,
  type Service,
  startService,
  taskEnds,
  temporaryFolder,
  until,
} from '../harness.ts'
import { noSmallDisk, onSmallDisk } from '../small-disk.ts'

const mega = 1_000_000
const diskBytes = 24 * mega
const sample = 'Song,Date,Number of Plays\nUmbrella,2020-01-01,1\nUmbrella,2020-01-01,2\n'

const skip = noSmallDisk()

suite('a disk that fills up', { skip }, () => {
  let folder: Folder
  let service: Service
  before(async () => {
    folder = await temporaryFolder()
    const data = folder.at('data')
    await mkdir(data)
    service = await startService({
      data,
      command: onSmallDisk(data, diskBytes, [...mainCommand, 'serve']),
      env: {
        ROWMILL_DISK_RESERVE: '1MB',
        ROWMILL_TASK_MEMORY: '700MB',
        ROWMILL_THREADS: '1',
        ROWMILL_PIPELINES: fileURLToPath(new URL('../pipelines', import.meta.url)),
      },
    })
  })
  after(async () => {
    await service[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** A path on the disk, which only the service sees. */
  function disk(...names: string[]): string {
    return join(`/proc/${service.pid}/root`, service.data, ...names)
  }

  async function stored(): Promise<string[]> {
    const folders = ['scratch', 'blobs/tmp', 'blobs/results', 'blobs/uploads']
    return (await Promise.all(folders.map((name) => filesIn(disk(name))))).flat()
  }

  async function remove({ upload }: Received): Promise<void> {
    assert.equal((await fetch(`${service.url}/v1/uploads/${upload.id}`, { method: 'DELETE' })).status, 204)
  }

  async function assertWorks(): Promise<void> {
    const received = await send(service, sample, { name: 'plays.csv', pipeline: 'song-plays' })
    const task = await taskEnds(service, received.task)
    assert.match(await output(service, task, 'totals'), /\nUmbrella,2020-01-01,3\n$/)
    await remove(received)
    await rm(disk('blobs/results', task.id), { recursive: true })
  }

  async function assertFull(body: string, { name, pipeline }: { name: string; pipeline: string }): Promise<void> {
    const received = await send(service, body, { name, pipeline })
    const task = await taskEnds(service, received.task)
    assert.deepEqual([task.state, task.error?.code, task.attempt], ['failed', 'full', 1])
    assert.match(task.error?.message ?? '', /^The disk .*\. Free some space .*\.$/)
    assert.deepEqual(task.outputs, [])
    await remove(received)
    assert.deepEqual(await stored(), [])
    await assertWorks()
    assert.equal(childrenOf(service.pid).length, 1, 'one child is kept, and no other is left')
  }

  test('by an output: the task fails and says so', () =>
    assertFull(sample, { name: 'plays.csv', pipeline: 'wide-output' }))

  test('by what the engine spills: the task fails and says so', () =>
    assertFull(sample, { name: 'plays.csv', pipeline: 'wide-sort' }))

  test('by the flat copy of a file: the task fails and says so', () =>
    assertFull(`${sample}${'"Umbrella",2020-01-01,1\n'.repeat(0.6 * mega)}`, {
      name: 'quoted.csv',
      pipeline: 'song-plays',
    }))

  test('an upload that does not fit is refused, whether it says so or not', async () => {
    const body = Buffer.alloc(2 * diskBytes, 'a')
    for (const options of [{ body }, { body: new Blob([body]).stream(), duplex: 'half' }] as RequestInit[]) {
      const response = await fetch(`${service.url}/v1/uploads`, { method: 'POST', ...options })
      assert.equal(response.status, 507)
      assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/)
      const { code, detail } = (await response.json()) as Record<string, string>
      assert.equal(code, 'full')
      assert.match(detail ?? '', /Delete uploads/)
      assert.deepEqual(await stored(), [])
    }
    await assertWorks()
  })

  test('by somebody else in the middle of an upload: it is refused and nothing of it is left', async () => {
    async function* body() {
      yield Buffer.alloc(mega, 'a')
      await until('the first bytes are there', async () => (await filesIn(disk('blobs/tmp'))).length > 0)
      await writeFile(disk('ballast'), Buffer.alloc(2 * diskBytes)).catch(() => {})
      yield Buffer.alloc(10 * mega, 'a')
    }
    const options = { method: 'POST', body: ReadableStream.from(body()), duplex: 'half' } as const
    const response = await fetch(`${service.url}/v1/uploads`, options)
    assert.equal(response.status, 507)
    assert.equal(((await response.json()) as Record<string, string>)['code'], 'full')
    assert.deepEqual(await stored(), [])
    assert.equal((await fetch(`${service.url}/v1/tasks`)).status, 200)
    await rm(disk('ballast'))
    await assertWorks()
  })
})
