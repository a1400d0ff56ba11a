/**
 * Uploads as a few words and the rules for them: the model that the doors for stretches and for pieces are compared with.
 * Pieces come permuted, repeated, replaced, unnumbered and side by side; stretches at wrong places and several at once;
 * both with wrong checksums, more of them than is allowed, and broken off. What is refused has changed nothing.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { local } from '../../src/auth/authorize.ts'
import { openDiskBlobs } from '../../src/blobs/disk.ts'
import { usualKeeping } from '../../src/catalog/keeping.ts'
import { openCatalog } from '../../src/catalog/open.ts'
import { AppError, type ErrorCode } from '../../src/errors.ts'
import { createIngest } from '../../src/ingest/ingest.ts'
import type { Uploads } from '../../src/ingest/uploads.ts'
import { createLog } from '../../src/log.ts'
import type { UploadState } from '../../src/model.ts'
import { builtInFolder, loadPipelines } from '../../src/pipeline/load.ts'
import type { Blobs, Catalog } from '../../src/ports.ts'
import { openLocalQueue } from '../../src/queue/local.ts'
import { temporaryFolder } from '../harness.ts'
import { type Piece, type Scenario, type Sending, type Step, scenario } from './parts-steps.ts'

/** So small that a few lines reach them. */
const limits = { maxUpload: 60, maxUnpacked: 60, diskReserve: 0, segment: 8 }
const ownerQuota = 90

interface Model {
  readonly order: { readonly id: string; readonly size: number | null; state: UploadState; content: string }
  readonly pieces: {
    readonly id: string
    readonly count: number | null
    readonly isForTask: boolean
    state: UploadState
    parts: Map<number, string>
  }
}

interface Rig {
  /** What the catalog counts as stored, read beside it. */
  readonly stored: () => number
  readonly uploads: Uploads
  readonly blobs: Blobs
  readonly catalog: Catalog
  readonly folder: string
}

/** Does as a scenario says, and looks after each step. */
async function play(rig: Rig, { size, count, isForTask, steps }: Scenario) {
  const { uploads } = rig
  const run = { pipeline: 'song-plays', params: {}, again: true }
  const order = await uploads.begin(local, { name: 'order.csv', ...(size !== null && { size }) })
  const wish = isForTask ? { wish: { run } } : {}
  const pieces = await uploads.begin(local, { name: 'pieces.csv', comes: 'in pieces', pieces: count, ...wish })
  const model: Model = {
    order: { id: order.id, size, state: 'open', content: '' },
    pieces: { id: pieces.id, count, isForTask, state: 'open', parts: new Map() },
  }
  try {
    await assertAsExpected(rig, model)
    for (const one of steps) {
      await doStep(rig, model, one)
      await assertAsExpected(rig, model)
    }
    await removeBoth(rig, model)
    await assertAsExpected(rig, model)
  } catch (error) {
    // The next scenario, perhaps a smaller one of the same fault, begins from nothing.
    await removeBoth(rig, model).catch(() => {})
    await rig.blobs.delete('uploads/')
    throw error
  }
}

async function removeBoth({ uploads, catalog }: Rig, model: Model): Promise<void> {
  for (const one of [model.order, model.pieces]) {
    const { task, state } = await uploads.get(local, one.id)
    if (task !== null && state === 'complete') await catalog.cancel(task)
    await uploads.remove(local, one.id)
    one.state = 'deleted'
  }
}

