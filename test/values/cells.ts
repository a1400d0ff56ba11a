/** Cells as a file may hold them, drawn by kind: what is plainly of one type, and what only looks like it. */
import { chance, pick, type Random } from '../../src/cli/random.ts'

export type Draw = (next: Random) => string

/** From the first to the last, both included. */
export function between(first: number, last: number, next: Random): number {
  return first + Math.floor(next() * (last - first + 1))
}

export function shuffled<T>(items: readonly T[], next: Random): T[] {
  return items
    .map((item) => ({ item, place: next() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item)
}

function digits(count: number, next: Random): string {
  return Array.from({ length: count }, () => String(between(0, 9, next))).join('')
}

/** Without a zero before it, unless it is one. */
function whole(most: number, next: Random): string {
  const count = between(1, most, next)
  return `${between(count === 1 ? 0 : 1, 9, next)}${digits(count - 1, next)}`
}

function signed(text: string, next: Random): string {
  return /[1-9]/.test(text) && chance(0.3, next) ? `-${text}` : text
}

const two = (n: number) => String(n).padStart(2, '0')

function day(firstYear: number, lastYear: number, next: Random): string {
  const year = between(firstYear, lastYear, next)
  const month = between(1, 12, next)
  const last = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(chance(0.1, next) ? last : between(1, last, next))}`
}

function date(next: Random): string {
  if (chance(0.1, next)) return pick(['2020-02-29', '1900-02-28', '0002-01-01', '9998-12-31', '1582-10-10'], next)
  return chance(0.2, next) ? day(2, 9998, next) : day(1900, 2100, next)
}

function time(next: Random): string {
  if (chance(0.1, next)) return pick(['00:00:00', '23:59:59', '23:59:59.999999', '00:00:00.000001'], next)
  const fraction = chance(0.5, next) ? '' : `.${digits(between(1, 6, next), next)}`
  return `${two(between(0, 23, next))}:${two(between(0, 59, next))}:${two(between(0, 59, next))}${fraction}`
}

function zone(next: Random): string {
  if (chance(0.5, next)) return 'Z'
  const colon = pick([':', ''], next)
  const minutes = chance(0.3, next) ? '' : `${colon}${pick(['00', '30', '45'], next)}`
  return `${pick(['+', '-'], next)}${two(between(0, 13, next))}${minutes}`
}

const moment = (next: Random) => `${date(next)}${pick(['T', ' '], next)}${time(next)}`

/** What a column is inferred from, and what a column of the type takes. */
export const plain = {
  integer: (next) => signed(whole(chance(0.3, next) ? 18 : 5, next), next),
  decimal: (next) => {
    const [before, behind] = chance(0.3, next) ? [18, 18] : [6, 3]
    return signed(`${whole(before, next)}.${digits(between(1, behind, next), next)}`, next)
  },
  boolean: (next) => pick(['true', 'True', 'TRUE', 'false', 'False', 'FALSE'], next),
  date,
  time,
  datetime: (next) => `${moment(next)}${zone(next)}`,
} as const satisfies Record<string, Draw>

/** What may pass for a number, a date or a truth value, and is text where nobody has declared otherwise. */
export const doubtful = {
  'long integer': (next) =>
    chance(0.5, next)
      ? pick(['9223372036854775807', '-9223372036854775808', '9223372036854775808', '18446744073709551616'], next)
      : signed(`${between(1, 9, next)}${digits(between(18, 37, next), next)}`, next),
  'leading zero': (next) => `${pick(['0', '00', '-0', '+', '+0'], next)}${whole(6, next)}`,
  'negative zero': (next) => pick(['-0', '-0.0', '-0.000', '+0', '00', '0.', '.0'], next),
  'long decimal': (next) => signed(`${whole(28, next)}.${digits(between(1, 10, next), next)}`, next),
  'very long decimal': (next) => signed(`${whole(40, next)}.${digits(between(19, 60, next), next)}`, next),
  exponent: (next) => `${signed(whole(3, next), next)}${pick(['e', 'E'], next)}${pick(['5', '+5', '-5', '400'], next)}`,
  'odd number': (next) =>
    pick(['NaN', 'inf', '-Infinity', '0x1F', '1_000', '1,5', '1 000', '½', '٣', '1.', '.5'], next),
  'odd boolean': (next) => pick(['yes', 'no', 't', 'f', 'T', '1', '0', 'on', 'tRue', ' true'], next),
  'odd date': (next) =>
    pick(['2021-02-29', '2020-2-9', '2020/02/29', '01/02/2024', '0001-01-01', '9999-12-31', '2020-13-01'], next),
  'odd time': (next) => pick(['24:00:00', '3:04:05', '23:59:60', '12:30', '12:00:00.1234567', '12:00:00Z'], next),
  'local datetime': moment,
} as const satisfies Record<string, Draw>

const fragments = [
  ['"', '""', "'", '`', ',', ';', '\t', '|', '\n', '\r\n', '\r', ' ', '  ', '\u00a0', '\u3000'],
  ['\\', '\\\\', '\\N', '\\.', '\\n', '\\t', '\\x41', '\\0', '\\"', 'NULL', 'null', 'NA', '#', '-', '--', '/*'],
  ['😀', '👩‍👩‍👧', 'e\u0301', '\u0301', 'é', 'ﬁ', 'ß', 'İ', 'ı', '日本', 'עברית', '\u202e', '\u200b', '\u00ad'],
  ['\u0001', '\u0004', '\u0007', '\b', '\v', '\f', '\u001a', '\u001b', '\u001b0', '\u001b1', '\u001b5', '\u001f'],
  ['\u007f', '\u0085', '\u2028', '\u2029', '\ufdd0', '\ufeff', '\ufffd', '\ufffe', '\uffff', '\u{10ffff}'],
  ['{1,2}', '{"a":1}', '%s', '$1', '$$', '?', ':a', '@v1', '&amp;', '<b>', '=1+1', 'a', 'Z', '0', '1', 'word'],
].flat()

const nasty: Draw = (next) =>
  Array.from({ length: between(1, chance(0.2, next) ? 12 : 3, next) }, () => pick(fragments, next)).join('')

const word: Draw = (next) => pick(['Ada', 'Grace Hopper', 'Łódź', 'a', 'A', ' lead', 'trail ', 'x-1', 'Nein'], next)

/** A hundred thousand bytes and more. */
const long: Draw = (next) => {
  const text = `${nasty(next)}${word(next)}`
  return text.repeat(Math.ceil(between(65_000, 140_000, next) / Buffer.byteLength(text)))
}

export const texts = { word, nasty, long } as const satisfies Record<string, Draw>

/** Of any kind. */
export const anything: Draw = (next) => {
  const { long: _, ...short } = texts
  return pick(Object.values<Draw>({ ...plain, ...doubtful, ...short }), next)(next)
}
