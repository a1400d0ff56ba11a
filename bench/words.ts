/** Made-up cells: names, towns, codes and sentences. */

/** Gives numbers in [0, 1). */
export type Random = () => number

const words =
  'the of and to in is that it was for on are as with they at be this from have by one had not but what all were we when there can which if do will each about how up out them then many some so these would other into has more two like see time could no make than first been who now people over did down only way find use may water long little very after called just where most know'.split(
    ' ',
  )
const rareWords = 'café,naïve,Straße,señor,Łódź,Αθήνα,東京,😀,Kraków,jalapeño'.split(',')
const first = 'Anna,José,Peter,Maria,Sofia,Liam,Zoë,Noah,Mia,Jürgen,Omar,Chloé,Paul,Emma,Søren,Ines'.split(',')
const last = 'Miller,Smith,García,Rossi,Novak,Jensen,Dubois,Silva,Weber,Tanaka,Ahmed,Olsen,Müller,Martin'.split(',')
const towns = 'Lisbon,Oslo,New York,Berlin,São Paulo,Porto,Cape Town,Dublin,Zürich,Madrid,Vienna,Santa Fe'.split(',')

/** An item by its number; numbers beyond the last begin again. */
export function pick<T>(items: readonly T[], number: number): T {
  const item = items[number % items.length]
  if (item === undefined) throw new RangeError('there is nothing to pick from')
  return item
}

export function chance(random: Random, share: number): boolean {
  return random() < share
}

/** The family name first, so that there is a comma in it. */
export function name(random: Random): string {
  return `${any(random, last)}, ${any(random, first)}`
}

export function town(random: Random): string {
  return any(random, towns)
}

/** `KD-40312`. */
export function code(random: Random): string {
  const letter = () => String.fromCharCode(65 + Math.floor(random() * 26))
  return `${letter()}${letter()}-${10_000 + Math.floor(random() * 90_000)}`
}

/** A few words; commas in one of five, quotes in one of thirty. */
export function clause(random: Random): string {
  const some = several(random, 2, 5).join(chance(random, 0.2) ? ', ' : ' ')
  return chance(random, 1 / 30) ? `the "${any(random, words)}" ${some}` : some
}

/** A sentence of prose: commas, now and then quotes, seldom a word that is not ASCII. */
export function sentence(random: Random): string {
  const some = several(random, 5, 14)
  if (chance(random, 0.3)) some[2] += ','
  if (chance(random, 0.08)) some[1] = `"${some[1]}"`
  if (chance(random, 0.03)) some[3] = any(random, rareWords)
  const text = some.join(' ')
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`
}

export function quoted(value: string): string {
  return `"${value.replaceAll('"', '""')}"`
}

function several(random: Random, least: number, most: number): string[] {
  return Array.from({ length: least + Math.floor(random() * (most - least + 1)) }, () => any(random, words))
}

function any<T>(random: Random, items: readonly T[]): T {
  return pick(items, Math.floor(random() * items.length))
}
