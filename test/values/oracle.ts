/**
 * What must become of a cell, said by docs/pipelines.md and docs/reader.md, without any of Rowmill's own code: which
 * types the cells of a column give evidence of, and what two writings of one value have in common.
 */

export const kinds = ['text', 'integer', 'decimal', 'number', 'boolean', 'date', 'time', 'datetime', 'uuid'] as const
export type Kind = (typeof kinds)[number]

/** A cell of the file. Only of an empty one it matters whether it is in quotes. */
export interface Cell {
  readonly text: string
  readonly quoted: boolean
}

const clock = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?'
const timeForm = new RegExp(`^${clock}$`)
const zoneForm = '(?:Z|[+-](?:0\\d|1[0-4])(?::?[0-5]\\d)?)'
const momentForm = new RegExp(`^\\d{4}-\\d\\d-\\d\\d[T ]${clock}(${zoneForm})?$`)

export function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false
  const [year = 0, month = 0, day = 0] = text.split('-').map(Number)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return year >= 1 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}

export function isTime(text: string): boolean {
  return timeForm.test(text)
}

/** @param zoneless whether it may lack its zone. */
export function isMoment(text: string, zoneless: boolean): boolean {
  const [whole, zone] = momentForm.exec(text) ?? []
  if (whole === undefined || (zone === undefined && !zoneless) || !isDate(text.slice(0, 10))) return false
  const micros = microsOf(text)
  return micros >= microsOf('0001-01-01 00:00:00') && micros <= microsOf('9999-12-31 23:59:59.999999')
}

// -------------------------------------------------------------------------------------------------- evidence

/** A zone leads beyond the first and the last year, so that these are no evidence. */
const isInside = (text: string) => !/^(0001|9999)/.test(text)

const evidence: readonly (readonly [kind: Kind, isLike: (text: string) => boolean])[] = [
  ['integer', (text) => /^(0|-?[1-9]\d{0,17})$/.test(text)],
  ['decimal', (text) => /^-?(0|[1-9]\d{0,17})(\.\d{1,18})?$/.test(text) && !/^-0(\.0*)?$/.test(text)],
  ['boolean', (text) => /^(true|True|TRUE|false|False|FALSE)$/.test(text)],
  ['date', (text) => isDate(text) && isInside(text)],
  ['time', isTime],
  ['datetime', (text) => isMoment(text, false) && isInside(text)],
]

/** The type that all cells of a column give evidence of. */
export function inferred(cells: readonly Cell[]): Kind {
  const filled = cells.map(({ text }) => text).filter((text) => text !== '')
  if (filled.length === 0) return 'text'
  return evidence.find(([, isLike]) => filled.every(isLike))?.[0] ?? 'text'
}

// ---------------------------------------------------------------------------------------------------- values

/** The value of a cell in a column, in the one form that all writings of it have; null for none. */
export function valueOf(kind: Kind, { text, quoted }: Cell): string | null {
  if (text === '') return quoted && kind === 'text' ? '' : null
  return canonical(kind, text)
}

/** Never by way of a double, but for a column of doubles, which holds nothing else. */
export function canonical(kind: Kind, text: string): string {
  switch (kind) {
    case 'text':
      return text
    case 'uuid':
      return text.toLowerCase()
    case 'integer':
    case 'decimal':
      return exact(text)
    case 'number':
      return String(Number(text))
    case 'boolean':
      return /^(t|true|1)$/i.test(text) ? 'true' : /^(f|false|0)$/i.test(text) ? 'false' : text
    case 'date':
      return text
    case 'time':
      return text.replace(/(\.\d*?)0*$/, '$1').replace(/\.$/, '')
    case 'datetime':
      return momentForm.test(text) ? String(microsOf(text)) : text
  }
}

/** A number without the zeros, the plus, the point and the exponent that change nothing. */
function exact(text: string): string {
  const [form, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  if (form === undefined || whole + fraction === '') return text
  const places = fraction.length - Number(exponent)
  const digits = BigInt(whole + fraction) * 10n ** BigInt(Math.max(0, -places))
  const padded = String(digits).padStart(Math.max(0, places) + 1, '0')
  const point = padded.length - Math.max(0, places)
  const behind = padded.slice(point).replace(/0+$/, '')
  const number = behind === '' ? padded.slice(0, point) : `${padded.slice(0, point)}.${behind}`
  return sign === '-' && digits !== 0n ? `-${number}` : number
}

/** Microseconds since 1970 in UTC; what has no zone is in UTC. */
function microsOf(text: string): bigint {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const [hours = 0, minutes = 0, seconds = 0] = text.slice(11, 19).split(':').map(Number)
  const [, fraction = ''] = /\.(\d+)/.exec(text) ?? []
  const [, sign = '+', zoneHours = '0', zoneMinutes = '0'] = /([+-])(\d\d):?(\d\d)?$/.exec(text.slice(19)) ?? []
  const zone = (Number(zoneHours) * 60 + Number(zoneMinutes)) * (sign === '-' ? -1 : 1)
  const whole = date.getTime() / 1000 + hours * 3600 + (minutes - zone) * 60 + seconds
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
}
