/**
 * What a cell looks like: the evidence from which a column's type is told. Every cell has exactly one shape. A shape is
 * only what reads as one value and writes back as the same text, but for what docs/reader.md says (`True` is `true`), so
 * that a type taken from shapes changes no value.
 *
 * The kernel tells shapes by the same rules, many bytes at a time; these are the rules.
 */

/** In the order of the kernel's numbers. */
export const shapes = [
  'empty',
  'quoted-empty',
  'integer',
  'decimal',
  'boolean',
  'date',
  'time',
  'datetime',
  /** The rest is text, whatever it may look like; these kinds of it are worth a word. */
  'leading-zero',
  'long-integer',
  'exponent',
  'decimal-comma',
  'local-date',
  'local-datetime',
  'text',
] as const
export type Shape = (typeof shapes)[number]

/** Those of cells that hold something. */
export const filledShapes: readonly Shape[] = shapes.filter((shape) => shape !== 'empty' && shape !== 'quoted-empty')

/** A longer cell is text. */
export const longestShaped = 40

const hour = '([01][0-9]|2[0-3])'
const clock = `${hour}:[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?`
const day = '[0-9]{4}-[0-9]{2}-[0-9]{2}'

const patterns: readonly (readonly [shape: Shape, pattern: RegExp])[] = [
  ['integer', /^(0|-?[1-9][0-9]{0,17})$/],
  ['decimal', /^(?!-0[.]0+$)-?(0|[1-9][0-9]{0,17})[.][0-9]{1,18}$/],
  ['boolean', /^(true|True|TRUE|false|False|FALSE)$/],
  ['date', new RegExp(`^${day}$`)],
  ['time', new RegExp(`^${clock}$`)],
  ['datetime', new RegExp(`^${day}[T ]${clock}(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)$`)],
  ['leading-zero', /^-?0[0-9]+$/],
  ['long-integer', /^-?[1-9][0-9]{18,}$/],
  ['exponent', /^-?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]+$/],
  ['decimal-comma', /^-?[0-9]+,[0-9]+$/],
  ['local-date', /^([0-9]{1,2}([/.-])[0-9]{1,2}\2([0-9]{2}|[0-9]{4})|[0-9]{4}([/.])[0-9]{1,2}\4[0-9]{1,2})$/],
  ['local-datetime', new RegExp(`^${day}[T ](${clock}|${hour}:[0-5][0-9])$`)],
]

/** The shape of a cell that is not empty. */
export function shapeOf(text: string): Shape {
  if (text.length > longestShaped) return 'text'
  const shape = patterns.find(([, pattern]) => pattern.test(text))?.[0] ?? 'text'
  return text.length >= 10 && /^(date|datetime|local-datetime)$/.test(shape) && !isDay(text) ? 'text' : shape
}

/** Whether YYYY-MM-DD is a day of the calendar. The first and the last year are left out: a zone may lead beyond them. */
function isDay(text: string): boolean {
  const [year, month, date] = [text.slice(0, 4), text.slice(5, 7), text.slice(8, 10)].map(Number) as [
    number,
    number,
    number,
  ]
  if (year < 2 || year > 9998 || month < 1 || month > 12 || date < 1) return false
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return date <= (month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31)
}
