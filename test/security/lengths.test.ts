/** Requests that lie about where they end: nobody may put a request of his own behind another's. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { UploadAnswer } from '../../src/cli/client.ts'
import { type Folder, json, type Service, startService, temporaryFolder, until } from '../harness.ts'
import { assertNoFault } from './left.ts'
import { type Answer, answersIn, assertProblem, firstAnswer, hear, hold, tell } from './raw.ts'

let folder: Folder
let service: Service
before(async () => {
  folder = await temporaryFolder()
  service = await startService({ data: folder.at('data') })
})
after(async () => {
  assertNoFault(service)
  await service[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

const csv = 'a,b\n'
const smuggled = 'POST /v1/uploads?name=smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na\n'
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const chunked = `${chunk(csv)}0\r\n\r\n`

interface Sent {
  readonly lines: readonly string[]
  readonly body?: string
  readonly line?: string
  readonly status: number
}

const length = (text: string, status = 400): Sent => ({ lines: [`Content-Length: ${text}`], status })
const coding = (text: string, status = 400): Sent => ({
  lines: [`Transfer-Encoding: ${text}`],
  body: chunked,
  status,
})
const inChunks = (body: string, status = 400): Sent => ({ lines: ['Transfer-Encoding: chunked'], body, status })
const header = (line: string, status = 400): Sent => ({ lines: [line, 'Content-Length: 4'], status })

const sent: readonly Sent[] = [
  // A length that is none, or too much for anybody.
  ...['-4', '+4', '4,4', '4, 4', '0x4', '4 4', '', '4.0', '1e2', '99999999999999999999'].map((text) => length(text)),
  length('9007199254740993', 413),
  length('4\t', 201),
  // Two lengths, or two ways to tell it.
  { lines: ['Content-Length: 4', 'Content-Length: 4'], status: 400 },
  { lines: ['Content-Length: 4', 'Content-Length: 90'], body: csv + smuggled, status: 400 },
  { lines: ['Content-Length: 4', 'Transfer-Encoding: chunked'], body: `${chunk(smuggled)}0\r\n\r\n`, status: 400 },
  { lines: ['Transfer-Encoding: chunked', 'Content-Length: 4'], body: `0\r\n\r\n${smuggled}`, status: 400 },
  { lines: ['Transfer-Encoding: chunked', 'Content-Length: 0'], body: chunked, status: 400 },
  { lines: ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], body: chunked, status: 400 },
  // Chunks that are hidden from one reader and not from another.
  ...['identity', 'gzip', 'xchunked', '\x0bchunked', '"chunked"', 'chunked;q=1', 'chunked,', ''].map((text) =>
    coding(text),
  ),
  ...['chunked, identity', 'chunked, chunked'].map((text) => coding(text)),
  coding(' Chunked', 201),
  ...['zz', '-4', '0x4', '4 ', 'FFFFFFFFFFFFFFFFF', `4;${'x'.repeat(20_000)}`].map((size) =>
    inChunks(`${size}\r\n${csv}\r\n0\r\n\r\n`),
  ),
  inChunks(`4;a=b\r\n${csv}\r\n0\r\n\r\n`, 201),
  inChunks(`4\n${csv}\n0\n\n`),
  inChunks(`4\r\n${csv}XX0\r\n\r\n`),
  inChunks(`${chunk(csv)}0\r\nContent-Length: 5\r\n\r\n`),
  inChunks(`${chunk(csv)}0\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`),
  inChunks(`${chunk(csv)}0\r\nContent-Digest: sha-256=:AAAA:\r\n\r\n`),
  // Headers that are none, or too many.
  ...['Content-Length : 4', 'Content-Length:\r\n 4', 'X: a\r\n b', 'X: a\0b', 'X: a\rb', ': a', 'X'].map((line) =>
    header(line),
  ),
  header(`X: ${'y'.repeat(1_000_000)}`),
  { lines: [...Array.from({ length: 5000 }, (_, i) => `X${i}: y`), 'Content-Length: 4'], status: 400 },
  { lines: ['Content-Length: 4'], line: `POST /v1/uploads?name=${'x'.repeat(20_000)}`, status: 400 },
  header('Content-Encoding: br', 415),
  header('Content-Encoding: gzip, gzip', 415),
  // No length is no body; what comes then is none of it.
  { lines: [], status: 400 },
]

async function stored(): Promise<UploadAnswer[]> {
  const { uploads } = await json<{ uploads: UploadAnswer[] }>(await fetch(`${service.url}/v1/uploads?limit=200`))
  return uploads
}

test('whose length is not plain is refused, and what is hidden in its body is never a request', async () => {
  for (const { lines, body = csv, line = 'POST /v1/uploads?name=plain', status } of sent) {
    const head = [`${line} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...lines, '', ''].join('\r\n')
    const what = `${lines.join(' | ').slice(0, 200)}: ${body.slice(0, 50)}`
    const answer = await firstAnswer(service, Buffer.from(head + body, 'latin1'))
    assert.ok(answer !== undefined, what)
    assert.equal(answer.status, status, `${what}: ${answer.body}`)
    if (status >= 400) assertProblem(answer)
  }
  assert.deepEqual(new Set((await stored()).map(({ name }) => name)), new Set(['plain']))
})

test('a body that is shorter than told is never an upload', async () => {
  for (const lines of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    const head = `POST /v1/uploads?name=short HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n\r\n`
    const [answer] = await tell(service, head + (lines.startsWith('C') ? csv : chunk(csv)), { end: true })
    assert.equal(answer?.status, 400)
  }
  await until('it is removed', async () => !(await stored()).some(({ name }) => name === 'short'))
})

test('whoever expects to be told to go on is told so', async () => {
  const head =
    'POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n'
  const answers = await tell(service, head + csv)
  assert.deepEqual(
    answers.map(({ status }) => status),
    [100, 201],
  )
})

test('whoever expects what nobody knows is refused like anybody else', async () => {
  const head =
    'POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\nExpect: tea\r\n\r\n'
  const answer = await firstAnswer(service, head + csv)
  assert.ok(answer !== undefined)
  assertProblem(answer)
})

/** More than stands in the buffers between a client and a service. */
const long = 'x'.repeat(20_000_000)

/** Many clients look for the answer only when they have sent everything. */
async function answerAfterAll(head: string): Promise<Answer | undefined> {
  const socket = hold(service, `${head}Content-Length: ${long.length}\r\n\r\n${long}`).pause()
  await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', resolve))
  if (socket.readable) socket.resume().end()
  return answersIn(await hear(socket))[0]
}

test('whoever is refused while he sends reads the answer afterwards, also when the connection is to be closed', async () => {
  for (const connection of ['keep-alive', 'close']) {
    const head = `POST /v1/uploads?pipeline=nope HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\n`
    assert.equal((await answerAfterAll(head))?.status, 404, `Connection: ${connection}`)
  }
})

test('and so does whoever sends by tus more than he has announced', async () => {
  const tus = { 'tus-resumable': '1.0.0', 'upload-length': '10' }
  const begun = await fetch(`${service.url}/v1/uploads`, { method: 'POST', headers: tus })
  const lines = ['Tus-Resumable: 1.0.0', 'Upload-Offset: 0', 'Content-Type: application/offset+octet-stream', '']
  const head = [`PATCH ${begun.headers.get('location')} HTTP/1.1`, 'Host: localhost', ...lines].join('\r\n')
  assert.equal((await answerAfterAll(head))?.status, 413)
})
