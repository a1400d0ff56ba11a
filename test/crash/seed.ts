/** Chance that comes again: all that a test decides by it is the same for the same seed. */
export interface Chance {
  readonly seed: number
  /** From 0 on, less than `end`. */
  below(end: number): number
  between(from: number, to: number): number
  /** Whether something happens that does so with this probability. */
  is(probability: number): boolean
  pick<T>(of: readonly T[]): T
  /** Another one, for what runs beside. */
  fork(): Chance
}

/** Mulberry32, a generator with 32 bits of state (Tommy Ettinger). */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const chance: Chance = {
    seed,
    below: (end) => Math.floor(next() * end),
    between: (from, to) => from + chance.below(to - from + 1),
    is: (probability) => next() < probability,
    pick: (of) => of[chance.below(of.length)] as (typeof of)[number],
    fork: () => chanceOf(chance.below(2 ** 32)),
  }
  return chance
}
