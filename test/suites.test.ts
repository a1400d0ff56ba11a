/** Public suites of CSV files, kept beside the project: every one must be read as it says. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'csv-parse/sync'
import { type CleanReject, clean } from '../src/csv/clean.ts'
import { standardDialect } from '../src/csv/dialect.ts'
import { Machine } from '../src/csv/machine.ts'
import type { CleanReport } from '../src/csv/report.ts'
import { AppError } from '../src/errors.ts'
import type { ReaderOptions } from '../src/definition.ts'

const suites = fileURLToPath(new URL('../../shared/suites/', import.meta.url))
const isThere = existsSync(suites)
if (!isThere) process.stderr.write('The public CSV suites are not here: test/suites.test.ts is left out.\n')

interface Cleaned {
  readonly cells: string[][]
  readonly rejects: CleanReject[]
  readonly report: CleanReport
}

suite('public suites', { skip: isThere ? false : 'the suites are kept beside the project' }, () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rowmill-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const cleaned = async (content: Buffer | string, given: ReaderOptions = {}): Promise<Cleaned> => {
    const path = join(folder, 'file.csv')
    await writeFile(path, content)
    const written: Buffer[] = []
    const rejects: CleanReject[] = []
    const report = await clean(path, {
      name: 'file.csv',
      scratch: join(folder, 'scratch'),
      given,
      expected: [],
      mostBytes: 1e9,
      signal: new AbortController().signal,
      onProgress: () => {},
      write: async (bytes) => void written.push(Buffer.from(bytes)),
      onReject: async (reject) => void rejects.push(reject),
    })
    return { cells: parse(Buffer.concat(written), { skip_empty_lines: true }), rejects, report }
  }

  test('csv-spectrum', async () => {
    const names = (await readdir(join(suites, 'csv-spectrum/csvs'))).map((name) => name.replace(/\.csv$/, ''))
    assert.equal(names.length, 11)
    for (const name of names) {
      const { cells, rejects } = await cleaned(await readFile(join(suites, `csv-spectrum/csvs/${name}.csv`)))
      const expected: unknown = JSON.parse(await readFile(join(suites, `csv-spectrum/json/${name}.json`), 'utf8'))
      const [header = [], ...rows] = cells
      assert.deepEqual(
        rows.map((row) => Object.fromEntries(row.map((cell, i) => [header[i], cell]))),
        expected,
        name,
      )
      assert.deepEqual(rejects, [], name)
    }
  })

  interface Comparison {
    readonly id: string
    readonly input: string
    readonly records: string[][]
    readonly settings: {
      readonly exceptionAllowed?: boolean
      readonly commentMode?: string
      readonly skipEmptyLines?: boolean
    }
  }

  test('javacsvcomparison: records, one by one', async () => {
    const cases: Comparison[] = JSON.parse(await readFile(join(suites, 'javacsvcomparison/cases.json'), 'utf8'))
    assert.equal(cases.length, 108)
    for (const { id, input, records, settings } of cases) {
      const hasComments = (settings.commentMode ?? 'NONE') !== 'NONE'
      const machine = new Machine({ ...standardDialect, comment: hasComments ? '#' : null })
      const bytes = Buffer.from(input)
      const found: string[][] = []
      let isSound = true
      for (let at = 0; at < bytes.length && isSound; at = machine.end) {
        const outcome = machine.next(bytes, at, bytes.length, true)
        if (outcome === 'record') found.push(machine.cells(bytes))
        else if (outcome === 'comment') {
          if (settings.commentMode === 'READ') found.push([bytes.toString('utf8', at + 1, machine.textEnd)])
        } else if (outcome === 'blank') {
          if (settings.skipEmptyLines !== true) found.push([''])
        } else isSound = false
      }
      if (!isSound) assert.equal(settings.exceptionAllowed, true, id)
      else assert.deepEqual(found, records, id)
    }
  })

  test('javacsvcomparison: as whole files', async () => {
    const cases: Comparison[] = JSON.parse(await readFile(join(suites, 'javacsvcomparison/cases.json'), 'utf8'))
    for (const { id, input, records, settings } of cases) {
      // Comments as records are the machine's alone; a file has them skipped, or has none.
      if (settings.commentMode === 'READ') continue
      const comment = settings.commentMode === 'SKIP' ? '#' : ''
      const isEmpty = records.every((record) => record.length === 1 && record[0]?.trim() === '')
      // That all records of a file have as many cells is a policy: the others are rejects, and are told.
      const isRagged = new Set(records.map((record) => record.length)).size > 1
      const mayFail = settings.exceptionAllowed === true || isRagged
      try {
        const given = { header: false, delimiter: ',', quote: '"', comment, skipLines: 0 }
        const { cells, rejects, report } = await cleaned(input, given)
        assert.equal(report.records, report.rows + report.rejects.total, id)
        assert.ok(rejects.length === 0 || mayFail, id)
        if (rejects.length > 0) continue
        // What is blank is told apart: there is no record in it.
        const filled = records.filter((record) => record.length > 1 || record[0] !== '' || input.includes('""'))
        assert.deepEqual(cells.slice(1), filled, id)
      } catch (error) {
        assert.ok(error instanceof AppError && error.code === 'rejected', `${id}: ${String(error)}`)
        assert.ok(isEmpty || mayFail, `${id}: ${error.message}`)
      }
    }
  })

  const fixture = (name: string) => readFile(join(suites, `csvlint/features/fixtures/${name}.csv`))
  const codesOf = ({ rejects }: Cleaned) => rejects.map(({ line, code }) => `${line} ${code}`)
  const warningsOf = ({ report }: Cleaned) => report.warnings.map(({ code }) => code)

  test('csvlint: what is valid has nothing wrong with it', async () => {
    for (const name of [
      'valid',
      'valid_many_rows',
      'white space in filename',
      'lf-line-endings',
      'crlf-line-endings',
      'cr-line-endings',
      'windows-line-endings',
    ]) {
      const result = await cleaned(await fixture(name), { header: true })
      assert.deepEqual([codesOf(result), warningsOf(result)], [[], []], name)
    }
    const lines = '"a","b","c"\n"d","e","this is\nvalid"\n"a","b","c"\n'
    assert.deepEqual(codesOf(await cleaned(lines)), [])
    const semicolons = "'Foo';'Bar';'Baz'\n'1';'2';'3'\n'3';'2';'1'\n"
    assert.deepEqual((await cleaned(semicolons, { delimiter: ';', quote: "'" })).cells[1], ['1', '2', '3'])
  })

  test('csvlint: each fault has its error', async () => {
    const head = '"col1","col2","col3"\n'
    const ragged = await cleaned(`${head}"1","2","3"\n"4","5"\n`)
    assert.deepEqual(
      ragged.rejects.map(({ line, code, raw }) => [line, code, raw]),
      [[3, 'missing-cell', '"4","5"']],
    )
    assert.deepEqual(codesOf(await cleaned(`${head}"1","2","3"\n"Foo","Bar","Baz\n`)), ['3 quote-error'])
    assert.deepEqual(codesOf(await cleaned(`${head}"1","2","3"\n"Foo","Bar",   "Baz"\n`)), ['3 quote-error'])
    const many = await cleaned(await fixture('invalid_many_rows'))
    assert.deepEqual(codesOf(many), ['4 quote-error'])
    assert.equal(many.report.blank_lines, 1)
    await assert.rejects(cleaned('"Foo","Bar","Baz\n'), /header|quote/)
    await assert.rejects(cleaned('\t"Foo",\t"Bar"\t,\t"Baz\n'), /header|quote/)
  })

  test('csvlint: and each doubt its warning', async () => {
    for (const name of ['inconsistent-line-endings', 'inconsistent-line-endings-unquoted']) {
      assert.ok(warningsOf(await cleaned(await fixture(name))).includes('mixed-line-ends'), name)
    }
    const title = await cleaned(await fixture('title-row'))
    assert.ok(warningsOf(title).includes('preamble'))
    assert.deepEqual(title.cells[0], ['Foo', 'Bsr', 'Baz'])
    const blank = await cleaned('"a","b"\n"Foo","Bar"\n\n"Foo","Bar"\n\n\n')
    assert.deepEqual([blank.report.blank_lines, warningsOf(blank)], [3, ['blank-row']])
    const wrong = await cleaned("'Foo';'Bar';'Baz'\n'1';'2';'3'\n'3';'2';'1'\n", { delimiter: ',', quote: '"' })
    assert.ok(warningsOf(wrong).includes('one-column'))
  })

  test('csvlint: bytes that are not what they are said to be', async () => {
    const content = await fixture('invalid-byte-sequence')
    await assert.rejects(cleaned(content, { encoding: 'utf-8' }), /line 1: the header has bytes that are no text/)
    const rows = content.subarray(content.indexOf('\n') + 1)
    const wrong = await cleaned(rows, { encoding: 'utf-8', header: false })
    const isTold = ({ code, raw }: CleanReject) => code === 'encoding-error' && /\\x[0-9a-f]{2}/.test(raw)
    assert.ok(wrong.rejects.length > 0 && wrong.rejects.every(isTold))
    const right = await cleaned(content, { encoding: 'iso-8859-1' })
    assert.deepEqual(right.rejects, [])
    assert.equal(right.cells[0]?.[2], 'Histórico')
  })

  test('csvlint: a column that is nearly all of one type names what is not', async () => {
    const { report } = await cleaned('"1","2","3"\n"Foo","5","6"\n"3","2","1"\n"3","2","1"\n', { header: false })
    const [first, second] = report.columns
    assert.deepEqual([first?.type, first?.counterexamples['integer']], ['string', [{ line: 2, looks_like: 'text' }]])
    assert.deepEqual([second?.type, second?.counterexamples['integer']], ['integer', undefined])
  })
})
