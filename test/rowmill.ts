import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { createProgram } from '../src/cli/commands.ts'
import type { ExitCode } from '../src/cli/context.ts'
import { loadConfig } from '../src/config.ts'
import { createLog } from '../src/log.ts'
import { type Env, mainCommand, start } from './harness.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs the command line to its end, from the project's folder. */
export async function rowmill(
  args: readonly string[],
  env: Env = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await using program = start([...mainCommand, ...args], { cwd: root, env })
  const code = await program.exited
  return { code, stdout: program.stdout(), stderr: program.stderr() }
}

interface Called {
  /** What the command has returned. */
  readonly code: ExitCode | undefined
  /** What it has thrown instead: main.ts makes a line and an exit code of it. */
  readonly error: unknown
  readonly stdout: string
  readonly stderr: string
}

/** The same in this process and from its folder, where that it is a process says nothing: to start one takes longest. */
export async function called(args: readonly string[], env: Env = {}): Promise<Called> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const told: Buffer[][] = [stdout, stderr].map((stream) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    return chunks
  })
  let code: ExitCode | undefined
  let error: unknown
  const program = createProgram(async (command) => {
    const { config } = loadConfig(env, root)
    const { signal } = new AbortController()
    code = await command({ config, signal, stdin: new PassThrough().end(), stdout, stderr, log: createLog('silent') })
  })
  tell(program, stdout, stderr)
  try {
    await program.parseAsync(['node', 'rowmill', ...args])
  } catch (thrown) {
    error = thrown
  }
  await Promise.all([stdout, stderr].map(async (stream) => await finished(stream.end())))
  const [out = '', err = ''] = told.map((chunks) => Buffer.concat(chunks).toString())
  return { code, error, stdout: out, stderr: err }
}

/** What commander says of its own, each of its commands for itself. */
function tell(command: Command, stdout: PassThrough, stderr: PassThrough): void {
  command.configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
  for (const below of command.commands) tell(below, stdout, stderr)
}
