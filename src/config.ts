/**
 * The settings: one table, and the only place that reads the environment. `docs/settings.md` is written from it.
 */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import { AppError, errnoOf } from './errors.ts'
import { type Failing, type Failpoint, failpoints, failures } from './failpoints.ts'
import { type Role, roles, rolesOf } from './model.ts'
import { nearest } from './nearest.ts'

interface Setting<T> {
  readonly about: string
  /** As a user would write it; undefined for none. */
  readonly default: string | undefined
  /** The default where it depends on who asks; `default` is then what it is for most. */
  readonly usual?: (env: NodeJS.ProcessEnv) => string
  readonly parse: z.ZodType<T>
  readonly secret: boolean
}

function setting<T>(about: string, parse: z.ZodType<T>, fallback?: string): Setting<T> {
  return { about, parse, default: fallback, secret: false }
}

const units = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const
const times = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 } as const

/** `512MB` → bytes. Decimal units, as disks and people count. */
const size = z
  .string()
  .regex(/^\d+(\.\d+)?(B|KB|MB|GB|TB)$/i, 'a size such as 512MB or 10GB')
  .transform((text) => {
    const unit = /[a-z]+$/i.exec(text)?.[0] ?? 'B'
    return Math.floor(Number.parseFloat(text) * units[unit.toUpperCase() as keyof typeof units])
  })

/** `30s` → milliseconds. */
const duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'a duration such as 500ms, 30s, 5m or 7d')
  .transform((text) => {
    const unit = /[a-z]+$/.exec(text)?.[0] ?? 'ms'
    return Number.parseFloat(text) * times[unit as keyof typeof times]
  })

const lasting = (least: number) => duration.refine((ms) => ms >= least, `at least ${least / 60_000}m`)

const count = (least: number) =>
  z
    .string()
    .regex(/^\d+$/, 'a whole number')
    .transform(Number)
    .refine((n) => n >= least, `at least ${least}`)

/** `after-commit:kill` */
const failpoint = z
  .string()
  .regex(new RegExp(`^(\\d+|${failpoints.join('|')}):(${Object.keys(failures).join('|')})$`), 'a point and a failure')
  .transform((text): Failing => {
    const [point, failure] = text.split(':') as [Failpoint, Failing['failure']]
    return { point: /^\d+$/.test(point) ? Number(point) : point, failure }
  })

const folder = z
  .string()
  .min(1, 'a folder')
  .transform((path) => resolve(path))

/** `load?table=sales&mode=replace` */
const run = z
  .string()
  .regex(/^[a-z][a-z0-9_-]*(\?.+)?$/, 'a pipeline such as load, or load?table=sales&mode=replace')
  .transform((text) => {
    const [pipeline = '', query = ''] = text.split(/\?(.*)/s)
    const params: Record<string, string | string[]> = {}
    for (const [name, value] of new URLSearchParams(query)) {
      const before = params[name]
      params[name] = before === undefined ? value : [before, value].flat()
    }
    return { pipeline, params }
  })

/** None in DuckDB's files, which take one process at a time. */
const database = z.string().superRefine((text, context) => {
  const problem = databaseProblem(text, ['sqlite', 'postgres', 'mysql'])
  if (problem !== undefined) context.addIssue(problem)
})

/** @param schemes of which `local` stands alone. */
const address = (...schemes: readonly string[]) =>
  z
    .string()
    .refine(
      (text) => schemes.includes(text) || (URL.canParse(text) && schemes.includes(new URL(text).protocol.slice(0, -1))),
      {
        error: `${schemes.map((scheme) => (scheme === 'local' ? scheme : `${scheme}:…`)).join(', ')}, with what is special in user and password as %XX`,
      },
    )

/** `upload,tasks` */
const roleList = z.string().transform((text, context): ReadonlySet<Role> => {
  const given = rolesOf(text)
  if (given === undefined) context.addIssue(`some of ${roles.join(', ')}, with commas between them`)
  return given ?? new Set()
})

const port = count(0).refine((n) => n <= 65_535, 'at most 65535')

