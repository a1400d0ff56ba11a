/** How likely it is that a character that is none of ASCII stands where it stands. */
import { type Script, scriptOf } from './models.ts'

interface Kind {
  readonly script: Script | 'digit' | 'edge'
  readonly sound: 'vowel' | 'consonant' | 'none'
  readonly upper: boolean
  readonly lower: boolean
}

const edge: Kind = { script: 'edge', sound: 'none', upper: false, lower: false }
const vowels = /^[aeiouyæøœıаеёиоуыэюяіїєαεηιουω]/u
const sounding: ReadonlySet<string> = new Set(['latin', 'cyrillic', 'greek'])
const eastern: ReadonlySet<string> = new Set(['han', 'kana', 'hangul', 'thai'])

/** What stands on both sides of a vowel, then of a consonant: vowel, consonant or none. */
const besides: Readonly<Record<string, number>> = {
  'vowel consonant consonant': 0.3,
  'vowel consonant none': 0.15,
  'vowel none consonant': 0.15,
  'vowel vowel consonant': 0.08,
  'vowel consonant vowel': 0.08,
  'vowel none vowel': 0.04,
  'vowel vowel none': 0.08,
  'vowel vowel vowel': 0.01,
  'vowel none none': 0.05,
  'consonant vowel vowel': 0.35,
  'consonant vowel consonant': 0.13,
  'consonant consonant vowel': 0.15,
  'consonant none vowel': 0.12,
  'consonant vowel none': 0.12,
  'consonant consonant consonant': 0.02,
  'consonant none consonant': 0.04,
  'consonant consonant none': 0.04,
  'consonant none none': 0.01,
}
/** What is usual; so that scripts in which nothing is told apart so are neither better nor worse off. */
const usual = 0.3
/** Of letters that are not told apart so, in relation to that. */
const anywhere = 0.6

/** Signs that stand within words. */
const joining: ReadonlyMap<string, number> = new Map([
  ['\u00a0', 0.05],
  ['·', 0.5],
  ['\u00ad', 0.5],
  ['‘', 0.3],
  ['´', 0.3],
  ['–', 0.3],
  ['—', 0.3],
])

const opening: ReadonlySet<string> = new Set('’‘“„«–—¿¡€£§•·°µ№\u00a0（「')
const closing: ReadonlySet<string> = new Set('’‘”“»–—…®™²³ºª°€\u00a0）」。，、')

export class Context {
  readonly #kinds = new Map<string, Kind>()

  /** The neighbours are empty where there are none. */
  probability(before: string, char: string, after: string): number {
    const [left, kind, right] = [this.#kind(before), this.#kind(char), this.#kind(after)]
    if (kind.script === 'nothing') return 1
    // Katakana of half width come in words.
    if (/[ｦ-ﾟ]/.test(char) && left.script !== 'kana' && right.script !== 'kana') return 0.05
    if (kind.script === 'sign') return signBetween(char, isLetter(left) ? before : '', isLetter(right) ? after : '')
    return caseOf(left, kind, right) * soundOf(left, kind, right) * strangeness(left, kind) * strangeness(right, kind)
  }

  /** Of a character that is none of ASCII. */
  script(char: string): Script {
    const { script } = this.#kind(char)
    return script === 'edge' || script === 'digit' ? 'sign' : script
  }

  #kind(char: string): Kind {
    if (char === '') return edge
    let kind = this.#kinds.get(char)
    if (kind === undefined) {
      kind = kindOf(char)
      this.#kinds.set(char, kind)
    }
    return kind
  }
}

function kindOf(char: string): Kind {
  if (/[0-9]/.test(char)) return { ...edge, script: 'digit' }
  if (char < '\x80' && !/[A-Za-z]/.test(char)) return edge
  const script = scriptOf(char)
  const lower = char.toLowerCase()
  const sound = !sounding.has(script) ? 'none' : vowels.test(lower.normalize('NFD')) ? 'vowel' : 'consonant'
  return { script, sound, upper: lower !== char, lower: char.toUpperCase() !== char }
}

/** The letters beside it, or nothing. */
function signBetween(sign: string, left: string, right: string): number {
  if (left !== '' && right !== '') {
    // As in “it’s” and “l’eau”.
    if (sign === '’') return /[strvldm]/i.test(right) || /[cdjlmnostu]/i.test(left) ? 1 : 0.05
    return joining.get(sign) ?? 0.01
  }
  if (right !== '') return opening.has(sign) ? 1 : 0.03
  if (left !== '') return closing.has(sign) ? 1 : 0.03
  return 1
}

function isLetter({ script }: Kind): boolean {
  return script !== 'edge' && script !== 'digit' && script !== 'sign' && script !== 'nothing'
}

function caseOf(left: Kind, { upper, lower }: Kind, right: Kind): number {
  if (upper) return left.lower ? 0.01 : left.upper ? (right.lower ? 0.1 : 0.95) : 0.5
  if (lower) return left.lower ? 0.99 : left.upper ? (right.upper ? 0.03 : 0.9) : right.upper ? 0.02 : 0.5
  return 1
}

function soundOf(left: Kind, { sound }: Kind, right: Kind): number {
  return sound === 'none' ? anywhere : (besides[`${sound} ${left.sound} ${right.sound}`] ?? usual) / usual
}

/** A letter next to a digit, or to a letter of another script. */
function strangeness(neighbour: Kind, { script }: Kind): number {
  if (neighbour.script === 'digit') return eastern.has(script) ? 0.5 : 0.1
  if (!isLetter(neighbour) || neighbour.script === script) return 1
  return eastern.has(script) ? (eastern.has(neighbour.script) ? 1 : 0.2) : 0.01
}
