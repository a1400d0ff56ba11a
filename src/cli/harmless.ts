/** What comes from data, made harmless for those who look at it: no file may steer the terminal that tells of it. */
import { Writable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { AppError, type ErrorCode } from '../errors.ts'
import type { Context } from './context.ts'

/** Control characters, line ends among them, and what turns the direction of text round. */
const controls = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu
/** The same but for what text is made of. */
const strangeControls = new RegExp(`(?![\\t\\n]|\\r\\n)${controls.source}`, controls.flags)
const escape = '\u001b'
/** How the bar of `progress.ts` moves the cursor, behind an escape. */
const cursorMove = /^(?:[78]|\[\?7[hl]|\[\d*[A-DGK])$/

const usual: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** A name, a value or a message on a line with others: whatever is in it, it stays on that line. */
export function inLine(text: string): string {
  return text.replaceAll(controls, escaped)
}

/** An error's message. Several problems may have a line each, but none that could pass for another message of ours. */
export function errorText({ code, message }: { readonly code: ErrorCode; readonly message: string }): string {
  if (code !== 'unprocessable') return inLine(message)
  return message.split(/\r?\n/).map(inLine).join('\n  ')
}

/** The error with a message that can be shown; what is not meant for people stays as it is. */
export function harmlessError(error: unknown): unknown {
  if (!(error instanceof AppError)) return error
  const { code, cause = error, details } = error
  return new AppError(code, errorText(error), { cause, ...(details && { details }) })
}

/** The same context, writing for people to stderr and to terminals. What goes to a file or a program is not touched. */
export function harmlessContext(context: Context): Context {
  const { stdout, stderr } = context
  return { ...context, stdout: isTerminal(stdout) ? harmlessStream(stdout) : stdout, stderr: harmlessStream(stderr) }
}

function isTerminal(stream: Writable): boolean {
  return 'isTTY' in stream && stream.isTTY === true
}

function harmlessStream(target: Writable): Writable {
  const decoder = new StringDecoder()
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: Buffer | string, _, done) {
      const text = typeof chunk === 'string' ? chunk : decoder.write(chunk)
      // The bar moves the cursor in writes of their own, which no line of text is.
      const isMove = text.startsWith(escape) && cursorMove.test(text.slice(1))
      target.write(isMove ? text : text.replaceAll(strangeControls, escaped))
      // Nothing may wait here: it would be lost when the process ends.
      done()
    },
  })
  return Object.defineProperties(stream, {
    isTTY: { value: isTerminal(target) },
    columns: { get: () => ('columns' in target ? target.columns : undefined) },
  })
}

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16)
  return usual[character] ?? (code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`)
}
