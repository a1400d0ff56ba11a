/** Requests of the tus protocol by hand, so that they can be told badly. */
import assert from 'node:assert/strict'
import type { Served } from './http-fixture.ts'

export const bodyType = 'application/offset+octet-stream'

type Body = NonNullable<RequestInit['body']>
export type Headers = Readonly<Record<string, string>>

/** What is asked of one server, each request with the version of the protocol unless it says otherwise. */
export interface TusClient {
  readonly send: (method: string, path: string, headers?: Headers, body?: Body) => Promise<Response>
  readonly create: (size: number, headers?: Headers, body?: Body) => Promise<Response>
  /** The path of a new upload. */
  readonly begin: (size: number, metadata?: Headers) => Promise<string>
  readonly patch: (path: string, offset: number, body: Body, headers?: Headers) => Promise<Response>
  /** The offset that it is told to go on from. */
  readonly offset: (path: string) => Promise<number>
}

export function tusClient({ url }: Pick<Served, 'url'>): TusClient {
  const client: TusClient = {
    send: (method, path, headers = {}, body) =>
      fetch(new URL(path, url), {
        method,
        headers: { 'tus-resumable': '1.0.0', ...headers },
        ...(body !== undefined && { body, duplex: 'half' }),
      }),
    create: (size, headers = {}, body) =>
      client.send(
        'POST',
        '/v1/uploads',
        { 'upload-length': String(size), ...(body !== undefined && { 'content-type': bodyType }), ...headers },
        body,
      ),
    begin: async (size, metadata = {}) => {
      const created = await client.create(size, {
        'upload-metadata': metadataOf({ filename: 'plays.csv', ...metadata }),
      })
      assert.equal(created.status, 201)
      return created.headers.get('location') ?? ''
    },
    patch: (path, offset, body, headers = {}) =>
      client.send('PATCH', path, { 'upload-offset': String(offset), 'content-type': bodyType, ...headers }, body),
    offset: async (path) => {
      const told = await client.send('HEAD', path)
      assert.equal(told.status, 200)
      return Number(told.headers.get('upload-offset'))
    },
  }
  return client
}

/** `filename cGxheXMuY3N2,pipeline c29uZy1wbGF5cw==` */
export function metadataOf(pairs: Headers): string {
  return Object.entries(pairs)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',')
}

/** A PATCH as it goes over the wire, with so much of its body; what follows is for the caller to send, or not. */
export function patchHead(path: string, offset: number, bytes: number, more = ''): string {
  return (
    `PATCH ${path} HTTP/1.1\r\nhost: localhost\r\ntus-resumable: 1.0.0\r\nupload-offset: ${offset}\r\n` +
    `content-type: ${bodyType}\r\ncontent-length: ${bytes}\r\n${more}\r\n`
  )
}
