import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createClient, type TaskAnswer } from './client.ts'
import { follow } from './follow.ts'

const running = {
  id: 't',
  state: 'running',
  links: { self: '/v1/tasks/t', events: '/v1/tasks/t/events' },
} as TaskAnswer

/** An HTTP server that answers with what the steps say, one a request. */
async function serve(
  steps: ((socket: { write(text: string): void; cut(): void; end(): void }) => void)[],
): Promise<Server> {
  const server = createServer((_, response) => {
    const step = steps.shift() ?? assert.fail('nobody expected another request')
    step({
      write: (text) => void response.write(text),
      cut: () => setImmediate(() => response.socket?.destroy()),
      end: () => void response.end(),
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

function clientOf(server: Server) {
  const { port } = server.address() as AddressInfo
  return createClient({ URL: undefined, PORT: port }, new AbortController().signal)
}

const event = (state: string) => `: still here\n\nevent: task\ndata: ${JSON.stringify({ ...running, state })}\n\n`

test('a task is followed through events that are cut, answers that are cut and a poll', async () => {
  const text = event('running')
  const server = await serve([
    (socket) => {
      socket.write(text.slice(0, 40))
      setImmediate(() => {
        socket.write(text.slice(40))
        socket.cut()
      })
    },
    (socket) => {
      socket.write('{"id"')
      socket.cut()
    },
    (socket) => socket.end(),
    (socket) => {
      socket.write(JSON.stringify({ ...running, state: 'succeeded' }))
      socket.end()
    },
  ])
  const states: string[] = []
  // The second request and the third are new looks at the events; after one that ends early it asks.
  const ended = await follow(clientOf(server), running, ({ state }) => states.push(state), new AbortController().signal)
  assert.equal(ended.state, 'succeeded')
  assert.deepEqual(states, ['running', 'succeeded'])
  server.close()
})

test('what answers and is no Rowmill is told so', async () => {
  const server = await serve([(socket) => socket.end()])
  server.prependListener('request', (_, response: { statusCode: number }) => (response.statusCode = 404))
  await assert.rejects(clientOf(server).get('/v1/tasks'), {
    code: 'unavailable',
    message: /is no Rowmill \(HTTP 404\)/,
  })
  server.close()
})
