/** How much memory a process and those below it have needed at most, as Linux counts it. */
import { readdirSync, readFileSync } from 'node:fs'

/** Bytes that were resident at once (VmHWM); 0 where the system does not tell. */
export interface Peaks {
  /** Of the process itself. */
  readonly own: number
  /** Of the biggest of its descendants; 0 when it has none. */
  readonly child: number
}

export interface Watch extends Disposable {
  readonly peaks: Peaks
}

/** Seconds of a processor's time, in the process itself and in the system on its behalf, of all its threads so far. */
export function processorSeconds(pid: number): number {
  const [own, system] = spent(pid)
  return own + system
}

/** The same, of the children of this process that have ended. */
export function endedChildrenSeconds(): number {
  const [, , own, system] = spent('self')
  return own + system
}

/** The same, of a process and all that is or was below it. */
export function allProcessorSeconds(root: number): number {
  let sum = 0
  for (const pid of tree(root)) for (const seconds of spent(pid)) sum += seconds
  return sum
}

/** In the process, and in the system on its behalf; and both of its children that have ended. */
function spent(pid: number | 'self'): [own: number, system: number, childrensOwn: number, childrensSystem: number] {
  // Behind the command's name, which may hold anything, the 12th field and those that follow.
  const fields = content(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? []
  const at = (i: number) => Number(fields[i] ?? 0) / ticks
  return [at(11), at(12), at(13), at(14)]
}

/** A second in `/proc/PID/stat`, whatever the processor. */
const ticks = 100

/** A peak never falls, so looking often misses no more than what is gained between the last look and the end. */
const everyMs = 20

export function watchMemory(root: number): Watch {
  const peaks = new Map<number, number>()
  const look = () => {
    for (const pid of tree(root)) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, peakOf(pid)))
  }
  look()
  const timer = setInterval(look, everyMs)
  return {
    get peaks() {
      const below = Array.from(peaks, ([pid, bytes]) => (pid === root ? 0 : bytes))
      return { own: peaks.get(root) ?? 0, child: Math.max(0, ...below) }
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** The process and its descendants, which Linux lists by the thread that started them. */
function* tree(pid: number): Generator<number> {
  yield pid
  for (const thread of entries(`/proc/${pid}/task`)) {
    for (const child of content(`/proc/${pid}/task/${thread}/children`).match(/\d+/g) ?? []) yield* tree(Number(child))
  }
}

/** The most that was resident of one process, until now. */
export function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(content(`/proc/${pid}/status`))?.[1] ?? 0) * 1024
}

/** A process may end between two looks at it; then there is nothing more to see. */
function content(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
