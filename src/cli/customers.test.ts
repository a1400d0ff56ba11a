import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parse } from 'csv-parse/sync'
import { type Customers, customersCsv, type Flaw, flawNames, flawOf } from './customers.ts'

const header = 'id,first_name,last_name,email,city,signed_up,amount\n'

function textOf(customers: Customers): string {
  return Buffer.concat([...customersCsv(customers)]).toString()
}

/** Without the header; a record may have any number of cells. */
function recordsOf(customers: Customers): string[][] {
  const text = textOf(customers)
  assert.ok(text.startsWith(header))
  return parse(text, { relax_column_count: true, from: 2 })
}

test('the same numbers give the same bytes, another seed others', () => {
  assert.equal(textOf({ rows: 1000, seed: 7, bad: 0.1 }), textOf({ rows: 1000, seed: 7, bad: 0.1 }))
  for (const seed of [8, 2 ** 32 + 7]) assert.notEqual(textOf({ rows: 1000, seed: 7 }), textOf({ rows: 1000, seed }))
  assert.equal(textOf({ rows: 0, seed: 1 }), header)
  assert.equal(
    textOf({ rows: 3, seed: 1 }),
    `${header}1,Åsa,Åberg,aaberg1@example.com,Osaka,2019-08-06,82561.37
2,Ümit,Björk,ubjork2@example.com,Paris,2018-01-02,62443.07
3,Tomáš,O'Brien,tobrien3@example.com,Lima,2024-01-08,47702.21
`,
  )
})

test('the parts, one behind the other, are the whole, and as equal as can be', () => {
  for (const [rows, parts] of [
    [40_000, 3],
    [1000, 7],
    [2, 5],
    [9, 1],
  ] as const) {
    const whole = { rows, seed: 1, bad: 0.1 }
    const counts: number[] = []
    const records = Array.from({ length: parts }, (_, i) => {
      counts.push(recordsOf({ ...whole, part: i + 1, parts }).length)
      return textOf({ ...whole, part: i + 1, parts }).slice(header.length)
    })
    assert.equal(header + records.join(''), textOf(whole))
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join())
  }
})

test('progress has the records of the parts before', () => {
  const told: number[] = []
  for (const part of [1, 2]) {
    for (const chunk of customersCsv({ rows: 60_000, seed: 1, part, parts: 2 }, (rows) => told.push(rows)))
      assert.ok(chunk.length > 0)
  }
  assert.ok(told.length > 2)
  assert.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  )
  assert.ok((told[0] ?? 0) < 30_000 && (told.at(-1) ?? 0) > 30_000)
})

