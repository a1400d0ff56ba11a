import type { TaskState } from '../model.ts'
import { createClient, type TaskAnswer } from './client.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { familyLine } from './rejects.ts'
import { undoneLine } from './undo.ts'
import { table } from './table.ts'

export async function listTasks(
  { state, limit, json }: { state: TaskState | undefined; limit: number; json: boolean },
  { config, signal, stdout }: Context,
): Promise<ExitCode> {
  const query = new URLSearchParams({ limit: String(limit), ...(state !== undefined && { state }) })
  const { tasks } = await createClient(config, signal).get<{ tasks: TaskAnswer[] }>(`/v1/tasks?${query.toString()}`)
  stdout.write(json ? `${JSON.stringify(tasks, null, 2)}\n` : listing(tasks))
  return exitCodes.done
}

export async function showTask(
  { id, json }: { id: string; json: boolean },
  { config, signal, stdout }: Context,
): Promise<ExitCode> {
  const task = await createClient(config, signal).get<TaskAnswer>(`/v1/tasks/${encodeURIComponent(id)}`)
  stdout.write(json ? `${JSON.stringify(task, null, 2)}\n` : details(task))
  return exitCodes.done
}

/** Cancels a task, or runs an ended one anew; prints the id of the task that this leaves. */
export async function changeTask(
  { id, move }: { id: string; move: 'cancel' | 'retry' },
  { config, signal, stdout }: Context,
): Promise<ExitCode> {
  const task = await createClient(config, signal).post<TaskAnswer>(`/v1/tasks/${encodeURIComponent(id)}/${move}`)
  stdout.write(`${task.id}\n`)
  return exitCodes.done
}

function listing(tasks: readonly TaskAnswer[]): string {
  const rows = tasks.map(({ id, state, progress, pipeline, inputs, createdAt }) => [
    id,
    state === 'running' && progress?.total ? `${state} ${Math.floor((progress.done / progress.total) * 100)} %` : state,
    pipeline,
    createdAt.slice(0, 19).replace('T', ' '),
    inputs.map(({ name }) => name).join(', '),
  ])
  return table([['ID', 'STATE', 'PIPELINE', 'CREATED (UTC)', 'FILES'], ...rows])
}

function details(task: TaskAnswer): string {
  const { id, state, pipeline, attempt, inputs, balances, outputs, rejects, warnings, error } = task
  const { corrects, correctedBy, family, plan, undoes, undoneBy } = task
  const rows = [
    ['id', id],
    ['state', state],
    ['pipeline', pipeline],
    ['attempts', String(attempt)],
    ...times(task).map(([name, time]) => [name, time ?? '-']),
    ...inputs.map(({ input, name }) => [`input ${input}`, name]),
    ...Object.entries(balances?.inputs ?? {}).map(([name, { records, accepted, rejected, blankLines }]) => [
      `balance ${name}`,
      `${records} records = ${accepted} accepted + ${rejected} rejected; ${blankLines} blank lines`,
    ]),
    ...outputs.map((output) => [
      `output ${output.name}`,
      'url' in output
        ? `${output.rows} rows, ${output.bytes} bytes, ${output.url}`
        : `${output.rows} rows in the table ${output.table} of ${output.to}`,
    ]),
    ...(rejects === null ? [] : [['rejects', `${rejects.count}, ${rejects.url}`]]),
    ...(rejects?.fixable ?? []).map(({ url }) => ['fixable', url]),
    ...(corrects === null ? [] : [['corrects', corrects]]),
    ...(correctedBy === null ? [] : [['corrected by', correctedBy]]),
    ...Object.entries(plan?.outputs ?? {}).map(([name, { inserted, updated, unchanged }]) => [
      `would be ${name}`,
      `${inserted} inserted, ${updated} updated, ${unchanged} unchanged`,
    ]),
    ...(plan === null ? [] : [['plan', plan.hash]]),
    ...(undoes === null ? [] : [['undoes', undoes]]),
    ...Object.entries(task.undone ?? {}).map(([name, undone]) => [`undone ${name}`, undoneLine(undone)]),
    ...(undoneBy === null ? [] : [['undone by', undoneBy]]),
    ...(family === undefined ? [] : [['family', familyLine(family)]]),
    ...warnings.map(({ message }) => ['warning', message]),
    ...(error === null ? [] : [['error', `${error.code}: ${error.message}`]]),
  ]
  return table(rows)
}

function times({ createdAt, startedAt, endedAt }: TaskAnswer): [string, string | null][] {
  return [
    ['created', createdAt],
    ['started', startedAt],
    ['ended', endedAt],
  ]
}
