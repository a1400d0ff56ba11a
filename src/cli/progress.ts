import type { Writable } from 'node:stream'
import { Presets, SingleBar } from 'cli-progress'
import type { Progress } from '../model.ts'

/**
 * Shows how far something is, how fast it gets on and how long it will take: a bar on a terminal, else a line every few
 * seconds. Silent for the first second.
 */
export interface Meter extends Disposable {
  /** A new label ends the bar before it. */
  show(label: string, progress: Omit<Progress, 'phase'>): void
  /** A line of its own, whatever is shown. */
  tell(line: string): void
}

/** What a task's phases are called on the bar. */
export const phases = { reading: 'Reading', working: 'Working', delivering: 'Delivering' } as const

const silentMs = 1_000
const lineEveryMs = 5_000
/** Of which a pace is told, and how often it is looked at. */
const paceMs = 10_000
const lookMs = 250
/** A pace of less would be a guess. */
const leastPaceMs = 500
/** In columns. */
const narrow = 110

/** @param now milliseconds from any beginning. */
export function createMeter(stderr: Writable, now: () => number = () => performance.now()): Meter {
  return 'isTTY' in stderr && stderr.isTTY === true ? barMeter(stderr, now) : lineMeter(stderr, now)
}

/** Shows how far some work is while it is done. */
export async function withMeter<T>(stderr: Writable, work: (meter: Meter) => Promise<T>): Promise<T> {
  using meter = createMeter(stderr)
  return await work(meter)
}

function barMeter(stream: Writable, now: () => number): Meter {
  const started = now()
  const pace = createPace(now)
  let current: { label: string; bar: SingleBar } | undefined
  const stop = () => {
    current?.bar.stop()
    current = undefined
  }
  return {
    show(label, progress) {
      const { total, done } = progress
      // Of something without a known end the bar stays empty, and the text alone moves.
      const [end, value] = total === null ? [1, 0] : [total, done]
      const text = amount(progress, pace(label, done))
      if (current?.label !== label) {
        stop()
        if (now() - started < silentMs || progress.done === progress.total) return
        const barsize = 'columns' in stream && Number(stream.columns) < narrow ? 8 : 30
        // Signals are main's: a bar that caught them would exit in the middle of the work.
        const options = { stream, format: '{label} {bar} {text}', gracefulExit: false, hideCursor: null, barsize }
        current = { label, bar: new SingleBar(options, Presets.shades_classic) }
        current.bar.start(end, value, { label, text })
      }
      current.bar.setTotal(end)
      current.bar.update(value, { text })
    },
    tell(line) {
      stop()
      stream.write(`${line}\n`)
    },
    [Symbol.dispose]: stop,
  }
}

function lineMeter(stream: Writable, now: () => number): Meter {
  const pace = createPace(now)
  let next = now() + silentMs
  return {
    show(label, progress) {
      const perSecond = pace(label, progress.done)
      if (now() < next || progress.done === progress.total) return
      next = now() + lineEveryMs
      stream.write(`${label}: ${amount(progress, perSecond)}\n`)
    },
    tell(line) {
      stream.write(`${line}\n`)
    },
    [Symbol.dispose]() {},
  }
}

/** How much has come per second in the last seconds; undefined while too little is known, or nothing comes. */
function createPace(now: () => number): (label: string, done: number) => number | undefined {
  let of: string | undefined
  let seen: { at: number; done: number }[] = []
  return (label, done) => {
    const at = now()
    // What goes back was not sent, or is counted anew.
    if (label !== of || done < (seen.at(-1)?.done ?? 0)) seen = []
    of = label
    if (at - (seen.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= lookMs) seen.push({ at, done })
    while (seen.length > 1 && at - (seen[1]?.at ?? at) >= paceMs) seen.shift()
    const [first] = seen
    if (first === undefined || at - first.at < leastPaceMs || done === first.done) return undefined
    return ((done - first.done) / (at - first.at)) * 1000
  }
}

/** `12.0 MB of 354.0 MB (3 %), 10.5 MB/s, 33 s left`, `12,345 rows`. */
function amount({ unit, done, total }: Omit<Progress, 'phase'>, perSecond: number | undefined): string {
  const rate = perSecond === undefined ? '' : `, ${quantity(Math.round(perSecond), unit).replace(' bytes', ' B')}/s`
  if (total === null) return quantity(done, unit) + rate
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100)
  const left = perSecond === undefined ? '' : `, ${duration((total - done) / perSecond)} left`
  return `${quantity(done, unit)} of ${quantity(total, unit)} (${percent} %)${rate}${left}`
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds))
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** `354.0 MB`, `12,345 rows`. Decimal units, as the settings have them. */
export function quantity(count: number, unit: Progress['unit']): string {
  if (unit === 'rows') return `${count.toLocaleString('en')} ${count === 1 ? 'row' : 'rows'}`
  if (count < 1e3) return `${count} bytes`
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} kB`
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(1)} GB`
}
