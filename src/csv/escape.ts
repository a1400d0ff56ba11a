/** Texts with escapes in the place of single characters. */

/** Characters that are replaced at once: as a whole, a cell of many MiB of line ends would take a hundred times its size. */
export const pieceLength = 1 << 16

/**
 * @param special finds each character that is escaped.
 * @param escapes what is written for it.
 */
export function escapeText(text: string, special: RegExp, escapes: ReadonlyMap<string, string>): string {
  if (text.search(special) < 0) return text
  let written = ''
  for (let at = 0; at < text.length; at += pieceLength) {
    written += text.slice(at, at + pieceLength).replace(special, (plain) => escapes.get(plain) ?? plain)
  }
  return written
}
