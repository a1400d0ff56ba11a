/**
 * The work on one job folder: files in; outputs, rejects and a report out. Knows no service, no secret and no network.
 *
 * First it bets that every record is sound, which is nearly always true and costs one statement: the inputs are views
 * with a filter that ends the statement at the first record that is not, and the executed plan tells how many rows
 * passed that filter. Only when these are all the records that the reader counted is the bet won. Otherwise it goes the
 * careful way: it checks each file, tells each fault, and then runs the outputs over what is sound.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { AppError } from '../errors.ts'
import { taskError, type TaskError, type Warning } from '../model.ts'
import { type FileSpec, isForTable, type OutputSpec, type Pipeline } from '../definition.ts'
import type { InputBalance } from '../balances.ts'
import { type Job, type JobTarget, type ProducedFile, type Report, jobFile } from '../job.ts'
import { countFaulty, tellFaults, verdictOf } from './check.ts'
import { refuseMore } from './correction.ts'
import { Database, SqlError } from './duckdb.ts'
import { writeFixable } from './fixable.ts'
import { Inputs, type JobOptions, pathsOf, scanOf } from './inputs.ts'
import { acceptedSql, type CheckedFile, checkKeys, hasKeys } from './integrity.ts'
import { type Copy, copySql, type TableRows, writeCounted, writeOutput } from './outputs.ts'
import { mayPass, pass, type Passages } from './pass.ts'
import { Rejects } from './rejects.ts'
import { withProgress } from './progress.ts'
import { guardSql, type InputFile, soundSql } from './relation.ts'
import { createColumnsRelation } from './columns-relation.ts'
import { createFilesRelation, createInputViews, setParams } from './relations.ts'
import { checkRules } from './rules.ts'
import { refuseOthers, underTargets } from './target.ts'

const rejectsFile = 'out/rejects.csv'
const planFile = 'out/plan.json'
/** Where rejects are kept until all are told. */
const rejectsScratch = 'rejects.flat'

interface Run {
  readonly folder: string
  readonly job: Job
  readonly database: Database
  readonly rejects: Rejects
  readonly options: JobOptions
  /** Whether some output looks at the relation `columns`, which takes time to make. */
  readonly asksForColumns: boolean
}

/**
 * @throws {AppError} whatever is neither the input's fault nor the pipeline's; what is, comes as the report's `error`.
 */
export async function runJob(folder: string, options: JobOptions): Promise<Report> {
  const job = JSON.parse(await readFile(join(folder, jobFile), 'utf8')) as Job
  for (const name of ['out', 'spill', 'flat']) await mkdir(join(folder, name), { recursive: true })
  using database = await Database.open({
    memory: job.memory,
    threads: job.threads,
    spill: join(folder, 'spill'),
    readable: [
      join(folder, rejectsScratch),
      ...job.inputs.flatMap(({ path }, file) => [path, ...pathsOf(folder, file)]),
    ],
    writable: join(folder, 'out'),
    plan: join(folder, planFile),
    signal: options.signal,
  })
  await using rejects = await Rejects.open(database, join(folder, rejectsScratch))
  // Of an input that is a view already, DuckDB would not say it.
  const asksForColumns = Object.values(job.pipeline.outputs).some(({ sql }) =>
    database.tablesIn(sql).includes('columns'),
  )
  const run: Run = { folder, job, database, rejects, options, asksForColumns }
  try {
    await refuseBadRules(database, job.pipeline)
    await setParams(database, job)
    const inputs = new Inputs(folder, job, rejects, options)
    const begun = job.ahead === 'may' && mayPass(job) ? await goAhead(run, inputs) : undefined
    if (begun !== undefined) return begun
    const all = await inputs.read()
    refuseMore(all, job.corrects ?? Number.POSITIVE_INFINITY)
    const { pipeline, files: read } = underTargets(job.pipeline, job.targets, all)
    const under = { ...run, job: { ...job, pipeline } }
    const passed = await passOn(under, read)
    if (passed !== undefined) return passed
    const files = await inputs.copy(read)
    return (await bet(under, files)) ?? (await takeCare(under, inputs, files))
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== 'rejected' && error.code !== 'unprocessable')) throw error
    return await report(run, [], {}, [], taskError(error))
  }
}

/**
 * Has the rows written while they are read, on the expectation that the file is what its beginning looks like. Undefined
 * where there is none, or that cannot be: then all of it is read first.
 */
