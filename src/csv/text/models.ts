/** How likely a character is in a language, and where it stands: a crude model, but the same for every encoding. */
import { alphabets, frequent, type Language } from './languages.ts'

/** A language, as far as it tells encodings apart. */
export interface Model {
  /** How often it is the language of a file, in relation to one that often is. */
  readonly share: number
  /** Of a character that is none of ASCII; its neighbours are in lower case, `#` where there are none. */
  probability(char: string, script: Script, before: string, after: string): number
}

/** For what no language has: undecodable bytes, controls, unassigned and private characters. */
const never = 1e-6
const unusual = 1e-5

/** Signs by how common they are in tables, a third from each group to the next. */
const signs: ReadonlyMap<string, number> = new Map(
  ['’', '–“”€£°\u00a0', '…„‘—«»•®™²³½µ©', '·§№×ºª¿±¡´', '¼¾¥¢¨\u00ad†¶'].flatMap((group, i) =>
    Array.from(group, (sign): [string, number] => [sign, 0.2 / 3 ** i]),
  ),
)
const eastSigns = '、。，「」・（）：；！？％～ー—“”《》【】￥　／－＋＝'

function alphabetic({ letters, pieces = '', share = 1, signs: signsShare = 0.08 }: Language): Model {
  const together = new Set(pieces.split(' '))
  const known = new Map<string, number>()
  const weights = Array.from(letters, (_, rank) => Math.exp((-3 * rank) / Array.from(letters).length))
  const sum = weights.reduce((a, b) => a + b, 0)
  for (const [rank, letter] of Array.from(letters).entries()) {
    const probability = ((weights[rank] ?? 0) / sum) * (0.98 - signsShare)
    known.set(letter, probability)
    const upper = letter.toUpperCase()
    if (upper.length === 1 && !known.has(upper)) known.set(upper, probability)
  }
  const own = scriptOf(Array.from(letters)[0] ?? '')
  const probability = (char: string, script: Script, before: string, after: string): number => {
    const letter = known.get(char)
    if (letter !== undefined) {
      if (pieces === '') return letter
      const low = char.toLowerCase()
      const usual = together.has(before + low) || together.has(low + after) || together.has(before + low + after)
      return letter * (usual ? 1.5 : 0.25)
    }
    const sign = signs.get(char)
    if (sign !== undefined) return sign * signsShare
    return script === own ? 0.02 / 60 : script === 'sign' ? unusual : never
  }
  return { share, probability }
}

/** Characters of 16 bits each, and the share of the text that they are. */
type Group = readonly [part: number, chars: string]

/** One group of characters after the other: a share of the text each, evenly spread. */
function grouped(groups: readonly Group[], share = 1): Model {
  // By code, 1 for the first group. Made anew for every file, of thousands of characters: that has to be cheap.
  const firsts = new Uint8Array(0x10000)
  const latests = new Uint8Array(0x10000)
  const sizes = groups.map(([, chars], i) => {
    let size = 0
    for (let at = 0; at < chars.length; at++) {
      const code = chars.charCodeAt(at)
      if (latests[code] === i + 1) continue
      latests[code] = i + 1
      if (firsts[code] === 0) firsts[code] = i + 1
      size++
    }
    return size
  })
  const each = groups.map(([part], i) => part / (sizes[i] ?? 1))
  const probability = (char: string, script: Script): number => {
    const listed = each[(firsts[char.charCodeAt(0)] ?? 0) - 1]
    if (listed !== undefined) return listed
    return script === 'han' || script === 'hangul' ? 1e-7 : script === 'sign' ? unusual / 10 : never / 10
  }
  return { share, probability }
}