suite('sound customers', () => {
  const rows = 40_000
  const text = textOf({ rows, seed: 1 })
  const records: string[][] = parse(text, { from: 2 })

  /** Of a thousand records. */
  function hold(least: number, most: number, has: (cells: readonly string[]) => boolean): void {
    const count = (records.filter(has).length / rows) * 1000
    assert.ok(count >= least && count <= most, `${count} is not from ${least} to ${most}`)
  }

  test('have seven cells with what belongs there', () => {
    assert.equal(records.length, rows)
    assert.equal(Math.round(Buffer.byteLength(text) / rows / 10), 7)
    for (const [i, cells] of records.entries()) {
      const [id, first, last, email = '', city, day = '', amount = ''] = cells
      assert.equal(cells.length, 7)
      assert.equal(id, String(i + 1))
      assert.ok(first && last && city)
      const [, number] = /^[a-z]{3,}(\d+)@example\.com$/.exec(email) ?? []
      assert.equal(number, id)
      assert.equal(new Date(day).toISOString().slice(0, 10), day)
      assert.match(amount, /^(-?[1-9]\d{0,4}\.\d\d)?$/)
    }
    assert.equal(new Set(records.map(([, , , email]) => email)).size, rows)
  })

  test('are in quotes only where they must be, and are read as they were meant', () => {
    const quoted = (cell: string) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
    const written = records.map((cells) => `${cells.map(quoted).join(',')}\n`)
    assert.equal(header + written.join(''), text)
  })

  test('have commas, quotes and line breaks in them, each more seldom than the one before', () => {
    hold(50, 100, (cells) => cells.some((cell) => cell.includes(',')))
    hold(1, 4, (cells) => cells.some((cell) => cell.includes('"')))
    hold(0.1, 0.3, (cells) => cells.some((cell) => cell.includes('\n')))
    const cells = new Set(records.flat())
    for (const one of ['King, Jr.', 'Springfield, North', 'Ann "Annie"', 'Paris\nCedex 08', 'Mia 🌸', '王', 'Łódź'])
      assert.ok(cells.has(one), one)
  })

  test('have amounts that are sometimes empty and sometimes negative', () => {
    hold(40, 60, (cells) => cells[6] === '')
    hold(40, 60, (cells) => cells[6]?.startsWith('-') === true)
  })

  test('have addresses in plain letters, from their names', () => {
    const addresses = new Map(
      records.flatMap(([, first = '', last = '', email = '']) => [
        [first, email.slice(0, 1)] as const,
        [last, email.slice(1).replace(/\d.*/, '')] as const,
      ]),
    )
    for (const [name, letters] of Object.entries({
      Ana: 'a',
      Łukasz: 'l',
      Ümit: 'u',
      さくら: 's',
      伟: 'w',
      'Robert "Bob"': 'r',
      "O'Brien": 'obrien',
      'King, Jr.': 'kingjr',
      Sørensen: 'sorensen',
      Weiß: 'weiss',
      Yılmaz: 'yilmaz',
      Dvořák: 'dvorak',
      김: 'kim',
    }))
      assert.equal(addresses.get(name), letters, name)
  })
})

suite('bad customers', () => {
  const rows = 40_000
  const ids = Array.from({ length: rows }, (_, i) => i + 1)

  test('are those that are told, in the way that is told; the others stay what they are', () => {
    const [some, none] = [recordsOf({ rows, seed: 1, bad: 0.05 }), recordsOf({ rows, seed: 1 })]
    assert.equal(some.length, rows)
    for (const [i, cells] of some.entries()) {
      const flaw = flawOf(i + 1, { seed: 1, bad: 0.05 })
      assert.equal(seenFlaw(cells), flaw, cells.join())
      if (flaw === undefined) assert.deepEqual(cells, none[i])
    }
  })

  test('are as many as asked for, and of every kind', () => {
    for (const bad of [0, 0.001, 0.05, 1]) {
      const found = ids.map((id) => flawOf(id, { seed: 1, bad })).filter((flaw) => flaw !== undefined)
      const expected = rows * bad
      assert.ok(Math.abs(found.length - expected) <= 4 * Math.sqrt(expected * (1 - bad)), `${found.length} of ${bad}`)
      if (bad === 0) continue
      for (const name of flawNames) {
        const count = found.filter((flaw) => flaw === name).length
        const fair = found.length / flawNames.length
        assert.ok(Math.abs(count - fair) <= 4 * Math.sqrt(fair), `${name}: ${count} of ${found.length}`)
      }
    }
  })

  test('are others with another seed, and still bad when the share grows', () => {
    const badOnes = (seed: number, bad: number) => ids.filter((id) => flawOf(id, { seed, bad }) !== undefined)
    const few = badOnes(1, 0.01)
    assert.notDeepEqual(badOnes(2, 0.01), few)
    const many = new Set(badOnes(1, 0.1))
    assert.ok(few.every((id) => many.has(id)))
  })
})

/** What is wrong with a record, from its cells alone. */
function seenFlaw(cells: readonly string[]): Flaw | undefined {
  const [id, , , , , day = '', amount = '', more] = cells
  if (cells.length === 6) return 'missing-cell'
  if (cells.length === 8) return more === 'EUR' ? 'extra-cell' : 'decimal-comma'
  if (id === '') return 'no-id'
  if (day === '2023-02-30') return 'no-such-day'
  if (day === 'n/a') return 'no-date'
  return amount === 'abc' ? 'no-number' : undefined
}
