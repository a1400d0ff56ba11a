/** Requests with a form, made up from a seed: sound ones, and such as have this or that wrong with them. */
import { createHash } from 'node:crypto'
import { chance, pick, type Random, sfc32 } from '../../src/cli/random.ts'
import { between } from '../values/cells.ts'
import { drawForm, encode, type Form, readForm } from './form.ts'
import { badFramings, type Framing, isBad, ofBytes, ofParts, ofType } from './mutations.ts'

export type Door = 'uploads' | 'compat' | 'pieces' | 'set'

export interface Case {
  readonly seed: number
  readonly door: Door
  readonly form: Form
  /** What was done to the form, by name; nothing for one that is sound. */
  readonly mutations: readonly string[]
  /** The Content-Type. */
  readonly type: string
  readonly body: Buffer
  readonly framing: Framing
  /** Where the bytes are cut into pieces on their way. */
  readonly cuts: readonly number[]
}

export function drawCase(seed: number): Case {
  const next = sfc32(seed)
  // What these two take becomes a task, and tasks cost more than forms.
  const door = chance(0.1, next) ? pick(['compat', 'set'] as const, next) : pick(['uploads', 'pieces'] as const, next)
  const form = drawForm(next, door === 'pieces' ? { index: String(seed) } : {})
  const mutations: string[] = []
  const draw = <T>(from: Readonly<Record<string, T>>): T => {
    const name = pick(Object.keys(from), next)
    mutations.push(name)
    return from[name] as T
  }
  const kinds = chance(0.15, next) ? [] : Array.from({ length: pick([1, 1, 1, 2, 3], next) }, () => next())
  const isOne = (from: number, to: number) => kinds.filter((kind) => kind >= from && kind < to)
  let { parts } = form
  for (const _ of isOne(0, 0.45)) if (parts.length > 0) parts = draw(ofParts)({ ...form, parts }, next)
  let body = encode({ ...form, parts })
  for (const _ of isOne(0.45, 0.85)) body = draw(ofBytes)(body, form.boundary, next)
  let type = `multipart/form-data; boundary="${form.boundary}"`
  for (const _ of isOne(0.85, 0.93)) type = draw(ofType)(form.boundary, next)
  let framing: Framing = chance(0.2, next) ? 'chunked' : 'told'
  for (const _ of isOne(0.93, 1)) {
    framing = pick(badFramings, next)
    mutations.push(framing)
  }
  return { seed, door, form, mutations, type, body, framing, cuts: drawCuts(body.length, next) }
}

/** Few or many, and many of them near the end, where the last boundary is. */
function drawCuts(length: number, next: Random): number[] {
  const count = pick([0, 0, 1, 3, 20], next)
  const first = chance(0.5, next) ? Math.max(0, length - 80) : 0
  return Array.from({ length: count }, () => between(first, length, next)).toSorted((a, b) => a - b)
}

/** The bytes that go over the wire, in the pieces that they go in. */
export function requestOf({ type, body, framing, cuts, seed }: Case, path: string): Buffer[] {
  const pieces = [...cuts, body.length].map((end, i) => body.subarray(cuts[i - 1] ?? 0, end))
  const told = { 'told too short': Math.floor(body.length / 2), 'told too long': body.length + 1 + (seed % 5000) }
  const isChunked = framing === 'chunked' || framing === 'broken off'
  const length = framing in told ? told[framing as keyof typeof told] : body.length
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    ...(isBad(framing) ? ['Connection: close'] : []),
    `Content-Type: ${type}`,
    isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`,
  ]
  const start = Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1')
  const behind = isBad(framing) ? [] : [follower]
  if (!isChunked) return [start, ...pieces, ...behind]
  const chunks = pieces.filter((piece) => piece.length > 0).map(chunkOf)
  return [start, ...chunks, Buffer.from(framing === 'chunked' ? '0\r\n\r\n' : 'ffff\r\n'), ...behind]
}

/** Whatever becomes of the form, the next request on the connection is a request. */
const follower = Buffer.from('GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')

const chunkOf = (piece: Buffer) =>
  Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])

/** The SHA-256 of everything that a body may be taken for. */
export function digestsOf({ type, body, form, mutations, framing }: Case): Set<string> {
  if (mutations.length === 0) return new Set([digestOf(form.file)])
  const came = framing === 'told too short' ? body.subarray(0, Math.floor(body.length / 2)) : body
  // What is not called a form is a file as it is.
  if (!/^multipart\/form-data\s*(;|$)/i.test(type)) return new Set([digestOf(came)])
  const told = [...type.matchAll(/boundary="?([^";]*)/gi)].map(([, boundary = '']) => boundary)
  const readings = told.map((boundary) => readForm(came, boundary)).filter(({ isWhole }) => isWhole)
  return new Set(readings.flatMap(({ contents }) => contents.map(digestOf)))
}

export function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
