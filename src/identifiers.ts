/** The one place where a name becomes an SQL identifier: quoted exactly, or refused. */
import { AppError } from './errors.ts'

/** How a database writes the names of its tables and columns, and which it can hold. */
export interface Naming {
  readonly database: string
  readonly mark: '"' | '`'
  readonly most: { readonly count: number; readonly unit: 'bytes' | 'characters' } | undefined
}

export const duckdbNames: Naming = { database: 'DuckDB', mark: '"', most: undefined }
export const sqliteNames: Naming = { database: 'SQLite', mark: '"', most: undefined }
/** PostgreSQL cuts what is longer, in silence. */
export const postgresNames: Naming = { database: 'PostgreSQL', mark: '"', most: { count: 63, unit: 'bytes' } }
export const mysqlNames: Naming = { database: 'MySQL', mark: '`', most: { count: 64, unit: 'characters' } }

/**
 * The name as this database takes it, whatever stands in it.
 * @throws {AppError} unprocessable, when the database cannot hold it.
 */
export function identifier(name: string, naming: Naming): string {
  const problem = whatIsWrong(name, naming)
  if (problem !== undefined) {
    throw new AppError(
      'unprocessable',
      `${naming.database} can have no table or column called “${name}”: ${problem}.`,
      {
        details: { name },
      },
    )
  }
  return naming.mark + name.replaceAll(naming.mark, naming.mark + naming.mark) + naming.mark
}

function whatIsWrong(name: string, { most, mark }: Naming): string | undefined {
  if (name === '') return 'it is empty'
  if (name.includes('\0')) return 'there is a NUL in it'
  if (mark === '`' && name.endsWith(' ')) return 'it ends with a space'
  // Beyond the Basic Multilingual Plane, MySQL has no names.
  if (mark === '`' && /[\u{10000}-\u{10ffff}]/u.test(name)) return 'there is a character beyond U+FFFF in it'
  if (most === undefined) return undefined
  const length = most.unit === 'bytes' ? Buffer.byteLength(name) : name.length
  return length <= most.count ? undefined : `it has ${length} ${most.unit}, and ${most.count} are the most`
}

/**
 * A name as others are told from it: two that are the same to any database here are the same by this, such as σ and ς,
 * whose upper case is one. Each character for itself, so that ß is not ss.
 */
export function foldCase(name: string): string {
  return Array.from(name, (character) => {
    const upper = character.toUpperCase()
    return (upper.length === character.length ? upper : character).toLowerCase()
  }).join('')
}

/** Tables and columns whose names begin so are Rowmill's own, and nobody else's. */
export const ownPrefix = '_rowmill_'

export function isOwn(name: string): boolean {
  return name.toLowerCase().startsWith(ownPrefix)
}

/** For DuckDB, which holds every name that a pipeline or a header can have. */
export function quoteName(name: string): string {
  return identifier(name, duckdbNames)
}
