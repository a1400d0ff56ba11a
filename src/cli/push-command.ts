/** What can be said to `push`. */
import { type Command, Option } from 'commander'
import type { Run } from './context.ts'
import { dryRunOption, examples, type GivenParams, paramOption, planOption, wholeNumber } from './options.ts'
import { outputPlace } from './places.ts'

/** What the task says that is corrected, and what one file has no use for. */
const withTask = ['pipeline', 'param', 'again', 'dryRun', 'plan', 'set', 'parts']
/** Connections that one file may take. */
const mostParts = 64

interface PushOptions {
  readonly pipeline?: string
  readonly corrects?: string
  readonly wait: boolean
  readonly output?: string
  readonly param: GivenParams
  readonly again: boolean
  readonly dryRun: boolean
  readonly plan?: string
  readonly set?: string
  readonly parts?: number
}

export function addPush(program: Command, run: Run): void {
  const push = program
    .command('push')
    .description('send files to the service and have a pipeline run over them')
    .argument('<FILE...>', 'CSV files, or a directory of them; several are one task')
    .option('-p, --pipeline <NAME>', 'the pipeline to run (required, but with --corrects)')
    .addOption(new Option('--corrects <ID>', 'the file has the rejects of this task, corrected').conflicts(withTask))
    .option('-w, --wait', 'wait for the end and fetch what comes out', false)
    .option('-o, --output <DIR>', 'with --wait: save each output as DIR/NAME.FORMAT, rejects as DIR/rejects.csv')
    .addOption(paramOption())
    .option('--again', 'run it even if the same was done before', false)
    .addOption(dryRunOption())
    .addOption(planOption())
    .option('--set <NAME>', 'what the files are called together; default: the name of the directory')
    .option('--parts <N>', 'send long files in pieces, N at a time', wholeNumber(1, mostParts))
    .action((paths: string[], options: PushOptions) =>
      run(async (context) => {
        const { pipeline, corrects, param: params, again, wait, dryRun, plan, set, parts } = options
        if (pipeline === undefined && corrects === undefined)
          push.error("error: required option '-p, --pipeline <NAME>' not specified")
        if (corrects !== undefined && paths.length > 1) push.error('error: --corrects takes one file')
        const task = { pipeline: pipeline ?? '', params, dryRun, planHash: plan, again }
        const order = corrects === undefined ? task : { corrects }
        const output = await outputPlace(options.output)
        return (await import('./push.ts')).push({ paths, order, set, parts, wait, output }, context)
      }),
    )
  examples(push, [
    ['./rowmill push plays.csv --pipeline song-plays --wait > totals.csv', 'progress on stderr'],
    ['./rowmill push plays.csv --pipeline song-plays', 'prints the id of the task and returns'],
    ['ROWMILL_URL=http://localhost:8000 ./rowmill push a.csv b.csv -p profile --wait -o out', ''],
    ['./rowmill push exports -p load --param table=sales --parts 4', 'the files of a directory as one task'],
    ['./rowmill push out/rejects.fixable.csv --corrects ID --wait', 'once its cells are put right'],
  ])
}
