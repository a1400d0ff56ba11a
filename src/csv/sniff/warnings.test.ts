import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { ReaderOptions } from '../../definition.ts'
import { sniff } from '../sniff.ts'

function warningsOf(text: string, given: ReaderOptions = {}) {
  return sniff(Buffer.from(text), { whole: true, given }).warnings
}

/** Of the one warning that there is. */
function messageOf(text: string, code: string, given: ReaderOptions = {}): string {
  const warnings = warningsOf(text, given)
  assert.deepEqual(
    warnings.map((warning) => warning.code),
    [code],
    text,
  )
  return warnings[0]?.message ?? ''
}

suite('spaces beside delimiters', () => {
  test('are told, with the delimiter that would take them in', () => {
    assert.match(
      messageOf('a, b, c\n1, 2, 3\n4, 5, 6\n', 'spaced-cells'),
      /“,” has a space behind it.*--delimiter ', '/,
    )
    assert.match(messageOf('a; b\nx; 5\ny; 6\n', 'spaced-cells'), /--delimiter '; '/)
    assert.match(messageOf('a ,b ,c\nx ,y ,3\nz ,w ,4\n', 'spaced-cells'), /before it.*--delimiter ' ,'/)
    assert.match(messageOf('id | name\n1 | Ann\n2 | Bob\n', 'spaced-cells'), /on both sides.*--delimiter ' \| '/)
    assert.match(messageOf('id\t name\n1\t Ann\n2\t Bob\n', 'spaced-cells'), /every tab.*--delimiter '\\t '/)
    assert.match(messageOf('name ,qty\nbolt ,  1\nnut  , 10\n', 'spaced-cells'), /a space/)
  })

  test('are told when they are read as a part of the delimiter', () => {
    const text = 'a, b\n1, "x, y"\n2, "z"\n'
    const { dialect, columns } = sniff(Buffer.from(text), { whole: true, given: {} })
    assert.deepEqual([dialect.delimiter, columns], [', ', 2])
    assert.match(messageOf(text, 'spaced-cells'), /“, ” as the delimiter.*--delimiter ','/)
  })

  test('are not told where few cells have them, and where the delimiter was given', () => {
    for (const text of ['a,b\nx, y\nz,w\nu,v\n', 'name,note\nAnn, so\nBob,no\n', 'a b\n1 2\n']) {
      assert.ok(!warningsOf(text).some(({ code }) => code === 'spaced-cells'), text)
    }
    assert.deepEqual(warningsOf('a, b\n1, 2\n3, 4\n', { delimiter: ',' }), [])
  })

  test('never make text of a quote that may have been opened behind them', () => {
    const rows = Array.from({ length: 20 }, (_, i) => (i % 4 === 0 ? `${i}, "x, y"` : `${i},x,y`))
    const { dialect } = sniff(Buffer.from(`a,b,c\n${rows.join('\n')}\n`), { whole: true, given: {} })
    assert.equal(dialect.quote, '"')
  })
})

test('typographic quotes are told to be text', () => {
  assert.match(messageOf('“name”;“city”\n“Ann”;“Rome”\n“Bob”;“Oslo”\n', 'quote-guess'), /typographic/)
  assert.deepEqual(warningsOf('title,year\n“Emma”,1815\nPersuasion,1817\n'), [])
})

