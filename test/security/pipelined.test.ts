/** Whoever asks for much at once, and reads nothing of it, costs no more than the others can spare. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { json, startService, temporaryFolder } from '../harness.ts'
import { assertNoFault, heldBy } from './left.ts'
import { hold } from './raw.ts'

/** What a service may take beyond what it has at the start; its heap is no larger than that. */
const mostMemory = 384 << 20
const env = { NODE_OPTIONS: '--max-old-space-size=256' }

test('many requests on a connection, none of whose answers is read, do not end the service', async () => {
  await using folder = await temporaryFolder()
  await using service = await startService({ data: folder.at('data'), env })
  const ask = async () => await json<object>(await fetch(`${service.url}/openapi.json`))
  await ask()
  const before = heldBy(service)
  // The longest answer that there is without a task.
  const requests = 'GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1000)
  const sockets = Array.from({ length: 20 }, () => hold(service, requests).pause())
  const others = async () => {
    for (let i = 0; i < 20; i++) await ask()
  }
  await others().catch((cause: unknown) => assert.fail(`${String(cause)}: ${service.stderr().slice(0, 500)}`))
  const { memory } = heldBy(service)
  assert.ok(memory < before.memory + mostMemory, `${before.memory} bytes of memory have become ${memory}`)
  for (const socket of sockets) socket.destroy()
  await ask()
  assertNoFault(service)
})
