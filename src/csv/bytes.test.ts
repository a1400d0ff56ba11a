import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { constants, crc32, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { runs } from '../../test/runs.ts'
import { AppError } from '../errors.ts'
import { unpack, type UnpackOptions } from './bytes.ts'
import { refuseForeign } from './foreign.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-bytes-'))
})
after(() => rm(folder, { recursive: true }))

const table = Buffer.from(`id,name\n${Array.from({ length: 20_000 }, (_, i) => `${i},Zoë ${i * 7919}\n`).join('')}`)

async function unpacked(packed: Uint8Array, options: Partial<UnpackOptions> = {}) {
  const [path, target] = [join(folder, 'packed'), join(folder, 'target')]
  await rm(target, { force: true })
  await writeFile(path, packed)
  const signal = new AbortController().signal
  const all = { name: 'in.csv', most: 1 << 30, signal, onProgress: () => {}, ...options }
  return { ...(await unpack(path, target, all)), source: path }
}

async function assertRefused(
  packed: Uint8Array,
  words: RegExp,
  options: Partial<UnpackOptions> & { code?: string } = {},
) {
  const { code = 'rejected', ...rest } = options
  await assert.rejects(unpacked(packed, rest), (error) => {
    assert.ok(error instanceof AppError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, words)
    assert.match(error.message, /in\.csv/)
    assert.equal(error.details?.['file'], 'in.csv')
    return true
  })
  await assert.rejects(stat(join(folder, 'target')), { code: 'ENOENT' })
}

async function assertUnpacks(packed: Uint8Array, compression: string, content: Buffer) {
  const { path, bytes, ...rest } = await unpacked(packed)
  assert.equal(rest.compression, compression)
  assert.equal(bytes, content.length)
  assert.ok(content.equals(await readFile(path)))
}

/** The bytes with one bit turned over; counted from the end when negative. */
function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  const place = at < 0 ? copy.length + at : at
  copy.writeUInt8(copy.readUInt8(place) ^ 1, place)
  return copy
}

function zstd(bytes: Buffer): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
}

interface ZipEntry {
  readonly name: string
  readonly content?: Buffer
  readonly stored?: boolean
  /** Bit 0: encrypted. */
  readonly flags?: number
  readonly method?: number
  readonly crc?: number
  readonly bytes?: number
  readonly mode?: number
}

/** A zip archive by the book (APPNOTE 4.3): local headers with data, the directory, its end. */
function zip(...entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, content = Buffer.alloc(0), stored = false, flags = 0, ...odd } of entries) {
    const data = stored ? content : deflateRawSync(content)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(flags, 2)
    common.writeUInt16LE(odd.method ?? (stored ? 0 : 8), 4)
    common.writeUInt32LE(odd.crc ?? crc32(content), 10)
    common.writeUInt32LE(data.length, 14)
    common.writeUInt32LE(odd.bytes ?? content.length, 18)
    common.writeUInt16LE(name.length, 22)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(((odd.mode ?? 0o100644) << 16) >>> 0, 6)
    rest.writeUInt32LE(offset, 10)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), data])
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), common, rest, Buffer.from(name)]))
    locals.push(local)
    offset += local.length
  }
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, ...directory, end])
}

test('what is not compressed is left as it is, whatever its name', async () => {
  const plain = await unpacked(table, { name: 'in.csv.gz' })
  assert.equal(plain.path, plain.source)
  assert.partialDeepStrictEqual(plain, { compression: 'none', bytes: table.length })
  await assert.rejects(stat(join(folder, 'target')), { code: 'ENOENT' })
  assert.equal((await unpacked(Buffer.alloc(0))).compression, 'none')
})

test('progress tells the bytes of the source, up to its last one', async () => {
  const packed = gzipSync(randomBytes(3 << 20))
  const told: number[] = []
  await unpacked(packed, { onProgress: (bytes) => void told.push(bytes) })
  assert.equal(told.at(-1), packed.length)
  assert.ok(told.length > 2)
  assert.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  )
})

