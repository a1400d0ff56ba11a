/** Characters that are shown. */
const shown = 60

/** A text of the file as messages quote it, cut where it is long. */
export function excerpt(text: string): string {
  // Half a character would be none.
  return `“${text.length > shown ? `${text.slice(0, shown).replace(/[\ud800-\udbff]$/, '')}…` : text}”`
}
