/** A thread of its own for clients that take their time, so that whoever measures beside them is not held up by them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { hear } from './raw.ts'
import { askOnly, dripBody, dripHeaders } from './slow.ts'

export interface SlowClients {
  readonly url: string
  readonly drippers: number
  readonly bodies: number
  readonly downloaders: number
  /** What is downloaded. */
  readonly path: string
}

/** How they fare: told when they are all there, and when it is asked for. */
export interface Fared {
  /** Headers that were cut off; each time somebody takes their place. */
  readonly cutHeaders: number
  /** Bodies and downloads that were ended by the service, though none of them has stood still. */
  readonly ended: readonly string[]
  readonly downloaded: number
}

const { drippers, bodies, downloaders, path, ...service } = workerData as SlowClients
const ended: string[] = []
let cutHeaders = 0
let downloaded = 0

async function dripForEver(): Promise<void> {
  for (;;) {
    await hear(dripHeaders(service, 5000), 600_000)
    cutHeaders++
  }
}

function sendSlowly(i: number): void {
  const body = Buffer.alloc(100_000, 'a,b\n')
  const socket = dripBody(service, { line: `POST /v1/uploads?name=slow${i}.csv`, body, everyMs: 1000 })
  socket.once('close', () => ended.push(`body ${i}`))
}

/** A little is read every second. */
async function readSlowly(i: number): Promise<void> {
  const socket = askOnly(service, path)
  socket.once('close', () => ended.push(`download ${i}`))
  for (;;) {
    await sleep(1000)
    downloaded += (socket.read() as Buffer | null)?.length ?? 0
  }
}

for (let i = 0; i < drippers; i++) void dripForEver()
for (let i = 0; i < bodies; i++) sendSlowly(i)
for (let i = 0; i < downloaders; i++) void readSlowly(i)
await sleep(5000)

const fared = (): Fared => ({ cutHeaders, ended, downloaded })
parentPort?.postMessage(fared(), [])
parentPort?.on('message', () => parentPort?.postMessage(fared(), []))
