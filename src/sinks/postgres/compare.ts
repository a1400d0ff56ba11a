/** SQL by which rows are told apart. */
import { identifier, postgresNames } from '../../identifiers.ts'
import { comparable } from './types.ts'

/** A column and its type, as `format_type` has it. */
export interface Typed {
  readonly name: string
  readonly type: string
}

export const quote = (name: string) => identifier(name, postgresNames)

/** Columns of two relations, pairwise; `a` and `b` are what they are called. */
export function sameKey(key: readonly string[], a: string, b: string): string {
  return key.map((name) => `${a}.${quote(name)} = ${b}.${quote(name)}`).join(' AND ')
}

/** Whether any of the columns differs, in any byte. */
export function differ(columns: readonly Typed[], a: string, b: string): string {
  const pairs = columns.map(({ name, type }) => {
    return `${comparable(`${a}.${quote(name)}`, type)} IS DISTINCT FROM ${comparable(`${b}.${quote(name)}`, type)}`
  })
  return pairs.length === 0 ? 'false' : `(${pairs.join(' OR ')})`
}
