import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createConnection } from 'mysql2/promise'
import { idOf, type Load, load, openMysql, openWire, produce, targetOf, writing } from '../../../test/mysql-fixture.ts'
import { freshDatabase, missing, startServer } from '../../../test/servers.ts'
import { loadConfig } from '../../config.ts'
import { AppError } from '../../errors.ts'
import { mysqlSink } from './sink.ts'

const skip = missing('mariadb')

const columns = { id: 'integer', name: 'string' } as const
const ada: Load = { task: 'ADA', columns, rows: [['1', 'Ada']] }
const upsert = { mode: 'upsert', key: ['id'] } as const

/** What is said of a URL when a table is looked for there. */
async function refusal(url: string): Promise<AppError> {
  try {
    await mysqlSink('db', url).check(targetOf({}))
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
  throw new assert.AssertionError({ message: 'nothing is refused' })
}

interface Listening extends AsyncDisposable {
  readonly url: string
}

async function listen(server: Server): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `mysql://app:secret@127.0.0.1:${(server.address() as AddressInfo).port}/app`,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}

test('MySQL: says that another server is there', async () => {
  await using web = await listen(createHttpServer())
  await using mail = await listen(
    createServer((socket) => socket.on('error', () => {}).end('220 mail.example ESMTP\r\n')),
  )
  await using closed = await listen(createServer((socket) => socket.on('error', () => {}).end()))
  const postgres = missing('postgres') === false ? await freshDatabase('postgres') : undefined
  await using _ = postgres ?? { [Symbol.asyncDispose]: async () => {} }
  const servers: readonly (readonly [url: string, code: string, told: RegExp])[] = [
    [mail.url, 'unprocessable', /speaks another language than MySQL; correct host and port/],
    [web.url, 'unavailable', /says nothing; look whether it is well, and whether the URL of the sink names/],
    [closed.url, 'unavailable', /says nothing; look whether/],
    ...(postgres === undefined
      ? []
      : [[postgres.url.replace('postgres:', 'mysql:'), 'unavailable', /says nothing; look whether/] as const]),
  ]
  await Promise.all(
    servers.map(async ([url, code, told]) => {
      const error = await refusal(`${url}?connectTimeout=1000`)
      assert.equal(error.code, code)
      assert.match(error.message, told)
    }),
  )
})

test('MySQL: a rehearsal at a server that says nothing ends when it is aborted', { skip }, async () => {
  await using database = await openMysql()
  const one: Load = { ...ada, target: upsert }
  await load(database.sink, one)
  await using produced = await produce(database.sink, one)
  const { promise: connected, resolve } = Promise.withResolvers<void>()
  await using hole = await listen(createServer((socket) => resolve(void socket.on('error', () => {}))))
  const stop = new AbortController()
  const rehearsed = mysqlSink('db', hole.url).rehearse(targetOf(one), produced, stop.signal)
  const stopped = assert.rejects(rehearsed, { message: 'enough' })
  await connected
  stop.abort(new Error('enough'))
  await stopped
})

test('MySQL: an undo that is stuck ends when it is aborted, and nothing of it stays', { skip }, async () => {
  await using database = await openMysql()
  await using wire = await openWire(database.url)
  await load(database.sink, ada)
  const of = { ...idOf(ada), target: targetOf(ada) }
  const undo = { task: 'UNDO', output: 'rows' }
  const stop = new AbortController()
  {
    await using undoing = await mysqlSink('db', wire.url).undo(undo, 1, of)
    wire.breakAt('DELETE FROM', 'late')
    const stopped = assert.rejects(undoing.write(stop.signal), { message: 'enough' })
    await wire.broken()
    stop.abort(new Error('enough'))
    await stopped
  }
  assert.deepEqual(await database.rows('SELECT name FROM people'), [['Ada']])
  await using again = await database.sink.undo(undo, 2, of)
  await again.write(writing.signal)
  assert.equal((await again.commit()).removed, 1)
})

test('MySQL: a URL takes “?tls=require”, and nothing else behind a “?”', () => {
  const accepted = (url: string) => loadConfig({ ROWMILL_SINK_DB_URL: url }, tmpdir()).config.SINKS.get('db')
  for (const scheme of ['mysql', 'mariadb']) {
    const url = `${scheme}://app:secret@db.example/app`
    assert.equal(accepted(`${url}?tls=require`), `${url}?tls=require`)
    for (const search of ['?tls=off', '?tls=require&debug=true', '?ssl={}', '?secret']) {
      assert.throws(
        () => accepted(url + search),
        ({ message }: AppError) => {
          assert.match(message, /nothing behind a “[?]” but tls=require/)
          assert.doesNotMatch(message, /secret|debug/)
          return true
        },
      )
    }
  }
})

test('MySQL: says that there is no TLS where the URL asks for it', { skip }, async () => {
  await using database = await openMysql()
  const [[state] = []] = await database.rows('SELECT @@have_ssl')
  const error = await refusal(`${database.url}?tls=require`)
  if (state === 'YES') return assert.match(error.message, /its certificate is not trusted/)
  assert.equal(error.code, 'unprocessable')
  assert.match(error.message, /it has no TLS, which “[?]tls=require” in the URL of the sink asks for/)
  return undefined
})

test('MySQL: says that a server is read-only, and loads when it is no longer', {
  // Nobody else may turn it on there.
  skip: skip || (process.getuid?.() !== 0 && 'this system’s root alone may log in as the server’s'),
}, async () => {
  await using server = await startServer('mariadb')
  const sink = mysqlSink('db', server.url)
  const known = await createConnection(server.url)
  const [rows] = await known.query('SELECT @@datadir AS folder, @@socket AS socket')
  await known.end()
  const [{ folder, socket } = { folder: '', socket: '' }] = rows as { folder: string; socket: string }[]
  const root = await createConnection({ socketPath: join(folder, socket), user: 'root' })
  await root.query('SET GLOBAL read_only = 1')
  await assert.rejects(load(sink, ada), {
    code: 'unavailable',
    message: /it takes no writes at present: it is read-only/,
  })
  await root.query('SET GLOBAL read_only = 0')
  await root.end()
  assert.equal((await load(sink, { ...ada, attempt: 2 })).balance.inserted, 1)
})

test('MySQL: messages name the user’s table, and none of Rowmill’s', { skip }, async () => {
  for (const mode of ['replace', 'upsert'] as const) {
    await using database = await openMysql()
    await database.run(
      'CREATE TABLE people (id int PRIMARY KEY, name varchar(9), CONSTRAINT short CHECK (length(name) < 4))',
    )
    const one: Load = { ...ada, target: mode === 'upsert' ? upsert : { mode }, rows: [['1', 'Grace']] }
    await assert.rejects(load(database.sink, one), ({ code, message, details }: AppError) => {
      assert.equal(code, 'unprocessable')
      assert.match(message, /short.* failed for .*people/)
      assert.doesNotMatch(JSON.stringify([message, details]), /_rowmill_/)
      return true
    })
  }
})
