/** Where results are kept: docs/benchmarks.md, each between marks of its own. */
import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { version as duckdbVersion } from '@duckdb/node-api'
import manifest from '../package.json' with { type: 'json' }
import type { Result } from './measure.ts'
import type { Peaks } from './watch.ts'

const page = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url))

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->`. */
export async function writeSection(name: string, lines: readonly string[]): Promise<void> {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const text = await readFile(page, 'utf8')
  const from = text.indexOf(begin)
  const to = text.indexOf(end, from)
  if (from < 0 || to < 0) throw new Error(`docs/benchmarks.md has no ${begin} … ${end}. Put both marks back.`)
  await writeFile(page, [text.slice(0, from + begin.length), ...lines, text.slice(to)].join('\n'))
}

/** A Markdown table; the first column is text, the others are numbers. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)]
}

const versions = { ...manifest.dependencies, ...manifest.devDependencies }

/** One that the project depends on. */
export type Package = keyof typeof versions

/** What it was measured on, and with which packages beside DuckDB. */
export function machine(...peers: readonly Package[]): string {
  const parts = [
    `${availableParallelism()} processors`,
    `Rowmill ${manifest.version}`,
    `Node ${process.versions.node}`,
    `DuckDB ${duckdbVersion().replace(/^v/, '')}`,
    ...peers.map((name) => `${name} ${versions[name]}`),
  ]
  return parts.join(', ')
}

/** `354 MB`. Decimal units, as the settings have them. */
export function megabytes(bytes: number): string {
  return bytes === 0 ? 'not known' : `${Math.round(bytes / 1e6).toLocaleString('en')} MB`
}

/** Below this, a child is one of the commands with which the launcher, a shell script, begins. */
const leastChild = 10e6

export function peakMemory({ own, child }: Peaks): string {
  return child < leastChild ? megabytes(own) : `${megabytes(own)} + ${megabytes(child)} in its child`
}

/** How the contenders did, and their times as multiples of one of them, whom the header calls `label`. */
export function resultTable(results: readonly Result[], base: string, label: string): string[] {
  const rows = results.map(({ name, seconds: { median, least, most }, peaks }) => [
    name,
    `${median.toFixed(2)} s`,
    `${least.toFixed(2)} to ${most.toFixed(2)} s`,
    (median / medianOf(base, results)).toFixed(2),
    peakMemory(peaks),
  ])
  return table(['', 'median', 'from, to', `${label} = 1`, 'peak memory'], rows)
}

/** Seconds. */
export function medianOf(name: string, results: readonly Result[]): number {
  return results.find((result) => result.name === name)?.seconds.median ?? Number.NaN
}

export function roundsOf(rounds: number): string {
  return `${rounds} ${rounds === 1 ? 'round' : 'rounds'}`
}
