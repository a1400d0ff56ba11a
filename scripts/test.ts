/** `npm test [-- [--coverage] [PATH…]]`: the whole suite, or only the files named. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({ options: { coverage: { type: 'boolean' } }, allowPositionals: true })

const paths = positionals.length > 0 ? positionals : ['src/**/*.test.ts', 'test/**/*.test.ts']
const coverage = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**',
  '--test-coverage-exclude=**/*.test.ts',
]

const child = spawn(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-concurrency=2',
    '--test-timeout=120000',
    '--test-reporter=spec',
    ...(values.coverage === true ? coverage : []),
    ...paths,
  ],
  { stdio: 'inherit' },
)
child.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
})
