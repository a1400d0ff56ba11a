/** Where results are kept: docs/benchmarks.md, each between marks of its own. */
import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { version as duckdbVersion } from '@duckdb/node-api'
import manifest from '../package.json' with { type: 'json' }

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

/** What it was measured on. */
export function machine(): string {
  const parts = [
    `${availableParallelism()} processors`,
    `Rowmill ${manifest.version}`,
    `Node ${process.versions.node}`,
    `DuckDB ${duckdbVersion().replace(/^v/, '')}`,
    `csv-parse ${manifest.dependencies['csv-parse']}`,
  ]
  return parts.join(', ')
}

/** `354 MB`. Decimal units, as the settings have them. */
export function megabytes(bytes: number): string {
  return bytes === 0 ? 'not known' : `${Math.round(bytes / 1e6).toLocaleString('en')} MB`
}
