/** A disk that is soon full: a mount at a folder, which only the command in it sees, and which goes when that does. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'

/** The command as it is to be started, to find a disk of so many bytes at the folder. */
export function onSmallDisk(folder: string, bytes: number, command: readonly string[]): string[] {
  const mount = `mount -t tmpfs -o size=${bytes},mode=1777 none "$0" && exec "$@"`
  const rights = process.getuid?.() === 0 ? [] : ['--map-root-user']
  return ['unshare', ...rights, '--mount', 'sh', '-c', mount, folder, ...command]
}

/** Runs a script of a module with such a disk where its temporary files go. */
export function scriptOnSmallDisk(folder: string, bytes: number, source: string): SpawnSyncReturns<string> {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source]
  const [program = '', ...args] = onSmallDisk(folder, bytes, node)
  return spawnSync(program, args, { encoding: 'utf8', env: { PATH: process.env['PATH'], TMPDIR: folder } })
}

/** Why tests that need one are left out here, or false; where nothing may be left out, they fail. */
export function noSmallDisk(): string | false {
  const [program = '', ...args] = onSmallDisk('/mnt', 1_000_000, ['true'])
  if (process.env['CI'] === 'true' || spawnSync(program, args).status === 0) return false
  return 'a small disk cannot be mounted here (unshare, tmpfs)'
}
