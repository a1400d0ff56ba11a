/** Values of which a column would make others without a word: found by the statement that loads them, and refused. */

/** A guarded column's share in a LOAD DATA. */
export interface Guard {
  /** The condition under which a value is refused, and the value as the column takes it. */
  readonly refused: string
  readonly taken: string
  /** What the column does with its values, for people. */
  readonly rule: string
}

/**
 * @param type as the information schema has it.
 * @param value a variable that holds the text.
 * @returns undefined for a type that takes a value as it is, or complains.
 */
export function guardOf(type: string, value: string): Guard | undefined {
  const [, name = '', inside = ''] = /^(\w+)(?:\((.*)\))?/s.exec(type) ?? []
  const guard = (refused: string, rule: string, taken = value) => ({ refused, rule, taken })
  switch (name) {
    case 'datetime':
    case 'timestamp':
    case 'time': {
      // What is beyond them MySQL rounds and MariaDB cuts off.
      const digits = Number(inside)
      const rule = `keeps ${digits} digits of a fraction of a second`
      return digits === 6 ? undefined : guard(`MICROSECOND(${value}) MOD ${10 ** (6 - digits)}`, rule)
    }
    case 'char':
      return guard(`${value} LIKE '% '`, 'keeps no spaces at the end')
    case 'binary':
      return guard(`OCTET_LENGTH(${value}) < ${inside}`, `fills up what has less than ${inside} bytes`)
    case 'year':
      return guard(`${value} NOT REGEXP '^[0-9]{4}$'`, 'takes years of four digits')
    case 'bit':
      // It would take the bytes of the text for the number.
      return guard(`${value} NOT REGEXP '^[0-9]+$'`, 'takes whole numbers', `CAST(${value} AS UNSIGNED)`)
    case 'set':
      return guard(
        `CAST(${inOrder(inside, value)} AS BINARY) <> CAST(${value} AS BINARY)`,
        'takes its own labels, in their order, with commas between them',
      )
    default:
      return undefined
  }
}

/** The labels that are in a list, as a set has them. */
function inOrder(labels: string, value: string): string {
  const literals = Array.from(labels.matchAll(/'(?:[^']|'')*'/g), ([literal]) => literal)
  const present = literals.map(
    (label) => `IF(FIND_IN_SET(CAST(${label} AS BINARY), CAST(${value} AS BINARY)), ${label}, NULL)`,
  )
  return `CONCAT_WS(',', ${present.join(', ')})`
}

/** What MySQL says of a number that there is none; it is how a refused value comes to be told. */
const mark = 'rowmill column'
const marked = new RegExp(`'${mark} (\\d+): (.*)'$`, 's')

/** The value, or a warning that tells it. @param n the column's place. */
export function guarded({ refused, taken }: Guard, value: string, n: number): string {
  return `IF(${refused}, CAST(CONCAT('${mark} ${n}: ', ${value}) AS SIGNED), ${taken})`
}

/** Which column a warning of that kind is about, and the value; undefined for one of another kind. */
export function refusedValue(warning: string): { readonly n: number; readonly value: string } | undefined {
  const [, n, value] = marked.exec(warning) ?? []
  return n === undefined || value === undefined ? undefined : { n: Number(n), value }
}
