import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { AppError } from '../errors.ts'
import type { ReaderOptions } from '../definition.ts'
import { clean } from './clean.ts'
import { Kernel } from './kernel/kernel.ts'
import { openFile, type OpenOptions } from './open.ts'
import { readFile as readCsv } from './read.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-open-'))
})
after(() => rm(folder, { recursive: true }))

function optionsOf(given: ReaderOptions, expected: readonly string[]): OpenOptions {
  const quiet = { signal: new AbortController().signal, onProgress: () => {} }
  return { name: 'in.csv', scratch: join(folder, 'scratch'), given, expected, mostBytes: 1 << 30, ...quiet }
}

async function file(content: string | Buffer): Promise<string> {
  const path = join(folder, 'in')
  await writeFile(path, content)
  return path
}

/** What becomes of a file: its clean form, the codes of its rejects, and its warnings. */
async function cleaned(content: string | Buffer, given: ReaderOptions = {}) {
  const written: Buffer[] = []
  const rejects: string[] = []
  const report = await clean(await file(content), {
    ...optionsOf(given, []),
    write: async (bytes) => void written.push(Buffer.from(bytes)),
    onReject: async ({ line, code }) => void rejects.push(`${line} ${code}`),
  })
  return { text: Buffer.concat(written).toString(), rejects, warnings: report.warnings, report }
}

/** What a pipeline makes of it. */
async function read(content: string | Buffer, expected: readonly string[] = []) {
  const reading = { copy: true, keepEmpty: false, kernel: await Kernel.load(), threads: 1, onFault: async () => {} }
  const options = { ...optionsOf({}, expected), ...reading }
  return await readCsv(await file(content), options)
}

const codesOf = (warnings: readonly { readonly code: string }[]) => warnings.map(({ code }) => code)

async function assertRefused(content: string | Buffer, words: RegExp): Promise<void> {
  await assert.rejects(cleaned(content), (error) => {
    assert.ok(error instanceof AppError, String(error))
    assert.equal(error.code, 'rejected')
    assert.match(error.message, words)
    assert.match(error.message, /^in\.csv /)
    return true
  })
}

const table = 'id,name\n1,Ann\n2,Bob\n'

suite('byte-order marks', () => {
  test('are left out with a warning wherever they stand before the header', async () => {
    for (const text of [
      `\ufeff\ufeff${table}`,
      `\ufeff\ufeff\ufeff${table}`,
      `ï»¿${table}`,
      `\ufeffï»¿${table}`,
      `\ufeff"\ufeffid",name\n1,Ann\n2,Bob\n`,
      Buffer.from(`\ufeff\ufeff${table}`, 'utf16le'),
    ]) {
      const { text: written, warnings, rejects } = await cleaned(text)
      assert.deepEqual([written, codesOf(warnings), rejects], [table, ['byte-order-mark'], []], String(text))
    }
    for (const head of ['\ufeffid,name', '\ufeff"id","name"']) {
      const { text, warnings } = await cleaned(`sep=,\n${head}\n1,Ann\n2,Bob\n`)
      assert.deepEqual([text, codesOf(warnings)], [table, ['byte-order-mark', 'preamble']], head)
    }
  })

  test('one by itself is no news', async () => {
    for (const text of [`\ufeff${table}`, Buffer.from(`\ufeff${table}`, 'utf16le')]) {
      const { text: written, warnings } = await cleaned(text)
      assert.deepEqual([written, warnings], [table, []])
    }
  })

  test('before records without a header are none of the first value', async () => {
    const { text, warnings } = await cleaned('\ufeff\ufeff1,2.5\n2,3.5\n3,4.5\n')
    assert.equal(text, 'column_1,column_2\n1,2.5\n2,3.5\n3,4.5\n')
    assert.deepEqual(codesOf(warnings), ['byte-order-mark', 'no-header'])
  })

  test('alone are nothing', async () => {
    for (const text of ['\ufeff', '\ufeff\ufeff', '\ufeff\ufeff\r\n']) await assertRefused(text, /it is blank/)
  })

  test('do not keep a pipeline from the file, nor from its columns', async () => {
    const { layout, records, rejected, file: found } = await read(`\ufeff\ufeff${table}`, ['id', 'name'])
    assert.deepEqual([layout, records, rejected, found.header], ['plain', 2, 0, ['id', 'name']])
    const { file: below, records: few } = await read('Title\n\ufeff"id",name\n1,Ann\n', ['id', 'name'])
    assert.deepEqual([below.header, few], [['id', 'name'], 1])
    assert.deepEqual(codesOf(below.warnings), ['byte-order-mark', 'preamble'])
  })
})

