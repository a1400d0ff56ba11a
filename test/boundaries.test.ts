/** The shape of the house: which room may know which, and what is said in one place only. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const src = fileURLToPath(new URL('../src', import.meta.url))

/** Known to everybody: they know each other and nothing else. */
const ground = [
  'codes',
  'errors',
  'failpoints',
  'model',
  'entries',
  'balances',
  'definition',
  'direct',
  'job',
  'table-schema',
  'log',
  'ids',
  'identifiers',
  'interruptible',
  'lifeline',
  'nearest',
  'release',
]

/** What each room may import besides itself and the ground. A room is a folder of src/, or a file at its top. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  main: ['cli', 'config'],
  cli: ['app', 'config', 'http', 'work', 'engine', 'csv', 'pipeline', 'auth', 'catalog', 'sinks', 'ports', 'durable'],
  app: [
    'http',
    'inbox',
    'bucket',
    'ingest',
    'work',
    'catalog',
    'blobs',
    'queue',
    'sinks',
    'pipeline',
    'ports',
    'config',
    'durable',
  ],
  http: ['ingest', 'pipeline', 'auth', 'ports'],
  inbox: ['ingest', 'auth', 'durable'],
  bucket: ['ingest', 'auth', 'ports'],
  ingest: ['csv', 'pipeline', 'auth', 'ports'],
  work: ['engine', 'csv', 'pipeline', 'ports', 'config'],
  engine: ['csv', 'ports'],
  csv: [],
  pipeline: [],
  auth: [],
  catalog: ['ports', 'durable', 'databases'],
  blobs: ['ports', 'durable'],
  queue: ['ports'],
  sinks: ['csv', 'ports', 'config', 'durable', 'databases'],
  config: [],
  databases: [],
  ports: [],
  durable: [],
}

/** The one room that knows a vendor; two where the same reader serves different files. */
const vendors: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-s3': ['blobs'],
  '@aws-sdk/client-sqs': ['queue'],
  '@aws-sdk/s3-request-presigner': ['blobs'],
  '@duckdb/node-api': ['engine', 'sinks'],
  '@fastify/multipart': ['http'],
  '@fastify/swagger': ['http'],
  '@fastify/swagger-ui': ['http'],
  'cli-progress': ['cli'],
  commander: ['cli', 'main'],
  fastify: ['http'],
  'fastify-type-provider-zod': ['http'],
  kysely: ['catalog'],
  mysql2: ['catalog', 'databases', 'sinks'],
  'node:child_process': ['work', 'sinks'],
  'node:http': ['http'],
  'node:sqlite': ['catalog', 'sinks'],
  pg: ['catalog', 'databases', 'sinks'],
  'pg-copy-streams': ['sinks'],
  pino: ['log'],
  'rabbitmq-client': ['queue'],
  yaml: ['pipeline'],
  yauzl: ['csv'],
  zod: ['bucket', 'cli', 'config', 'http', 'pipeline'],
}

/** The files that say a thing that only they may say. */
const phrases: readonly (readonly [what: string, phrase: RegExp, files: readonly string[]])[] = [
  ['the environment', /\bprocess\.env\b/, ['config.ts']],
  ['the end of the process', /\bprocess\.(exit|abort|reallyExit)\b/, ['main.ts', 'work/child.ts']],
  [
    'signals and last resorts',
    /(?<![.#\w])process\.(on|once|addListener)\b/,
    ['main.ts', 'sinks/file/child.ts', 'work/child.ts'],
  ],
  ['the process itself as a victim', /\bprocess\.kill\(process\.pid/, ['failpoints.ts', 'lifeline.ts']],
  ['the standard streams', /(?<![.#\w])process\.std(in|out|err)\b|\bconsole\./, ['main.ts']],
]

const maxLines = 400

interface File {
  /** Below src/. */
  readonly path: string
  readonly text: string
}

/** Everything but the tests and what only they use. */
const files: readonly File[] = (await readdir(src, { recursive: true }))
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map((path) => ({ path, text: readFileSync(join(src, path), 'utf8') }))

function roomOf(path: string): string {
  return path.split('/')[0]?.replace(/\.ts$/, '') ?? ''
}

/** What a file imports, at once or later, types included. */
function importsOf({ text }: File): string[] {
  return Array.from(
    text.matchAll(/^(?:import|export)\b[^'"`;]*?\sfrom '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/gm),
    (match) => {
      return match[1] ?? match[2] ?? match[3] ?? ''
    },
  )
}

/** `@duckdb/node-api`, `kysely/migration` → `kysely`; Node's own modules keep their name. */
function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function* imports(): Generator<{ path: string; room: string; specifier: string }> {
  for (const file of files) {
    for (const specifier of importsOf(file)) yield { path: file.path, room: roomOf(file.path), specifier }
  }
}

suite('the house', () => {
  test('has the rooms of the table and no others', () => {
    const rooms = new Set(files.map(({ path }) => roomOf(path)))
    assert.deepEqual([...rooms].toSorted(), [...ground, ...Object.keys(allowed)].toSorted())
  })

  test('imports in one direction', () => {
    const wrong: string[] = []
    for (const { path, room, specifier } of imports()) {
      if (!specifier.startsWith('.')) continue
      const target = roomOf(relative(src, join(src, dirname(path), specifier)))
      if (target === room || target === '..' || ground.includes(target)) continue
      if (!allowed[room]?.includes(target)) wrong.push(`${path} imports ${specifier}`)
    }
    assert.deepEqual(wrong, [])
  })

  test('has no way round', () => {
    const reach = (room: string, seen: Set<string>): Set<string> => {
      for (const target of allowed[room] ?? []) {
        if (!seen.has(target)) reach(target, seen.add(target))
      }
      return seen
    }
    for (const room of Object.keys(allowed)) assert.equal(reach(room, new Set()).has(room), false, room)
  })

  test('knows each vendor in one room', () => {
    const wrong: string[] = []
    const seen = new Set<string>()
    for (const { path, room, specifier } of imports()) {
      if (specifier.startsWith('.')) continue
      const name = packageOf(specifier)
      seen.add(name)
      const rooms = vendors[name]
      if (rooms === undefined ? !name.startsWith('node:') : !rooms.includes(room)) wrong.push(`${path} imports ${name}`)
    }
    assert.deepEqual(wrong, [])
    assert.deepEqual(
      Object.keys(vendors).filter((name) => !seen.has(name)),
      [],
    )
  })

  for (const [what, phrase, places] of phrases) {
    test(`speaks of ${what} only where it is the place for it`, () => {
      const found = files.filter(({ text }) => phrase.test(text)).map(({ path }) => path)
      assert.deepEqual(found.toSorted(), [...places].toSorted())
    })
  }

  test(`has no file of more than ${maxLines} lines`, () => {
    const long = files.filter(({ text }) => text.split('\n').length > maxLines).map(({ path }) => path)
    assert.deepEqual(long, [])
  })
})
