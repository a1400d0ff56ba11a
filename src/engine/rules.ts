/** What of a contract only DuckDB can judge: patterns, the values that constraints name, zones. */
import type { Pipeline } from '../definition.ts'
import type { Field, Scalar } from '../table-schema.ts'
import { constantSoundSql, patternSql } from './constraints.ts'
import { type Database, quoteText, SqlError } from './duckdb.ts'
import { readingOf } from './types.ts'

/** What is wrong with one key of a declared column; the message follows the key's name. */
export interface RuleProblem {
  readonly input: string
  readonly column: string
  /** A key of the column's `Field` or of its `Constraints`. */
  readonly key: string
  readonly message: string
}

/** Every problem of every input's contract. */
export async function checkRules(database: Database, { inputs }: Pick<Pipeline, 'inputs'>): Promise<RuleProblem[]> {
  const problems: RuleProblem[] = []
  for (const [input, { schema }] of Object.entries(inputs)) {
    for (const field of schema?.fields ?? []) {
      for (const [key, message] of await checkField(database, field)) {
        problems.push({ input, column: field.name, key, message })
      }
    }
  }
  return problems
}

async function checkField(database: Database, field: Field): Promise<[key: string, message: string][]> {
  const { timezone, constraints } = field
  const problems: [string, string][] = []
  if (timezone !== undefined) {
    const wrong = await complaint(database, `TIMESTAMP '2000-01-01' AT TIME ZONE ${quoteText(timezone)}`)
    // Then no value can be read by it either.
    if (wrong !== undefined) return [['timezone', `is “${timezone}”, which is no zone here: ${wrong}`]]
  }
  if (constraints.pattern !== undefined) {
    const wrong = await complaint(database, patternSql(constraints.pattern, `''`))
    if (wrong !== undefined) problems.push(['pattern', `is no pattern in the syntax of RE2: ${wrong}`])
  }
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = constraints
  const named = { minimum, maximum, exclusiveMinimum, exclusiveMaximum, enum: constraints.enum }
  for (const [key, given] of Object.entries(named)) {
    const constants: readonly Scalar[] = given === undefined ? [] : [given].flat()
    const strange = await firstStrange(database, field, constants)
    if (strange === undefined) continue
    problems.push([key, `is ${JSON.stringify(strange)}, which is not ${readingOf(field).about}`])
  }
  return problems
}

/** The first of the constants that is no value of the column. */
async function firstStrange(
  database: Database,
  field: Field,
  constants: readonly Scalar[],
): Promise<Scalar | undefined> {
  if (constants.length === 0) return undefined
  const answers = constants.map((constant) => constantSoundSql(field, constant))
  const [row] = await database.rows(`SELECT list_position([${answers.join(', ')}], false)`)
  const first = row?.[0]
  return typeof first === 'number' && first > 0 ? constants[first - 1] : undefined
}

/** What DuckDB has against an expression. */
async function complaint(database: Database, sql: string): Promise<string | undefined> {
  try {
    await database.rows(`SELECT ${sql}`)
    return undefined
  } catch (error) {
    if (!(error instanceof SqlError)) throw error
    return error.message.replace(/^[A-Za-z ]*Error: /, '').split('\n')[0]
  }
}
