import assert from 'node:assert/strict'
import { test } from 'node:test'
import { playsCsv } from './plays.ts'

function rows(count: number, seed: number, songs?: number): string[][] {
  const text = Buffer.concat([...playsCsv(count, seed, songs)]).toString()
  assert.ok(text.endsWith('\n'))
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','))
}

test('the same numbers give the same file, another seed another one', () => {
  assert.deepEqual(rows(1000, 7), rows(1000, 7))
  assert.notDeepEqual(rows(1000, 7), rows(1000, 8))
  assert.deepEqual(rows(3, 1), [
    ['Song', 'Date', 'Number of Plays'],
    ['Distant City Road', '2020-06-08', '398'],
    ['Midnight Winter Road', '2020-06-21', '387'],
    ['Electric Ocean Fire', '2020-12-19', '165'],
  ])
})

test('plays are spread over 1000 songs, the days of 2020 and 1 to 1000 plays', () => {
  const [header, ...plays] = rows(100_000, 1)
  assert.deepEqual(header, ['Song', 'Date', 'Number of Plays'])
  assert.equal(plays.length, 100_000)
  assert.ok(plays.every((row) => row.length === 3 && /^[A-Za-z ]+$/.test(row[0] ?? '')))
  assert.equal(new Set(plays.map(([song]) => song)).size, 1000)
  const days = new Set(plays.map(([, day]) => day))
  assert.equal(days.size, 365)
  assert.ok([...days].every((day) => day?.startsWith('2020-')))
  const numbers = plays.map(([, , number]) => Number(number))
  assert.equal(Math.min(...new Set(numbers)), 1)
  assert.equal(Math.max(...new Set(numbers)), 1000)
  assert.equal(
    new Set(
      rows(100_000, 1, 2500)
        .slice(1)
        .map(([song]) => song),
    ).size,
    2500,
  )
  assert.deepEqual(rows(0, 1), [['Song', 'Date', 'Number of Plays']])
})