/** By the XDG Base Directory Specification, 0.8; a relative path there does not count. */
function stateFolder({ XDG_STATE_HOME: given = '', HOME: home }: NodeJS.ProcessEnv): string {
  return join(isAbsolute(given) ? given : join(home || homedir(), '.local', 'state'), 'rowmill')
}

/** The table. Keys are the settings' names without the prefix `ROWMILL_`. */
export const settings = {
  DATA: setting('Folder that holds everything Rowmill keeps: the catalog, uploads, results, scratch.', folder, 'data'),
  CATALOG_URL: {
    ...setting(
      'Database that the catalog is kept in: sqlite:FILE, postgres://…, mysql://…. Default: a SQLite file in ROWMILL_DATA.',
      database.optional(),
    ),
    secret: true,
  },
  QUEUE_URL: {
    ...setting(
      'Where bells ring for workers: local (they look into the catalog), amqp://…, amqps://… or sqs://….',
      address('local', 'amqp', 'amqps', 'sqs').optional(),
    ),
    secret: true,
  },
  BLOBS_URL: {
    ...setting(
      'Where bytes are kept: s3://BUCKET/PREFIX?endpoint=…, or disk:FOLDER. Default: blobs/ in ROWMILL_DATA.',
      address('s3', 'disk').optional(),
    ),
    secret: true,
  },
  ROLES: setting(
    'What this process does, of: upload, tasks, worker, janitor, auth. Default: all. See docs/scaling.md.',
    roleList,
    roles.join(','),
  ),
  HOST: setting('Address to listen on. Only loopback addresses until there are users.', z.string().min(1), '127.0.0.1'),
  PORT: setting('Port to listen on; 0 takes a free one.', port, '5000'),
  URL: setting(
    'Service that `push` and `tasks` talk to. Default: this machine, at ROWMILL_PORT.',
    z
      .url({ protocol: /^https?$/, error: 'an http:// or https:// address' })
      .transform((url) => url.replace(/\/+$/, ''))
      .optional(),
  ),
  STATE: {
    ...setting(
      'Folder where `push` notes what it has begun to send, so that it goes on there when it is started again.',
      folder,
      '~/.local/state/rowmill',
    ),
    usual: stateFolder,
  },
  PIPELINES: setting('Folder with pipelines of your own, beside the built-in ones.', folder.optional()),
  LOG_LEVEL: setting(
    'How much to log, as JSON lines on stderr: debug, info, warn, error or silent.',
    z.enum(['debug', 'info', 'warn', 'error', 'silent']),
    'warn',
  ),
  MAX_UPLOAD: setting('Largest upload accepted.', size, '100GB'),
  PART_SIZE: setting(
    'Of a long upload, how much comes until it is made durable: after a crash, it goes on from there.',
    size,
    '64MB',
  ),
  QUOTA: setting('How much all uploads may hold together. Default: no limit.', size.optional()),
  OWNER_QUOTA: setting('How much the uploads of one owner may hold. Default: no limit.', size.optional()),
  KEEP_INCOMPLETE: setting(
    'How long an upload that is not complete is kept after its last bytes.',
    lasting(300_000),
    '24h',
  ),
  KEEP_FILES: setting('How long complete uploads and the results of tasks are kept.', duration, '7d'),
  HEADER_TIMEOUT: setting('How long the headers of a request may take to come.', duration, '60s'),
  IDLE_TIMEOUT: setting('After how long a connection that carries nothing is closed.', duration, '2m'),
  API_UPLOAD: setting(
    'What is done with the files of a folder at `/api/upload`: a pipeline, and its params behind a “?”.',
    run,
    'load',
  ),
  INBOX: setting(
    'Folder that is watched for files, laid out as PIPELINE/[SET/]NAME. Default: none.',
    folder.optional(),
  ),
  INBOX_RUN: setting(
    'What is done with files anywhere in the inbox, such as `load?table=sales`. Default: their folder names the pipeline.',
    run.optional(),
  ),
  INBOX_SETTLE: setting('How long a file in the inbox must be unchanged until it is taken.', duration, '5s'),
  BUCKET_URL: {
    ...setting(
      'Bucket whose new objects are taken in, laid out as PIPELINE/[SET/]NAME: s3://BUCKET/PREFIX?endpoint=…. Default: none.',
      address('s3').optional(),
    ),
    secret: true,
  },
  BUCKET_EVENTS: {
    ...setting(
      'Queue that the notifications of that bucket arrive in: sqs://REGION/NAME, amqp://…?queue=NAME or amqps://….',
      address('amqp', 'amqps', 'sqs').optional(),
    ),
    secret: true,
  },
  BUCKET_RUN: setting(
    'What is done with every object of the bucket, such as `load?table=sales`. Default: the key names the pipeline.',
    run.optional(),
  ),
  MAX_UNPACKED: setting('What a compressed file may unpack to at most.', size, '100GB'),
  DISK_RESERVE: setting('Free disk space below which uploads are refused with 507.', size, '1GB'),
  WORKERS: setting('Tasks that run at once in this process; each has a child process of its own.', count(1), '1'),
  THREADS: setting('Threads of one task; 0 takes as many as there are processors.', count(0), '0'),
  TASK_MEMORY: setting(
    'Resident memory of one task. The engine plans with half of it and spills to disk; a child that passes it is ended.',
    size,
    '1GB',
  ),
  TASK_TIMEOUT: setting('Longest time one attempt may take.', duration, '6h'),
  LEASE: setting(
    'Silence after which a worker loses its task, and a request its Idempotency-Key. Who lives renews it three times in between.',
    duration,
    '30s',
  ),
  POLL: setting(
    'How often the catalog is searched for tasks that nobody rang for, and for lapsed leases.',
    duration,
    '5s',
  ),
  ATTEMPTS: setting('Attempts at a task whose errors may pass.', count(1), '5'),
  CRASHES: setting('Deaths of its child process after which a task fails.', count(1), '3'),
  LOST_LEASES: setting('Lost leases after which a task fails.', count(1), '50'),
  BACKOFF: setting('Longest wait before the second attempt; it doubles with each one (full jitter).', duration, '2s'),
  BACKOFF_MAX: setting('Longest wait before any attempt.', duration, '5m'),
  FAILPOINT: setting(
    'For tests of crashes: the point at which this process dies or stops, such as `after-commit:kill`, or `7:kill`, the seventh that it reaches.',
    failpoint.optional(),
  ),
  DRAIN: setting('On SIGTERM, how long running tasks may finish before they go back to the queue.', duration, '10s'),
} as const

