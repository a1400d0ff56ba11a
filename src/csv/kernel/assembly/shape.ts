/** The shape of a cell: the rules of `shapes.ts`, by bytes. */

export const EMPTY: u32 = 0
export const QUOTED_EMPTY: u32 = 1
export const INTEGER: u32 = 2
export const DECIMAL: u32 = 3
const BOOLEAN: u32 = 4
const DATE: u32 = 5
const TIME: u32 = 6
const DATETIME: u32 = 7
const LEADING_ZERO: u32 = 8
const LONG_INTEGER: u32 = 9
const EXPONENT: u32 = 10
const DECIMAL_COMMA: u32 = 11
const LOCAL_DATE: u32 = 12
const LOCAL_DATETIME: u32 = 13
const TEXT: u32 = 14

const longestShaped: u32 = 40

/** Of the number that was last found. */
export let wholeDigits: u32 = 0
export let fractionDigits: u32 = 0

@inline
function isDigit(byte: u32): bool {
  return byte - 0x30 < 10
}

/** Most cells are decided by one look at their first sixteen bytes; the others byte by byte. */
@inline
export function shapeOf(at: usize, length: u32): u32 {
  const first = <u32>load<u8>(at)
  if (first > 0x39) return length == 4 || length == 5 ? booleanOrText(at, length) : TEXT
  if (first < 0x30 && first != 0x2d) return TEXT
  if (length > 16) return shapeByBytes(at, length)
  const v = v128.load(at)
  const all = (<u32>1 << length) - 1
  const digits = <u32>i8x16.bitmask(i8x16.lt_u(i8x16.sub(v, i8x16.splat(0x30)), i8x16.splat(10))) & all
  if (digits == all) {
    if (first == 0x30 && length > 1) return LEADING_ZERO
    wholeDigits = length
    return INTEGER
  }
  if (length == 10 && digits == 0x36f && load<u8>(at, 4) == 0x2d && load<u8>(at, 7) == 0x2d) return isDay(at) ? DATE : TEXT
  return shapeByBytes(at, length)
}

function booleanOrText(at: usize, length: u32): u32 {
  const word = load<u32>(at)
  if (length == 4) return word == 0x65757274 || word == 0x65757254 || word == 0x45555254 ? BOOLEAN : TEXT
  const last = load<u8>(at, 4)
  if (last == 0x65) return word == 0x736c6166 || word == 0x736c6146 ? BOOLEAN : TEXT
  return last == 0x45 && word == 0x534c4146 ? BOOLEAN : TEXT
}

function digitsFrom(at: usize, end: usize): u32 {
  let count: u32 = 0
  while (at + count < end && isDigit(load<u8>(at + count))) count++
  return count
}

function shapeByBytes(at: usize, length: u32): u32 {
  if (length > longestShaped) return TEXT
  const end = at + length
  const negative = load<u8>(at) == 0x2d
  const number = at + (negative ? 1 : 0)
  const whole = digitsFrom(number, end)
  if (whole == 0) return TEXT
  const behind = number + whole
  const zero = load<u8>(number) == 0x30
  if (behind == end) {
    if (zero) return whole > 1 ? LEADING_ZERO : negative ? TEXT : INTEGER
    wholeDigits = whole
    return whole <= 18 ? INTEGER : LONG_INTEGER
  }
  const byte = load<u8>(behind)
  switch (byte) {
    case 0x2e: {
      const fraction = digitsFrom(behind + 1, end)
      const after = behind + 1 + fraction
      if (fraction == 0) return TEXT
      if (after == end) return decimal(number, negative, whole, fraction, zero)
      if (load<u8>(after) == 0x2e) return negative ? TEXT : localDate(at, whole, end)
      return exponent(after, end)
    }
    case 0x2c: {
      const fraction = digitsFrom(behind + 1, end)
      return fraction > 0 && behind + 1 + fraction == end ? DECIMAL_COMMA : TEXT
    }
    case 0x65:
    case 0x45:
      return exponent(behind, end)
    case 0x3a:
      return !negative && whole == 2 && clock(at, end, true) == end ? TIME : TEXT
    case 0x2d:
      if (negative) return TEXT
      return whole == 4 ? dateOrDatetime(at, end) : localDate(at, whole, end)
    case 0x2f:
      return negative ? TEXT : localDate(at, whole, end)
    default:
      return TEXT
  }
}

