/** Forms, most of them broken, against a service: what it may answer, and what must hold of what it keeps. */
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { UploadAnswer } from '../../src/cli/client.ts'
import { type Folder, getTask, json, type Service, startService, store } from '../harness.ts'
import { type Case, digestOf, digestsOf, type Door, drawCase, requestOf } from './cases.ts'
import { assertNoFault, cancelTasks, type Held, heldBy, keptIn, settled } from './left.ts'
import { isBad } from './mutations.ts'
import { type Answer, assertProblem, hold, tell } from './raw.ts'

/** Memory beyond what it has at the start: what it holds of the requests that are on their way, and the runtime's own slack. */
const mostMemory = 256 << 20

/** With a heap no larger than this, what is held for every form would soon end the process. */
const env = { ROWMILL_THREADS: '1', NODE_OPTIONS: '--max-old-space-size=128' }

/** Several at a time, as they come. */
const senders = 8

/** Where each door is; sound pieces have a folder to themselves, where nobody else replaces them. */
type Paths = Readonly<Record<Door | 'soundPieces', string>>

export interface Report {
  /** How many forms came out in each way. */
  readonly outcomes: ReadonlyMap<string, number>
  readonly before: Held
  readonly after: Held
}

/**
 * Sends the forms of so many seeds to a service of their own. Each is taken or refused, the service lives on, and has
 * just what it said.
 * @throws {Error} with the seed of the first form that is not answered as it may be
 */
export async function sendForms(
  folder: Folder,
  [first, last]: readonly [first: number, last: number],
  onSent: (count: number, held: Held) => void = () => {},
): Promise<Report> {
  await using service = await startService({ data: folder.at('data'), env })
  const paths = await openPaths(service)
  await store(service, new Blob(['a,b\n1,2\n']), 'first.csv')
  const before = heldBy(service)
  const sent: Sent[] = []
  let next = first
  async function sendNext(): Promise<void> {
    while (next <= last) {
      const one = drawCase(next++)
      sent.push(await send(service, paths, one).catch((cause: unknown) => assert.fail(told(one, cause))))
      if (sent.length % 1000 === 0) onSent(sent.length, heldBy(service))
    }
  }
  await Promise.all(Array.from({ length: senders }, sendNext))
  await cancelTasks(service)
  await settled(service, before)
  const after = heldBy(service)
  assert.ok(after.memory < before.memory + mostMemory, `${before.memory} bytes of memory have become ${after.memory}`)
  assert.equal(await service.stop(), 0)
  assertNoFault(service)
  await assertKept(service, sent)
  return { outcomes: outcomesOf(sent), before, after }
}

function told({ seed, door, mutations }: Case, cause: unknown): string {
  return `seed ${seed}, a form to ${door} (${mutations.join(', ') || 'sound'}): ${String(cause)}`
}

/** One folder of each kind, and the doors that have no folder. */
async function openPaths({ url }: Pick<Service, 'url'>): Promise<Paths> {
  const folder = async (query: string) => {
    const answer = await fetch(`${url}/api/upload?${query}`, { method: 'POST' })
    return `/api/upload/${(await json<{ folder_name: string }>(answer)).folder_name}`
  }
  return {
    uploads: '/v1/uploads',
    compat: '/v1/data_processor/upload',
    pieces: await folder('assemble=true'),
    soundPieces: await folder('assemble=true'),
    set: await folder('pipeline=song-plays'),
  }
}

// --------------------------------------------------------------------------------------------------- one form

/** A form that was sent, and what came of it. */
interface Sent {
  readonly seed: number
  readonly isSound: boolean
  /** Whether the service may have taken it without saying so. */
  readonly isUncertain: boolean
  /** Undefined where the connection was broken, and so there is no answer. */
  readonly status: number | undefined
  /** The upload that has come of it. */
  readonly upload: string | undefined
  /** As a piece, the SHA-256 of what it may be taken for. */
  readonly piece: ReadonlySet<string>
}

