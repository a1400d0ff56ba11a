import { loadConfig, type SettingName, settings } from '../config.ts'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { table } from './table.ts'

/** Every setting with its value and where that comes from; secrets stay hidden. */
export async function showConfig(
  { json, markdown }: { json: boolean; markdown: boolean },
  { stdout }: Pick<Context, 'stdout'>,
): Promise<ExitCode> {
  if (markdown) {
    stdout.write(settingsPage())
    return exitCodes.done
  }
  const { origins, sinkOrigins } = loadConfig()
  const rows = names().map((name) => {
    const { text, source } = origins[name]
    return {
      name: `ROWMILL_${name}`,
      value: settings[name].secret && text !== undefined ? '(hidden)' : (text ?? ''),
      source,
    }
  })
  for (const [name, { source }] of Object.entries(sinkOrigins)) {
    rows.push({ name: `ROWMILL_${name}`, value: '(hidden)', source })
  }
  const lines = rows.map(({ name, value, source }) => [name, value === '' ? '-' : value, source])
  stdout.write(json ? `${JSON.stringify(rows, null, 2)}\n` : table(lines))
  return exitCodes.done
}

/** `docs/settings.md`, from the table of settings. */
export function settingsPage(): string {
  const rows = names().map((name) => {
    const { about, default: fallback, secret } = settings[name]
    return `| \`ROWMILL_${name}\` | ${fallback === undefined ? '–' : `\`${fallback}\``} | ${about}${secret ? ' Secret.' : ''} |`
  })
  return [
    '# Settings',
    '',
    'Rowmill reads its settings from the environment, then from `.env` in the folder it is started in, then takes the',
    'defaults. `NAME_FILE` names a file that holds the value. An unknown `ROWMILL_…` is an error. `./rowmill config` shows',
    'what is in force and where it comes from; `./rowmill config --markdown` writes this page.',
    '',
    '| setting | default | what it does |',
    '| --- | --- | --- |',
    ...rows,
    '| `ROWMILL_SINK_NAME_URL` | – | Database that outputs may go to as `name`: `postgres://…`, `mysql://…`, `sqlite:FILE` or `duckdb:FILE`; `warehouse` is a DuckDB file in the data folder unless it is set. Secret. |',
    '',
    'Sizes are decimal: `B`, `KB`, `MB`, `GB`, `TB`. Durations: `ms`, `s`, `m`, `h`, `d`.',
    '',
  ].join('\n')
}

function names(): SettingName[] {
  return Object.keys(settings) as SettingName[]
}
