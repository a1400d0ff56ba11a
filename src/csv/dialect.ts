/** How a file's text is cut into records and cells. */

export interface Dialect {
  /** What stands between cells: one character or several, none of them a line end. */
  readonly delimiter: string
  /** One ASCII character; null: quotes are text like any other. */
  readonly quote: string | null
  /** What makes a quote within quotes text: the quote itself (doubled), or another ASCII character before it. */
  readonly escape: string | null
  /** One ASCII character that makes a line a comment when it is the line's first; null: nothing does. */
  readonly comment: string | null
}

/** RFC 4180. */
export const standardDialect: Dialect = { delimiter: ',', quote: '"', escape: '"', comment: null }
