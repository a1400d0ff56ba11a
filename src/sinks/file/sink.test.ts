/** What holds for every database in a file, whoever stops, kills or crowds the processes that load into it. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { Produced } from '../../ports.ts'
import {
  type DatabaseFile,
  databaseFile,
  type Kind,
  load,
  manyRows,
  produce,
  targetOf,
  writing,
} from '../../../test/file-fixture.ts'
import {
  childrenOf,
  filesIn,
  isAlive,
  isStopped,
  kill,
  type Process,
  start,
  temporaryFolder,
  until,
} from '../../../test/harness.ts'
import { noSmallDisk, scriptOnSmallDisk } from '../../../test/small-disk.ts'

const columns = { id: 'integer', name: 'string' } as const
const ada = { columns, rows: [['1', 'Ada']] }
const bob = { columns, rows: [['2', 'Bob']], there: ['id', 'name'] }

/** The processes of this one's that are there for the file. */
function writers({ path }: DatabaseFile): Process[] {
  return childrenOf(process.pid).filter(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path))
}

function writer(file: DatabaseFile): Process {
  const [found, ...others] = writers(file)
  assert.equal(others.length, 0)
  return found ?? assert.fail('nobody writes')
}

async function names({ query }: DatabaseFile): Promise<(string | null)[]> {
  return (await query('SELECT name FROM people ORDER BY id')).map(([name = '']) => name)
}

async function notes({ folder }: DatabaseFile): Promise<string[]> {
  return (await filesIn(folder.path)).filter((file) => file.includes('.rowmill-'))
}

/** A service of its own: it writes one output, says so, and commits as soon as there is a file `go`. */
function service({ folder, path }: DatabaseFile, kind: Kind, produced: Produced, more = '') {
  const at = (file: string) => JSON.stringify(import.meta.resolve(file))
  const { open: _, ...rows } = produced
  const source = `
    import { createReadStream, existsSync } from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { ${kind.toLowerCase()}Sink as open } from ${at(`../${kind.toLowerCase()}/sink.ts`)}
    const target = ${JSON.stringify(targetOf())}
    const delivery = await open('db', ${JSON.stringify(path)}).begin({ task: 'T1', output: 'rows' }, 1, target)
    const produced = ${JSON.stringify(rows)}
    const writing = { signal: new AbortController().signal, from: 0, onProgress() {} }
    await delivery.write({ ...produced, open: () => createReadStream(produced.path) }, writing)
    console.log('written')
    while (!existsSync(${JSON.stringify(folder.at('go'))})) await sleep(20)
    console.log(await delivery.commit().then(() => 'committed', (error) => error.code))
    await delivery[Symbol.asyncDispose]()
    ${more}`
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source]
  return start(command, { cwd: folder.path, env: {} })
}

const withoutDisk = noSmallDisk()