for (const [kind, pack] of [
  ['gzip', (bytes: Buffer) => gzipSync(bytes)],
  ['zstd', zstd],
] as const) {
  suite(kind, () => {
    test('unpacks one member and several, and an empty one', async () => {
      await assertUnpacks(pack(table), kind, table)
      await assertUnpacks(Buffer.concat([pack(table), pack(table)]), kind, Buffer.concat([table, table]))
      await assertUnpacks(pack(Buffer.alloc(0)), kind, Buffer.alloc(0))
    })

    test('unpacks members of any sizes, so that none is lost where chunks end', async () => {
      const member = fc.integer({ min: 0, max: 400_000 }).map((length) => randomBytes(length))
      await fc.assert(
        fc.asyncProperty(fc.array(member, { minLength: 1, maxLength: 6 }), async (members) => {
          await assertUnpacks(Buffer.concat(members.map(pack)), kind, Buffer.concat(members))
        }),
        runs(8),
      )
    })

    test('notices every way of being cut off', async () => {
      const packed = pack(table)
      for (const length of [5, 12, packed.length >> 1, packed.length - 5, packed.length - 4, packed.length - 1]) {
        await assertRefused(packed.subarray(0, length), /ends in the middle/)
        await assertRefused(Buffer.concat([packed, packed.subarray(0, length)]), /ends in the middle/)
      }
    })

    test('notices a wrong checksum, and any other bit', async () => {
      const packed = pack(table)
      await assertRefused(flipped(packed, kind === 'zstd' ? -1 : -5), /is damaged/)
      await assertRefused(flipped(packed, -3), /is damaged/)
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 10, max: packed.length - 1 }), async (at) => {
          await assertRefused(flipped(packed, at), /damaged|middle|behind/)
        }),
        runs(15),
      )
    })

    test('notices what stands behind the end', async () => {
      for (const garbage of ['x', 'garbage that is long', '\x1f', '\x28\xb5', '\0x', `${'\0'.repeat(500)}x`]) {
        await assertRefused(Buffer.concat([pack(table), Buffer.from(garbage, 'latin1')]), /behind|middle/)
      }
      await assertRefused(Buffer.concat([pack(table), Buffer.alloc(9), pack(table)]), /behind/)
      // Far enough behind to be read with another chunk.
      await assertRefused(Buffer.concat([pack(table), Buffer.alloc(1 << 20), Buffer.from('x')]), /behind/)
    })

    test('stops a bomb at the limit', async () => {
      const bomb = pack(Buffer.alloc(64 << 20))
      assert.ok(bomb.length < 1 << 17)
      await assertRefused(bomb, /more than 1000000 bytes.*ROWMILL_MAX_UNPACKED/, { code: 'too_large', most: 1_000_000 })
      assert.equal((await unpacked(bomb, { most: 64 << 20 })).bytes, 64 << 20)
      await assertRefused(bomb, /more than/, { code: 'too_large', most: (64 << 20) - 1 })
    })
  })
}

test('zeros behind the last gzip member are padding, and behind a zstd frame they are not', async () => {
  const [whole, empty] = [gzipSync(table), gzipSync(Buffer.alloc(0))]
  for (const zeros of [1, 9, 64, 65, 512, (256 << 10) - whole.length, 256 << 10, 1 << 20]) {
    const padding = Buffer.alloc(zeros)
    await assertUnpacks(Buffer.concat([whole, padding]), 'gzip', table)
    await assertUnpacks(Buffer.concat([whole, whole, padding]), 'gzip', Buffer.concat([table, table]))
    // It ends in nine zeros of its own.
    await assertUnpacks(Buffer.concat([empty, padding]), 'gzip', Buffer.alloc(0))
    await assertRefused(Buffer.concat([flipped(whole, -5), padding]), /is damaged/)
    await assertRefused(Buffer.concat([whole.subarray(0, whole.length >> 1), padding]), /middle|damaged/)
    await assertRefused(Buffer.concat([zstd(table), padding]), /behind|middle/)
  }
})

test('a zstd frame that carries other data, before or behind the text, is passed over', async () => {
  const other = Buffer.concat([Buffer.from('5e2a4d1804000000', 'hex'), Buffer.from('abcd')])
  await assertUnpacks(Buffer.concat([other, zstd(table), other, zstd(table)]), 'zstd', Buffer.concat([table, table]))
  await assertRefused(Buffer.concat([zstd(table), other.subarray(0, -1)]), /ends in the middle/)
})

test('a zstd window that would take too much memory is refused', async () => {
  // A frame that says so in its header: a window of 1 GiB, then one empty block.
  await assertRefused(Buffer.from('28b52ffd00a0010000', 'hex'), /window of more than 128 MiB/)
})

