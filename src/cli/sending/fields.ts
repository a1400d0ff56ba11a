/** What the service is told of a file beside its bytes: in the query, or in the metadata of tus. */
export type Field = readonly [name: string, value: string]

/** A pipeline to run, as the command line has it. */
export interface RunOrder {
  readonly pipeline: string
  readonly params: Readonly<Record<string, string | readonly string[]>>
  readonly dryRun: boolean
  /** The plan that alone may be carried out. */
  readonly planHash: string | undefined
  /** Even if the same was done before. */
  readonly again: boolean
}

export function fieldsOf({ pipeline, params, dryRun, planHash, again }: RunOrder): Field[] {
  const flags = { ...(dryRun && { dryRun: 'true' }), ...(again && { again: 'true' }) }
  const plan = planHash === undefined ? {} : { planHash }
  const given = Object.entries(params).flatMap(([name, values]) =>
    [values].flat().map((value): Field => [`param.${name}`, value]),
  )
  return [['pipeline', pipeline], ...Object.entries({ ...flags, ...plan }), ...given]
}

export function setFields(set: string, files: number): Field[] {
  return [
    ['set', set],
    ['files', String(files)],
  ]
}

export function queryOf(fields: readonly Field[]): string {
  return new URLSearchParams(fields.map(([name, value]): [string, string] => [name, value])).toString()
}

/** Undefined where they do not go in there: each key comes once, and is ASCII without spaces and commas. */
export function metadataOf(fields: readonly Field[]): string | undefined {
  const names = fields.map(([name]) => name)
  if (new Set(names).size < names.length || !names.every((name) => /^[!-+\--~]+$/.test(name))) return undefined
  const pairs = fields.map(([name, value]) => [name === 'name' ? 'filename' : name, value] as const)
  return pairs.map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`).join(',')
}
