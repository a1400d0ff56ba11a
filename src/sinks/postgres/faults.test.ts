import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { suite, test } from 'node:test'
import { type Fault, idOf, type Load, load, openWire, produce, targetOf, writing } from '../../../test/mysql-fixture.ts'
import { openPostgres, type PostgresDatabase } from '../../../test/postgres-fixture.ts'
import { freshDatabase, missing, query, startServer } from '../../../test/servers.ts'
import { AppError, type ErrorCode } from '../../errors.ts'
import type { Delivery, Undoing } from '../../ports.ts'
import { postgresSink } from './sink.ts'

const skip = missing('postgres')

const columns = { id: 'integer', name: 'string' } as const
const before: Load = { task: 'BEFORE', columns, rows: [['1', 'Ada']] }
const ours: Load = { task: 'OURS', columns, rows: [['2', 'Bob']] }
const both = [
  ['1', 'Ada'],
  ['2', 'Bob'],
]
const upsert = { mode: 'upsert', key: ['id'] } as const
const replace = { mode: 'replace' } as const

/** Each way to commit: what is there before, what is loaded, what is there then. */
const ways = [
  ['a new table', undefined, ours, [['2', 'Bob']]],
  ['another table', before, { ...ours, target: replace }, [['2', 'Bob']]],
  ['more rows', before, ours, both],
  ['changed rows', { ...before, target: upsert }, { ...ours, target: upsert }, both],
] as const

suite('a commit of PostgreSQL that is broken off', { skip }, () => {
  for (const fault of ['lost', 'unanswered', 'late'] as const) {
    for (const [way, first, one, after] of ways) {
      test(`leaves ${way} there once, when it is ${fault}`, async () => {
        await using database = await openPostgres()
        await using wire = await openWire(database.url)
        if (first !== undefined) await load(database.sink, first)
        await using produced = await produce(database.sink, one)
        await using old = await postgresSink('db', wire.url).begin(idOf(one), 1, targetOf(one))
        await old.write(produced, writing)
        const begin = () => database.sink.begin(idOf(one), 2, targetOf(one))
        await breakOff(wire, fault, old, begin, async (again: Delivery) => {
          assert.equal(again.delivered !== undefined, fault === 'unanswered')
          if (again.delivered !== undefined) return
          await using more = await produce(database.sink, one)
          await again.write(more, writing)
          assert.equal((await again.commit()).balance.inserted, 1)
        })
        assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), after)
        assert.deepEqual(await leftovers(database), [])
      })
    }

    for (const [way, first, one] of ways.slice(1)) {
      test(`takes ${way} back once, when it is ${fault}`, async () => {
        await using database = await openPostgres()
        await using wire = await openWire(database.url)
        if (first !== undefined) await load(database.sink, first)
        await load(database.sink, one)
        const of = { ...idOf(one), target: targetOf(one) }
        await using old = await postgresSink('db', wire.url).undo(idOf({ task: 'BACK' }), 1, of)
        await old.write(writing.signal)
        const begin = () => database.sink.undo(idOf({ task: 'BACK' }), 2, of)
        await breakOff(wire, fault, old, begin, async (again: Undoing) => {
          assert.equal(again.undone !== undefined, fault === 'unanswered')
          if (again.undone === undefined) await again.write(writing.signal)
          assert.equal((again.undone ?? (await again.commit())).removed, 1)
        })
        assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), [['1', 'Ada']])
        assert.deepEqual(await leftovers(database), [])
      })
    }
  }
})

/** Has a commit meet a fault, and the next attempt go on. */
async function breakOff<T extends AsyncDisposable>(
  wire: Awaited<ReturnType<typeof openWire>>,
  fault: Fault,
  old: { commit(): Promise<unknown> },
  begin: () => Promise<T>,
  retry: (again: T) => Promise<void>,
): Promise<void> {
  wire.breakAt('COMMIT', fault)
  const committing = assert.rejects(old.commit(), { code: 'unavailable' })
  await (fault === 'late' ? wire.broken() : committing)
  await using again = await begin()
  await retry(again)
  wire.release()
  await committing
}

