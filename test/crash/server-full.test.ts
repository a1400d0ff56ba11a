/** A database server whose disk fills up under a load: none of its rows are there, and all of them once there is space. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryFolder } from '../harness.ts'
import { missing } from '../servers.ts'
import { noSmallDisk, scriptOnSmallDisk } from '../small-disk.ts'

const withoutDisk = noSmallDisk()

for (const [kind, sink] of [
  ['postgres', 'postgresSink'],
  ['mariadb', 'mysqlSink'],
] as const) {
  test(`${kind} with a full disk: a load is taken back, and goes through once there is space`, {
    skip: missing(kind) || withoutDisk,
  }, async () => {
    await using folder = await temporaryFolder()
    const at = (file: string) => JSON.stringify(import.meta.resolve(file))
    const { stdout, stderr } = scriptOnSmallDisk(
      folder.path,
      400_000_000,
      `
      import { rm, statfs, writeFile } from 'node:fs/promises'
      import { Readable } from 'node:stream'
      import { ${sink} } from ${at(`../../src/sinks/${kind === 'mariadb' ? 'mysql' : kind}/sink.ts`)}
      import { load, targetOf, writing } from ${at('../mysql-fixture.ts')}
      import { query, startServer } from ${at('../servers.ts')}
      const columns = { id: 'integer', name: 'string' }
      await using server = await startServer('${kind}', { durable: true })
      const sink = ${sink}('db', server.url)
      const count = () => query(server.url, 'SELECT count(*) FROM people')
      await load(sink, { task: 'BEFORE', columns, rows: [['1', 'Ada']] })

      const chunk = Buffer.from(('2\\t' + 'x'.repeat(1000) + '\\n').repeat(1000))
      const produced = {
        name: 'rows', format: 'tabbed', file: 'rows', path: '', rows: 60_000, isGuess: false,
        columns: Object.entries(columns).map(([name, type]) => ({ name, type, isThere: true })),
        open: () => Readable.from(Array.from({ length: 60 }, () => chunk)),
      }
      const attempt = async (n) => {
        await using delivery = await sink.begin({ task: 'BIG', output: 'rows' }, n, targetOf({}))
        await delivery.write(produced, writing)
        return (await delivery.commit()).balance.inserted
      }
      const { bavail, bsize } = await statfs(${JSON.stringify(folder.path)})
      const ballast = ${JSON.stringify(folder.at('ballast'))}
      await writeFile(ballast, Buffer.alloc(bavail * bsize - 30e6))
      console.log(await attempt(1).catch((error) => error.code + ' ' + error.message))
      // A server may die of it; one that lives shows nothing of the load.
      console.log(await count().catch(() => 'away'))
      await rm(ballast)
      await server.kill()
      await server.start()
      console.log(await count())
      console.log(await attempt(2), await count())`,
    )
    assert.match(
      stdout,
      /^(full .*its disk is full.*\n1|unavailable .*(broke off|was ended).*\naway)\n1\n60000 60001\n$/,
      stderr,
    )
  })
}
