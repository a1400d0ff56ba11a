/** A pipeline as its YAML file defines it: named relations in, SELECTs out. Pure. */
import type { OutputFormat, Param } from './model.ts'
import type { Schema } from './table-schema.ts'

/** What is to be done, as one YAML file says it. */
export interface Pipeline {
  readonly name: string
  readonly about: string
  readonly params: Readonly<Record<string, ParamSpec>>
  readonly rejects: RejectPolicy
  readonly inputs: Readonly<Record<string, InputSpec>>
  readonly outputs: Readonly<Record<string, OutputSpec>>
}

export interface ParamSpec {
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array'
  readonly about?: string | undefined
  readonly enum?: readonly string[] | undefined
  readonly default?: Param | undefined
  readonly required: boolean
}

/** `max` below 1 is a share of an input's records, from 1 on a count. */
export type RejectPolicy = 'fail' | 'keep' | { readonly max: number }

export interface InputSpec {
  /** A glob over the file's whole name; `*` crosses `/`. */
  readonly match?: string | undefined
  /** Undeclared, a column has the type that all its cells give evidence of. */
  readonly schema?: Schema | undefined
  readonly reader?: ReaderOptions | undefined
}

/** Of the params of a task that say how its files are read; those of a pipeline have no dot in their names. */
export const readerPrefix = 'reader.'

/** What is known of a file's form; whatever is not given is found out. */
export interface ReaderOptions {
  /** A name of the WHATWG Encoding Standard, such as `windows-1252`. */
  readonly encoding?: string | undefined
  readonly delimiter?: string | undefined
  /** One ASCII character; empty: quotes are text. */
  readonly quote?: string | undefined
  /** One ASCII character; empty: quotes within quotes cannot be. */
  readonly escape?: string | undefined
  /** A line that begins with it is skipped; empty: none. Never guessed. */
  readonly comment?: string | undefined
  readonly header?: boolean | undefined
  /** Lines before the header (or, without one, before the first record). */
  readonly skipLines?: number | undefined
}

export type OutputSpec = FileSpec | TableSpec

/** An output to download. */
export interface FileSpec {
  readonly to: string
  readonly format: OutputFormat
  readonly sql: string
}

/** An output for a table. What is undefined has its default; a text such as `$table` is the value of that param. */
export interface TableSpec {
  readonly to: string
  readonly sql: string
  readonly table?: string | undefined
  readonly mode?: string | undefined
  readonly key?: string | readonly string[] | undefined
  readonly drift?: string | undefined
  readonly undoable?: boolean | string | undefined
}

export function isForTable(spec: OutputSpec): spec is TableSpec {
  return !('format' in spec)
}
