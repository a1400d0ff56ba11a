/** A disk that changes what it holds. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { filesIn, send, startService, submit, taskEnds, temporaryFolder } from '../harness.ts'

const head = 'Song,Date,Number of Plays\n'
const rows = 'Umbrella,2020-01-02,200\n'.repeat(100_000)

/** Changes one byte of what is stored, and nothing else that could be seen. */
async function damage(data: string): Promise<void> {
  const folder = join(data, 'blobs/uploads')
  const stored = await filesIn(folder)
  assert.equal(stored.length, 1)
  const path = join(folder, stored[0] ?? '')
  const bytes = await readFile(path)
  bytes.write('3', bytes.length - 4)
  await writeFile(path, bytes)
}

test('a file that the disk has changed is never processed, and whole again when it is sent again', async () => {
  await using folder = await temporaryFolder()
  const data = folder.at('data')
  await using service = await startService({ data })
  const file = new Blob([head + rows])
  const job = { name: 'plays.csv', pipeline: 'song-plays' }
  const first = await taskEnds(service, (await send(service, file, job)).task)
  assert.equal(first.state, 'succeeded')
  const upload = first.inputs[0]?.upload ?? ''

  await damage(data)
  const failed = await taskEnds(service, await submit(service, 'song-plays', upload))
  assert.equal(failed.state, 'failed')
  assert.match(failed.error?.message ?? '', /not those that were received\. Send the file again\./)

  const second = await taskEnds(service, (await send(service, file, job)).task)
  assert.deepEqual([second.state, second.balances], ['succeeded', first.balances])
  const retried = await taskEnds(service, await submit(service, 'song-plays', upload))
  assert.deepEqual([retried.state, retried.balances], ['succeeded', first.balances])
})
