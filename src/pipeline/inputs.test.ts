import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../errors.ts'
import type { InputSpec } from '../definition.ts'
import { locateRule } from './inputs.ts'
import { parsePipeline } from './parse.ts'

function pipelineText(inputs: string): string {
  return `about: x\ninputs:\n${inputs.replaceAll(/^(?=.)/gm, '  ')}\noutputs: { out: { to: results, sql: SELECT 1 } }\n`
}

function read(inputs: string): Readonly<Record<string, InputSpec>> {
  return parsePipeline('p', pipelineText(inputs), 'p.yaml').inputs
}

/** The problems of inputs, as `LINE message`; lines count from the first of the inputs. */
function problems(inputs: string): string[] {
  try {
    read(inputs)
  } catch (error) {
    assert.ok(error instanceof AppError)
    const told = error.details?.['problems'] as { line: number; message: string }[]
    return told.map(({ line, message }) => `${line - 2} ${message.replaceAll('inputs.', '')}`)
  }
  return []
}

const short = `
orders:
  match: "*orders*"
  columns:
    id: { type: integer, unique: true, minimum: 1 }
    price: { type: "decimal(9,2)", decimalChar: ",", groupChar: ".", bareNumber: false, required: true }
    sold: { type: boolean, trueValues: [ja], falseValues: [nein], missingValues: ["?"] }
    at: { type: datetime, format: "%d.%m.%Y %H:%M", enum: ["01.02.2020 03:04"] }
    code: { pattern: "[A-Z]+", minLength: 2, maxLength: 3, format: default }
    customer: any
  timezone: Europe/Berlin
  missingValues: ["", NA]
  primaryKey: [code, at]
  uniqueKeys: [price]
  fieldsMatch: subset
  foreignKeys:
    - { fields: customer, reference: { resource: customers, fields: id } }
    - { fields: [id], reference: { resource: "", fields: [id] } }
customers: { columns: { id: string } }`

const verbatim = `
orders:
  match: "*orders*"
  timezone: Europe/Berlin
  schema:
    $schema: https://datapackage.org/profiles/2.0/tableschema.json
    title: Orders
    fields:
      - name: id
        type: integer
        title: The number
        description: Made by the shop
        example: 5
        rdfType: https://schema.org/orderNumber
        constraints: { unique: true, minimum: 1 }
      - { name: price, type: "decimal(9,2)", decimalChar: ",", groupChar: ".", bareNumber: false, constraints: { required: true } }
      - { name: sold, type: boolean, trueValues: [ja], falseValues: [nein], missingValues: ["?"] }
      - { name: at, type: datetime, format: "%d.%m.%Y %H:%M", constraints: { enum: ["01.02.2020 03:04"] } }
      - { name: code, type: string, constraints: { pattern: "[A-Z]+", minLength: 2, maxLength: 3 } }
      - { name: customer }
    missingValues: [{ value: "", label: nothing }, NA]
    primaryKey: [code, at]
    uniqueKeys: [[price]]
    fieldsMatch: [subset]
    foreignKeys:
      - { fields: [customer], reference: { resource: customers, fields: [id] } }
      - { fields: id, reference: { fields: id } }
customers: { columns: { id: string } }`