async function goAhead(run: Run, inputs: Inputs): Promise<Report | undefined> {
  const { job, folder } = run
  try {
    const begun = await inputs.begin()
    if (begun === undefined) return undefined
    const { pipeline, files } = underTargets(job.pipeline, job.targets, [begun.file])
    const [name = ''] = Object.keys(pipeline.outputs)
    const passed = await pass({ ...job, pipeline }, files, begun.about, folder, aheadPath(name), scanOf(folder, 0))
    if (passed === undefined) return undefined
    return { ahead: 'begun', inputs: {}, outputs: [passed.output], warnings: [], rejects: null, error: null }
  } catch (error) {
    // What is wrong is told by who looks at the whole file.
    if (error instanceof AppError) return undefined
    throw error
  }
}

function aheadPath(output: string): string {
  return `out/${output}.ahead.json`
}

/** Whether the rows that were written ahead are those that would be written now. */
async function wasRight({ job, folder }: Run, { name, file }: ProducedFile): Promise<boolean> {
  if (job.ahead !== 'was') return false
  const read = async (path: string) => JSON.parse(await readFile(join(folder, path), 'utf8')) as Passages
  const [then, now] = [await read(aheadPath(name)), await read(file)]
  return isDeepStrictEqual(then.passages, now.passages) && isDeepStrictEqual(then.columns, now.columns)
}

/** Undefined, when the rows are not for the reader to write. */
async function passOn(run: Run, files: readonly InputFile[]): Promise<Report | undefined> {
  const { job, folder, rejects } = run
  const balances = sum(files.map((file) => [file, balance(file, 0)]))
  const rows = Object.values(balances).reduce((all, { accepted }) => all + accepted, 0)
  const [name = ''] = Object.keys(job.pipeline.outputs)
  const passed = await pass(job, files, rows, folder, `out/${name}.json`)
  if (passed === undefined) return undefined
  await rejects.finish()
  const error = verdictOf(job.pipeline, balances, rejects)
  if (error !== null) return await report(run, files, balances, [], error)
  const told = await report(run, files, balances, [passed.output], null, passed.warnings)
  return (await wasRight(run, passed.output)) ? { ...told, ahead: 'right' } : told
}

/** All outputs at once over inputs that are taken to be sound; undefined when that is not proven. */
async function bet(run: Run, files: readonly InputFile[]): Promise<Report | undefined> {
  const { database, job } = run
  const [output, ...others] = Object.entries(job.pipeline.outputs)
  // Every output would read the files again, so with several of them the careful way is the cheaper one.
  if (output === undefined || others.length > 0 || files.some(({ reading }) => reading.rejected > 0)) return undefined
  // One record at a time, no guard can see a key.
  if (files.some(({ input }) => hasKeys(input, job.pipeline)) || run.asksForColumns) return undefined
  // The error of a file's guard, by which its filter is found in the plan. Nobody's SQL can contain it.
  const nonce = randomUUID()
  const mark = ({ file }: InputFile) => `${nonce} file ${file}.`
  await createInputViews(database, files, (file) => guardSql(file, mark(file)))
  await createFilesRelation(database, job, files, (file) => balance(file, 0))
  await createColumnsRelation(database, [], () => undefined)
  const [name, spec] = output
  const path = outputPath(name, spec, job)
  const copy = await copySql(database, name, rowsOf(name, spec, job), join(run.folder, path))
  try {
    const marked = files.map((file) => ({
      path: file.reading.path,
      mark: soundSql(file) === undefined ? undefined : mark(file),
    }))
    const counted = await withProgress(run, files, () =>
      writeCounted(database, copy.sql, join(run.folder, planFile), marked),
    )
    if (files.some(({ reading }, i) => counted.passed[i] !== reading.records)) return undefined
    const balances = sum(files.map((file) => [file, balance(file, 0)]))
    return await report(
      run,
      files,
      balances,
      [{ ...producedBy(name, path, copy), rows: counted.rows }],
      null,
      copy.warnings,
    )
  } catch (error) {
    if (error instanceof SqlError) return undefined
    throw error
  }
}

