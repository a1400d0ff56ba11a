import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { blockBytes, longestLine, scan, sliceBytes } from './scan.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-scan-'))
})
after(() => rm(folder, { recursive: true }))

async function factsOf(content: Uint8Array | string) {
  const path = join(folder, 'file')
  await writeFile(path, content)
  return scan(path, { hash: true, signal: AbortSignal.timeout(60_000), onProgress: () => {} })
}

/** The same questions, answered by the plainest code there is. */
function plainly(bytes: Buffer) {
  const text = bytes.toString('latin1')
  const lf = text.split('\n').length - 1
  const cr = text.split('\r').length - 1
  const crlf = text.split('\r\n').length - 1
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  return {
    bytes: bytes.length,
    quote: text.indexOf('"'),
    nul: text.indexOf('\0'),
    lines: bytes.length === 0 ? 0 : lf + (text.endsWith('\n') ? 0 : 1),
    lineEnd: cr === 0 ? '\n' : cr === lf && crlf === lf ? '\r\n' : undefined,
    blank: lines.includes(''),
  }
}

test('counts what plain code counts, for any bytes', async () => {
  const piece = fc.constantFrom('a', ',', '\n', '\n', '\r\n', '\r', '"', '\0', 'é', '𝄞', 'word word word')
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 60 }), async (pieces) => {
      const bytes = Buffer.from(pieces.join(''))
      const facts = await factsOf(bytes)
      const { blank, ...expected } = plainly(bytes)
      assert.partialDeepStrictEqual(facts, { ...expected, notUtf8: -1 })
      if (facts.lineEnd !== undefined) assert.equal(facts.blankLine, blank)
    }),
    { numRuns: 500 },
  )
})

test('sees lines, characters and blank lines across the seam of two slices and of two blocks', async () => {
  for (const [middle, expected] of [
    ['é', { notUtf8: -1, blankLine: false }],
    ['𝄞', { notUtf8: -1, blankLine: false }],
    ['\n\n', { blankLine: true, lineEnd: '\n' }],
    ['\r\n\r\n', { blankLine: true, lineEnd: '\r\n' }],
    ['\r\n', { blankLine: false, lineEnd: '\r\n' }],
  ] as const) {
    const end = middle.includes('\r') ? '\r\n' : '\n'
    const shifts = Array.from({ length: Buffer.byteLength(middle) + 1 }, (_, shift) => shift)
    for (const [seam, shift] of [sliceBytes, blockBytes].flatMap((at) => shifts.map((by) => [at, by] as const))) {
      // One long line up to the middle, which then lies on the seam, shifted by so many bytes.
      const content = Buffer.concat([Buffer.alloc(seam - shift, 'x'), Buffer.from(`${middle}x${end}`)])
      assert.partialDeepStrictEqual(await factsOf(content), expected)
    }
  }
})

test('finds the first byte that is not UTF-8, also at a seam and at the end', async () => {
  for (const at of [0, 5, blockBytes - 1, blockBytes, blockBytes + 9]) {
    const bytes = Buffer.alloc(blockBytes + 10, 'a\n')
    bytes[at] = 0xe9
    assert.equal((await factsOf(bytes)).notUtf8, at, `at ${at}`)
  }
  assert.equal((await factsOf(Buffer.from([0x61, 0xe2, 0x82]))).notUtf8, 1)
})

test('knows a line that is too long to be handed on, wherever it stands', async () => {
  const long = 'x'.repeat(longestLine)
  for (const above of ['', 'a\n', `${'b'.repeat(sliceBytes - 1)}\n`, `${'c'.repeat(sliceBytes - 3)}\n`]) {
    assert.equal((await factsOf(`${above}${long.slice(1)}\n`)).longLine, false)
    for (const end of ['', '\n', '\na']) assert.equal((await factsOf(`${above}${long}y${end}`)).longLine, true)
  }
  assert.equal((await factsOf(`${'x'.repeat(1000)}\n`.repeat(4000))).longLine, false)
})
