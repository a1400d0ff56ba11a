/** `npm test [-- [--coverage] [PATH…]]`: the whole suite, or only the files named. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { shareServers } from '../test/servers.ts'

const { values, positionals } = parseArgs({ options: { coverage: { type: 'boolean' } }, allowPositionals: true })

const paths = positionals.length > 0 ? positionals : ['src/**/*.test.ts', 'test/**/*.test.ts']
const coverage = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**',
  '--test-coverage-exclude=**/*.test.ts',
]

// Programs under test start faster; but what is kept is nothing for coverage to look at.
const cache = values.coverage === true ? {} : { NODE_COMPILE_CACHE: join(tmpdir(), 'rowmill-compile-cache') }

// A file that is named starts the servers that it needs by itself.
await using shared = positionals.length > 0 ? undefined : await shareServers()

const child = spawn(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-concurrency=3',
    '--test-timeout=240000',
    '--test-reporter=spec',
    ...(values.coverage === true ? coverage : []),
    ...paths,
  ],
  { stdio: 'inherit', env: { ...process.env, ...shared?.env, ...cache } },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
