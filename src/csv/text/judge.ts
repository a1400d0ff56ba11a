/**
 * Which encoding makes most sense of some bytes: for each, how likely the text is that it makes of them, in the language
 * that fits best, compared by Bayes' rule with all others and with mere noise.
 */
import { Context } from './context.ts'
import { decoderOf } from './decoder.ts'
import { type Model, modelsOf, type Tongue } from './models.ts'

interface Candidate {
  readonly encoding: string
  /** How often files are in it, before anything is known of one. */
  readonly prior: number
  readonly tongues: readonly Tongue[]
}

const western: readonly Tongue[] = ['latin']
const candidates: readonly Candidate[] = [
  {
    encoding: 'utf-8',
    prior: 100,
    tongues: ['latin', 'cyrillic', 'greek', 'hebrew', 'arabic', 'thai', 'chinese', 'traditional', 'japanese', 'korean'],
  },
  { encoding: 'windows-1252', prior: 10, tongues: western },
  { encoding: 'windows-1250', prior: 2, tongues: western },
  { encoding: 'windows-1251', prior: 2, tongues: ['cyrillic', 'latin'] },
  { encoding: 'gb18030', prior: 2, tongues: ['chinese'] },
  { encoding: 'shift_jis', prior: 2, tongues: ['japanese', 'katakana'] },
  { encoding: 'euc-kr', prior: 1, tongues: ['korean'] },
  { encoding: 'big5', prior: 1, tongues: ['traditional'] },
  { encoding: 'windows-1253', prior: 0.5, tongues: ['greek', 'latin'] },
  { encoding: 'windows-1254', prior: 1, tongues: western },
  { encoding: 'windows-1255', prior: 0.5, tongues: ['hebrew', 'latin'] },
  { encoding: 'windows-1256', prior: 0.5, tongues: ['arabic', 'latin'] },
  { encoding: 'windows-1257', prior: 1, tongues: western },
  { encoding: 'windows-1258', prior: 0.2, tongues: western },
  { encoding: 'windows-874', prior: 0.5, tongues: ['thai', 'latin'] },
  { encoding: 'euc-jp', prior: 0.5, tongues: ['japanese'] },
  { encoding: 'iso-8859-2', prior: 0.5, tongues: western },
  { encoding: 'iso-8859-15', prior: 0.5, tongues: western },
  { encoding: 'macintosh', prior: 0.3, tongues: western },
  { encoding: 'ibm850', prior: 0.5, tongues: western },
  { encoding: 'ibm437', prior: 0.2, tongues: western },
  { encoding: 'ibm852', prior: 0.2, tongues: western },
  { encoding: 'koi8-r', prior: 0.2, tongues: ['cyrillic'] },
  { encoding: 'koi8-u', prior: 0.1, tongues: ['cyrillic'] },
  { encoding: 'ibm866', prior: 0.2, tongues: ['cyrillic'] },
  { encoding: 'iso-8859-5', prior: 0.1, tongues: ['cyrillic'] },
  { encoding: 'x-mac-cyrillic', prior: 0.05, tongues: ['cyrillic', 'latin'] },
  { encoding: 'iso-8859-7', prior: 0.2, tongues: ['greek', 'latin'] },
  { encoding: 'iso-8859-8', prior: 0.05, tongues: ['hebrew'] },
  { encoding: 'iso-8859-6', prior: 0.05, tongues: ['arabic'] },
]

/** What is made of an ASCII byte that a longer character takes in. */
const asciiByte = Math.log(1 / 64)
/** A byte above 0x7F in noise, wherever it stands. */
const noiseByte = Math.log(0.4 / 128)

/** An encoding, of those that make the same text of the sample the commonest, and how likely it is the right one. */
export interface Verdict {
  readonly encoding: string
  /** 0 to 1. */
  readonly confidence: number
  /** What it makes of each stretch; U+FFFD for every byte that is no text. */
  readonly text: readonly string[]
}

/** Letters are no independent evidence, and the model is crude: the logarithm of the odds counts only so much. */
const trust = 0.25

/**
 * @param sample stretches of bytes between ASCII that is no letter or digit, each with something above 0x7F in it.
 * @returns best first; none when it is hardly text in any of them.
 */
