import type { TableSink } from '../../ports.ts'
import { type FileOptions, fileSink } from '../file/sink.ts'

/**
 * Tables of a DuckDB file, which one process at a time can have open.
 * @param name of the sink, as pipelines know it.
 */
export function duckdbSink(name: string, path: string, options?: FileOptions): TableSink {
  return fileSink('duckdb', 'parquet', name, path, options)
}
