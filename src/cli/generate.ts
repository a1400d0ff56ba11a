import { basename, dirname, extname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Context, type ExitCode, exitCodes } from './context.ts'
import { type Customers, customersCsv } from './customers.ts'
import { playsCsv } from './plays.ts'
import { createMeter } from './progress.ts'
import { saveAll } from './save.ts'

/** Writes made-up plays, the same ones for the same numbers, about 35 bytes a row. */
export async function generatePlays(
  { rows, seed, songs, output }: { rows: number; seed: number; songs: number; output: string | undefined },
  context: Context,
): Promise<ExitCode> {
  const paths = output === undefined ? undefined : [output]
  return await generate({ rows, paths, make: (_, onProgress) => playsCsv(rows, seed, songs, onProgress) }, context)
}

/** Writes made-up customers, the same ones for the same numbers, about 75 bytes a row. Parts are for files only. */
export async function generateCustomers(
  { output, parts, ...customers }: Required<Omit<Customers, 'part'>> & { output: string | undefined },
  context: Context,
): Promise<ExitCode> {
  const paths = output === undefined ? undefined : partPaths(output, parts)
  const make: Make = (part, onProgress) => customersCsv({ ...customers, part, parts: paths?.length ?? 1 }, onProgress)
  return await generate({ rows: customers.rows, paths, make }, context)
}

/** The bytes of a part, from 1 on; `onProgress` has the rows up to there, of all parts. */
type Make = (part: number, onProgress: (rows: number) => void) => Iterable<Buffer>

/** Writes the parts to their paths, where they take their places together; without any, one to standard output. */
async function generate(
  { rows, paths, make }: { rows: number; paths: readonly string[] | undefined; make: Make },
  { signal, stdout, stderr }: Context,
): Promise<ExitCode> {
  using meter = createMeter(stderr)
  const open = (part: number) =>
    Readable.from(make(part, (done) => meter.show('Generating', { unit: 'rows', done, total: rows })))
  if (paths === undefined) await pipeline(open(1), stdout, { signal, end: false })
  else
    await saveAll(
      paths.map((path, i) => ({ path, open: () => open(i + 1) })),
      signal,
    )
  return exitCodes.done
}

/** `customers.csv` → `customers-00001-of-00003.csv`, …: by name they are in the order of their rows. */
function partPaths(path: string, parts: number): string[] {
  if (parts === 1) return [path]
  const extension = extname(path)
  const stem = join(dirname(path), basename(path, extension))
  const padded = (number: number) => String(number).padStart(5, '0')
  return Array.from({ length: parts }, (_, i) => `${stem}-${padded(i + 1)}-of-${padded(parts)}${extension}`)
}
