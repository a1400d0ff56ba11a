/** PostgreSQL: `psql \copy` is the floor. */
import { fileURLToPath } from 'node:url'
import { locate } from '../../scripts/servers/programs.ts'
import { recipes } from '../../scripts/servers/recipes.ts'
import { dropDatabase, query } from '../../test/servers.ts'
import { columns, contentsSql, createTable, digestDigits, table } from '../customers.ts'
import { peer } from '../measure.ts'
import { type Database, type Loader, rowmillLoader, rowmillLoads, versionOf } from './database.ts'

/** Above, it would take minutes. */
const mostForPgloader = 1_000_000

const sumSql = contentsSql(
  (column) => `${column}::text`,
  (text) => `('x' || left(md5(${text}), ${digestDigits}))::bit(${4 * digestDigits})::bigint`,
)

/** @param url of a database that is made anew for each run, by a role that may do so. */
export async function openPostgres(url: string): Promise<Database> {
  const peers = [await pgloader(url), insert(url), await psycopg2(url)]
  return {
    program: `PostgreSQL ${(await query(url, 'SHOW server_version')).split(' ')[0]}`,
    packages: ['csv-parse', 'pg'],
    loaders: [
      copy(url),
      rowmillLoader(url),
      rowmillLoader(`${url}?connections=2`, `${rowmillLoads}, 2 connections`),
      ...peers.filter((one) => typeof one !== 'string'),
    ],
    leftOut: peers.filter((one) => typeof one === 'string'),
    async renew() {
      const elsewhere = new URL(url)
      elsewhere.pathname = 'postgres'
      const name = new URL(url).pathname.slice(1)
      // To drop a database is a checkpoint as well, which the role may not ask for by itself.
      await dropDatabase(elsewhere.href, 'postgres', name)
      await query(elsewhere.href, `CREATE DATABASE ${name}`)
      await query(url, createTable)
    },
    async contents() {
      const [rows = '', sum = ''] = (await query(url, sumSql)).split('\t')
      return { rows: Number(rows), sum: BigInt(sum) }
    },
  }
}

function copy(url: string): Loader {
  const psql = locate(recipes.postgres, 'psql')
  const from = (file: string) => `\\copy ${table} from '${file}' with (format csv, header)`
  return {
    name: '`psql \\copy`',
    command: (file) => ({ file: psql, args: ['--no-psqlrc', '-q', '-c', from(file), url] }),
  }
}

function insert(url: string): Loader {
  return { name: 'INSERT from Node', isSlow: true, command: (file) => peer('load-insert', file, url) }
}

/** A line instead, where it is not installed; so with psycopg2. */
async function pgloader(url: string): Promise<Loader | string> {
  const version = await versionOf('pgloader', '--version')
  if (version === undefined) return 'pgloader is left out: it is not installed (apt-get install pgloader)'
  const format = [
    'skip header = 1',
    "fields optionally enclosed by '\"'",
    'fields escaped by double-quote',
    "fields terminated by ','",
  ].flatMap((option) => ['--with', option])
  const fields = ['--field', Object.keys(columns).join(',')]
  return {
    name: 'pgloader',
    program: `pgloader ${version}`,
    isSlow: true,
    mostRows: mostForPgloader,
    command: (file, folder) => ({
      file: 'pgloader',
      args: ['--quiet', '--root-dir', folder, '--type', 'csv', ...fields, ...format, file, `${url}?tablename=${table}`],
    }),
  }
}

async function psycopg2(url: string): Promise<Loader | string> {
  const script = fileURLToPath(new URL('../peers/load-psycopg2.py', import.meta.url))
  // A Python of one's own may come before the system's, which is the one that the package is for.
  for (const python of ['python3', '/usr/bin/python3']) {
    const version = await versionOf(python, '-c', 'import psycopg2; print(psycopg2.__version__)')
    if (version === undefined) continue
    const command: Loader['command'] = (file) => ({ file: python, args: [script, file, url] })
    return { name: 'psycopg2', program: `psycopg2 ${version}`, isSlow: true, command }
  }
  return 'psycopg2 is left out: it is not installed (apt-get install python3-psycopg2)'
}
