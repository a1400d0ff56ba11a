import type { Writable } from 'node:stream'
import { Presets, SingleBar } from 'cli-progress'
import type { Progress } from '../model.ts'

/** Shows how far something is: a bar on a terminal, else a line every few seconds. Silent for the first second. */
export interface Meter extends Disposable {
  /** A new label ends the bar before it. */
  show(label: string, progress: Omit<Progress, 'phase'>): void
}

/** What a task's phases are called on the bar. */
export const phases = { reading: 'Reading', working: 'Working', delivering: 'Delivering' } as const

const silentMs = 1_000
const lineEveryMs = 5_000

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
      const text = amount(progress)
      if (current?.label !== label) {
        stop()
        if (now() - started < silentMs || progress.done === progress.total) return
        // Signals are main's: a bar that caught them would exit in the middle of the work.
        const options = { stream, format: '{label} {bar} {text}', gracefulExit: false, hideCursor: null, barsize: 30 }
        current = { label, bar: new SingleBar(options, Presets.shades_classic) }
        current.bar.start(end, value, { label, text })
      }
      current.bar.setTotal(end)
      current.bar.update(value, { text })
    },
    [Symbol.dispose]: stop,
  }
}

function lineMeter(stream: Writable, now: () => number): Meter {
  let next = now() + silentMs
  return {
    show(label, progress) {
      if (now() < next || progress.done === progress.total) return
      next = now() + lineEveryMs
      stream.write(`${label}: ${amount(progress)}\n`)
    },
    [Symbol.dispose]() {},
  }
}

/** `12.0 MB of 354.0 MB (3 %)`, `12,345 rows`. */
function amount({ unit, done, total }: Omit<Progress, 'phase'>): string {
  if (total === null) return quantity(done, unit)
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100)
  return `${quantity(done, unit)} of ${quantity(total, unit)} (${percent} %)`
}

/** `354.0 MB`, `12,345 rows`. Decimal units, as the settings have them. */
export function quantity(count: number, unit: Progress['unit']): string {
  if (unit === 'rows') return `${count.toLocaleString('en')} ${count === 1 ? 'row' : 'rows'}`
  if (count < 1e3) return `${count} bytes`
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} kB`
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(1)} GB`
}