export function judge(sample: readonly Buffer[]): Verdict[] {
  const readings = readingsOf(sample)
  const groups = new Map<string, Reading[]>()
  for (const reading of readings) {
    const key = reading.text.join('\n')
    groups.set(key, [...(groups.get(key) ?? []), reading])
  }
  const noise = sample.reduce((sum, stretch) => sum + highBytes(stretch), 0) * noiseByte
  const hypotheses = [...groups.values()].flatMap((group) => {
    const [best] = group.toSorted((a, b) => b.score - a.score)
    return best === undefined ? [] : [{ best, score: logSum(group.map(({ score }) => score)) }]
  })
  return hypotheses
    .map(({ best, score }) => {
      const rivals = hypotheses.filter((other) => other.best !== best).map((other) => other.score)
      const odds = score - logSum([...rivals, noise])
      const confidence = ((1 - best.noisy) * (1 - best.bad)) / (1 + Math.exp(-trust * odds))
      return { encoding: best.encoding, confidence, text: best.text }
    })
    .toSorted((a, b) => b.confidence - a.confidence)
}

function highBytes(bytes: Buffer): number {
  let count = 0
  for (const byte of bytes) if (byte >= 0x80) count++
  return count
}

function logSum(values: readonly number[]): number {
  const most = Math.max(...values)
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0))
}

interface Reading {
  readonly encoding: string
  readonly text: readonly string[]
  /** Natural logarithm of prior × likelihood. */
  readonly score: number
  /** The share of the bytes above 0x7F that are no text in it. */
  readonly bad: number
  /** The share of stretches, of those that are all text, that noise explains better all the same. */
  readonly noisy: number
}

function readingsOf(sample: readonly Buffer[]): Reading[] {
  const context = new Context()
  const models = new Map<Tongue, Model[]>()
  const joined = Buffer.from(sample.map((stretch) => stretch.toString('latin1')).join('\n'), 'latin1')
  const high = sample.map(highBytes)
  const total = high.reduce((a, b) => a + b, 0)
  const readings: Reading[] = []
  for (const { encoding, prior, tongues } of candidates) {
    const text = decoderOf(encoding)
      .decode(joined)
      .map((piece) => (typeof piece === 'string' ? piece : '\ufffd'.repeat(piece.length)))
      .join('')
    // What is mostly no text at all needs no closer look, which is dear for the East Asian languages.
    const bad = (text.split('\ufffd').length - 1) / total
    if (bad > 0.3) continue
    const all = tongues.flatMap((tongue) => {
      const known = models.get(tongue) ?? modelsOf(tongue)
      models.set(tongue, known)
      return known
    })
    const stretches = text.split('\n')
    const table = stretches.map((stretch, i) => {
      return likelihoods(stretch, all, context, (sample[i]?.length ?? 0) - (high[i] ?? 0))
    })
    const mixed = mixture(table, all)
    const score = Math.log(prior) + mixed.sum
    const noisy = mixed.all.filter((value, i) => {
      return value < (high[i] ?? 0) * noiseByte - 3 && stretches[i]?.includes('\ufffd') === false
    }).length
    readings.push({ encoding, text: stretches, score, bad, noisy: noisy / sample.length })
  }
  return readings
}

/** Of a stretch in each language. */
function likelihoods(stretch: string, models: readonly Model[], context: Context, ascii: number): Float64Array {
  const sums = new Float64Array(models.length)
  let common = 0
  let asciiLeft = 0
  const chars = Array.from(stretch)
  for (const [i, char] of chars.entries()) {
    if (char < '\x80') {
      asciiLeft++
      continue
    }
    common += Math.log(context.probability(chars[i - 1] ?? '', char, chars[i + 1] ?? ''))
    const script = context.script(char)
    const [before, after] = [neighbour(chars[i - 1]), neighbour(chars[i + 1])]
    for (const [m, model] of models.entries()) {
      sums[m] = (sums[m] ?? 0) + Math.log(model.probability(char, script, before, after))
    }
  }
  common -= (ascii - asciiLeft) * asciiByte
  return sums.map((sum) => sum + common)
}

function neighbour(char: string | undefined): string {
  return char === undefined || /[^a-z\x80-\uffff]/i.test(char) ? '#' : char.toLowerCase()
}

/** The likelihood of each stretch, most of them in the one language that fits best, and some in any other. */
function mixture(table: readonly Float64Array[], models: readonly Model[]): { all: number[]; sum: number } {
  const rows = table.map((row) => {
    const peak = row.reduce((a, b) => Math.max(a, b), -Infinity)
    const parts = row.map((value) => Math.exp(value - peak))
    return { peak, parts, others: parts.reduce((a, b) => a + b, 0) / models.length }
  })
  let best = { all: [] as number[], sum: -Infinity }
  for (const [main, { share }] of models.entries()) {
    const all = rows.map(({ peak, parts, others }) => peak + Math.log(0.8 * (parts[main] ?? 0) + 0.2 * others))
    const sum = all.reduce((a, b) => a + b, Math.log(share))
    if (sum > best.sum) best = { all, sum }
  }
  return best
}
