import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { runs } from '../../test/runs.ts'
import type { ReaderOptions } from '../definition.ts'
import type { Dialect } from './dialect.ts'
import { standardDialect } from './dialect.ts'
import { Machine } from './machine.ts'
import { type Sniffed, sniff } from './sniff.ts'

const samples = fileURLToPath(new URL('../../test/sniff/', import.meta.url))
const suites = fileURLToPath(new URL('../../../shared/suites/', import.meta.url))

const mebibyte = 1 << 20

function sniffText(text: string | Buffer, given: ReaderOptions = {}): Sniffed {
  return sniff(Buffer.from(text), { whole: true, given })
}

/** All records as the machine reads them, which must be sound. */
function cellsOf(bytes: Buffer, dialect: Dialect, from = 0): string[][] {
  const machine = new Machine(dialect)
  const records: string[][] = []
  for (let at = from; at < bytes.length; at = machine.end) {
    const outcome = machine.next(bytes, at, bytes.length, true)
    if (outcome === 'record') records.push(machine.cells(bytes))
    else assert.equal(outcome, 'blank')
  }
  return records
}

const codesOf = ({ warnings }: Sniffed) => warnings.map(({ code }) => code)

const chars: Readonly<Record<string, string | null>> = {
  comma: ',',
  semicolon: ';',
  tab: '\t',
  pipe: '|',
  colon: ':',
  space: ' ',
  caret: '^',
  tilde: '~',
  section: '§',
  not: '¬',
  'broken-bar': '¦',
  'double-pipe': '||',
  'comma-space': ', ',
  'space-semicolon-space': ' ; ',
  u0001: '\u0001',
  u001f: '\u001f',
  // A file of one column that has commas in it.
  one: '\u001f',
  double: '"',
  single: "'",
  backslash: '\\',
  none: null,
}

// `expected.csv` says of every file in test/sniff how a careful person would read it.
const manifest = await readFile(join(samples, 'expected.csv'))
const [, ...expectations] = cellsOf(manifest, standardDialect)

suite('a file as it comes out of some program', () => {
  for (const [file = '', delimiter = '', quote = '', escape = '', skip, header, columns] of expectations) {
    test(file, async () => {
      const sample = await readFile(join(samples, `${file}.csv`))
      const sniffed = sniff(sample, { whole: true, given: {} })
      const found = {
        delimiter: sniffed.dialect.delimiter,
        quote: sniffed.dialect.quote,
        escape: sniffed.dialect.escape,
        skip: sniffed.preamble.lines,
        header: sniffed.header.present,
        columns: sniffed.columns,
      }
      assert.deepEqual(found, {
        delimiter: chars[delimiter],
        quote: chars[quote],
        escape: chars[escape],
        skip: Number(skip),
        header: header === 'yes',
        columns: Number(columns),
      })
      if (sniffed.preamble.how === 'guess') assert.ok(codesOf(sniffed).includes('preamble'))
      assert.equal(codesOf(sniffed).includes('no-header'), !sniffed.header.present)
      for (const { confidence } of [sniffed, sniffed.header, sniffed.preamble]) {
        assert.ok(confidence > 0 && confidence <= 1)
      }
    })
  }

  test('is in the table, and what is in the table is there', async () => {
    const files = (await readdir(samples)).filter((name) => name !== 'expected.csv')
    const named = expectations.map(([file = '']) => `${file}.csv`)
    assert.deepEqual(files.toSorted(), named.toSorted())
  })
})

