/** One table, loaded twice from made-up files and compared, value by value, with what was written into the files. */
import { inspect } from 'node:util'
import { compareCounts, compareRecords, compareTable, type Row } from './compare.ts'
import type { Counts, Loader } from './load.ts'
import { valueOf } from './oracle.ts'
import { drawPlan, type Plan, type PlannedFile } from './plan.ts'
import type { ValueDatabase } from './read-back.ts'

/** Of a file, unless somebody asks for more. Another number is another plan. */
export const mostRecords = 60

/**
 * @param records of a file, at most.
 * @returns every difference, a sentence each.
 */
export async function round(loader: Loader, seed: number, records: number): Promise<string[]> {
  const plan = drawPlan(seed, loader.kind.name, records)
  const { mode, isDeclared, files } = plan
  if (isDeclared) await createTable(loader.database, plan)
  let rows: readonly Row[] = []
  for (const [turn, file] of files.entries()) {
    const differences: string[] = []
    try {
      const loaded = await loader.load(file.written.bytes, paramsOf(plan, file))
      if (loaded.error !== undefined) throw new RangeError(loaded.error)
      const merged = merge(plan, rows, valuesOf(plan, file))
      rows = merged.rows
      differences.push(...compareRecords(loaded, file))
      differences.push(...compareCounts(loader, plan, loaded.counts, merged.counts))
      differences.push(...(await compareTable(loader, plan, rows)))
    } catch (error) {
      differences.push(inspect(error, { depth: 3 }))
    }
    const where = `seed ${seed}, ${loader.kind.name}, ${mode}, ${isDeclared ? 'declared' : 'new'}, file ${turn + 1}`
    // What comes after would only tell the same.
    if (differences.length > 0) return differences.map((one) => `${where}: ${one}`)
  }
  return []
}

async function createTable({ rows, quote }: ValueDatabase, { table, columns, key, mode }: Plan): Promise<void> {
  const definitions = columns.map(({ label, declared }) => `${quote(label)} ${declared?.sql}`)
  if (mode === 'upsert') definitions.push(`PRIMARY KEY (${quote(columns[key]?.label ?? '')})`)
  await rows(`CREATE TABLE ${quote(table)} (${definitions.join(', ')})`)
}

function paramsOf({ table, mode, columns, key }: Plan, { params }: PlannedFile): Record<string, string | string[]> {
  const keys = mode === 'upsert' ? { key: [columns[key]?.label ?? ''] } : {}
  return { ...params, ...keys, mode, table: `"${table.replaceAll('"', '""')}"` }
}

/** The rows that are to come of a file, under the types that the first file gave the table. */
function valuesOf({ files: [first] }: Plan, { rows }: PlannedFile): Row[] {
  return rows.map((cells) => cells.map((cell, i) => valueOf(first.kinds[i] ?? 'text', cell)))
}

/** What becomes of a table by the rows of a file. */
function merge({ mode, key }: Plan, before: readonly Row[], rows: readonly Row[]): { rows: Row[]; counts: Counts } {
  const all = new Map(before.map((row) => [row[key], row]))
  const counts = { inserted: 0, updated: 0, unchanged: 0 }
  if (mode !== 'upsert') {
    const kept = mode === 'append' ? before : []
    return { rows: [...kept, ...rows], counts: { ...counts, inserted: rows.length } }
  }
  for (const row of rows) {
    const old = all.get(row[key])
    counts[old === undefined ? 'inserted' : old.every((value, i) => value === row[i]) ? 'unchanged' : 'updated']++
    all.set(row[key], row)
  }
  return { rows: [...all.values()], counts }
}
