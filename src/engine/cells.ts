/** How the text of a cell becomes a value. What is missing is none of a reading's business: `types.ts` sees to that. */

/** All of it SQL expressions over a cell's text. */
export interface CellReading {
  readonly sqlType: string
  /** As in “is not …”. */
  readonly about: string
  /** The typed value. Means nothing for a cell that is not sound; NULL for an empty one, of every type but text. */
  readonly value: (cell: string) => string
  /** True for most cells that are sound and cheap to ask; undefined where there is no such question. */
  readonly quick?: (cell: string, value: string) => string
  /** True for a cell that means exactly one value of the type; undefined where every text does. */
  readonly strict?: (cell: string, value: string) => string
}

/** True when the cell has the form of the pattern and the value is there. CASE, because DuckDB evaluates all of an AND. */
export function matching(pattern: string, cell: string, then: string): string {
  return `CASE WHEN regexp_full_match(${cell}, '${pattern}') THEN ${then} ELSE false END`
}

/** A character as RE2 takes it anywhere, and nothing else does. */
export function charPattern(char: string): string {
  return `\\x{${char.codePointAt(0)?.toString(16)}}`
}
