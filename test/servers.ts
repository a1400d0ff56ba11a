/**
 * Real servers for tests. One of each kind is shared by all tests, each of which has databases, queues or buckets of its own in
 * it; a test of crashes has a server of its own. None outlives the process that started it.
 */
import { execFile } from 'node:child_process'
import { statfs } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import { launch } from '../scripts/servers/launch.ts'
import type { ServerOptions } from '../scripts/servers/recipe.ts'
import { lacking, locate, searchPath } from '../scripts/servers/programs.ts'
import { type Kind, kinds, recipes } from '../scripts/servers/recipes.ts'
import { newId } from '../src/ids.ts'
import { type Env, childrenOf, isAlive, kill, temporaryFolder, until } from './harness.ts'

export type DatabaseKind = Extract<Kind, 'postgres' | 'mariadb'>

/** With it, nothing may be missing. */
const isCi = process.env['CI'] === 'true'

/**
 * Why there can be no such server here, for `{ skip: missing('postgres') }`; false when there can.
 * @throws {Error} that it is missing, where nothing may be.
 */
export function missing(kind: Kind, folders = searchPath(recipes[kind]), isRequired = isCi): string | false {
  const reason = lacking(recipes[kind], folders)
  if (reason !== undefined && isRequired) throw new Error(reason)
  return reason ?? false
}

// ------------------------------------------------------------------------------------------------- databases

export interface TestDatabase extends AsyncDisposable {
  /** `postgres://…` or `mysql://…`, with user and password. */
  readonly url: string
}

/** A new, empty database, dropped when disposed, whoever is still connected to it. */
export async function freshDatabase(kind: DatabaseKind): Promise<TestDatabase> {
  const server = await shared[kind]()
  const name = `app_${newId()}`
  await query(server, created[kind](name))
  const url = new URL(server)
  url.pathname = name
  return {
    url: url.href,
    [Symbol.asyncDispose]: () => dropDatabase(server, kind, name),
  }
}

/**
 * Drops a database, whoever is still connected to it. Only the server itself may end what it does there to keep tables in
 * order; it does so after a moment. And a session may end by itself just when it is to be ended.
 * @param server of another database there.
 */
export async function dropDatabase(server: string, kind: DatabaseKind, name: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await query(server, dropped[kind](name))
      return
    } catch (error) {
      if (tries === 240 || !/pg_signal_backend|Unknown thread id/.test(String(error))) throw error
      await sleep(250)
    }
  }
}

const created: Readonly<Record<DatabaseKind, (name: string) => string>> = {
  // Else PostgreSQL copies page by page by way of its log, which takes three times as long.
  postgres: (name) => `create database ${name} strategy file_copy`,
  mariadb: (name) => `create database ${name}`,
}

const dropped: Readonly<Record<DatabaseKind, (name: string) => string>> = {
  postgres: (name) => `drop database ${name} with (force)`,
  // A transaction left open would block it for a day.
  mariadb: (name) => `begin not atomic
    for client in (select id from information_schema.processlist where db = '${name}') do
      execute immediate concat('kill ', client.id);
    end for;
    drop database ${name};
  end`,
}

/** What one statement answers by the server's own client: a line for each row, with tabs between its values. */
export async function query(url: string, statement: string): Promise<string> {
  const { protocol, hostname, port, username, password, pathname } = new URL(url)
  if (protocol === 'postgres:') {
    return await output(locate(recipes.postgres, 'psql'), ['--no-psqlrc', '-qAt', '-F\t', '-c', statement, url])
  }
  const format = ['--no-defaults', '--batch', '--skip-column-names', '--default-character-set=utf8mb4']
  const place = [`--host=${hostname}`, `--port=${port}`, `--user=${username}`, `--password=${password}`]
  // A statement may hold semicolons, and ends where the text does.
  const args = [...format, ...place, '--delimiter=//', `--execute=${statement}`, pathname.slice(1)]
  return await output(locate(recipes.mariadb, 'mariadb'), args)
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { env: {}, maxBuffer: Number.POSITIVE_INFINITY })
  return stdout.trimEnd()
}

// --------------------------------------------------------------------------------------------------- brokers

/** The URL of a queue that nobody else uses, in the broker that is shared. It goes with the broker. */
export async function freshQueue(): Promise<string> {
  return `${await shared.rabbitmq()}?queue=${newId()}`
}

// --------------------------------------------------------------------------------------------------- buckets

export interface TestBucket extends AsyncDisposable {
  /** `s3://…`, with key, secret and endpoint. */
  readonly url: string
  readonly name: string
  /** To look behind what is tested. */
  readonly client: S3Client
}

