import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { contentOf, json, refusal, type Served, serve } from '../../test/http-fixture.ts'
import { tusClient } from '../../test/tus-fixture.ts'

const plays = Buffer.from('Song,Date,Number of Plays\nUmbrella,2020-01-02,200\n'.repeat(4))

const latin1 = (start: string) => Buffer.from(start.padEnd(2000, '\x01\x02abc\xff'), 'latin1')

/** A zip archive of these members, in this order; told to unpack to so many bytes, if it is. */
function zipOf(members: Readonly<Record<string, Buffer>>, told?: number): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(members)) {
    const data = deflateRawSync(content)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(8, 4)
    common.writeUInt32LE(crc32(content), 10)
    common.writeUInt32LE(data.length, 14)
    common.writeUInt32LE(told ?? content.length, 18)
    common.writeUInt16LE(name.length, 22)
    const where = Buffer.alloc(14)
    where.writeUInt32LE(offset, 10)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), data])
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), common, where, Buffer.from(name)]))
    locals.push(local)
    offset += local.length
  }
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(locals.length, 8)
  end.writeUInt16LE(locals.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, ...directory, end])
}

const png = latin1('\x89PNG\r\n\x1a\n')
const foreign: readonly (readonly [what: RegExp, bytes: Buffer])[] = [
  [/PNG/, png],
  [/a program/, latin1('\x7fELF\x02\x01')],
  [/PDF/, latin1('%PDF-1.7\n')],
  [/old Excel/, latin1('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1')],
  [/bzip2/, latin1('BZh91AY&SY')],
  [/Parquet/, latin1('PAR1\x15\x04')],
  [/web page/, Buffer.from('<!doctype html><html><body>Please log in</body></html>')],
  [/control characters/, Buffer.concat([plays, Buffer.alloc(plays.length)])],
  [/control characters/, Buffer.concat([plays, randomBytes(100_000)])],
]
const xlsx = zipOf({ '[Content_Types].xml': plays, 'xl/workbook.xml': plays })

const post = ({ url }: Served, body: Buffer | ReadableStream) =>
  fetch(`${url}/v1/uploads?name=plays.csv`, { method: 'POST', body, duplex: 'half' })

async function assertRefused(response: Response, why: RegExp, told = '422 rejected'): Promise<void> {
  assert.match(String((await json(response.clone()))['detail']), why)
  assert.equal(await refusal(response), told)
}

async function assertNothingLeft(served: Served): Promise<void> {
  assert.deepEqual(await served.files(), [])
  assert.deepEqual(await served.catalog.listUploads('local', { limit: 10 }), [])
}

async function* trickle(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
}

test('what is plainly no table is refused with the reason, packed or not, and nothing of it stays', async () => {
  await using served = await serve()
  for (const [what, bytes] of foreign) {
    await assertRefused(await post(served, bytes), what)
    await assertRefused(await post(served, gzipSync(bytes)), what)
    await assertRefused(await post(served, zstdCompressSync(bytes)), what)
    await assertRefused(await post(served, ReadableStream.from(trickle(bytes))), what)
  }
  await assertRefused(await post(served, xlsx), /Excel/)
  await assertRefused(await post(served, gzipSync(zipOf({ 'plays.csv': plays }))), /zip archive/)
  await assertRefused(await post(served, gzipSync(gzipSync(plays))), /gzip/)
  // Longer than what is looked at.
  await assertRefused(await post(served, Buffer.concat([png, randomBytes(200_000)])), /PNG/)
  await assertNothingLeft(served)
})

test('what is plainly no table is refused at the doors for stretches and for pieces, and changes nothing', async () => {
  await using served = await serve()
  const { begin, patch, offset } = tusClient(served)
  const begun = await fetch(`${served.url}/v1/uploads?parts=any`, { method: 'POST' })
  const { id } = ((await begun.json()) as { upload: { id: string } }).upload
  for (const [what, bytes] of [...foreign, [/PNG/, gzipSync(png)] as const]) {
    const path = await begin(bytes.length)
    await assertRefused(await patch(path, 0, bytes), what)
    assert.equal(await offset(path), 0)
    const put = await fetch(`${served.url}/v1/uploads/${id}/parts/1`, { method: 'PUT', body: bytes })
    await assertRefused(put, what)
  }
  const path = await begin(xlsx.length)
  await assertRefused(await patch(path, 0, xlsx), /Excel/)
  assert.equal(await offset(path), 0)
  assert.deepEqual(await served.files(), [])
  // Only the first piece begins the file.
  assert.equal((await fetch(`${served.url}/v1/uploads/${id}/parts/2`, { method: 'PUT', body: png })).status, 200)
})