test('the short form and a Table Schema are one contract', () => {
  const inputs = read(short)
  assert.deepEqual(read(verbatim), inputs)
  assert.deepEqual(inputs['orders'], {
    match: '*orders*',
    schema: {
      fields: [
        { name: 'id', type: 'integer', missingValues: ['', 'NA'], constraints: { minimum: 1 } },
        {
          name: 'price',
          type: 'decimal(9,2)',
          missingValues: ['', 'NA'],
          decimalChar: ',',
          groupChar: '.',
          bareNumber: false,
          constraints: { required: true },
        },
        {
          name: 'sold',
          type: 'boolean',
          missingValues: ['?'],
          trueValues: ['ja'],
          falseValues: ['nein'],
          constraints: {},
        },
        {
          name: 'at',
          type: 'datetime',
          missingValues: ['', 'NA'],
          format: '%d.%m.%Y %H:%M',
          timezone: 'Europe/Berlin',
          constraints: { enum: ['01.02.2020 03:04'] },
        },
        {
          name: 'code',
          type: 'string',
          missingValues: ['', 'NA'],
          constraints: { minLength: 2, maxLength: 3, pattern: '[A-Z]+' },
        },
        { name: 'customer', type: 'string', missingValues: ['', 'NA'], constraints: {} },
      ],
      fieldsMatch: 'subset',
      primaryKey: ['code', 'at'],
      uniqueKeys: [['price'], ['id']],
      foreignKeys: [
        { fields: ['customer'], reference: { resource: 'customers', fields: ['id'] } },
        { fields: ['id'], reference: { resource: 'orders', fields: ['id'] } },
      ],
    },
  })
})

test('categories are the values allowed', () => {
  const { file } = read(
    `file: { schema: { fields: [{ name: a, categories: [x, { value: y, label: Why }], categoriesOrdered: true }] } }`,
  )
  assert.deepEqual(file?.schema?.fields[0]?.constraints, { enum: ['x', 'y'] })
})

test('what goes wrong in a column is told with its line, in either form', () => {
  assert.deepEqual(
    problems(`
plays:
  columns:
    a: geopoint
    b:
      type: integer
      minimun: 0
    f: { type: integer, maximum: 9007199254740993 }
    g: { missingValues: [-999] }
    h: { maxLength: -1 }
    i: 5
    j: { type: number, groupChar: ".." }
    k: { timezone: Mars }`),
    [
      '4 plays.columns.a is "geopoint", a type of Table Schema that Rowmill does not have; there are string, integer, number, boolean, date, time, datetime or decimal(p,s)',
      '7 plays.columns.b.minimun is not a key here; did you mean minimum?',
      '8 plays.columns.f.maximum is an integer that YAML cannot hold exactly; write it in quotes',
      '9 plays.columns.g.missingValues.0 is -999; write a text, in quotes',
      '10 plays.columns.h.maxLength is below 0; write a whole number',
      '11 plays.columns.i is 5; write a type, or a mapping such as { type: integer, minimum: 0 }',
      '12 plays.columns.j.groupChar is ".."; write one character, in quotes',
      '13 plays.columns.k.timezone is "Mars"; write an IANA zone such as Europe/Berlin or UTC',
    ],
  )
  assert.deepEqual(
    problems(`
plays:
  columns:
    a: { minimum: 0 }
    b: { type: integer, minLength: 0 }
    c: { type: integer, minimum: true }
    d: { type: integer, enum: [1, 2.5] }
    e: { enum: [2020] }
    f: { type: integer, decimalChar: "," }
    g: { type: number, groupChar: "." }
    h: { type: boolean, trueValues: ["0"] }
    i: { timezone: UTC }
    j: { type: number, decimalChar: "5" }
    A: string`),
    [
      '4 plays.columns.a.minimum is for columns of type integer, number, decimal, date, time or datetime, and this one is of type string; take it out',
      '5 plays.columns.b.minLength is for columns of type string, and this one is of type integer; take it out',
      '6 plays.columns.c.minimum is true; write a value of the column’s type, in quotes',
      '7 plays.columns.d.enum.1 is 2.5; write a whole number',
      '8 plays.columns.e.enum.0 is 2020; write a value of the column’s type, in quotes',
      '9 plays.columns.f.decimalChar is for columns of type number or decimal, and this one is of type integer; take it out',
      '10 plays.columns.g.groupChar is the decimalChar as well; change one of them',
      '11 plays.columns.h.trueValues has “0”, which is true and false',
      '12 plays.columns.i.timezone is for columns of type datetime, and this one is of type string; take it out',
      '13 plays.columns.j.decimalChar is part of numbers themselves; write another character',
      '14 plays.columns.A differs from a only in case, which SQL cannot tell apart; rename one of them',
    ],
  )
  assert.deepEqual(
    problems(`
plays:
  schema:
    fields:
      - { name: a, type: year }
      - name: b
        constraints:
          minimun: 0
      - { type: string }`),
    [
      '5 plays.schema.fields.0.type is "year", a type of Table Schema that Rowmill does not have; there are string, integer, number, boolean, date, time, datetime or decimal(p,s)',
      '8 plays.schema.fields.1.constraints.minimun is not a key here; did you mean minimum?',
      '9 plays.schema.fields.2.name is missing; write the name of the column',
    ],
  )
  assert.deepEqual(
    problems(`
plays:
  schema:
    fields:
      - { name: a, type: integer }
      - { name: a }
      - name: b
        constraints:
          required: true
          maximum: "5"`),
    [
      '10 plays.schema.fields.2.constraints.maximum is for columns of type integer, number, decimal, date, time or datetime, and this one is of type string; take it out',
      '6 plays.schema.fields.1 is the second column called a; rename one of them',
    ],
  )
})

