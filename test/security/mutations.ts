/** What can be wrong with a form: with its parts, with its bytes, with what is said of it, with how it comes. */
import { chance, pick, type Random } from '../../src/cli/random.ts'
import { between, shuffled } from '../values/cells.ts'
import type { Form, Part } from './form.ts'

type PartsMutation = (form: Form, next: Random) => readonly Part[]
type BytesMutation = (bytes: Buffer, boundary: string, next: Random) => Buffer
type TypeMutation = (boundary: string, next: Random) => string

const field = (name: string, value: string): Part => ({
  lines: [`Content-Disposition: form-data; name="${name}"`],
  content: Buffer.from(value),
})
const file = (name: string, content: string | Buffer = 'a,b\n1,2\n'): Part => ({
  lines: [`Content-Disposition: form-data; name="file"; filename="${name}"`],
  content: Buffer.from(content),
})

/** Changes the headers of one part. */
function ofLines(change: (lines: readonly string[], form: Form, next: Random) => readonly string[]): PartsMutation {
  return (form, next) => {
    const chosen = between(0, form.parts.length - 1, next)
    return form.parts.map((part, i) => (i === chosen ? { ...part, lines: change(part.lines, form, next) } : part))
  }
}

/** What the file is called, as it has never been said before. */
const names = [
  '',
  '.',
  '../../etc/passwd',
  'C:\\dir\\a.csv',
  'a"b.csv',
  'a\\"b.csv',
  'a\0b.csv',
  'a\rb.csv',
  'a\nb.csv',
  '\u202Egpj.csv',
  '\uFEFFa.csv',
  'a;filename=b',
  '%00',
  '__proto__',
  'x'.repeat(300),
  'ü'.repeat(256),
  'x'.repeat(90_000),
] as const

/** Parameters of a Content-Disposition by RFC 5987 and its neighbours, right and wrong. */
const charsetGames = [
  "filename*=utf-8''%e2%82%ac.csv",
  "filename*=utf-8''%ff%fe.csv",
  "filename*=utf-8''%",
  "filename*=utf-8''%0d%0aX:%20y",
  "filename*=utf-16le''%00%d8",
  "filename*=utf-16le''%00",
  "filename*=utf-16''%00%d8",
  "filename*=iso-8859-1'en'%a3.csv",
  "filename*=no-such-charset''a.csv",
  "filename*=base64''YQ==",
  "filename*='''''",
  "filename*=''",
  'filename*=',
  'filename*0=a; filename*1=b.csv',
  "filename*0*=utf-8''a; filename*1*=%e2",
  "filename=a.csv; filename*=utf-8''b.csv; filename=c.csv",
  'filename="=?utf-8?B?YQ==?="',
  'filename="unclosed',
  "name*=utf-8''pipeline; filename=a.csv",
] as const

