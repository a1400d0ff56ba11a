/** What a file means: DuckDB guesses from a sample, mends what is broken and says nothing. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type Folder, temporaryFolder } from '../harness.ts'
import { assertTold, duckdb, mill, openDuckDB, places, readCsv } from './both.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
})
after(() => folder[Symbol.asyncDispose]())

async function file(name: string, content: string): Promise<string> {
  const path = folder.at(name)
  await writeFile(path, content)
  return path
}

/** What `FROM 'file.csv'` makes of a file: everything is guessed. */
async function guessed(name: string, content: string, sql = 'FROM') {
  return await duckdb(`${sql} read_csv('${await file(name, content)}')`)
}

const columns = { id: 'string', text: 'string' }

test('`strict_mode=false` keeps doubled quotes and cuts values', async (t) => {
  const content = 'id,text\n1,"say ""hi"""\n2,"ab"cd\n3,c\n'

  await t.test('DuckDB', async () => {
    const path = await file('lax.csv', content)
    const lax = { strict_mode: 'false' }
    const cut = [
      ['1', 'say "hi"'],
      ['2', 'abc'],
      ['3', 'c'],
    ]
    assert.deepEqual(await duckdb(`FROM ${readCsv(path, columns, lax)}`), cut)
    const doubled = 'id,text\n1,"say ""hi"""\n'
    const rows = await duckdb(`FROM read_csv('${await file('doubled.csv', doubled)}', strict_mode = false)`)
    assert.deepEqual(rows, [['1', 'say ""hi""']])
  })

  await t.test('Rowmill', async () => {
    const milled = await mill(['lax.csv', content], { columns })
    assert.deepEqual(places(milled), ['3 quote-error'])
    if (milled.report.error === null) {
      assert.deepEqual(milled.rows, [
        ['1', 'say "hi"'],
        ['3', 'c'],
      ])
    }
  })
})

test('`ignore_errors` drops sound records behind a broken one', async (t) => {
  const content = 'id,text\n1,a\n2,"b"c\n3,"d"\n4,e\n'

  await t.test('DuckDB', async () => {
    const rows = readCsv(await file('ignored.csv', content), columns, { ignore_errors: 'true' })
    assert.deepEqual(await duckdb(`FROM ${rows}`), [['1', 'a']])
  })

  await t.test('Rowmill', async () => {
    const milled = await mill(['ignored.csv', content], { columns })
    assert.deepEqual(places(milled), ['3 quote-error'])
    if (milled.report.error === null) {
      assert.deepEqual(milled.rows, [
        ['1', 'a'],
        ['3', 'd'],
        ['4', 'e'],
      ])
    }
  })
})

test('one short record makes a single column of the whole file', async (t) => {
  const content = 'id,text\n1,a\n2\n3,c\n'

  await t.test('DuckDB', async () => {
    assert.deepEqual(await guessed('short.csv', content), [['1,a'], ['2'], ['3,c']])
    const path = folder.at('short.csv')
    const [dialect = []] = await duckdb(`SELECT Delimiter, len(Columns)::INT FROM sniff_csv('${path}')`)
    assert.deepEqual(dialect, ['|', 1])
  })

  await t.test('Rowmill', async () => {
    const milled = await mill(['short.csv', content])
    assert.deepEqual(milled.header, ['id', 'text'])
    assert.deepEqual(milled.rows, [
      ['1', 'a'],
      ['3', 'c'],
    ])
    assert.deepEqual(places(milled), ['3 missing-cell'])
  })
})

test('records that begin with `#` vanish', async (t) => {
  const content = 'id,text\n1,a\n#2,b\n3,c\n#4,d\n'

  await t.test('DuckDB', async () => {
    assert.deepEqual(await guessed('hash.csv', content), [
      ['1', 'a'],
      ['3', 'c'],
    ])
  })

  await t.test('Rowmill', async () => {
    const { rows } = await mill(['hash.csv', content])
    assert.deepEqual(rows, [
      ['1', 'a'],
      ['#2', 'b'],
      ['3', 'c'],
      ['#4', 'd'],
    ])
  })
})

test('the header and the records below it are skipped as a preamble', async (t) => {
  const ragged = 'id,text\n1,a\n2,b,c\n3,c,d\n4,e,f\n'
  const titled = 'Report of May\nprinted today\n\nid,text\n1,a\n2,b\n'

  await t.test('DuckDB', async () => {
    assert.deepEqual(await guessed('ragged.csv', ragged), [
      ['2', 'b', 'c'],
      ['3', 'c', 'd'],
      ['4', 'e', 'f'],
    ])
    assert.deepEqual(await guessed('titled.csv', titled), [
      ['1', 'a'],
      ['2', 'b'],
    ])
  })

  await t.test('Rowmill', async () => {
    const milled = await mill(['ragged.csv', ragged], { columns })
    assert.deepEqual(milled.rows, [['1', 'a']])
    assert.deepEqual(places(milled), ['3 extra-cell', '4 extra-cell', '5 extra-cell'])
    assertTold(await mill(['ragged.csv', ragged]))
    assertTold(await mill(['titled.csv', titled]))
  })

  await t.test('Rowmill names the lines above the header', async () => {
    const { report, header, rows } = await mill(['titled.csv', titled])
    assert.deepEqual([header, rows.length], [['id', 'text'], 2])
    assert.ok(report.warnings.length > 0)
  })
})