for (const kind of ['SQLite', 'DuckDB'] as const) {
  test(`${kind}: a writer that is stopped is ended by the next attempt at its task, as it looks and as it begins`, async () => {
    for (const isLooking of [false, true]) {
      await using file = await databaseFile(kind)
      const id = { task: 'T1', output: 'rows' }
      await using old = await file.sink().begin(id, 1, targetOf())
      await old.write(await produce(file, ada), writing)
      const stopped = writer(file)
      process.kill(stopped.pid, 'SIGSTOP')
      await until('the writer is stopped', () => isStopped(stopped.pid))
      const next = file.sink()
      if (isLooking) assert.equal(await next.check(targetOf(), { task: 'T1', attempt: 2 }), undefined)
      await using delivery = await next.begin(id, 2, targetOf())
      await delivery.write(await produce(file, ada), writing)
      assert.equal(isAlive(stopped), false)
      await assert.rejects(old.commit(), { code: 'unavailable', message: /was ended \(SIGKILL\)/ })
      await delivery.commit()
      await delivery[Symbol.asyncDispose]()
      assert.deepEqual(await names(file), ['Ada'])
      assert.deepEqual(await notes(file), [])
    }
  })

  test(`${kind}: a service that was stopped finds its writer gone, and nothing of it in the table`, async () => {
    await using file = await databaseFile(kind)
    await using old = service(file, kind, await produce(file, ada))
    await until('the service has written', () => old.stdout().includes('written'))
    const [itsWriter] = childrenOf(old.pid)
    for (const pid of [old.pid, itsWriter?.pid ?? 0]) process.kill(pid, 'SIGSTOP')
    await until('it is stopped', () => isStopped(old.pid))
    await load(file, { task: 'T1', attempt: 2, ...ada })
    await writeFile(file.folder.at('go'), '')
    old.send('SIGCONT')
    assert.equal(await old.exited, 0)
    assert.equal(old.stdout(), 'written\nunavailable\n')
    assert.deepEqual(await names(file), ['Ada'])
  })

  test(`${kind}: a writer dies with its service, and the file can be opened at once`, async () => {
    await using file = await databaseFile(kind)
    await load(file, { task: 'T0', ...ada })
    await using old = service(file, kind, await produce(file, bob))
    await until('the service has written', () => old.stdout().includes('written'))
    const [itsWriter = assert.fail('nobody writes')] = childrenOf(old.pid)
    old.send('SIGKILL')
    await until('its writer is gone', () => !isAlive(itsWriter))
    // The last of its threads may take a moment more.
    const found = await until('nobody has the file', () => names(file).catch(() => undefined))
    assert.deepEqual(found, ['Ada'])
    await load(file, { task: 'T1', attempt: 2, ...bob })
    assert.deepEqual(await names(file), ['Ada', 'Bob'])
    assert.deepEqual(await notes(file), [])
  })

  test(`${kind}: a writer that is killed amid its rows leaves the table as it was, and a file for everybody`, async () => {
    await using file = await databaseFile(kind)
    await load(file, { task: 'T0', ...ada })
    await using delivery = await file.sink().begin({ task: 'T1', output: 'rows' }, 1, targetOf())
    const { promise: isUnderWay, resolve } = Promise.withResolvers<void>()
    const onProgress = (rows: number) => rows > 150_000 && resolve()
    const loading = delivery.write(await manyRows(file), { ...writing, onProgress })
    await Promise.race([isUnderWay, loading])
    kill(writer(file))
    await assert.rejects(loading, { code: 'unavailable' })
    assert.deepEqual(await until('nobody has the file', () => names(file).catch(() => undefined)), ['Ada'])
    await load(file, { task: 'T1', attempt: 2, ...bob })
    assert.deepEqual(await names(file), ['Ada', 'Bob'])
  })

  test(`${kind}: what is aborted amid its rows is rolled back, and the file closed`, async () => {
    await using file = await databaseFile(kind)
    await load(file, { task: 'T0', ...ada })
    const stop = new AbortController()
    {
      await using delivery = await file.sink().begin({ task: 'T1', output: 'rows' }, 1, targetOf())
      const onProgress = () => stop.abort(new Error('enough'))
      const loading = delivery.write(await manyRows(file), { ...writing, signal: stop.signal, onProgress })
      await assert.rejects(loading, { message: 'enough' })
    }
    assert.deepEqual(writers(file), [])
    assert.deepEqual(
      (await filesIn(file.folder.path)).filter((name) => name.startsWith('test.db')),
      ['test.db'],
    )
    assert.ok((await stat(file.path)).size < 2e6)
    assert.deepEqual(await names(file), ['Ada'])
  })

  test(`${kind}: tasks that come at once are loaded one after another`, async () => {
    await using file = await databaseFile(kind)
    await load(file, { task: 'T0', ...ada })
    const produced = await produce(file, bob)
    await Promise.all(
      ['T1', 'T2', 'T3'].map(async (task) => {
        await using delivery = await file.sink().begin({ task, output: 'rows' }, 1, targetOf())
        await delivery.write(produced, writing)
        await delivery.commit()
      }),
    )
    assert.deepEqual(await names(file), ['Ada', 'Bob', 'Bob', 'Bob'])
  })

  test(`${kind}: who waits too long for another task is told for whom, and harms it not`, async () => {
    await using file = await databaseFile(kind)
    await using delivery = await file.sink().begin({ task: 'T1', output: 'rows' }, 1, targetOf())
    await delivery.write(await produce(file, ada), writing)
    const { pid } = writer(file)
    const busy = { code: 'unavailable', message: new RegExp(`in use by process ${pid}, which loads for task T1`) }
    const other = file.sink({ patienceMs: 200 })
    await assert.rejects(other.begin({ task: 'T2', output: 'rows' }, 9, targetOf()), busy)
    await delivery.commit()
    await delivery[Symbol.asyncDispose]()
    assert.deepEqual(await names(file), ['Ada'])
  })

  test(`${kind}: a note of a process that is no more is removed, and nobody killed who has its number`, async () => {
    await using file = await databaseFile(kind)
    const [self = assert.fail()] = childrenOf(process.ppid).filter(({ pid }) => pid === process.pid)
    // This process began then, and yet is no writer of the file.
    for (const began of ['1', self.began]) await writeFile(`${file.path}.rowmill-${process.pid}-${began}-1-T1`, '')
    await load(file, { task: 'T1', attempt: 2, ...ada })
    assert.deepEqual(await notes(file), [])
  })

  test(`${kind}: outputs of one attempt share a transaction`, async () => {
    await using file = await databaseFile(kind)
    const sink = file.sink()
    const pets = targetOf({ table: 'pets' })
    {
      await using first = await sink.begin({ task: 'T1', output: 'people' }, 1, targetOf())
      await first.write(await produce(file, ada), writing)
      await using second = await sink.begin({ task: 'T1', output: 'pets' }, 1, pets)
      await second.write(await produce(file, ada), writing)
      await second[Symbol.asyncDispose]()
      await assert.rejects(first.commit(), { code: 'unavailable', message: /taken back/ })
    }
    assert.equal(await sink.check(targetOf()), undefined)
    await using first = await sink.begin({ task: 'T1', output: 'people' }, 2, targetOf())
    await first.write(await produce(file, ada), writing)
    await using second = await sink.begin({ task: 'T1', output: 'pets' }, 2, pets)
    await second.write(await produce(file, ada), writing)
    for (const delivery of [first, second]) assert.equal((await delivery.commit()).balance.inserted, 1)
    await Promise.all([first, second].map((delivery) => delivery[Symbol.asyncDispose]()))
    assert.deepEqual(await file.query('SELECT people.name, pets.name FROM people, pets'), [['Ada', 'Ada']])
  })

  test(`${kind}: what is delivered already holds no file`, async () => {
    await using file = await databaseFile(kind)
    await load(file, { task: 'T1', ...ada })
    await using again = await file.sink().begin({ task: 'T1', output: 'rows' }, 2, targetOf())
    assert.equal(again.delivered?.balance.inserted, 1)
    assert.deepEqual(await notes(file), [])
    await load(file, { task: 'T2', ...bob })
  })

  test(`${kind}: a process that has done its work does the next, unless it has failed, and goes when none comes`, async () => {
    await using file = await databaseFile(kind)
    await load(file, { task: 'T0', ...ada })
    const { pid } = writer(file)
    await load(file, { task: 'T1', ...bob })
    assert.equal(writer(file).pid, pid)
    assert.deepEqual(await notes(file), [])
    assert.deepEqual(await names(file), ['Ada', 'Bob'])
    const fails = file.sink().begin({ task: 'T1', output: 'rows' }, 0, targetOf())
    await assert.rejects(fails, { code: 'conflict' })
    assert.deepEqual(writers(file), [])
    await load(file, { task: 'T2', ...bob })
    kill(writer(file))
    await load(file, { task: 'T3', ...bob })
    kill(writer(file), 'SIGSTOP')
    await load(file, { task: 'T4', ...bob })
    await until('it has gone by itself', () => writers(file).length === 0)
    assert.deepEqual(await names(file), ['Ada', 'Bob', 'Bob', 'Bob', 'Bob'])
  })

  test(`${kind}: a process that waits for work keeps nobody from leaving, and leaves with them`, async () => {
    await using file = await databaseFile(kind)
    await writeFile(file.folder.at('go'), '')
    const atEnd = `
      import { childrenOf } from ${JSON.stringify(import.meta.resolve('../../../test/harness.ts'))}
      process.on('exit', () => console.log(...childrenOf(process.pid).map(({ pid }) => pid)))`
    await using other = service(file, kind, await produce(file, ada), atEnd)
    assert.equal(await other.exited, 0, other.stderr())
    const [, pid = ''] = /^written\ncommitted\n(\d+)\n$/.exec(other.stdout()) ?? assert.fail(other.stdout())
    await until('it has left as well', () => !existsSync(`/proc/${pid}`))
  })

  test(`${kind}: a disk that fills up is told, and gets back what it gave`, { skip: withoutDisk }, async () => {
    await using disk = await temporaryFolder()
    await using rows = await temporaryFolder()
    const source = `
      import { stat } from 'node:fs/promises'
      import { databaseFile, load, manyRows, targetOf, writing } from ${JSON.stringify(import.meta.resolve('../../../test/file-fixture.ts'))}
      const file = await databaseFile('${kind}')
      await load(file, ${JSON.stringify({ task: 'T0', ...ada })})
      {
        await using delivery = await file.sink().begin({ task: 'T1', output: 'rows' }, 1, targetOf())
        const loading = delivery.write(await manyRows(file, ${JSON.stringify(rows.path)}), writing)
        console.log(await loading.then(() => 'written', (error) => error.code))
      }
      console.log((await stat(file.path)).size < 4e6)
      await load(file, ${JSON.stringify({ task: 'T2', ...bob })})
      console.log((await file.query('SELECT * FROM people')).length)`
    const { stdout, stderr } = scriptOnSmallDisk(disk.path, 24_000_000, source)
    assert.equal(stdout, 'full\ntrue\n2\n', stderr)
  })
}

test('rows that break off are none', async () => {
  await using file = await databaseFile('SQLite')
  const produced = await produce(file, ada)
  const open = () => Readable.from(breaking(Buffer.from('1\tAda\n')), { objectMode: false })
  {
    await using delivery = await file.sink().begin({ task: 'T1', output: 'rows' }, 1, targetOf())
    await assert.rejects(delivery.write({ ...produced, open }, writing), { message: 'the reader crashed' })
    await assert.rejects(delivery.commit())
  }
  assert.equal(await file.sink().check(targetOf()), undefined)
})

function* breaking(chunk: Buffer): Generator<Buffer> {
  yield chunk
  throw new Error('the reader crashed')
}
