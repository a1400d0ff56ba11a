import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { runs } from '../../../test/runs.ts'
import { columnEvidence } from '../evidence.ts'
import { shapeOf, shapes } from '../shapes.ts'
import { Kernel } from './kernel.ts'

suite('the kernel', () => {
  test('was compiled from this source', async () => {
    const digest = createHash('sha256')
    for (const name of ['kernel', 'shape', 'write'])
      digest.update(await readFile(new URL(`assembly/${name}.ts`, import.meta.url)))
    const noted = await readFile(new URL('kernel.source', import.meta.url), 'utf8')
    assert.equal(digest.digest('hex'), noted.trim(), 'run scripts/kernel.sh')
  })

  test('tells shapes as shapes.ts does', async () => {
    const kernel = await Kernel.load()
    const number = fc.integer({ min: -1e6, max: 1e6 }).map(String)
    const digits = fc.stringMatching(/^-?[0-9]{1,20}$/)
    const two = fc.stringMatching(/^[0-9]{2}$/)
    const day = fc.tuple(fc.stringMatching(/^[0-9]{4}$/), two, two).map((parts) => parts.join('-'))
    const clock = fc.stringMatching(/^[0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,7})?)?$/)
    const zone = fc.constantFrom('', 'Z', '+01', '+01:30', '-0800', '+15', '+14:59', '+1', '+01:')
    const moment = fc.tuple(day, fc.constantFrom('T', ' ', '_'), clock, zone).map((parts) => parts.join(''))
    const typical = fc.oneof(
      number,
      digits,
      day,
      clock,
      moment,
      fc
        .tuple(digits, fc.constantFrom('.', ',', 'e', 'E-', 'e+', '/', '-'), fc.stringMatching(/^[0-9]{1,20}$/))
        .map((parts) => parts.join('')),
      fc.stringMatching(/^[0-9]{1,4}[/.-][0-9]{1,3}[/.-][0-9]{1,5}$/),
      fc.constantFrom(
        'true',
        'True',
        'TRUE',
        'false',
        'False',
        'FALSE',
        'tRue',
        'fals',
        'falsey',
        '2024-02-29',
        '2023-02-29',
        '2000-02-29',
        '1900-02-29',
        '0001-01-01',
        '9999-12-31',
        '2024-04-31',
      ),
    )
    const bent = fc
      .tuple(typical, fc.nat(), fc.constantFrom('', '-', '.', '0', ' ', 'x', ':', '9'))
      .map(([text, at, mark]) => {
        const place = at % (text.length + 1)
        return text.slice(0, place) + mark + text.slice(place)
      })
    // Each on a line of its own, so that the first cell decides nothing but itself.
    kernel.configure({
      columns: 1,
      dialect: { delimiter: '\u001f', quote: null, escape: null, comment: null },
      output: 'nothing',
      shapes: true,
    })
    fc.assert(
      fc.property(fc.array(fc.oneof(typical, bent), { minLength: 1, maxLength: 20 }), (cells) => {
        kernel.reset()
        const length = kernel.input.write(`${cells.join('\n')}\n`)
        assert.equal(kernel.run(length), 'ended')
        const { counts } = columnEvidence(kernel.evidence, 0)
        const expected = Object.fromEntries(shapes.map((shape) => [shape, 0]))
        for (const cell of cells) expected[shapeOf(cell)] = (expected[shapeOf(cell)] ?? 0) + 1
        assert.deepEqual(counts, expected)
      }),
      runs(3000),
    )
  })
})
