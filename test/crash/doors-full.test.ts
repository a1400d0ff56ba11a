/** Disks that fill up under an upload in stretches: told, nothing acknowledged lost, and it goes on once there is space. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { type Folder, mainCommand, type Service, startService, temporaryFolder } from '../harness.ts'
import { noSmallDisk, onSmallDisk } from '../small-disk.ts'

const skip = noSmallDisk()

const content = Buffer.from(
  `Song,Date,Number of Plays\n${Array.from({ length: 150_000 }, (_, i) => `Song ${i},2020-01-01,${i}\n`).join('')}`,
)
const chunk = 500_000
const diskBytes = 6_000_000

/** Which part of the data folder stands on a disk of its own. */
const disks: Readonly<Record<string, (data: string, folder: Folder) => Promise<string>>> = {
  'the bytes': async (data) => {
    await mkdir(join(data, 'blobs'), { recursive: true })
    return join(data, 'blobs')
  },
  'the catalog': async (data) => data,
}

suite('an upload goes on after a disk was full', { skip }, () => {
  for (const [what, prepare] of Object.entries(disks)) {
    test(`that of ${what}`, async () => {
      await using folder = await temporaryFolder()
      const data = folder.at('data')
      await mkdir(data)
      const small = await prepare(data, folder)
      const isCatalog = small === data
      await mkdir(folder.at('big'))
      // Where the catalog's disk is mounted over the data folder, the bytes go elsewhere.
      const link = isCatalog
        ? ['sh', '-c', `ln -s "${folder.at('big')}" "${join(data, 'blobs')}" && exec "$@"`, 'sh']
        : []
      await using service = await startService({
        data,
        command: onSmallDisk(small, diskBytes, [...link, ...mainCommand, 'serve']),
        env: { ROWMILL_DISK_RESERVE: '500KB' },
      })
      const id = await begin(service)
      const ballast = join(`/proc/${service.pid}/root`, small, 'ballast')
      let isFull = false
      for (let offset = 0; offset < content.length; ) {
        if (offset === 2 * chunk && !isFull) {
          isFull = true
          await writeFile(ballast, Buffer.alloc(2 * diskBytes)).catch(() => {})
          const refused = await patch(service, id, offset)
          const problem = (await refused.json()) as Record<string, string>
          assert.deepEqual([refused.status, problem['code']], [507, 'full'], problem['detail'])
          assert.equal(await offsetOf(service, id), offset, 'what was acknowledged is there')
          assert.equal((await fetch(`${service.url}/v1/uploads`)).status, 200)
          await rm(ballast)
        }
        const taken = await patch(service, id, offset)
        assert.equal(taken.status, 204, await taken.text())
        offset = await offsetOf(service, id)
      }
      assert.ok(isFull)
      const { state } = (await (await fetch(`${service.url}/v1/uploads/${id}`)).json()) as { state: string }
      assert.equal(state, 'complete')
      await assertStored(service, id)
    })
  }
})

const version = { 'tus-resumable': '1.0.0' }

async function begin({ url }: Service): Promise<string> {
  const headers = {
    ...version,
    'upload-length': String(content.length),
    'upload-metadata': `filename ${btoa('a.csv')}`,
  }
  const created = await fetch(`${url}/v1/uploads`, { method: 'POST', headers })
  assert.equal(created.status, 201)
  return ((await created.json()) as { upload: { id: string } }).upload.id
}

function patch({ url }: Service, id: string, offset: number): Promise<Response> {
  const headers = { ...version, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }
  return fetch(`${url}/v1/uploads/${id}`, { method: 'PATCH', headers, body: content.subarray(offset, offset + chunk) })
}

async function offsetOf({ url }: Service, id: string): Promise<number> {
  const head = await fetch(`${url}/v1/uploads/${id}`, { method: 'HEAD', headers: version })
  assert.equal(head.status, 200)
  return Number(head.headers.get('upload-offset'))
}

/** By the hashes of its parts, which are of what is on the disk. */
async function assertStored({ url }: Service, id: string): Promise<void> {
  const { parts } = (await (await fetch(`${url}/v1/uploads/${id}/parts`)).json()) as {
    parts: { bytes: number; sha256: string }[]
  }
  let at = 0
  for (const { bytes, sha256 } of parts) {
    assert.equal(
      sha256,
      createHash('sha256')
        .update(content.subarray(at, at + bytes))
        .digest('hex'),
    )
    at += bytes
  }
  assert.equal(at, content.length)
}
