/** Whoever comes to nothing is cut off, and who is only slow is not. `node test/slow-long.ts` has many of them. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { UploadAnswer } from '../../src/cli/client.ts'
import { type Folder, json, type Service, startService, store, temporaryFolder, until } from '../harness.ts'
import { assertNoFault, draftsOf, openFiles } from './left.ts'
import { answersIn, assertProblem, hear, hold } from './raw.ts'
import { askOnly, drip, dripBody, dripHeaders, endlessHeader, makeLongOutput, type SlowBody } from './slow.ts'

const env = { ROWMILL_HEADER_TIMEOUT: '1s', ROWMILL_IDLE_TIMEOUT: '3s' }

const body = Buffer.from('Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n')
/** Longer than both together, in which a body comes byte by byte. */
const slowMs = 6000

/** More than stands in the buffers between a service and a client that reads nothing. */
const longBytes = 24_000_000

const tus = { 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }
const form = { 'content-type': 'multipart/form-data; boundary=x' }
const formBody = Buffer.concat([
  Buffer.from('--x\r\ncontent-disposition: form-data; name="f"; filename="a.csv"\r\n\r\n'),
  body,
  Buffer.from('\r\n--x--\r\n'),
])

let folder: Folder
let service: Service
let longOutput: string
let stopAsking: () => Promise<number>
before(async () => {
  folder = await temporaryFolder()
  service = await startService({ data: folder.at('data'), env })
  longOutput = await makeLongOutput(service, longBytes)
  stopAsking = askAlways()
})
after(async () => {
  await service[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** Somebody else, who asks a little all the time, and is served. @returns ends it, with how often he was answered */
function askAlways(): () => Promise<number> {
  const stop = new AbortController()
  const asking = (async () => {
    let answers = 0
    for (; !stop.signal.aborted; answers++) {
      await json(await fetch(`${service.url}/v1/limits`))
      const { id } = await store(service, new Blob([`a,b\n${answers},2\n`]), 'other.csv')
      assert.equal((await fetch(`${service.url}/v1/uploads/${id}`, { method: 'DELETE' })).status, 204)
      await sleep(50)
    }
    return answers
  })()
  asking.catch(() => {})
  return () => {
    stop.abort()
    return asking
  }
}

async function begun(query: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(`${service.url}/v1/uploads${query}`, { method: 'POST', headers })
  return (await json<{ upload: UploadAnswer }>(answer)).upload.id
}

/** The upload of this id, or the one of this name. */
async function found(which: string): Promise<UploadAnswer | undefined> {
  const { uploads } = await json<{ uploads: UploadAnswer[] }>(await fetch(`${service.url}/v1/uploads?limit=200`))
  return uploads.find(({ id, name }) => id === which || name === which)
}

interface Door extends Omit<SlowBody, 'everyMs'> {
  /** The id of its upload, or its name. */
  readonly which: string
  /** Whether it keeps what has come when the rest does not. */
  readonly keeps: boolean
}

async function doors(name: string): Promise<Door[]> {
  const stretched = await begun('', { 'tus-resumable': '1.0.0', 'upload-length': String(body.length) })
  const pieced = await begun('?parts=1')
  return [
    { line: `POST /v1/uploads?name=${name}1`, body, which: `${name}1`, keeps: false },
    { line: `POST /v1/uploads?name=${name}2`, headers: form, body: formBody, which: `${name}2`, keeps: false },
    { line: `PUT /v1/uploads/${pieced}/parts/1`, body, which: pieced, keeps: false },
    { line: `PATCH /v1/uploads/${stretched}`, headers: tus, body, which: stretched, keeps: true },
  ]
}

/** What somebody is told before he is cut off. */
async function refusalOf(socket: Socket): Promise<number | undefined> {
  const [answer] = answersIn(await hear(socket)).slice(-1)
  if (answer !== undefined) assertProblem(answer)
  return answer?.status
}

suite('a client that takes its time', { concurrency: true }, () => {
  test('with the headers is told so and cut off, on a fresh connection and on one that was answered before', async () => {
    const again = hold(service, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\n')
    void drip(again, endlessHeader(), 100)
    const sockets = [dripHeaders(service, 50), dripHeaders(service, 300), again, hold(service, ''), hold(service, 'P')]
    assert.deepEqual(await Promise.all(sockets.map(refusalOf)), [408, 408, 408, 408, 408])
  })

  test('with the body is served to the end, at every door', async () => {
    const served = (await doors('slow')).map(async ({ which, ...slow }) => {
      const [answer] = answersIn(await hear(dripBody(service, { ...slow, everyMs: slowMs / slow.body.length })))
      assert.ok(answer !== undefined && answer.status < 300, answer?.body)
      const upload = await found(which)
      assert.deepEqual([upload?.state, upload?.bytes], ['complete', body.length], slow.line)
    })
    await Promise.all(served)
  })

  test('and stops amid the body is cut off; of tus its bytes are kept, and of others none', async () => {
    const cutOff = (await doors('stopped')).map(async ({ which, keeps, ...slow }) => {
      const comes = slow.body.length - 25
      assert.equal(await refusalOf(dripBody(service, { ...slow, comes, everyMs: 1 })), 408, slow.line)
      await until(`what came by ${slow.line} is kept or removed`, async () => {
        const upload = await found(which)
        return upload === undefined || (which === upload.id && upload.bytes === (keeps ? comes : 0))
      })
    })
    await Promise.all(cutOff)
  })

  test('and reads nothing of its download is cut off', async () => {
    const isRead = () => openFiles(service).some((path) => path.startsWith('blobs/results/'))
    const socket = askOnly(service, longOutput)
    await until('it is being served', isRead)
    await until('it is served no longer', () => !isRead())
    const [answer] = answersIn(await hear(socket.resume()))
    assert.equal(answer?.status, 200)
    const told = Number(answer.headers.get('content-length'))
    assert.ok(told > longBytes && answer.body.length < told, `${answer.body.length} of ${told} bytes have come`)
  })

  test('and says no more after an answer is cut off, too', async () => {
    const [answer] = answersIn(await hear(hold(service, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')))
    assert.equal(answer?.status, 200)
  })
})

test('all the while others are served, and in the end nothing is left of those who were cut off', async () => {
  assert.ok((await stopAsking()) > 0)
  await until('no draft is left', async () => (await draftsOf(service)).length === 0)
  await until('no file is open', () => !openFiles(service).some((path) => path.startsWith('blobs/')))
  assertNoFault(service)
})
