/** `npm test [-- [--coverage] [PATH…]]`: the whole suite, or only the files named. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { pathToFileURL } from 'node:url'
import { shareServers } from '../test/servers.ts'

const { values, positionals } = parseArgs({ options: { coverage: { type: 'boolean' } }, allowPositionals: true })

/**
 * A file in `folder` for each folder of src/ that has tests: they share a process, since to start one for each of them takes
 * up to a third of their time. Those of test/ start processes themselves, and wait for them side by side.
 */
async function wholeSuite(folder: string): Promise<string[]> {
  const rooms = Map.groupBy(globSync('src/**/*.test.ts').toSorted(), dirname)
  const files = Array.from(rooms, async ([room, tests]) => {
    const file = join(folder, `${room.replaceAll('/', '-')}.test.mjs`)
    const urls = tests.map((test) => pathToFileURL(resolve(test)).href)
    await writeFile(file, urls.map((url) => `import ${JSON.stringify(url)}\n`).join(''))
    return file
  })
  return [...(await Promise.all(files)), 'test/**/*.test.ts']
}

const coverage = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**',
  '--test-coverage-exclude=**/*.test.ts',
]

// Programs under test start faster; but what is kept is nothing for coverage to look at.
const cache = values.coverage === true ? {} : { NODE_COMPILE_CACHE: join(tmpdir(), 'rowmill-compile-cache') }

const isWhole = positionals.length === 0
const folder = await mkdtemp(join(tmpdir(), 'rowmill-suite-'))
try {
  // A file that is named starts the servers that it needs by itself.
  await using shared = isWhole ? await shareServers() : undefined
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-concurrency=3',
      '--test-timeout=240000',
      '--test-reporter=spec',
      ...(values.coverage === true ? coverage : []),
      ...(isWhole ? await wholeSuite(folder) : positionals),
    ],
    { stdio: 'inherit', env: { ...process.env, ...shared?.env, ...cache } },
  )
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
} finally {
  await rm(folder, { recursive: true })
}
