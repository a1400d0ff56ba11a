/** What commands have in common: examples in their help, and how what is written after an option is read. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { roles, rolesOf } from '../model.ts'

export type GivenParams = Record<string, string | string[]>

/** Lines and what they do; nothing is said of those that speak for themselves. */
export function examples(command: Command, lines: readonly (readonly [string, string])[]): void {
  const width = Math.max(...lines.map(([line]) => line.length))
  const text = lines.map(([line, about]) => `  ${about === '' ? line : `${line.padEnd(width)}  # ${about}`}`)
  command.addHelpText('after', `\nExamples:\n${text.join('\n')}`)
}

export function paramOption(): Option {
  return new Option('--param <NAME=VALUE>', "one of the pipeline's params; may come several times")
    .default({}, 'those of the pipeline')
    .argParser((text, given: GivenParams): GivenParams => {
      const at = text.indexOf('=')
      if (at < 1) throw new InvalidArgumentError('It is written NAME=VALUE.')
      const name = text.slice(0, at)
      const value = text.slice(at + 1)
      const before = Object.hasOwn(given, name) ? given[name] : undefined
      return { ...given, [name]: before === undefined ? value : [before, value].flat() }
    })
}

export function rolesOption(): Option {
  return new Option('--roles <ROLES>', `what this process does, of ${roles.join(', ')}`)
    .default(undefined, 'ROWMILL_ROLES, or all')
    .argParser((text) => {
      const given = rolesOf(text)
      if (given !== undefined) return given
      throw new InvalidArgumentError(`They are some of ${roles.join(', ')}, with commas between them.`)
    })
}

/** What is hard to type. */
export function unescaped(text: string): string {
  return text.replaceAll('\\t', '\t').replaceAll('\\n', '\n').replaceAll('\\r', '\r')
}

export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `from ${least} to ${most}`
    throw new InvalidArgumentError(`It is a whole number, ${range}.`)
  }
}

export function share(text: string): number {
  const number = Number(text)
  if (/^\d*\.?\d+$/.test(text) && number <= 1) return number
  throw new InvalidArgumentError('It is a share from 0 to 1, such as 0.001.')
}

export function dryRunOption(): Option {
  return new Option('--dry-run', 'deliver nothing; say what it would come to, and print the hash of that plan').default(
    false,
  )
}

export function planOption(): Option {
  return new Option('--plan <HASH>', 'deliver only what the plan of a dry run says, or nothing')
    .conflicts('dryRun')
    .argParser((text) => {
      if (/^[0-9a-f]{64}$/.test(text)) return text
      throw new InvalidArgumentError('It is what --dry-run has printed: 64 hexadecimal digits.')
    })
}
