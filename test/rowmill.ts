import { fileURLToPath } from 'node:url'
import { type Env, mainCommand, start } from './harness.ts'

/** Runs the command line to its end, from the project's folder. */
export async function rowmill(
  args: readonly string[],
  env: Env = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await using program = start([...mainCommand, ...args], { cwd: fileURLToPath(new URL('..', import.meta.url)), env })
  const code = await program.exited
  return { code, stdout: program.stdout(), stderr: program.stderr() }
}