/** A new, empty bucket, removed with all that is in it when disposed. */
export async function freshBucket(server?: string): Promise<TestBucket> {
  const { origin, username, password } = new URL(server ?? (await shared.radosgw()))
  const credentials = { accessKeyId: username, secretAccessKey: password }
  const client = new S3Client({ endpoint: origin, region: 'us-east-1', forcePathStyle: true, credentials })
  const name = `app-${newId()}`
  await client.send(new CreateBucketCommand({ Bucket: name }))
  return {
    url: `s3://${username}:${password}@${name}?endpoint=${origin}`,
    name,
    client,
    [Symbol.asyncDispose]: () => dropBucket(client, name),
  }
}

async function dropBucket(client: S3Client, name: string): Promise<void> {
  await emptyBucket({ client, name })
  await client.send(new DeleteBucketCommand({ Bucket: name }))
  client.destroy()
}

/** Removes all that is in a bucket, and what was begun there. */
export async function emptyBucket({ client, name }: Pick<TestBucket, 'client' | 'name'>): Promise<void> {
  const bucket = { Bucket: name }
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command(bucket))
    if (Contents.length === 0) break
    const Objects = Contents.map(({ Key }) => ({ Key }))
    await client.send(new DeleteObjectsCommand({ ...bucket, Delete: { Objects, Quiet: true } }))
  }
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand(bucket))
  for (const { Key, UploadId } of Uploads) {
    await client.send(new AbortMultipartUploadCommand({ ...bucket, Key, UploadId }))
  }
}

// --------------------------------------------------------------------------------------------------- servers

export interface TestServer extends AsyncDisposable {
  readonly url: string
  /** What has started it: its processes are below. */
  readonly pid: number
  /** SIGKILL, to all of it. */
  kill(): Promise<void>
  /** SIGSTOP, and SIGCONT. */
  freeze(): void
  thaw(): void
  /** Ends it in good order. */
  end(): Promise<void>
  /** Starts it again after either, on the same data and port. */
  start(): Promise<void>
}

/** A server of one's own, with no databases but `app`, and no buckets. */
export async function startServer(kind: Kind, { durable = false }: Partial<ServerOptions> = {}): Promise<TestServer> {
  const folder = await temporaryFolder(durable ? undefined : await roomInMemory())
  const launched = () => launch(kind, folder.path, { durable, temporary: true })
  let server = await launched()
  return {
    url: server.url,
    get pid() {
      return server.pid
    },
    async kill() {
      const roots = childrenOf(server.pid)
      // Stopped, it starts no more processes of its own while they are counted.
      for (const { pid } of roots) process.kill(pid, 'SIGSTOP')
      const all = [...roots, ...roots.flatMap(({ pid }) => childrenOf(pid))]
      for (const one of all) kill(one)
      await server.end()
      await until('a killed server is gone', () => all.every((one) => !isAlive(one)))
    },
    freeze: () => childrenOf(server.pid).forEach((one) => kill(one, 'SIGSTOP')),
    thaw: () => childrenOf(server.pid).forEach((one) => kill(one, 'SIGCONT')),
    async end() {
      for (const one of childrenOf(server.pid)) kill(one, 'SIGTERM')
      await server.end()
    },
    async start() {
      server = await launched()
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/**
 * What need not survive a crash of the machine need not be on its disk: databases are made and dropped in a third of the time.
 * Undefined where Linux has no room for them in memory, as in most containers.
 */
async function roomInMemory(): Promise<string | undefined> {
  const folder = '/dev/shm'
  const bytes = await statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  )
  return bytes > 4e9 ? folder : undefined
}

/** Those of the whole run, from the process that starts them to the tests. */
export interface SharedServers extends AsyncDisposable {
  readonly env: Env
}

/** Starts one of each kind that there can be here; a line tells who waits for it. */
export async function shareServers(): Promise<SharedServers> {
  const began = performance.now()
  const reasons = kinds.map((kind) => missing(kind))
  for (const reason of reasons) if (reason !== false) process.stderr.write(`Some tests are left out: ${reason}\n`)
  const present = kinds.filter((_, i) => reasons[i] === false)
  const servers = await Promise.all(present.map((kind) => startServer(kind)))
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  const names = present.map((kind) => recipes[kind].name).join(', ')
  if (present.length > 0) process.stderr.write(`${names} took ${seconds} s to start.\n`)
  return {
    env: Object.fromEntries(present.map((kind, i) => [variable(kind), servers[i]?.url ?? ''])),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
    },
  }
}

const shared: Readonly<Record<Kind, () => Promise<string>>> = {
  postgres: sharedUrl('postgres'),
  mariadb: sharedUrl('mariadb'),
  rabbitmq: sharedUrl('rabbitmq'),
  radosgw: sharedUrl('radosgw'),
}

/** Where the one of the run is; else where one is that lives as long as this process, started when first asked for. */
function sharedUrl(kind: Kind): () => Promise<string> {
  let own: Promise<TestServer> | undefined
  return async () => process.env[variable(kind)] ?? (await (own ??= startServer(kind))).url
}

/** How the tests are told. */
function variable(kind: Kind): string {
  return `TEST_${kind.toUpperCase()}_URL`
}
