import { AppError } from '../errors.ts'
import type { Param, Params } from '../model.ts'
import type { ParamSpec, Pipeline } from '../definition.ts'
import { nearest } from '../nearest.ts'
import { checkReaderParam, readerParams, readerParamType, refuseConflicts } from './reader.ts'
import { checkParam } from './schema.ts'

/**
 * The params of one task: what was given, checked, and the defaults of the rest. A param that was neither given nor has
 * a default is absent. Text, as a query or a command line has it, is read by the declared type; a list also from
 * commas. Values from JSON must have the type already.
 * @throws {AppError} unprocessable, a line and an entry of `details.problems` for every problem.
 */
export function checkParams(pipeline: Pipeline, given: Readonly<Record<string, unknown>>): Params {
  const known = Object.keys(pipeline.params)
  const problems: { param: string; message: string }[] = []
  for (const param of Object.keys(given)) {
    if (known.includes(param) || readerParamType(param) !== undefined) continue
    problems.push({ param, message: unknownParam(param, pipeline.name, known) })
  }

  const params: Record<string, Param> = {}
  for (const [param, spec] of Object.entries(pipeline.params)) {
    const value = Object.hasOwn(given, param) ? read(spec, given[param]) : undefined
    if (value !== undefined) {
      const problem = checkParam(spec, value)
      if (problem === undefined) params[param] = value as Param
      else problems.push({ param, message: `Param ${param} ${problem}.` })
    } else if (spec.default !== undefined) params[param] = spec.default
    else if (spec.required)
      problems.push({ param, message: `Param ${param} is missing; pipeline ${pipeline.name} needs it.` })
  }
  for (const param of Object.keys(given)) {
    const type = readerParamType(param)
    if (type === undefined) continue
    const value = read({ type }, given[param]) as Param
    const problem = checkReaderParam(param, value)
    if (problem === undefined) params[param] = value
    else problems.push({ param, message: `Param ${param} ${problem}.` })
  }
  if (problems.length === 0) {
    refuseConflicts(pipeline, params)
    return params
  }
  throw new AppError('unprocessable', problems.map(({ message }) => message).join('\n'), { details: { problems } })
}

/** Text becomes what the type says where it can; what cannot is left for the check to name. */
function read({ type }: Pick<ParamSpec, 'type'>, value: unknown): unknown {
  if (type === 'array' && typeof value === 'string') return value === '' ? [] : value.split(',')
  if (typeof value !== 'string') return value
  if (type === 'integer' && /^[+-]?\d+$/.test(value) && Number.isSafeInteger(Number(value))) return Number(value)
  if (type === 'number' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) return Number(value)
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true'
  return value
}

function unknownParam(param: string, pipeline: string, known: readonly string[]): string {
  const near = nearest(param, [...known, ...readerParams])
  if (known.length === 0 && near === undefined)
    return `Pipeline ${pipeline} takes no params, so ${param} is none of them.`
  const hint = near === undefined ? `It takes ${known.join(', ')}.` : `Did you mean ${near}?`
  return `Pipeline ${pipeline} has no param ${param}. ${hint}`
}