suite('Ctrl-Z at the end', () => {
  test('is left out with a warning, as often as it is there', async () => {
    for (const end of ['\u001a', '\u001a'.repeat(200)]) {
      for (const text of [table, table.slice(0, -1)]) {
        for (const bytes of [Buffer.from(text + end), Buffer.from(text + end, 'utf16le'), gzipSync(text + end)]) {
          const { text: written, warnings, rejects } = await cleaned(bytes)
          assert.deepEqual([written, rejects], [table, []])
          assert.ok(codesOf(warnings).includes('end-of-file-mark'))
        }
      }
    }
    assert.match((await cleaned(`${table}\u001a\u001a`)).warnings[0]?.message ?? '', /Ctrl-Z \(0x1A, 2 times\)/)
  })

  test('leaves the file as it was', async () => {
    const path = await file(`${table}\u001a`)
    const opened = await openFile(path, optionsOf({}, []), 'certain')
    assert.equal(opened.textBytes, table.length)
    assert.equal((await stat(path)).size, table.length + 1)
    assert.equal(await readFile(opened.path, 'utf8'), table)
  })

  test('is no record of a pipeline either', async () => {
    const { layout, records, rejected, warnings } = await read(`${table}\u001a`)
    assert.deepEqual([layout, records, rejected, codesOf(warnings)], ['plain', 2, 0, ['end-of-file-mark']])
  })

  test('anywhere else is text, and alone it is nothing', async () => {
    assert.equal((await cleaned('id,name\n1,A\u001ann\n')).text, 'id,name\n1,A\u001ann\n')
    await assertRefused('\u001a', /it is blank/)
  })
})

suite('UTF-8 with a few bytes that are none', () => {
  const damaged = Buffer.concat([
    Buffer.from(`id,name\n${Array.from({ length: 40 }, (_, i) => `${i},Zoé\n`).join('')}`),
    Buffer.from('40,caf\xe9\n', 'latin1'),
  ])

  test('is read as it is, with a warning and a reject', async () => {
    const { rejects, warnings, report } = await cleaned(damaged)
    assert.deepEqual([report.encoding.encoding, report.rows, rejects], ['utf-8', 40, ['42 encoding-error']])
    assert.deepEqual(codesOf(warnings), ['encoding-guess'])
    assert.match(warnings[0]?.message ?? '', /^read as utf-8 .* the first at byte \d+.*rejects/)
  })

  test('is told of in a pipeline too, where they come late', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => `${i},Zoé\n`).join('')
    const { warnings, rejected } = await read(Buffer.concat([Buffer.from(`id,name\n${rows}`), damaged.subarray(-8)]))
    assert.deepEqual([codesOf(warnings), rejected], [['encoding-guess'], 1])
  })
})

test('a named encoding that the mark contradicts is taken, and told', async () => {
  const { text, warnings } = await cleaned(`\ufeff${table}`, { encoding: 'windows-1252' })
  assert.equal(text, table)
  assert.match(warnings[0]?.message ?? '', /as windows-1252, as was said, though it begins with .* mark of utf-8/)
})

test('lines that the declared columns lead past are a preamble, unless they are blank or were to be skipped', async () => {
  const { file: found } = await read('Report\nof May\n\nid;name\n1;Ann\n', ['id', 'name'])
  assert.deepEqual(codesOf(found.warnings), ['preamble'])
  assert.match(found.warnings[0]?.message ?? '', /lines 1 to 3 .* line 4 is the header.*--skip-lines/)
  assert.deepEqual((await read('\n\nid;name\n1;Ann\n', ['id', 'name'])).warnings, [])
  assert.deepEqual((await read(table, ['id', 'name'])).warnings, [])
  const options = optionsOf({ skipLines: 1 }, ['id', 'name'])
  assert.deepEqual((await openFile(await file('Title\nid,name\n1,Ann\n'), options, 'certain')).warnings, [])
})