/** What nobody needs: staging tables, kept ones that the ledger does not know, and rows that nobody will commit. */
async function leftovers({ rows }: PostgresDatabase): Promise<(string | null)[][]> {
  return await rows(`SELECT tablename::text FROM pg_tables WHERE tablename LIKE '\\_rowmill\\_stage%'
    OR tablename LIKE '\\_rowmill\\_kept%' AND NOT EXISTS (
      SELECT FROM _rowmill_loads WHERE kept = format('"%s"."%s"', schemaname, tablename))
    UNION ALL SELECT task FROM _rowmill_loads WHERE committed_at IS NULL`)
}

suite('a session of PostgreSQL', { skip }, () => {
  for (const phrase of ['COPY', 'INSERT INTO "public"."people"']) {
    test(`that is stuck in ${phrase} ends at once when its delivery is aborted`, async () => {
      await using database = await openPostgres()
      await using wire = await openWire(database.url)
      const one = { ...ours, target: upsert }
      const stop = new AbortController()
      await load(database.sink, { ...before, target: upsert })
      await using produced = await produce(database.sink, one)
      await using delivery = await postgresSink('db', wire.url).begin(idOf(one), 1, targetOf(one))
      wire.breakAt(phrase, 'late')
      const signal = stop.signal
      const stopped = assert.rejects(delivery.write(produced, { ...writing, signal }), { message: 'enough' })
      await wire.broken()
      stop.abort(new Error('enough'))
      await stopped
      await delivery[Symbol.asyncDispose]()
      await load(database.sink, { ...one, attempt: 2 })
      assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), both)
    })
  }

  test('that is stuck ends at once when its rehearsal or its undo is aborted', async () => {
    await using database = await openPostgres()
    await using wire = await openWire(database.url)
    const one = { ...ours, target: upsert }
    await load(database.sink, one)
    await using produced = await produce(database.sink, one)
    const sink = postgresSink('db', wire.url)
    await using undoing = await sink.undo(idOf({ task: 'BACK' }), 1, { ...idOf(one), target: targetOf(one) })
    for (const [phrase, call] of [
      ['COPY', (signal: AbortSignal) => sink.rehearse(targetOf(one), produced, signal)],
      ['DELETE', (signal: AbortSignal) => undoing.write(signal)],
    ] as const) {
      const stop = new AbortController()
      wire.breakAt(phrase, 'late')
      const stopped = assert.rejects(call(stop.signal), { message: 'enough' })
      await wire.broken()
      stop.abort(new Error('enough'))
      await stopped
    }
    assert.deepEqual(await database.rows('SELECT id FROM people'), [['2']])
  })

  test('that its server ends can be begun again', async () => {
    await using database = await openPostgres()
    await load(database.sink, before)
    await using produced = await produce(database.sink, ours)
    await using delivery = await database.sink.begin(idOf(ours), 1, targetOf(ours))
    await delivery.write(produced, writing)
    await database.run(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'rowmill %'`)
    await assert.rejects(delivery.commit(), { code: 'unavailable' })
    await load(database.sink, { ...ours, attempt: 2 })
    assert.deepEqual(await database.rows('SELECT id, name FROM people ORDER BY id'), both)
  })

  test('is not to be had of a server that is down, and is when it is up again', async () => {
    await using server = await startServer('postgres')
    const sink = postgresSink('db', server.url)
    await load(sink, before)
    await using produced = await produce(sink, ours)
    await using delivery = await sink.begin(idOf(ours), 1, targetOf(ours))
    await delivery.write(produced, writing)
    await server.kill()
    await assert.rejects(delivery.commit(), { code: 'unavailable' })
    await assert.rejects(sink.begin(idOf(ours), 2, targetOf(ours)), {
      code: 'unavailable',
      message: /cannot be reached/,
    })
    await assert.rejects(sink.check(targetOf(ours)), { code: 'unavailable', message: /cannot be reached/ })
    await server.start()
    await load(sink, { ...ours, attempt: 3 })
    assert.equal(await query(server.url, 'SELECT count(*) FROM people'), '2')
  })

  test('writes nothing to a database that is read-only', async () => {
    await using database = await openPostgres()
    const name = new URL(database.url).pathname.slice(1)
    await load(database.sink, before)
    await database.run(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    await assert.rejects(load(database.sink, ours), { code: 'unavailable', message: /it is read-only/ })
    assert.equal((await database.sink.check(targetOf(ours)))?.length, 2)
  })
})

// --------------------------------------------------------------------------------------------------------- the URL

suite('a URL of PostgreSQL', { skip }, () => {
  const wrong: readonly (readonly [what: string, change: (url: URL) => void, code: ErrorCode, told: RegExp])[] = [
    ['with a wrong password', (url) => (url.password = 's3cret'), 'unprocessable', /correct user and password/],
    ['without a password', (url) => (url.password = ''), 'unprocessable', /wants a password/],
    ['of an unknown user', (url) => (url.username = 's3cret'), 'unprocessable', /correct user and password/],
    ['of an unknown database', (url) => (url.pathname = 's3cret'), 'unprocessable', /no such database/],
    ['of an unknown host', (url) => (url.hostname = 's3cret.invalid'), 'unprocessable', /no such host/],
    ['of a port that nobody listens at', (url) => (url.port = '1'), 'unavailable', /cannot be reached/],
    ['that wants TLS', (url) => url.searchParams.set('sslmode', 'verify-full'), 'unprocessable', /leave sslmode out/],
    [
      'with a certificate that is not there',
      (url) => url.searchParams.set('sslrootcert', '/s3cret.pem'),
      'unprocessable',
      /a file that its URL names for TLS/,
    ],
  ]
  for (const [what, change, code, told] of wrong) {
    test(`${what} is told apart, and nothing of it is told`, async () => {
      await using database = await freshDatabase('postgres')
      const url = new URL(database.url)
      change(url)
      await refused(url, code, told)
    })
  }

  test('that leads to MariaDB is told', { skip: missing('mariadb') }, async () => {
    await using database = await freshDatabase('mariadb')
    await refused(new URL(database.url.replace('mysql:', 'postgres:')), 'unprocessable', /no PostgreSQL server/)
  })

  for (const [what, server, mode, code, told] of [
    [
      'a web server',
      () => createHttpServer((_, response) => response.end()),
      '',
      'unavailable',
      /ends the connection at once; look/,
    ],
    [
      'a web server by TLS',
      () => createHttpServer((_, response) => response.end()),
      'verify-full',
      'unprocessable',
      /no PostgreSQL server/,
    ],
    [
      'something that has no idea of TLS',
      () => answering('Snothing'),
      'verify-full',
      'unprocessable',
      /TLS|no PostgreSQL/,
    ],
  ] as const) {
    test(`that leads to ${what} is told`, async () => {
      const listening: Server = server()
      await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
      try {
        const url = new URL(`postgres://s3cret:s3cret@127.0.0.1:${(listening.address() as AddressInfo).port}/s3cret`)
        if (mode !== '') url.searchParams.set('sslmode', mode)
        await refused(url, code, told)
      } finally {
        await new Promise((resolve) => listening.close(resolve))
      }
    })
  }
})

function answering(text: string): Server {
  return createServer((socket) => socket.on('error', () => {}).once('data', () => socket.write(text)))
}

async function refused(url: URL, code: ErrorCode, told: RegExp): Promise<void> {
  await assert.rejects(postgresSink('db', url.href).check(targetOf({})), (error) => {
    assert.ok(error instanceof AppError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, told)
    assert.doesNotMatch(JSON.stringify([error.message, error.details]), /s3cret|127[.]0[.]0[.]1/)
    return true
  })
}
