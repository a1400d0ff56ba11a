import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { encoderOf } from '../../test/encode.ts'
import { runs } from '../../test/runs.ts'
import type { SourceMap } from './text/source-map.ts'
import { showBytes } from './text/decoder.ts'
import { transcode } from './transcode.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-transcode-'))
})
after(() => rm(folder, { recursive: true }))

const quiet = { signal: new AbortController().signal, onProgress: () => {} }

async function transcoded(bytes: Uint8Array, encoding: string, blockBytes?: number) {
  const [path, target] = [join(folder, 'source'), join(folder, 'target')]
  await writeFile(path, bytes)
  const map = await transcode(path, target, encoding, { ...quiet, ...(blockBytes === undefined ? {} : { blockBytes }) })
  return { text: await readFile(target), map }
}

async function textOf(bytes: Uint8Array, encoding: string, blockBytes?: number): Promise<Buffer> {
  const { text, map } = await transcoded(bytes, encoding, blockBytes)
  await map[Symbol.asyncDispose]()
  return text
}

const encodings = [
  'utf-8',
  'utf-16le',
  'utf-16be',
  'windows-1252',
  'windows-1253',
  'ibm850',
  'gb18030',
  'shift_jis',
  'euc-jp',
  'euc-kr',
  'big5',
]

/** Bytes that look for trouble: leads without trails, ASCII and line ends where trails should be. */
const nasty = fc
  .array(
    fc.oneof(
      { arbitrary: fc.integer({ min: 0x80, max: 0xff }), weight: 5 },
      { arbitrary: fc.constantFrom(...Buffer.from('\r\n\n,;"\'|\\@0123456789Az\0\x1a\x1c\x7f')), weight: 3 },
      { arbitrary: fc.constantFrom(0xd8, 0xdc, 0x00, 0xfe, 0xff), weight: 1 },
    ),
    { maxLength: 60 },
  )
  .map((bytes) => Buffer.from(bytes))

for (const encoding of encodings) {
  suite(encoding, () => {
    test('comes out the same however it is cut into blocks', async () => {
      await fc.assert(
        fc.asyncProperty(nasty, fc.integer({ min: 1, max: 9 }), async (bytes, blockBytes) => {
          assert.deepEqual(await textOf(bytes, encoding, blockBytes), await textOf(bytes, encoding))
        }),
        runs(20),
      )
    })

    test('loses no ASCII, and shows every byte that means nothing where it stands', async () => {
      if (encoding.startsWith('utf-16')) return
      await fc.assert(
        fc.asyncProperty(nasty, async (bytes) => {
          const text = await textOf(bytes, encoding)
          // Line ends, delimiters and quotes are never a part of anything.
          const kept = (all: Buffer) => all.filter((byte) => byte < 0x30 && byte !== 0x1a && byte !== 0x1c)
          if (!bytes.subarray(0, 3).equals(Buffer.of(0xef, 0xbb, 0xbf))) assert.deepEqual(kept(text), kept(bytes))
          const shown = showBytes(bytes, encoding)
          assert.equal(text.filter((byte) => byte === 0xff).length, shown.match(/\\x[89a-f][0-9a-f]/g)?.length ?? 0)
        }),
        runs(20),
      )
    })
  })
}

const line = fc.string({ unit: fc.constantFrom('a', ',', '"', 'é', 'à', ' ', '1'), maxLength: 12 })
const end = fc.constantFrom('\n', '\r\n', '\r')

test('what was encoded is decoded, with or without a mark', async () => {
  const samples: readonly (readonly [string, string])[] = [
    ['utf-16le', 'Zoë,𝄞 “x”\r\n中文,한국어\n'],
    ['utf-16be', 'Zoë,𝄞 “x”\r\n中文,한국어\n'],
    ['windows-1252', 'Zoë,5 €,“naïve” – Œuvre\r\n'],
    ['windows-1251', 'имя,город\nАнна,Москва\n'],
    ['ibm850', 'Müller,Straße,½\n'],
    ['gb18030', '姓名,城市\n王小明,北京市朝阳区\n'],
    ['shift_jis', '名前,住所\n山田太郎,東京都千代田区,ソ表能,ｶﾅ\n'],
    ['euc-jp', '名前,住所\n山田太郎,東京都\n'],
    ['euc-kr', '이름,주소\n김철수,서울특별시,똠방각하,펲시,€\n'],
    ['big5', '姓名,地址\n許功蓋,臺北市\n'],
  ]
  for (const [encoding, text] of samples) {
    const bytes = encoderOf(encoding)(text)
    assert.ok(bytes, encoding)
    for (const blockBytes of [1, 3, undefined]) {
      assert.equal((await textOf(bytes, encoding, blockBytes)).toString(), text, encoding)
    }
    assert.equal(showBytes(bytes, encoding), text)
  }
  for (const encoding of ['utf-8', 'utf-16le', 'utf-16be'] as const) {
    const marked = encoderOf(encoding)('\ufeffa,ü\n\ufeff')
    assert.ok(marked)
    assert.equal((await textOf(marked, encoding)).toString(), 'a,ü\n\ufeff')
  }
  assert.equal((await textOf(Buffer.from('84319533612c620a', 'hex'), 'gb18030')).toString(), 'a,b\n')
})

