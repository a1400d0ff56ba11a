/** The relation `columns`: what the reader has seen of every cell, and what the values of accepted records are like. */
import type { ColumnEvidence } from '../csv/evidence.ts'
import { infer } from '../csv/infer.ts'
import type { Column } from './columns.ts'
import type { Database } from './duckdb.ts'
import type { Source } from './relation.ts'
import { type Statistics, statisticsOf } from './statistics.ts'

/** The relation's columns, with the types as DuckDB reads them from JSON. */
const types = {
  input: 'VARCHAR',
  file: 'VARCHAR',
  position: 'INTEGER',
  name: 'VARCHAR',
  type: 'VARCHAR',
  values: 'BIGINT',
  nulls: 'BIGINT',
  quoted_empty: 'BIGINT',
  longest_bytes: 'BIGINT',
  fits: 'MAP(VARCHAR, BIGINT)',
  counterexamples: [{ type: 'VARCHAR', line: 'BIGINT', looks_like: 'VARCHAR' }],
  approx_distinct: 'BIGINT',
  min: 'VARCHAR',
  max: 'VARCHAR',
  mean: 'DOUBLE',
  quantiles: ['VARCHAR'],
  most_frequent: [{ value: 'VARCHAR', count: 'BIGINT' }],
  histogram: [{ from: 'VARCHAR', to: 'VARCHAR', count: 'BIGINT' }],
} as const

/**
 * A row for each column of each file. Measuring takes time and space on the disk, so the relation is filled for pipelines
 * that ask for it; for others it is made of no files.
 */
export async function createColumnsRelation<File extends Source>(
  database: Database,
  files: readonly File[],
  where: (file: File) => string | undefined,
): Promise<void> {
  const rows: object[] = []
  for (const file of files) {
    const statistics = await statisticsOf(database, file, where(file))
    for (const [i, column] of file.columns.entries()) {
      const evidence = column.position === null ? undefined : file.reading.evidence[column.position]
      const one = statistics[i]
      if (evidence !== undefined && one !== undefined) rows.push(rowOf(file, column, evidence, one))
    }
  }
  // Values of users come in as one value of SQL, and are never part of it.
  await database.run(
    'CREATE OR REPLACE TABLE columns AS SELECT unnest(one) FROM (SELECT unnest(from_json($1::JSON, $2)) AS one)',
    [JSON.stringify(rows), JSON.stringify([types])],
  )
}

function rowOf({ input, name: file }: Source, { field, position }: Column, evidence: ColumnEvidence, one: Statistics) {
  const { values, nulls, quotedEmpty, longest, fits, counterexamples } = infer(evidence)
  const against = Object.entries(counterexamples).flatMap(([type, found]) =>
    found.map(({ line, shape }) => ({ type, line, looks_like: shape })),
  )
  return {
    input,
    file,
    position: (position ?? 0) + 1,
    name: field.name,
    type: field.type,
    values,
    nulls,
    quoted_empty: quotedEmpty,
    longest_bytes: longest,
    fits,
    counterexamples: against,
    approx_distinct: one.approxDistinct,
    min: one.min,
    max: one.max,
    mean: one.mean,
    quantiles: one.quantiles,
    most_frequent: one.mostFrequent,
    histogram: one.histogram,
  } satisfies Record<keyof typeof types, unknown>
}
