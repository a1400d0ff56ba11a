import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { runs } from '../../test/runs.ts'
import { parseTabbed, tabbedLine } from './tabbed.ts'

test('what would end a value or a row is escaped, and nothing else', () => {
  assert.equal(
    tabbedLine(['a,"b"\u0001\u001f\u007f', '\\ \t \n \r', 'é😀']),
    'a,"b"\u0001\u001f\u007f\t\\\\ \\t \\n \\r\té😀\n',
  )
  assert.equal(tabbedLine([null, '', '\\N', '\\.']), '\\N\t\t\\\\N\t\\\\.\n')
})

test('a row is read back as it was written, whatever is in it', () => {
  // fast-check’s own takes a second to list all of them.
  const character = fc.nat(0x10ffff).map((code) => String.fromCodePoint(code))
  const piece = fc.oneof(
    fc.constantFrom('\\', '\t', '\n', '\r', 'N', 'n', 't', '\u2028'),
    fc.string({ unit: character }),
  )
  const value = fc.option(fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')))
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), (values) => {
      const line = tabbedLine(values)
      assert.equal(line.indexOf('\n'), line.length - 1)
      assert.deepEqual(parseTabbed(line.slice(0, -1)), values)
    }),
    runs(300),
  )
})

test('a value that is escaped in several pieces is read back, wherever they meet', () => {
  for (const before of ['', 'x', 'xx']) {
    for (const character of ['\n', '\\', 'x\n']) {
      const values = [before + character.repeat(100_000), null]
      assert.ok(
        parseTabbed(tabbedLine(values).slice(0, -1)).every((value, i) => value === values[i]),
        'it is another',
      )
    }
  }
})

test('a value of nothing but line ends, as long as a record may be, fits into the heap that a task has', async () => {
  const script = `import(${JSON.stringify(new URL('tabbed.ts', import.meta.url))}).then(({ tabbedLine, parseTabbed }) =>
    require('node:worker_threads').parentPort.postMessage(
      parseTabbed(tabbedLine(['\\n'.repeat(16 << 20)]).slice(0, -1))[0].length))`
  const worker = new Worker(script, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 192 } })
  const length = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  assert.equal(length, 16 << 20)
})
