/** The other thread of `simple.ts`: looks at its half and says what it has found. */
import { parentPort, workerData } from 'node:worker_threads'
import { Kernel } from './kernel/kernel.ts'
import { type Half, scanPart } from './simple.ts'

const scan = await scanPart(workerData as Half, 1, {
  kernel: await Kernel.load(),
  // The thread is ended by the one that started it.
  signal: new AbortController().signal,
  onProgress: () => {},
})
parentPort?.postMessage(scan, [])
