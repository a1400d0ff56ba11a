import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Load, load, targetOf } from '../../../test/mysql-fixture.ts'
import { openPostgres } from '../../../test/postgres-fixture.ts'
import { missing } from '../../../test/servers.ts'
import { fieldOf } from './types.ts'

const skip = missing('postgres')

const one = (value: string): Load => ({ task: 'A', columns: { value: 'string' }, rows: [[value]] })

test('PostgreSQL: columns are read as what they are', () => {
  const typeOf = (type: string) => fieldOf({ type, labels: null, isRequired: false })?.type
  for (const [type, ours] of [
    ['time without time zone', 'time'],
    ['time(3) without time zone', 'time'],
    ['timestamp without time zone', 'datetime'],
    ['timestamp(0) without time zone', 'datetime'],
    ['timestamp(3) with time zone', 'datetime'],
    ['numeric(38,10)', 'decimal(38,10)'],
    ['numeric(39,10)', undefined],
    ['numeric(3,-2)', undefined],
    ['numeric(3,5)', undefined],
    ['interval', undefined],
    ['interval(3)', undefined],
    ['json', undefined],
    ['bigint[]', undefined],
  ] as const) {
    assert.equal(typeOf(type), ours, type)
  }
})

/** Types, what they take as it is, and what they would round or cut in silence. */
const kinds = [
  ['timestamp(3)', ['2024-02-29 10:00:00.123', '2024-02-29 10:00:00.120000'], ['2024-02-29 10:00:00.0005']],
  ['timestamptz(0)', ['2024-02-29 10:00:00+00', '2024-02-29 10:00:00.000+02'], ['2024-02-29 10:00:00.5+00']],
  ['time(1)', ['10:00:00.5'], ['10:00:00.55']],
  ['timetz', ['10:00:00.123456+02'], ['10:00:00.1234567+02']],
  ['interval', ['1 day 02:03:04.5', 'P1DT2H'], ['00:00:00.0000001']],
  ['interval(2)', ['00:00:01.25'], ['00:00:01.255']],
  ['numeric(50,2)', ['1.2', '1.250', '-7', '125e-2', '1e3', 'NaN'], ['1.255', '1e-3', '-0.001']],
  ['numeric(3,-2)', ['1200', '0', '12e2'], ['1250', '1']],
  ['numeric(3,5)', ['0.00123'], ['0.000001']],
  ['precise', ['1.5'], ['1.55']],
  ['name', ['a'.repeat(63), 'é'.repeat(31)], ['a'.repeat(64), 'é'.repeat(32)]],
  ['"char"', ['a'], ['ab']],
] as const

suite('PostgreSQL rounds and cuts nothing in silence', { skip }, () => {
  for (const [type, good, bad] of kinds) {
    test(`in a column of ${type}`, async () => {
      await using database = await openPostgres()
      await database.run(`CREATE DOMAIN rough AS numeric(40,1); CREATE DOMAIN precise AS rough NOT NULL`)
      await database.run(`CREATE TABLE people (value ${type})`)
      const [column] = (await database.sink.check(targetOf({}))) ?? []
      assert.equal(column?.isComputed, false)
      assert.equal(column.absent, type === 'precise' ? 'refused' : 'null')
      let n = 0
      for (const value of good) {
        await load(database.sink, { ...one(value), task: `A${n++}` })
        const [[isSame] = []] = await database.rows(`SELECT bool_or(value = '${value}'::${type}) FROM people`)
        assert.equal(isSame, 't', value)
      }
      for (const value of bad) {
        await assert.rejects(load(database.sink, { ...one(value), task: `A${n++}` }), {
          code: 'unprocessable',
          message: /for the column “value”, which keeps -?\d+ (digits|decimals|bytes).*Nothing was loaded/,
        })
      }
      assert.equal((await database.rows('SELECT * FROM people')).length, good.length)
    })
  }

  test('whichever way the rows go in', async () => {
    await using database = await openPostgres(2)
    await database.run('CREATE TABLE people (id int PRIMARY KEY, value timestamp(0))')
    const rows = [
      ['1', '2024-02-29 10:00:00'],
      ['2', '2024-02-29 10:00:00.5'],
    ]
    for (const [n, mode] of (['append', 'replace', 'upsert'] as const).entries()) {
      const target = { mode, key: mode === 'upsert' ? ['id'] : [] }
      const columns = { id: 'integer', value: 'datetime' } as const
      await assert.rejects(
        load(database.sink, { task: `A${n}`, target, columns, rows }),
        /Row 2 has “2024-02-29 10:00:00.5”/,
      )
    }
    assert.deepEqual(await database.rows('SELECT * FROM people'), [])
  })
})

test('PostgreSQL: what it does not know as a type of ours is the database’s to judge', { skip }, async () => {
  await using database = await openPostgres()
  await database.run('CREATE TABLE people (span interval, address inet, list int[], doc jsonb, raw bytea)')
  const columns = await database.sink.check(targetOf({}))
  assert.deepEqual(
    columns?.map(({ field, isComputed }) => [field, isComputed]),
    Array.from({ length: 5 }, () => [null, false]),
  )
  const good: Load = {
    task: 'A',
    columns: { span: 'string', address: 'string', list: 'string', doc: 'string', raw: 'string' },
    rows: [['1 day', '10.0.0.1', '{1,2}', '{"a":1}', 'abc']],
  }
  await load(database.sink, good)
  const bad = { ...good, task: 'B', rows: [['soon', '10.0.0.1', '{}', '{}', '']] }
  await assert.rejects(load(database.sink, bad), {
    code: 'unprocessable',
    message: /invalid input syntax for type interval: "soon".*line 1, column span/,
  })
})
