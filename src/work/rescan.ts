/** Rings for tasks that are due and that nobody has rung for, or whose bell is lost. */
import type { Catalog, Queue } from '../ports.ts'

/** Due tasks that are looked at in one round, */
const mostDue = 1_000
/** and bells that are on their way to the queue at once. */
const abreast = 50

/**
 * Rings for as many due tasks, the oldest first, as there are bells missing. A task whose bell is lost becomes the oldest
 * sooner or later, and however often this is called, there are never more bells than due tasks because of it.
 * @throws {AppError} unavailable
 */
export async function rescan({
  catalog,
  queue,
}: {
  readonly catalog: Pick<Catalog, 'dueTasks'>
  readonly queue: Pick<Queue, 'ring' | 'waiting'>
}): Promise<void> {
  const waiting = await queue.waiting()
  if (waiting >= mostDue) return
  const due = await catalog.dueTasks(mostDue)
  const missing = due.slice(0, Math.max(0, due.length - waiting))
  for (let i = 0; i < missing.length; i += abreast) {
    await Promise.all(missing.slice(i, i + abreast).map((task) => queue.ring(task)))
  }
}
