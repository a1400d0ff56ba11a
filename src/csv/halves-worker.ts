/** The other thread of `halves.ts`: looks at its half and says what it has found. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Part, scanPart } from './halves.ts'
import { Kernel } from './kernel/kernel.ts'

const scan = await scanPart(workerData as Part, {
  kernel: await Kernel.load(),
  // The thread is ended by the one that started it.
  signal: new AbortController().signal,
  onProgress: () => {},
})
parentPort?.postMessage(scan, [])
