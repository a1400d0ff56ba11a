import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkParams } from './params.ts'
import { parsePipeline } from './parse.ts'

const pipeline = parsePipeline(
  'load',
  `about: x
params:
  table: { required: true }
  mode: { enum: [append, replace], default: append }
  key: { type: array }
  top: { type: integer }
  share: { type: number }
  dry: { type: boolean }
inputs: { file: {} }
outputs: { rows: { to: results, sql: FROM file } }
`,
  'load.yaml',
)

test('text is read by the declared type, and defaults fill what was not given', () => {
  assert.deepEqual(checkParams(pipeline, { table: '7', key: 'a,b', top: '-12', share: '.5', dry: 'true' }), {
    table: '7',
    mode: 'append',
    key: ['a', 'b'],
    top: -12,
    share: 0.5,
    dry: true,
  })
  assert.deepEqual(checkParams(pipeline, { table: 't', key: ['a', 'b,c'] }).key, ['a', 'b,c'])
  assert.deepEqual(checkParams(pipeline, { table: 't', key: '' }).key, [])
})

test('values from JSON are taken as they are', () => {
  assert.deepEqual(checkParams(pipeline, { table: 't', top: 5, share: 0.25, dry: false, key: [] }), {
    table: 't',
    mode: 'append',
    key: [],
    top: 5,
    share: 0.25,
    dry: false,
  })
})

test('everything that does not fit is told at once', () => {
  const given = {
    taple: 't',
    mode: 'upsert',
    top: '9007199254740993',
    share: '',
    dry: 'yes',
    key: [1],
    constructor: 'x',
  }
  assert.throws(() => checkParams(pipeline, given), {
    code: 'unprocessable',
    message: `Pipeline load has no param taple. Did you mean table?
Pipeline load has no param constructor. It takes table, mode, key, top, share, dry.
Param table is missing; pipeline load needs it.
Param mode is upsert; give append or replace.
Param key is [1]; give a list of texts.
Param top is "9007199254740993"; give a whole number.
Param share is ""; give a number.
Param dry is "yes"; give true or false.`,
  })
  assert.throws(() => checkParams(pipeline, { table: ['a', 'b'] }), {
    message: 'Param table is ["a","b"]; give a text.',
  })
})
