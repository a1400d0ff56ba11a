/** What can be said on the command line. Each command's module is loaded when it is called, so that help is quick. */
import { Command, Help, Option } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { asAppError } from '../errors.ts'
import { type Role, taskStates } from '../model.ts'
import type { ReaderOptions } from '../definition.ts'
import type { Run } from './context.ts'
import { harmlessContext, harmlessError, inLine } from './harmless.ts'
import {
  dryRunOption,
  examples,
  type GivenParams,
  paramOption,
  planOption,
  rolesOption,
  share,
  unescaped,
  wholeNumber,
} from './options.ts'
import { outputPlace } from './places.ts'
import { addPush } from './push-command.ts'

interface RunOptions {
  readonly output?: string
  readonly param: GivenParams
  readonly again: boolean
  readonly dryRun: boolean
  readonly plan?: string
}

/** @param runCommand makes the context a command works with, and keeps its exit code. */
export function createProgram(runCommand: Run): Command {
  const run: Run = (command) =>
    runCommand(async (context) => {
      try {
        return await command(harmlessContext(context))
      } catch (error) {
        throw harmlessError(error)
      }
    })
  const program = new Command('rowmill')
    .description('CSV files in, trustworthy results out, with every row accounted for.')
    .version(manifest.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .showHelpAfterError('Add --help to see what it takes.')
    .configureHelp({ optionDescription })
    .configureOutput({ outputError: (text, write) => write(`${inLine(text.trimEnd())}\n`) })
    .exitOverride()
  addService(program, run)
  addRun(program, run)
  addClean(program, run)
  addPush(program, run)
  addTasks(program, run)
  addPipelines(program, run)
  addGenerate(program, run)
  addConfig(program, run)
  examples(program, [
    ['npm start', 'run the service with the example, on http://localhost:5000'],
    ['./rowmill run song-plays plays.csv', 'no service needed; the totals go to stdout'],
    ['./rowmill push plays.csv --pipeline song-plays --wait', 'the same by the service'],
    ['./rowmill clean export.csv -o clean.csv', 'any CSV in, plain CSV out'],
  ])
  program.addHelpText(
    'after',
    `
Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 done with rejects, 4 service unavailable, 130 interrupted,
141 nobody read on.`,
  )
  return program
}

/** That a flag is off unless it is given goes without saying. */
function optionDescription(option: Option): string {
  return option.isBoolean() ? option.description : new Help().optionDescription(option)
}

function addService(program: Command, run: Run): void {
  const serve = program
    .command('serve')
    .description('run the service until it is told to stop (SIGTERM, Ctrl-C)')
    .option('--example', 'on an empty data folder, run examples/plays.csv first', false)
    .addOption(rolesOption())
    .action((options: { example: boolean; roles?: ReadonlySet<Role> }) =>
      run(async (context) => (await import('./serve.ts')).serve(options, context)),
    )
  examples(serve, [
    ['./rowmill serve', 'on http://localhost:5000, everything kept in ./data'],
    ['ROWMILL_PORT=8000 ROWMILL_DATA=/srv/rowmill ./rowmill serve', ''],
    ['ROWMILL_PORT=0 ./rowmill serve --roles worker', 'one more that works, with the catalog and queue that are set'],
  ])
}

function addRun(program: Command, run: Run): void {
  const command = program
    .command('run')
    .description('run a pipeline over local files, without a service')
    .argument('<PIPELINE>', 'its name, as `pipelines list` has it')
    .argument('<FILE...>', 'CSV files; several are united by their columns')
    .option('-o, --output <DIR>', 'write each output to DIR/NAME.FORMAT, and rejects beside them')
    .addOption(paramOption())
    .option('--again', 'put rows into tables even if the same run has done so before', false)
    .addOption(dryRunOption())
    .addOption(planOption())
    .action(async (pipeline: string, files: string[], options: RunOptions) => {
      // The child starts while the rest is loaded, which takes about as long.
      const { openSupervisor, startChild } = await import('../work/supervisor.ts')
      const child = startChild()
      return await run(async (context) => {
        await using engine = openSupervisor(context.config, context.log, child)
        const { again, param: params, dryRun, plan } = options
        const output = await outputPlace(options.output)
        const args = { pipeline, files, output, params, again, dryRun, planHash: plan }
        return await (await import('./run.ts')).run(args, engine, context)
      })
    })
  examples(command, [
    ['./rowmill run song-plays examples/plays.csv', 'the only output goes to stdout'],
    ['./rowmill run profile people.csv -o out', 'out/profile.ndjson, and out/rejects.csv if any'],
    ['./rowmill run load people.csv --param table=people', 'into data/warehouse.duckdb'],
    ['./rowmill run load people.csv --param table=people --dry-run', 'what that would come to'],
  ])
}

function addClean(program: Command, run: Run): void {
  const command = program
    .command('clean')
    .description('read a CSV file of any kind, and write what is sound as plain CSV: UTF-8, commas, LF')
    .argument('<FILE>', 'a file, also .gz, .zst or .zip; - is standard input')
    .option('-o, --output <FILE>', 'write the clean file there, once it is whole; default: stdout')
    .option('--rejects <FILE>', 'list the records that are not sound, with line, reason and original')
    .option('--report <FILE>', 'write what was found out, as JSON: dialect, encoding, types, warnings')
    .option('--delimiter <TEXT>', 'what stands between cells, such as ";" or "\\t"', unescaped)
    .option('--quote <CHAR>', 'what stands around cells; "" if nothing does', unescaped)
    .option('--escape <CHAR>', 'what makes a quote within quotes text, such as "\\"', unescaped)
    .option('--comment <CHAR>', 'skip lines that begin with it', unescaped)
    .option('--encoding <NAME>', 'such as utf-8, windows-1252, utf-16le, gb18030')
    .option('--header', 'the first record is a header')
    .option('--no-header', 'the first record is none: columns are called column_1, column_2, …')
    .option('--skip-lines <N>', 'lines before the header', wholeNumber(0))
    .action((file: string, options: CleanOptions) =>
      run(async (context) => {
        const { output, rejects, report, ...reader } = options
        await refuseReader(command, reader)
        return (await import('./clean.ts')).clean({ file, output, rejects, report, reader }, context)
      }),
    )
  refuseBoth(command, 'header', 'no-header')
  examples(command, [
    ['./rowmill clean export.csv -o clean.csv --rejects rejects.csv', 'what is not given is found out'],
    ['./rowmill clean export.csv.gz --report report.json > clean.csv', ''],
    ["curl -s https://example.com/x.csv | ./rowmill clean - --delimiter ';'", ''],
  ])
}

/** Commander would let the later one win. */
function refuseBoth(command: Command, one: string, other: string): void {
  const given = new Set<string>()
  for (const option of [one, other]) {
    command.on(`option:${option}`, () => {
      if (given.add(option).size === 2)
        command.error(`error: --${one} and --${other} are both given; leave one of them out`)
    })
  }
}

/** @throws {CommanderError} when a file cannot be read in such a way. */
async function refuseReader(command: Command, given: ReaderOptions): Promise<void> {
  const { readerProblems } = await import('../pipeline/reader.ts')
  const [problem] = readerProblems(given)
  if (problem !== undefined) {
    const flag = command.options.find((option) => option.attributeName() === problem.option)?.long
    command.error(`error: ${flag} ${problem.message}`)
  }
  if (given.encoding === undefined) return
  const { checkEncodingName } = await import('../csv/encoding.ts')
  try {
    checkEncodingName(given.encoding)
  } catch (error) {
    command.error(`error: --encoding: ${asAppError(error).message}`)
  }
}

interface CleanOptions extends ReaderOptions {
  readonly output?: string
  readonly rejects?: string
  readonly report?: string
}

function addTasks(program: Command, run: Run): void {
  const tasks = program
    .command('tasks')
    .description('list, show, cancel, retry and undo the tasks of the service; alone, list them')
  examples(tasks, [
    ['./rowmill tasks', 'the latest 20'],
    ['./rowmill tasks list --state failed --json', ''],
    ['./rowmill tasks show ID', 'balances, outputs, the error if any'],
    ['./rowmill tasks retry ID', 'prints the id of the new task'],
    ['./rowmill tasks undo ID --wait', 'takes its rows out of their tables again'],
  ])
  tasks
    .command('list', { isDefault: true })
    .description('list tasks, newest first')
    .addOption(new Option('--state <STATE>', 'only tasks in this state').choices(taskStates))
    .option('--limit <N>', 'show at most so many', wholeNumber(1), 20)
    .option('--json', 'print JSON, for programs', false)
    .action((options: { state?: (typeof taskStates)[number]; limit: number; json: boolean }) =>
      run(async (context) => (await import('./tasks.ts')).listTasks({ ...options, state: options.state }, context)),
    )
  tasks
    .command('show')
    .description('show one task')
    .argument('<ID>', 'as `tasks list` has it')
    .option('--json', 'print JSON, for programs', false)
    .action((id: string, { json }: { json: boolean }) =>
      run(async (context) => (await import('./tasks.ts')).showTask({ id, json }, context)),
    )
  for (const [move, about] of [
    ['cancel', 'cancel a task that has not ended'],
    ['retry', 'run an ended task again, as a new task'],
  ] as const) {
    tasks
      .command(move)
      .description(about)
      .argument('<ID>', 'as `tasks list` has it')
      .action((id: string) => run(async (context) => (await import('./tasks.ts')).changeTask({ id, move }, context)))
  }
  addUndo(tasks, run)
}

function addUndo(tasks: Command, run: Run): void {
  const undo = tasks
    .command('undo')
    .description('take the rows of a task out of their tables again, by a new task')
    .argument('<ID>', 'as `tasks list` has it')
    .option('-w, --wait', 'wait for the end, and say what has become of the rows', false)
    .action((id: string, { wait }: { wait: boolean }) =>
      run(async (context) => (await import('./undo.ts')).undoTask({ id, wait }, context)),
    )
  examples(undo, [['./rowmill tasks undo ID --wait', 'exit code 3: some rows had changed since, and were left']])
}

function addPipelines(program: Command, run: Run): void {
  const pipelines = program
    .command('pipelines')
    .description(
      'list, show, check and test pipelines: the built-in ones and those in ROWMILL_PIPELINES; alone, list them',
    )
  examples(pipelines, [
    ['./rowmill pipelines show song-plays > mine/my-plays.yaml', 'a start for one of your own'],
    ['ROWMILL_PIPELINES=mine ./rowmill pipelines lint', 'every problem with file and line'],
    ['ROWMILL_PIPELINES=mine ./rowmill pipelines test my-plays', 'runs mine/my-plays.test.yaml'],
  ])
  pipelines
    .command('list', { isDefault: true })
    .description('list them, with what each is about')
    .action(() => run(async (context) => (await import('./pipelines.ts')).listPipelines(context)))
  pipelines
    .command('show')
    .description('print the YAML of one')
    .argument('<NAME>', 'as `pipelines list` has it')
    .action((name: string) => run(async (context) => (await import('./pipelines.ts')).showPipeline({ name }, context)))
  pipelines
    .command('lint')
    .description('check YAML and SQL')
    .argument('[NAME|FILE...]', 'pipelines by name or YAML file; default: all')
    .action((targets: string[]) =>
      run(async (context) => (await import('./pipelines.ts')).lintPipelines({ targets }, context)),
    )
  pipelines
    .command('test')
    .description('run the cases of NAME.test.yaml; a pipeline without any fails')
    .argument('[NAME|FILE...]', 'pipelines by name or YAML file; default: all')
    .action((targets: string[]) =>
      run(async (context) => (await import('./pipelines.ts')).testPipelines({ targets }, context)),
    )
}

function addGenerate(program: Command, run: Run): void {
  const generate = program.command('generate').description('make up data to try things with')
  const plays = generate
    .command('plays')
    .description('song plays, about 35 bytes a row; the same numbers give the same file')
    .requiredOption('--rows <N>', 'how many rows', wholeNumber(0))
    .option('--seed <S>', 'another number, other rows', wholeNumber(0), 1)
    .option('--songs <N>', 'how many songs', wholeNumber(1), 1000)
    .option('-o, --output <FILE>', 'write to this file instead of stdout')
    .action((options: { rows: number; seed: number; songs: number; output?: string }) =>
      run(async (context) =>
        (await import('./generate.ts')).generatePlays(
          { ...options, output: await outputPlace(options.output) },
          context,
        ),
      ),
    )
  const customers = generate
    .command('customers')
    .description('customers with values in quotes, about 75 bytes a row; the same numbers give the same files')
    .requiredOption('--rows <N>', 'how many rows', wholeNumber(0))
    .option('--seed <S>', 'another number, other rows', wholeNumber(0), 1)
    .option('--bad <SHARE>', 'make this share of the records bad, from 0 to 1', share, 0)
    .option(
      '--parts <K>',
      'write K files with a header each: FILE.csv as FILE-00001-of-0000K.csv, …',
      wholeNumber(1, 500),
      1,
    )
    .option('-o, --output <FILE>', 'write to this file instead of stdout; all parts are there once all are whole')
    .action((options: { rows: number; seed: number; bad: number; parts: number; output?: string }) =>
      run(async (context) => {
        const output = await outputPlace(options.output)
        if (output === undefined && options.parts > 1)
          customers.error('error: --parts needs -o FILE: standard output takes one part only')
        return (await import('./generate.ts')).generateCustomers({ ...options, output }, context)
      }),
    )
  const playsLines = [
    ['./rowmill generate plays --rows 10000000 -o plays.csv', 'about 360 MB'],
    ['./rowmill generate plays --rows 1000 --seed 7 | head', ''],
  ] as const
  const customersLines = [
    ['./rowmill generate customers --rows 10000000 -o customers.csv', 'about 750 MB'],
    ['./rowmill generate customers --rows 1000 --bad 0.01 | head', 'about 10 are bad'],
    ['./rowmill generate customers --rows 1000 --parts 3 -o c.csv', 'c-00001-of-00003.csv and two more'],
  ] as const
  examples(plays, playsLines)
  examples(customers, customersLines)
  examples(generate, [...playsLines, ...customersLines])
}

function addConfig(program: Command, run: Run): void {
  const config = program
    .command('config')
    .description('show every setting, its value and where that comes from')
    .option('--json', 'print JSON, for programs', false)
    .addOption(new Option('--markdown', 'print the page that docs/settings.md is').default(false).conflicts('json'))
    .action((options: { json: boolean; markdown: boolean }) =>
      run(async (context) => (await import('./config.ts')).showConfig(options, context)),
    )
  examples(config, [
    ['./rowmill config', ''],
    ['./rowmill config --markdown > docs/settings.md', ''],
  ])
  const migrate = program
    .command('migrate')
    .description('bring the catalog up to date (serve does it too)')
    .option('--check', 'only say what is pending; exit 1 if anything is', false)
    .action((options: { check: boolean }) =>
      run(async (context) => (await import('./migrate.ts')).migrateCatalog(options, context)),
    )
  examples(migrate, [['./rowmill migrate --check', '']])
}
