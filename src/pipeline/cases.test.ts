import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type CaseJob, type CaseRun, loadCases, runCases } from './cases.ts'
import { loadPipeline } from './load.ts'

const folder = await mkdtemp(join(tmpdir(), 'rowmill-cases-'))
after(() => rm(folder, { recursive: true }))
await writeFile(
  join(folder, 'echo.yaml'),
  'about: x\nparams: { n: { type: integer } }\ninputs: { file: {} }\noutputs: { out: { to: results, sql: FROM file } }\n',
)
const echo = await loadPipeline('echo', join(folder, 'echo.yaml'))

/** An engine that hands back what it was given. */
async function run({ inputs, now }: CaseJob): Promise<CaseRun> {
  const [{ name, path } = { name: '', path: '' }] = inputs
  const some = [
    { line: 3, column: null, code: 'extra-cell' },
    { line: 4, column: 'a,b', code: 'type-error' },
  ]
  const balances = { file: { records: 2, accepted: 2, rejected: 0, blankLines: 0 } }
  return {
    outputs: { out: await readFile(path, 'utf8'), name: JSON.stringify({ name }) },
    rejects: now === 5 ? some : [],
    error: null,
    balances,
  }
}

async function results(cases: string) {
  await writeFile(join(folder, 'echo.test.yaml'), `cases:\n${cases}`)
  return await runCases(echo, await loadCases(join(folder, 'echo.test.yaml')), run)
}

test('a case holds when outputs, rejects and balances are as it says', async () => {
  await writeFile(join(folder, 'there.csv'), 'a\n1\n')
  assert.deepEqual(
    await results(`
  - name: text in place
    inputs: { file: "a\\n1\\n" }
    params: { n: 5 }
    expect: { outputs: { out: "a\\n1\\n", name: [{ name: file.csv }] }, balances: { file: { records: 2 } } }
  - name: a file beside it, rejects and the time
    inputs: { file: { file: there.csv } }
    now: 1970-01-01T00:00:00.005Z
    expect:
      outputs: { out: "a\\n1\\n", name: [{ name: there.csv }] }
      rejects: [{ line: 3, code: extra-cell }, { line: 4, column: "a,b", code: type-error }]
  - name: a refusal
    inputs: { file: "" }
    params: { m: 5 }
    expect: { error: unprocessable }
`),
    ['text in place', 'a file beside it, rejects and the time', 'a refusal'].map((name) => ({ name, differences: [] })),
  )
})

test('what differs is told in lines', async () => {
  const [outputs, rejects, error] = await results(`
  - name: outputs
    inputs: { file: "a\\n1\\n2\\n3\\n" }
    expect: { outputs: { out: "a\\n1\\n4\\n3\\n", name: [{ name: x }], more: "" }, balances: { file: { records: 3 } } }
  - name: rejects that nobody expected
    inputs: { file: a }
    now: 1970-01-01T00:00:00.005Z
    expect: { outputs: { out: a } }
  - name: an error that does not come
    inputs: { file: a }
    expect: { error: rejected }
`)
  assert.deepEqual(outputs?.differences, [
    'out, from line 3: expected -, got +',
    '- 4',
    '+ 2',
    'name, from line 1: expected -, got +',
    '- {"name":"x"}',
    '+ {"name":"file.csv"}',
    'there is no output more; there are: out, name',
    'file: expected records 3, got 2',
  ])
  assert.deepEqual(rejects?.differences, [
    'rejects, from line 1: expected -, got +',
    '+ line 3: extra-cell',
    '+ line 4: type-error in a,b',
  ])
  assert.deepEqual(error?.differences, ['expected the error rejected, but it succeeded'])
})

test('no file, no cases and a case that expects nothing are refused', async () => {
  await assert.rejects(loadCases(join(folder, 'none.test.yaml')), { code: 'not_found' })
  await writeFile(join(folder, 'bad.test.yaml'), 'cases: []')
  await assert.rejects(loadCases(join(folder, 'bad.test.yaml')), { message: /bad\.test\.yaml:1: cases is empty/ })
  await writeFile(join(folder, 'bad.test.yaml'), 'cases:\n  - name: x\n    inputs: {}\n    expect: {}\n')
  await assert.rejects(loadCases(join(folder, 'bad.test.yaml')), { message: /:4: cases\.0\.expect expects nothing/ })
})
