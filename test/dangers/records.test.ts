/** What a record is: DuckDB's reader invents some and loses others. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type Folder, temporaryFolder } from '../harness.ts'
import { duckdb, mill, places, readCsv, type Settings } from './both.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
})
after(() => folder[Symbol.asyncDispose]())

const columns = { id: 'string', note: 'string', n: 'string' }

async function file(name: string, content: string): Promise<string> {
  const path = folder.at(name)
  await writeFile(path, content)
  return path
}

/** Loads a file as a whole, with rejects on; the answer to a question on its rows and its rejects. */
async function load(path: string, more: Settings, question: string) {
  const rows = readCsv(path, columns, { store_rejects: 'true', ...more })
  return await duckdb([`CREATE TABLE t AS FROM ${rows}`, question])
}

test('quoted lines that look like records become records', async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, k) => `0,inner ${k},7`).join('\n')
  const records = Array.from({ length: 28 }, (_, i) => `${i},"${lines}",1\n`)
  const path = await file('inner.csv', `id,note,n\n${records.join('')}`)

  await t.test('DuckDB, in parallel', async () => {
    const question = `SELECT count(*)::INT, count(*) FILTER (WHERE note SIMILAR TO 'inner \\d+')::INT,
      (SELECT count(*)::INT FROM reject_errors) FROM t`
    assert.deepEqual(await load(path, {}, question), [[1984, 1956, 1]])
    assert.deepEqual(await load(path, { parallel: 'false' }, question), [[28, 0, 0]])
  })

  await t.test('Rowmill', async () => {
    const { rows, rejects } = await mill(path, { columns })
    assert.deepEqual(rejects, [])
    assert.deepEqual(
      rows,
      records.map((_, i) => [String(i), lines, '1']),
    )
  })
})

test('a quote that is never closed swallows the rest of the file', async (t) => {
  const small = 'id,note,n\n1,a,1\n2,b,2\n3,"c,3\n4,d,4\n5,e,5\n'
  const note = (i: number) => (i === 200_001 ? `${i},"open,${i}\n` : `${i},note number ${i},${i}\n`)
  const big = `id,note,n\n${Array.from({ length: 400_000 }, (_, i) => note(i + 1)).join('')}`

  await t.test('DuckDB, not in parallel', async () => {
    const question = 'SELECT list(id), (SELECT count(*)::INT FROM reject_errors) FROM t'
    assert.deepEqual(await load(await file('open.csv', small), { parallel: 'false' }, question), [[['1', '2'], 0]])
  })

  await t.test('DuckDB, in parallel', async () => {
    // It starts anew with the next block of 8 MB or so: 52,525 records are gone, and one reject is told.
    const question = 'SELECT count(*)::INT, (SELECT count(*)::INT FROM reject_errors) FROM t'
    assert.deepEqual(await load(await file('open-big.csv', big), {}, question), [[347_475, 1]])
  })

  await t.test('Rowmill', async () => {
    const milled = await mill(['open.csv', small], { columns })
    assert.equal(places(milled)[0], '4 quote-error')
    if (milled.report.error === null) assertNothingLost(small, milled)
    else assert.match(milled.report.error.message, /open\.csv line 4\b/)
  })

  await t.test('Rowmill reads on where the next record is sound', async () => {
    const milled = await mill(['open.csv', small], { columns })
    assert.deepEqual(
      milled.rows.map(([id]) => id),
      ['1', '2', '4', '5'],
    )
    assert.deepEqual(places(milled), ['4 quote-error'])
    const { report } = await mill(['open-big.csv', big], { columns })
    assert.partialDeepStrictEqual(report.inputs['file'], { records: 400_000, rejected: 1 })
  })
})

/** Every line is a row or part of a reject. */
function assertNothingLost(content: string, { rows, rejects }: Awaited<ReturnType<typeof mill>>): void {
  const taken = new Set(rows.map((row) => row.join(',')))
  const lines = content.split('\n').slice(1, -1)
  assert.deepEqual(
    lines.filter((line) => !taken.has(line) && !rejects.some(({ raw }) => raw.includes(line))),
    [],
  )
}

test('a broken quote in the header leaves no row and no word', async (t) => {
  const content = 'id,"note,n\n1,a,1\n2,b,2\n'

  await t.test('DuckDB', async () => {
    const path = await file('header.csv', content)
    for (const option of [
      { header: 'true' },
      { header: 'false', skip: '1' },
      { header: 'true', null_padding: 'true' },
    ]) {
      const question = 'SELECT (SELECT count(*)::INT FROM t), (SELECT count(*)::INT FROM reject_errors)'
      assert.deepEqual(await load(path, option, question), [[0, 0]])
    }
  })

  await t.test('Rowmill', async () => {
    const { report } = await mill(['header.csv', content], { columns })
    assert.equal(report.error?.code, 'rejected')
    assert.match(report.error.message, /header\.csv line 1\b/)
  })
})

