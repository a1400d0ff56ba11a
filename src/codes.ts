/** By which names warnings and rejects tell what they are about. */

/** What is worth a word and fails nothing. */
export const warningCodes = [
  'same-file',
  'no-rows',
  'one-column',
  'blank-label',
  'duplicate-label',
  'extra-label',
  'missing-label',
  'dialect-guess',
  'quote-guess',
  'spaced-cells',
  'preamble',
  'no-header',
  'header-guess',
  'header-width',
  'second-header',
  'repeated-header',
  'drawn-table',
  'summary-row',
  'empty-record',
  'encoding-guess',
  'byte-order-mark',
  'end-of-file-mark',
  'blank-row',
  'mixed-line-ends',
  'ambiguous-date',
  'decimal-comma',
  'local-datetime',
] as const
export type WarningCode = (typeof warningCodes)[number]

/** Frictionless's names where it has one, `quote-error` where it has none. */
export const rejectCodes = [
  'missing-cell',
  'extra-cell',
  'type-error',
  'constraint-error',
  'unique-error',
  'primary-key',
  'foreign-key',
  'quote-error',
  'encoding-error',
  'nul-byte',
  'long-record',
] as const
export type RejectCode = (typeof rejectCodes)[number]