suite('what stands where', () => {
  const text = 'Report\n\n"a\nb",c\r\n1,2\n3,4\n5,6\n'

  test('is said in bytes and physical lines', () => {
    const { preamble, header } = sniffText(text)
    assert.deepEqual([preamble.lines, preamble.bytes], [2, 8])
    assert.deepEqual([header.line, text.slice(header.start, header.end)], [3, '"a\nb",c\r\n'])
    assert.deepEqual(header.cells, ['a\nb', 'c'])
  })

  test('lines that end with CR alone are lines', () => {
    const { preamble, header, columns } = sniffText('Report\r\ra;b\r1;2\r3;4\r5;6\r')
    assert.deepEqual([preamble.lines, header.line, header.cells, columns], [2, 3, ['a', 'b'], 2])
  })

  test('without a header, the first record is where the header would be', () => {
    const { header } = sniffText('\n1,2.5\n2,3.5\n3,4.5\n')
    assert.deepEqual([header.present, header.cells, header.start, header.line], [false, undefined, 1, 2])
  })

  test('nothing is said of nothing', () => {
    assert.equal(sniffText('').content, 'empty')
    for (const blank of ['\n', ' ', '\r\n\r\n', ' \n\t\n']) assert.equal(sniffText(blank).content, 'blank')
    assert.equal(sniffText('a,b\n', { skipLines: 3 }).content, 'blank')
    assert.deepEqual(sniffText('\n').warnings, [])
  })

  test('a header with broken quotes is a header, and no preamble', () => {
    for (const head of ['"Foo","Bar","Baz\n', '"a"x,b\n', 'a,b"\n']) {
      for (const rest of ['', '1,2\n3,4\n5,6\n']) {
        const { header, preamble } = sniffText(head + rest, { delimiter: ',', quote: '"' })
        assert.deepEqual([preamble.lines, header.present, header.cells], [0, true, undefined], head + rest)
      }
    }
  })
})

suite('what is given', () => {
  const text = 'a;b,c\n1;2,3\n4;5,6\n'

  test('is taken', () => {
    const { dialect, how, confidence, columns } = sniffText(text, { delimiter: ',' })
    assert.deepEqual([dialect.delimiter, how.delimiter, confidence, columns], [',', 'given', 1, 2])
    const given = { quote: '', escape: '', comment: '#', header: false, skipLines: 1 }
    const taken = sniffText('x\n#y\na,"b\nc,d\n', given)
    assert.deepEqual(taken.dialect, { delimiter: ',', quote: null, escape: null, comment: '#' })
    assert.deepEqual(taken.how, { delimiter: 'guess', quote: 'given', escape: 'given', comment: 'given' })
    assert.deepEqual([taken.header.present, taken.header.how, taken.header.confidence], [false, 'given', 1])
    assert.deepEqual([taken.preamble.how, taken.preamble.lines, taken.preamble.bytes], ['given', 1, 2])
    assert.deepEqual([taken.header.line, taken.header.start], [3, 5])
  })

  test('is not guessed again, and not doubted', () => {
    const titled = 'Title\nDate,Value\n2024-01-01,5\n2024-01-02,6\n'
    const { header, preamble, warnings } = sniffText(titled, { skipLines: 0, header: true, delimiter: ',' })
    assert.deepEqual([preamble.lines, header.cells], [0, ['Title']])
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['header-width'],
    )
    assert.deepEqual(sniffText('1,2\n3,4\n5,6\n', { header: true }).header.cells, ['1', '2'])
  })

  test('a delimiter that parts nothing is doubted all the same', () => {
    const { warnings, columns, dialect } = sniffText('a;b\n1;2\n3;4\n', { delimiter: ',' })
    assert.deepEqual([columns, dialect.delimiter], [1, ','])
    assert.match(warnings[0]?.message ?? '', /“;”.* 2: .*--delimiter/)
  })

  test('any delimiter can be given', () => {
    const { columns, header } = sniffText('a::b\n1::2\n', { delimiter: '::' })
    assert.deepEqual([columns, header.cells], [2, ['a', 'b']])
  })
})

