import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fits, assignInputs } from './match.ts'
import { parsePipeline } from './parse.ts'

function pipeline(inputs: string) {
  const text = `about: x\ninputs: { ${inputs} }\noutputs: { out: { to: results, sql: SELECT 1 } }\n`
  return parsePipeline('p', text, 'p.yaml')
}

const one = pipeline('plays: {}')
const three = pipeline('customers: { match: "*customers*" }, orders: { match: "*orders*" }, extra: {}')

test('a glob fits the whole name', () => {
  for (const [name, glob, expected] of [
    ['2020/01/orders.csv', '*orders*', true],
    ['orders', '*orders*', true],
    ['order', '*orders*', false],
    ['ORDERS.CSV', 'orders.csv', true],
    ['cafe\u0301.csv', 'caf\u00e9.csv', true],
    ['a.csv', '?.csv', true],
    ['😀.csv', '?.csv', true],
    ['ab.csv', '?.csv', false],
    ['orders.csv.bak', '*.csv', false],
    ['aXbXc', 'a*b*c', true],
    ['a.b', 'a+b', false],
    ['', '*', true],
  ] as const) {
    assert.equal(fits(name, glob), expected, `${name} ${glob}`)
  }
})

test('a glob made to backtrack does not', () => {
  assert.equal(fits('a'.repeat(20_000), `${'*a'.repeat(500)}b`), false)
})

test('a pipeline of one input takes every file', () => {
  const files = [{ name: 'a.csv' }, { name: 'b.csv' }]
  assert.deepEqual(assignInputs(one, files), [
    { input: 'plays', file: files[0] },
    { input: 'plays', file: files[1] },
  ])
})

test('of several inputs, the named one comes first and then the one whose glob fits', () => {
  const files = [{ name: 'orders.csv' }, { name: 'customers.csv', input: 'extra' }, { name: 'in/Customers-2.csv' }]
  assert.deepEqual(
    assignInputs(three, files).map(({ input, file }) => [input, file.name]),
    [
      ['orders', 'orders.csv'],
      ['extra', 'customers.csv'],
      ['customers', 'in/Customers-2.csv'],
    ],
  )
})

test('a file that fits no input or two, a wrong input and an input without a file are refused', () => {
  const refused: [{ name: string; input?: string }[], RegExp][] = [
    [[{ name: 'items.csv' }], /items\.csv fits no input: customers \(\*customers\*\)/],
    [[{ name: 'customers-orders.csv' }], /fits several inputs: customers, orders/],
    [[{ name: 'a.csv', input: 'order' }], /no input order\. Did you mean orders\?/],
    [[{ name: 'orders.csv' }, { name: 'x', input: 'extra' }], /Input customers has no file/],
  ]
  for (const [files, message] of refused) {
    assert.throws(() => assignInputs(three, files), { code: 'unprocessable', message })
  }
  assert.throws(() => assignInputs(one, []), { code: 'unprocessable', message: /Input plays has no file/ })
})
