/** The sinks of tables that the settings name, and the warehouse, which is always there. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config.ts'
import type { Fail } from '../failpoints.ts'
import type { TableSink } from '../ports.ts'

type SinkConfig = Pick<Config, 'DATA' | 'SINKS' | 'TASK_MEMORY' | 'THREADS'>

export function tableSinkNames(config: Pick<Config, 'DATA' | 'SINKS'>): ReadonlySet<string> {
  return new Set(urlsOf(config).keys())
}

function urlsOf({ DATA, SINKS }: Pick<Config, 'DATA' | 'SINKS'>): ReadonlyMap<string, string> {
  return new Map([['warehouse', `duckdb:${join(DATA, 'warehouse.duckdb')}`], ...SINKS])
}

/**
 * By name. A vendor's library is loaded when there is a sink for it.
 * @param wanted which of them; undefined for all.
 */
export async function openTableSinks(
  config: SinkConfig,
  fail: Fail,
  wanted?: ReadonlySet<string>,
): Promise<Map<string, TableSink>> {
  const sinks = new Map<string, TableSink>()
  for (const [name, url] of urlsOf(config)) {
    if (wanted?.has(name) !== false) sinks.set(name, await openTableSink(name, url, config, fail))
  }
  return sinks
}

async function openTableSink(
  name: string,
  url: string,
  { TASK_MEMORY, THREADS }: SinkConfig,
  fail: Fail,
): Promise<TableSink> {
  // The task's own engine has done its work by then.
  const options = { memory: TASK_MEMORY / 2, threads: THREADS, fail }
  const scheme = url.slice(0, url.indexOf(':'))
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      return (await import('./postgres/sink.ts')).postgresSink(name, url, fail)
    case 'mysql':
    case 'mariadb':
      return (await import('./mysql/sink.ts')).mysqlSink(name, url.replace(/^mariadb:/, 'mysql:'), fail)
    case 'sqlite':
      return (await import('./sqlite/sink.ts')).sqliteSink(name, pathOf(url), options)
    case 'duckdb':
      return (await import('./duckdb/sink.ts')).duckdbSink(name, pathOf(url), options)
    default:
      throw new RangeError(`the settings let a sink pass that nobody knows: ${scheme}`)
  }
}

/** `sqlite:data/x.db`, `sqlite:/srv/x.db` and `sqlite:///srv/x.db`. */
function pathOf(url: string): string {
  const rest = url.slice(url.indexOf(':') + 1)
  return rest.startsWith('//') ? fileURLToPath(`file:${rest}`) : rest
}