suite('doubts', () => {
  test('name the reading taken and the option for another', () => {
    const both = sniffText('1,5;2,7\n3,25;4,0\n0,5;1,25\n')
    assert.equal(both.alternatives[0]?.dialect.delimiter, ',')
    assert.equal(both.alternatives[0]?.columns, 3)
    const [delimiter, header] = both.warnings
    assert.match(delimiter?.message ?? '', /“;” .*2 columns.*“,” \(3 columns\).*--delimiter/)
    assert.match(header?.message ?? '', /line 1 .*--header/)
    assert.match(
      sniffText('name\nDoe, John\nRoe, Jane\n').warnings[0]?.message ?? '',
      /one column; with “,” .*--delimiter/,
    )
    assert.match(
      sniffText('Title\n\na,b\n1,2\n3,4\n').warnings[0]?.message ?? '',
      /lines 1 to 2 .*line 3 .*--skip-lines/,
    )
    assert.match(sniffText("'a','b, c'\n'1','2'\n").warnings[0]?.message ?? '', /“'”.*--quote/)
  })

  test('there are none about what is plain', () => {
    for (const text of [
      'id,name,city\n1,Ann,Rome\n2,Bob,Oslo\n',
      '"Foo";"Bar"\n"x";"1"\n"y";"2"\n',
      'name\nAnn\nBob\n',
    ]) {
      assert.deepEqual(sniffText(text).warnings, [], text)
    }
  })

  test('a short first record among ragged ones is no sure preamble', () => {
    const { preamble, header } = sniffText('a,b\n1,2,3\n4,5,6\n7,8,9\n1,2\n')
    assert.deepEqual([preamble.lines, header.cells], [0, ['a', 'b']])
    assert.ok(sniffText('list\n1,x,3\n4,y,6\n7,z,9\n1,w,5\n').preamble.confidence < 0.7)
  })

  test('a line for Excel is not believed when it is wrong', () => {
    const { dialect, preamble } = sniffText('sep=,\na;b;c\n1;2;3\n4;5;6\n')
    assert.deepEqual([dialect.delimiter, preamble.lines], [';', 1])
  })
})

suite('a sample that is not the whole file', () => {
  const rows = Array.from({ length: 400 }, (_, i) => `${i};"Row ${i}, ""so"" to\nsay";${i},5;2024-01-${(i % 28) + 10}`)
  const file = Buffer.from(`no;text;value;day\n${rows.join('\n')}\n`)

  test('may end anywhere', () => {
    for (let end = 120; end < file.length; end += 197) {
      const { dialect, columns, header } = sniff(file.subarray(0, end), { whole: false, given: {} })
      assert.deepEqual(dialect, { ...standardDialect, delimiter: ';' })
      assert.deepEqual([columns, header.present], [4, true])
    }
  })

  test('a header that it ends in has no cells', () => {
    const { dialect, header } = sniff(Buffer.from('a;b;c;d'), { whole: false, given: {} })
    assert.deepEqual([dialect.delimiter, header.cells, sniffText('a;b;c;d').header.cells?.length], [';', undefined, 4])
  })

  test('a value whose end is out of sight is no evidence, whatever is in it', () => {
    const lines = ['some text, with commas\n', '1,2,3,4,5\n', 'a\tb\tc\n', 'a;b;c;d\n', '{""a"": [1, 2]}\n', 'word\n\n']
    // A sample of a MiB takes long, so not every line stands in it at each place.
    const places = [0, 1, 20]
    for (const [turn, line] of lines.entries()) {
      for (const [bytes, stands] of [
        [300_000, places],
        [2_000_000, places.filter((_, place) => place === turn % 3)],
      ] as const) {
        for (const at of stands) {
          const records = Array.from({ length: 30 }, (_, i) => `${i},text ${i},${i * 3},2024-01-${10 + (i % 9)}`)
          records[at] = `${at},"${line.repeat(bytes / line.length)}",7,2024-01-01`
          const all = Buffer.from(`id,text,n,day\n${records.join('\n')}\n`)
          const whole = all.length <= mebibyte
          const { dialect, columns, header, warnings } = sniff(all.subarray(0, mebibyte), { whole, given: {} })
          const found = { dialect, columns, line: header.line, cells: header.cells, warnings }
          const cells = ['id', 'text', 'n', 'day']
          assert.deepEqual(found, { dialect: standardDialect, columns: 4, line: 1, cells, warnings: [] }, line)
        }
      }
    }
  })

  test('records of thousands of cells that have several lines are what they are', () => {
    const cell = (i: number) => (i % 7 === 0 ? `"line one\nline two, ${'z'.repeat(60)}"` : `value ${i}`)
    const header = Array.from({ length: 4096 }, (_, i) => `c${i}`).join(',')
    const row = Array.from({ length: 4096 }, (_, i) => cell(i)).join(',')
    const all = Buffer.from(`${header}\n${`${row}\n`.repeat(20)}`)
    const { columns, warnings } = sniff(all.subarray(0, mebibyte), { whole: false, given: {} })
    assert.deepEqual([columns, warnings], [4096, []])
  })

  test('a quote that nothing closes is broken where the lines behind it are like those above', () => {
    const sound = Array.from({ length: 60_000 }, (_, i) => `${i},some text ${i},${i * 3}`)
    for (const at of [0, 1, 5, 3000]) {
      const lines = sound.with(at, `${at},"open, too,7`)
      const sample = Buffer.from(`id,text,n\n${lines.join('\n')}\n`).subarray(0, mebibyte)
      const { dialect, columns, header, warnings } = sniff(sample, { whole: false, given: {} })
      assert.deepEqual([dialect, columns, header.line, warnings], [standardDialect, 3, 1, []])
      assert.match(header.evidence, /labels/)
    }
  })

  test('a wide header with a broken quote is no preamble', () => {
    const header = Array.from({ length: 4000 }, (_, i) => (i === 7 ? '5" pipe' : `column ${i}`)).join(',')
    const row = Array.from({ length: 4000 }, (_, i) => i).join(',')
    const { preamble, header: found } = sniffText(`${header}\n${`${row}\n`.repeat(9)}`, { quote: '"' })
    assert.deepEqual([preamble.lines, found.line, found.cells], [0, 1, undefined])
  })

  test('quotes that come late are seen', () => {
    const plain = 'id,text\n' + '1,some words\n'.repeat(30_000)
    for (const [late, expected] of [
      ['2,"He said ""no"", and left"\n', standardDialect],
      ['2,"He said \\"no\\", and left"\n', { ...standardDialect, escape: '\\' }],
      ['2,a 5" pipe\n', { ...standardDialect, quote: null, escape: null }],
    ] as const) {
      const { dialect, how } = sniffText(plain + late.repeat(50))
      assert.deepEqual([dialect, how.quote], [expected, 'guess'])
    }
  })
})

suite('a sample that nobody would send', () => {
  const fill = (text: string) => Buffer.alloc(mebibyte, text)
  const hostile: Readonly<Record<string, Buffer>> = {
    quotes: fill('"'),
    commas: fill(','),
    'one line': fill('x'),
    NULs: Buffer.alloc(mebibyte),
    'blank lines': fill('\n'),
    'bare CRs': fill('\r'),
    'quotes on every line': fill('"a\n'),
    'quotes that never close': Buffer.concat([Buffer.from('a,b\n1,"x\n'), fill('1,2,3\n')]),
    'escaped quotes on every line': fill('"a\\"\n'),
    '300,000 equal labels': Buffer.from(`${'abc,'.repeat(260_000)}\n`),
    'all delimiters at once': fill('a,b;c\td|e:f g^h~i'),
    'opened brackets': fill('{[('),
    'words and numbers': fill('1 jan a@b.c 0.5:a1 '),
    'long cells': fill(`${'1 '.repeat(39)},`),
    'a blank line between all': fill('1,2024-01-01,x,y,z\n\n'),
  }
  for (const [name, sample] of Object.entries(hostile)) {
    // In time in proportion to its length: what is not would not end before the runner ends it.
    test(`is read to the end: ${name}`, () => {
      assert.ok(sniff(sample, { whole: false, given: {} }).columns >= 0)
      assert.ok(sniff(sample.subarray(0, mebibyte / 2), { whole: true, given: {} }).columns >= 0)
    })
  }

  test('every label of a long header is there', () => {
    assert.equal(sniffText(`${'a,'.repeat(299_999)}a\n`).header.cells?.length, 300_000)
  })
})

suite('any table with labels and values that look like something', () => {
  const word = fc.stringMatching(/^[A-Z][a-z]{2,9}$/)
  const two = (n: number) => String(n).padStart(2, '0')
  const day = fc.tuple(
    fc.integer({ min: 1990, max: 2030 }),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 28 }),
  )
  const piece = fc.constantFrom('and', 'so', 'on,', 'it;', 'was', '"there"', "O'Brien", '|', 'tab', '\n', '100 %')
  const columns: readonly fc.Arbitrary<string>[] = [
    fc.integer({ min: -5000, max: 5000 }).map(String),
    fc.integer({ min: 0, max: 99_999 }).map((n) => (n / 100).toFixed(2)),
    fc.integer({ min: 0, max: 99_999 }).map((n) => (n / 100).toFixed(2).replace('.', ',')),
    day.map(([y, m, d]) => `${y}-${two(m)}-${two(d)}`),
    day.map(([y, m, d]) => `${two(d)}.${two(m)}.${y}`),
    fc.tuple(fc.nat(23), fc.nat(59)).map(([h, m]) => `${two(h)}:${two(m)}:00`),
    word,
    word.map((name) => `${name.toLowerCase()}@example.com`),
    fc.array(piece, { minLength: 2, maxLength: 8 }).map((pieces) => pieces.join(' ')),
  ]
  const table = fc
    .array(fc.constantFrom(...columns), { minLength: 2, maxLength: 6 })
    .chain((kinds) =>
      fc.tuple(
        fc.uniqueArray(word, { minLength: kinds.length, maxLength: kinds.length }),
        fc.array(fc.tuple(...kinds), { minLength: 4, maxLength: 30 }),
      ),
    )
    .map(([header, rows]) => [header, ...rows])
  const dialect = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    quote: fc.constant('"'),
    escape: fc.constantFrom('"', '\\'),
    comment: fc.constant(null),
  })

  function write(rows: readonly string[][], { delimiter, escape }: Dialect, all: boolean, end: string): string {
    const quoted = (cell: string) => `"${cell.replaceAll('"', `${escape}"`)}"`
    const needsQuotes = (cell: string) => all || cell.includes(delimiter) || /["\n\r]/.test(cell)
    return rows
      .map((row) => row.map((cell) => (needsQuotes(cell) ? quoted(cell) : cell)).join(delimiter) + end)
      .join('')
  }

  test('is read back as it was written', () => {
    const end = fc.constantFrom('\n', '\r\n', '\r')
    fc.assert(
      fc.property(table, dialect, fc.boolean(), end, (rows, written, all, lineEnd) => {
        const bytes = Buffer.from(write(rows, written, all, lineEnd))
        const found = sniff(bytes, { whole: true, given: {} })
        assert.equal(found.dialect.delimiter, written.delimiter)
        assert.deepEqual(cellsOf(bytes, found.dialect, found.header.start), rows)
      }),
      runs(150),
    )
  })
})

test('any text at all gets an answer that holds together, and that given back changes nothing', () => {
  const piece = fc.constantFrom(
    'a',
    'b c',
    '1',
    ',',
    ',',
    ';',
    '\t',
    '|',
    '"',
    '"',
    "'",
    '\\',
    '\n',
    '\n',
    '\r',
    '#',
    ' ',
    'é',
    '\0',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 80 }), fc.boolean(), (pieces, whole) => {
      const sample = Buffer.from(pieces.join(''))
      const { dialect, preamble, header, columns, content, ...guess } = sniff(sample, { whole, given: {} })
      if (content !== 'records') return
      assert.ok(preamble.bytes <= header.start && header.start <= header.end && header.end <= sample.length)
      assert.equal(
        sample
          .subarray(0, header.start)
          .toString('latin1')
          .split(/\r\n|\r|\n/).length,
        header.line,
      )
      for (const confidence of [guess.confidence, preamble.confidence, header.confidence]) {
        assert.ok(confidence >= 0 && confidence <= 1)
      }
      if (!whole) return
      const { delimiter, quote, escape } = dialect
      const given = { delimiter, quote: quote ?? '', escape: escape ?? '', header: header.present }
      const again = sniff(sample, { whole, given: { ...given, skipLines: preamble.lines } })
      assert.deepEqual(again.dialect, dialect)
      assert.deepEqual(
        [again.header.start, again.header.end, again.header.cells],
        [header.start, header.end, header.cells],
      )
      assert.ok(columns > 0 && again.columns > 0)
    }),
    runs(500),
  )
})

const isThere = existsSync(suites)
if (!isThere) {
  process.stderr.write('The public CSV suites are not here: a part of src/csv/sniff.test.ts is left out.\n')
}

suite('public suites', { skip: isThere ? false : 'the suites are kept beside the project' }, () => {
  test('csv-spectrum is all commas with a header', async () => {
    const folder = join(suites, 'csv-spectrum/csvs')
    const names = await readdir(folder)
    assert.equal(names.length, 11)
    for (const name of names) {
      const found = sniffText(await readFile(join(folder, name)))
      assert.deepEqual([found.dialect, found.header.present, found.preamble.lines], [standardDialect, true, 0], name)
      assert.deepEqual(found.warnings, [], name)
    }
  })

  test('csvlint is all commas with a header, which a title may stand above', async () => {
    const folder = join(suites, 'csvlint/features/fixtures')
    for (const name of (await readdir(folder)).filter((file) => file.endsWith('.csv'))) {
      const found = sniffText(await readFile(join(folder, name)))
      const skip = name === 'title-row.csv' ? 1 : 0
      assert.deepEqual([found.dialect, found.header.present, found.preamble.lines], [standardDialect, true, skip], name)
      assert.deepEqual(codesOf(found), skip > 0 ? ['preamble'] : [], name)
    }
  })
})