async function send(service: Service, paths: Paths, one: Case): Promise<Sent> {
  const isSound = one.mutations.length === 0
  const isPiece = one.door === 'pieces'
  const answer = await answerTo(service, one, paths[isPiece && isSound ? 'soundPieces' : one.door])
  const isTaken = answer !== undefined && answer.status < 300
  assert.ok(isTaken || !isSound, 'it is sound, and refused')
  if (answer !== undefined && !isTaken) assertProblem(answer)
  const upload = isTaken && !isPiece ? await uploadOf(service, one, answer) : undefined
  if (upload !== undefined) assertTold(one, upload)
  const isUncertain = isBad(one.framing)
  return {
    seed: one.seed,
    isSound,
    isUncertain,
    status: answer?.status,
    upload: upload?.id,
    piece: isPiece && (isTaken || isUncertain) ? digestsOf(one) : new Set(),
  }
}

async function answerTo(service: Service, one: Case, path: string): Promise<Answer | undefined> {
  const request = requestOf(one, path)
  if (one.framing === 'gone') {
    const socket = hold(service, Buffer.concat(request.slice(0, -1)))
    await turn()
    socket.destroy()
    return undefined
  }
  const [answer, ...more] = await tell(service, request, { end: ['told too long', 'broken off'].includes(one.framing) })
  if (isBad(one.framing) && (answer === undefined || more.length > 0)) return undefined
  assert.ok(answer !== undefined, 'it hangs up without an answer')
  const behind = more.map(({ status }) => status)
  assert.deepEqual(behind, isBad(one.framing) ? [] : [200], 'the answers to what follows on the connection')
  return answer
}

async function uploadOf(service: Service, { door }: Case, { body }: Answer): Promise<UploadAnswer> {
  const answer = JSON.parse(body) as { upload: UploadAnswer; task_id: string }
  if (door !== 'compat') return answer.upload
  const { inputs } = await getTask(service, { id: answer.task_id })
  return await json<UploadAnswer>(await fetch(`${service.url}/v1/uploads/${inputs[0]?.upload}`))
}

/** What is said to be stored is the file of the form: of a broken one, something that can be taken for its file. */
function assertTold(one: Case, { name, sha256, bytes }: UploadAnswer): void {
  if (one.mutations.length === 0) {
    assert.deepEqual([sha256, bytes], [digestOf(one.form.file), one.form.file.length])
    // A repeated task has the upload of the first one, which may be called otherwise.
    if (one.door !== 'compat') assert.equal(name, one.form.name)
  } else assert.ok(digestsOf(one).has(sha256 ?? ''), 'what it has stored stands nowhere in the form')
}

// ------------------------------------------------------------------------------------------------ all of them

/** Everything that was taken is there, and nothing that was refused. */
async function assertKept({ data }: Service, sent: readonly Sent[]): Promise<void> {
  const { parts, complete } = await keptIn(data)
  const taken = new Set(sent.flatMap(({ upload }) => upload ?? []))
  const lost = [...taken].filter((id) => !complete.has(id))
  assert.deepEqual(lost, [], 'uploads that were taken, and are not there')
  const nobodys = complete.size - taken.size - 1
  const uncertain = sent.filter(({ isUncertain }) => isUncertain).length
  assert.ok(nobodys >= 0 && nobodys <= uncertain, `${nobodys} uploads are there that nobody was told of`)

  const pieces = new Set(sent.flatMap(({ piece }) => [...piece]))
  const ofPieces = parts.filter(({ upload }) => !complete.has(upload))
  for (const { n, sha256 } of ofPieces) assert.ok(pieces.has(sha256), `piece ${n} is of no form that was taken`)
  for (const { seed, piece } of sent.filter(({ isSound, piece: { size } }) => isSound && size > 0)) {
    assert.ok(
      ofPieces.some(({ n, sha256 }) => n === seed && piece.has(sha256)),
      `piece ${seed} is not there`,
    )
  }
}

function outcomesOf(sent: readonly Sent[]): Map<string, number> {
  const outcomes = new Map<string, number>()
  for (const { isSound, status = 'without an answer' } of sent) {
    const way = `${isSound ? 'sound' : 'broken'}: ${status}`
    outcomes.set(way, (outcomes.get(way) ?? 0) + 1)
  }
  return outcomes
}
