/** A bell as a message: `{"task":"01j…"}`. */
import { isId } from '../ids.ts'

export function writeBell(task: string): string {
  return JSON.stringify({ task })
}

/** The task that a message names; undefined when it is no bell. What else a bell may say some day is not looked at. */
export function readBell(message: string): string | undefined {
  try {
    const { task } = JSON.parse(message) as { task?: unknown }
    return typeof task === 'string' && isId(task) ? task : undefined
  } catch {
    return undefined
  }
}
