/** The main job by every door, and what each command tells the shell. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  assertNoTrace,
  childrenOf,
  type Env,
  type Folder,
  json,
  launcherCommand,
  mainCommand,
  output,
  type Received,
  type Service,
  start,
  startService,
  taskEnds,
  temporaryFolder,
  text,
  until,
} from '../harness.ts'

const sample = fileURLToPath(new URL('../../examples/plays.csv', import.meta.url))
const pipelines = fileURLToPath(new URL('../pipelines', import.meta.url))
const totals = `Song,Date,Total Number of Plays for Date
In The End,2020-01-01,1500
In The End,2020-01-02,500
Umbrella,2020-01-01,150
Umbrella,2020-01-02,250
`

let folder: Folder
let service: Service
before(async () => {
  folder = await temporaryFolder()
  service = await startService({ data: folder.at('data') })
})
after(async () => {
  await service[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** Runs a command to its end. */
async function rowmill(args: readonly string[], env: Env = {}) {
  await using program = start([...mainCommand, ...args], { cwd: folder.path, env })
  const code = await program.exited
  return { code, stdout: program.stdout(), stderr: program.stderr() }
}

suite('the sample gives its four lines', () => {
  test('by `run`', async () => {
    const { code, stdout } = await rowmill(['run', 'song-plays', sample])
    assert.deepEqual({ code, stdout }, { code: 0, stdout: totals })
  })

  test('by `push --wait`', async () => {
    const args = ['push', sample, '--pipeline', 'song-plays', '--wait']
    const { code, stdout, stderr } = await rowmill(args, { ROWMILL_URL: service.url })
    assert.deepEqual({ code, stdout }, { code: 0, stdout: totals })
    assert.match(stderr, /^Task [0-9a-z]{26}$/m)
  })

  test('by a plain body, sent by POST or PUT, with its balances', async () => {
    for (const method of ['POST', 'PUT']) {
      const response = await fetch(`${service.url}/v1/uploads?name=plays.csv&pipeline=song-plays&wait=60`, {
        method,
        body: await readFile(sample),
      })
      const { task } = await json<Received>(response)
      assert.equal(response.status, 200)
      assert.equal(task.state, 'succeeded')
      assert.equal(await output(service, task, 'totals'), totals)
      assert.deepEqual(task.balances, {
        inputs: { plays: { records: 7, accepted: 7, rejected: 0, blankLines: 0 } },
        outputs: { totals: { produced: 4, inserted: 4, updated: 0, unchanged: 0, skipped: 0 } },
      })
    }
  })

  test('by a form; the same again is the same task, unless it is to be run again', async () => {
    const form = new FormData()
    form.set('pipeline', 'song-plays')
    form.set('file', new Blob([await readFile(sample)]), 'plays.csv')
    const same = await fetch(`${service.url}/v1/uploads`, { method: 'POST', body: form })
    assert.deepEqual([same.status, (await json<{ duplicate: boolean }>(same)).duplicate], [200, true])
    const response = await fetch(`${service.url}/v1/uploads?again=true`, { method: 'POST', body: form })
    assert.equal(response.status, 202)
    const { task } = await json<Received>(response)
    assert.equal(response.headers.get('location'), `/v1/tasks/${task.id}`)
    const ended = await taskEnds(service, task)
    assert.equal(ended.inputs[0]?.name, 'plays.csv')
    assert.equal(await output(service, ended, 'totals'), totals)
  })

  test('by the three paths of the task manager and data processor', async () => {
    const form = new FormData()
    form.set('file', new Blob([await readFile(sample)]), 'plays.csv')
    const upload = await fetch(`${service.url}/v1/data_processor/upload`, { method: 'POST', body: form })
    const { task_id } = await json<{ task_id: string }>(upload)
    await until('it is done', async () => {
      const answer = await json<Record<string, string>>(await fetch(`${service.url}/v1/tasks/status/${task_id}`))
      assert.deepEqual(Object.keys(answer), ['task_id', 'status'])
      assert.equal(answer['task_id'], task_id)
      return answer['status'] === 'DONE'
    })
    assert.equal(await text(await fetch(`${service.url}/v1/data_processor/download/${task_id}`)), totals)
  })
})

