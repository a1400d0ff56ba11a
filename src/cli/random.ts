/** Gives numbers in [0, 1). */
export type Random = () => number

/**
 * From a seed of up to 53 bits: sfc32, "Small Fast Counter", by Chris Doty-Humphrey (PractRand 0.94), seeded and warmed
 * up as there.
 * @param stream which of the 2³² series of numbers that every seed has; higher ones begin again.
 */
export function sfc32(seed: number, stream = 0): Random {
  let a = stream | 0
  let b = seed | 0
  let c = Math.floor(seed / 2 ** 32) | 0
  let counter = 1
  const next = () => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 12; i++) next()
  return next
}

/** @param items at least one. */
export function pick<T>(items: readonly T[], next: Random): T {
  return items[Math.floor(next() * items.length)] as T
}

export function chance(share: number, next: Random): boolean {
  return next() < share
}
