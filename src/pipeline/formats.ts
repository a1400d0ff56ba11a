/** What `format` may say, by type. The patterns of times are strptime's, of which only those without a guess are taken. */
import type { ColumnType } from '../table-schema.ts'
import { nearest } from '../nearest.ts'

const stringFormats = ['email', 'uri', 'uuid'] as const

/** The parts of a time that a directive gives. */
const directives: Readonly<Record<string, string>> = {
  Y: 'year',
  y: 'year',
  m: 'month',
  '-m': 'month',
  b: 'month',
  B: 'month',
  d: 'day',
  '-d': 'day',
  j: 'month and day',
  H: 'hour',
  '-H': 'hour',
  I: 'half-day hour',
  '-I': 'half-day hour',
  p: 'half of the day',
  M: 'minute',
  '-M': 'minute',
  S: 'second',
  '-S': 'second',
  f: 'fraction',
  g: 'fraction',
  a: 'weekday',
  A: 'weekday',
  z: 'zone',
}

const dateParts = ['year', 'month', 'day', 'weekday']
const timeParts = ['hour', 'minute', 'second', 'fraction']

/** What is wrong with a format, if anything; the words follow the key. */
export function formatProblem(type: ColumnType, format: string, zoned: boolean): string | undefined {
  if (type === 'string') return stringProblem(format)
  if (type === 'date' || type === 'time' || type === 'datetime') return patternProblem(type, format, zoned)
  return `is ${JSON.stringify(format)}; a column of type ${type} has none, take it out`
}

function stringProblem(format: string): string | undefined {
  if ((stringFormats as readonly string[]).includes(format)) return undefined
  const near = nearest(format, stringFormats)
  const hint = near === undefined ? `write ${stringFormats.join(', ')} or default` : `did you mean ${near}?`
  return `is ${JSON.stringify(format)}; ${hint}`
}

function patternProblem(type: 'date' | 'time' | 'datetime', format: string, zoned: boolean): string | undefined {
  const is = `is ${JSON.stringify(format)}`
  if (format === 'any') return `${is}, which would be a guess; write default or a pattern such as "%d.%m.%Y"`
  const parts: string[] = []
  for (const [whole, directive = ''] of format.matchAll(/%(-?.|$)/gsu)) {
    if (directive === '%') continue
    const part = Object.hasOwn(directives, directive) ? directives[directive] : undefined
    if (part === undefined) return `${is}; ${whole} is not taken, there are ${known()}`
    parts.push(...part.split(' and '))
  }
  if (parts.length === 0) return `${is}; write default or a pattern such as "%d.%m.%Y"`
  const twice = parts.find((part, i) => parts.indexOf(part) !== i)
  if (twice !== undefined) return `${is}, which has the ${twice} twice; keep one of them`
  if (parts.includes('zone') && !format.endsWith('%z')) return `${is}; %z can only be its end`
  return partsProblem(is, type, parts, zoned)
}

/** A part that the pattern leaves out would be made up; one that the type has no place for would be lost. */
function partsProblem(is: string, type: 'date' | 'time' | 'datetime', parts: readonly string[], zoned: boolean) {
  const halved = parts.filter((part) => part.startsWith('half'))
  if (halved.length === 1) return `${is}; %I and %p stand together`
  const has = halved.length === 2 ? [...parts.filter((part) => !part.startsWith('half')), 'hour'] : parts
  if (new Set(has).size < has.length) return `${is}, which has the hour twice; keep %H or %I with %p`
  const needed = { date: ['year', 'month', 'day'], time: ['hour'], datetime: ['year', 'month', 'day', 'hour'] }[type]
  const missing = needed.find((part) => !has.includes(part))
  if (missing !== undefined) return `${is}, which has no ${missing}; a ${type} needs it`
  const possible = { date: dateParts, time: timeParts, datetime: [...dateParts, ...timeParts, 'zone'] }[type]
  const foreign = has.find((part) => !possible.includes(part))
  if (foreign !== undefined) return `${is}, which has the ${foreign}; a ${type} has none`
  const gap = timeParts.findIndex((part, i) => i > 0 && has.includes(part) && !has.includes(timeParts[i - 1] ?? ''))
  if (gap > 0) return `${is}, which has the ${timeParts[gap]} but not the ${timeParts[gap - 1]}`
  if (type === 'datetime' && !zoned && !has.includes('zone')) {
    return `${is}, which has no zone; end it in %z or write timezone: UTC (or Europe/Berlin, …) beside it`
  }
  return undefined
}

function known(): string {
  return [...Object.keys(directives), '%'].map((directive) => `%${directive}`).join(' ')
}
