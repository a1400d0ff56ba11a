/** As many values stand in one statement: every database has a limit for them, and SQLite's is 32,766. */
const most = 500

export function* batches<T>(values: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < values.length; at += most) yield values.slice(at, at + most)
}
