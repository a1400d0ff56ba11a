import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { runs } from '../../test/runs.ts'
import { escapeCell, keptEmpty, unescapeCell, unescapeSql } from './flat.ts'

test('what would break a line is escaped, and nothing else, wherever it stands', () => {
  assert.equal(escapeCell('a,"b"\t\u0002é😀'), 'a,"b"\t\u0002é😀')
  assert.equal(escapeCell('\n\r\u001f\u0001\u001b\u001b1'), '\u001b1\u001b2\u001b3\u001b4\u001b0\u001b01')
  // Longer than what is escaped at once, and each half with another part of the character at the end of that.
  for (const before of ['', 'x']) {
    const cell = `\n${before}${'😀'.repeat(100_000)}\n`
    assert.ok(escapeCell(cell) === `\u001b1${cell.slice(1, -1)}\u001b1`, 'it is another')
    // The escape may stand where one piece ends and another begins.
    for (const shift of ['', 'x']) {
      const many = shift + '\n'.repeat(100_000)
      assert.ok(unescapeCell(escapeCell(many)) === many, 'it does not come back')
    }
  }
})

test('what was escaped is put back, by SQL as well, and makes an empty text of one that is kept', async () => {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  const unescaped = async (cell: string) => {
    return (await connection.runAndReadAll(`SELECT ${unescapeSql('$1')}`, [cell])).getRows()
  }
  const piece = fc.constantFrom('\n', '\r', '\u001f', '\u0001', '\u001b', '0', '1', '5', 'é', ',')
  const cells = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
  try {
    await fc.assert(
      fc.asyncProperty(cells, async (cell) => {
        assert.deepEqual(await unescaped(escapeCell(cell)), [[cell]])
        assert.equal(unescapeCell(escapeCell(cell)), cell)
      }),
      runs(100),
    )
    assert.deepEqual(await unescaped(keptEmpty), [['']])
    assert.equal(unescapeCell(keptEmpty), '')
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
})

test('a cell of nothing but line ends, as long as a record may be, fits into the heap that a task has', async () => {
  const script = `import(${JSON.stringify(new URL('flat.ts', import.meta.url))}).then(({ escapeCell }) =>
    require('node:worker_threads').parentPort.postMessage(escapeCell('\\n'.repeat(16 << 20)).length))`
  const worker = new Worker(script, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 192 } })
  const length = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  assert.equal(length, 32 << 20)
})