test('a format must say all of a value, and nothing by guess', () => {
  for (const [declared, words] of [
    ['{ type: date, format: any }', 'is "any", which would be a guess; write default or a pattern such as "%d.%m.%Y"'],
    ['{ type: date, format: "%d.%m." }', 'is "%d.%m.", which has no year; a date needs it'],
    ['{ type: date, format: "DD.MM.YYYY" }', 'is "DD.MM.YYYY"; write default or a pattern such as "%d.%m.%Y"'],
    ['{ type: date, format: "%d.%m.%Y %H" }', 'is "%d.%m.%Y %H", which has the hour; a date has none'],
    ['{ type: date, format: "%x" }', /^is "%x"; %x is not taken, there are %Y %y/],
    ['{ type: date, format: "%d.%m.%Y%" }', /^is "%d\.%m\.%Y%"; % is not taken/],
    ['{ type: date, format: "%d.%m.%Y %y" }', 'is "%d.%m.%Y %y", which has the year twice; keep one of them'],
    ['{ type: date, format: "%Y-%j-%d" }', 'is "%Y-%j-%d", which has the day twice; keep one of them'],
    ['{ type: time, format: "%I:%M" }', 'is "%I:%M"; %I and %p stand together'],
    ['{ type: time, format: "%H:%I %p" }', 'is "%H:%I %p", which has the hour twice; keep %H or %I with %p'],
    ['{ type: time, format: "%H:%S" }', 'is "%H:%S", which has the second but not the minute'],
    ['{ type: time, format: "%H:%M %z" }', 'is "%H:%M %z", which has the zone; a time has none'],
    ['{ type: datetime, format: "%Y%m%d %H:%M" }', /^is .*, which has no zone; end it in %z or write timezone: UTC/],
    ['{ type: datetime, format: "%z %Y%m%d %H:%M" }', 'is "%z %Y%m%d %H:%M"; %z can only be its end'],
    ['{ type: string, format: emial }', 'is "emial"; did you mean email?'],
    ['{ type: string, format: binary }', 'is "binary"; write email, uri, uuid or default'],
    ['{ type: integer, format: "%d" }', 'is "%d"; a column of type integer has none, take it out'],
  ] as const) {
    const [told = 'accepted', ...others] = problems(`file: { columns: { v: ${declared} } }`)
    assert.deepEqual(others, [], declared)
    const words0 = told.replace(/^\d+ file\.columns\.v\.format /, '')
    if (typeof words === 'string') assert.equal(words0, words)
    else assert.match(words0, words)
  }
  assert.deepEqual(problems('file: { columns: { v: { type: datetime, format: "%d.%m.%Y %I:%M:%S %p %z" } } }'), [])
})

