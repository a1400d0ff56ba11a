import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReaderOptions } from '../definition.ts'
import { parsePipeline } from './parse.ts'
import { readerProblems, refuseConflicts } from './reader.ts'

/** Each with the option that is told and why. */
const impossible: readonly (readonly [given: ReaderOptions, option: string, why: RegExp])[] = [
  [{ delimiter: '' }, 'delimiter', /empty/],
  [{ delimiter: '\n' }, 'delimiter', /line end/],
  [{ delimiter: ';\r' }, 'delimiter', /line end/],
  [{ delimiter: '\0' }, 'delimiter', /NUL/],
  [{ delimiter: ',,,,,' }, 'delimiter', /longer than 4/],
  [{ delimiter: '"' }, 'delimiter', /quote/],
  [{ delimiter: ';', quote: ';' }, 'delimiter', /quote/],
  [{ delimiter: "';'", quote: "'" }, 'delimiter', /quote/],
  [{ quote: 'ab' }, 'quote', /not one ASCII character/],
  [{ quote: '\n' }, 'quote', /line end/],
  [{ quote: '“' }, 'quote', /not one ASCII character/],
  [{ escape: '\\\\' }, 'escape', /not one ASCII character/],
  [{ escape: '\r' }, 'escape', /line end/],
  [{ escape: ';', delimiter: ';' }, 'escape', /delimiter/],
  [{ escape: '\\', quote: '' }, 'escape', /no/],
  [{ comment: '//' }, 'comment', /not one ASCII character/],
  [{ comment: '\n' }, 'comment', /line end/],
  [{ comment: '"' }, 'comment', /quote/],
  [{ comment: "'", quote: "'" }, 'comment', /quote/],
  [{ comment: '#', delimiter: '#' }, 'comment', /delimiter/],
  [{ comment: '#', delimiter: '#|' }, 'comment', /delimiter/],
  [{ encoding: '' }, 'encoding', /empty/],
  [{ skipLines: -1 }, 'skipLines', /less than 0/],
]

test('options that cannot be are told by their name, with the reason', () => {
  for (const [given, option, why] of impossible) {
    const [problem, ...others] = readerProblems(given)
    assert.deepEqual([problem?.option, others], [option, []], JSON.stringify(given))
    assert.match(problem?.message ?? '', why)
  }
})

test('options that can be are taken', () => {
  for (const given of [
    {},
    { delimiter: '"', quote: '' },
    { delimiter: '"', quote: "'" },
    { delimiter: '||', quote: '', escape: '', comment: '' },
    { delimiter: '😀😀😀', escape: '\\' },
    { quote: "'", escape: "'", comment: '#', header: false, skipLines: 3, encoding: 'latin1' },
    { comment: '|', delimiter: ' | ' },
  ]) {
    assert.deepEqual(readerProblems(given), [], JSON.stringify(given))
  }
})

function pipelineWith(reader: string) {
  return parsePipeline(
    'p',
    `about: x\ninputs:\n  in:\n    reader: ${reader}\noutputs: { o: { to: results, sql: FROM in } }\n`,
    'p.yaml',
  )
}

test('a pipeline that asks for what cannot be is refused with its line', () => {
  for (const [given, option] of impossible) {
    assert.throws(() => pipelineWith(JSON.stringify(given)), {
      code: 'unprocessable',
      // No text of a pipeline may have a NUL.
      message: new RegExp(`^p.yaml:4: (inputs.in.reader.${option} |a text has a NUL)`),
    })
  }
})

test('what a pipeline and params say is checked together', () => {
  const pipeline = pipelineWith(`{ quote: ";" }`)
  assert.doesNotThrow(() => refuseConflicts(pipeline, { 'reader.delimiter': '|', day: ';' }))
  assert.throws(() => refuseConflicts(pipeline, { 'reader.delimiter': ';' }), {
    code: 'unprocessable',
    message: 'Input in: reader.delimiter has the quote in it (;); change one of them, or give "" as the quote.',
  })
})
