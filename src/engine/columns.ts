import { AppError } from '../errors.ts'
import { foldCase } from '../identifiers.ts'
import type { Warning } from '../model.ts'
import type { InputSpec } from '../definition.ts'
import { type ColumnType, type Field, plainField, type Schema } from '../table-schema.ts'

/** A column of a relation and where its cells stand in the file. */
export interface Column {
  /** Its name is the SQL's: the header's, made unique where the header is not. */
  readonly field: Field
  /** 0-based in the record; null where the file does not have it, and then it is all NULL. */
  readonly position: number | null
  /** Whether it is part of the primary key. */
  readonly inKey: boolean
}

/**
 * The columns of a file under an input's contract. Declared columns are matched by name as `fieldsMatch` says.
 * Undeclared, every column is text, under its own name or one made for it, of which a warning tells.
 * @throws {AppError} rejected, naming the file, line 1 and the column.
 */
export function matchColumns(
  { schema }: InputSpec,
  header: readonly string[],
  file: string,
): { columns: Column[]; warnings: Warning[] } {
  if (schema === undefined) return nameColumns(header)
  const refuse = refusal(schema, header, file)
  const warnings: Warning[] = []
  const columns = schema.fields.map((field): Column => {
    const inKey = schema.primaryKey.includes(field.name)
    const position = header.indexOf(field.name)
    if (position >= 0) {
      if (header.includes(field.name, position + 1)) throw refuse('duplicate-label', field.name, 'is there twice')
      return { field, position, inKey }
    }
    if (!mayMiss(schema, field)) throw refuse('missing-label', field.name, 'is missing')
    const message = `column “${field.name}” is declared but not there, and has no values`
    warnings.push({ code: 'missing-label', message })
    return { field, position: null, inKey }
  })
  const names = new Set(schema.fields.map(({ name }) => name))
  for (const extra of header.filter((name) => !names.has(name))) {
    if (!['subset', 'partial'].includes(schema.fieldsMatch)) throw refuse('extra-label', extra, 'is not expected')
    warnings.push({ code: 'extra-label', message: `column “${extra}” is not declared, and is left out` })
  }
  if (columns.every(({ position }) => position === null)) {
    const [first] = schema.fields
    throw refuse('missing-label', first?.name ?? '', 'is missing, and so are all others')
  }
  const moved = schema.fieldsMatch === 'exact' ? columns.find(({ position }, i) => position !== i) : undefined
  if (moved !== undefined) throw refuse('incorrect-label', moved.field.name, 'is not in its place')
  return { columns, warnings }
}

/** Whether a file may lack a column: not when each record needs a value in it. */
function mayMiss({ fieldsMatch, primaryKey }: Schema, { name, constraints }: Field): boolean {
  if (fieldsMatch !== 'superset' && fieldsMatch !== 'partial') return false
  return constraints.required !== true && !primaryKey.includes(name)
}

function refusal({ fields, fieldsMatch }: Schema, header: readonly string[], file: string) {
  const order = fieldsMatch === 'exact' ? ', in this order' : ''
  const expected = `${fields.length} are expected${order}: ${list(fields.map(({ name }) => name))}`
  return (reason: string, column: string, what: string) =>
    new AppError(
      'rejected',
      `${file} line 1: column “${column}” ${what}. The columns are ${list(header)}; ${expected}.`,
      {
        details: { file, line: 1, column, reason },
      },
    )
}

/** Databases tell names apart by more than case only, so twins of that kind get a number as well. */
export function nameColumns(header: readonly string[]): { columns: Column[]; warnings: Warning[] } {
  const warnings: Warning[] = []
  // What stands in the header is nobody else's, wherever it stands.
  const own = new Set(header.map(foldCase))
  const taken = new Set<string>()
  const columns = header.map((label, position): Column => {
    const wanted = label === '' ? `column_${position + 1}` : label
    let name = wanted
    const isFree = () => !taken.has(foldCase(name)) && (name === label || !own.has(foldCase(name)))
    for (let n = 2; !isFree(); n++) name = `${wanted}_${n}`
    taken.add(foldCase(name))
    if (name !== label) {
      const code = label === '' ? 'blank-label' : 'duplicate-label'
      warnings.push({ code, message: `column ${position + 1} (“${label}”) is called “${name}” here` })
    }
    return { field: undeclaredField(name), position, inKey: false }
  })
  return { columns, warnings }
}

/** Nobody says what stands for nothing, so that an empty text in quotes is a text. */
export function undeclaredField(name: string, type: ColumnType = 'string'): Field {
  return { ...plainField(name, type), keepsEmpty: type === 'string' }
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => `“${name}”`)
  return shown.join(', ') + (names.length > shown.length ? `, … (${names.length})` : '')
}
