/** The delimiters that come into question. */

export interface Delimiter {
  readonly text: string
  /** How much it is to be believed when it fits as well as another: 1 for what files are commonly written with. */
  readonly trust: number
  /** Common in text as well: looked at only where none of the others will do, and held to more. */
  readonly weak: boolean
}

export const delimiters: readonly Delimiter[] = [
  { text: ',', trust: 1, weak: false },
  { text: ';', trust: 1, weak: false },
  { text: '\t', trust: 1.02, weak: false },
  { text: '|', trust: 1, weak: false },
  { text: '||', trust: 1, weak: false },
  { text: '\u001f', trust: 1, weak: false },
  { text: '\u0001', trust: 1, weak: false },
  { text: '§', trust: 0.9, weak: false },
  { text: '¦', trust: 0.9, weak: false },
  { text: '¬', trust: 0.9, weak: false },
  { text: '^', trust: 0.8, weak: true },
  { text: '~', trust: 0.8, weak: true },
  { text: ':', trust: 0.65, weak: true },
  { text: ' ', trust: 0.7, weak: true },
]

/** What stands between the cells of a file that has one column and commas in it. */
export const noDelimiter = '\u001f'

const names: Readonly<Record<string, string>> = {
  '\t': 'a tab',
  ' ': 'a space',
  '\u001f': 'U+001F',
  '\u0001': 'U+0001',
}

/** A delimiter as a message names it. */
export function nameOf(delimiter: string): string {
  return names[delimiter] ?? `“${delimiter}”`
}