async function doStep(rig: Rig, model: Model, one: Step): Promise<void> {
  const { uploads, catalog } = rig
  const { order, pieces } = model
  switch (one.does) {
    case 'piece': {
      const n = one.piece.n ?? numberOf(pieces, one.piece.content)
      if (n > (pieces.count ?? n)) return
      const told = await tell(() => uploads.putPiece(local, pieces.id, pieceOf(one.piece)))
      assert.ok(answersToPiece(model, one.piece, n).includes(told), `a piece was answered with ${told}`)
      if (told === 'done' && pieces.state === 'open') pieces.parts.set(n, one.piece.content)
      closeFull(pieces)
      return
    }
    case 'pieces side by side':
      return await sendSideBySide(uploads, catalog, model, one.pieces)
    case 'stretch': {
      const { content: before, state } = order
      const offset = Math.max(0, before.length + one.beside)
      const told = await tell(() => uploads.append(local, order.id, { ...stretchOf(one.sending), offset }))
      if (state !== 'open') return assert.equal(told, state === 'complete' ? 'conflict' : 'gone')
      if (offset !== before.length) return assert.equal(told, 'conflict')
      return await takeOver(uploads, model, one.sending, told)
    }
    case 'stretches at once': {
      const { content: before, state } = order
      const sent = one.sendings.map((sending) => ({ ...stretchOf(sending), offset: before.length }))
      const told = await Promise.all(sent.map((stretch) => tell(() => uploads.append(local, order.id, stretch))))
      if (state !== 'open') return assert.ok(!told.includes('done'))
      const now = await uploads.get(local, order.id)
      const came = (await contentOf(rig, order.id)).slice(before.length)
      const takenWhole = one.sendings.find((sending, i) => told[i] === 'done' && sending.content !== '')
      const source = takenWhole ?? one.sendings.find((sending) => sending.content.startsWith(came))
      assert.ok(source?.content.startsWith(came), `${came} is the beginning of none`)
      if (takenWhole !== undefined) assert.ok(came === takenWhole.content || now.state === 'complete')
      order.content += came
      order.state = now.state
      return
    }
    case 'resume': {
      const told = await tell(() => uploads.resume(local, order.id))
      return assert.equal(told, order.state === 'deleted' ? 'gone' : 'done')
    }
    case 'complete': {
      const { id, state } = model[one.which]
      const missing =
        one.which === 'order' ? order.size !== null && order.size !== order.content.length : hasGap(pieces)
      const expected = state === 'deleted' ? 'gone' : state === 'open' && missing ? 'conflict' : 'done'
      assert.equal(await tell(() => uploads.complete(local, id)), expected)
      if (expected === 'done') model[one.which].state = 'complete'
      return
    }
    case 'remove': {
      const { id, state } = model[one.which]
      const isNeeded = one.which === 'pieces' && pieces.isForTask && state === 'complete'
      assert.equal(await tell(() => uploads.remove(local, id)), isNeeded ? 'conflict' : 'done')
      if (!isNeeded) model[one.which].state = 'deleted'
    }
  }
}

type Told = ErrorCode | 'done' | 'broken'

/** What may be said to a piece of that number. */
function answersToPiece(model: Model, { content: sent, breaks, checksum, n: given }: Piece, n: number): Told[] {
  const { state, parts } = model.pieces
  if (state === 'deleted') return ['gone']
  const isBroken = breaks !== undefined
  if (state === 'complete') {
    if (isBroken) return ['broken']
    if (checksum === 'wrong') return ['checksum']
    const isRepeated = [...parts].some(([other, there]) => there === sent && (given === undefined || other === given))
    return [isRepeated ? 'done' : 'conflict']
  }
  const held = lengthOf(parts) - (parts.get(n)?.length ?? 0)
  const sum = held + sent.length
  const isTooMuch =
    sum > limits.maxUpload ||
    takenBy({ ...model, pieces: { ...model.pieces, parts: having(parts, n, sent) } }) > ownerQuota
  if (isBroken) return sum > limits.maxUpload ? ['broken', 'too_large'] : ['broken']
  const told = checksum === 'wrong' ? 'checksum' : 'done'
  if (isTooMuch) return checksum === 'wrong' ? ['too_large', 'checksum'] : ['too_large']
  return [told]
}

/** What became of a stretch that began where the upload ended. */
async function takeOver(uploads: Uploads, { order, pieces }: Model, sent: Sending, told: Told): Promise<void> {
  const came = sent.content.slice(0, sent.breaks)
  const end = order.content.length + came.length
  const taken = takenBy({ order: { ...order, content: order.content + came }, pieces })
  const isTooMuch = end > Math.min(order.size ?? Infinity, limits.maxUpload) || taken > ownerQuota
  const { bytes, state } = await uploads.get(local, order.id)
  const kept = bytes - order.content.length
  if (sent.checksum !== undefined) {
    // Taken whole or not at all.
    const answers: Told[] = []
    if (isTooMuch) answers.push('too_large')
    if (sent.breaks !== undefined) answers.push('broken')
    else if (sent.checksum === 'wrong') answers.push('checksum')
    assert.ok(answers.length === 0 ? told === 'done' : answers.includes(told), `a stretch was answered with ${told}`)
    assert.equal(kept, told === 'done' ? came.length : 0)
  } else if (isTooMuch) {
    // Known only when so much has come; the parts before are stored then.
    assert.ok(told === 'too_large' || told === 'broken' || state === 'complete', `a stretch was answered with ${told}`)
  } else {
    // What breaks behind the last byte has come whole.
    const isDone = sent.breaks === undefined || (told === 'done' && state === 'complete')
    assert.equal(told, isDone ? 'done' : 'broken')
    if (sent.breaks === undefined) assert.equal(kept, came.length)
  }
  assert.ok(kept >= 0 && kept <= came.length)
  order.content += came.slice(0, kept)
  if (order.content.length === order.size) order.state = 'complete'
}

