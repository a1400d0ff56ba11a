import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { rejectColumns } from './fault.ts'
import { readRejects } from './listed.ts'
import { cleanLine } from './write.ts'

const told = [
  { input: 'plays', line: 2, column: 'Date', code: 'type-error', message: '“a, "b"\nc” is not a date' },
  { input: 'plays', line: 31, column: null, code: 'extra-cell', message: 'the record has 4 of the header’s 3 cells' },
  { input: 'é,😀', line: 4, column: 'a "b"', code: 'missing-cell', message: 'x' },
]
const list = [
  cleanLine(rejectColumns),
  ...told.map(({ input, line, column, code, message }) =>
    cleanLine([input, String(line), '0', '1', column ?? '', code, message, 'raw, "as"\r\nit stood\n']),
  ),
].join('')

test('a list of rejects is read back as it was written, however it comes', async () => {
  for (const size of [1, 2, 7, 1000]) {
    const bytes = Buffer.from(list)
    const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    )
    assert.deepEqual(await readRejects(Readable.from(parts)), told)
  }
  assert.deepEqual(await readRejects(Readable.from([cleanLine(rejectColumns)])), [])
})

test('of a long list only the beginning is read', async () => {
  let parts = 0
  function* endless() {
    yield list
    for (;;) {
      parts++
      yield cleanLine(['a', '1', '0', '1', '', 'extra-cell', 'x', 'x'])
    }
  }
  assert.deepEqual(await readRejects(Readable.from(endless()), 2), told.slice(0, 2))
  assert.ok(parts < 100, `${parts} parts were read`)
})
