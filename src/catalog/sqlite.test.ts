import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { inspect } from 'node:util'
import pino from 'pino'
import { testCatalog } from '../../test/contracts/catalog.ts'
import { newId } from '../ids.ts'
import { createLog } from '../log.ts'
import { usualKeeping } from './keeping.ts'
import { migrate, migrationStatus, openCatalog } from './open.ts'

const silent = { log: createLog('silent') }

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'rowmill-catalog-'))
  const file = join(path, 'data', 'catalog.db')
  return { path, file, url: `sqlite:${file}`, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

testCatalog('sqlite', {
  async fresh() {
    const { url, ...rest } = await folder()
    return { ...rest, open: (keeping) => openCatalog(url, { ...silent, keeping: { ...usualKeeping, ...keeping } }) }
  },
})

/** Runs a script in a process of its own, with a catalog `catalog` open on the file. */
function inProcess(file: string, script: string) {
  const source = `
    import { openCatalog } from ${JSON.stringify(import.meta.resolve('./open.ts'))}
    import { createLog } from ${JSON.stringify(import.meta.resolve('../log.ts'))}
    import { newId } from ${JSON.stringify(import.meta.resolve('../ids.ts'))}
    const catalog = await openCatalog(${JSON.stringify(`sqlite:${file}`)}, { log: createLog('warn') })
    ${script}
    await catalog[Symbol.asyncDispose]()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  return { child, lines: createInterface(child.stdout) }
}

test('processes that open a new file at once share it, and each task is one process’s', async () => {
  await using at = await folder()
  const run = async () => {
    const { child, lines } = inProcess(
      at.file,
      `
      for (let n = 0; n < 6; n++) {
        const { id } = await catalog.createUpload({ id: newId(), owner: 'local', name: 'x' })
        const inputs = [{ input: 'plays', upload: id, name: 'x' }]
        const alone = { retryOf: null, corrects: null, dryRun: false, planHash: null, undoes: null, setName: null }
        const fresh = { again: false, repeatKey: null }
        const task = { id: newId(), owner: 'local', pipeline: 'p', pipelineText: '', params: {}, inputs, ...alone, ...fresh }
        await catalog.completeUpload(id, { decide: () => ({ task, closes: false }) })
      }
      for (let due = await catalog.dueTasks(3); due.length > 0; due = await catalog.dueTasks(3)) {
        for (const id of due) if (await catalog.claim(id, 60_000)) console.log(id)
      }`,
    )
    const claimed: string[] = []
    lines.on('line', (line) => claimed.push(line))
    assert.deepEqual(await once(child, 'close'), [0, null])
    return claimed
  }
  const claimed = (await Promise.all([run(), run(), run()])).flat()
  await using catalog = await openCatalog(at.url, silent)
  const tasks = await catalog.listTasks('local', { limit: 99 })
  assert.equal(tasks.length, 18)
  assert.deepEqual(claimed.toSorted(), tasks.map((task) => task.id).toSorted())
  assert.deepEqual(await catalog.checkIntegrity(), [])
})

test('what was acknowledged before a kill is there after it', async () => {
  await using at = await folder()
  const { child, lines } = inProcess(
    at.file,
    `for (;;) console.log((await catalog.createUpload({ id: newId(), owner: 'local', name: 'x' })).id)`,
  )
  const acknowledged: string[] = []
  lines.on('line', (id) => {
    acknowledged.push(id)
    if (acknowledged.length === 40) child.kill('SIGKILL')
  })
  await once(child, 'close')
  await using catalog = await openCatalog(at.url, silent)
  const kept = new Set((await catalog.listUploads('local', { limit: 9_999 })).map((upload) => upload.id))
  assert.ok(acknowledged.length >= 40)
  for (const id of acknowledged) assert.ok(kept.has(id))
  assert.deepEqual(await catalog.checkIntegrity(), [])
})

test('a catalog that is deleted while it is open comes back, with a warning', async () => {
  await using at = await folder()
  const warnings: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => warnings.push(line) })
  await using catalog = await openCatalog(at.url, { log })
  const upload = { id: newId(), owner: 'local', name: 'x' }
  await catalog.createUpload(upload)
  await rm(join(at.path, 'data'), { recursive: true })
  await catalog.ping()
  assert.equal(await catalog.getUpload(upload.id), undefined)
  assert.equal(warnings.length, 1)
  await catalog.createUpload(upload)

  // All of the lost ones are noticed by calls that come at once.
  await rm(at.file)
  const ids = Array.from({ length: 5 }, () => newId())
  await Promise.all(ids.map((id) => catalog.createUpload({ ...upload, id })))
  await using other = await openCatalog(at.url, silent)
  const kept = await other.listUploads('local', { limit: 9 })
  assert.deepEqual(kept.map(({ id }) => id).toSorted(), ids.toSorted())
  assert.equal(warnings.length, 2)
})

test('a write whose file is deleted before its commit is refused, not acknowledged', async () => {
  await using at = await folder()
  await using catalog = await openCatalog(at.url, silent)
  // A write takes some turns, the same each time: one turn later each time, some deletion falls inside it.
  const refusals: unknown[] = []
  for (let turns = 0; refusals.length === 0; turns++) {
    assert.ok(turns < 100)
    const write = catalog.createUpload({ id: newId(), owner: 'local', name: 'x' }).catch((error: unknown) => {
      refusals.push(error)
    })
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    rmSync(join(at.path, 'data'), { recursive: true })
    await write
    await catalog.ping()
  }
  assert.match(inspect(refusals[0]), /deleted during a write/)
})

test('nothing is lost when only the log beside the file is deleted, or the file is replaced', async () => {
  await using at = await folder()
  await using catalog = await openCatalog(at.url, silent)
  const make = async () => (await catalog.createUpload({ id: newId(), owner: 'local', name: 'x' })).id
  const first = await make()
  await rm(`${at.file}-wal`)
  const second = await make()
  assert.deepEqual(
    (await catalog.listUploads('local', { limit: 9 })).map(({ id }) => id),
    [second, first].toSorted().toReversed(),
  )

  const backup = join(at.path, 'backup.db')
  const source = new DatabaseSync(at.file)
  source.exec(`vacuum into '${backup}'`)
  source.close()
  const third = await make()
  await rename(backup, at.file)
  assert.equal(await catalog.getUpload(third), undefined)
  assert.equal((await catalog.getUpload(first))?.id, first)
  assert.deepEqual(await catalog.checkIntegrity(), [])
})

test('opening migrates, and a schema from the future is refused', async () => {
  await using at = await folder()
  const before = await migrationStatus(at.url, silent.log)
  assert.deepEqual(before.applied, [])
  assert.deepEqual(await readdir(at.path), [])
  // Several at once: one does it, the others find it done.
  const applied = await Promise.all([
    migrate(at.url, silent.log),
    migrate(at.url, silent.log),
    migrate(at.url, silent.log),
  ])
  assert.deepEqual(applied.flat(), before.pending)
  assert.deepEqual(await migrationStatus(at.url, silent.log), { applied: before.pending, pending: [], unknown: [] })
  await (await openCatalog(at.url, silent))[Symbol.asyncDispose]()

  const db = new DatabaseSync(at.file)
  db.exec(`insert into kysely_migration values ('9999_from_tomorrow', '2999-01-01T00:00:00.000Z')`)
  db.close()
  assert.deepEqual((await migrationStatus(at.url, silent.log)).unknown, ['9999_from_tomorrow'])
  for (const open of [() => openCatalog(at.url, silent), () => migrate(at.url, silent.log)]) {
    await assert.rejects(open, { code: 'conflict', message: /newer Rowmill.*9999_from_tomorrow/ })
  }
})

test('a migration that fails half-way leaves nothing of itself', async () => {
  await using at = await folder()
  await mkdir(join(at.path, 'data'))
  const db = new DatabaseSync(at.file)
  db.exec('create table outputs (in_the_way integer)')
  await assert.rejects(migrate(at.url, silent.log), { code: 'internal' })
  db.exec('drop table outputs')
  db.close()
  const { applied, pending } = await migrationStatus(at.url, silent.log)
  assert.deepEqual(applied, [])
  assert.deepEqual(await migrate(at.url, silent.log), pending)
})

test('what cannot hold a catalog is refused in clear words', async () => {
  await using at = await folder()
  const text = join(at.path, 'text')
  await writeFile(text, 'This is no database, however long it is read.'.repeat(50))
  const isFolder = join(at.path, 'folder')
  await mkdir(isFolder)
  await assert.rejects(openCatalog(`sqlite:${text}`, silent), {
    code: 'unavailable',
    message: /text is damaged or no SQLite/,
  })
  await assert.rejects(openCatalog(`sqlite:${isFolder}`, silent), {
    code: 'unavailable',
    message: /folder cannot be used/,
  })
  await assert.rejects(openCatalog(`sqlite:${join(text, 'db')}`, silent), {
    code: 'unavailable',
    message: /ENOTDIR|EEXIST/,
  })
  // A database in memory has no write-ahead log: the same refusal as on a filesystem that cannot have one.
  await assert.rejects(openCatalog('sqlite::memory:', silent), { code: 'unavailable', message: /journal_mode memory/ })
})

test('a catalog that breaks while it is open says so, and works again once it is repaired', async () => {
  await using at = await folder()
  await using catalog = await openCatalog(at.url, silent)
  const upload = await catalog.createUpload({ id: newId(), owner: 'local', name: 'x' })
  const copy = join(at.path, 'copy.db')
  await using other = await openCatalog(at.url, silent)
  await other.ping()
  const source = new DatabaseSync(at.file)
  source.exec(`vacuum into '${copy}'`)
  source.close()
  await rm(join(at.path, 'data'), { recursive: true })
  await writeFile(join(at.path, 'data'), 'a file where the folder was')
  await assert.rejects(catalog.ping(), { code: 'unavailable' })
  await assert.rejects(catalog.createUpload({ id: newId(), owner: 'local', name: 'x' }), { code: 'unavailable' })
  await rm(join(at.path, 'data'))
  await mkdir(join(at.path, 'data'))
  await copyFile(copy, at.file)
  assert.deepEqual(await catalog.getUpload(upload.id), upload)
})
