/** What is told of a file: DuckDB's rejects depend on the question, and its JSON on the reader. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type Folder, temporaryFolder } from '../harness.ts'
import { duckdb, mill, openDuckDB, places, readCsv } from './both.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
})
after(() => folder[Symbol.asyncDispose]())

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = folder.at(name)
  await writeFile(path, content)
  return path
}

const columns = { id: 'string', note: 'string', n: 'integer' }
const letters = { a: 'string', b: 'string', c: 'string' }
const rejected = 'SELECT line::INT, error_type::VARCHAR FROM reject_errors ORDER BY line, column_idx'

test('rejects depend on what is asked', async (t) => {
  const content = 'id,note,n\n1,a,1\n2,b,2\n3\n4,d,4,4\n5,e,x\n'
  const questions = ['SELECT *', 'SELECT id', 'SELECT count(*)', 'SELECT id LIMIT 2'].map((question) =>
    question.replace(/( LIMIT \d)?$/, ' FROM file$1'),
  )

  await t.test('DuckDB', async () => {
    const rows = readCsv(await file('asked.csv', content), columns, { store_rejects: 'true' })
    const found = []
    for (const question of questions) {
      using database = await openDuckDB()
      const answer = await database.rows(question.replace('file', rows))
      found.push([answer.length === 1 ? answer[0]?.[0] : answer.length, (await database.rows(rejected)).length])
    }
    assert.deepEqual(found, [
      [2, 4],
      [3, 3],
      ['3', 3],
      [2, 0],
    ])
  })

  await t.test('Rowmill', async () => {
    for (const sql of questions) {
      const milled = await mill(['asked.csv', content], { columns, sql })
      assert.deepEqual(milled.report.inputs['file'], { records: 5, accepted: 2, rejected: 3, blankLines: 0 })
      assert.deepEqual(places(milled), ['4 missing-cell', '5 extra-cell', '6 type-error'])
      if (sql.includes('count')) assert.deepEqual(milled.rows, [['2']])
    }
  })
})

test('`force_not_null` is applied to other columns than those it names', async (t) => {
  const content = 'a,b,c\n1,,\n'
  const [a, b, c] = ['a', 'b', 'c'].map((name) => `${name} IS NULL AS ${name}`)

  await t.test('DuckDB', async () => {
    const path = await file('empty.csv', content)
    const asked = (name: string, sql: string) =>
      duckdb(`SELECT ${sql} FROM ${readCsv(path, letters, { force_not_null: `['${name}']` })}`)
    assert.deepEqual(await asked('a', `${a}, ${b}, ${c}`), [[false, true, true]])
    assert.deepEqual(await asked('a', `${b}`), [[false]])
    assert.deepEqual(await asked('c', `${a}, ${b}, ${c}`), [[false, true, false]])
    assert.deepEqual(await asked('c', `${b}, ${c}`), [[true, true]])
  })

  await t.test('Rowmill', async () => {
    for (const some of [[a, b, c], [b], [c], [b, c]]) {
      const { rows } = await mill(['empty.csv', content], {
        columns: letters,
        sql: `SELECT ${some.join(', ')} FROM file`,
      })
      assert.deepEqual(rows, [some.map((one) => String(one !== a))])
    }
  })
})

test('the table of rejects has other lines, offsets and bytes than the file', async (t) => {
  const content = 'id,note,n\n1,"a\nb\nc",1\n2,x,y\n\n3,é,4\n4,d\n'
  const damaged = Buffer.concat([
    Buffer.from('id,note,n\n1,é è ü,1\n2,caf'),
    Buffer.of(0xe9),
    Buffer.from(',2\n3,ñ,3\n'),
  ])
  const asked = 'SELECT line::INT, line_byte_position::INT, csv_line FROM reject_errors ORDER BY ALL'
  const load = async (name: string, bytes: string | Uint8Array) => {
    const rows = readCsv(await file(name, bytes), columns, { store_rejects: 'true', parallel: 'false' })
    return await duckdb([`CREATE TABLE t AS FROM ${rows}`, asked])
  }

  await t.test('DuckDB', async () => {
    // The faulty records stand on lines 5 and 8, at offsets 22 and 36.
    assert.deepEqual(await load('places.csv', content), [
      [3, 23, '2,x,y'],
      [6, 37, '4,d'],
    ])
    // The comma behind the byte that is no UTF-8 has gone with it.
    assert.deepEqual(await load('bytes.csv', damaged), [[3, 24, '2,caf??2']])
  })

  await t.test('DuckDB counts errors, not records', async () => {
    const rows = readCsv(await file('twice.csv', 'id,m,n\n1,x,y\n'), { id: 'string', m: 'integer', n: 'integer' })
    const stored = rows.replace(/\)$/, ', store_rejects = true)')
    assert.deepEqual(await duckdb([`CREATE TABLE t AS FROM ${stored}`, rejected]), [
      [2, 'CAST'],
      [2, 'CAST'],
    ])
  })

  await t.test('Rowmill', async () => {
    const { rejects } = await mill(['places.csv', content], { columns })
    assert.deepEqual(
      rejects.map(({ line, byteOffset, record, raw }) => [line, byteOffset, record, raw]),
      [
        [5, 22, 2, '2,x,y'],
        [8, 36, 4, '4,d'],
      ],
    )
    const twice = await mill(['twice.csv', 'id,m,n\n1,x,y\n'], {
      columns: { id: 'string', m: 'integer', n: 'integer' },
    })
    assert.deepEqual(places(twice), ['2 type-error', '2 type-error'])
    assert.partialDeepStrictEqual(twice.report.inputs['file'], { records: 1, rejected: 1 })
  })

  await t.test('Rowmill shows a byte as it stood', async () => {
    const milled = await mill(['bytes.csv', damaged], { columns })
    if (milled.report.error !== null) assert.match(milled.report.error.message, /^bytes\.csv\b/)
    else assert.match(milled.rejects[0]?.raw ?? '', /^2,caf\\xE9,2$/i)
  })
})

test('integers beyond 2^53 are bare numbers in JSON', async (t) => {
  const big = '9007199254740993'

  await t.test('DuckDB', async () => {
    const path = folder.at('big.ndjson')
    await duckdb(`COPY (SELECT ${big} AS n) TO '${path}' (FORMAT json)`)
    const text = await readFile(path, 'utf8')
    assert.equal(text, `{"n":${big}}\n`)
    assert.deepEqual(JSON.parse(text), { n: 9007199254740992 })
  })

  await t.test('Rowmill', async () => {
    const content = `n\n${big}\n-${big}\n9007199254740991\n`
    const { text } = await mill(['big.csv', content], { columns: { n: 'integer' }, format: 'ndjson' })
    assert.equal(text, `{"n":"${big}"}\n{"n":"-${big}"}\n{"n":9007199254740991}\n`)
  })
})