suite('one column', () => {
  test('of whole lines in quotes is told, with what is in them', () => {
    for (const text of [
      '"id,name,qty"\n"1,Ann,3"\n"2,Bob,4"\n',
      '"id,name,qty"\n"1,""Ann, A"",3"\n"2,""Bob"",4"\n',
      'id,name,qty\n"1,Ann,3"\n"2,Bob,4"\n',
      '"id,name,qty";;\n"1,Ann,3";;\n"2,Bob,4";;\n',
    ]) {
      assert.match(messageOf(text, 'one-column'), /3 cells parted by “,”/)
    }
    for (const text of ['name\n"Doe, Jane"\n"Roe, Ann"\n', '"full name"\n"Jane Doe"\n"Ann Roe"\n']) {
      assert.ok(!warningsOf(text).some(({ message }) => message.includes('in quotes')), text)
    }
  })

  test('of JSON, of fixed widths, and with a delimiter of full width is told', () => {
    assert.match(warningsOf('{"a": 1}\n{"a": 2}\n{"a": 3}\n')[0]?.message ?? '', /JSON object/)
    const fixed = 'ID   NAME      CITY\n1    Ann       Rome\n2    Bob Lee   Oslo\n'
    assert.match(messageOf(fixed, 'one-column'), /fixed widths/)
    assert.match(messageOf('id，name，qty\n1，Ann，3\n2，Bob，4\n', 'one-column'), /number of “，”/)
    for (const text of ['remark\nall  well\nso  so\nquite good\n', 'name\nAnn Lee\nBob Ray\n']) {
      assert.deepEqual(warningsOf(text), [])
    }
  })

  test('that is one line of text may be a message', () => {
    const broken = `id,name,qty\n${'1,"bolt,2\n'.repeat(9)}`
    assert.match(
      warningsOf(broken)
        .map(({ message }) => message)
        .join(),
      /one column, .*number of “,”/,
    )
    assert.match(messageOf('Error: you may not see this report.\n', 'one-column'), /one line of text \(“Error/)
    assert.deepEqual(warningsOf('name\n'), [])
    assert.deepEqual(warningsOf('first name,last name\n'), [])
  })
})

suite('rows that may be no records are told with their lines', () => {
  test('a line that draws the table', () => {
    for (const text of [
      'id|name|qty\n--+----+---\n1|Ann|3\n2|Bob|4\n',
      '|id|name|\n|---|---|\n|1|Ann|\n|2|Bob|\n',
      'id,name\n---,----\n1,Ann\n2,Bob\n',
    ]) {
      assert.match(messageOf(text, 'drawn-table'), /line 2 only draws/)
    }
    assert.deepEqual(warningsOf('id,a,b\n1,-,-\n2,-,--\n3,x,y\n'), [])
  })

  test('a second line of the header', () => {
    assert.match(messageOf('time,speed\ns,m/s\n0.0,1.5\n0.1,1.6\n0.2,1.7\n', 'second-header'), /line 2 .*units/)
    assert.match(messageOf('day;t\n;[°C]\n2024-01-01;5\n2024-01-02;6\n2024-01-03;7\n', 'second-header'), /line 2/)
    assert.deepEqual(warningsOf('id,temp\n1,broken\n2,5.5\n3,6.5\n4,7.5\n'), [])
  })

  test('the header once more, which is the header all the same', () => {
    const text = 'id,name,qty\n1,Ann,3\n2,Bob,4\nid,name,qty\n3,Cid,5\n4,Dee,6\n'
    assert.match(messageOf(text, 'repeated-header'), /line 4 /)
    assert.deepEqual(sniff(Buffer.from(text), { whole: true, given: {} }).header.cells, ['id', 'name', 'qty'])
    assert.match(messageOf('a,n\nx,1\na,n\ny,2\na,n\nz,3\n', 'repeated-header'), /line 3 .*1 more/)
    assert.match(messageOf('"a","n"\nx,1\na,n\ny,2\n', 'repeated-header'), /line 3 /)
  })

  test('a byte-order mark where files were joined', () => {
    const [again, mark] = warningsOf('\ufeffid,name\n1,Ann\n\ufeffid,name\n2,Bob\n'.slice(1))
    assert.deepEqual([again?.code, mark?.code], ['repeated-header', 'byte-order-mark'])
    assert.match(mark?.message ?? '', /line 3 /)
  })

  test('nothing but delimiters', () => {
    assert.match(messageOf('id;name\n1;Ann\n;\n2;Bob\n;\n;\n', 'empty-record'), /line 3, like 2 more/)
    assert.deepEqual(warningsOf('id;name\n1;Ann\n"";\n2;Bob\n'), [])
  })
})

test('lines above the table that only draw it are a preamble, and blank ones are none', () => {
  const box = '+--+----+\n|id|name|\n+--+----+\n|10|Anne|\n|20|Bill|\n+--+----+\n'
  assert.deepEqual(
    warningsOf(box).map(({ code }) => code),
    ['preamble', 'drawn-table'],
  )
  assert.deepEqual(warningsOf('\n\nid,name\n1,Ann\n2,Bob\n'), [])
  // Somebody has said that the table begins there.
  const { header, preamble } = sniff(Buffer.from(box), { whole: true, given: { skipLines: 0 } })
  assert.deepEqual([header.line, preamble.lines], [1, 0])
})

test('what a value is full of that is cut off is told of no row', () => {
  const text = `id,text\n1,a\n2,"${'+---+---+\n\n'.repeat(200_000)}"\n`
  const { warnings, columns } = sniff(Buffer.from(text).subarray(0, 1 << 20), { whole: false, given: {} })
  assert.deepEqual([columns, warnings], [2, []])
})
