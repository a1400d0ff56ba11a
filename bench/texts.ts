/**
 * CSV with text in it, made up: the same seed gives the same file. Blocks of records are made once and written again and
 * again in an order of chance, each record with a number of its own in front, so that no two are equal.
 */
import { writeFile } from 'node:fs/promises'
import type { BenchContext } from './benchmark.ts'
import { type BenchFile, keptFile } from './files.ts'
import { chance, clause, code, type Random, name, pick, quoted, sentence, town } from './words.ts'

interface Kind {
  readonly header: string
  /** What stands around the number that each record begins with. */
  readonly around: '' | '"'
  /** The cells behind the number, as they stand in the file. */
  readonly cells: (random: Random) => string[]
}

const kinds = {
  quoted: {
    header: '"id","name","mail","town","street","joined","paid"',
    around: '"',
    cells: (random) => {
      const person = name(random)
      const mail = `${code(random).toLowerCase()}@mail.example`
      const street = `${town(random)} Street ${1 + Math.floor(random() * 99)}`
      return [person, mail, town(random), street, date(random), amount(random)].map(quoted)
    },
  },
  multiline: {
    header: 'id,name,comment,written,stars',
    around: '',
    cells: (random) => {
      const paragraphs = Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
        Array.from({ length: 1 + Math.floor(random() * 3) }, () => sentence(random)).join(' '),
      )
      const stars = String(1 + Math.floor(random() * 5))
      return [quoted(name(random)), quoted(paragraphs.join('\n')), date(random), stars]
    },
  },
  wide: {
    header: ['id', ...Array.from({ length: 29 }, (_, i) => `text_${i + 2}`)].join(','),
    around: '',
    cells: (random) =>
      Array.from({ length: 29 }, (_, column) => {
        if (chance(random, 0.08)) return ''
        const value = pick([town, code, clause, town, clause], column)(random)
        return /[",]/.test(value) ? quoted(value) : value
      }),
  },
} as const satisfies Record<string, Kind>

/** Every field in quotes; quoted text with line breaks, and quotes now and then; 30 columns of text, few of it quoted. */
export type TextKind = keyof typeof kinds

const seed = 1
const mostBlocks = 256
const blockBytes = 64 << 10
/** Nine digits, none of them a leading zero. */
const firstNumber = 100_000_001
const digits = 9

interface Block {
  readonly bytes: Buffer
  /** Where the records' numbers stand. */
  readonly numbers: readonly number[]
}

/** A file of so many megabytes, and at most a block more. */
export async function textsFile(kind: TextKind, megabytes: number, context: BenchContext): Promise<BenchFile> {
  const { signal } = context
  const make = async (path: string) => await writeFile(path, textCsv(kind, megabytes * 1e6, seed), { signal })
  return await keptFile(`${kind}-${megabytes}-${seed}.csv`, make, context)
}

/** Whole records until there are so many bytes. What it yields is good until the next one is asked for. */
export function* textCsv(kind: TextKind, least: number, from: number): Generator<Buffer> {
  const random = mulberry32(from)
  const blocks: Block[] = []
  const header = Buffer.from(`${kinds[kind].header}\n`)
  yield header
  let number = firstNumber
  for (let length = header.length; length < least; ) {
    const { bytes, numbers } = (blocks[Math.floor(random() * mostBlocks)] ??= makeBlock(kinds[kind], random))
    for (const at of numbers) writeNumber(bytes, at, number++)
    yield bytes
    length += bytes.length
  }
}

function makeBlock({ around, cells }: Kind, random: Random): Block {
  const bytes = Buffer.allocUnsafe(blockBytes)
  const numbers: number[] = []
  let length = 0
  for (;;) {
    const record = Buffer.from(`${around}${'0'.repeat(digits)}${around},${cells(random).join(',')}\n`)
    if (length + record.length > blockBytes) return { bytes: bytes.subarray(0, length), numbers }
    numbers.push(length + around.length)
    length += record.copy(bytes, length)
  }
}

function writeNumber(bytes: Buffer, at: number, number: number): void {
  let rest = number
  for (let i = at + digits - 1; i >= at; i--) {
    bytes[i] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}

function date(random: Random): string {
  return new Date(Date.UTC(2020, 0, 1 + Math.floor(random() * 1500))).toISOString().slice(0, 10)
}

function amount(random: Random): string {
  return (random() * 1000).toFixed(2)
}

/** Numbers in [0, 1) from a seed of 32 bits: mulberry32, by Tommy Ettinger. */
function mulberry32(from: number): Random {
  let state = from | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
