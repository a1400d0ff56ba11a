import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readRejects } from '../csv/listed.ts'
import type { CaseJob, CaseRun } from '../pipeline/cases.ts'
import type { LoadedPipeline } from '../pipeline/load.ts'
import { plannedTargets } from '../work/targets.ts'
import { runLocally } from '../work/local.ts'
import { limitsOf, openSupervisor } from '../work/supervisor.ts'
import type { Context } from './context.ts'

export interface CaseEngine extends AsyncDisposable {
  run(loaded: LoadedPipeline, job: CaseJob): Promise<CaseRun>
}

/** Runs cases as `rowmill run` would and reads what they left. */
export function openCaseEngine({ config, log, signal }: Context): CaseEngine {
  const engine = openSupervisor(config, log)
  const limits = { ...limitsOf(config), signal, onProgress: () => {} }
  return {
    async run({ pipeline }, job) {
      const targets = plannedTargets(pipeline, job.params, job.inputs[0]?.name ?? '')
      await using run = await runLocally(engine, { ...job, ...limits, pipeline, targets })
      const { folder, report } = run
      const outputs: Record<string, string> = {}
      for (const { name, file } of report.outputs) outputs[name] = await readFile(join(folder, file), 'utf8')
      const list = report.rejects === null ? undefined : createReadStream(join(folder, report.rejects.file))
      const rejects = list === undefined ? [] : await readRejects(list)
      return { outputs, rejects, error: report.error, balances: report.inputs }
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  }
}
