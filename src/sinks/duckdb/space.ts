/** What a DuckDB file takes of its disk: made whole or not at all, and given back what a failed load has taken. */
import { existsSync } from 'node:fs'
import { link, rm, writeFile } from 'node:fs/promises'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { errnoOf } from '../../errors.ts'
import { ownName } from '../file/notes.ts'
import { ledgerTable } from '../tables.ts'

/** Settings of every instance: a file of another kind must not make it fetch what could read it. */
export const offline = { autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' }

/** Makes the file under another name first: one that was left half made could never be opened again. */
export async function makeWhole(path: string): Promise<void> {
  if (existsSync(path)) return
  const made = `${await ownName(path)}-new`
  const instance = await DuckDBInstance.create(made, offline)
  instance.closeSync()
  try {
    await link(made, path)
  } catch (error) {
    // Somebody else was faster.
    if (errnoOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(made)
  }
}

const reserveBytes = 1 << 16

/** Holds as much of the disk, until disposed, as is needed to take back a load that has filled it. */
export async function holdReserve(path: string): Promise<AsyncDisposable> {
  const reserve = `${await ownName(path)}-reserve`
  await writeFile(reserve, Buffer.alloc(reserveBytes))
  return { [Symbol.asyncDispose]: () => rm(reserve, { force: true }) }
}

/**
 * Gives back what is free at the end of the file. That is done at a checkpoint, and one is only made after a change.
 * What cannot be given back is written over by the next load.
 */
export async function cutEnd(connection: DuckDBConnection): Promise<void> {
  await connection.run(`COMMENT ON TABLE ${ledgerTable} IS 'What Rowmill has loaded, and what it is about to'`)
  await connection.run('CHECKPOINT')
}

/** The same for what a write had taken that failed: it is known to be free only when the file is opened anew. */
export async function cutEndAnew(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(path, offline)
  const connection = await instance.connect()
  try {
    await cutEnd(connection)
  } finally {
    // Open, they would keep the file from everybody else.
    connection.closeSync()
    instance.closeSync()
  }
}