/** Of pieces that come at once any may be the first: what is stored is what was answered with success. */
async function sendSideBySide(uploads: Uploads, catalog: Catalog, model: Model, sent: readonly Piece[]): Promise<void> {
  const { pieces } = model
  const inRange = sent.filter(({ n = 0 }) => n <= (pieces.count ?? n))
  const told = await Promise.all(inRange.map((piece) => tell(() => uploads.putPiece(local, pieces.id, pieceOf(piece)))))
  const { state } = await uploads.get(local, pieces.id)
  if (pieces.state !== 'open') {
    for (const [i, piece] of inRange.entries()) {
      assert.ok(answersToPiece(model, piece, piece.n ?? 0).includes(told[i] ?? 'done'))
    }
    return
  }
  for (const [i, answer] of told.entries()) {
    const { breaks, checksum } = inRange[i] ?? {}
    const may: Told[] = ['too_large']
    if (breaks !== undefined) may.push('broken')
    else if (checksum === 'wrong') may.push('checksum')
    else may.push('done')
    if (state === 'complete') may.push('conflict')
    assert.ok(may.includes(answer), `a piece beside others was answered with ${answer}`)
  }
  const stored = new Map<number, string>()
  const parts = await catalog.parts(pieces.id)
  assert.ok(parts.reduce((sum, { bytes }) => sum + bytes, 0) <= limits.maxUpload)
  for (const part of parts) {
    const taken = inRange.filter((piece, i) => piece.n === part.n && told[i] === 'done').map((piece) => piece.content)
    const before = pieces.parts.get(part.n)
    const isSure = inRange.some((piece, i) => piece.n === part.n && told[i] === 'done')
    const candidates = isSure || before === undefined ? taken : [...taken, before]
    const found = candidates.find((one) => sha256(one).toString('hex') === part.sha256)
    assert.ok(found !== undefined, `piece ${part.n} is none of those that were taken`)
    stored.set(part.n, found)
  }
  for (const n of pieces.parts.keys()) assert.ok(stored.has(n))
  pieces.parts = stored
  closeFull(pieces)
}

// ------------------------------------------------------------------------------------------------------- the rules

/** What of the quota is taken: what was announced, or has come where that is more. */
function takenBy({ order, pieces }: Pick<Model, 'order' | 'pieces'>): number {
  const ofOrder = { open: Math.max(order.size ?? 0, order.content.length), complete: order.content.length }
  const isKept = (state: UploadState) => state === 'open' || state === 'complete'
  return (
    (order.state === 'open' || order.state === 'complete' ? ofOrder[order.state] : 0) +
    (isKept(pieces.state) ? lengthOf(pieces.parts) : 0)
  )
}

function lengthOf(parts: ReadonlyMap<number, string>): number {
  return [...parts.values()].reduce((sum, { length }) => sum + length, 0)
}

function having(parts: ReadonlyMap<number, string>, n: number, sent: string): Map<number, string> {
  return new Map([...parts, [n, sent]])
}

/** One without a number is the one with the same bytes, else the next; behind the last, it is the first that is missing. */
function numberOf({ parts, count }: Model['pieces'], sent: string): number {
  const numbers = [...parts.keys()].toSorted((a, b) => a - b)
  const same = numbers.find((n) => parts.get(n) === sent)
  const next = (numbers.at(-1) ?? 0) + 1
  if (same !== undefined || count === null || next <= count) return same ?? next
  return numbers.findIndex((n, i) => n !== i + 1) + 1
}

function hasGap({ parts, count }: Model['pieces']): boolean {
  return parts.size < Math.max(count ?? 1, ...parts.keys())
}

function closeFull(pieces: Model['pieces']): void {
  if (pieces.state === 'open' && pieces.parts.size === pieces.count) pieces.state = 'complete'
}

// ------------------------------------------------------------------------------------------------------ the look

