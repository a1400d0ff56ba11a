/** The servers that Rowmill's catalog and queue are measured on. */
import { startServer, type TestServer } from '../test/servers.ts'

export interface Servers extends AsyncDisposable {
  readonly database: TestServer
  readonly broker: TestServer
}

/** PostgreSQL, which syncs what it writes, and RabbitMQ: `freshDatabase` and `freshQueue` are had of them from then on. */
export async function startServers(): Promise<Servers> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await startServer('postgres', { durable: true }))
  const broker = stack.use(await startServer('rabbitmq'))
  process.env['TEST_POSTGRES_URL'] = database.url
  process.env['TEST_RABBITMQ_URL'] = broker.url
  const running = stack.move()
  return { database, broker, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
