import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { runs } from '../../test/runs.ts'
import { type Dialect, standardDialect } from './dialect.ts'
import { columnEvidence } from './evidence.ts'
import type { Fault } from './fault.ts'
import { columnFlags, Kernel, type Output } from './kernel/kernel.ts'
import { readRecords } from './records.ts'
import { parseTabbed } from './tabbed.ts'

interface Given {
  readonly output?: Output
  readonly flags?: readonly number[]
  readonly dialect?: Dialect
  readonly columns?: number
  readonly blockBytes?: number
  readonly onlyMachine?: boolean
}

suite('readRecords', () => {
  let folder = ''
  let kernel: Kernel
  before(async () => {
    kernel = await Kernel.load()
    folder = await mkdtemp(join(tmpdir(), 'rowmill-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  /** All that can be known of a reading. */
  const read = async (content: Buffer, given: Given) => {
    const { output = 'clean', flags = [], dialect = standardDialect, columns = 2 } = given
    const { blockBytes = 512 << 10, onlyMachine = false } = given
    const path = join(folder, 'file')
    await writeFile(path, content)
    const written: Buffer[] = []
    const faults: Fault[] = []
    const tally = await readRecords(path, kernel, {
      dialect,
      names: Array.from({ length: columns }, (_, i) => `c${i}`),
      start: 0,
      line: 1,
      output,
      flags,
      shapes: true,
      write: async (bytes) => void written.push(Buffer.from(bytes)),
      onFault: async (fault) => void faults.push(fault),
      onProgress: () => {},
      simpleOnly: false,
      signal: new AbortController().signal,
      blockBytes,
      onlyMachine,
    })
    const evidence = Array.from({ length: columns }, (_, i) => columnEvidence(kernel.evidence, i))
    return { text: Buffer.concat(written).toString('latin1'), faults, tally, evidence, line: kernel.get('line') }
  }

  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(',', '\n', '\r\n', '"', '""', '\r') },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        '12',
        '2020-02-29',
        '1.50',
        'true',
        'é',
        '日本',
        'text',
        '\t',
        '  ',
        '-0',
        '007',
        '1,5',
        '\\',
        '\\N',
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom('\0', '\u001b', '\u0001', '\u001f') },
    { weight: 1, arbitrary: fc.string() },
  )
  const sound = fc.constantFrom('a,b\n', '"a","b"\n', '1,2\r\n', '"x\ny",z\n', ',\n', '"",""\n', '"say ""hi""",2\n')
  const bytes = fc
    .array(
      fc.oneof(
        fc.array(piece, { maxLength: 12 }).map((all) => all.join('')),
        sound,
      ),
      { maxLength: 40 },
    )
    .map((all) => Buffer.from(all.join('')))
  const broken = fc.tuple(bytes, fc.nat(), fc.nat(255)).map(([all, at, byte]) => {
    if (all.length > 0) all[at % all.length] = byte
    return all
  })

  const dialects: fc.Arbitrary<Dialect> = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|', '.', '\u001f', '\u001b'),
    quote: fc.constantFrom('"', "'", null),
    escape: fc.constantFrom('"', "'", '\\'),
    comment: fc.constantFrom(null, '#', '\u0002'),
  })
  /** The pieces above, with the marks of a dialect in the place of the standard ones. */
  const spoken = (content: Buffer, { delimiter, quote, escape }: Dialect) =>
    Buffer.from(
      content
        .toString('latin1')
        .replace(/[,"]/g, (mark) => (mark === ',' ? delimiter : (quote ?? '"')))
        .replaceAll('text', `${escape}${delimiter}`)
        .replaceAll('  ', `${escape}${quote}`)
        .replaceAll('-0', `${escape}`),
      'latin1',
    )

  const { keepEmpty, leaveOut } = columnFlags
  const someFlags = fc.array(fc.constantFrom(0, keepEmpty, leaveOut, keepEmpty | leaveOut), { maxLength: 3 })

  for (const output of ['nothing', 'clean', 'flat', 'placed', 'tabbed'] as const) {
    test(`gives the same with and without the kernel: ${output}`, async () => {
      const cells = fc.integer({ min: 1, max: 3 })
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(bytes, broken),
          cells,
          dialects,
          someFlags,
          async (standard, columns, some, flags) => {
            const dialect = some.escape === some.quote || some.escape === '\\' ? some : { ...some, escape: some.quote }
            const content = spoken(standard, dialect)
            const given = { output, flags, columns, dialect }
            const { tally: byKernel, ...one } = await read(content, given)
            const { tally, ...other } = await read(content, { ...given, onlyMachine: true })
            assert.deepEqual(one, other)
            // The machine knows nothing of simple files.
            assert.deepEqual({ ...byKernel, isSimple: false }, { ...tally, isSimple: false })
          },
        ),
        runs(100),
      )
    })
  }

  test('gives the same however the file is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(bytes, broken), fc.integer({ min: 1, max: 40 }), async (content, blockBytes) => {
        const { tally, ...one } = await read(content, { output: 'placed' })
        const { tally: cut, ...other } = await read(content, { output: 'placed', blockBytes })
        assert.deepEqual(one, other)
        assert.deepEqual({ ...cut, isSimple: false }, { ...tally, isSimple: false })
      }),
      runs(100),
    )
  })

  // fast-check’s own takes a second to list all of them.
  const character = fc.nat(0x10ffff).map((code) => String.fromCodePoint(code))
  /** Any text but what makes a file no text: NUL, and halves of a surrogate pair. */
  const cell = fc.oneof(
    fc.string({ unit: character, maxLength: 8 }).map((text) => text.toWellFormed().replaceAll('\0', '')),
    fc.constantFrom(
      '',
      ' ',
      'a',
      'a,b',
      'say "hi"',
      '"',
      'two\nlines',
      'two\r\nlines',
      "it's",
      '\\',
      'a\\"b',
      ';',
      '\t|',
    ),
  )
  const table = fc
    .integer({ min: 2, max: 5 })
    .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 12 }))
  const form = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|', '\u001f', '||', '§', 'é'),
    quote: fc.constantFrom('"', "'"),
    escape: fc.constantFrom('doubled', '\\'),
    lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
    quoteAll: fc.boolean(),
    lastEnd: fc.boolean(),
  })

  const dialectOf = ({ delimiter, quote, escape }: { delimiter: string; quote: string; escape: string }): Dialect => {
    return { delimiter, quote, escape: escape === 'doubled' ? quote : escape, comment: null }
  }

  const write = (
    rows: readonly (readonly string[])[],
    how: Omit<Dialect, 'comment'> & { lineEnd: string; quoteAll: boolean; lastEnd: boolean },
  ) => {
    const { delimiter, quote, escape, lineEnd, quoteAll, lastEnd } = how
    const one = (text: string) => {
      const special = [delimiter.slice(0, 1), quote ?? '', '\n', '\r', escape ?? ''].some((mark) => text.includes(mark))
      if (!quoteAll && !special) return text
      const inner =
        escape === quote
          ? text.replaceAll(quote ?? '', `${quote}${quote}`)
          : text.replace(/['"\\]/g, (c) => (c === quote || c === escape ? `${escape}${c}` : c))
      return `${quote}${inner}${quote}`
    }
    const text = rows.map((row) => row.map(one).join(delimiter)).join(lineEnd)
    return Buffer.from(lastEnd || rows.at(-1)?.at(-1) === '' ? text + lineEnd : text)
  }

  test('reads back what any table of texts says, in any dialect, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(table, form, fc.integer({ min: 1, max: 64 }), async (rows, how, blockBytes) => {
        const dialect = dialectOf(how)
        const content = write(rows, { ...how, ...dialect })
        const { text, faults, tally } = await read(content, { dialect, columns: rows[0]?.length ?? 0, blockBytes })
        assert.deepEqual(faults, [])
        assert.equal(tally.records, rows.length)
        assert.deepEqual(parse(Buffer.from(text, 'latin1'), { relax_quotes: false }), rows)
      }),
      runs(100),
    )
  })

  test('says the same in tabbed text, but for the columns that are left out', async () => {
    await fc.assert(
      fc.asyncProperty(table, form, someFlags, async (rows, how, flags) => {
        const columns = rows[0]?.length ?? 0
        const dialect = dialectOf(how)
        const { text } = await read(write(rows, { ...how, ...dialect }), { output: 'tabbed', flags, dialect, columns })
        const lines = Buffer.from(text, 'latin1').toString().split('\n')
        assert.equal(lines.pop(), '')
        const has = (column: number, flag: number) => ((flags[column] ?? 0) & flag) !== 0
        const isKept = (column: number) => how.quoteAll && has(column, keepEmpty)
        const written = rows.map((row) => {
          const values = row.map((value, column) => (value === '' && !isKept(column) ? null : value))
          return values.filter((_, column) => !has(column, leaveOut))
        })
        // Of a record without any column an empty line is left.
        const expected = written.map((values) => (values.length === 0 ? [''] : values))
        assert.deepEqual(lines.map(parseTabbed), expected)
      }),
      runs(100),
    )
  })

  for (const onlyMachine of [false, true]) {
    test(`tells an empty text from nothing where it is kept, ${onlyMachine ? 'without' : 'with'} the kernel`, async () => {
      const content = Buffer.from('"",""\n,\n')
      const given = { flags: [keepEmpty], onlyMachine }
      const flat = await read(content, { ...given, output: 'flat' })
      assert.equal(flat.text, '\u001b5\u001f\n\u001f\n')
      assert.deepEqual(flat.tally.escaped, [true, false])
      const tabbed = await read(content, { ...given, output: 'tabbed' })
      assert.equal(tabbed.text, '\t\\N\n\\N\t\\N\n')
    })
  }

  test('takes valid files as csv-parse does', async () => {
    const valid = fc
      .tuple(table, form)
      .map(([rows, how]) => write(rows, { ...how, delimiter: ',', quote: '"', escape: '"' }))
    await fc.assert(
      fc.asyncProperty(valid, async (content) => {
        const expected: string[][] = parse(content, { record_delimiter: ['\r\n', '\n', '\r'] })
        const { text } = await read(content, { columns: expected[0]?.length ?? 0 })
        assert.deepEqual(parse(Buffer.from(text, 'latin1')), expected)
      }),
      runs(100),
    )
  })

  test('lets no changed byte pass unseen: it changes its own cell, or is told', async () => {
    await fc.assert(
      fc.asyncProperty(table, form, fc.nat(), fc.nat(255), async (records, how, place, byte) => {
        // Of a single line nobody can say how lines end; a file has a header as well.
        const rows = [records[0]?.map(() => 'name') ?? [], ...records]
        const content = write(rows, { ...how, delimiter: ',', quote: '"', escape: '"', lastEnd: true })
        const at = place % content.length
        const was = content[at]
        content[at] = byte
        const { text, faults, tally } = await read(content, { columns: rows[0]?.length ?? 0 })
        const { lineEnds } = tally
        const isMixed = [lineEnds.lf, lineEnds.crlf, lineEnds.cr].filter((count) => count > 0).length > 1
        if (faults.length > 0 || tally.blankLines > 0 || isMixed) return
        const found: string[][] = parse(Buffer.from(text, 'latin1'))
        const changed = found.flatMap((row, r) => row.filter((value, c) => value !== rows[r]?.[c]))
        assert.equal(found.length, rows.length, `byte ${at} was ${was}`)
        assert.ok(changed.length <= 1, `byte ${at} was ${was}: ${JSON.stringify(changed)}`)
      }),
      runs(500),
    )
  })

  test('accounts for every record', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(bytes, broken), async (content) => {
        const { text, faults, tally } = await read(content, { output: 'flat' })
        assert.equal(tally.rejected, faults.length)
        assert.equal(text.split('\n').length - 1 + faults.length, tally.records)
        // No byte is lost: what is between the rejects and the blank lines is in the rows.
        assert.ok(
          faults.every(
            (fault, i) => fault.byteOffset >= (faults[i - 1]?.byteOffset ?? 0) + (faults[i - 1]?.byteLength ?? 0),
          ),
        )
      }),
      runs(100),
    )
  })
})
