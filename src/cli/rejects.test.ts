import assert from 'node:assert/strict'
import { PassThrough, Writable } from 'node:stream'
import { test } from 'node:test'
import { Draft } from './draft.ts'
import { RejectsList } from './rejects.ts'

test('rejects are gathered before they are written, and all are there when they are kept', async () => {
  let written = ''
  let writes = 0
  const stdout = new Writable({
    write(chunk: Buffer, _, done) {
      writes++
      written += chunk.toString()
      done()
    },
  })
  const draft = Draft.ofStandardOutput({ stdout, signal: new AbortController().signal })
  await using rejects = new RejectsList('a.csv', draft)
  const count = 20_000
  const fault = { byteOffset: 0, column: null, code: 'extra-cell', message: 'too long', raw: 'x' } as const
  for (let record = 1; record <= count; record++) await rejects.add({ ...fault, line: record + 1, record })
  await rejects.keep(new PassThrough())
  const lines = written.split('\n')
  assert.deepEqual([lines.length, lines[0]], [count + 2, 'input,line,byte_offset,record,column,code,message,raw'])
  assert.deepEqual(lines.slice(-2), [`a.csv,${count + 1},0,${count},,extra-cell,too long,x`, ''])
  assert.ok(writes < count / 500, `${writes} writes`)
})