test('a record with an empty cell too many is taken, one column askew', async (t) => {
  // A comma that nobody quoted: the city is “Kiel, Holstein”, and its number is missing.
  const content = 'id,note,n\n1,Rome,1\n2,Kiel, Holstein,\n3,Oslo,3,\n'

  await t.test('DuckDB', async () => {
    const path = await file('askew.csv', content)
    for (const more of [{}, { null_padding: 'true' }, { parallel: 'false' }]) {
      const loaded = await load(path, more, 'SELECT id, note, n, (SELECT count(*)::INT FROM reject_errors) FROM t')
      assert.deepEqual(loaded, [
        ['1', 'Rome', '1', 0],
        ['2', 'Kiel', ' Holstein', 0],
        ['3', 'Oslo', '3', 0],
      ])
    }
  })

  await t.test('Rowmill', async () => {
    const milled = await mill(['askew.csv', content], { columns })
    assert.deepEqual(milled.rows, [['1', 'Rome', '1']])
    assert.deepEqual(places(milled), ['3 extra-cell', '4 extra-cell'])
  })
})

test('blank lines vanish, or become rows', async (t) => {
  const two = 'id,note,n\n1,a,1\n\n\n2,b,2\n\n'
  const one = 'v\n1\n\n""\n\n2\n'

  await t.test('DuckDB', async () => {
    const sentinel = { header: 'false', skip: '1', null_padding: 'true', nullstr: 'chr(1)', store_rejects: 'true' }
    const rows = (path: string, known: Settings) =>
      duckdb(`SELECT * EXCLUDE extra FROM ${readCsv(path, { ...known, extra: 'string' }, sentinel)}`)
    const path = await file('one.csv', one)
    assert.equal((await rows(await file('two.csv', two), columns)).length, 2)
    assert.deepEqual(await rows(path, { v: 'string' }), [['1'], [''], ['2']])
    // And with a single column and nothing more they are rows, not to be told from an empty value.
    assert.deepEqual(await duckdb(`FROM ${readCsv(path, { v: 'string' })}`), [['1'], [null], [null], [null], ['2']])
  })

  await t.test('Rowmill', async () => {
    const wide = await mill(['two.csv', two], { columns })
    assert.deepEqual(wide.report.inputs['file'], { records: 2, accepted: 2, rejected: 0, blankLines: 3 })
    const narrow = await mill(['one.csv', one], { columns: { v: 'string' } })
    assert.deepEqual(narrow.report.inputs['file'], { records: 3, accepted: 3, rejected: 0, blankLines: 2 })
    assert.deepEqual(narrow.rows, [['1'], [''], ['2']])
  })
})

test('a record longer than `max_line_size` is dropped, and sound ones with it', async (t) => {
  const long = 'x'.repeat(2_100_000)
  const content = `id,note,n\n1,a,1\n2,${long},2\n3,c,3\n`

  await t.test('DuckDB', async () => {
    const path = await file('long.csv', content)
    const ids = (more: Settings) => duckdb(`SELECT id FROM ${readCsv(path, columns, more)}`)
    await assert.rejects(ids({}), /Maximum line size of 2000000 bytes exceeded/)
    assert.deepEqual(await ids({ ignore_errors: 'true' }), [['1'], ['3']])
    assert.deepEqual(await ids({ max_line_size: '3000000' }), [['1'], ['2'], ['3']])
  })

  await t.test('DuckDB, with a buffer_size', async () => {
    // 98 records that are short enough go as well, and not even the long one is a reject.
    const short = Array.from({ length: 5000 }, (_, i) => `${i + 1},${'y'.repeat(98)},1\n`)
    const path = await file('buffer.csv', `id,note,n\n${short.join('')}5001,${'x'.repeat(2998)},1\n5002,c,1\n`)
    const question = 'SELECT count(*)::INT, (SELECT count(*)::INT FROM reject_errors) FROM t'
    assert.deepEqual(await load(path, { max_line_size: '500', buffer_size: '5000' }, question), [[4903, 0]])
    assert.deepEqual(await load(path, { max_line_size: '500' }, question), [[5001, 1]])
  })

  await t.test('Rowmill', async () => {
    const { rows } = await mill(['long.csv', content], { columns })
    assert.deepEqual(rows, [
      ['1', 'a', '1'],
      ['2', long, '2'],
      ['3', 'c', '3'],
    ])
  })
})
