/** Database and broker go away under a service, and come back: what was acknowledged is there, and nobody starts it anew. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { check } from '../checker.ts'
import { type Env, type Folder, type Service, startService, taskEnds, temporaryFolder, until } from '../harness.ts'
import { type Proxy, startProxy } from '../proxy.ts'
import { missing, startServer, type TestServer } from '../servers.ts'
import { chanceOf } from './seed.ts'

const skip = missing('postgres') || missing('rabbitmq')

interface Answer {
  readonly upload: { readonly id: string }
  readonly task: { readonly id: string }
}

suite('a service whose servers go away', { skip }, () => {
  let folder: Folder
  let database: TestServer
  let broker: TestServer
  let proxy: Proxy
  let env: Env
  let service: Service
  const uploads = new Map<string, string>()
  before(async () => {
    folder = await temporaryFolder()
    const servers = await Promise.all([startServer('postgres', { durable: true }), startServer('rabbitmq')])
    ;[database, broker] = servers
    const url = new URL(database.url)
    proxy = await startProxy({ host: '127.0.0.1', port: Number(url.port) })
    env = { ROWMILL_CATALOG_URL: database.url, ROWMILL_QUEUE_URL: broker.url }
    url.port = String(proxy.port)
    service = await startService({ data: folder.at('data'), env: { ...env, ROWMILL_CATALOG_URL: url.href } })
  })
  after(async () => {
    await service[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
    await Promise.all([database, broker].map((server) => server[Symbol.asyncDispose]()))
    await folder[Symbol.asyncDispose]()
  })

  const csvOf = (name: string) => `Song,Date,Number of Plays\n${name},2020-01-01,1\n`

  const send = (name: string) =>
    fetch(`${service.url}/v1/uploads?name=${name}&pipeline=song-plays`, {
      method: 'PUT',
      body: csvOf(name),
      headers: { 'idempotency-key': name },
    })

  async function acknowledged(name: string, response: Response): Promise<Answer['task']> {
    const text = await response.text()
    assert.ok(response.ok, text)
    const { upload, task } = JSON.parse(text) as Answer
    uploads.set(upload.id, createHash('sha256').update(csvOf(name)).digest('hex'))
    return task
  }

  const succeeds = async (task: Answer['task']) => assert.equal((await taskEnds(service, task)).state, 'succeeded')

  test('takes files while the broker is down, and runs them when it is back', { timeout: 110_000 }, async () => {
    await succeeds(await acknowledged('first', await send('first')))
    // A queue that was just made must have been written down: the broker does so when it ends in good order.
    await broker.end()
    await broker.start()
    await broker.kill()
    const tasks = [await acknowledged('deaf', await send('deaf')), await acknowledged('mute', await send('mute'))]
    assert.equal((await fetch(`${service.url}/readyz`)).status, 503)
    await broker.start()
    for (const task of tasks) await succeeds(task)
    await until('it is ready again', async () => (await fetch(`${service.url}/readyz`)).ok)
  })

  test('says 503 while the database is down, and goes on when it is back', async () => {
    await database.kill()
    const refused = await send('early')
    assert.equal(refused.status, 503, await refused.text())
    assert.ok(Number(refused.headers.get('retry-after')) > 0)
    assert.match(await (await fetch(`${service.url}/readyz`)).text(), /catalog/)
    await database.start()
    const response = await until('it takes files again', async () => {
      const answer = await send('early')
      return answer.status !== 503 && answer.status !== 409 && answer
    })
    await succeeds(await acknowledged('early', response))
  })

  test('loses and doubles nothing when the database’s answers are cut off anywhere', { timeout: 110_000 }, async () => {
    const chance = chanceOf(11)
    for (let nth = 0; nth < 12; nth++) {
      const name = `cut-${nth}`
      proxy.set({ cut: chance.below(6_000), once: true })
      const response = await until(`${name} is taken`, async () => {
        const answer = await send(name)
        return answer.status !== 503 && answer.status !== 409 && answer
      })
      await succeeds(await acknowledged(name, response))
    }
    proxy.set('pass')
    await service.stop()
    await check({ data: folder.at('data'), env, uploads, tables: [] })
  })
})
