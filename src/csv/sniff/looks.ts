/**
 * What a cell looks like to the eye of a person who knows many countries' ways of writing. Loose on purpose, and of use
 * for guessing only: a column's type is told from shapes (`../shapes.ts`), which are strict.
 */

export type Look =
  | 'empty'
  | 'integer'
  | 'number'
  | 'date'
  | 'time'
  | 'datetime'
  | 'boolean'
  | 'email'
  | 'url'
  /** Of a network: IPv4, IPv6, MAC. */
  | 'address'
  | 'uuid'
  | 'phone'
  /** JSON, WKT, a list in brackets, a pair of coordinates: text with marks of its own inside. */
  | 'structure'
  /** Letters and digits without a space: A-102, file_1.txt. */
  | 'code'
  | 'word'
  | 'text'

/** Looks that text seldom has by chance. */
const typed: ReadonlySet<Look> = new Set<Look>([
  'integer',
  'number',
  'date',
  'time',
  'datetime',
  'boolean',
  'email',
  'url',
  'address',
  'uuid',
  'phone',
  'structure',
])

export function isTyped(look: Look): boolean {
  return typed.has(look)
}

/** A longer cell is text, unless it is a structure or an address of the web. */
const longestTyped = 80

function oneOf(patterns: readonly (string | RegExp)[], flags = ''): RegExp {
  return new RegExp(`^(?:${patterns.map((one) => (typeof one === 'string' ? one : one.source)).join('|')})$`, flags)
}