test('`columns=` does not look at the header: swapped columns load swapped', async (t) => {
  const content = 'last,first\nLovelace,Ada\n'
  const people = { first: 'string', last: 'string' }

  await t.test('DuckDB', async () => {
    const path = await file('swapped.csv', content)
    assert.deepEqual(await duckdb(`SELECT first, last FROM ${readCsv(path, people)}`), [['Lovelace', 'Ada']])
    const strangers = { born: 'string', died: 'string' }
    assert.deepEqual(await duckdb(`SELECT born, died FROM ${readCsv(path, strangers)}`), [['Lovelace', 'Ada']])
  })

  await t.test('Rowmill', async () => {
    const sql = 'SELECT first, last FROM file'
    const { rows } = await mill(['swapped.csv', content], { columns: people, sql })
    assert.deepEqual(rows, [['Ada', 'Lovelace']])
    const { report } = await mill(['swapped.csv', content], { columns: { born: 'string', died: 'string' } })
    assert.match(report.error?.message ?? '', /line 1: column “born” is missing/)
  })
})

test('types by sample change values', async (t) => {
  const first = 'code,id,day\n1e5,12345678901234567890,01-02-24\n'
  const dates = 'day\n01/02/2024\n03/04/2024\n'
  const numbers = Array.from({ length: 30_000 }, (_, i) => `k${i},${i + 10}\n`)
  const late = `k,code\n${numbers.join('')}x,007\ny,1e3\n`

  await t.test('DuckDB', async () => {
    assert.deepEqual(await guessed('first.csv', first, 'SELECT COLUMNS(*)::VARCHAR FROM'), [
      ['100000.0', '1.2345678901234567e+19', '2001-02-24'],
    ])
    assert.deepEqual(await guessed('dates.csv', dates, 'SELECT day::VARCHAR FROM'), [['2024-02-01'], ['2024-04-03']])
    const sql = "SELECT k, code::VARCHAR FROM (SELECT k, code FROM read_csv('PATH')) WHERE k IN ('x', 'y')"
    assert.deepEqual(await duckdb(sql.replace('PATH', await file('late.csv', late))), [
      ['x', '7'],
      ['y', '1000'],
    ])
  })

  await t.test('Rowmill', async () => {
    const asText = 'SELECT COLUMNS(*)::VARCHAR FROM file'
    const { rows } = await mill(['first.csv', first], { sql: asText })
    assert.deepEqual(rows, [['1e5', '12345678901234567890', '01-02-24']])
    const ambiguous = await mill(['dates.csv', dates], { sql: asText })
    assert.deepEqual(ambiguous.rows, [['01/02/2024'], ['03/04/2024']])
    const { rows: lateRows } = await mill(['late.csv', late], { sql: `${asText} WHERE k IN ('x', 'y') ORDER BY k` })
    assert.deepEqual(lateRows, [
      ['x', '007'],
      ['y', '1e3'],
    ])
  })
})

test('twins in the header are renamed without a word, over the column that has the name', async (t) => {
  const content = 'a,a,a_1\n1,2,3\n'

  await t.test('DuckDB', async () => {
    assert.deepEqual(await guessed('twins.csv', content, 'SELECT a_1, a_1_1 FROM'), [['2', '3']])
    assert.deepEqual(await guessed('case.csv', 'Name,name\n1,2\n', 'SELECT name, name_1 FROM'), [['1', '2']])
  })

  await t.test('Rowmill', async () => {
    const milled = await mill(['twins.csv', content], { sql: 'SELECT a_1 FROM file' })
    assert.deepEqual(milled.rows, [['3']])
    assert.match(milled.report.warnings.map(({ message }) => message).join(), /column 2 \(“a”\) is called “\w+” here/)
    assertTold(await mill(['case.csv', 'Name,name\n1,2\n']))
    const { report } = await mill(['twins.csv', content], { columns: { a: 'string', a_1: 'string' } })
    assert.match(report.error?.message ?? '', /column “a” is there twice/)
  })

  await t.test('Rowmill makes no name that the header has', async () => {
    const { rows } = await mill(['twins.csv', 'a,a,a_2\n1,2,3\n'], { sql: 'SELECT a_2 FROM file' })
    assert.deepEqual(rows, [['3']])
  })
})

test('a column named `__proto__` vanishes from rows that are objects', async (t) => {
  const content = '__proto__,b\n1,2\n'

  await t.test('DuckDB', async () => {
    using database = await openDuckDB()
    const path = await file('proto.csv', content)
    const reader = await database.connection.runAndReadAll(`FROM read_csv('${path}', all_varchar = true)`)
    assert.deepEqual(reader.columnNames(), ['__proto__', 'b'])
    assert.deepEqual(reader.getRowObjectsJson().map(Object.keys), [['b']])
  })

  await t.test('Rowmill', async () => {
    const { header, rows } = await mill(['proto.csv', content])
    assert.deepEqual([header, rows], [['__proto__', 'b'], [['1', '2']]])
    const { text } = await mill(['proto.csv', content], { sql: 'SELECT __proto__ FROM file', format: 'ndjson' })
    assert.match(text, /^\{"__proto__":"?1"?\}\n$/)
    const { rejects } = await mill(['proto.csv', '__proto__,b\n1,2\n3\n4,5\n'])
    assert.deepEqual([rejects[0]?.code, rejects[0]?.raw], ['missing-cell', '3'])
  })
})
