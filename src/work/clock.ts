/**
 * Whether the clock can be believed before anything is deleted by it. A clock that was wrong at a start is mostly put right
 * soon after; one that jumps while we look gives itself away by the monotonic clock beside it. Pure.
 */

/** More than this, and it was no drift. Milliseconds, as all below. */
const jumpMs = 60_000
/** Machines are off over night; when it was longer, the clock must run for a while before it is believed. */
const longAbsenceMs = 26 * 3_600_000
const steadyMs = 6 * 3_600_000

/** What is to be seen at one moment. */
export interface Look {
  /** By the clock that everything expires by. */
  readonly now: number
  /** By a clock that nobody sets. */
  readonly monotonic: number
  /** When anybody last believed the clock; null for never. */
  readonly seen: number | null
}

/** Judges one look after another; what makes the clock suspect, undefined for nothing. */
export function createClockJudge(): (look: Look) => string | undefined {
  let last: Look | undefined
  let doubt: { readonly why: string; readonly since: number } | undefined

  return (look) => {
    const { now, monotonic, seen } = look
    const jump = last === undefined ? 0 : now - last.now - (monotonic - last.monotonic)
    if (Math.abs(jump) > jumpMs) doubt = { why: `it jumped by ${Math.round(jump / 1000)} s`, since: monotonic }
    else if (last === undefined && seen !== null && now - seen > longAbsenceMs) {
      doubt = { why: 'it has gone on by more than a day since it was last believed', since: monotonic }
    }
    last = look
    if (doubt !== undefined && monotonic - doubt.since >= steadyMs) doubt = undefined
    if (seen !== null && now < seen - jumpMs) return 'it is earlier than it was'
    return doubt?.why
  }
}