suite('zip', () => {
  test('unpacks the one file, packed or stored, folders and what macOS adds left out', async () => {
    const file = { name: 'data/in.csv', content: table }
    await assertUnpacks(zip(file), 'zip', table)
    await assertUnpacks(zip({ ...file, stored: true }), 'zip', table)
    await assertUnpacks(zip({ name: 'data/', stored: true, mode: 0o40755 }, file), 'zip', table)
    await assertUnpacks(zip(file, { name: '__MACOSX/data/._in.csv', content: Buffer.from('x') }), 'zip', table)
    for (const stored of [true, false]) await assertUnpacks(zip({ name: 'a', stored }), 'zip', Buffer.alloc(0))
    // Names that would lead out of a folder do no harm: they are never used.
    await assertUnpacks(zip({ name: '../../in.csv', content: table }), 'zip', table)
  })

  test('refuses what is not exactly one file, by what it is', async () => {
    const [a, b, c] = ['a.csv', 'b.csv', 'c.csv'].map((name) => ({ name, content: table }))
    assert.ok(a && b && c)
    await assertRefused(zip(), /without a file/)
    await assertRefused(zip({ name: 'data/', stored: true }), /without a file/)
    await assertRefused(zip(a, b), /2 files \(a\.csv, b\.csv\)/)
    await assertRefused(zip(a, b, c, { name: 'd.csv' }), /4 files \(a\.csv, b\.csv, c\.csv, …\)/)
    await assertRefused(zip({ name: '[Content_Types].xml' }, { name: 'xl/workbook.xml' }), /an Office document/)
    await assertRefused(zip({ name: 'xl/workbook.xml' }, { name: '[Content_Types].xml' }), /an Excel workbook/)
    await assertRefused(zip({ name: 'mimetype', stored: true }, { name: 'content.xml' }), /OpenDocument/)
    await assertRefused(zip({ ...a, flags: 1 }), /encrypted.*without a password/)
    await assertRefused(zip({ ...a, flags: 0x41 }), /encrypted/)
    await assertRefused(zip({ ...a, method: 9 }), /Deflate64/)
    await assertRefused(zip({ ...a, mode: 0o120777 }), /a link/)
  })

  test('notices damage: cut off, a wrong checksum, wrong sizes, any other bit', async () => {
    const whole = zip({ name: 'in.csv', content: table })
    for (const length of [4, 30, 1000, whole.length >> 1, whole.length - 30, whole.length - 1]) {
      await assertRefused(whole.subarray(0, length), /cut off or damaged/)
    }
    await assertRefused(Buffer.concat([whole, Buffer.from('garbage')]), /cut off or damaged/)
    await assertRefused(zip({ name: 'in.csv', content: table, crc: 1 }), /is damaged \(incorrect data check\)/)
    await assertRefused(zip({ name: 'in.csv', content: table, stored: true, crc: 1 }), /is damaged/)
    for (const bytes of [table.length + 1, table.length - 1]) {
      await assertRefused(zip({ name: 'in.csv', content: table, bytes }), /is damaged \(incorrect length check\)/)
      await assertRefused(zip({ name: 'in.csv', content: table, bytes, stored: true }), /cut off or damaged/)
    }
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 36, max: whole.length - 100 }), async (at) => {
        await assertRefused(flipped(whole, at), /damaged|middle|behind/)
      }),
      runs(15),
    )
  })

  test('stops at the limit before and while it unpacks', async () => {
    const content = Buffer.alloc(1 << 20)
    await assertRefused(zip({ name: 'a', content }), /more than/, { code: 'too_large', most: 1000 })
    await assertRefused(zip({ name: 'a', content, bytes: 10 }), /more than/, { code: 'too_large', most: 1000 })
  })
})

test('the signal ends it with its own reason, and nothing is left', async () => {
  for (const packed of [
    gzipSync(randomBytes(4 << 20)),
    zstd(randomBytes(4 << 20)),
    zip({ name: 'a', content: table }),
  ]) {
    const controller = new AbortController()
    const reason = new Error('enough')
    const options = { signal: controller.signal, onProgress: () => controller.abort(reason) }
    await assert.rejects(unpacked(packed, options), reason)
    await assert.rejects(stat(join(folder, 'target')), { code: 'ENOENT' })
  }
})

test('no file stays open, whether it went well or not', { skip: !existsSync('/proc/self/fd') }, async () => {
  const open = () => readdirSync('/proc/self/fd').length
  const packed = zip({ name: 'a', content: table })
  await unpacked(packed)
  const earlier = open()
  for (let i = 0; i < 20; i++) {
    await unpacked(packed)
    await assertRefused(packed.subarray(0, 1000), /damaged/)
    await assertRefused(zip({ name: 'a', content: table, crc: 1 }), /damaged/)
    await assertRefused(gzipSync(table).subarray(0, 1000), /middle/)
  }
  assert.ok(open() <= earlier + 2, `${open()} open, ${earlier} before`)
})

test('what is no text is refused by what it is', () => {
  const bytes = (hex: string) => Buffer.from(hex, 'hex')
  for (const [start, words] of [
    [gzipSync(table), /compressed with gzip\. Unpack it/],
    [zstd(table), /compressed with zstd/],
    [zip({ name: 'a' }), /a zip archive/],
    [Buffer.from('%PDF-1.7\n'), /a PDF/],
    [bytes('5041523115041500'), /Parquet/],
    [bytes('d0cf11e0a1b11ae1'), /old Excel workbook/],
    [Buffer.from('SQLite format 3\0'), /SQLite/],
    [bytes('89504e470d0a1a0a'), /PNG/],
    [bytes('ffd8ffe000104a46'), /JPEG/],
    [bytes('7f454c4602010100'), /a program/],
    [bytes('fffe000061000000'), /UTF-32/],
    [Buffer.from('\ufeff<!DOCTYPE html><title>Sign in'), /a web page/],
    [Buffer.concat([Buffer.alloc(257), Buffer.from('ustar\0')]), /a tar archive/],
  ] as const) {
    assert.throws(() => refuseForeign(start, 'in.csv'), words)
  }
  for (const text of [
    '',
    'a,b\n',
    'PAR1,PAR2\n',
    'PK,SK\n',
    'BZh1,x\n',
    'GIF,PNG\n',
    '<5,10\n',
    '\ufeffa\n',
    'Obj,x\n',
  ]) {
    refuseForeign(Buffer.from(text), 'in.csv')
  }
  refuseForeign(Buffer.from('\ufeffa,b\n', 'utf16le'), 'in.csv')
})
