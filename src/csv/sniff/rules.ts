/** Lines that only draw a table, as programs do that print for people: “+----+----+”, “---- ----”, “|---|---|”. */

/** How such a line may begin: with a space, a sign of ASCII, or the first byte of a character that draws boxes. */
const begins: ReadonlySet<number | undefined> = new Set(Buffer.from(' \t+-|=─').subarray(0, 7))
const drawn = /^[-+|=:,;\s─-╿]+$/
const strokes = ['---', '===', '──', '══']
/** No table is drawn wider. */
const longest = 16 << 10

export function isRule(sample: Buffer, start: number, end: number): boolean {
  if (!begins.has(sample[start]) || end - start > longest) return false
  const text = sample.toString('utf8', start, end)
  return drawn.test(text) && strokes.some((stroke) => text.includes(stroke))
}
