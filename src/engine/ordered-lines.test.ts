import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type Folder, temporaryFolder } from '../../test/harness.ts'
import { OrderedLines } from './ordered-lines.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
})
after(() => folder[Symbol.asyncDispose]())

type Line = readonly [file: number, line: number, fields: string]

async function written(added: Iterable<Line>): Promise<{ text: string; longest: number }> {
  const path = folder.at('lines')
  await using lines = await OrderedLines.open(path)
  for (const one of added) await lines.add(...one)
  await lines.finish()
  return { text: await readFile(path, 'utf8'), longest: lines.longest }
}

/** What must come out: sorted by file and line, and else as it was. */
function expected(added: Iterable<Line>): string {
  return [...added]
    .toSorted(([file, line], [otherFile, otherLine]) => file - otherFile || line - otherLine)
    .map(([, line, fields]) => `${line}\u001f${fields}\n`)
    .join('')
}

test('lines that come in order stay as they came', async () => {
  const added: Line[] = [
    [0, 2, 'a'],
    [0, 2, 'b'],
    [0, 10, 'c'],
    [3, 1, 'd'],
  ]
  assert.equal((await written(added)).text, '2\u001fa\n2\u001fb\n10\u001fc\n1\u001fd\n')
  assert.equal((await written([])).text, '')
})

test('stretches are merged, and of the same line what came first is first', async () => {
  // Three files gone through three times, the files in another order each time.
  const added = [
    [0, 1, 2],
    [2, 0, 1],
    [1, 2, 0],
  ].flatMap((files, pass) =>
    files.flatMap((file) =>
      Array.from({ length: 2000 }, (_, i): Line => [file, 1 + i * (pass + 1), `${file} é ${pass} ${i}`]),
    ),
  )
  assert.equal((await written(added)).text, expected(added))
  assert.deepEqual(await readdir(folder.path), ['lines'])
})

test('a line may be longer than what is read and written at once', async () => {
  const lengths = [3, 5_000_000, 0, 1_048_574, 1_048_575, 1_048_576, 70_000]
  const added = [1, 0].flatMap((file) => lengths.map((length, i): Line => [file, i, 'é'.repeat(length)]))
  const { text, longest } = await written(added)
  assert.ok(text === expected(added), 'the lines are others')
  assert.equal(longest, Buffer.byteLength(`1\u001f${'é'.repeat(5_000_000)}\n`))
})
