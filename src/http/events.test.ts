import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { Ingest } from '../ingest/ingest.ts'
import type { Task } from '../model.ts'
import { eventsOf } from './events.ts'
import { insertTask, json, serve, succeed, until } from '../../test/http-fixture.ts'

test('events tell every state and end with the task', async () => {
  await using served = await serve()
  const { id } = await insertTask(served)
  const response = await fetch(`${served.url}/v1/tasks/${id}/events`)
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const states: string[] = []
  let rest = ''
  for await (const chunk of (response.body ?? assert.fail()).pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) {
      const data = /^event: task\ndata: (.*)$/.exec(event)?.[1]
      if (data === undefined) continue
      const { state } = JSON.parse(data) as { state: string }
      states.push(state)
      if (state === 'queued') await succeed(served, id)
    }
  }
  assert.deepEqual([states[0], states.at(-1), rest], ['queued', 'succeeded', ''])
})

test('watching ends when the client leaves, and when the server closes', async () => {
  const signals: AbortSignal[] = []
  const wrap = (ingest: Ingest): Ingest => ({
    ...ingest,
    tasks: {
      ...ingest.tasks,
      watch: (principal, id, signal) => {
        signals.push(signal)
        return ingest.tasks.watch(principal, id, signal)
      },
      wait: (principal, id, ms, signal) => {
        signals.push(signal)
        return ingest.tasks.wait(principal, id, ms, signal)
      },
    },
  })
  await using served = await serve({ wrap })
  const { id } = await insertTask(served)
  const url = `${served.url}/v1/tasks/${id}/events`
  const leaving = new AbortController()
  await fetch(url, { signal: leaving.signal })
  leaving.abort()
  const [left] = signals
  if (left?.aborted === false) await once(left, 'abort')

  const watched = await fetch(url)
  const waited = fetch(`${served.url}/v1/tasks/${id}?wait=60`)
  await until(async () => signals.length === 3)
  await served.close()
  assert.match(await watched.text(), /"state":"queued"/)
  assert.equal((await json(await waited))['state'], 'queued')
})

test('as long as nothing changes, comments keep the connection alive', async () => {
  await using served = await serve()
  const task = await insertTask(served)
  const change = Promise.withResolvers<IteratorResult<Task, void>>()
  const events = eventsOf({ next: () => change.promise }, 1)
  for (let i = 0; i < 3; i++) assert.deepEqual(await events.next(), { done: false, value: ': \n\n' })
  change.resolve({ done: false, value: task })
  let told = await events.next()
  while (told.value === ': \n\n') told = await events.next()
  assert.match(String(told.value), /^event: task\ndata: \{.*\}\n\n$/)
})