const nothing = /^(?:n\/?a|null|nil|nan|none|\\n|-+|\.|\?|#n\/a|#n\/d)$/i
const integer = /^[+-]?\d+$/
const boolean = oneOf(
  'true false yes no wahr falsch ja nein vrai faux oui non verdadero falso si sí sim não nao да нет'.split(' '),
  'iu',
)

const plainNumber = /\d+(?:[.,]\d*)?|[.,]\d+/
const groupedNumber = /\d{1,3}([ .,'’\u00a0\u202f])\d{3}(?:\1\d{3})*(?:[.,]\d+)?/
const indianNumber = /\d{1,2}(?:,\d{2})*,\d{3}(?:\.\d+)?/
const number = new RegExp(
  `^[+-]?(?:${plainNumber.source}|${groupedNumber.source}|${indianNumber.source})(?:e[+-]?\\d+)?$`,
  'i',
)
const unitBefore = /(?:[A-Z]{1,2}\$|\p{Sc}|kr\.?|Rs\.?)\s?|[A-Z]{3}\s/u
const unitBehind = /\s?(?:\p{Sc}|%|‰|kr\.?|zł|Kč|Ft|°C?|:-)|\s[A-Z]{3}/u
const amount = new RegExp(
  `^[-+(]?\\s?(?:${unitBefore.source})?([-+]?\\d[\\d.,'’ \\u00a0\\u202f]*?)(?:${unitBehind.source})?\\s?[-)]?$`,
  'u',
)

const days = [
  /^\d{4}([-/.])\d{1,2}\1\d{1,2}\.?$/,
  /^\d{1,2}([-/.])\d{1,2}\1(?:\d{4}|\d{2})\.?$/,
  /^\d{4}-(?:0[1-9]|1[0-2])$/,
  /^\d{4}\. ?\d{1,2}\. ?\d{1,2}\.?$/,
  /^\d{4}年\d{1,2}月(?:\d{1,2}日)?$/,
]
/** How the months begin in English, German, Dutch, French, Spanish, Portuguese, Italian and Polish. */
const month = [
  'jan feb fev fév mar mär maa apr avr abr may mai maj mag mei jun jui giu jul lug aug aoû aou ago sep set oct okt ott',
  'out nov dec dez déc dic ene gen sty lut kwi cze lip sie wrz paź lis gru',
]
  .join(' ')
  .replaceAll(' ', '|')
const monthName = `(?:${month})\\p{L}{0,7}\\.?`
const namedDay = new RegExp(
  `^(?:\\p{L}{2,10}\\.?,? )?(?:${[
    `\\d{1,2}(?:st|nd|rd|th|er|\\.|º)?[-./ ]*(?:de )?${monthName},?[-./ ]*(?:de )?\\d{2,4}`,
    `${monthName}[ -]\\d{1,2}(?:st|nd|rd|th)?,?[ -]\\d{2,4}`,
    `${monthName}[- ]'?\\d{2,4}`,
  ].join('|')})$`,
  'iu',
)
const behindClock = /(?:\s?[ap]\.?\s?m\.?)?(?:\s?(?:z|utc|gmt|[a-z]{3,4}|[+-]\d{2}:?\d{2}))?/
const seconds = /(?:[:.]\d{2}(?:[.,]\d{1,9})?)?/
const time = new RegExp(`^\\d{1,3}:\\d{2}${seconds.source}${behindClock.source}$`, 'i')
const moment = new RegExp(
  `^\\[?(.{5,24}?)(?:t|,? +|[_:]|-)\\d{1,2}[:.]\\d{2}${seconds.source}${behindClock.source}\\]?$`,
  'i',
)

const email = /^[^\s@,;|"]+@[^\s@,;|"]+\.[^\s@,;|".]{2,}$/
const url = /^(?:[a-z][a-z0-9+.-]{1,9}:\/\/|www\.)[^\s"]+$/i
const address = oneOf(
  [
    /\d{1,3}(?:\.\d{1,3}){3}(?:[/:]\d{1,5})?/,
    /(?=[^:]*:[^:]*:)[0-9a-f:]{2,39}(?:%\w+|\/\d{1,3})?/,
    /::ffff:[\d.]+/,
    /[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}/,
  ],
  'i',
)
const uuid = oneOf(
  [/\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?/, /[0-9a-f]{32}/, /[0-9a-f]{40}/, /[0-9a-f]{64}/],
  'i',
)
const phone = /^(?=\+|\(|0\d\d|\d+[-/])\+?\(?\d{1,5}\)?(?:[ ./-]\(?\d{2,8}\)?){1,5}$/
const wkt = /^(?:SRID=\d+;)?(?:MULTI)?(?:POINT|LINESTRING|POLYGON|GEOMETRYCOLLECTION)(?: ?Z?M?)? ?\(.*\)$/is
const pair = /^[-+]?\d{1,3}\.\d+ ?[,;] ?[-+]?\d{1,3}\.\d+$/
const code = /^(?=.*\d)[\p{L}\p{N}_#][\p{L}\p{N}_./#:+-]*$/u
const word = /^[\p{L}\p{M}_][\p{L}\p{M}'’._-]*$/u

export function lookOf(cell: string): Look {
  const text = cell.trim()
  if (text === '') return 'empty'
  if (isBracketed(text)) return 'structure'
  if (text.length > longestTyped) return wkt.test(text) ? 'structure' : url.test(text) ? 'url' : 'text'
  if (nothing.test(text)) return 'empty'
  // Most cells are settled by these.
  if (integer.test(text)) return 'integer'
  if (boolean.test(text)) return 'boolean'
  if (number.test(text)) return 'number'
  const look = /\d/.test(text) ? withDigits(text) : undefined
  if (look !== undefined) return look
  if (email.test(text)) return 'email'
  if (url.test(text)) return 'url'
  if (uuid.test(text)) return 'uuid'
  if (text === '::') return 'address'
  return word.test(text) ? 'word' : code.test(text) ? 'code' : 'text'
}

function withDigits(text: string): Look | undefined {
  if (isDay(text)) return 'date'
  if (time.test(text)) return 'time'
  const [, date = ''] = moment.exec(text) ?? []
  if (date !== '' && isDay(date.trim())) return 'datetime'
  if (address.test(text)) return 'address'
  if (pair.test(text) || wkt.test(text)) return 'structure'
  const [, digits = ''] = amount.exec(text) ?? []
  if (number.test(digits)) return 'number'
  // A hash may look like a code, and a key like a number on the phone.
  if (uuid.test(text)) return 'uuid'
  return phone.test(text) ? 'phone' : undefined
}

function isDay(text: string): boolean {
  return days.some((day) => day.test(text)) || namedDay.test(text)
}

function isBracketed(text: string): boolean {
  const last = text.charAt(text.length - 1)
  return (text.startsWith('{') && last === '}') || (text.startsWith('[') && last === ']')
}