test('characters of four bytes are read in GB 18030', () => {
  assert.equal(showBytes(Buffer.from('9534b23581308130', 'hex'), 'gb18030'), '𠮷\u0080')
})

test('every control character of ASCII stays what it is', async () => {
  const ascii = Buffer.from(Array.from({ length: 128 }, (_, byte) => byte))
  for (const encoding of encodings.filter((name) => !name.startsWith('utf-16'))) {
    assert.deepEqual(await textOf(ascii, encoding), ascii, encoding)
    // Behind something that is not ASCII they take another way.
    const other = ['é', 'α', '中', '가'].map(encoderOf(encoding)).find((bytes) => bytes !== undefined)
    assert.ok(other)
    for (const first of [other, Buffer.of(0xff)]) {
      assert.ok(showBytes(Buffer.concat([first, ascii]), encoding).endsWith(ascii.toString('latin1')), encoding)
    }
  }
})

test('what means nothing spoils the record it is in and no other', async () => {
  for (const [encoding, broken] of [
    ['utf-16le', 'a\0,\0\x00\xd8\n\0b\0,\0c\0\n\0'],
    ['utf-16be', '\0a\0,\xd8\x00\0\n\0b\0,\0c\0\n'],
    ['windows-1253', 'a,\xd2\nb,c\n'],
    ['gb18030', 'a,\x81\nb,c\n'],
    ['gb18030', 'a,\xff\nb,c\n'],
    ['gb18030', 'a,\x81\x30\x81\nb,c\n'],
    ['shift_jis', 'a,\x81\nb,c\n'],
    ['shift_jis', 'a,\xfd\xfe\nb,c\n'],
    ['euc-jp', 'a,\x8f\xa1\nb,c\n'],
    ['euc-jp', 'a,\x85\nb,c\n'],
    ['euc-kr', 'a,\x81\nb,c\n'],
    ['euc-kr', 'a,\xff\nb,c\n'],
    ['big5', 'a,\xa1\nb,c\n'],
    ['big5', 'a,\x80\nb,c\n'],
    ['big5', 'a,\xc6\xa1\nb,c\n'],
  ] as const) {
    const text = await textOf(Buffer.from(broken, 'latin1'), encoding)
    assert.match(text.toString('latin1'), /^a,(\xff[01]?)+\nb,c\n$/, `${encoding} ${JSON.stringify(broken)}`)
  }
  // The end of a file that was cut off.
  for (const [encoding, broken] of [
    ['utf-16le', 'a\0,\0b'],
    ['utf-16be', '\0a\0,\xd8\x01'],
    ['shift_jis', 'a,\x81'],
    ['gb18030', 'a,\x81\x30\x81'],
    ['utf-8', 'a,\xe2\x82'],
  ] as const) {
    const text = await textOf(Buffer.from(broken, 'latin1'), encoding)
    assert.match(text.toString('latin1'), /^a,(\xff0?)+$/, encoding)
  }
})

test('people see undecodable bytes by their numbers, and the rest as it is', () => {
  assert.equal(showBytes(Buffer.from('é,\xe9\r\n', 'latin1'), 'utf-8'), '\\xe9,\\xe9\r\n')
  assert.equal(showBytes(Buffer.from([0x61, 0xe2, 0x82, 0x2c, 0xc3, 0xa9]), 'utf-8'), 'a\\xe2\\x82,é')
  assert.equal(showBytes(Buffer.from('a\0\x0a\xd8b\0', 'latin1'), 'utf-16le'), 'a\\x0a\\xd8b')
  assert.equal(showBytes(Buffer.from('\x93x\x94', 'latin1'), 'windows-1252'), '“x”')
  assert.equal(showBytes(Buffer.from('\xff\x83\x5c|', 'latin1'), 'shift_jis'), '\\xffソ|')
})

