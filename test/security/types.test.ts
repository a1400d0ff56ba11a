/** What a body is said to be, and what becomes of it: it is stored as it is, or refused, and nobody is misled by it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { UploadAnswer } from '../../src/cli/client.ts'
import { type Folder, getTask, json, type Service, startService, temporaryFolder } from '../harness.ts'
import { digestOf } from './cases.ts'
import { assertNoFault } from './left.ts'
import { type Answer, assertProblem, firstAnswer, tell } from './raw.ts'

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

const csv = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n'
const order = '{"pipeline":"song-plays","inputs":[]}'

/** Types that say nothing against a body's being a file. */
const fileTypes = [
  undefined,
  'text/csv',
  'TEXT/CSV;;',
  'text/csv; charset=utf-16',
  'text/html',
  'application/json',
  'application/json; charset=nonsense',
  'application/problem+json',
  'application/x-www-form-urlencoded',
  'application/offset+octet-stream',
  'multipart/mixed; boundary=x',
  'message/rfc822',
  '*/*',
  '__proto__/constructor',
  `x/${'y'.repeat(8000)}`,
]

/** Forms, which these bodies are not. */
const formTypes = [
  'multipart/form-data',
  'MULTIPART/Form-Data',
  'multipart/form-data; boundary',
  'multipart/form-data; boundary=',
  'multipart/form-data; boundary=""',
  'multipart/form-data; boundary=x',
  'multipart/form-data; boundary=x; boundary=y',
  `multipart/form-data; boundary=${'x'.repeat(8000)}`,
]

const noTypes = [
  '',
  ' ',
  '/',
  ';;;',
  'garbage',
  'text/',
  '/csv',
  'text/csv, multipart/form-data; boundary=x',
  '\x80/\xff',
]

/** A request whose connection stays, with another one behind it that ends it. */
function request(line: string, lines: readonly string[], body: string): Buffer {
  const head = [`${line} HTTP/1.1`, 'Host: localhost', ...lines, `Content-Length: ${body.length}`, '', ''].join('\r\n')
  return Buffer.from(`${head}${body}GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`, 'latin1')
}

/** The answer to a request; what comes behind it is a request again. */
async function answerTo(line: string, type: string | undefined, body: string, more: readonly string[] = []) {
  const told = type === undefined ? [] : [`Content-Type: ${type}`]
  const [answer, next, ...others] = await tell(service, request(line, [...told, ...more], body))
  assert.ok(answer !== undefined && next?.status === 200 && others.length === 0, `${line} ${type}`)
  return answer
}

async function uploadOf(id: string): Promise<UploadAnswer> {
  return await json<UploadAnswer>(await fetch(`${service.url}/v1/uploads/${id}`))
}

interface Door {
  readonly line: string
  /** The SHA-256 of what is stored. */
  readonly stored: (answer: Answer) => Promise<string | null | undefined>
}

async function doors(): Promise<Door[]> {
  const began = async (path: string) => await json<{ folder_name: string; upload: UploadAnswer }>(await post(path))
  const post = (path: string) => fetch(service.url + path, { method: 'POST' })
  const { upload } = await began('/v1/uploads?parts=any')
  const assembled = (await began('/api/upload?assemble=true')).folder_name
  const set = (await began('/api/upload?pipeline=song-plays')).folder_name
  const ofUpload = async ({ body }: Answer) => (JSON.parse(body) as { upload: UploadAnswer }).upload.sha256
  const ofPieces = (id: string) => async () => {
    const answer = await fetch(`${service.url}/v1/uploads/${id}/parts`)
    const { parts } = await json<{ parts: { n: number; sha256: string }[] }>(answer)
    return parts.find(({ n }) => n === 1)?.sha256
  }
  return [
    { line: 'POST /v1/uploads', stored: ofUpload },
    { line: 'PUT /v1/uploads', stored: ofUpload },
    { line: 'PUT /v1/uploads/a.csv', stored: ofUpload },
    { line: `PUT /v1/uploads/${upload.id}/parts/1`, stored: ofPieces(upload.id) },
    { line: `POST /api/upload/${assembled}?index=1`, stored: ofPieces(assembled) },
    { line: `POST /api/upload/${set}`, stored: ofUpload },
    {
      line: 'POST /v1/data_processor/upload',
      stored: async ({ body }) => {
        const { inputs } = await getTask(service, { id: (JSON.parse(body) as { task_id: string }).task_id })
        return (await uploadOf(inputs[0]?.upload ?? '')).sha256
      },
    },
  ]
}

test('a body of any type is stored as it is, and a form that is none, or a type that is none, is refused', async () => {
  for (const { line, stored } of await doors()) {
    for (const type of fileTypes) {
      for (const body of [csv, order]) {
        const answer = await answerTo(line, type, body)
        assert.ok(answer.status < 300, `${line} ${type}: ${answer.body}`)
        assert.equal(await stored(answer), digestOf(Buffer.from(body)), `${line} ${type}`)
      }
    }
    for (const [types, status] of [
      [formTypes, 400],
      [noTypes, 415],
    ] as const) {
      for (const type of types) {
        const answer = await answerTo(line, type, csv)
        assert.equal(answer.status, status, `${line} ${type}: ${answer.body}`)
        assertProblem(answer)
      }
    }
  }
})

test('the first of two types counts, whatever the second is', async () => {
  const form = 'Content-Type: multipart/form-data; boundary=x'
  assert.equal((await answerTo('POST /v1/uploads', 'text/csv', csv, [form])).status, 201)
  assert.equal((await answerTo('POST /v1/uploads', 'multipart/form-data; boundary=x', csv, [form])).status, 400)
})

test('tus takes bytes of its own type only', async () => {
  const headers = { 'tus-resumable': '1.0.0', 'upload-length': String(csv.length) }
  const begun = await fetch(`${service.url}/v1/uploads`, { method: 'POST', headers })
  const { upload } = await json<{ upload: UploadAnswer }>(begun)
  const tus = ['Tus-Resumable: 1.0.0', 'Upload-Offset: 0']
  for (const type of [...fileTypes, ...formTypes, ...noTypes]) {
    if (type === 'application/offset+octet-stream') continue
    for (const [line, ...more] of [['PATCH'], ['POST', 'X-HTTP-Method-Override: PATCH']] as const) {
      const answer = await answerTo(`${line} /v1/uploads/${upload.id}`, type, csv, [...tus, ...more])
      assert.ok([400, 415].includes(answer.status), `${line} ${type}: ${answer.body}`)
      assertProblem(answer)
    }
  }
  assert.equal((await uploadOf(upload.id)).bytes, 0)
})

test('what takes JSON takes no file for it', async () => {
  for (const type of [...fileTypes, ...formTypes, ...noTypes]) {
    for (const body of [csv, order, '', '{', '{"__proto__":{}}', '[]', 'null']) {
      const told = type === undefined ? [] : [`Content-Type: ${type}`]
      const answer = await firstAnswer(service, request('POST /v1/tasks', told, body))
      assert.ok(answer !== undefined && [400, 415, 422].includes(answer.status), `${type} ${body}: ${answer?.body}`)
      assertProblem(answer)
    }
  }
})
