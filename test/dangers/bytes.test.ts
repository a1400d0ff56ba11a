/** From bytes to text: DuckDB dies of a byte, takes garbage for text, and half an archive for a whole one. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { type Folder, temporaryFolder } from '../harness.ts'
import { assertTold, duckdb, mill, openDuckDB, readCsv } from './both.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
})
after(() => folder[Symbol.asyncDispose]())

async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = folder.at(name)
  await writeFile(path, content)
  return path
}

const people = { id: 'string', name: 'string', city: 'string' }

test('a byte that is not UTF-8 kills the whole database', async (t) => {
  const content = Buffer.from('id,name,city\n1,Ana,Oslo\n2,Jos\xe9,Rome\n3,Eve,Kiel\n', 'latin1')

  await t.test('DuckDB', async () => {
    using database = await openDuckDB()
    const rows = readCsv(await file('latin.csv', content), people)
    // As long as nobody looks at the column, nobody is told.
    assert.deepEqual(await database.rows(`SELECT id FROM ${rows}`), [['1'], ['2'], ['3']])
    await assert.rejects(database.rows(`SELECT name FROM ${rows}`), /INTERNAL Error/)
    await assert.rejects(database.rows('SELECT 42'), /database has been invalidated/)
  })

  await t.test('Rowmill', async () => {
    for (const sql of ['FROM file', 'SELECT name, id, city FROM file', 'SELECT id FROM file']) {
      const milled = await mill(['latin.csv', content], { columns: people, sql })
      assertTold(milled)
      if (milled.report.error === null) assert.equal(milled.rows.length, 3)
      else assert.match(milled.report.error.message, /^latin\.csv\b/)
      assert.doesNotMatch(milled.text, /\ufffd|Jos[^é]/)
    }
  })
})

test('encodings are read as garbage, or not at all', async (t) => {
  const truth = Array.from({ length: 40 }, (_, i) => [String(i), `José né à Orléans, n° ${i}`])
  const text = `id,name\n${truth.map(([id, name]) => `${id},"${name}"\n`).join('')}`
  const little = Buffer.from(`\ufeff${text}`, 'utf16le')
  const big = Buffer.from(little).swap16()
  const columns = { id: 'string', name: 'string' }

  await t.test('DuckDB', async () => {
    const path = await file('big.csv', big)
    const utf16 = { encoding: "'utf-16'", quote: "''", escape: "''" }
    assert.deepEqual(await duckdb(`FROM ${readCsv(path, columns, utf16)}`), [])
    const headless = { ...utf16, header: 'false' }
    const cells = await duckdb(`FROM ${readCsv(path, { cell: 'string' }, headless)}`)
    assert.match(JSON.stringify(cells), /^\[\["\ufffe椀搀Ⰰ/)
    for (const name of ['windows-1252', 'shift_jis', 'gb18030', 'utf-16be']) {
      const rows = readCsv(path, columns, { encoding: `'${name}'` })
      await assert.rejects(duckdb(`FROM ${rows}`), /does not support the encoding/)
    }
  })

  const files = { little, big, latin: Buffer.from(text, 'latin1') }

  await t.test('Rowmill', async () => {
    for (const [name, content] of Object.entries(files)) {
      const { report, rows } = await mill([`${name}.csv`, content], { columns })
      if (report.error === null) assert.deepEqual(rows, truth, name)
    }
  })

  await t.test('Rowmill reads them, and says what it took a file without a mark for', async () => {
    for (const [name, content] of Object.entries(files)) {
      const { report, rows } = await mill([`${name}.csv`, content], { columns })
      assert.deepEqual(rows, truth, name)
      if (name === 'latin')
        assert.match(report.warnings.map(({ message }) => message).join(), /windows-1252|latin-?1|iso-8859-1/i)
    }
  })
})

test('an archive that is cut or damaged passes for a whole one', async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `${i + 1},text ${((i + 1) * 7919) % 10_007}\n`)
  const content = `id,text\n${lines.join('')}`
  const columns = { id: 'string', text: 'string' }
  const gz = gzipSync(content)
  const zst = zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
  const damaged = Buffer.from(gz)
  damaged.writeUInt32LE(0, damaged.length - 8)
  // Stored, not compressed: a digit of a value is a byte of the archive.
  const stored = gzipSync(content, { level: 0 })
  stored.write('9', stored.indexOf('\n17,text') + 1)
  const broken = {
    'cut.csv.gz': gz.subarray(0, gz.length >> 1),
    'end.csv.gz': gz.subarray(0, -4),
    'checksum.csv.gz': damaged,
    'value.csv.gz': stored,
    'cut.csv.zst': zst.subarray(0, zst.length >> 1),
    'end.csv.zst': zst.subarray(0, -4),
  }
  const other = Buffer.from(zst)
  other.writeUInt32LE(0, other.length - 4)

  await t.test('DuckDB', async () => {
    const found: Record<string, unknown> = {}
    for (const [name, bytes] of Object.entries(broken)) {
      const rows = readCsv(await file(name, bytes), columns)
      found[name] = (await duckdb(`SELECT count(*)::INT, sum(id::INT)::INT FROM ${rows}`))[0]
    }
    assert.deepEqual(found, {
      'cut.csv.gz': [8992, 40_432_528],
      'end.csv.gz': [20_000, 200_010_000],
      'checksum.csv.gz': [20_000, 200_010_000],
      'value.csv.gz': [20_000, 200_010_080],
      'cut.csv.zst': [8877, 39_405_003],
      'end.csv.zst': [17_196, 147_859_806],
    })
    // The one that it does notice, since 1.5.5 at the latest: a zstd checksum that is there and wrong.
    const rows = readCsv(await file('checksum.csv.zst', other), columns)
    await assert.rejects(duckdb(`FROM ${rows}`), /doesn't match checksum/)
  })

  await t.test('DuckDB goes by the ending of the name', async () => {
    await assert.rejects(duckdb(`FROM ${readCsv(await file('named.csv', gz), columns)}`))
    await assert.rejects(duckdb(`FROM ${readCsv(await file('named.csv.gz', content), columns)}`), /not a GZIP/)
  })

  await t.test('Rowmill', async () => {
    for (const [name, bytes] of Object.entries({ ...broken, 'checksum.csv.zst': other })) {
      const { report } = await mill([name, bytes], { columns })
      assert.equal(report.error?.code, 'rejected', name)
    }
    const { rows } = await mill(['named.csv.gz', content], { columns })
    assert.equal(rows.length, 20_000)
  })

  await t.test('Rowmill reads a whole one, whatever its name', async () => {
    for (const [name, bytes] of Object.entries({ 'a.csv': gz, 'b.zst': gz, 'c.csv': zst, 'd.gz': zst })) {
      const { rows } = await mill([name, bytes], { columns, sql: 'SELECT count(*), sum(id::INT)::BIGINT FROM file' })
      assert.deepEqual(rows, [['20000', '200010000']], name)
    }
  })
})

test('a pipe whose writer dies in the middle of a record reads as a whole file', async (t) => {
  const columns = { id: 'string', name: 'string', sum: 'string' }
  const whole = 'id,name,sum\n1,ann,100\n2,bob,110\n3,eve,120\n'
  const half = whole.slice(0, -2)

  await t.test('DuckDB', async () => {
    const pipe = folder.at('pipe.csv')
    execFileSync('mkfifo', [pipe])
    const writer = spawn('sh', ['-c', 'exec 3> "$0"; printf %s "$1" >&3; kill -9 $$', pipe, half])
    const [rows, [, signal]] = await Promise.all([
      duckdb(`FROM ${readCsv(pipe, columns)}`),
      once(writer, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
    ])
    assert.equal(signal, 'SIGKILL')
    assert.deepEqual(rows.at(-1), ['3', 'eve', '12'])
  })

  await t.test('Rowmill', async () => {
    const sha256 = createHash('sha256').update(whole).digest('hex')
    const { report } = await mill(['pipe.csv', half], { columns, sha256 })
    assert.match(report.error?.message ?? '', /pipe\.csv are not those that were received/)
    await assert.rejects(mill(folder.at('pipe.csv'), { columns }), /not a regular file/)
  })
})
