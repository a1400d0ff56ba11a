/** argv → command. The only place that knows of signals and of the process's end. */
import { CommanderError } from 'commander'
import { createProgram } from './cli/commands.ts'
import { type ExitCode, exitCodes } from './cli/context.ts'
import { asAppError, errnoOf } from './errors.ts'
import type { Log } from './log.ts'

async function main(argv: readonly string[]): Promise<void> {
  const stop = new AbortController()
  let interrupted = false
  let log: Log | undefined

  const end = (code: ExitCode): void => {
    // What was written to a pipe must be out before the process is gone.
    process.stdout.write('', () => process.exit(interrupted ? exitCodes.interrupted : code))
  }

  const fail = (error: unknown): void => {
    if (stop.signal.aborted && isAbort(error, stop.signal)) return end(exitCodes.interrupted)
    const { code, message, cause } = asAppError(error)
    log?.debug({ err: cause ?? error }, message)
    const hint = code === 'internal' ? '. ROWMILL_LOG_LEVEL=debug shows what is behind it.' : ''
    process.stderr.write(`rowmill: ${message}${hint}\n`)
    end(code === 'unavailable' ? exitCodes.unavailable : exitCodes.failed)
  }

  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(exitCodes.interrupted)
    interrupted = true
    stop.abort()
  })
  process.on('SIGTERM', () => stop.abort())
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      // `| head` has seen enough.
      if (errnoOf(error) === 'EPIPE') process.exit(exitCodes.done)
      throw error
    })
  }

  let code: ExitCode = exitCodes.done
  const program = createProgram(async (command) => {
    const [{ loadConfig }, { createLog }] = await Promise.all([import('./config.ts'), import('./log.ts')])
    const { config } = loadConfig()
    log = createLog(config.LOG_LEVEL)
    const { stdin, stdout, stderr } = process
    code = await command({ config, signal: stop.signal, stdin, stdout, stderr, log })
  })
  try {
    await program.parseAsync(argv)
    end(code)
  } catch (error) {
    if (error instanceof CommanderError) end(error.exitCode === 0 ? exitCodes.done : exitCodes.usage)
    else fail(error)
  }
}

/** Whether this is how work says that it was told to stop. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError')
}

await main(process.argv)
