/** Keys: that they name columns there are, and that no foreign key leads round in a circle. */
import type { InputSpec } from '../definition.ts'
import type { Field, Schema } from '../table-schema.ts'
import { nearest } from '../nearest.ts'
import { kindOf } from './fields.ts'

/** Tells a problem of an input; the path is from its schema. */
export type TellInput = (input: string, path: readonly PropertyKey[], message: string) => void

export function checkReferences(inputs: Readonly<Record<string, InputSpec>>, tell: TellInput): void {
  for (const [name, { schema }] of Object.entries(inputs)) {
    if (schema === undefined) continue
    checkColumns(schema, schema.primaryKey, (message) => tell(name, ['primaryKey'], message))
    for (const [i, key] of schema.uniqueKeys.entries()) {
      checkColumns(schema, key, (message) => tell(name, ['uniqueKeys', i], message))
    }
    for (const [i, key] of schema.foreignKeys.entries()) {
      const at = ['foreignKeys', i] as const
      const own = checkColumns(schema, key.fields, (message) => tell(name, [...at, 'fields'], message))
      const { resource } = key.reference
      const target = Object.hasOwn(inputs, resource) ? inputs[resource] : undefined
      const wrong = (what: string) => tell(name, [...at, 'reference', 'resource'], what)
      if (target === undefined) wrong(unknown(resource, 'input', Object.keys(inputs)))
      else if (target.schema === undefined) wrong(`is ${resource}, which declares no columns; declare them there`)
      else {
        const told = (message: string) => tell(name, [...at, 'reference', 'fields'], message)
        const theirs = checkColumns(target.schema, key.reference.fields, told)
        if (own !== undefined && theirs !== undefined) compare(own, theirs, told)
      }
    }
  }
  const circle = findCircle(inputs)
  if (circle !== undefined) {
    const [first = '', next] = circle
    const i = inputs[first]?.schema?.foreignKeys.findIndex(({ reference }) => reference.resource === next) ?? 0
    tell(first, ['foreignKeys', i], `leads round in a circle (${circle.join(' → ')}); take one of these keys out`)
  }
}

/** The columns of a key; undefined when one is not there, which is told. */
function checkColumns(
  { fields }: Schema,
  key: readonly string[],
  tell: (message: string) => void,
): readonly Field[] | undefined {
  const names = fields.map(({ name }) => name)
  const found = key.map((name) => fields.find((one) => one.name === name))
  for (const [i, name] of key.entries()) if (found[i] === undefined) tell(unknown(name, 'column', names))
  return found.every((one) => one !== undefined) ? found : undefined
}

/** Values are compared, so they must be of one kind; decimals may have different places. */
function compare(own: readonly Field[], theirs: readonly Field[], tell: (message: string) => void): void {
  if (own.length !== theirs.length) {
    tell(`has ${theirs.length} columns where fields has ${own.length}; name one for each`)
    return
  }
  for (const [i, field] of own.entries()) {
    const other = theirs[i] ?? field
    if (kindOf(field.type) === kindOf(other.type)) continue
    tell(`compares ${field.name} (${field.type}) with ${other.name} (${other.type}); declare them with one type`)
  }
}

function unknown(name: string, what: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return `names the ${what} ${name}, which is not declared; ${near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`}`
}

/** Inputs that refer to each other, the first one at both ends. A key to its own input makes none. */
function findCircle(inputs: Readonly<Record<string, InputSpec>>): string[] | undefined {
  const sound = new Set<string>()
  const walk = (name: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(name)) return [...way.slice(way.indexOf(name)), name]
    if (sound.has(name) || !Object.hasOwn(inputs, name)) return undefined
    for (const { reference } of inputs[name]?.schema?.foreignKeys ?? []) {
      const circle = reference.resource === name ? undefined : walk(reference.resource, [...way, name])
      if (circle !== undefined) return circle
    }
    sound.add(name)
    return undefined
  }
  for (const name of Object.keys(inputs)) {
    const circle = walk(name, [])
    if (circle !== undefined) return circle
  }
  return undefined
}
