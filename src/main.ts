/** argv → command. The only place that knows of signals and of the process's end. */
import { CommanderError } from 'commander'
import { createProgram } from './cli/commands.ts'
import { type ExitCode, exitCodes } from './cli/context.ts'
import { AppError, asAppError, errnoOf, isDiskFull } from './errors.ts'
import type { Log } from './log.ts'

async function main(argv: readonly string[]): Promise<void> {
  const stop = new AbortController()
  /** What ended the command from outside, whatever it makes of that itself. */
  let cut: ExitCode | undefined
  let log: Log | undefined

  const end = (code: ExitCode): void => {
    // What was written to a pipe must be out before the process is gone; that it could not be is told a little later.
    process.stdout.write('', () => setImmediate(() => process.exit(cut ?? code)))
  }

  const tell = (error: unknown): AppError => {
    const known = asAppError(error)
    log?.debug({ err: known.cause ?? error }, known.message)
    const hint = known.code === 'internal' ? '. ROWMILL_LOG_LEVEL=debug shows what is behind it.' : ''
    process.stderr.write(`rowmill: ${known.message}${hint}\n`)
    return known
  }

  const fail = (error: unknown): void => {
    if (errnoOf(error) === 'EPIPE') cut ??= exitCodes.brokenPipe
    // Nobody is left to be told, or it has been told.
    if (cut === exitCodes.brokenPipe || cut === exitCodes.failed) return end(cut)
    if (stop.signal.aborted && isAbort(error, stop.signal)) return end(exitCodes.interrupted)
    end(tell(error).code === 'unavailable' ? exitCodes.unavailable : exitCodes.failed)
  }

  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(exitCodes.interrupted)
    cut ??= exitCodes.interrupted
    stop.abort()
  })
  process.on('SIGTERM', () => stop.abort())
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  for (const stream of [process.stdout, process.stderr]) {
    // The command is stopped rather than cut off, so that it removes what it made meanwhile.
    stream.on('error', (error) => {
      if (cut === undefined) {
        // `| head` has seen enough.
        cut = errnoOf(error) === 'EPIPE' ? exitCodes.brokenPipe : exitCodes.failed
        if (cut === exitCodes.failed) tell(isDiskFull(error) ? outOfSpace(error) : error)
      }
      stop.abort()
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

function outOfSpace(cause: unknown): AppError {
  const message =
    'Standard output cannot be written (its disk is full). Free some space there, or choose another place.'
  return new AppError('full', message, { cause })
}

/** Whether this is how work says that it was told to stop. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError')
}

await main(process.argv)
