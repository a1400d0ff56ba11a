import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Dialect, standardDialect } from './dialect.ts'
import { Machine } from './machine.ts'

/** Each outcome, with the cells of records. */
function outcomes(text: string, dialect: Partial<Dialect> = {}, last = true): unknown[] {
  const machine = new Machine({ ...standardDialect, ...dialect })
  const bytes = Buffer.from(text)
  const found: unknown[] = []
  for (let at = 0; at < bytes.length; at = machine.end) {
    const outcome = machine.next(bytes, at, bytes.length, last)
    found.push(outcome === 'record' ? machine.cells(bytes) : outcome)
    if (outcome === 'more' || outcome.includes('quote')) break
  }
  return found
}

suite('Machine', () => {
  const cases: readonly (readonly [what: string, text: string, dialect: Partial<Dialect>, expected: unknown[]])[] = [
    ['every kind of line end ends a record', 'a\nb\r\nc\rd', {}, [['a'], ['b'], ['c'], ['d']]],
    ['and within quotes is text', '"a\nb\r\nc\rd"\n', {}, [['a\nb\r\nc\rd']]],
    ['a blank line is no record, and a quoted nothing is one', 'a\n\n""\n', {}, [['a'], 'blank', ['']]],
    [
      'a delimiter at the end begins a cell',
      'a,\n,\n',
      {},
      [
        ['a', ''],
        ['', ''],
      ],
    ],
    ['spaces are part of a value', ' a , b\n', {}, [[' a ', ' b']]],
    ['but may not stand around quotes', ' "a"\n', {}, ['bare-quote']],
    ['nor text behind them', '"a" ,b\n', {}, ['text-after-quote']],
    ['a quote never closed reaches to the end', 'a,"b\nc\n', {}, ['open-quote']],
    ['a doubled quote is one', '"a""b","""",""""""\n', {}, [['a"b', '"', '""']]],
    ['a backslash is text unless it escapes', '"a\\",b\n', {}, [['a\\', 'b']]],
    ['an escaped quote is one', '"a\\"b","c\\\\"\n', { escape: '\\' }, [['a"b', 'c\\']]],
    ['an escape before anything else is text', '"C:\\dir"\n', { escape: '\\' }, [['C:\\dir']]],
    ['an escaped delimiter is text, quotes or not', 'a\\,b,c\n', { escape: '\\' }, [['a,b', 'c']]],
    ['without a quote, quotes are text', '5" pipe,"x\n', { quote: null, escape: null }, [['5" pipe', '"x']]],
    ['a delimiter may be long', 'a||b|c||"d||e"\n', { delimiter: '||' }, [['a', 'b|c', 'd||e']]],
    ['and escaped is text as a whole', 'a\\§b§c\n', { delimiter: '§', escape: '\\' }, [['a§b', 'c']]],
    ['or of several bytes', 'a§bÂ§c\n', { delimiter: '§' }, [['a', 'bÂ', 'c']]],
    ['# begins a comment only when that is said', '#a\nb\n', {}, [['#a'], ['b']]],
    ['and then only at the beginning of a line', '#a,"\nb #c\n', { comment: '#' }, ['comment', ['b #c']]],
  ]
  for (const [what, text, dialect, expected] of cases) {
    test(what, () => assert.deepEqual(outcomes(text, dialect), expected))
  }

  test('asks for more until a record is whole', () => {
    for (const part of ['a', 'a,b', 'a\r', '"a', '"a"', '"a""', 'a|', '#']) {
      assert.deepEqual(outcomes(part, { delimiter: part === 'a|' ? '||' : ',', comment: '#' }, false), ['more'], part)
    }
  })

  test('counts lines and tells places', () => {
    const machine = new Machine(standardDialect)
    const bytes = Buffer.from('"a\nb\r\nc",2\r\nrest')
    assert.equal(machine.next(bytes, 0, bytes.length, true), 'record')
    assert.deepEqual([machine.lines, machine.textEnd, machine.end], [3, 10, 12])
    assert.deepEqual([machine.starts[0], machine.ends[0]], [1, 7])
  })
})