/** Checks every file, tells every fault, and runs the outputs over the sound records if the pipeline allows that. */
async function takeCare(run: Run, inputs: Inputs, unchecked: readonly InputFile[]): Promise<Report> {
  const { database, job, rejects } = run
  const checked: CheckedFile[] = []
  for (const file of unchecked) checked.push(await checkFile(run, inputs, file))
  const files = await checkKeys(
    {
      database,
      rejects,
      pipeline: job.pipeline,
      again: (file) => inputs.readAgain(file),
      over: (some, call) => withProgress(run, some, call),
    },
    checked,
  )
  await rejects.finish()
  const balanceOf = (file: CheckedFile) => balance(file, file.faulty + file.brokenKeys)
  const balances = sum(files.map((file) => [file, balanceOf(file)]))
  const error = verdictOf(job.pipeline, balances, rejects)
  if (error !== null) return report(run, files, balances, [], error)

  await createInputViews(database, files, acceptedSql)
  await createFilesRelation(database, job, files, balanceOf)
  await withProgress(run, files, () => createColumnsRelation(database, run.asksForColumns ? files : [], acceptedSql))
  const produced: ProducedFile[] = []
  const warnings: Warning[] = []
  for (const [name, spec] of Object.entries(job.pipeline.outputs)) {
    const path = outputPath(name, spec, job)
    const copy = await copySql(database, name, rowsOf(name, spec, job), join(run.folder, path))
    const rows = await withProgress(run, files, () => writeOutput(database, name, copy.sql))
    produced.push({ ...producedBy(name, path, copy), rows })
    warnings.push(...copy.warnings)
  }
  return report(run, files, balances, produced, null, warnings)
}

async function checkFile(run: Run, inputs: Inputs, file: InputFile): Promise<CheckedFile> {
  const faulty = await withProgress(run, [file], () => countFaulty(run.database, file))
  if (faulty === 0) return { ...file, faulty, brokenKeys: 0 }
  await refuseOthers(run.database, file)
  if (file.reading.layout !== 'placed') return checkFile(run, inputs, await inputs.readAgain(file))
  await tellFaults(run.database, file, run.rejects)
  return { ...file, faulty, brokenKeys: 0 }
}

/** @throws {AppError} unprocessable, when the contract of an input cannot be asked of any file. */
async function refuseBadRules(database: Database, pipeline: Pipeline): Promise<void> {
  const problems = await checkRules(database, pipeline)
  if (problems.length === 0) return
  const lines = problems.map(
    ({ input, column, key, message }) => `Input ${input}, column “${column}”: ${key} ${message}.`,
  )
  throw new AppError('unprocessable', lines.join('\n'), { details: { problems } })
}

function outputPath(name: string, spec: OutputSpec, job: Job): string {
  return `out/${name}.${isForTable(spec) ? targetOf(name, job).rows : spec.format}`
}

function rowsOf(name: string, spec: OutputSpec, job: Job): FileSpec | TableRows {
  return isForTable(spec) ? { sql: spec.sql, target: targetOf(name, job) } : spec
}

function targetOf(name: string, { targets }: Job): JobTarget {
  const target = targets[name]
  if (target === undefined) throw new RangeError(`output ${name} has no target`)
  return target
}

function producedBy(name: string, file: string, { format, columns }: Copy): Omit<ProducedFile, 'rows'> {
  return { name, format, file, ...(columns !== undefined && { columns }) }
}

function balance({ reading: { records, rejected, blankLines } }: InputFile, faulty: number): InputBalance {
  const all = rejected + faulty
  return { records, accepted: records - all, rejected: all, blankLines }
}

/** The balances of the files, added up by input. */
function sum(files: readonly (readonly [InputFile, InputBalance])[]): Record<string, InputBalance> {
  const inputs: Record<string, InputBalance> = {}
  for (const [{ input }, one] of files) {
    const other = inputs[input] ?? { records: 0, accepted: 0, rejected: 0, blankLines: 0 }
    inputs[input] = {
      records: other.records + one.records,
      accepted: other.accepted + one.accepted,
      rejected: other.rejected + one.rejected,
      blankLines: other.blankLines + one.blankLines,
    }
  }
  return inputs
}

async function report(
  { folder, rejects, options }: Run,
  files: readonly InputFile[],
  inputs: Report['inputs'],
  outputs: readonly ProducedFile[],
  error: TaskError | null,
  more: readonly Warning[] = [],
): Promise<Report> {
  const { count } = rejects
  if (count > 0) await rejects.write(join(folder, rejectsFile))
  // Of a run that has failed, all records are sent again.
  const isFixable = count > 0 && error === null
  const fixable = isFixable ? await writeFixable(rejects.told(), files, folder, options.signal) : []
  const warnings = files.flatMap((file) =>
    file.warnings.map(({ code, message }) => ({ code, message: `${file.name}: ${message}` })),
  )
  return {
    inputs,
    outputs,
    warnings: [...warnings, ...more],
    rejects: count > 0 ? { file: rejectsFile, count, fixable } : null,
    error,
  }
}
