import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../errors.ts'
import { parsePipeline } from './parse.ts'
import { locate } from './yaml.ts'

const sound = `about: Totals.
inputs:
  plays:
    columns: { Song: string, 2020: integer, Price: "decimal(18,2)" }
outputs:
  totals: { to: results, sql: FROM plays }
`

/** The problems of a text, as `LINE message`. */
function problems(text: string): string[] {
  try {
    parsePipeline('p', text, 'p.yaml')
  } catch (error) {
    assert.ok(error instanceof AppError)
    assert.equal(error.code, 'unprocessable')
    const told = error.details?.['problems'] as { file: string; line: number; message: string }[]
    assert.equal(error.message, told.map(({ file, line, message }) => `${file}:${line}: ${message}`).join('\n'))
    return told.map(({ line, message }) => `${line} ${message}`)
  }
  return []
}

test('a sound pipeline is read with its defaults, numeric column names included', () => {
  assert.deepEqual(parsePipeline('p', sound, 'p.yaml'), {
    name: 'p',
    about: 'Totals.',
    params: {},
    rejects: 'fail',
    inputs: {
      plays: {
        schema: {
          fields: [
            { name: '2020', type: 'integer', missingValues: [''], constraints: {} },
            { name: 'Song', type: 'string', missingValues: [''], constraints: {} },
            { name: 'Price', type: 'decimal(18,2)', missingValues: [''], constraints: {} },
          ],
          fieldsMatch: 'equal',
          primaryKey: [],
          uniqueKeys: [],
          foreignKeys: [],
        },
      },
    },
    outputs: { totals: { to: 'results', format: 'csv', sql: 'FROM plays' } },
  })
  const metadata = parsePipeline('p', sound.replace('to: results', 'to: metadata'), 'p.yaml')
  assert.partialDeepStrictEqual(metadata.outputs['totals'], { format: 'ndjson' })
  const numbered = parsePipeline('p', sound.replace('2020:', '007:'), 'p.yaml')
  assert.deepEqual(
    numbered.inputs['plays']?.schema?.fields.map(({ name }) => name),
    ['Song', '007', 'Price'],
  )
})

test('every problem is told at once, each with its own line and what to do', () => {
  const text = `abuot: Totals.
rejects: { max: 1.5 }
params:
  day: { type: integer, default: soon }
  Mode: {}
inputs:
  files: {}
  plays:
    columns:
      Song: text
      Price: decimal(39,2)
      price: number
outputs:
  totals:
    to: Results
    formt: csv
    sql: " "
`
  assert.deepEqual(problems(text), [
    '1 about is missing; write a sentence',
    '4 params.day.default is "soon"; give a whole number',
    '5 params.Mode is not a name; write a to z, 0 to 9 and _, a letter first, at most 63 characters',
    '2 rejects.max is 1.5; write a share below 1 or a whole number of rejects',
    '7 inputs.files is a reserved name; choose another',
    '10 inputs.plays.columns.Song is "text"; write string, integer, number, boolean, date, time or datetime or "decimal(18,2)", in quotes and with at most 38 digits',
    '11 inputs.plays.columns.Price is "decimal(39,2)"; write string, integer, number, boolean, date, time or datetime or "decimal(18,2)", in quotes and with at most 38 digits',
    '15 outputs.totals.to is "Results"; write the name of a sink such as results or warehouse',
    '17 outputs.totals.sql is empty; write one SELECT',
    '16 outputs.totals.formt is not a key here; did you mean format?',
    '1 abuot is not a key here; did you mean about?',
  ])
})

test('columns that differ only in case are refused, since SQL could not tell them apart', () => {
  assert.deepEqual(problems(sound.replace('2020:', 'song:')), [
    '4 inputs.plays.columns.song differs from Song only in case, which SQL cannot tell apart; rename one of them',
  ])
})

test('text that is no sound YAML is refused with the line', () => {
  for (const [text, line] of [
    ['', 1],
    ['- a\n- b\n', 1],
    ['about: x\nabout: y\n', 2],
    ['about: x\ninputs: { a: {}\n', 3],
    [sound.replace('Song: string', '__proto__: string'), 4],
    [sound.replace('about: Totals.', 'about: !!js/function Totals.'), 1],
    [`${sound}---\n${sound}`, 7],
    ['about: x\ninputs: *nothing\n', 2],
    [sound.replace('Song: string', 'Song: { missingValues: ["a\\0"] }'), 4],
  ] as const) {
    assert.match(problems(text)[0] ?? 'accepted', new RegExp(`^${line} `), text)
  }
})

test('a YAML bomb and a huge file are refused before they grow', () => {
  const levels = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`)
  assert.match(problems(`a0: &a0 [lol]\n${levels.join('\n')}\n`)[0] ?? '', /too many aliases/)
  assert.match(problems(`about: ${'x'.repeat(1_000_001)}`)[0] ?? '', /more than 1000000 bytes/)
})

test('a line of SQL is found in the file, in a block and on one line', () => {
  const block = 'about: x\noutputs:\n  totals:\n    sql: |\n      SELECT 1\n      FROM plays\n'
  assert.deepEqual(locate(block, ['outputs', 'totals', 'sql']), { line: 5, literal: true, found: true })
  assert.deepEqual(locate(sound, ['outputs', 'totals', 'sql']), { line: 6, literal: false, found: true })
  assert.deepEqual(locate(sound, ['outputs', 'none', 'sql']), { line: 5, literal: false, found: false })
})
