import type { Undone } from '../balances.ts'
import { createClient, type TaskAnswer } from './client.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { followShown } from './follow.ts'
import { errorText, inLine } from './harmless.ts'
import { quantity } from './progress.ts'

/** Keys of rows that were left as they are; all of them are in the task. */
const shownKeys = 5

/** Takes the rows of a task out of their tables again. Prints the id of the task that does so. */
export async function undoTask({ id, wait }: { id: string; wait: boolean }, context: Context): Promise<ExitCode> {
  const { config, signal, stdout, stderr } = context
  const client = createClient(config, signal)
  const task = await client.post<TaskAnswer>(`/v1/tasks/${encodeURIComponent(id)}/undo`)
  stdout.write(`${task.id}\n`)
  if (!wait) return exitCodes.done
  const ended = await followShown(client, task, context)
  if (ended.state !== 'succeeded') {
    const reason = ended.error === null ? `Task ${ended.id} was cancelled.` : errorText(ended.error)
    stderr.write(`rowmill: ${reason}\n`)
    return exitCodes.failed
  }
  const undone = Object.entries(ended.undone ?? {})
  for (const [output, one] of undone) stderr.write(`${output}: ${undoneLine(one)}\n${keysLines(one)}`)
  return undone.some(([, { left }]) => left > 0) ? exitCodes.rejects : exitCodes.done
}

/** `1,000 rows taken out, 20 rows restored, 3 rows left, since …`. */
export function undoneLine({ removed, restored, left }: Omit<Undone, 'leftKeys'>): string {
  const parts = [
    [removed, 'taken out'],
    [restored, 'restored'],
    [left, 'left, since they were changed or taken out by somebody else'],
  ] as const
  const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${quantity(count, 'rows')} ${what}`)
  return told.join(', ') || 'no rows'
}

function keysLines({ left, leftKeys }: Pick<Undone, 'left' | 'leftKeys'>): string {
  const lines = leftKeys.slice(0, shownKeys).map((key) => {
    const cells = Object.entries(key).map(([name, value]) => `${name} ${value ?? 'NULL'}`)
    return `  left: ${inLine(cells.join(', '))}\n`
  })
  const more = left - lines.length
  return lines.join('') + (lines.length > 0 && more > 0 ? `  … and ${more.toLocaleString('en')} more\n` : '')
}
