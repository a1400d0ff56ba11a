import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cuts, pieceCount } from './pieces.ts'
import { lookAt, openSource } from './source.ts'

/** Where a file of this text is cut. */
async function cutsOf(text: string, count: number): Promise<number[]> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-cuts-'))
  const path = join(folder.path, 'a.csv')
  await writeFile(path, text)
  const source = await lookAt(path)
  await using opened = await openSource(source)
  return await cuts(opened, source.size ?? 0, count)
}

test('a file is cut into pieces of one size', async () => {
  assert.deepEqual(await cutsOf('0123456789', 1), [0, 10])
  assert.deepEqual(await cutsOf('0123456789', 4), [0, 2, 5, 7, 10])
  assert.deepEqual(await cutsOf('', 1), [0, 0])
})

test('the second piece never begins as the file does, also where a mark stands before', async () => {
  assert.deepEqual(await cutsOf('id\n1\nid\n2\n', 2), [0, 4, 10])
  assert.deepEqual(await cutsOf('\uFEFFid\n1000\nid\n2000000\n', 2), [0, 10, 22])
  assert.deepEqual(await cutsOf('aaaa', 2), [0, 2, 4])
})

test('there are as many pieces as are asked for, more where they would be too large, and none empty', () => {
  assert.deepEqual(
    [pieceCount(100e6, 1), pieceCount(100e6, 4), pieceCount(1e9, 4), pieceCount(3, 4), pieceCount(0, 4)],
    [2, 4, 16, 3, 1],
  )
})