/** The catalog, the blobs and the quota say what the model says, and nothing else is there. */
async function assertAsExpected({ uploads, catalog, folder, stored }: Rig, model: Model): Promise<void> {
  const { order, pieces } = model
  const named = new Set<string>()
  const ofPieces = [...pieces.parts].toSorted(([a], [b]) => a - b)
  for (const [{ id, state }, expected] of [
    [order, order.content],
    [pieces, ofPieces.map(([, one]) => one).join('')],
  ] as const) {
    const upload = await uploads.get(local, id)
    assert.equal(upload.state, state)
    const parts = await catalog.parts(id)
    for (const { blob } of parts) named.add(blob)
    if (state === 'deleted') {
      assert.deepEqual(parts, [])
      continue
    }
    assert.equal(upload.bytes, expected.length)
    assert.equal(await contentOf({ catalog, folder }, id), expected)
    assert.equal(upload.task !== null, id === pieces.id && pieces.isForTask && state === 'complete')
  }
  if (pieces.state !== 'deleted') {
    const parts = (await catalog.parts(pieces.id)).map(({ n, bytes, sha256: hash }) => [n, bytes, hash])
    assert.deepEqual(
      parts,
      ofPieces.map(([n, one]) => [n, one.length, sha256(one).toString('hex')]),
    )
  }
  const entries = await readdir(join(folder, 'blobs'), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  assert.deepEqual(new Set(files), new Set([...named].map((blob) => join(folder, 'blobs', blob))))
  assert.equal(stored(), takenBy(model))
}

async function contentOf({ catalog, folder }: Pick<Rig, 'catalog' | 'folder'>, id: string): Promise<string> {
  const parts = await catalog.parts(id)
  const contents = await Promise.all(parts.map(({ blob }) => readFile(join(folder, 'blobs', blob))))
  return Buffer.concat(contents).toString()
}

function stretchOf({ content: sent, breaks, checksum }: Sending) {
  const told = digestsOf(sent, checksum).map((digest) => ({ algorithm: 'sha256', digest }) as const)
  return { source: sourceOf(sent, breaks), checksum: told[0] }
}

function pieceOf({ content: sent, breaks, checksum, n }: Piece) {
  const told = () => digestsOf(sent, checksum).map((digest) => digest.toString('hex'))
  return { source: sourceOf(sent, breaks), n, told }
}

/** What is told of the bytes. */
function digestsOf(sent: string, checksum: Sending['checksum']): Buffer[] {
  return checksum === undefined ? [] : [sha256(checksum === 'right' ? sent : `${sent}!`)]
}

async function* sourceOf(sent: string, breaks = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(sent).subarray(0, breaks)
  for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3)
  if (breaks !== Number.POSITIVE_INFINITY) throw new AppError('invalid', 'The connection broke off.')
}

async function tell(work: () => Promise<unknown>): Promise<Told> {
  try {
    await work()
    return 'done'
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return error.code === 'invalid' ? 'broken' : error.code
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Plays so many scenarios; fast-check tells the smallest that goes wrong, and its seed. */
export async function anyUploads({ runs, seed }: { runs: number; seed?: number }): Promise<void> {
  await using folder = await temporaryFolder()
  const log = createLog('silent')
  const keeping = { ...usualKeeping, ownerQuota }
  await using catalog = await openCatalog(`sqlite:${folder.at('catalog.db')}`, { log, keeping })
  await using queue = openLocalQueue(catalog, { pollMs: 60_000, log })
  const blobs = await openDiskBlobs(folder.at('blobs'), { log })
  const { uploads } = createIngest({
    catalog,
    blobs,
    queue,
    pipelines: await loadPipelines([builtInFolder()]),
    limits,
    scratch: folder.at('doors'),
    leaseMs: 10_000,
    now: Date.now,
    log,
  })
  using beside = new DatabaseSync(folder.at('catalog.db'), { readOnly: true })
  const counted = beside.prepare("select coalesce(sum(bytes), 0) as bytes from stored where owner = 'local'")
  const stored = () => Number(counted.get()?.['bytes'])
  const rig = { uploads, blobs, catalog, folder: folder.path, stored }
  await fc.assert(
    fc.asyncProperty(scenario, (one) => play(rig, one)),
    { numRuns: runs, ...(seed !== undefined && { seed }) },
  )
  assert.deepEqual(await catalog.checkIntegrity(), [])
}