/** The characters of an encoding that begin with a byte from such a range. */
function rows(encoding: string, from: number, to: number): string {
  const codes: number[] = []
  for (let lead = from; lead <= to; lead++) {
    for (let trail = encoding === 'big5' ? 0x40 : 0xa1; trail <= 0xfe; trail++) codes.push(lead, trail, 0x0a)
  }
  const text = new TextDecoder(encoding).decode(Buffer.from(codes))
  // Without the line ends, and what does not mean one character.
  return text.replaceAll(/[\0-\x7f\ufffd\ud800-\udfff]+/g, '')
}

function range(first: string, last: string): string {
  const [from, to] = [first.charCodeAt(0), last.charCodeAt(0)]
  return String.fromCharCode(...Array.from({ length: to - from + 1 }, (_, i) => from + i))
}

type Alphabet = keyof typeof alphabets
export type Tongue = Alphabet | 'chinese' | 'traditional' | 'japanese' | 'katakana' | 'korean'

/** The shares are a guess at those of tables, in which names and addresses are more than sentences. */
const eastern: Readonly<Record<Exclude<Tongue, Alphabet>, () => readonly Group[]>> = {
  chinese: () => [
    [0.55, frequent.chinese],
    [0.05, eastSigns],
    [0.37, rows('gb18030', 0xb0, 0xd7)],
    [0.02, rows('gb18030', 0xd8, 0xf7)],
    [0.01, range('！', '～')],
  ],
  traditional: () => [
    [0.55, frequent.traditional],
    [0.05, eastSigns],
    [0.37, rows('big5', 0xa4, 0xc6)],
    [0.02, rows('big5', 0xc9, 0xf9)],
    [0.01, range('！', '～')],
  ],
  japanese: () => [
    [0.25, 'のにはをたがでてとしれさるいなかもあこうくらりっすまんき'],
    [0.3, frequent.japanese],
    [0.05, eastSigns],
    [0.1, range('ぁ', 'ん')],
    [0.15, range('ァ', 'ヶ')],
    [0.14, rows('euc-jp', 0xb0, 0xcf)],
    [0.005, rows('euc-jp', 0xd0, 0xf4)],
    [0.005, range('！', '～')],
  ],
  // Of half width, as banks still send it.
  katakana: () => [
    [0.6, 'ﾝﾞｶｼｲｽﾄｰﾙﾗｱﾘﾃﾀｸｺｷﾏｻﾅ'],
    [0.38, range('｡', 'ﾟ')],
  ],
  korean: () => [
    [0.7, frequent.korean],
    [0.02, eastSigns],
    [0.26, rows('euc-kr', 0xb0, 0xc8)],
    [0.005, range('가', '힣')],
    [0.005, rows('euc-kr', 0xca, 0xfd)],
  ],
}

/** The models of a script's languages, or of a language that has a script of its own. */
export function modelsOf(tongue: Tongue): Model[] {
  return isAlphabet(tongue)
    ? alphabets[tongue].map(alphabetic)
    : [grouped(eastern[tongue](), tongue === 'katakana' ? 0.1 : 1)]
}

function isAlphabet(tongue: Tongue): tongue is Alphabet {
  return tongue in alphabets
}

export type Script = Alphabet | 'han' | 'hangul' | 'kana' | 'sign' | 'nothing'

const scripts: readonly (readonly [Script, RegExp])[] = [
  ['latin', /[\p{Script=Latin}\u0300-\u0340]/u],
  ['cyrillic', /\p{Script=Cyrillic}/u],
  ['greek', /\p{Script=Greek}/u],
  ['han', /[\p{Script=Han}々]/u],
  ['kana', /[\p{Script=Hiragana}\p{Script=Katakana}ーｰﾞﾟ]/u],
  ['hangul', /\p{Script=Hangul}/u],
  ['hebrew', /\p{Script=Hebrew}/u],
  ['arabic', /\p{Script=Arabic}/u],
  ['thai', /\p{Script=Thai}/u],
  ['nothing', /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\ufffd]/u],
]

export function scriptOf(char: string): Script {
  return scripts.find(([, pattern]) => pattern.test(char))?.[0] ?? 'sign'
}
