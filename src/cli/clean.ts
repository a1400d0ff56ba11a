import { mkdtempDisposable, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { clean as cleanFile } from '../csv/clean.ts'
import type { CleanReport } from '../csv/report.ts'
import { nameOf } from '../csv/sniff/delimiters.ts'
import { openTarget } from '../csv/target.ts'
import { AppError, type ErrorCode, isDiskFull } from '../errors.ts'
import type { ReaderOptions } from '../definition.ts'
import { fingerprint, refuseChanged } from '../work/local.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { Draft } from './draft.ts'
import { inLine } from './harmless.ts'
import { isStandardOutput, placeOf, temporaryFull } from './places.ts'
import { createMeter } from './progress.ts'
import { RejectsList } from './rejects.ts'

export interface CleanArgs {
  /** `-` is standard input. */
  readonly file: string
  /** Where the clean file goes; stdout without it. */
  readonly output: string | undefined
  readonly rejects: string | undefined
  readonly report: string | undefined
  readonly reader: ReaderOptions
}

/** Codes of errors that refuse the file. */
const refusals: readonly ErrorCode[] = ['rejected', 'too_large']

/** Reads a file as strictly as a pipeline does, and writes what is sound as plain CSV. */
export async function clean(args: CleanArgs, context: Context): Promise<ExitCode> {
  const { signal, stderr } = context
  await refuseSamePlaces(args)
  await using scratch = await mkdtempDisposable(join(tmpdir(), 'rowmill-')).catch(tellFull)
  const isStdin = args.file === '-'
  const name = isStdin ? 'stdin' : basename(args.file)
  const path = isStdin ? await spool(context, join(scratch.path, 'stdin')).catch(tellFull) : args.file
  const before = await fingerprint(path)
  await using output = await openPlace(args.output, context)
  await using rejects = new RejectsList(
    name,
    args.rejects === undefined ? undefined : await openPlace(args.rejects, context),
  )
  await using reportDraft = args.report === undefined ? undefined : await openPlace(args.report, context)
  let report: CleanReport
  try {
    const file = { path, name, scratch: join(scratch.path, 'file'), given: args.reader }
    report = await read(file, output, rejects, context).catch(tellFull)
  } catch (error) {
    // They say why the file is refused. Of a run that ended for another reason nobody knows what they lack.
    if (error instanceof AppError && refusals.includes(error.code)) await rejects.keep(stderr)
    throw error
  }
  await refuseChanged([{ path }], [before])
  signal.throwIfAborted()
  // All is written before anything takes its place.
  await reportDraft?.write(Buffer.from(`${JSON.stringify(report, null, 2)}\n`))
  await rejects.keep(stderr)
  const isSound = report.rows > 0 || report.records === 0
  if (isSound) await output.keep()
  await reportDraft?.keep()
  for (const { message } of report.warnings) stderr.write(`Warning: ${inLine(message)}\n`)
  stderr.write(`${inLine(summary(report))}\n`)
  if (!isSound) throw notOneSound(report)
  return rejects.count === 0 ? exitCodes.done : exitCodes.rejects
}

async function read(
  file: { path: string; name: string; scratch: string; given: ReaderOptions },
  output: Draft,
  rejects: RejectsList,
  { config, signal, stderr }: Context,
): Promise<CleanReport> {
  using meter = createMeter(stderr)
  const total = (await stat(file.path)).size
  return await cleanFile(file.path, {
    ...file,
    expected: [],
    mostBytes: config.MAX_UNPACKED,
    signal,
    onProgress: (done) => meter.show('Reading', { unit: 'bytes', done, total: done > total ? null : total }),
    write: (bytes) => output.write(bytes),
    onReject: (reject) => rejects.add(reject),
  })
}

/** What is not written where the user wants it is written to the temporary folder. */
function tellFull(error: unknown): never {
  throw isDiskFull(error) ? temporaryFull(error) : error
}

/** Without a place, as with `-`, it is standard output. */
async function openPlace(place: string | undefined, context: Context): Promise<Draft> {
  const isStandard = place === undefined || (await isStandardOutput(place))
  return isStandard ? Draft.ofStandardOutput(context) : await Draft.open(place)
}

async function spool({ stdin, signal }: Context, path: string): Promise<string> {
  await pipeline(stdin, await openTarget(path), { signal })
  return path
}

/** @throws {AppError} invalid, when what is written to one place would be lost to another, or mixed with it. */
async function refuseSamePlaces({ file, output, rejects, report }: CleanArgs): Promise<void> {
  const input = await placeOf(file, 'input')
  const taken = new Map<string, string>()
  for (const [what, option, named] of [
    ['clean file', '-o', output ?? '-'],
    ['list of rejects', '--rejects', rejects],
    ['report', '--report', report],
  ] as const) {
    if (named === undefined) continue
    const { identity, descriptor, name } = await placeOf(named, 'output')
    const other = taken.get(identity)
    if (other !== undefined) {
      const message = `The ${other} and the ${what} would both go to ${name}. Give each a place of its own, such as ${option} FILE.`
      throw new AppError('invalid', message)
    }
    // A clean file in the making may take the place of what it is made of.
    if (identity === input.identity && (option !== '-o' || descriptor !== undefined)) {
      throw new AppError(
        'invalid',
        `The ${what} would go to ${name}, the file that is to be read. Choose another place.`,
      )
    }
    taken.set(identity, what)
  }
}

function notOneSound({ file, records }: CleanReport): AppError {
  const why =
    'so the file is perhaps not read the right way. The rejects say why; the options of `clean` say how to read it.'
  return new AppError('rejected', `${file}: not one of ${records} records is sound, ${why}`, {
    details: { file, records },
  })
}

/** `people.csv: 4 records = 3 rows + 1 reject (windows-1252, “;”, header on line 1)`. */
function summary({ file, records, rows, rejects, encoding, dialect, header }: CleanReport): string {
  const count = (number: number, what: string) => `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`
  const form = [
    encoding.encoding,
    header.names.length === 1 ? 'one column' : nameOf(dialect.delimiter),
    header.line === null ? 'no header' : `header on line ${header.line}`,
  ].join(', ')
  return `${file}: ${count(records, 'record')} = ${count(rows, 'row')} + ${count(rejects.total, 'reject')} (${form})`
}
