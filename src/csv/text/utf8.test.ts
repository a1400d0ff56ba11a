import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { runs } from '../../../test/runs.ts'
import { checkUtf8, decodeUtf8 } from './utf8.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-utf8-'))
})
after(() => rm(folder, { recursive: true }))

const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom('a', 'é', '€', '𝄞', '\n', '\u001b').map((char) => Buffer.from(char)),
      fc.integer({ min: 0x80, max: 0xff }).map((byte) => Buffer.of(byte)),
      fc.constantFrom('c3', 'e282', 'f09d84', 'c0af', 'eda080', 'f5808080').map((hex) => Buffer.from(hex, 'hex')),
    ),
    { maxLength: 25 },
  )
  .map((parts) => Buffer.concat(parts))

/** By the plainest code there is: the longest beginning that, perhaps without a few bytes, is UTF-8. */
function firstFault(all: Buffer): number {
  if (isUtf8(all)) return -1
  let sound = 0
  for (let end = 0; end <= all.length; end++) if (isUtf8(all.subarray(0, end))) sound = end
  return sound
}

test('finds the first byte that is no UTF-8, however the file is read', async () => {
  const path = join(folder, 'file')
  await fc.assert(
    fc.asyncProperty(bytes, fc.integer({ min: 1, max: 12 }), async (all, blockBytes) => {
      await writeFile(path, all)
      const { bad } = await checkUtf8(path, new AbortController().signal, blockBytes)
      assert.equal(bad, firstFault(all))
    }),
    runs(150),
  )
})

test('finds it in a large block, also among bytes that can begin nothing', async () => {
  const path = join(folder, 'large')
  // The bytes are 61 c3 a9, again and again.
  for (const [at, fault, expected] of [
    [0, 'ff', 0],
    [1_000_001, 'ff', 1_000_000],
    [5_000_000, '80'.repeat(5000), 5_000_001],
    [6_000_002, 'c3', 6_000_001],
    [7_000_001, '61c3', 7_000_000],
  ] as const) {
    const all = Buffer.alloc(7_000_003, 'aé')
    Buffer.from(fault, 'hex').copy(all, at)
    await writeFile(path, all)
    assert.equal((await checkUtf8(path, new AbortController().signal)).bad, expected, String(at))
  }
})

test('tells text from bytes that are none, and loses nothing', () => {
  fc.assert(
    fc.property(bytes, (all) => {
      const pieces = decodeUtf8(all)
      const back = pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))
      assert.deepEqual(Buffer.concat(back), all)
      for (const piece of pieces) assert.ok(typeof piece === 'string' || (piece.length === 1 && !isUtf8(piece)))
    }),
    runs(150),
  )
})
