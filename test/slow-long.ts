/**
 * `node test/slow-long.ts [--minutes M]`: how long others wait for a service that has a thousand slow clients, and whether
 * an upload that takes M minutes comes through.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { UploadAnswer } from '../src/cli/client.ts'
import { type Service, startService, temporaryFolder, text, until } from './harness.ts'
import { digestOf } from './security/cases.ts'
import { assertNoFault, draftsOf, heldBy } from './security/left.ts'
import { answersIn, hear } from './security/raw.ts'
import type { Fared, SlowClients } from './security/slow-clients.ts'
import { dripBody, makeLongOutput } from './security/slow.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    drippers: { type: 'string', default: '1000' },
    bodies: { type: 'string', default: '500' },
    downloaders: { type: 'string', default: '20' },
    asked: { type: 'string', default: '3000' },
    uploaded: { type: 'string', default: '300' },
  },
})
const minutes = Number(values.minutes)
const say = (line: string) => process.stdout.write(`${line}\n`)

/** Milliseconds that each took, one after the other. */
async function times(count: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const taken: number[] = []
  for (let i = 0; i < count; i++) {
    const since = performance.now()
    await work(i)
    taken.push(performance.now() - since)
  }
  return taken.toSorted((a, b) => a - b)
}

interface Waits {
  readonly limits: readonly number[]
  readonly uploads: readonly number[]
}

async function measure({ url }: Service): Promise<Waits> {
  const limits = await times(Number(values.asked), async () => await text(await fetch(`${url}/v1/limits`)))
  const uploads = await times(Number(values.uploaded), async () => {
    const body = randomBytes(500_000).toString('hex')
    await text(await fetch(`${url}/v1/uploads?name=other.csv`, { method: 'POST', body }))
  })
  return { limits, uploads }
}

const quantile = (sorted: readonly number[], share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0

function show(what: string, waits: Waits): void {
  const line = ([name, of]: [string, readonly number[]]) =>
    `${name} ${[0.5, 0.99].map((share) => `p${share * 100} ${quantile(of, share).toFixed(1)} ms`).join(', ')}`
  say(`${what}: ${Object.entries(waits).map(line).join('; ')}`)
}

async function ask(clients: Worker): Promise<Fared> {
  clients.postMessage('how are they?', [])
  const [fared] = (await once(clients, 'message')) as [Fared]
  return fared
}

await using folder = await temporaryFolder()
await using service = await startService({ data: folder.at('data') })
const path = await makeLongOutput(service, 64_000_000)

const slowBody = Buffer.from('Song,Date,Number of Plays\n'.padEnd(Math.ceil(minutes * 60), 'x\n'))
const slow = dripBody(service, { line: 'POST /v1/uploads?name=slow.csv', body: slowBody, everyMs: 1000 })
const slowAnswer = hear(slow, (minutes * 2 + 1) * 60_000)

await measure(service)
const without = await measure(service)
show('without slow clients', without)
const before = heldBy(service)

const workerData: SlowClients = {
  url: service.url,
  path,
  drippers: Number(values.drippers),
  bodies: Number(values.bodies),
  downloaders: Number(values.downloaders),
}
const clients = new Worker(new URL('security/slow-clients.ts', import.meta.url), { workerData })
await once(clients, 'message')
const held = heldBy(service)
say(
  `the service holds ${held.descriptors - before.descriptors} descriptors and ${Math.round((held.memory - before.memory) / 1e6)} MB for them`,
)
const beside = await measure(service)
show('beside slow clients', beside)
let fared = await ask(clients)
while (fared.cutHeaders < workerData.drippers) {
  await sleep(1000)
  fared = await ask(clients)
}
assert.deepEqual(fared.ended, [], 'none of them has stood still')
say(`meanwhile ${fared.cutHeaders} headers were cut off, and ${Math.round(fared.downloaded / 1e6)} MB downloaded`)
await clients.terminate()

await until('they are let go', () => heldBy(service).descriptors <= before.descriptors + 3)
const after = await measure(service)
show('after them', after)
for (const name of ['limits', 'uploads'] as const) {
  const wait = quantile(beside[name], 0.99)
  const ratios = [without, after].map((waits) => (wait / quantile(waits[name], 0.99)).toFixed(2))
  say(`${name}: p99 beside them is ${ratios[0]} times that before, and ${ratios[1]} times that after`)
}

const [answer] = answersIn(await slowAnswer)
const { upload } = JSON.parse(answer?.body ?? '{}') as { upload: UploadAnswer }
assert.equal(upload.sha256, digestOf(slowBody))
say(`an upload of ${minutes} minutes has come whole`)
await until('no draft is left', async () => (await draftsOf(service)).length === 0)
assertNoFault(service)
