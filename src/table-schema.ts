/** The contract of a file's columns, in Table Schema's words. Pure, as `model.ts` is. */

export const columnTypes = ['string', 'integer', 'number', 'boolean', 'date', 'time', 'datetime'] as const
export type ColumnType = (typeof columnTypes)[number] | `decimal(${number},${number})`

/** What a boolean column takes unless it says otherwise. */
export const booleans = { true: ['true', 'True', 'TRUE', '1'], false: ['false', 'False', 'FALSE', '0'] } as const

/** How the columns of a file and those of its schema must go together, in Table Schema's words. */
export const fieldsMatches = ['equal', 'exact', 'subset', 'superset', 'partial'] as const
export type FieldsMatch = (typeof fieldsMatches)[number]

/** A value as the pipeline's YAML has it. A text is written the way the file writes it. */
export type Scalar = string | number | boolean

/** What a cell's value must be besides of its type; a missing value keeps all of them but `required`. */
export interface Constraints {
  readonly required?: boolean | undefined
  readonly enum?: readonly Scalar[] | undefined
  readonly minimum?: Scalar | undefined
  readonly maximum?: Scalar | undefined
  readonly exclusiveMinimum?: Scalar | undefined
  readonly exclusiveMaximum?: Scalar | undefined
  /** In code points. */
  readonly minLength?: number | undefined
  readonly maxLength?: number | undefined
  /** In RE2's syntax, for the whole value. */
  readonly pattern?: string | undefined
}

/** One column, and how its cells are to be read. */
export interface Field {
  readonly name: string
  readonly type: ColumnType
  /** The texts that stand for no value. */
  readonly missingValues: readonly string[]
  /** Whether an empty cell in quotes is an empty text, and only one without them is missing. Of plain text alone. */
  readonly keepsEmpty?: boolean | undefined
  /** `email`, `uri` or `uuid` of a string; a strptime pattern of a date, time or datetime. */
  readonly format?: string | undefined
  readonly decimalChar?: string | undefined
  readonly groupChar?: string | undefined
  /** False: a currency or a percent sign may stand around the number. */
  readonly bareNumber?: boolean | undefined
  readonly trueValues?: readonly string[] | undefined
  readonly falseValues?: readonly string[] | undefined
  /** The IANA zone of datetimes that do not name theirs. */
  readonly timezone?: string | undefined
  readonly constraints: Constraints
}

export interface ForeignKey {
  readonly fields: readonly string[]
  readonly reference: {
    /** An input of the same pipeline, perhaps this one. */
    readonly resource: string
    readonly fields: readonly string[]
  }
}

/** The contract of an input: a Table Schema, whichever way the pipeline wrote it. */
export interface Schema {
  readonly fields: readonly Field[]
  readonly fieldsMatch: FieldsMatch
  /** Empty: there is none. */
  readonly primaryKey: readonly string[]
  /** Those of single columns (`unique`) included. */
  readonly uniqueKeys: readonly (readonly string[])[]
  readonly foreignKeys: readonly ForeignKey[]
}

/** A column of which nothing is declared but its type. */
export function plainField(name: string, type: ColumnType = 'string'): Field {
  return { name, type, missingValues: [''], constraints: {} }
}

/** A contract of names and types alone. */
export function plainSchema(fields: readonly Field[]): Schema {
  return { fields, fieldsMatch: 'equal', primaryKey: [], uniqueKeys: [], foreignKeys: [] }
}
