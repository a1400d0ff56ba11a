import { createWriteStream } from 'node:fs'
import { mkdtempDisposable, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type CleanReject, clean as cleanFile } from '../csv/clean.ts'
import type { CleanReport } from '../csv/report.ts'
import { cleanLine } from '../csv/write.ts'
import { AppError } from '../errors.ts'
import type { ReaderOptions } from '../model.ts'
import { fingerprint } from '../work/local.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { Draft } from './draft.ts'
import { createMeter } from './progress.ts'
import { rejectsTable, shownRejects } from './rejects.ts'

export interface CleanArgs {
  /** `-` is standard input. */
  readonly file: string
  /** Where the clean file goes; stdout without it. */
  readonly output: string | undefined
  readonly rejects: string | undefined
  readonly report: string | undefined
  readonly reader: ReaderOptions
}

const rejectsHeader = ['input', 'line', 'byte_offset', 'record', 'column', 'code', 'message', 'raw']

/** Reads a file as strictly as a pipeline does, and writes what is sound as plain CSV. */
export async function clean(args: CleanArgs, context: Context): Promise<ExitCode> {
  const { stderr } = context
  await using scratch = await mkdtempDisposable(join(tmpdir(), 'rowmill-'))
  const isStdin = args.file === '-'
  const name = isStdin ? 'stdin' : basename(args.file)
  const path = isStdin ? await spool(context, join(scratch.path, 'stdin')) : args.file
  refuseSamePlaces(args)
  const before = await fingerprint(path)
  await using output = args.output === undefined ? undefined : await Draft.open(args.output)
  await using rejects = await RejectsList.open(name, args.rejects)
  let report: CleanReport
  try {
    report = await read(
      { path, name, scratch: join(scratch.path, 'file'), given: args.reader },
      output,
      rejects,
      context,
    )
  } finally {
    // They say why a file is refused, so they are kept whatever comes of it.
    await rejects.keep(stderr)
  }
  if ((await fingerprint(path)) !== before) {
    throw new AppError('conflict', `${args.file} was written to while it was being read. Run it again.`)
  }
  await output?.keep()
  if (args.report !== undefined) await writeReport(args.report, report)
  for (const { message } of report.warnings) stderr.write(`Warning: ${message}\n`)
  stderr.write(`${summary(report)}\n`)
  return rejects.count === 0 ? exitCodes.done : exitCodes.rejects
}

async function read(
  file: { path: string; name: string; scratch: string; given: ReaderOptions },
  output: Draft | undefined,
  rejects: RejectsList,
  { config, signal, stdout, stderr }: Context,
): Promise<CleanReport> {
  using meter = createMeter(stderr)
  const total = (await stat(file.path)).size
  return await cleanFile(file.path, {
    ...file,
    expected: [],
    mostBytes: config.MAX_UNPACKED,
    signal,
    onProgress: (done) => meter.show('Reading', { unit: 'bytes', done, total: done > total ? null : total }),
    write: async (bytes) => (output === undefined ? await writeTo(stdout, bytes, signal) : await output.write(bytes)),
    onReject: (reject) => rejects.add(reject),
  })
}

/** The rejects: the first ones to show, and all of them in a file if there is to be one. */
class RejectsList implements AsyncDisposable {
  count = 0
  readonly #shown: CleanReject[] = []
  readonly #name: string
  readonly #draft: Draft | undefined

  private constructor(name: string, draft: Draft | undefined) {
    this.#name = name
    this.#draft = draft
  }

  static async open(name: string, path: string | undefined): Promise<RejectsList> {
    const list = new RejectsList(name, path === undefined ? undefined : await Draft.open(path))
    await list.#draft?.write(Buffer.from(cleanLine(rejectsHeader)))
    return list
  }

  async add(reject: CleanReject): Promise<void> {
    this.count++
    if (this.#shown.length < shownRejects) this.#shown.push(reject)
    const { line, byteOffset, record, column, code, message, raw } = reject
    const cells = [this.#name, String(line), String(byteOffset), String(record), column ?? '', code, message, raw]
    await this.#draft?.write(Buffer.from(cleanLine(cells)))
  }

  async keep(stderr: Writable): Promise<void> {
    await this.#draft?.keep()
    if (this.count === 0) return
    stderr.write(
      rejectsTable(
        this.#shown.map((reject) => ({ input: this.#name, ...reject })),
        this.count,
      ),
    )
    if (this.#draft === undefined) stderr.write('Add --rejects FILE to keep them.\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#draft?.[Symbol.asyncDispose]()
  }
}

async function spool({ stdin, signal }: Context, path: string): Promise<string> {
  await pipeline(stdin, createWriteStream(path), { signal })
  return path
}

/** @throws {AppError} invalid, when what is written to one place would be lost to another. */
function refuseSamePlaces({ file, output, rejects, report }: CleanArgs): void {
  const places = [output, rejects, report].filter((path) => path !== undefined)
  const twice = places.find((path, i) => places.findIndex((other) => resolve(other) === resolve(path)) !== i)
  const own = [rejects, report].find((path) => path !== undefined && resolve(path) === resolve(file))
  if (twice !== undefined)
    throw new AppError('invalid', `${twice} is named for two things. Give each a place of its own.`)
  if (own !== undefined) throw new AppError('invalid', `${own} is the file that is to be read. Choose another place.`)
}

/** A pipe that is full is waited for. */
async function writeTo(stream: Writable, bytes: Buffer, signal: AbortSignal): Promise<void> {
  // The stream may hold on to what it is given.
  if (!stream.write(Buffer.from(bytes))) await once(stream, 'drain', { signal })
}

async function writeReport(path: string, report: CleanReport): Promise<void> {
  await using draft = await Draft.open(path)
  await draft.write(Buffer.from(`${JSON.stringify(report, null, 2)}\n`))
  await draft.keep()
}

/** `people.csv: 4 records = 3 rows + 1 reject (windows-1252, “;”, header on line 1)`. */
function summary({ file, records, rows, rejects, encoding, dialect, header }: CleanReport): string {
  const count = (number: number, what: string) => `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`
  const delimiter = dialect.delimiter === '\t' ? 'tabs' : `“${dialect.delimiter}”`
  const form = [
    encoding.encoding,
    delimiter,
    header.line === null ? 'no header' : `header on line ${header.line}`,
  ].join(', ')
  return `${file}: ${count(records, 'record')} = ${count(rows, 'row')} + ${count(rejects.total, 'reject')} (${form})`
}
