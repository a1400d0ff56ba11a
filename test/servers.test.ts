import assert from 'node:assert/strict'
import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { launch } from '../scripts/servers/launch.ts'
import { type Program, childrenOf, isAlive, start, temporaryFolder, until } from './harness.ts'
import { freshBucket, freshDatabase, missing, query, startServer } from './servers.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What the kinds say differently: which databases there are, and who sleeps, and where. */
const statements = {
  postgres: {
    databases: 'select datname from pg_database',
    sleep: 'select pg_sleep(600) from t',
    sleepers: "select datname from pg_stat_activity where query like 'select pg_sleep%'",
  },
  mariadb: {
    databases: 'show databases',
    sleep: 'select sleep(600) from t',
    sleepers: "select db from information_schema.processlist where info like 'select sleep%'",
  },
} as const

for (const kind of ['postgres', 'mariadb'] as const) {
  const { databases, sleep, sleepers } = statements[kind]

  suite(`a server of ${kind}`, { skip: missing(kind) }, () => {
    test('gives every test an empty database of its own', async () => {
      await using one = await freshDatabase(kind)
      await using other = await freshDatabase(kind)
      await query(one.url, 'create table t (x integer, y varchar(9))')
      await query(one.url, "insert into t values (1, 'ß€😀')")
      await query(other.url, 'create table t (x integer)')
      assert.equal(await query(one.url, 'select x, y from t'), '1\tß€😀')
      assert.equal(await query(other.url, 'select x from t'), '')
    })

    test('has it no longer after the test, whoever is still at work in it', async () => {
      await using witness = await freshDatabase(kind)
      const fresh = await freshDatabase(kind)
      const name = new URL(fresh.url).pathname.slice(1)
      const has = async (statement: string) => (await query(witness.url, statement)).split('\n').includes(name)
      assert.equal(await has(databases), true)
      await query(fresh.url, 'create table t (x integer)')
      await query(fresh.url, 'insert into t values (1)')
      const cutOff = assert.rejects(query(fresh.url, sleep))
      await until('somebody is at work in it', () => has(sleepers))
      await fresh[Symbol.asyncDispose]()
      await cutOff
      assert.equal(await has(databases), false)
    })

    test('comes back with what was committed after it was killed', async () => {
      await using server = await startServer(kind, { durable: true })
      await query(server.url, 'create table t (x integer)')
      await query(server.url, 'insert into t values (1)')
      await server.kill()
      await assert.rejects(query(server.url, 'select x from t'), /connect/i)
      await server.start()
      assert.equal(await query(server.url, 'select x from t'), '1')
    })
  })
}

suite('a server of radosgw', { skip: missing('radosgw') }, () => {
  test('gives every test an empty bucket of its own, and takes it back', async () => {
    await using one = await freshBucket()
    const other = await freshBucket()
    const object = { Bucket: other.name, Key: 'x' }
    await other.client.send(new PutObjectCommand({ ...object, Body: 'kept' }))
    assert.equal((await one.client.send(new ListObjectsV2Command({ Bucket: one.name }))).KeyCount, 0)
    await other[Symbol.asyncDispose]()
    await assert.rejects(one.client.send(new GetObjectCommand(object)), { name: 'NoSuchBucket' })
  })

  test('comes back with what was stored after it was killed', async () => {
    await using server = await startServer('radosgw', { durable: true })
    const { client, name } = await freshBucket(server.url)
    const object = { Bucket: name, Key: 'x' }
    await client.send(new PutObjectCommand({ ...object, Body: 'kept' }))
    await server.kill()
    await assert.rejects(client.send(new GetObjectCommand(object)), { code: 'ECONNREFUSED' })
    await server.start()
    assert.equal(await (await client.send(new GetObjectCommand(object))).Body?.transformToString(), 'kept')
  })
})

for (const [kind, servers] of [
  ['postgres', 1],
  ['mariadb', 1],
  // RabbitMQ has one beside it, by which its nodes find each other.
  ['rabbitmq', 2],
  ['radosgw', 3],
] as const) {
  suite(`any server, such as ${kind}`, { skip: missing(kind) }, () => {
    test('does not outlive the process that started it, and leaves nothing', async () => {
      await using folder = await temporaryFolder()
      // The server's account has to get through.
      await chmod(folder.path, 0o711)
      await using program = starter(kind, folder.path)
      await until('the server is up', () => program.stdout() !== '')
      const keepers = childrenOf(program.pid)
      const below = keepers.flatMap(({ pid }) => childrenOf(pid))
      assert.equal(below.length, servers)
      const processes = [...keepers, ...below, ...below.flatMap(({ pid }) => childrenOf(pid))]
      program.send('SIGKILL')
      await until('its folder is gone', async () => (await readdir(folder.path)).length === 0)
      await until('its processes are gone', () => processes.every((one) => !isAlive(one)))
    })
  })
}

/** A process that starts a server, says so, and stays. */
function starter(kind: string, folder: string): Program {
  const code = `
    import { startServer } from ${JSON.stringify(join(root, 'test/servers.ts'))}
    await startServer('${kind}')
    process.stdout.write('up')
    setInterval(() => {}, 1000)`
  return start([process.execPath, '--input-type=module', '--eval', code], { cwd: folder, env: { TMPDIR: folder } })
}

suite('a server that is missing', () => {
  test('is told with what to install', () => {
    const reason = missing('postgres', [], false)
    assert.equal(
      reason,
      'PostgreSQL is not installed (no initdb, no postgres, no psql); on Debian or Ubuntu: apt-get install postgresql',
    )
  })

  test('is a failure where nothing may be missing', () => {
    assert.throws(() => missing('mariadb', [], true), /MariaDB is not installed/)
  })
})

suite('scripts/services', { skip: missing('postgres') }, () => {
  const services = async (...args: string[]) => {
    await using program = start([join(root, 'scripts/services'), ...args], { cwd: root, env: {} })
    return { code: await program.exited, stdout: program.stdout(), stderr: program.stderr() }
  }

  test('starts what is not up yet, and stops it with its data kept', async () => {
    await using folder = await temporaryFolder()
    await chmod(folder.path, 0o711)
    const given = ['postgres', '--folder', folder.path]
    await using _ = { [Symbol.asyncDispose]: async () => void (await services('down', ...given)) }
    const { stdout, stderr } = await services('up', ...given)
    const [, url = assert.fail(stderr)] = /^postgres (postgres:\S+\/app)\n$/.exec(stdout) ?? []
    await query(url, 'create table t (x integer)')
    assert.deepEqual(await services('up', ...given), { code: 0, stdout, stderr: '' })
    assert.match((await services('up', '--durable', ...given)).stderr, /is up without --durable/)
    assert.equal((await services('down', ...given)).stdout, 'postgres is down\n')
    await assert.rejects(query(url, 'select x from t'), /refused/)
    assert.deepEqual(await services('up', '--durable', ...given), { code: 0, stdout, stderr: '' })
    assert.equal(await query(url, 'select x from t'), '')
  })

  test('touches no folder that holds something else', async () => {
    await using folder = await temporaryFolder()
    await writeFile(folder.at('mine'), '')
    await assert.rejects(launch('postgres', folder.path, { durable: false, temporary: true }), /holds something else/)
    assert.deepEqual(await readdir(folder.path), ['mine'])
  })
})
