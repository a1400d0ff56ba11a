/** How a file is to be read, where somebody knows: in a pipeline under `reader`, for one run as params `reader.NAME`. */
import { z } from 'zod'
import { AppError } from '../errors.ts'
import type { Param, Params } from '../model.ts'
import { type ParamSpec, type Pipeline, type ReaderOptions, readerPrefix } from '../definition.ts'
import { instead, keyed } from './yaml.ts'

/** Line ends, and what ends a text elsewhere. */
const unfit = /[\r\n\0]/

const character = z
  .string({ error: instead('one ASCII character, or "" for none') })
  .refine((text) => text.length <= 1 && text <= '\u007f', 'is not one ASCII character; write one, or "" for none')
  .refine((text) => !unfit.test(text), 'is a line end or a NUL, which is never within a line; write another character')

const options = {
  encoding: z.string({ error: instead('the name of an encoding, such as windows-1252') }).min(1, 'is empty'),
  delimiter: z
    .string({ error: instead('what stands between cells') })
    .min(1, 'is empty; write what stands between cells, in 1 to 4 characters')
    .refine((text) => Array.from(text).length <= 4, 'is longer than 4 characters; write 1 to 4')
    .refine((text) => !unfit.test(text), 'has a line end or a NUL in it, where no record goes on; write another one'),
  quote: character,
  escape: character,
  comment: character,
  header: z.boolean({ error: instead('true or false') }),
  skipLines: z.int({ error: instead('a number of lines') }).min(0, 'is less than 0'),
}

/** Each by itself. */
const separate = keyed(`a mapping with any of ${Object.keys(options).join(', ')}`, options).partial()

export const reader = separate.superRefine((given, context) => {
  for (const { option, message } of conflictsIn(given)) context.addIssue({ code: 'custom', path: [option], message })
})

export interface ReaderProblem {
  readonly option: keyof ReaderOptions
  /** Follows the option's name. */
  readonly message: string
}

/** What is wrong with options, each by itself and all together. */
export function readerProblems(given: ReaderOptions): ReaderProblem[] {
  const { error } = reader.safeParse(given)
  return (error?.issues ?? []).map(({ path, message }) => ({ option: path[0] as keyof ReaderOptions, message }))
}

/** What cannot be one thing and another as well. Where nobody names a quote, it is the usual one. */
function conflictsIn({ delimiter = '', quote = '"', escape = '', comment = '' }: ReaderOptions): ReaderProblem[] {
  const problems: ReaderProblem[] = []
  const tell = (isWrong: boolean, option: keyof ReaderOptions, message: string) => {
    if (isWrong) problems.push({ option, message })
  }
  const isIn = (part: string, whole: string) => part !== '' && whole.includes(part)
  tell(
    isIn(quote, delimiter),
    'delimiter',
    `has the quote in it (${quote}); change one of them, or give "" as the quote`,
  )
  tell(isIn(escape, delimiter), 'escape', 'is in the delimiter as well; change one of them')
  tell(
    escape !== '' && quote === '',
    'escape',
    'is for quotes, and the quote is "", so that there are none; leave it out',
  )
  tell(comment !== '' && comment === quote, 'comment', 'is the quote as well; change one of them')
  tell(comment !== '' && delimiter.startsWith(comment), 'comment', 'begins the delimiter as well; change one of them')
  return problems
}

/**
 * What a pipeline says of its files and what params say is checked together: they may contradict one another.
 * @throws {AppError} unprocessable, a line and an entry of `details.problems` for every problem.
 */
export function refuseConflicts({ inputs }: Pick<Pipeline, 'inputs'>, params: Params): void {
  const own = Object.entries(params).filter(([param]) => param.startsWith(readerPrefix))
  const given = Object.fromEntries(own.map(([param, value]) => [param.slice(readerPrefix.length), value]))
  const problems = Object.entries(inputs).flatMap(([input, spec]) =>
    conflictsIn({ ...spec.reader, ...given }).map(({ option, message }) => ({
      input,
      message: `Input ${input}: ${readerPrefix}${option} ${message}.`,
    })),
  )
  if (problems.length === 0) return
  throw new AppError('unprocessable', problems.map(({ message }) => message).join('\n'), { details: { problems } })
}

const types: Readonly<Record<string, ParamSpec['type']>> = { header: 'boolean', skipLines: 'integer' }

/** The param's type, for one that says how files are read; undefined for a name that does not. */
export function readerParamType(param: string): ParamSpec['type'] | undefined {
  const name = param.slice(readerPrefix.length)
  if (!param.startsWith(readerPrefix) || !Object.hasOwn(options, name)) return undefined
  return types[name] ?? 'string'
}

/** What is wrong with the value of such a param by itself, if anything; the words follow the param's name. */
export function checkReaderParam(param: string, value: Param): string | undefined {
  const result = separate.safeParse({ [param.slice(readerPrefix.length)]: value })
  return result.success ? undefined : (result.error.issues[0]?.message ?? 'is wrong')
}

export const readerParams: readonly string[] = Object.keys(options).map((name) => readerPrefix + name)
