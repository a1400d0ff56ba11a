import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openFile } from './open.ts'
import { RawReader } from './raw.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-'))
})
after(() => rm(folder, { recursive: true, force: true }))

/** A record as it is shown, which stands on the second line. */
async function shown(record: string, encoding: 'utf8' | 'utf16le'): Promise<string> {
  const path = join(folder, 'file')
  await writeFile(path, Buffer.from(`${encoding === 'utf8' ? '' : '\ufeff'}a,b\n${record}\n1,2\n`, encoding))
  const quiet = { signal: new AbortController().signal, onProgress: () => {} }
  const options = { name: 'file', scratch: join(folder, 'scratch'), given: {}, expected: [], mostBytes: 1e9, ...quiet }
  const file = await openFile(path, options, 'certain')
  await using raws = await RawReader.open(file)
  return (await raws.read({ byteOffset: 4, byteLength: Buffer.byteLength(record) })).raw
}

test('a long record is cut after a whole character, and says so, in any encoding', async () => {
  const most = 1 << 20
  for (const encoding of ['utf8', 'utf16le'] as const) {
    for (const record of ['short', 'x'.repeat(700_000), `x${'é'.repeat(700_000)}`, `x${'🦉'.repeat(300_000)}`]) {
      const raw = await shown(record, encoding)
      if (Buffer.byteLength(record, encoding) <= most) assert.equal(raw, record)
      else {
        assert.equal(raw.at(-1), '…')
        assert.ok(record.startsWith(raw.slice(0, -1)))
        assert.ok(Buffer.byteLength(raw.slice(0, -1), encoding) > most - 4)
      }
    }
  }
})
