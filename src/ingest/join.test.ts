import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { type Served, serve } from '../../test/http-fixture.ts'

const header = 'Song,Date,Number of Plays\n'
const rows = (from: number, end = '\n') =>
  Array.from({ length: 20 }, (_, i) => `Umbrella,2020-01-02,${from + i}${end}`).join('')

/** How the pieces are joined, as the answer to their completion says. */
async function joined({ url }: Served, pieces: readonly (string | Uint8Array)[]): Promise<unknown> {
  const begun = await fetch(`${url}/v1/uploads?parts=any`, { method: 'POST' })
  const { id } = ((await begun.json()) as { upload: { id: string } }).upload
  for (const [i, body] of pieces.entries()) {
    const put = await fetch(`${url}/v1/uploads/${id}/parts/${i + 1}`, { method: 'PUT', body })
    assert.equal(put.status, 200)
  }
  const complete = await fetch(`${url}/v1/uploads/${id}/complete`, { method: 'POST' })
  assert.equal(complete.status, 201)
  return ((await complete.json()) as { upload: { joined: unknown } }).upload.joined
}

const united: Readonly<Record<string, readonly (string | Uint8Array)[]>> = {
  'a header and rows each': [header + rows(100), header + rows(200), header + rows(300)],
  'one that does not end in a line': [header + rows(100).slice(0, -1), header + rows(200)],
  'one with nothing but the header': [header + rows(100), header],
  'lines that end in two ways': [header + rows(100), header.replace('\n', '\r\n') + rows(200, '\r\n')],
  'each in gzip': [gzipSync(header + rows(100)), gzipSync(header + rows(200))],
  'each in zstd': [
    zstdCompressSync(Buffer.from(header + rows(100))),
    zstdCompressSync(Buffer.from(header + rows(200))),
  ],
  'packed in several ways': [header + rows(100), gzipSync(header + rows(200))],
  'a mark before each': [`\ufeff${header}${rows(100)}`, `\ufeff${header}${rows(200)}`],
  'labels in quotes and without': [header + rows(100), `"Song","Date",Number of Plays\n${rows(200)}`],
  'another delimiter': [(header + rows(100)).replaceAll(',', ';'), (header + rows(200)).replaceAll(',', ';')],
}

test('pieces that begin with the same header each are united as rows', async () => {
  await using served = await serve()
  for (const [what, pieces] of Object.entries(united)) assert.equal(await joined(served, pieces), 'as rows', what)
})

const whole = header + rows(100) + rows(200)
const packed = gzipSync(whole)
const cutUp: Readonly<Record<string, readonly (string | Uint8Array)[]>> = {
  'one piece': [whole],
  'cut at lines': [header + rows(100), rows(200)],
  'cut within a line': [whole.slice(0, 333), whole.slice(333, 334), whole.slice(334)],
  'cut within the header': [whole.slice(0, 5), whole.slice(5)],
  'other headers': [header + rows(100), header.replace('Date', 'Day') + rows(200)],
  'a header in the first two only': [header + rows(100), header + rows(200), rows(300)],
  'packed as one': [packed.subarray(0, 100), packed.subarray(100)],
  'packed as one stream after another': [gzipSync(header + rows(100)), gzipSync(rows(200))],
  'equal lines': ['a,b\n'.repeat(50), 'a,b\n'.repeat(60), 'a,b\n'.repeat(50)],
  'equal lines that end in two bytes': ['a,b\r\n'.repeat(50), 'a,b\r\n'.repeat(50)],
  'numbers that begin alike': ['1,2,3\n4,5,6\n7,8,9\n', '1,2,3\n9,9,9\n7,7,7\n'],
  'dates that begin alike': ['2020-01-02,5\n2020-01-03,6\n', '2020-01-02,5\n2020-01-04,7\n'],
  'no line at all': ['abc', 'abc'],
  'nothing at all': ['', ''],
}

test('all other pieces are one file that was cut up, and joined as bytes', async () => {
  await using served = await serve()
  for (const [what, pieces] of Object.entries(cutUp)) assert.equal(await joined(served, pieces), 'as bytes', what)
})
