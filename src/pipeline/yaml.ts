/**
 * YAML that people write: read against a schema, every problem told with its line.
 */
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import { z } from 'zod'
import { AppError } from '../errors.ts'
import { nearest } from '../nearest.ts'

export interface Problem {
  readonly file: string
  /** 1-based. */
  readonly line: number
  readonly message: string
}

/** Nothing that a person writes by hand comes near it. In UTF-8 bytes. */
const maxBytes = 1_000_000

/** Aliases are a convenience; nested without a limit they are the "billion laughs". */
const maxAliasCount = 50

/**
 * @param file how the messages name it.
 * @throws {AppError} unprocessable; its message has a line for every problem, its details the same as `problems`.
 */
export function readYaml<T>(text: string, file: string, schema: z.ZodType<T>): T {
  if (Buffer.byteLength(text) > maxBytes) {
    throw refuse([{ file, line: 1, message: `the file has more than ${maxBytes} bytes; make it smaller` }])
  }
  const lines = new LineCounter()
  const document = parse(text, lines)
  const problems: Problem[] = [...document.errors, ...document.warnings].map((error) => ({
    file,
    line: lines.linePos(error.pos[0]).line,
    message: `${error.message}; correct the YAML`,
  }))
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return
      const line = lines.linePos(alias.range?.[0] ?? 0).line
      problems.push({ file, line, message: `nothing above is called &${alias.source}; name it there or write it out` })
    },
    // Objects cannot hold it as a key without surprises, so it is refused rather than lost.
    Pair(_, { key }) {
      if (!isScalar(key) || key.value !== '__proto__') return
      problems.push({
        file,
        line: lines.linePos(key.range?.[0] ?? 0).line,
        message: '__proto__ cannot be a key; rename it',
      })
    },
    // SQL would end there.
    Scalar(_, { value, range }) {
      if (typeof value !== 'string' || !value.includes('\0')) return
      const { line } = lines.linePos(range?.[0] ?? 0)
      problems.push({ file, line, message: 'a text has a NUL in it, which nothing can hold; take it out' })
    },
  })
  if (problems.length > 0) throw refuse(problems)

  const result = schema.safeParse(toValue(document, file))
  if (result.success) return result.data
  throw refuse(
    result.error.issues.flatMap(told).map(({ path, message }) => ({
      file,
      line: lineOf(document, lines, path),
      message: `${path.length === 0 ? 'the file' : path.map(String).join('.')} ${message}`,
    })),
  )
}

/**
 * The line on which the text at `path` begins, and whether it is a literal block (`|`), whose lines are the file's own;
 * when it is not there, the line of the nearest thing around it. The YAML must be sound.
 */
export function locate(text: string, path: readonly string[]): { line: number; literal: boolean; found: boolean } {
  const lines = new LineCounter()
  const document = parse(text, lines)
  const node = document.getIn(path, true)
  const literal = isScalar(node) && node.type === 'BLOCK_LITERAL'
  return { line: lineOf(document, lines, path) + (literal ? 1 : 0), literal, found: document.hasIn(path) }
}

/** An object that knows its keys: another one is told with the nearest of them. */
export function keyed<S extends z.core.$ZodLooseShape>(what: string, shape: S): z.ZodObject<S, z.core.$strict> {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => unknownKey(key, known)).join('\n')
        : instead(what)(issue),
  })
}

/** "is missing; write …" or "is 5; write …". */
export function instead(what: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => `${input === undefined ? 'is missing' : `is ${brief(input)}`}; write ${what}`
}

/** "a, b or c". */
export function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known)
  return `is not a key here; ${near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`}`
}

function brief(input: unknown): string {
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'object' && input !== null) return 'a mapping'
  const text = JSON.stringify(input) ?? typeof input
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

/** One entry a problem: an issue about several unknown keys is several. */
export function told(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string }[] {
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n')
    return issue.keys.map((key, i) => ({ path: [...issue.path, key], message: messages[i] ?? issue.message }))
  }
  if (issue.code === 'invalid_key') return [{ path: issue.path, message: issue.issues[0]?.message ?? issue.message }]
  return [{ path: issue.path, message: issue.message }]
}

function parse(text: string, lines: LineCounter): Document {
  // As strings, keys like 2020 or 007 stay the column names that they are.
  return parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
}

function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount })
  } catch (cause) {
    const problem = { file, line: 1, message: 'the file uses too many aliases; write their content out' }
    throw refuse([problem], cause)
  }
}

/** The line of the key (or list item) at `path`, else of the nearest thing around it that is there. */
function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step)
      if (pair === undefined || !isNode(pair.key)) break
      offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      if (!isNode(node)) break
      offset = node.range?.[0] ?? offset
    } else break
  }
  return lines.linePos(offset).line
}

function refuse(problems: readonly Problem[], cause?: unknown): AppError {
  const message = problems.map(({ file, line, message: what }) => `${file}:${line}: ${what}`).join('\n')
  return new AppError('unprocessable', message, { cause, details: { problems } })
}
