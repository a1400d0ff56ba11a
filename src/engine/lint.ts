/** The SQL of a pipeline, tried on empty relations. */
import { AppError } from '../errors.ts'
import { quoteName } from '../identifiers.ts'
import type { Pipeline } from '../definition.ts'
import { Database } from './duckdb.ts'
import { selectColumns } from './outputs.ts'
import { createRejectsRelation } from './rejects.ts'
import { createColumnsRelation } from './columns-relation.ts'
import { createFilesRelation } from './relations.ts'
import { checkRules, type RuleProblem } from './rules.ts'
import { sqlTypeOf } from './types.ts'

export interface SqlProblem {
  readonly output: string
  /** 1-based in the SQL. */
  readonly line: number
  readonly message: string
}

/** A database with the relations that always exist, all of them empty, and nothing else. */
export async function openEmptyDatabase(): Promise<Database> {
  const signal = new AbortController().signal
  const reach = { spill: '', readable: [], writable: '/nowhere' }
  const database = await Database.open({ memory: 100e6, threads: 1, ...reach, signal })
  await createRejectsRelation(database)
  await createFilesRelation(database, { now: 0 }, [], () => {
    throw new RangeError('no file has a balance where there are no files')
  })
  await createColumnsRelation(database, [], () => undefined)
  return database
}

/**
 * What is wrong with the inputs' contracts and with the outputs' SQL. Of an input that declares no columns nobody knows the names, so where there is
 * one, only the form of the SQL is judged.
 */
export async function lintPipeline(pipeline: Pipeline): Promise<{ rules: RuleProblem[]; sql: SqlProblem[] }> {
  const { inputs, outputs } = pipeline
  using database = await openEmptyDatabase()
  for (const [name, { schema }] of Object.entries(inputs)) {
    if (schema === undefined) continue
    const typed = schema.fields.map((field) => `${quoteName(field.name)} ${sqlTypeOf(field.type)}`)
    await database.run(`CREATE TABLE ${quoteName(name)} (${typed.join(', ')})`)
  }
  const known = Object.values(inputs).every(({ schema }) => schema !== undefined)
  const problems: SqlProblem[] = []
  for (const [output, { sql }] of Object.entries(outputs)) {
    const message = await whatIsWrong(database, output, sql)
    if (message === undefined || (!known && /^(Binder|Catalog) Error/.test(message))) continue
    const [first = message] = message.split('\n')
    problems.push({ output, line: Number(/^LINE (\d+):/m.exec(message)?.[1] ?? 1), message: first })
  }
  return { rules: await checkRules(database, pipeline), sql: problems }
}

async function whatIsWrong(database: Database, output: string, sql: string): Promise<string | undefined> {
  try {
    await selectColumns(database, output, sql)
    return undefined
  } catch (error) {
    if (error instanceof AppError && error.cause instanceof Error) {
      return error.cause.message.replace(/^Failed to extract statements: /, '')
    }
    throw error
  }
}