export const ofParts: Readonly<Record<string, PartsMutation>> = {
  'no parts': () => [],
  'no file': ({ parts }) => parts.slice(0, -1),
  'a part twice': ({ parts }, next) => [...parts, pick(parts, next)],
  'parts in any order': ({ parts }, next) => shuffled([...parts, field('name', 'a.csv')], next),
  'many fields': ({ parts }, next) => [
    ...Array.from({ length: between(50, 400, next) }, () => field('param.x', 'y')),
    ...parts,
  ],
  'many files': ({ parts }, next) => [...parts, ...Array.from({ length: between(1, 300, next) }, () => file('b.csv'))],
  'big files': ({ parts }) => [...parts, ...Array.from({ length: 5 }, () => file('b.csv', 'x'.repeat(200_000)))],
  'a long field': ({ parts }, next) => [field('name', 'x'.repeat(between(65_530, 200_000, next))), ...parts],
  'a bad field': ({ parts }, next) => [
    field(pick(['__proto__', 'constructor', 'toString', 'owner', 'pipeline', 'wait', 'x'.repeat(9000)], next), 'x'),
    ...parts,
  ],
  'a field with a type': ({ parts }, next) => {
    const types = ['application/json', 'text/plain; charset=utf-16le', 'text/plain; charset=base64', 'text/plain;;;=']
    const values = ['{"__proto__":1}', '{', '"x"', '1', '\ud800', 'x'.repeat(70_000)]
    const { lines, content } = field('name', pick(values, next))
    return [{ lines: [...lines, `Content-Type: ${pick(types, next)}`], content }, ...parts]
  },
  'a form in the form': ({ parts, boundary }, next) => {
    const inner = pick([boundary, `${boundary}i`, 'inner'], next)
    const content = `--${inner}\r\n${file('c.csv').lines.join('\r\n')}\r\n\r\nx\r\n--${inner}--\r\n`
    const lines = ['Content-Disposition: form-data; name="f"', `Content-Type: multipart/mixed; boundary=${inner}`]
    return chance(0.5, next) ? [{ lines, content: Buffer.from(content) }, ...parts] : [...parts, file('d', content)]
  },
  'the boundary in the data': ({ parts, boundary }, next) => {
    const nearly = [
      `\r\n--${boundary}x\r\n`,
      `\r\n--${boundary}`,
      `--${boundary}\r\n\r\n`,
      `\r\n--${boundary} \r\n\r\n`,
    ]
    const ends = [`\r\n--${boundary}-`, `\r\n--${boundary}--`, `\r\n--${boundary}-\r\n-`]
    return [...parts.slice(0, -1), file('a.csv', `a,b\r\n1,2${pick([...nearly, ...ends], next)}3,4\r\n`)]
  },
  'no headers': ofLines(() => []),
  'no disposition': ofLines((lines) => lines.map((line) => line.replace(/^Content-Disposition/i, 'X-Disposition'))),
  'no name': ofLines((lines) => lines.map((line) => line.replace(/; name="[^"]*"/, ''))),
  'another disposition': ofLines((lines, _, next) =>
    lines.map((line) => line.replace('form-data', pick(['attachment', 'FORM-DATA', 'form-data form-data', ''], next))),
  ),
  'headers twice': ofLines((lines, _, next) => [
    ...lines,
    'content-disposition: form-data; name="z"',
    pick(lines, next),
  ]),
  'a broken header': ofLines((lines, _, next) => {
    const broken = [
      '',
      'no colon',
      ': no name',
      'a\0b: c',
      ' folded',
      '\tfolded: x',
      'a: \u0080\u00ff',
      'x:\ry',
      'x:\ny',
    ]
    return shuffled([...lines, pick(broken, next)], next)
  }),
  'a huge header': ofLines((lines, _, next) =>
    shuffled([...lines, `X-Huge: ${'x'.repeat(between(70_000, 300_000, next))}`], next),
  ),
  'many headers': ofLines((lines, _, next) =>
    shuffled([...lines, ...Array.from({ length: between(1900, 6000, next) }, (__, i) => `x${i}: y`)], next),
  ),
  'names of all kinds': ({ parts }, next) => [...parts.slice(0, -1), file(pick(names, next))],
  'charset games': ({ parts }, next) => [
    ...parts.slice(0, -1),
    { lines: [`Content-Disposition: form-data; name="f"; ${pick(charsetGames, next)}`], content: Buffer.from('a\n') },
  ],
  'an encoding': ofLines((lines, _, next) => [
    ...lines,
    `Content-Transfer-Encoding: ${pick(['base64', 'quoted-printable', '8bit', '', '\0'], next)}`,
  ]),
  'what is no table': ({ parts }, next) => {
    const contents = [
      Buffer.alloc(3000),
      Buffer.from('PK\x03\x04'),
      Buffer.from('PK\x05\x06rest'),
      Buffer.from('%PDF-1.7'),
    ]
    return [...parts.slice(0, -1), file('a.csv', pick(contents, next))]
  },
}

/** A stretch of the bytes, most of them short. */
function stretch(bytes: Buffer, next: Random): readonly [from: number, to: number] {
  const from = between(0, bytes.length, next)
  return [from, Math.min(bytes.length, from + between(0, pick([3, 80, bytes.length], next), next))]
}

/** Puts something else in the place of one that occurs there; the bytes themselves where there is none. */
function replaceOne(bytes: Buffer, what: string, by: string, next: Random): Buffer {
  const found: number[] = []
  for (let at = bytes.indexOf(what, 0, 'latin1'); at >= 0; at = bytes.indexOf(what, at + 1, 'latin1')) found.push(at)
  if (found.length === 0) return bytes
  const at = pick(found, next)
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(by, 'latin1'), bytes.subarray(at + what.length)])
}