test('the first start runs the example and prints its four lines; a later one does not', async () => {
  const data = folder.at('first')
  const command = [...launcherCommand, 'serve', '--example']
  await using first = await startService({ data, command })
  await until('it says what to do next', () => first.stdout().includes('Now yours:'))
  assert.ok(first.stdout().includes(`\n\n${totals}\n`), first.stdout())
  assert.equal(await first.stop(), 0)
  assert.equal(first.stderr(), '')

  await using second = await startService({ data, command })
  const { tasks } = await json<{ tasks: unknown[] }>(await fetch(`${second.url}/v1/tasks`))
  assert.equal(tasks.length, 1)
  assert.equal(await second.stop(), 0)
  assert.doesNotMatch(second.stdout(), /example|Umbrella/)
})

suite('a service that cannot start says why and exits 1', () => {
  async function refused(env: Env): Promise<string> {
    const { code, stdout, stderr } = await rowmill(['serve'], { ROWMILL_DATA: folder.at('refused'), ...env })
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    return stderr
  }

  test('when its port is taken', async () => {
    const { port } = new URL(service.url)
    assert.equal(
      await refused({ ROWMILL_PORT: port }),
      `rowmill: 127.0.0.1:${port} is taken by another program. Stop it, or set ROWMILL_PORT to another port.\n`,
    )
  })

  test('when it would be open to the network', async () => {
    assert.match(
      await refused({ ROWMILL_HOST: '0.0.0.0' }),
      /^rowmill: ROWMILL_HOST=0\.0\.0\.0 would let anyone .*127\.0\.0\.1.*\n$/,
    )
  })

  test('when its data folder cannot be made, or is none', async () => {
    await writeFile(folder.at('no-folder'), '')
    for (const path of ['/proc/nowhere/at/all', folder.at('no-folder')]) {
      assert.match(
        await refused({ ROWMILL_DATA: path }),
        /^rowmill: The data folder .* cannot be made, .*another folder\.\n$/,
      )
    }
  })

  test('when a setting is unknown or makes no sense', async () => {
    assert.match(
      await refused({ ROWMILL_PROT: '1', ROWMILL_LEASE: 'soon' }),
      /^rowmill: ROWMILL_PROT is not a setting\. Did you mean ROWMILL_PORT\?\nROWMILL_LEASE=soon \(environment\): expected a duration/,
    )
  })
})

suite('every command tells the shell how it went', () => {
  test('0, when all is done', async () => {
    assert.equal((await rowmill(['--version'])).code, 0)
  })

  test('1, when it is refused', async () => {
    const { code, stderr } = await rowmill(['run', 'song-play', sample])
    assert.equal(code, 1)
    assert.match(stderr, /^rowmill: .*song-play.*song-plays/)
  })

  test('2, when it is called in the wrong way', async () => {
    const ran = await Promise.all([rowmill(['run', 'song-plays']), rowmill(['mill'])])
    assert.deepEqual([ran[0].code, ran[1].code], [2, 2])
  })

  test('3, when it is done and there are rejects', async () => {
    const file = folder.at('ragged.csv')
    await writeFile(file, 'a,b\n1,2\n3\n')
    const push = ['push', file, '--pipeline', 'profile', '--wait']
    const ran = await Promise.all([rowmill(['run', 'profile', file]), rowmill(push, { ROWMILL_URL: service.url })])
    assert.match(ran[0].stdout, /^ragged.csv: 2 rows, 2 columns, 10 bytes\n/)
    for (const { code, stderr } of ran) {
      assert.equal(code, 3)
      assert.match(stderr, /file +3 +b +missing-cell/)
    }
  })

  test('4, when there is no service', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const { code, stderr } = await rowmill(['push', sample, '--pipeline', 'song-plays'], { ROWMILL_URL: url })
    assert.equal(code, 4)
    assert.match(stderr, /^rowmill: No Rowmill answers at http:\S+\. Start it with/)
  })

  test('130, when it is interrupted, and it leaves nothing behind', async () => {
    await using temporary = await temporaryFolder()
    await using program = start([...mainCommand, 'run', 'endless', sample], {
      cwd: folder.path,
      env: { ROWMILL_PIPELINES: pipelines, TMPDIR: temporary.path },
    })
    await until(
      'it has begun',
      async () => childrenOf(program.pid).length > 0 && (await readdir(temporary.path)).length > 0,
    )
    program.send('SIGINT')
    assert.equal(await program.exited, 130)
    assert.equal(program.stdout(), '')
    assertNoTrace(program.stderr())
    assert.deepEqual(await readdir(temporary.path), [])
  })
})

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  await using server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
