/** Which encoding the text of a file is in, and how sure that is: a wrong guess is never silent. */
import { isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { AppError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { blocksOf } from './text/blocks.ts'
import { codePages } from './text/code-pages.ts'
import { decoded } from './text/decoded.ts'
import { markOf } from './text/decoder.ts'
import { judge, type Verdict } from './text/judge.ts'
import { multiByteEncodings } from './text/multi-byte.ts'
import { sampleOf } from './text/sample.ts'
import { checkUtf8 } from './text/utf8.ts'
import { foreignRun, guessUtf16 } from './text/utf16.ts'

/** Below this confidence a file is not read until somebody names its encoding. */
export const leastConfidence = 0.75

export interface Detection {
  readonly encoding: string
  /** Whether a byte-order mark of that encoding stands before the text. */
  readonly mark: boolean
  readonly how: 'mark' | 'valid' | 'guess' | 'named'
  /** 0 to 1. */
  readonly confidence: number
  /** The encodings between which a guess was made, the one it fell on first. */
  readonly alternatives: readonly Alternative[]
  /** 0-based, in the file: where the first bytes stand that are no text in that encoding; -1 if there are none, or nobody looked. */
  readonly firstBad: number
  /** What speaks against it, as a sentence without its full stop. */
  readonly doubt?: string
}

export interface Alternative {
  readonly encoding: string
  readonly confidence: number
  /** How it reads some word that the others read differently. */
  readonly sample: string
}

export interface DetectOptions {
  readonly signal: AbortSignal
  /** An encoding that somebody has named, as `checkEncodingName` gives it: only its mark is looked for then. */
  readonly named?: string | undefined
}

const looked = 1 << 20

/** If no more of the bytes above 0x7F are none of UTF-8, a few records were damaged, or came from elsewhere. */
const mostDamage = 0.05
/** What is left without them must be surer than a file as a whole, and more so where all of it may be something else. */
const damagedConfidence = 0.85
const contestedConfidence = 0.97

/** Reads as much of the file as it takes: text in UTF-8 once, at the speed of memory, any other up to three times. */
export async function detectEncoding(path: string, { signal, named }: DetectOptions): Promise<Detection> {
  const start = await startOf(path)
  const marked = ['utf-8', 'utf-16le', 'utf-16be', 'gb18030'].find((encoding) => begins(start, encoding))
  if (named !== undefined) return namedEncoding(named, start, marked)
  if (marked === 'gb18030') return { ...certain, encoding: marked, mark: true, how: 'mark' }
  const utf16 = marked === 'utf-16le' || marked === 'utf-16be' ? { encoding: marked, confidence: 1 } : guessUtf16(start)
  if (utf16 !== undefined && marked !== 'utf-8') return await utf16Detection(path, utf16, marked !== undefined, signal)
  const mark = marked === 'utf-8'
  const { bad, escape } = await checkUtf8(path, signal)
  if (bad >= 0) return await guess(path, mark, bad, signal)
  const detection: Detection = { ...certain, encoding: 'utf-8', mark, how: mark ? 'mark' : 'valid' }
  if (escape < 0) return detection
  const doubt = `it has the escape sequences of ISO-2022-JP (byte ${escape}), which cannot be read`
  return { ...detection, confidence: 0.5, doubt }
}

const certain = { confidence: 1, alternatives: [], firstBad: -1 } as const

async function startOf(path: string): Promise<Buffer> {
  for await (const block of blocksOf(path, looked)) return Buffer.from(block)
  return Buffer.alloc(0)
}

function begins(start: Buffer, encoding: string): boolean {
  const mark = markOf(encoding)
  return mark.length > 0 && start.subarray(0, mark.length).equals(mark)
}

function namedEncoding(named: string, start: Buffer, marked: string | undefined): Detection {
  const either = marked?.startsWith('utf-16') === true ? marked : (guessUtf16(start)?.encoding ?? 'utf-16le')
  const encoding = named === 'utf-16' ? either : named
  const detection: Detection = { ...certain, encoding, mark: marked === encoding, how: 'named' }
  if (marked === undefined || marked === encoding) return detection
  return { ...detection, doubt: `it begins with the byte-order mark of ${marked}` }
}

async function utf16Detection(
  path: string,
  { encoding, confidence }: { encoding: string; confidence: number },
  mark: boolean,
  signal: AbortSignal,
): Promise<Detection> {
  const foreign = await foreignRun(path, signal)
  const detection: Detection = { ...certain, encoding, mark, how: mark ? 'mark' : 'guess', confidence }
  if (foreign < 0) return detection
  const doubt = `it begins in UTF-16, but from about byte ${foreign} on it is in another encoding`
  return { ...detection, confidence: 0.5, firstBad: foreign, doubt }
}

/** What the sample is most like, or else UTF-8 if that is what most of the file is. */
async function guess(path: string, mark: boolean, notUtf8: number, signal: AbortSignal): Promise<Detection> {
  const sample = await sampleOf(path, mark ? markOf('utf-8').length : 0, signal)
  const verdicts = judge(sample)
  const likeliest = await likeliestOf(verdicts, path, mark, notUtf8, signal)
  const isContested = likeliest.encoding !== 'utf-8' && likeliest.confidence >= leastConfidence
  const sure = await damagedUtf8(path, sample, signal)
  if (sure < (isContested ? contestedConfidence : damagedConfidence)) return likeliest
  const how = mark ? 'mark' : 'guess'
  return { encoding: 'utf-8', mark, how, alternatives: [], confidence: mark ? 1 : sure, firstBad: notUtf8 }
}

/** What the sample is most like; where characters have several bytes, that is checked against the whole file. */
async function likeliestOf(
  verdicts: readonly Verdict[],
  path: string,
  mark: boolean,
  notUtf8: number,
  signal: AbortSignal,
): Promise<Detection> {
  const [best] = verdicts
  const alternatives = alternativesOf(verdicts)
  if (mark) {
    const detection = { encoding: 'utf-8', mark, how: 'mark', alternatives, firstBad: notUtf8 } as const
    if (best?.encoding === 'utf-8') return { ...detection, confidence: 1 }
    const doubt = `it begins with the byte-order mark of UTF-8, but what follows is not UTF-8 (byte ${notUtf8})`
    return { ...detection, confidence: 0.5, doubt }
  }
  const encoding = best?.encoding ?? 'windows-1252'
  const detection = { encoding, mark, how: 'guess', alternatives, confidence: best?.confidence ?? 0 } as const
  if (encoding === 'utf-8') return { ...detection, firstBad: notUtf8 }
  if (!multiByteEncodings.has(encoding)) return { ...detection, firstBad: -1 }
  const { first, share } = await undecodable(path, encoding, signal)
  return { ...detection, firstBad: first, confidence: detection.confidence * (1 - share) }
}

/**
 * How sure it is that a file is in UTF-8 but for a few bytes. Nearly all being valid is not enough, since a word that
 * comes again and again may be valid by chance: what is valid must make sense as well.
 */
async function damagedUtf8(path: string, sample: readonly Buffer[], signal: AbortSignal): Promise<number> {
  const valid = sample.filter((stretch) => isUtf8(stretch))
  const [best] = valid.length === 0 ? [] : judge(valid)
  if (best?.encoding !== 'utf-8') return 0
  const { share } = await undecodable(path, 'utf-8', signal)
  return share > mostDamage ? 0 : best.confidence * (1 - share)
}

/** Where the first bytes are that are no text, and how many of those above 0x7F are none. */
async function undecodable(
  path: string,
  encoding: string,
  signal: AbortSignal,
): Promise<{ first: number; share: number }> {
  let [first, bad, high] = [-1, 0, 0]
  for await (const { bytes, offset, pieces } of decoded(path, encoding, { signal })) {
    if (pieces === undefined) continue
    for (let at = 0; at < bytes.length; at++) if ((bytes[at] ?? 0) >= 0x80) high++
    for (const piece of pieces) {
      if (typeof piece === 'string') continue
      if (first < 0) first = offset + piece.byteOffset - bytes.byteOffset
      bad += piece.length
    }
  }
  return { first, share: bad / Math.max(1, high) }
}

/** At most four, and none that is out of the question. */
function alternativesOf(verdicts: readonly Verdict[]): Alternative[] {
  const likely = verdicts.slice(0, 4).filter(({ confidence }) => confidence > 0.005)
  const [first, second] = likely
  const different = first?.text.findIndex((text, i) => text !== second?.text[i]) ?? 0
  return likely.map(({ encoding, confidence, text }) => ({ encoding, confidence, sample: text[different] ?? '' }))
}

/**
 * The refusal of a file whose encoding is not sure enough.
 * @param name what to call the file.
 */
export function ambiguousEncoding(name: string, { alternatives, doubt }: Detection): AppError {
  const candidates = alternatives.map(({ encoding, sample }) => `${encoding} (“${shorten(sample)}”)`).join(', ')
  const guesses = candidates === '' ? '' : ` It may be ${candidates}.`
  const why = doubt ?? 'the encoding of its text cannot be told for certain'
  return new AppError(
    'rejected',
    `${name} cannot be read: ${why}.${guesses} Name its encoding (clean --encoding, else --param reader.encoding=…), or save it as UTF-8.`,
    { details: { file: name, candidates: alternatives.map(({ encoding }) => encoding) } },
  )
}

function shorten(sample: string): string {
  const chars = Array.from(sample)
  return chars.length > 24 ? `${chars.slice(0, 24).join('')}…` : sample
}

/** Names that people use and the Encoding Standard does not, without what is no letter or digit. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ['ascii', 'utf-8'],
  ['usascii', 'utf-8'],
  ['utf8sig', 'utf-8'],
  ['utf8bom', 'utf-8'],
  ['utf16', 'utf-16'],
  ['utf16le', 'utf-16le'],
  ['utf16be', 'utf-16be'],
  ['ucs2', 'utf-16'],
  ['cp932', 'shift_jis'],
  ['cp936', 'gb18030'],
  ['cp949', 'euc-kr'],
  ['uhc', 'euc-kr'],
  ['cp950', 'big5'],
  ['cp874', 'windows-874'],
  ['macroman', 'macintosh'],
  ...Object.keys(codePages).flatMap((page) =>
    ['cp', 'dos', 'oem', 'ibm'].map((kind): [string, string] => [page.replace('ibm', kind), page]),
  ),
])

const unicodeNames = 'utf-8 utf-16 utf-16le utf-16be'
const westernNames = 'windows-1252 iso-8859-1 latin1 windows-1250 windows-1254 iso-8859-2 iso-8859-15 macintosh'
const otherScripts = 'windows-1251 koi8-r windows-1253 gb18030 big5 shift_jis euc-jp euc-kr'
/** To suggest one when a name is not known. */
const usualNames = [...[unicodeNames, westernNames, otherScripts].join(' ').split(' '), ...Object.keys(codePages)]

/**
 * The one name of an encoding, by the Encoding Standard: ISO 8859-1 is read as windows-1252, of which it is a part, and
 * ASCII as UTF-8. `utf-16` is in either order, as the mark or the text says.
 * @throws {AppError} invalid, with a suggestion.
 */
export function checkEncodingName(name: string): string {
  const plain = name.trim().toLowerCase()
  const bare = plain.replaceAll(/[^a-z0-9]/g, '')
  for (const label of [otherNames.get(bare), plain, bare]) {
    const encoding = label === undefined ? undefined : standardName(label)
    if (encoding !== undefined) return encoding
  }
  const near = nearest(plain, usualNames)
  const advice = near === undefined ? 'Name one such as utf-8, windows-1252 or gb18030' : `Did you mean ${near}`
  throw new AppError('invalid', `“${name}” is no encoding that can be read. ${advice}${near === undefined ? '.' : '?'}`)
}

function standardName(label: string): string | undefined {
  if (label === 'utf-16' || Object.hasOwn(codePages, label)) return label
  try {
    const { encoding } = new TextDecoder(label)
    if (encoding === 'gbk') return 'gb18030'
    // The one keeps its state over line ends, the other is none of text.
    return encoding === 'iso-2022-jp' || encoding === 'x-user-defined' ? undefined : encoding
  } catch {
    return undefined
  }
}