export type SettingName = keyof typeof settings

export type Config = { readonly [K in SettingName]: (typeof settings)[K] extends Setting<infer T> ? T : never } & {
  /** `ROWMILL_SINK_NAME_URL`, by the name in lower case. Secret: there may be a password in it. */
  readonly SINKS: ReadonlyMap<string, string>
}

const sinkSetting = /^SINK_([A-Z][A-Z0-9_]*)_URL$/

export type Source = 'default' | '.env' | 'environment' | 'file'

export interface Loaded {
  readonly config: Config
  /** What was written, before parsing, and where. For `rowmill config`. */
  readonly origins: Readonly<Record<SettingName, Origin>>
  /** Where each sink's URL was written, by the name of its setting without the prefix. */
  readonly sinkOrigins: Readonly<Record<string, Origin>>
}

interface Origin {
  readonly text: string | undefined
  readonly source: Source
}

const prefix = 'ROWMILL_'

/**
 * Reads the settings: the environment first, then `.env` in the folder given, then the defaults. `NAME_FILE` names a
 * file that holds the value.
 * @throws {AppError} invalid, naming every setting that is unknown or does not parse.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env, cwd: string = process.cwd()): Loaded {
  const dotenv = readDotenv(cwd)
  const names = Object.keys(settings) as SettingName[]
  const problems: string[] = []
  for (const key of [...Object.keys(env), ...Object.keys(dotenv)]) {
    const known = key.slice(prefix.length).replace(/_FILE$/, '')
    if (!key.startsWith(prefix) || names.includes(known as SettingName) || sinkSetting.test(known)) continue
    const near = nearest(key.slice(prefix.length), names)
    problems.push(`${key} is not a setting.${near === undefined ? '' : ` Did you mean ${prefix}${near}?`}`)
  }

  const values: Record<string, unknown> = {}
  const origins = {} as Record<SettingName, Origin>
  for (const name of names) {
    const { parse, default: fallback, usual, secret }: Setting<unknown> = settings[name]
    const origin = find(prefix + name, env, dotenv) ?? { text: usual?.(env) ?? fallback, source: 'default' as const }
    origins[name] = origin
    const parsed = parse.safeParse(origin.text)
    if (parsed.success) values[name] = parsed.data
    else {
      const value = secret ? '' : `=${origin.text ?? ''}`
      problems.push(`${prefix}${name}${value} (${origin.source}): expected ${parsed.error.issues[0]?.message}`)
    }
  }
  const sinkOrigins: Record<string, Origin> = {}
  const sinks = new Map<string, string>()
  for (const key of new Set([...Object.keys(env), ...Object.keys(dotenv)])) {
    const name = key.startsWith(prefix) ? key.slice(prefix.length).replace(/_FILE$/, '') : ''
    const origin = sinkSetting.test(name) ? find(prefix + name, env, dotenv) : undefined
    if (origin === undefined) continue
    sinkOrigins[name] = origin
    const problem = /^SINK_(RESULTS|METADATA)_/.test(name)
      ? 'another name; this sink is always there, for files'
      : databaseProblem(origin.text, sinkKinds)
    if (problem === undefined) sinks.set(sinkSetting.exec(name)?.[1]?.toLowerCase() ?? '', origin.text)
    else problems.push(`${prefix}${name} (${origin.source}): expected ${problem}`)
  }
  if (problems.length > 0) throw new AppError('invalid', problems.join('\n'))
  return { config: { ...(values as Omit<Config, 'SINKS'>), SINKS: sinks }, origins, sinkOrigins }
}

const sinkKinds = ['postgres', 'mysql', 'sqlite', 'duckdb'] as const

const examples = {
  postgres: 'postgres://…',
  mysql: 'mysql://…',
  sqlite: 'sqlite:FILE',
  duckdb: 'duckdb:FILE',
} as const satisfies Record<(typeof sinkKinds)[number], string>

/** What is wrong with the URL of a database. It is never shown: there may be a password in it. */
function databaseProblem(text: string, kinds: readonly (typeof sinkKinds)[number][]): string | undefined {
  if (/^(postgres(ql)?|mysql|mariadb):\/\//.test(text)) {
    if (!URL.canParse(text)) return 'a URL; write what is special in user and password as %XX'
    // The driver would print what it does not know, which may be part of a password.
    const { search, protocol } = new URL(text)
    if (search === '' || search === '?tls=require' || protocol.startsWith('postgres')) return undefined
    return 'nothing behind a “?” but tls=require; in a password, write it as %3F'
  }
  const [, kind] = /^(sqlite|duckdb):(?:\/\/\/|(?!\/\/).)/.exec(text) ?? []
  if (kinds.some((one) => one === kind)) return undefined
  return `${kinds
    .slice(0, -1)
    .map((one) => examples[one])
    .join(', ')} or ${examples[kinds.at(-1) ?? 'sqlite']}`
}

function find(
  key: string,
  env: NodeJS.ProcessEnv,
  dotenv: NodeJS.Dict<string>,
): { text: string; source: Source } | undefined {
  for (const [values, source] of [
    [env, 'environment'],
    [dotenv, '.env'],
  ] as const) {
    const text = values[key]
    // An empty value is how shells and compose files say "not set".
    if (text !== undefined && text !== '') return { text, source }
    const file = values[`${key}_FILE`]
    if (file !== undefined && file !== '') return { text: readSecret(key, file), source: 'file' }
  }
  return undefined
}

function readSecret(key: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new AppError('invalid', `${key}_FILE names ${file}, which cannot be read (${errnoOf(cause)}).`, { cause })
  }
}

function readDotenv(cwd: string): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(resolve(cwd, '.env'), 'utf8'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return {}
    throw new AppError('invalid', `.env cannot be read (${errnoOf(error)}).`, { cause: error })
  }
}
