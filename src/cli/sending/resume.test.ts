/** What becomes of a push whose connection breaks, whose service goes away, or that is killed itself. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { after, suite, test } from 'node:test'
import { json, mainCommand, start, startService, temporaryFolder, until } from '../../../test/harness.ts'
import { serve } from '../../../test/http-fixture.ts'
import { loadConfig } from '../../config.ts'
import { createLog } from '../../log.ts'
import type { Task, Upload } from '../../model.ts'
import type { UploadAnswer } from '../client.ts'
import { createProgram } from '../commands.ts'

/** Stands in front of the service, and cuts connections. */
interface Relay extends AsyncDisposable {
  readonly url: string
  /** Of the service. */
  port: number
  /** How many bytes each next PATCH or PUT comes to; all where nothing is said. */
  limits: number[]
  /** Whether its connection then takes nothing more; else it is cut. */
  holds: boolean
  /** The answer to the next request that begins like this is lost. */
  loses: string | undefined
  /** How many bytes clients have sent to the service. */
  sent: number
}

async function relay(port: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  /** Whoever comes back finds a service that has read all that had come before the cut, however slow it is. */
  let cut: Promise<unknown> = Promise.resolve()
  const server = createServer((client) => {
    client.pause()
    void cut.then(() => client.resume())
    const service = connect(line.port, '127.0.0.1')
    let allowed = Number.POSITIVE_INFINITY
    let isLosing = false
    for (const [socket, other] of [
      [client, service],
      [service, client],
    ] as const) {
      sockets.add(socket)
      // What has come until then is the service's.
      socket.on('error', () => {}).on('close', () => other.end())
    }
    client.on('data', (chunk) => {
      const words = chunk.toString('latin1', 0, 40)
      if (/^(PATCH|PUT) /.test(words)) allowed = line.limits.shift() ?? Number.POSITIVE_INFINITY
      if (line.loses !== undefined && words.startsWith(line.loses)) {
        line.loses = undefined
        isLosing = true
      }
      const taken = chunk.subarray(0, allowed)
      allowed -= taken.length
      line.sent += taken.length
      if (taken.length > 0 && !service.write(taken)) {
        client.pause()
        service.once('drain', () => client.resume())
      }
      if (allowed === 0 && !line.holds) {
        cut = new Promise((resolve) => service.once('close', resolve))
        client.destroy()
      }
    })
    service.on('data', (chunk) => (isLosing ? client.destroy() : client.write(chunk)))
  })
  const line: Relay = {
    url: '',
    port,
    limits: [],
    holds: false,
    loses: undefined,
    sent: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await promisify(server.close.bind(server))()
    },
  }
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return Object.assign(line, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

const rows = 436_000
const folder = await temporaryFolder()
const served = await serve({ limits: { segment: 1e6 } })
const line = await relay(served.port)
after(async () => {
  await line[Symbol.asyncDispose]()
  await served[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** Lines that are all different. */
const lines = Array.from({ length: rows }, (_, i) => `Umbrella,2020-01-02,${String(i).padStart(18, '0')}\n`)
const content = Buffer.from(`Song,Date,Number of Plays\n${lines.join('')}`)
const size = content.length

async function file(path: string, bytes: Uint8Array | string = content): Promise<void> {
  await writeFile(folder.at(path), bytes)
}

const env = { ROWMILL_URL: line.url, ROWMILL_STATE: folder.at('state') }
const pipeline = ['-p', 'song-plays']

interface Pushed {
  /** Without what is told of progress. */
  readonly told: string
  readonly task: Task
  /** The uploads of its task. */
  readonly uploads: Upload[]
  /** Their bytes, as the service has them. */
  readonly bytes: Buffer[]
}

/** Runs a push in this process. */
async function pushed(args: readonly string[], signal = new AbortController().signal): Promise<Pushed> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const { config } = loadConfig(env, folder.path)
  const context = { config, signal, stdin: new PassThrough(), stdout, stderr, log: createLog('silent') }
  const program = createProgram(async (command) => assert.equal(await command(context), 0))
  const told = () => String(stderr.read() ?? '').replaceAll(/^(Uploading|Checking) .*\n/gm, '')
  try {
    await program.parseAsync(['node', 'rowmill', 'push', ...args])
  } catch (error) {
    throw new Error(told(), { cause: error })
  }
  const task = (await served.catalog.getTask(String(stdout.read()).trim())) ?? assert.fail(told())
  const uploads: Upload[] = []
  const bytes: Buffer[] = []
  for (const { upload } of task.inputs) {
    uploads.push((await served.catalog.getUpload(upload)) ?? assert.fail(upload))
    const blobs: Buffer[] = []
    for (const { blob } of await served.catalog.parts(upload)) blobs.push(await buffer(await served.blobs.read(blob)))
    bytes.push(Buffer.concat(blobs))
  }
  return { told: told(), task, uploads, bytes }
}

/**
 * Begins a push of which no more bytes come through than these.
 * @returns once the service has as many as it should.
 */
async function stuck<T>(most: readonly number[], has: number, begin: () => T): Promise<T> {
  const [latest] = await served.catalog.listUploads('local', { limit: 1 })
  Object.assign(line, { limits: [...most, ...Array.from({ length: 9 }, () => 1e6)], holds: true })
  const begun = begin()
  await until('the service has as much', async () => {
    const uploads = await served.catalog.listUploads('local', { limit: 9 })
    const sent = uploads.filter(({ id }) => id > (latest?.id ?? ''))
    return sent.reduce((sum, { bytes }) => sum + bytes, 0) >= has
  })
  return begun
}

/** Everything comes through again. */
function lift(): void {
  Object.assign(line, { limits: [], holds: false, sent: 0 })
}

async function interrupted(most: readonly number[], has: number, ...args: string[]): Promise<void> {
  const stop = new AbortController()
  const { ended } = await stuck(most, has, () => ({ ended: pushed(args, stop.signal) }))
  stop.abort()
  await assert.rejects(ended, /the same command goes on from there/)
  lift()
}

/** What is remembered of pushes that are not done. */
async function remembered(): Promise<string[]> {
  return await readdir(folder.at('state', 'uploads')).catch(() => [])
}

function assertWhole({ bytes, told }: Pushed, ...contents: (Uint8Array | string)[]): void {
  assert.deepEqual(
    bytes.map((found, i) => found.equals(Buffer.from(contents[i] ?? ''))),
    contents.map(() => true),
    told,
  )
}

async function openUploads(): Promise<Upload[]> {
  return (await served.catalog.listUploads('local', { limit: 50 })).filter(({ state }) => state === 'open')
}

suite('a long file', () => {
  test('goes on where the connection broke', async () => {
    await file('a.csv')
    Object.assign(line, { limits: [6e6, 7e6], sent: 0 })
    const a = await pushed([folder.at('a.csv'), ...pipeline])
    assertWhole(a, content)
    assert.match(a.told, /^(The connection broke.*Trying again in 1 s\.\n){2}$/)
    assert.ok(line.sent < size + 1e6, `${line.sent} bytes were sent`)
    assert.deepEqual(await remembered(), [])
  })

  test('goes on where the push was killed, with what the service had acknowledged', async () => {
    await file('b.csv')
    const command = [...mainCommand, 'push', folder.at('b.csv'), ...pipeline]
    await using program = await stuck([9e6], 5e6, () => start(command, { cwd: folder.path, env }))
    program.send('SIGKILL')
    await program.exited
    lift()
    assert.equal((await remembered()).length, 1)
    const b = await pushed([folder.at('b.csv'), ...pipeline])
    assertWhole(b, content)
    const [, there] = /^Going on with b\.csv: (\S+) MB of 17\.0 MB are there\.\n$/.exec(b.told) ?? []
    assert.ok(Number(there) >= 5, b.told)
    assert.ok(line.sent < size - 4e6, `${line.sent} bytes were sent`)
    assert.deepEqual(await remembered(), [])
  })

  test('that has changed since begins anew, also where only its bytes tell', async () => {
    await file('c.csv')
    await interrupted([9e6], 5e6, folder.at('c.csv'), ...pipeline)
    const shorter = content.subarray(0, -7)
    await file('c.csv', shorter)
    await utimes(folder.at('c.csv'), 1_700_000_000, 1_700_000_000)
    await interrupted([9e6], 5e6, folder.at('c.csv'), ...pipeline)
    const other = Buffer.from(shorter)
    other.write('Rihanna!', 2_000_026)
    await file('c.csv', other)
    await utimes(folder.at('c.csv'), 1_700_000_000, 1_700_000_000)
    const c = await pushed([folder.at('c.csv'), ...pipeline])
    assertWhole(c, other)
    assert.equal(c.told, 'What the service has of c.csv is something else than the file: it is sent anew.\n')
    assert.deepEqual(await remembered(), [])
    assert.deepEqual(await openUploads(), [])
  })

  test('that was begun and is gone is begun anew', async () => {
    await file('d.csv')
    await interrupted([9e6], 5e6, folder.at('d.csv'), ...pipeline)
    const [upload = assert.fail()] = await openUploads()
    await served.catalog.deleteUpload(upload.id)
    const d = await pushed([folder.at('d.csv'), ...pipeline])
    assertWhole(d, content)
    assert.equal(d.told, 'What was begun of d.csv is gone: it is sent anew.\n')
  })

  test('is refused for good where it is no table, and nothing of it is left', async () => {
    await file('e.csv', Buffer.alloc(size))
    await assert.rejects(pushed([folder.at('e.csv'), ...pipeline]), ({ cause }: Error) => {
      assert.match(String(cause), /e\.csv cannot be read: .* it is a binary file/)
      return true
    })
    assert.deepEqual(await remembered(), [])
    assert.deepEqual(await openUploads(), [])
  })

  test('in pieces: what is there is not sent again, whether a connection broke or the push', async () => {
    await file('f.csv')
    await interrupted([5e6], 4e6, folder.at('f.csv'), ...pipeline, '--parts', '4')
    line.limits = [1e6]
    const f = await pushed([folder.at('f.csv'), ...pipeline, '--parts', '4'])
    assertWhole(f, content)
    assert.match(f.told, /^Going on with f\.csv: 4\.\d MB of 17\.0 MB are there\.\nThe connection broke.*\n$/)
    assert.ok(line.sent < size - 3e6, `${line.sent} bytes were sent`)
    const [upload = assert.fail()] = f.uploads
    assert.deepEqual(
      [upload.comes, upload.joined, (await served.catalog.parts(upload.id)).length],
      ['in pieces', 'as bytes', 4],
    )
  })

  test('in pieces: with a header where it is cut it is still one file', async () => {
    const half = content.subarray(0, 26 + 39 * 230_000)
    await file('g.csv', Buffer.concat([half, half]))
    const g = await pushed([folder.at('g.csv'), ...pipeline, '--parts', '2'])
    assertWhole(g, Buffer.concat([half, half]))
    assert.equal(g.uploads[0]?.joined, 'as bytes')
  })

  test('of which tus cannot tell all goes in pieces, one at a time', async () => {
    await file('h.csv')
    const key = ['--param', 'key=Song', '--param', 'key=Date', '--param', 'mode=upsert']
    const h = await pushed([folder.at('h.csv'), '-p', 'load', ...key])
    assertWhole(h, content)
    assert.deepEqual([h.uploads[0]?.comes, h.task.params['key']], ['in pieces', ['Song', 'Date']])
  })
})

test('a short file whose answer was lost is told of again, and is there once', async () => {
  await file('short.csv', 'Song,Date,Number of Plays\nUmbrella,2020-01-02,1\n')
  line.loses = 'POST /v1/uploads'
  const short = await pushed([folder.at('short.csv'), ...pipeline])
  assert.match(short.told, /^The connection broke .*\n$/)
  const named = (await served.catalog.listUploads('local', { limit: 200 })).filter(({ name }) => name === 'short.csv')
  assert.deepEqual(named, short.uploads)
})

test('a service that is killed amid a push and started again has the file, and the result is that of all its rows', async () => {
  const data = folder.at('data')
  const first = await startService({ data, env: { ROWMILL_PART_SIZE: '1MB' } })
  await using door = await relay(Number(new URL(first.url).port))
  door.limits = [8e6]
  door.holds = true
  await file('all.csv')
  const command = [...mainCommand, 'push', folder.at('all.csv'), ...pipeline, '--wait']
  await using program = start(command, { cwd: folder.path, env: { ...env, ROWMILL_URL: door.url } })
  await until('the service has some of it', async () => {
    const { uploads } = await json<{ uploads: UploadAnswer[] }>(await fetch(`${first.url}/v1/uploads`))
    return (uploads[0]?.bytes ?? 0) > 5e6
  })
  await first.kill()
  await using second = await startService({ data })
  door.port = Number(new URL(second.url).port)
  assert.equal(await program.exited, 0, program.stderr())
  assert.match(program.stderr(), /^The connection broke/m)
  const sum = (rows * (rows - 1)) / 2
  assert.match(program.stdout(), new RegExp(`^.*\\nUmbrella,2020-01-02,${sum}\\n$`))
})

suite('several files', () => {
  const header = 'Song,Date,Number of Plays\n'
  const texts = { 'a.csv': `${header}a,2020-01-02,1\n`, 'c.csv': `${header}c,2020-01-02,1\n` }

  test('of a directory are a set, that goes on where it was killed, and has none of them twice', async () => {
    const plays = folder.at('plays')
    await mkdir(join(plays, 'sub'), { recursive: true })
    for (const [name, text] of Object.entries({ ...texts, '.hidden': 'x' })) await file(join('plays', name), text)
    await file(join('plays', 'b.csv'))
    await interrupted([5e6, 9e6], 5e6, plays, ...pipeline)
    const set = await pushed([plays, ...pipeline])
    assertWhole(set, texts['a.csv'], content, texts['c.csv'])
    assert.match(
      set.told,
      /^Left out, since they are no files: sub\nGoing on with b\.csv: .*\n1 of 3 files was sent before\.\n$/,
    )
    assert.deepEqual([set.task.setName, set.uploads.map(({ name }) => name)], ['plays', ['a.csv', 'b.csv', 'c.csv']])
    assert.ok(line.sent < size - 4e6, `${line.sent} bytes were sent`)
    assert.deepEqual(await remembered(), [])
  })

  test('go in pieces where they are long', async () => {
    for (const [name, text] of Object.entries(texts)) await file(name, text)
    await file('b.csv')
    const args = [...['a.csv', 'b.csv', 'c.csv'].map((name) => folder.at(name)), ...pipeline, '--parts', '3']
    const set = await pushed(args)
    assertWhole(set, texts['a.csv'], content, texts['c.csv'])
    assert.deepEqual(
      set.uploads.map(({ comes }) => comes),
      ['in order', 'in pieces', 'in order'],
    )
  })

  test('have the table of the first one, and a set that nobody else has', async () => {
    for (const [name, text] of Object.entries(texts)) await file(name, text)
    const paths = [folder.at('c.csv'), folder.at('a.csv')]
    const [one, other] = [await pushed([...paths, '-p', 'load']), await pushed([...paths, '-p', 'load', '--again'])]
    assertWhole(one, texts['c.csv'], texts['a.csv'])
    for (const { task } of [one, other]) assert.match(task.setName ?? '', /^push-\w{26}\/c\.csv$/)
    assert.notEqual(one.task.setName, other.task.setName)
  })

  test('are refused before any is sent where the set has others, or they fit no input', async () => {
    for (const [name, text] of Object.entries(texts)) await file(name, text)
    const paths = [folder.at('a.csv'), folder.at('c.csv')]
    const form = new FormData()
    for (const [key, value] of [
      ['set', 'theirs'],
      ['files', '2'],
      ['pipeline', 'song-plays'],
    ] as const) {
      form.set(key, value)
    }
    form.set('file', new Blob([texts['a.csv']]), 'mine.csv')
    assert.equal((await fetch(`${served.url}/v1/uploads`, { method: 'POST', body: form })).status, 201)
    for (const [args, message] of [
      [[...paths, ...pipeline, '--set', 'theirs'], /^Set theirs has other files already.*: mine\.csv\. .*--set/],
      [[paths[0] ?? '', ...pipeline, '--set', 'theirs'], /^Set theirs is of 2 files, not 1\. .*--set\.$/],
      [[...paths, folder.at('a.csv'), ...pipeline], /a\.csv is a file that is given twice/],
    ] as const) {
      await assert.rejects(pushed(args), ({ cause }: Error) => message.test((cause as Error).message), args.join(' '))
    }
    assert.deepEqual(await openUploads(), [])
    assert.deepEqual(await remembered(), [])
  })
})
