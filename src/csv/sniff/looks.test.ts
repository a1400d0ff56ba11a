import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Look, lookOf } from './looks.ts'

/** Cells stand between bars. */
const looks: Readonly<Record<Look, string>> = {
  empty: '|  |-|--|NA|n/a|null|\\N|None|.',
  integer: '0|-12|+7|007|12345678901234567890',
  number:
    "1.5|1,5|-.5|1e5|1.000,50|1,000.50|1'234.50|1 234,56|1\u202f234,56|3,34,06,061|$1,234.50|-12,50 €|(12.50)|12.50-|" +
    'R$ 89,90|350,00 zł|EUR 12.00|₹25,500.00|45.1%|21 °C',
  date:
    '2024-01-31|2024/1/3|20.01.2024|1/15/2024|31.01.24|2018.03.29.|2024-01|2024年1月31日|April 15, 2023|15 April 2023|' +
    '15-Apr-2023|3. Mai 2021|1er janvier 2020|5 de enero de 2024|Jan 2024',
  time: '9:30|12:00:01|12:00:01.5|10:22 AM|06:00:04+01:00',
  datetime:
    '2024-01-01 12:00|2024-01-01T12:00:00Z|31.01.2024 10:22|1/15/2024 11:02:10 PM|2024-01-03 10:11:12 +0100|' +
    '10/Oct/2000:13:55:36 -0700|Mon, 01 Jan 2024 12:00:00 GMT',
  boolean: 'true|FALSE|yes|nein|да',
  email: 'ann@example.com|a.b+c@mail.example.co.uk',
  url: 'https://example.com/a?x=1|www.example.org|s3://bucket/key',
  address: '10.0.0.1|192.168.0.0/16|2001:db8::1|::|fe80::1%eth0|00:1a:2b:3c:4d:5e',
  uuid: '9ff4ed3a-6b00-4130-9aca-2ed897305fd1|d41d8cd98f00b204e9800998ecf8427e',
  phone: '+44 20 7946 0958|(555) 010-9999',
  structure: '{"a": 1}|[1, 2]|POINT (16.3 48.2)|POLYGON((1 2, 3 4, 1 2))|48.2082, 16.3738',
  code: 'A-102|DVD30|file_1.txt|5B7822-M1',
  word: "Ann|first_name|O'Brien|Köln|東京",
  text: 'Main St, 5|two words|a;b|1.2.3 beta|What is 2+2?|12 Monkeys',
}

test('tells what a cell looks like in many ways of writing', () => {
  const wrong = Object.entries(looks).flatMap(([look, cells]) =>
    cells.split('|').flatMap((cell) => (lookOf(cell) === look ? [] : [`${cell}: ${lookOf(cell)}, not ${look}`])),
  )
  assert.deepEqual(wrong, [])
})

test('looks through spaces around', () => {
  assert.equal(lookOf('  12,50 '), 'number')
})
