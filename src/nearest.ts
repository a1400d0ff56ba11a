/** The candidate at the smallest edit distance, if it is near enough to be a slip (Levenshtein). */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(2, Math.floor(word.length / 4)) + 1
  for (const candidate of candidates) {
    let row = Array.from({ length: candidate.length + 1 }, (_, i) => i)
    for (let i = 1; i <= word.length; i++) {
      const next = [i]
      for (let j = 1; j <= candidate.length; j++) {
        const swap = (row[j - 1] ?? 0) + (word[i - 1] === candidate[j - 1] ? 0 : 1)
        next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
      }
      row = next
    }
    const distance = row[candidate.length] ?? least
    if (distance < least) [least, best] = [distance, candidate]
  }
  return best
}
