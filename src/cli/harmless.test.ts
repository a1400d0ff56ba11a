import assert from 'node:assert/strict'
import { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { loadConfig } from '../config.ts'
import { AppError } from '../errors.ts'
import { createLog } from '../log.ts'
import type { Context } from './context.ts'
import { errorText, harmlessContext, harmlessError, inLine } from './harmless.ts'
import { createMeter } from './progress.ts'
import { table } from './table.ts'

/** Keeps what is written to it. */
class Sink extends Writable {
  text = ''
  isTTY: boolean
  columns = 80
  constructor(isTTY: boolean) {
    super()
    this.isTTY = isTTY
  }
  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

function contextOn(stdout: Writable, stderr: Writable): Context {
  const { config } = loadConfig({})
  const signal = new AbortController().signal
  return harmlessContext({ config, signal, stdin: Readable.from([]), stdout, stderr, log: createLog('silent') })
}

const hostile = 'a\u001b[2J\u0007\u007f\u009b31m\u202eb\u2066c\r\nd\te\rf'

test('what could steer a terminal is shown as what it is, and text of any script stays text', () => {
  assert.equal(inLine(hostile), 'a\\x1b[2J\\x07\\x7f\\x9b31m\\u202eb\\u2066c\\r\\nd\\te\\rf')
  assert.equal(inLine('“Zoë” 北京 עברית 👩‍👧 می‌شود'), '“Zoë” 北京 עברית 👩‍👧 می‌شود')
})

test('stderr and a stdout that is a terminal are written to without harm, a file or a program as it is', () => {
  const [terminal, file, stderr] = [new Sink(true), new Sink(false), new Sink(false)]
  contextOn(file, stderr).stdout.write(hostile)
  assert.equal(file.text, hostile)
  const context = contextOn(terminal, stderr)
  context.stderr.write(hostile)
  assert.equal(stderr.text, 'a\\x1b[2J\\x07\\x7f\\x9b31m\\u202eb\\u2066c\r\nd\te\\rf')
  // A character may come in two pieces.
  const bytes = Buffer.from('ä\u009b31m\n')
  for (const byte of bytes) context.stdout.write(Buffer.of(byte))
  assert.equal(terminal.text, 'ä\\x9b31m\n')
})

test('the bar of a terminal still moves, and a name on it does not', () => {
  const stderr = new Sink(true)
  let now = 0
  using meter = createMeter(contextOn(new Sink(false), stderr).stderr, () => now)
  const show = (done: number) => meter.show('\u001b[2Jx', { unit: 'bytes', done, total: 200 })
  show(1)
  now = 2000
  show(50)
  assert.match(stderr.text, /\\x1b\[2Jx .*50 bytes of 200 bytes/)
  assert.ok(stderr.text.includes('\u001b[1G'), 'the cursor goes to the beginning of the line')
  assert.ok(!stderr.text.includes('\u001b[2J'))
})

test('no line of an error but the first can pass for one of ours', () => {
  const message = 'a\nrowmill: all is well\u001b[2J'
  assert.equal(errorText({ code: 'rejected', message }), 'a\\nrowmill: all is well\\x1b[2J')
  assert.equal(errorText({ code: 'unprocessable', message }), 'a\n  rowmill: all is well\\x1b[2J')
  const error = harmlessError(new AppError('rejected', message, { details: { file: message } }))
  assert.ok(error instanceof AppError)
  assert.deepEqual([error.message, error.details], ['a\\nrowmill: all is well\\x1b[2J', { file: message }])
  const fault = new Error(message)
  assert.equal(harmlessError(fault), fault)
})

test('a row of a table is one line, whatever is in its cells', () => {
  assert.equal(
    table([
      ['a\nb\u001b', 'c'],
      ['d', 'e\r\n'],
    ]),
    'a b\\x1b  c\nd        e\n',
  )
})
