/** How often fast-check tries a property: a few times usually, and many times that by `node test/properties-long.ts`. */
import fc from 'fast-check'

/** fast-check's own number, by which `properties-long.ts` says how many times as often. */
export const unscaled = 100

/** @param usual how often it is tried when all tests are run. */
export function runs(usual: number): { readonly numRuns: number } {
  const { numRuns = unscaled } = fc.readConfigureGlobal()
  return { numRuns: Math.ceil((usual * numRuns) / unscaled) }
}
