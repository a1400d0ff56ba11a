/** More rejects than rows: each is listed, in order, and the memory of a task is enough. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { assertNoTrace, type Folder, mainCommand, start, temporaryFolder } from '../harness.ts'

let folder: Folder
before(async () => {
  folder = await temporaryFolder()
})
after(() => folder[Symbol.asyncDispose]())

const pipeline = `
about: Keeps what is sound.
rejects: keep
inputs:
  file:
    columns: { n: integer, word: string }
    uniqueKeys: [word]
outputs:
  rows: { to: results, sql: FROM file }
  seen: { to: results, sql: "SELECT file, line, record, code, cells FROM rejects" }
  counts: { to: results, sql: "SELECT code, count(*) AS n FROM rejects GROUP BY code ORDER BY code" }
`

const short = ['1', 'word', 'missing-cell', 'the record has 1 of the header’s 2 cells', '{n=1}'] as const
const long = ['3,4,5', '', 'extra-cell', 'the record has 3 of the header’s 2 cells', '{n=3, word=4}'] as const
const wrong = ['x,1', 'n', 'type-error', '“x” is not an integer of at most 64 bits', '{n=x, word=1}'] as const
const twice = [
  '2,same',
  'word',
  'unique-error',
  '“same” is there already, on line 2 of one.csv',
  '{n=2, word=same}',
] as const

/** Found by the reader, by the check of types and by the keys, which come one after another. */
const kinds = [short, short, long, wrong, long, short, long, twice, short, long]

/** So many rejects behind the first lines, and how they must be told. */
function part(name: string, first: string, most: number): { text: string; list: string; seen: string } {
  const lines = [first]
  const list: string[] = []
  const seen: string[] = []
  const ahead = first.split('\n').length - 1
  let offset = first.length
  for (let i = 0; i < most; i++) {
    const [raw, column, code, message, cells] = kinds[i % kinds.length] ?? short
    const line = ahead + i + 1
    const record = ahead + i
    lines.push(`${raw}\n`)
    list.push(`file,${line},${offset},${record},${column},${code},${quoted(message)},${quoted(raw)}\n`)
    seen.push(`${name},${line},${record},${code},${quoted(cells)}\n`)
    offset += raw.length + 1
  }
  return { text: lines.join(''), list: list.join(''), seen: seen.join('') }
}

function quoted(text: string): string {
  return text.includes(',') ? `"${text}"` : text
}

test('a hundred thousand rejects are told one by one, in the order of the files and in little memory', async () => {
  await mkdir(folder.at('mine'))
  await writeFile(folder.at('mine', 'keep.yaml'), pipeline)
  const one = part('one.csv', 'n,word\n1,same\n', 90_000)
  const two = part('two.csv', 'n,word\n', 10_000)
  await writeFile(folder.at('one.csv'), one.text)
  await writeFile(folder.at('two.csv'), two.text)
  const env = { ROWMILL_PIPELINES: folder.at('mine'), ROWMILL_TASK_MEMORY: '500MB', ROWMILL_THREADS: '2' }
  const command = [...mainCommand, 'run', 'keep', 'one.csv', 'two.csv', '-o', 'out']
  await using run = start(command, { cwd: folder.path, env })
  assert.equal(await run.exited, 3, run.stderr())
  assertNoTrace(run.stderr())
  const out = (name: string) => readFile(folder.at('out', `${name}.csv`), 'utf8')
  const list = `input,line,byte_offset,record,column,code,message,raw\n${one.list}${two.list}`
  assert.ok((await out('rejects')) === list, 'the list is another')
  assert.ok((await out('seen')) === `file,line,record,code,cells\n${one.seen}${two.seen}`, 'the relation is another')
  assert.equal(await out('rows'), 'n,word\n1,same\n')
  assert.equal(
    await out('counts'),
    'code,n\nextra-cell,40000\nmissing-cell,40000\ntype-error,10000\nunique-error,10000\n',
  )
})
