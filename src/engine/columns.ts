import { AppError } from '../errors.ts'
import type { ColumnType, InputSpec, Warning } from '../model.ts'

/** A column of a relation and where its cells stand in the file. */
export interface Column {
  /** As the SQL knows it: the header's, made unique where the header is not. */
  readonly name: string
  readonly type: ColumnType
  /** 0-based in the record. */
  readonly position: number
}

/**
 * The columns of a file under an input's contract. Declared columns are matched by name, in any order: none missing,
 * none besides. Undeclared, every column is text, under its own name or one made for it, of which a warning tells.
 * @throws {AppError} rejected, naming the file, line 1 and the column.
 */
export function matchColumns(
  spec: InputSpec,
  header: readonly string[],
  file: string,
): { columns: Column[]; warnings: Warning[] } {
  if (spec.columns === undefined) return nameColumns(header)
  const declared = Object.entries(spec.columns)
  const problem = (code: string, column: string, what: string) =>
    new AppError(
      'rejected',
      `${file} line 1: ${what} The columns are ${list(header)}; ${declared.length} are expected: ${list(declared.map(([name]) => name))}.`,
      {
        details: { file, line: 1, column, reason: code },
      },
    )
  const columns = declared.map(([name, type]): Column => {
    const position = header.indexOf(name)
    if (position < 0) throw problem('missing-label', name, `column “${name}” is missing.`)
    if (header.includes(name, position + 1)) throw problem('duplicate-label', name, `column “${name}” is there twice.`)
    return { name, type, position }
  })
  const extra = header.find((name) => spec.columns !== undefined && !Object.hasOwn(spec.columns, name))
  if (extra !== undefined) throw problem('extra-label', extra, `column “${extra}” is not expected.`)
  return { columns, warnings: [] }
}

/** DuckDB tells names apart by more than case only, so twins of that kind get a number as well. */
export function nameColumns(header: readonly string[]): { columns: Column[]; warnings: Warning[] } {
  const warnings: Warning[] = []
  const taken = new Set<string>()
  const columns = header.map((label, position): Column => {
    const wanted = label === '' ? `column_${position + 1}` : label
    let name = wanted
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${wanted}_${n}`
    taken.add(name.toLowerCase())
    if (name !== label) {
      const code = label === '' ? 'blank-label' : 'duplicate-label'
      warnings.push({ code, message: `column ${position + 1} (“${label}”) is called “${name}” here` })
    }
    return { name, type: 'string', position }
  })
  return { columns, warnings }
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => `“${name}”`)
  return shown.join(', ') + (names.length > shown.length ? `, … (${names.length})` : '')
}
