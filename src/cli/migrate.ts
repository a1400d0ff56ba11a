import { type Context, type ExitCode, exitCodes } from './context.ts'

/** Brings the catalog up to date, or only says what is pending: then 1, so that a script can tell. */
export async function migrateCatalog(
  { check }: { check: boolean },
  { config, stdout, log }: Pick<Context, 'config' | 'stdout' | 'log'>,
): Promise<ExitCode> {
  const { catalogUrl } = await import('../app.ts')
  const { migrate, migrationStatus } = await import('../catalog/open.ts')
  const url = catalogUrl(config)
  if (!check) {
    const applied = await migrate(url, log)
    stdout.write(
      applied.length === 0 ? 'The catalog is up to date.\n' : applied.map((name) => `applied ${name}\n`).join(''),
    )
    return exitCodes.done
  }
  const { applied, pending, unknown } = await migrationStatus(url, log)
  for (const name of applied) stdout.write(`applied ${name}\n`)
  for (const name of pending) stdout.write(`pending ${name}\n`)
  for (const name of unknown) stdout.write(`unknown ${name}\n`)
  return pending.length + unknown.length === 0 ? exitCodes.done : exitCodes.failed
}
