/** How a file is to be read, where somebody knows: in a pipeline under `reader`, for one run as params `reader.NAME`. */
import { z } from 'zod'
import { type Param, type ParamSpec, readerPrefix } from '../model.ts'
import { instead, keyed } from './yaml.ts'

const character = z
  .string({ error: instead('one ASCII character, or "" for none') })
  .refine((text) => text.length <= 1 && text <= '\u007f', 'is not one ASCII character; write one, or "" for none')

const options = {
  encoding: z.string({ error: instead('the name of an encoding, such as windows-1252') }).min(1, 'is empty'),
  delimiter: z
    .string({ error: instead('what stands between cells') })
    .regex(/^[^\r\n\0]{1,4}$/, 'is no delimiter; write 1 to 4 characters, none of them a line end'),
  quote: character,
  escape: character,
  comment: character,
  header: z.boolean({ error: instead('true or false') }),
  skipLines: z.int({ error: instead('a number of lines') }).min(0, 'is less than 0'),
}

export const reader = keyed(`a mapping with any of ${Object.keys(options).join(', ')}`, options).partial()

const types: Readonly<Record<string, ParamSpec['type']>> = { header: 'boolean', skipLines: 'integer' }

/** The param's type, for one that says how files are read; undefined for a name that does not. */
export function readerParamType(param: string): ParamSpec['type'] | undefined {
  const name = param.slice(readerPrefix.length)
  if (!param.startsWith(readerPrefix) || !Object.hasOwn(options, name)) return undefined
  return types[name] ?? 'string'
}

/** What is wrong with the value of such a param, if anything; the words follow the param's name. */
export function checkReaderParam(param: string, value: Param): string | undefined {
  const result = reader.safeParse({ [param.slice(readerPrefix.length)]: value })
  return result.success ? undefined : (result.error.issues[0]?.message ?? 'is wrong')
}

export const readerParams: readonly string[] = Object.keys(options).map((name) => readerPrefix + name)