suite('the way back', () => {
  const one = fc.record({
    encoding: fc.constantFrom('utf-8', 'utf-16le', 'utf-16be', 'windows-1252', 'gb18030'),
    mark: fc.boolean(),
    lines: fc.array(fc.tuple(line, end), { maxLength: 20 }),
    blockBytes: fc.integer({ min: 1, max: 64 }),
    ascending: fc.boolean(),
  })

  test('finds every line, in any order, with blocks of any size', async () => {
    await fc.assert(
      fc.asyncProperty(one, async ({ encoding, mark, lines, blockBytes, ascending }) => {
        const encode = encoderOf(encoding)
        const begin = mark && encoding.startsWith('utf') ? encode('\ufeff') : Buffer.alloc(0)
        assert.ok(begin)
        const [parts, places] = [[begin], [] as { text: number; source: number; length: number; bytes: Buffer }[]]
        let [source, text] = [begin.length, 0]
        for (const [content, lineEnd] of lines) {
          const [bytes, ending] = [encode(content), encode(lineEnd)]
          assert.ok(bytes && ending)
          const length = Buffer.byteLength(showBytes(bytes, encoding))
          places.push({ text, source, length, bytes })
          parts.push(bytes, ending)
          source += bytes.length + ending.length
          text += length + lineEnd.length
        }
        const { map } = await transcoded(Buffer.concat(parts), encoding, blockBytes)
        await using _ = map
        for (const place of ascending ? places : places.toReversed()) {
          assert.equal(await map.sourceOffset(place.text), place.source)
          const found = await map.sourceBytes(place.text, place.length, 1000)
          assert.deepEqual(found, { offset: place.source, bytes: place.bytes })
        }
      }),
      runs(50),
    )
  })

  test('goes from the nearest known place in a large file, and holds no more than it needs', async () => {
    const row = Buffer.from('Zoë,"a\nb",€\r\n')
    const rows = 300_000
    const bytes = Buffer.from(row.toString().repeat(rows), 'utf16le')
    const { map } = await transcoded(bytes, 'utf-16le')
    await using _ = map
    const width = bytes.length / rows
    for (const record of [rows - 1, 5, 0, 123_456]) {
      assert.equal(await map.sourceOffset(record * row.length), record * width)
    }
    for (let record = 0; record < rows; record += 100) {
      assert.equal(await map.sourceOffset(record * row.length), record * width)
    }
    const { bytes: raw } = await map.sourceBytes(row.length, row.length - 2, 1000)
    assert.equal(raw.toString('utf16le'), 'Zoë,"a\nb",€')
    assert.equal((await map.sourceBytes(row.length, row.length - 2, 4)).bytes.toString('utf16le'), 'Zo')
  })

  test('shows what stood there, not what it was turned into', async () => {
    const { map } = await transcoded(Buffer.from('a,b\nx,\x81\x20y\nc,d', 'latin1'), 'shift_jis')
    await using _ = map
    const { offset, bytes } = await map.sourceBytes(4, 5, 100)
    assert.deepEqual([offset, showBytes(bytes, 'shift_jis')], [4, 'x,\\x81 y'])
    assert.equal(showBytes((await map.sourceBytes(10, 3, 100)).bytes, 'shift_jis'), 'c,d')
  })
})

test('the signal ends it with its own reason, and nothing is left', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const [path, target] = [join(folder, 'source'), join(folder, 'stopped')]
  await writeFile(path, Buffer.alloc(8 << 20, 'é\n', 'latin1'))
  const onProgress = () => controller.abort(reason)
  await assert.rejects(transcode(path, target, 'windows-1252', { signal: controller.signal, onProgress }), reason)
  await assert.rejects(stat(target), { code: 'ENOENT' })
})

test('progress tells the bytes of the source that are done', async () => {
  const [path, target] = [join(folder, 'source'), join(folder, 'target')]
  await writeFile(path, Buffer.alloc(3 << 20, 'é\n', 'latin1'))
  const told: number[] = []
  const map: SourceMap = await transcode(path, target, 'windows-1252', {
    ...quiet,
    onProgress: (n) => void told.push(n),
  })
  await map[Symbol.asyncDispose]()
  assert.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  )
  assert.deepEqual([told.length > 1, told.at(-1)], [true, 3 << 20])
})