export const ofBytes: Readonly<Record<string, BytesMutation>> = {
  cut: (bytes, _, next) => bytes.subarray(0, between(0, bytes.length, next)),
  'cut at the end': (bytes, _, next) => bytes.subarray(0, -between(1, 12, next)),
  'cut at a boundary': (bytes, boundary, next) =>
    bytes.subarray(0, Math.max(0, bytes.lastIndexOf(`--${boundary}`) + between(-3, boundary.length + 4, next))),
  'cut at the beginning': (bytes, _, next) => bytes.subarray(between(1, 40, next)),
  'flipped bytes': (bytes, _, next) => {
    const flipped = Buffer.from(bytes)
    for (let i = between(1, 8, next); i > 0 && flipped.length > 0; i--) {
      const at = between(0, flipped.length - 1, next)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << between(0, 7, next))
    }
    return flipped
  },
  'other bytes': (bytes, _, next) => {
    const [from, to] = stretch(bytes, next)
    const other = pick(['\0', '\r', '\n', '\r\n', '\r\n\r\n', '--', '\0'.repeat(5000), '"', ';', '\xff'], next)
    return Buffer.concat([bytes.subarray(0, from), Buffer.from(other, 'latin1'), bytes.subarray(to)])
  },
  'a stretch is missing': (bytes, _, next) => {
    const [from, to] = stretch(bytes, next)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
  },
  'a stretch twice': (bytes, _, next) => {
    const [from, to] = stretch(bytes, next)
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)])
  },
  'stretches swapped': (bytes, _, next) => {
    const [a, b] = stretch(bytes, next)
    const c = between(b, bytes.length, next)
    const order = [bytes.subarray(0, a), bytes.subarray(b, c), bytes.subarray(a, b), bytes.subarray(c)]
    return Buffer.concat(order)
  },
  'lone line feeds': (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
  'lone carriage returns': (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\r'), 'latin1'),
  'one lone line end': (bytes, _, next) =>
    replaceOne(bytes, '\r\n', pick(['\r', '\n', '\n\r', '\r\r\n', ''], next), next),
  'a broken boundary': (bytes, boundary, next) => {
    const broken = [boundary.slice(1), `${boundary}x`, ` ${boundary}`, '', boundary.toUpperCase(), `\0${boundary}`]
    return replaceOne(bytes, `--${boundary}`, `--${pick(broken, next)}`, next)
  },
  'an end in the middle': (bytes, boundary, next) =>
    replaceOne(bytes, `--${boundary}\r\n`, `--${boundary}--\r\n`, next),
  'no end': (bytes, boundary, next) =>
    replaceOne(bytes, `--${boundary}--`, pick(['', `--${boundary}`, `--${boundary}-`], next), next),
  'a preamble': (bytes, boundary, next) => {
    const preambles = [
      'preamble\r\n',
      '\r\n',
      '\n',
      `--${boundary.slice(0, -1)}\r\n`,
      'x'.repeat(100_000),
      '\0\0\0\r\n',
    ]
    return Buffer.concat([Buffer.from(pick(preambles, next)), bytes])
  },
  'an epilogue': (bytes, boundary, next) => {
    const epilogues = ['epilogue', '\r\n'.repeat(50), `\r\n--${boundary}\r\n`, '\0'.repeat(200_000)]
    return Buffer.concat([bytes, Buffer.from(pick(epilogues, next))])
  },
  twice: (bytes) => Buffer.concat([bytes, bytes]),
  nothing: () => Buffer.alloc(0),
  NULs: (bytes) => Buffer.alloc(bytes.length),
}

export const ofType: Readonly<Record<string, TypeMutation>> = {
  'another boundary': (boundary) => `multipart/form-data; boundary="${boundary}z"`,
  'a shorter boundary': (boundary) => `multipart/form-data; boundary="${boundary.slice(0, -1)}"`,
  'no boundary': (_, next) =>
    `multipart/form-data${pick(['', ';', '; boundary', '; boundary=', '; boundary=""', '; boundary*=x', ' ', ';;;='], next)}`,
  'two boundaries': (boundary) => `multipart/form-data; boundary=one; boundary="${boundary}"`,
  'a long boundary': (boundary, next) => `multipart/form-data; boundary="${boundary.repeat(between(2, 100, next))}"`,
  'a broken boundary': (boundary) => `multipart/form-data; boundary="${boundary}`,
  'a bare boundary': (boundary) => `multipart/form-data; boundary=${boundary}`,
  'an odd boundary': (_, next) =>
    `multipart/form-data; boundary=${pick(['\xff\xfe', "utf-8''%0d%0a", '"\\""', '--'], next)}`,
  'other letters': (boundary) => `MULTIPART/Form-Data;BOUNDARY="${boundary}";charset=utf-8`,
  'another type': (boundary, next) =>
    `multipart/${pick(['mixed', 'related', 'form-data2', 'form-data/x', ''], next)}; boundary="${boundary}"`,
}

/** How the body comes, where that is not as it is told: then nobody knows where it ends. */
export const badFramings = ['told too short', 'told too long', 'broken off', 'gone'] as const
export type Framing = 'told' | 'chunked' | (typeof badFramings)[number]

export function isBad(framing: Framing): boolean {
  return badFramings.some((bad) => bad === framing)
}
