/** The documentation tells what there is, and nothing else: each page is held against the code, both ways. */
import assert from 'node:assert/strict'
import { access, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { usualKeeping } from '../src/catalog/keeping.ts'
import { openCatalog } from '../src/catalog/open.ts'
import { createProgram } from '../src/cli/commands.ts'
import { settingsPage } from '../src/cli/config.ts'
import { exitCodes } from '../src/cli/context.ts'
import { settings } from '../src/config.ts'
import { quoteName } from '../src/identifiers.ts'
import { openEmptyDatabase } from '../src/engine/lint.ts'
import { errorCodes } from '../src/errors.ts'
import { serve } from './http-fixture.ts'
import { uploadSchema } from '../src/http/upload-schemas.ts'
import { newId } from '../src/ids.ts'
import { createLog } from '../src/log.ts'
import { rejectCodes, warningCodes } from '../src/codes.ts'
import { outputFormats, statesBefore, taskStates } from '../src/model.ts'
import { columnTypes, fieldsMatches } from '../src/table-schema.ts'
import { constraints, reading } from '../src/pipeline/columns.ts'
import { input } from '../src/pipeline/inputs.ts'
import { parsePipeline } from '../src/pipeline/parse.ts'
import { pipelineSchema, reservedNames } from '../src/pipeline/schema.ts'
import { type Folder, json, mainCommand, start, temporaryFolder } from './harness.ts'
import { anchors, codeHeadings, fences, keys, links, rows, section } from './markdown.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

function page(name: string): Promise<string> {
  return readFile(join(root, name), 'utf8')
}

/** Every page of the repository, by its path in it. */
async function pages(): Promise<string[]> {
  const foreign = /(^|\/)(node_modules|data|coverage|\.git)(\/|$)/
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .filter((path) => path.endsWith('.md') && !foreign.test(path))
    .toSorted()
}

/** Equal whatever the order, with no name twice. */
function same(documented: readonly string[], existing: readonly string[], what: string): void {
  assert.deepEqual(documented.toSorted(), existing.toSorted(), `${what}: the page (+) against the code (-)`)
}

test('every setting is on its page, and no page names another one', async () => {
  assert.equal(await page('docs/settings.md'), settingsPage(), 'run ./rowmill config --markdown > docs/settings.md')
  for (const path of await pages()) {
    for (const [name] of (await page(path)).matchAll(/ROWMILL_[A-Z][A-Z_]*/g)) {
      if (/^ROWMILL_SINK_[A-Z]+_URL$/.test(name)) continue
      assert.ok(Object.hasOwn(settings, name.replace('ROWMILL_', '')), `${path} names ${name}, which is no setting`)
    }
  }
})

suite('every code has its sentence', async () => {
  const errors = await page('docs/errors.md')
  const row = (heading: string) => rows(section(errors, `## ${heading}`))

  test('of an error, with its status and whether it is retried', () => {
    const documented = row('Error codes').map(([code, status, retried, about = '']) => {
      assert.notEqual(about, '', code)
      return `${code} ${status} ${retried}`
    })
    const existing = Object.entries(errorCodes).map(
      ([code, { status, retry }]) => `${code} ${status} ${retry ? 'yes' : 'no'}`,
    )
    same(documented, existing, 'error codes')
  })

  test('of a reject and of a warning', () => {
    const [rejects = ''] = section(errors, '## Reject codes').split('The rejects of a task')
    same(keys(rejects), rejectCodes, 'reject codes')
    same(keys(section(errors, '## Warning codes')), warningCodes, 'warning codes')
  })

  test('of the shell', async () => {
    const documented = keys(section(await page('docs/cli.md'), '## Exit codes'))
    same(documented, Object.values(exitCodes).map(String), 'exit codes')
  })
})

test('the rejects file has the columns that its page names', async () => {
  await using folder = await temporaryFolder()
  await rowmill(folder, ['run', 'song-plays', 'examples/plays-bad.csv', '-o', 'out'])
  const [header = ''] = (await readFile(folder.at('out', 'rejects.csv'), 'utf8')).split('\n')
  const [, columns = ''] = section(await page('docs/errors.md'), '## Reject codes').split('The rejects of a task')
  assert.deepEqual(keys(columns), header.split(','))
})

test('every route has its section, and every section its route', async () => {
  await using served = await serve()
  const api = await json<{ paths: Record<string, object> }>(await fetch(`${served.url}/openapi.json`))
  const listed = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  // The two that the document does not list are the document itself and its page.
  const besides = ['/openapi.json', '/docs']
  for (const path of besides) assert.ok((await fetch(served.url + path)).ok, path)
  const documented = codeHeadings(await page('docs/http.md'))
  same([...documented.keys()], [...listed, ...besides.map((path) => `GET ${path}`)], 'routes')
  for (const [route, text] of documented) assert.match(text, /^[A-Z][^]*\./, `${route} needs a sentence`)
})

suite('every command', () => {
  const program = createProgram(async () => {})

  function named(command: Command, path: string): [string, Command][] {
    return command.commands.flatMap((sub) => {
      const name = `${path} ${sub.name()}`
      return [[name, sub] as [string, Command], ...named(sub, name)]
    })
  }
  const commands = new Map(named(program, 'rowmill'))

  test('has its section with all its options, and every section its command', async () => {
    const documented = codeHeadings(section(await page('docs/cli.md'), '## Commands'))
    same([...documented.keys()], [...commands.keys()], 'commands')
    for (const [name, text] of documented) {
      assert.match(text, /^[A-Z][^]*\./, `${name} needs a sentence`)
      const options = commands.get(name)?.options.map(({ flags }) => flags) ?? []
      same(keys(text), options, `the options of ${name}`)
    }
  })

  test('that a page shows can be typed', async () => {
    for (const path of await pages()) {
      const shown = fences(await page(path), 'sh').concat(fences(await page(path), 'console'))
      for (const [, line = ''] of shown.join('\n').matchAll(/\.\/rowmill ([^>|\n]*)/g)) {
        const words = line.trim().split(/\s+/)
        let command = program
        let sub: Command | undefined
        while ((sub = command.commands.find((one) => one.name() === words[0])) !== undefined) {
          command = sub
          words.shift()
        }
        assert.notEqual(command, program, `${path}: there is no command ./rowmill ${line}`)
        for (const flag of words.filter((word) => word.startsWith('-'))) {
          const known = command.options.some(({ short, long }) => flag === short || flag === long)
          assert.ok(known, `${path}: ./rowmill ${line}: there is no ${flag}`)
        }
      }
    }
  })
})

suite('every state and every change of it has its sentence and its arrow', async () => {
  const states = await page('docs/states.md')

  function holds(heading: string, existing: readonly string[], moves: readonly string[]): void {
    const text = section(states, heading)
    same(keys(text), existing, 'states')
    const told = Array.from(text.matchAll(/^\| `(\w+)` → `(\w+)` \| \S.*\. \|$/gm), ([, a, b]) => `${a} → ${b}`)
    const drawn = Array.from(text.matchAll(/^ {2}(\w+) --> (\w+)$/gm), ([, a, b]) => `${a} → ${b}`)
    same(told, moves, 'changes')
    same(drawn, moves, 'arrows')
  }

  test('of tasks', () => {
    const moves = taskStates.flatMap((to) => statesBefore(to).map((from) => `${from} → ${to}`))
    holds('## Tasks', taskStates, moves)
  })

  test('of uploads, as the catalog allows them', async () => {
    await using folder = await temporaryFolder()
    const keeping = { ...usualKeeping, incompleteMs: -1_000, filesMs: -1_000 }
    await using catalog = await openCatalog(`sqlite:${folder.at('catalog.db')}`, { log: createLog('silent'), keeping })
    const steps = {
      complete: (id: string) => catalog.completeUpload(id),
      deleted: (id: string) => catalog.deleteUpload(id),
      expired: () => catalog.expire(100),
    }
    const moves: string[] = []
    for (const from of uploadSchema.shape.state.options) {
      for (const move of Object.values(steps)) {
        const { id } = await catalog.createUpload({ id: newId(), owner: 'local', name: 'x' })
        if (from !== 'open') await steps[from](id)
        await Promise.resolve(move(id)).catch(() => {})
        const to = (await catalog.getUpload(id))?.state
        if (to !== from) moves.push(`${from} → ${to}`)
      }
    }
    holds('## Uploads', uploadSchema.shape.state.options, moves)
  })
})

suite('the page of pipelines', async () => {
  const pipelines = await page('docs/pipelines.md')

  test('names every key, type and format', () => {
    same(keys(section(pipelines, '## The whole of it')), Object.keys(pipelineSchema.shape), 'keys')
    const [inputs = ''] = section(pipelines, '## Inputs').split('\n### ')
    same(keys(inputs), Object.keys(input.shape), 'keys of an input')
    same(keys(section(pipelines, '### Which columns a file has')), fieldsMatches, 'fieldsMatch')
    same(keys(section(pipelines, '### Types')), [...columnTypes, 'decimal(p,s)'], 'types')
    same(keys(section(pipelines, '### How cells are read')), Object.keys(reading), 'keys of a column')
    same(keys(section(pipelines, '### Constraints')), Object.keys(constraints), 'constraints')
    const [, formats = ''] = section(pipelines, '## Outputs').split('| format | how')
    same(keys(formats), outputFormats, 'formats')
  })

  test('names every relation that always exists, with its columns and their types', async () => {
    using database = await openEmptyDatabase()
    const documented = codeHeadings(section(pipelines, '## Relations that always exist'))
    same([...documented.keys()], reservedNames, 'relations')
    for (const [name, text] of documented) {
      const columns = await database.rows(`DESCRIBE ${quoteName(name)}`)
      assert.deepEqual(
        rows(text).map(([column, type]) => `${column} ${type}`),
        columns.map(([column, type]) => `${String(column)} ${String(type)}`),
        name,
      )
    }
  })

  test('shows a pipeline that is sound and cases that hold', async () => {
    await using folder = await temporaryFolder()
    const [pipeline = '', forms = '', tables = '', cases = ''] = fences(pipelines, 'yaml')
    parsePipeline('forms', `about: x\n${forms}outputs: { out: { to: results, sql: FROM orders } }\n`, 'forms.yaml')
    parsePipeline('tables', `about: x\ninputs: { file: {} }\n${tables}`, 'tables.yaml')
    await writeFile(folder.at('shown.yaml'), pipeline)
    await writeFile(folder.at('shown.test.yaml'), cases)
    const env = { ROWMILL_PIPELINES: folder.path }
    assert.equal((await rowmill(folder, ['pipelines', 'lint', 'shown'], env)).code, 0)
    assert.match((await rowmill(folder, ['pipelines', 'test', 'shown'], env)).printed, /2 of 2 cases hold\.\n$/)
  })
})

test('what the README shows is what is printed', async () => {
  await using folder = await temporaryFolder()
  const readme = await page('README.md')
  assert.deepEqual(fences(readme, 'yaml'), [await page('pipelines/song-plays.yaml')])
  const shown = fences(readme, 'console').flatMap((text) => text.split(/^\$ (?=.)/m).slice(1))
  const runs = shown.filter((text) => text.startsWith('./rowmill run '))
  assert.equal(runs.length, 5)
  for (const text of runs) {
    const [line = '', ...output] = text.split('\n')
    const { printed } = await rowmill(folder, line.split(' ').slice(1))
    const timeless = (one: string) => one.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'then')
    assert.equal(timeless(printed), timeless(output.join('\n')), line)
    // The first start prints the same.
    if (line.endsWith('plays.csv')) assert.equal(readme.split(printed).length - 1, 2)
  }
})

test('every link leads somewhere', async () => {
  const broken: string[] = []
  for (const path of await pages()) {
    for (const link of links(await page(path))) {
      if (/^[a-z]+:/.test(link)) continue
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? join(root, path) : resolve(root, dirname(path), file)
      const there = await access(target).then(
        () => true,
        () => false,
      )
      const found = there && (anchor === undefined || anchors(await readFile(target, 'utf8')).includes(anchor))
      if (!found) broken.push(`${path}: ${link}`)
    }
  }
  assert.deepEqual(broken, [])
})

/** Runs a command in a folder, with the examples where the pages have them; `printed` is its results, then the rest. */
async function rowmill(folder: Folder, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const found = args.map((arg) => (arg.startsWith('examples/') ? join(root, arg) : arg))
  await using program = start([...mainCommand, ...found], { cwd: folder.path, env })
  const code = await program.exited
  // On a slow machine even a small run may take long enough for a word on its progress.
  const words = program.stderr().replaceAll(/^(Reading|Working|Delivering): .*\n/gm, '')
  return { code, printed: program.stdout() + words }
}
