/** The watched folder: what is put there is run, and put away with its results. */
import assert from 'node:assert/strict'
import { appendFile, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import {
  filesIn,
  type Folder,
  mainCommand,
  type Service,
  start,
  startService,
  temporaryFolder,
  until,
} from '../harness.ts'

const plays = 'Song,Date,Number of Plays\nUmbrella,2020-01-02,200\nUmbrella,2020-01-02,50\n'
const totals = 'Song,Date,Total Number of Plays for Date\nUmbrella,2020-01-02,250\n'

const twoInputs = `about: Orders with their customers.
inputs:
  customers: { match: "*customers*" }
  orders: { match: "*orders*" }
outputs:
  joined: { to: results, sql: "SELECT name, n FROM customers JOIN orders USING (id)" }
`

suite('the inbox', () => {
  let folder: Folder
  let service: Service
  const env = () => ({
    ROWMILL_INBOX: folder.at('inbox'),
    ROWMILL_INBOX_SETTLE: '300ms',
    ROWMILL_PIPELINES: folder.at('pipelines'),
  })
  before(async () => {
    folder = await temporaryFolder()
    await mkdir(folder.at('pipelines'))
    await writeFile(folder.at('pipelines', 'two.yaml'), twoInputs)
    service = await startService({ data: folder.at('data'), env: env() })
  })
  after(async () => {
    await service[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** Puts a file where it is taken, whole at once. */
  async function drop(path: string, content: string | Buffer): Promise<void> {
    const place = folder.at('inbox', ...path.split('/'))
    await mkdir(folder.at('inbox', ...path.split('/').slice(0, -1)), { recursive: true })
    await writeFile(folder.at('draft'), content)
    await rename(folder.at('draft'), place)
  }

  /** The files of a folder of the inbox, once there are so many, without the ids in their paths. */
  async function filesOf(where: string, count: number): Promise<Map<string, string>> {
    const found = await until(`there are ${count} files in ${where}`, async () => {
      const files = await filesIn(folder.at('inbox', ...where.split('/')))
      return files.length === count && !files.some((name) => name.endsWith('.part')) ? files : undefined
    })
    const read = async (name: string) => await readFile(folder.at('inbox', ...where.split('/'), name), 'utf8')
    return new Map(
      await Promise.all(found.map(async (name) => [name.replace(/\w{26}/, 'ID'), await read(name)] as const)),
    )
  }

  test('takes a file that has arrived, and puts it away with its results', async () => {
    await drop('song-plays/plays.csv', plays)
    const done = await filesOf('done/song-plays', 3)
    assert.deepEqual([...done.keys()], ['ID/input/plays.csv', 'ID/task.json', 'ID/totals.csv'])
    assert.equal(done.get('ID/input/plays.csv'), plays)
    assert.equal(done.get('ID/totals.csv'), totals)
    assert.match(done.get('ID/task.json') ?? '', /"state": "succeeded"/)
    assert.deepEqual(await filesIn(folder.at('inbox', 'taken')), [])
  })

  test('waits for all files of a set, and runs them as one task', async () => {
    await drop('two/june/customers.csv', 'id,name\n1,a\n')
    await until('the first file is taken', async () => (await filesIn(folder.at('inbox', 'taken'))).length === 1)
    await drop('two/june/orders.csv', 'id,n\n1,7\n')
    const done = await filesOf('done/two', 4)
    assert.equal(done.get('june/ID/joined.csv'), 'name,n\na,7\n')
    assert.deepEqual(
      [...done.keys()],
      ['input/customers.csv', 'input/orders.csv', 'joined.csv', 'task.json'].map((name) => `june/ID/${name}`),
    )
  })

  test('takes a file of a set once, for however long the set waits', async () => {
    await drop('two/july/customers.csv', 'id,name\n1,b\n')
    const catalog = folder.at('data', 'catalog.db')
    await until('the first file is in', async () => {
      const [name = ''] = await filesIn(folder.at('inbox', 'taken'))
      return /^\w{26}\.\w{26}\//.test(name)
    })
    await service.kill()
    // As after a day.
    new DatabaseSync(catalog).exec('delete from receipts')
    service = await startService({ data: folder.at('data'), env: env() })
    await drop('two/july/orders.csv', 'id,n\n1,7\n')
    const done = await filesOf('done/two/july', 4)
    assert.equal(done.get('ID/joined.csv'), 'name,n\nb,7\n')
  })

  test('keeps apart files of one name in a set, and sets of one name for several pipelines', async () => {
    await drop('song-plays/may/plays.csv', `${plays}Umbrella,2020-05-03,1\n`)
    await drop('two/may/orders.csv', 'id,n\n1,7\n')
    await until('the first orders are taken', async () => (await filesIn(folder.at('inbox', 'two'))).length === 0)
    await drop('two/may/orders.csv', 'id,n\n1,8\n1,9\n')
    await until('the others are taken', async () => (await filesIn(folder.at('inbox', 'two'))).length === 0)
    await drop('two/may/customers.csv', 'id,name\n1,may\n')
    const done = await filesOf('done/two/may', 5)
    assert.equal(done.get('ID/joined.csv')?.split('\n').length, 5)
    const inputs = [...done].filter(([name]) => name.endsWith('orders.csv')).map(([, text]) => text)
    assert.deepEqual(inputs.toSorted(), ['id,n\n1,7\n', 'id,n\n1,8\n1,9\n'])
    await filesOf('done/song-plays/may', 3)
  })

  test('says of a file that it was done before, or that its end came after it was taken', async () => {
    const again = await filesOf('done/song-plays/may', 3)
    await drop('song-plays/again.csv', again.get('ID/input/plays.csv') ?? '')
    const [note] = await until('it is told', async () => {
      const notes = (await filesIn(folder.at('inbox', 'done'))).filter((name) => name.includes('duplicate-'))
      return notes.length > 0 ? notes : undefined
    })
    assert.match(
      await readFile(folder.at('inbox', 'done', note ?? ''), 'utf8'),
      /"song-plays\/again.csv"[^]*run before/,
    )
    // Whoever writes to the file still has it open.
    await drop('two/late/orders.csv', 'id,n\n1,1\n')
    const taken = await until('it is in', async () => {
      const names = await filesIn(folder.at('inbox', 'taken'))
      return names.find((name) => /^\w{26}\.\w{26}\/two\/late\//.test(name))
    })
    await appendFile(folder.at('inbox', 'taken', taken), '2,2\n')
    await drop('two/late/customers.csv', 'id,name\n1,late\n')
    const failed = await filesOf('failed/two', 2)
    assert.match(failed.get('late/ID/error.json') ?? '', /has 13 bytes, and task \w{26} has read 9/)
    assert.equal(failed.get('late/ID/input/orders.csv'), 'id,n\n1,1\n2,2\n')
  })

  test('is no place of the data folder, nor the other way', async () => {
    const data = folder.at('data')
    for (const inbox of [data, folder.path, folder.at('data', 'inbox')]) {
      await using refused = start([...mainCommand, 'serve'], {
        cwd: folder.path,
        env: { ROWMILL_DATA: data, ROWMILL_INBOX: inbox },
      })
      assert.equal(await refused.exited, 1)
      assert.match(refused.stderr(), /must not lie in one another/)
    }
  })

  test('puts away what failed, and what was refused, with the reason', async () => {
    await drop('song-plays/wrong.csv', 'Song,Date\nUmbrella,2020-01-02\n')
    await drop('no-such/plays.csv', plays)
    await drop('plays.csv', plays)
    await drop('song-plays/picture.csv', Buffer.from('\x89PNG\r\n\x1a\n and so on', 'latin1'))
    const failed = await filesOf('failed', 10)
    assert.deepEqual([...failed.keys()].filter((name) => !name.endsWith('.csv')).toSorted(), [
      'ID/error.json',
      'no-such/ID/error.json',
      'song-plays/ID/error.json',
      'song-plays/ID/task.json',
      'two/late/ID/error.json',
    ])
    assert.match(failed.get('song-plays/ID/task.json') ?? '', /Number of Plays/)
    assert.match(failed.get('no-such/ID/error.json') ?? '', /no pipeline/)
    assert.match(failed.get('ID/error.json') ?? '', /Put it into one/)
  })

  test('keeps a file that is called as one of its results', async () => {
    const own = `${plays}Halo,2020-01-04,5\n`
    await drop('song-plays/totals.csv', own)
    const done = await filesOf('done/song-plays', 13)
    assert.equal(done.get('ID/input/totals.csv'), own)
  })

  test('leaves alone what is not finished, hidden or a link', async () => {
    await drop('song-plays/coming.csv.part', plays)
    await drop('song-plays/.hidden.csv', plays)
    await symlink(folder.at('pipelines', 'two.yaml'), folder.at('inbox', 'song-plays', 'link.csv'))
    await drop('song-plays/after.csv', `${plays}Umbrella,2020-01-03,1\n`)
    await filesOf('done/song-plays', 16)
    const left = await filesIn(folder.at('inbox', 'song-plays'))
    assert.deepEqual(left, ['.hidden.csv', 'coming.csv.part'])
  })

  test('goes on with what it has taken after it was killed', async () => {
    const files = (await filesIn(folder.at('inbox', 'done'))).length
    const days = Array.from({ length: 6 }, (_, i) => `0${i + 1}`)
    for (const day of days)
      await drop(`song-plays/${day}.csv`, `Song,Date,Number of Plays\nUmbrella,2021-01-${day},1\n`)
    await until('some are taken', async () => (await filesIn(folder.at('inbox', 'taken'))).length > 0)
    await service.kill()
    service = await startService({ data: folder.at('data'), env: env() })
    await filesOf('done', files + days.length * 3)
    const { tasks } = (await (await fetch(`${service.url}/v1/tasks?limit=100`)).json()) as {
      tasks: { inputs: { name: string }[] }[]
    }
    const names = tasks.map(({ inputs }) => inputs[0]?.name).filter((name) => /^\d\d\.csv$/.test(name ?? ''))
    assert.deepEqual(
      names.map(String).toSorted(),
      days.map((day) => `${day}.csv`),
    )
  })
})
