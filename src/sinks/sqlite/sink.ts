import type { TableSink } from '../../ports.ts'
import { type FileOptions, fileSink } from '../file/sink.ts'

/**
 * Tables of a SQLite file, to which one process at a time can write.
 * @param name of the sink, as pipelines know it.
 */
export function sqliteSink(name: string, path: string, options?: FileOptions): TableSink {
  return fileSink('sqlite', 'tabbed', name, path, options)
}
