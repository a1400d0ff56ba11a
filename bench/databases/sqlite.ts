/** SQLite: `.import` of the program sqlite3 is the floor. */
import { hash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { AppError } from '../../src/errors.ts'
import { contentsSql, createTable, digestDigits, table } from '../customers.ts'
import { type Database, rowmillLoader, versionOf } from './database.ts'

/** A numeric column holds floating-point numbers here, which would leave out zeros at the end. */
const sumSql = contentsSql(
  (column) => (column === 'amount' ? "iif(amount IS NULL, NULL, printf('%.2f', amount))" : column),
  (text) => `digest(${text})`,
)

/**
 * @param path of the file, which is made anew for each run.
 * @throws {AppError} unavailable, where sqlite3 is not installed.
 */
export async function openSqlite(path: string): Promise<Database> {
  const version = await versionOf('sqlite3', '--version')
  if (version === undefined) {
    throw new AppError('unavailable', 'sqlite3 is not installed; on Debian or Ubuntu: apt-get install sqlite3')
  }
  return {
    program: `SQLite ${version} in sqlite3, ${process.versions['sqlite']} in Node`,
    packages: [],
    loaders: [
      {
        name: '`sqlite3 .import`',
        command: (file) => ({ file: 'sqlite3', args: [path, `.import --csv --skip 1 "${file}" ${table}`] }),
        settle: () => {
          using database = new DatabaseSync(path)
          database.exec(`UPDATE ${table} SET amount = NULL WHERE amount = ''`)
        },
      },
      rowmillLoader(`sqlite:${path}`),
    ],
    leftOut: [],
    async renew() {
      for (const suffix of ['', '-journal', '-wal', '-shm']) await rm(path + suffix, { force: true })
      using database = new DatabaseSync(path)
      database.exec(createTable)
    },
    async contents() {
      using database = new DatabaseSync(path, { readBigInts: true, returnArrays: true })
      database.function('digest', (text) => BigInt(`0x${hash('md5', String(text)).slice(0, digestDigits)}`))
      const [rows = 0n, sum = 0n] = database.prepare(sumSql).get() as unknown as bigint[]
      return { rows: Number(rows), sum }
    },
  }
}