function decimal(number: usize, negative: bool, whole: u32, fraction: u32, zero: bool): u32 {
  if (whole > 18 || fraction > 18 || (zero && whole > 1)) return TEXT
  if (negative && zero) {
    let nothing = true
    for (let i: u32 = 0; i < fraction; i++) if (load<u8>(number + 2 + i) != 0x30) nothing = false
    if (nothing) return TEXT
  }
  wholeDigits = whole
  fractionDigits = fraction
  return DECIMAL
}

function exponent(at: usize, end: usize): u32 {
  const e = load<u8>(at)
  if (e != 0x65 && e != 0x45) return TEXT
  at++
  if (at < end && (load<u8>(at) == 0x2d || load<u8>(at) == 0x2b)) at++
  const digits = digitsFrom(at, end)
  return digits > 0 && at + digits == end ? EXPONENT : TEXT
}

/** D/M/Y or Y/M/D with one mark between; a year of two or four digits. */
function localDate(at: usize, first: u32, end: usize): u32 {
  const mark = load<u8>(at + first)
  if (first != 1 && first != 2 && !(first == 4 && mark != 0x2d)) return TEXT
  const second = digitsFrom(at + first + 1, end)
  if (second != 1 && second != 2) return TEXT
  const behind = at + first + 1 + second
  if (behind >= end || load<u8>(behind) != mark) return TEXT
  const third = digitsFrom(behind + 1, end)
  if (behind + 1 + third != end) return TEXT
  return (first == 4 ? third == 1 || third == 2 : third == 2 || third == 4) ? LOCAL_DATE : TEXT
}

function two(at: usize): u32 {
  return (<u32>load<u8>(at) - 0x30) * 10 + <u32>load<u8>(at, 1) - 0x30
}

/** Of YYYY-MM-DD, digits and marks being where they should. */
function isDay(at: usize): bool {
  const year = two(at) * 100 + two(at + 2)
  const month = two(at + 5)
  const day = two(at + 8)
  if (year < 2 || year > 9998 || month < 1 || month > 12 || day < 1) return false
  if (month == 2) return day <= <u32>((year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28)
  return day <= <u32>(month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31)
}

/** Where hh:mm, or hh:mm:ss with up to six more digits, ends; 0 when it is none. */
function clock(at: usize, end: usize, needsSeconds: bool): usize {
  if (at + 5 > end || digitsFrom(at, at + 2) != 2 || load<u8>(at, 2) != 0x3a || digitsFrom(at + 3, at + 5) != 2) return 0
  if (two(at) > 23 || two(at + 3) > 59) return 0
  if (at + 5 == end || load<u8>(at, 5) != 0x3a) return needsSeconds ? 0 : at + 5
  if (at + 8 > end || digitsFrom(at + 6, at + 8) != 2 || two(at + 6) > 59) return 0
  if (at + 8 == end || load<u8>(at, 8) != 0x2e) return at + 8
  const fraction = digitsFrom(at + 9, end)
  return fraction >= 1 && fraction <= 6 ? at + 9 + fraction : 0
}

function dateOrDatetime(at: usize, end: usize): u32 {
  if (at + 10 > end || digitsFrom(at + 5, at + 7) != 2 || load<u8>(at, 7) != 0x2d || digitsFrom(at + 8, at + 10) != 2) return TEXT
  if (!isDay(at)) return TEXT
  if (at + 10 == end) return DATE
  const mark = load<u8>(at, 10)
  if (mark != 0x54 && mark != 0x20) return TEXT
  const local = clock(at + 11, end, false)
  if (local == end) return LOCAL_DATETIME
  const zone = clock(at + 11, end, true)
  if (zone == 0 || zone >= end) return TEXT
  return isZone(zone, end) ? DATETIME : TEXT
}

/** Z, or a sign and hh, hhmm or hh:mm, up to 14:59. */
function isZone(at: usize, end: usize): bool {
  const sign = load<u8>(at)
  if (sign == 0x5a) return at + 1 == end
  if (sign != 0x2d && sign != 0x2b) return false
  if (at + 3 > end || digitsFrom(at + 1, at + 3) != 2 || two(at + 1) > 14) return false
  let minutes = at + 3
  if (minutes == end) return true
  if (load<u8>(minutes) == 0x3a) minutes++
  return minutes + 2 == end && digitsFrom(minutes, end) == 2 && two(minutes) < 60
}