test('spaces that stay a part of values are told where declared columns have found the delimiter', async () => {
  const { warnings } = await read('id,name\n1, Ann\n2, Bob\n', ['id', 'name'])
  assert.deepEqual(codesOf(warnings), ['spaced-cells'])
  assert.doesNotMatch(warnings[0]?.message ?? '', /--delimiter/)
})

test('a last line that sums up the others, or is empty, is told also in a large file', async () => {
  const rows = 'a,some text,5\n'.repeat(100_000)
  for (const [last, code] of [
    ['Total,,12', 'summary-row'],
    [',Grand total:,12', 'summary-row'],
    [',,', 'empty-record'],
  ] as const) {
    for (const body of [rows, 'a,some text,5\nb,more,6\n']) {
      const { warnings } = await cleaned(`id,text,n\n${body}${last}\n\n`)
      assert.deepEqual(codesOf(warnings), [code, 'blank-row'])
    }
  }
  assert.deepEqual(codesOf((await cleaned('id\n1\n2\n(2 rows)\n')).warnings), ['summary-row'])
  assert.deepEqual(codesOf((await cleaned('id,n\n1,5\n(1 row)\n')).rejects.map((code) => ({ code }))), [
    '3 missing-cell',
  ])
  for (const text of ['Total,n\n', 'id,n\na,5\nTotally,6\n', 'id,n\na,5\nb,Total\n']) {
    assert.ok(!codesOf((await cleaned(text)).warnings).includes('summary-row'), text)
  }
})

test('what is text and no table is refused by what it is', async () => {
  for (const [text, words] of [
    ['<!-- x -->\n<html><body></body></html>\n', /a web page.*log-in page/],
    ['<table border="1"><tr><td>1</td></tr></table>\n', /a web page/],
    ['<br />\n<b>Warning</b>: no connection\nid,name\n', /a web page/],
    [Buffer.from('\ufeff<!DOCTYPE html><title>x</title>', 'utf16le'), /a web page/],
    ['<Error><Code>NoSuchKey</Code></Error>', /XML.*a download brought an error/],
    ['{"error":{"code":403}}', /JSON.*a download brought an error/],
    ['[\n  {\n    "id": 1\n  }\n]\n', /JSON/],
    [`[{"id":1,"name":"x"},\n${'{"id":2,"name":"y"},\n'.repeat(60_000)}{"id":3}]`, /JSON/],
    ['-- MySQL dump 10.13\n', /a dump in SQL/],
    ['--\n-- PostgreSQL database dump\n--\n', /a dump in SQL/],
    ['ID;PWXL;N;E\nC;Y1;X1;K"id"\n', /SYLK/],
    ['BEGIN:VCARD\nVERSION:3.0\n', /contacts/],
    ['MIME-Version: 1.0\nContent-Type: multipart/related\n', /web archive/],
    [`${table}${'\0'.repeat(500)}`, /behind 20 bytes of text it has NULs/],
    ['\0\0\0\0', /all NULs/],
    ['a\0b\0c\0,d\0e\0\n', /\d+ % of its first bytes are NULs/],
  ] as const) {
    await assertRefused(text, words)
  }
})

test('what only looks like something else is read', async () => {
  for (const text of [
    '<TICKER>,<DATE>,<CLOSE>\nSBER,20240101,270.5\n',
    '<title>,<body>\nx,y\n',
    '[id],[name]\n1,Ann\n',
    '{id},{name}\n1,Ann\n',
    '-- id,name\n1,Ann\n',
    'ID;Price\nA;5\n',
    `id,name\n${'1,Ann\n'.repeat(100)}2,\0\n`,
  ]) {
    assert.ok((await cleaned(text)).report.rows > 0, text)
  }
})

test('zeros behind gzip data are padding', async () => {
  const { text, warnings } = await cleaned(Buffer.concat([gzipSync(table), Buffer.alloc(700)]))
  assert.deepEqual([text, warnings], [table, []])
})