test('keys name columns and inputs that are there', () => {
  assert.deepEqual(
    problems(`
a:
  columns: { id: integer, s: string }
  primaryKey: [id, ids]
  uniqueKeys:
    - [id]
    - t
  foreignKeys:
    - fields: idd
      reference: { resource: b, fields: id }
    - { fields: id, reference: { resource: c, fields: id } }
    - fields: id
      reference: { resource: d, fields: id }
    - { fields: [id, s], reference: { resource: b, fields: id } }
    - { fields: id, reference: { resource: b, fields: name } }
    - { fields: id, reference: { resource: b, fields: nam } }
b:
  schema:
    fields: [{ name: id, type: integer }, { name: name }]
    primaryKey: [x]
d: {}`),
    [
      '4 a.primaryKey names the column ids, which is not declared; did you mean id?',
      '7 a.uniqueKeys.1 names the column t, which is not declared; did you mean s?',
      '9 a.foreignKeys.0.fields names the column idd, which is not declared; did you mean id?',
      '11 a.foreignKeys.1.reference.resource names the input c, which is not declared; did you mean a?',
      '13 a.foreignKeys.2.reference.resource is d, which declares no columns; declare them there',
      '14 a.foreignKeys.3.reference.fields has 1 columns where fields has 2; name one for each',
      '15 a.foreignKeys.4.reference.fields compares id (integer) with name (string); declare them with one type',
      '16 a.foreignKeys.5.reference.fields names the column nam, which is not declared; did you mean name?',
      '20 b.schema.primaryKey names the column x, which is not declared; did you mean id?',
    ],
  )
})

test('inputs that refer to each other in a circle are refused', () => {
  const input = (name: string, other: string) =>
    `${name}:\n  columns: { id: integer, other: integer }\n  foreignKeys:\n    - { fields: other, reference: { resource: ${other}, fields: id } }\n`
  assert.deepEqual(problems(`${input('a', 'b')}${input('b', 'c')}${input('c', 'b')}`), [
    '8 b.foreignKeys.0 leads round in a circle (b → c → b); take one of these keys out',
  ])
  assert.deepEqual(problems(`${input('a', 'b')}${input('b', 'c')}${input('c', 'c')}`), [])
})

test('a contract is written in one form', () => {
  assert.deepEqual(
    problems(`
a:
  columns: { x: string }
  schema: { fields: [{ name: x }] }
  primaryKey: x
b:
  primaryKey: x
  timezone: UTC
c:
  columns: { 2020: integer, x: string }
  fieldsMatch: exact
d:
  schema: { fields: [] }`),
    ['13 d.schema.fields is empty; name at least one field'],
  )
  assert.deepEqual(
    problems(`
a:
  columns: { x: string }
  schema: { fields: [{ name: x }] }
  primaryKey: x
b:
  primaryKey: x
  timezone: UTC
c:
  columns: { 2020: integer, x: string }
  fieldsMatch: exact`),
    [
      '3 a.columns stands beside schema; keep one of them',
      '5 a.primaryKey stands beside schema; write it inside',
      '7 b.primaryKey is for columns that are declared; write columns or schema beside it',
      '8 b.timezone is for columns that are declared; write columns or schema beside it',
      '11 c.fieldsMatch is exact, but the column 2020 has no place in a mapping; list the columns in a schema',
    ],
  )
})

test('the line of a rule is found in either form', () => {
  for (const [inputs, column, key, expected] of [
    [short, 'code', 'pattern', { path: 'inputs.orders.columns.code.pattern', line: 11 }],
    [short, 'at', 'timezone', { path: 'inputs.orders.columns.at.timezone', line: 10 }],
    [verbatim, 'id', 'minimum', { path: 'inputs.orders.schema.fields.0.constraints.minimum', line: 17 }],
    [verbatim, 'at', 'timezone', { path: 'inputs.orders.schema.fields.3.timezone', line: 20 }],
  ] as const) {
    const text = pipelineText(inputs)
    const pipeline = parsePipeline('p', text, 'p.yaml')
    assert.deepEqual(locateRule(text, pipeline, { input: 'orders', column, key }), expected)
  }
})