test('an archive is looked into by its own directory', async () => {
  await using served = await serve({ limits: { maxUnpacked: plays.length } })
  const zip = zipOf({ 'plays.csv': plays })
  const refused = [
    [zipOf({ 'plays.csv': Buffer.concat([plays, plays]) }), /unpacks to 400 bytes; 200 are the most/, '413 too_large'],
    [zipOf({ 'plays.csv': plays }, 4_000_000_000), /unpacks to 4000000000 bytes/, '413 too_large'],
    [zipOf({ 'a.csv': plays, 'b.csv': plays }), /2 files \(a\.csv, b\.csv\)/, '422 rejected'],
    [zipOf({ 'folder/': Buffer.alloc(0) }), /without a file/, '422 rejected'],
    [zip.subarray(0, -10), /cut off or damaged/, '422 rejected'],
    [zip.subarray(0, 60), /cut off or damaged/, '422 rejected'],
    [zip.subarray(-22), /empty zip archive|without a file|damaged/, '422 rejected'],
  ] as const
  for (const [bytes, why, told] of refused) await assertRefused(await post(served, bytes), why, told)
  await assertNothingLeft(served)
  assert.deepEqual(await readdir(join(served.data, 'doors')), [])
  assert.equal((await post(served, zipOf({ '__MACOSX/._plays.csv': plays, 'plays.csv': plays }))).status, 201)
})

test('an archive in pieces is looked into once it is whole, and the pieces stay', async () => {
  await using served = await serve()
  const put = async (archive: Buffer) => {
    const begun = await fetch(`${served.url}/v1/uploads?parts=any`, { method: 'POST' })
    const { id } = ((await begun.json()) as { upload: { id: string } }).upload
    const pieces = [archive.subarray(0, 50), archive.subarray(50, 120), archive.subarray(120)]
    for (const [i, body] of pieces.entries()) {
      await fetch(`${served.url}/v1/uploads/${id}/parts/${i + 1}`, { method: 'PUT', body })
    }
    const complete = await fetch(`${served.url}/v1/uploads/${id}/complete`, { method: 'POST' })
    assert.ok((await contentOf(served, id)).equals(archive))
    return { complete, state: (await served.catalog.getUpload(id))?.state }
  }
  const several = await put(zipOf({ 'a.csv': plays, 'b.csv': plays }))
  await assertRefused(several.complete, /2 files/)
  assert.equal(several.state, 'open')
  const one = await put(zipOf({ 'plays.csv': plays }))
  assert.deepEqual([one.complete.status, one.state], [201, 'complete'])
})

test('every table passes, whatever it is written or packed in', async () => {
  await using served = await serve({ limits: { maxUnpacked: plays.length } })
  const text = 'Lied,Künstler\nÜber den Wolken,Reinhard Mey\n日本,x\n'
  const utf16 = Buffer.from(text, 'utf16le')
  const bodies = [
    plays,
    utf16,
    Buffer.from(`\ufeff${text}`, 'utf16le'),
    Buffer.from(utf16).swap16(),
    Buffer.from(text, 'latin1'),
    Buffer.from(`\ufeff${text}`),
    Buffer.alloc(0),
    Buffer.from('a'),
    Buffer.from('PK,Name\n1,x\n'),
    Buffer.from(`a,b\n${'x'.repeat(100)}\0,1\n`),
    Buffer.from('<b>,<i>\n1,2\n'),
    // Delimiters that the reader knows.
    Buffer.from('id\u0001n\n1\u00012\n3\u00014\n'),
    Buffer.from('id\u001fn\n1\u001f2\n3\u001f4\n'),
    Buffer.from('{"a":1}\n{"a":2}\n'),
    Buffer.concat([plays, randomBytes(100_000).map((byte) => byte | 0x80)]),
    gzipSync(plays),
    gzipSync(utf16),
    gzipSync(Buffer.alloc(0)),
    Buffer.concat([gzipSync(plays), gzipSync(plays)]),
    // What is cut off is told by who reads all of it.
    gzipSync(randomBytes(200_000).toString('hex')).subarray(0, -100),
    zstdCompressSync(plays),
    zipOf({ 'plays.csv': plays }),
  ]
  for (const [i, body] of bodies.entries()) {
    assert.equal((await post(served, body)).status, 201, `the ${i + 1}th`)
    assert.equal(
      (await post(served, ReadableStream.from(trickle(body.subarray(0, 3000))))).status,
      201,
      `the ${i + 1}th`,
    )
  }
})
