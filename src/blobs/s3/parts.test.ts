import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { inPieces, mostParts, sizeOfPart } from './parts.ts'

test('pieces are the stream, in parts of their size, each with its own digest', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.integer({ min: 1, max: 20 }),
      async (chunks, size) => {
        // The same memory for every chunk: one is good only until the next is asked for.
        const shared = new Uint8Array(40)
        async function* source() {
          for (const chunk of chunks) {
            shared.set(chunk)
            yield shared.subarray(0, chunk.length)
          }
        }
        const whole = Buffer.concat(chunks)
        const pool: ArrayBuffer[] = []
        let at = 0
        let count = 0
        for await (const { bytes, md5 } of inPieces(source(), size, pool)) {
          const expected = whole.subarray(at, at + size)
          assert.ok(expected.equals(bytes))
          assert.equal(md5, createHash('md5').update(expected).digest('base64'))
          at += size
          count++
          pool.push(bytes.buffer as ArrayBuffer)
        }
        assert.equal(count, Math.max(1, Math.ceil(whole.length / size)))
      },
    ),
  )
})

test('as many parts as S3 takes hold several hundred gigabytes', () => {
  let bytes = 0
  for (let n = 1; n <= mostParts; n++) bytes += sizeOfPart(n, 8 << 20)
  assert.equal(bytes, 461_373_440_000)
})
