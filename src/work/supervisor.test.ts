import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf } from '../../test/harness.ts'
import { AppError } from '../errors.ts'
import { createLog } from '../log.ts'
import type { Job, Report } from '../job.ts'
import { Supervisor } from './supervisor.ts'

let root = ''
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'rowmill-supervisor-'))
})
after(() => rm(root, { recursive: true }))

const log = createLog('silent')
const roomy = { memory: 2e9, timeoutMs: 60_000, log }

async function folderFor(sql: string): Promise<string> {
  const folder = await mkdtemp(join(root, 'job-'))
  await writeFile(join(folder, 'in.csv'), 'a\n1\n')
  const outputs = { rows: { to: 'results', format: 'csv', sql } as const }
  const pipeline = { name: 'test', about: '', params: {}, rejects: 'fail', inputs: { file: {} }, outputs } as const
  const inputs = [{ input: 'file', name: 'in.csv', path: join(folder, 'in.csv'), sha256: null }]
  const job: Job = { pipeline, params: {}, inputs, targets: {}, now: 0, memory: 1e9, threads: 2, unpacked: 1e9 }
  await writeFile(join(folder, 'job.json'), JSON.stringify(job))
  return folder
}

/** Never ends, and says nothing in between. */
const endless = 'SELECT count(*) AS n FROM range(1000000000000) a, range(1000) b'

function run(engine: Supervisor, folder: string, signal = new AbortController().signal): Promise<Report> {
  return engine.run(folder, { signal, onProgress: () => {} })
}

/** A supervisor, and the children of this process that were not there before it. */
function supervise(): { engine: Supervisor; children: () => number[] } & AsyncDisposable {
  const pids = () => childrenOf(process.pid).map(({ pid }) => pid)
  const others = new Set(pids())
  const engine = new Supervisor(roomy)
  return {
    engine,
    children: () => pids().filter((pid) => !others.has(pid)),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  }
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      await access(`/proc/${pid}`)
    } catch {
      return
    }
    await sleep(20)
  }
}

test('one child is kept warm and does one run after another', async () => {
  await using supervised = supervise()
  const { engine, children } = supervised
  const [first] = children()
  for (const n of [1, 2]) {
    const folder = await folderFor(`SELECT ${n} AS n FROM file`)
    const report = await run(engine, folder)
    assert.equal(await readFile(join(folder, report.outputs[0]?.file ?? ''), 'utf8'), `n\n${n}\n`)
    assert.deepEqual(children(), [first])
  }
})

test('a child that dies is told as a crash, and the next run has another child', async () => {
  await using supervised = supervise()
  const { engine, children } = supervised
  const running = run(engine, await folderFor(endless))
  const [pid = 0] = children()
  await sleep(300)
  process.kill(pid, 'SIGKILL')
  await assert.rejects(
    running,
    (error) => error instanceof AppError && error.code === 'crashed' && /SIGKILL/.test(error.message),
  )
  assert.equal((await run(engine, await folderFor('FROM file'))).error, null)
})

test('a child that takes too long, too much, or is not wanted any more is ended', async () => {
  for (const [options, sql, code] of [
    [{ ...roomy, timeoutMs: 500 }, endless, 'timeout'],
    [{ ...roomy, memory: 150e6 }, 'SELECT list(a::VARCHAR || a) AS l FROM range(100000000) t(a)', 'crashed'],
  ] as const) {
    await using engine = new Supervisor(options)
    await assert.rejects(run(engine, await folderFor(sql)), (error) => error instanceof AppError && error.code === code)
  }
  await using supervised = supervise()
  const { engine, children } = supervised
  const reason = new Error('cancelled')
  const running = run(engine, await folderFor(endless), AbortSignal.any([AbortSignal.timeout(500)]))
  const [pid = 0] = children()
  await assert.rejects(running, { name: 'TimeoutError' })
  await gone(pid)
  await assert.rejects(run(engine, '', AbortSignal.abort(reason)), reason)
})

test('a child does not outlive its parent, however busy it is', async () => {
  const folder = await folderFor(endless)
  await mkdir(join(root, 'parent'), { recursive: true })
  const script = join(root, 'parent', 'main.ts')
  await writeFile(
    script,
    `import { Supervisor } from ${JSON.stringify(new URL('supervisor.ts', import.meta.url).href)}
     const engine = new Supervisor({ memory: 2e9, timeoutMs: 60000, log: { debug() {} } })
     setTimeout(() => console.log('running'), 500)
     await engine.run(${JSON.stringify(folder)}, { signal: new AbortController().signal, onProgress() {} })`,
  )
  const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(parent.stdout, 'data')
  const [{ pid: child } = assert.fail('it has no child')] = childrenOf(parent.pid ?? 0)
  parent.kill('SIGKILL')
  await gone(child)
})

test('a child knows nothing of the environment', async () => {
  await using supervised = supervise()
  const { engine, children } = supervised
  await run(engine, await folderFor('FROM file'))
  const [pid = 0] = children()
  const names = (await readFile(`/proc/${pid}/environ`, 'utf8'))
    .split('\0')
    .map((variable) => variable.split('=')[0] ?? '')
  // The others are Node's own, for the channel between the two and for coverage.
  assert.deepEqual(
    names.filter((name) => name !== '' && !name.startsWith('NODE_')),
    ['TZ'],
  )
})
