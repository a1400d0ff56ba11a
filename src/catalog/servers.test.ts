/** Catalogs on database servers: what is said of a wrong URL, and what becomes of them when the server goes away. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { sql } from 'kysely'
import { startProxy } from '../../test/proxy.ts'
import { freshDatabase, missing, query, startServer } from '../../test/servers.ts'
import { taskOf } from '../../test/contracts/catalog-samples.ts'
import { AppError } from '../errors.ts'
import { createLog } from '../log.ts'
import { openMysql } from './mysql.ts'
import { migrate, migrationStatus, openCatalog } from './open.ts'
import { openPostgres } from './postgres.ts'
import { forRequests } from './remote.ts'

const log = createLog('silent')

const changed = (url: string, change: (url: URL) => void): string => {
  const other = new URL(url)
  change(other)
  return other.href
}

for (const kind of ['postgres', 'mariadb'] as const) {
  suite(`a catalog in ${kind}`, { skip: missing(kind) }, () => {
    test('that cannot be used says why, and which setting to correct', async () => {
      await using database = await freshDatabase(kind)
      const { password, port } = new URL(database.url)
      await using other = createServer((socket) => {
        socket.on('error', () => {}).write('220 mail.example ESMTP\r\n', () => socket.destroy())
      })
      other.listen(0, '127.0.0.1')
      await once(other, 'listening')
      const strange = String((other.address() as AddressInfo).port)
      const cases: readonly (readonly [url: string, told: RegExp])[] = [
        [changed(database.url, (url) => (url.password = 'wrong')), /refuses the login.*ROWMILL_CATALOG_URL/],
        [changed(database.url, (url) => (url.pathname = 'nowhere')), /ROWMILL_CATALOG_URL/],
        [changed(database.url, (url) => (url.hostname = 'nowhere.invalid')), /no such host.*ROWMILL_CATALOG_URL/],
        [changed(database.url, (url) => (url.port = '1')), /cannot be reached.*ROWMILL_CATALOG_URL/],
        [changed(database.url, (url) => (url.port = strange)), /ROWMILL_CATALOG_URL/],
      ]
      for (const [url, told] of cases) {
        await assert.rejects(openCatalog(url, { log }), (error) => {
          assert.ok(error instanceof AppError, String(error))
          assert.equal(error.code, 'unavailable')
          assert.match(error.message, told)
          assert.match(error.message, /^The catalog \((PostgreSQL|MySQL)\): /)
          for (const secret of [password, port, 'wrong']) assert.doesNotMatch(error.message, new RegExp(secret))
          return true
        })
      }
    })

    test('that does not answer is unavailable in time, and there again with its server', async () => {
      await using database = await freshDatabase(kind)
      await using proxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(database.url).port) })
      const url = changed(database.url, (one) => (one.port = String(proxy.port)))
      const patience = { ...forRequests, sessions: 1, connectMs: 200, answerMs: 400 }
      const { db } = kind === 'postgres' ? openPostgres(url, patience, log) : openMysql(url, patience)
      const ask = () => sql<{ n: unknown }>`select 1 as n`.execute(db).then(({ rows }) => Number(rows[0]?.n))
      assert.equal(await ask(), 1)
      proxy.set('hold')
      // The second waits for the session of the first.
      for (const answer of await Promise.allSettled([ask(), ask()])) {
        const { reason } = answer as PromiseRejectedResult
        assert.ok(reason instanceof AppError && reason.code === 'unavailable', String(reason))
        assert.match(reason.message, /it does not answer|the connection broke off|cannot be reached/)
      }
      proxy.set('reset')
      proxy.set('pass')
      assert.equal(await ask(), 1)
      await db.destroy()
    })

    test('that is newer than the code is refused, and one that was emptied says so', async () => {
      await using database = await freshDatabase(kind)
      const { pending } = await migrationStatus(database.url, log)
      const applied = await Promise.all([migrate(database.url, log), migrate(database.url, log)])
      assert.deepEqual(applied.flat(), pending)
      await using catalog = await openCatalog(database.url, { log })
      await query(database.url, `insert into kysely_migration (name, timestamp) values ('9999_tomorrow', 'x')`)
      await assert.rejects(openCatalog(database.url, { log }), { code: 'conflict', message: /newer Rowmill/ })
      await query(database.url, 'drop table table_outputs')
      await assert.rejects(
        catalog
          .checkIntegrity()
          .then(() => catalog.createTask(taskOf([])))
          .then(({ id }) => {
            return catalog.claim(id, 1000).then(() =>
              catalog.finish(id, 1, {
                state: 'succeeded',
                balances: { inputs: {}, outputs: {} },
                warnings: [],
                rejects: null,
                outputs: [{ name: 'a', to: 'b', table: 'c', mode: 'append', rows: 0, undoable: false }],
              }),
            )
          }),
        { code: 'unavailable', message: /lacks a table/ },
      )
    })

    test('goes on when its server was killed and is there again', { timeout: 60_000 }, async () => {
      await using server = await startServer(kind, { durable: true })
      await using catalog = await openCatalog(server.url, { log })
      const { id } = await catalog.createTask(taskOf([]))
      await server.kill()
      for (const call of [() => catalog.createTask(taskOf([])), () => catalog.ping(), () => catalog.getTask(id)]) {
        await assert.rejects(call, { code: 'unavailable' })
      }
      await server.start()
      assert.equal((await catalog.getTask(id))?.state, 'queued')
      assert.equal((await catalog.claim(id, 60_000))?.attempt, 1)
      await Promise.all(Array.from({ length: 20 }, () => catalog.createTask(taskOf([]))))
    })
  })
}
