/** What a push has begun to send, in a file of its own, so that the next one goes on where it was killed. */
import { createHash } from 'node:crypto'
import { appendFile, chmod, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makePath } from '../../durable.ts'
import { errnoOf } from '../../errors.ts'

/** What is to be done: with another file, service or param it is another push. */
export interface Push {
  readonly service: string
  /** Real paths. */
  readonly files: readonly string[]
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** The set, where it was named. */
  readonly set: string | undefined
}

/** An upload that was begun for a file. */
export interface Note {
  /** The real path. */
  readonly path: string
  readonly stamp: string
  /** The Idempotency-Key that it was begun with: where the answer never came, it is found again by that. */
  readonly key: string
  /** How many pieces it is cut into; undefined for one that is sent in order. */
  readonly pieces?: number | undefined
  /** Its path at the service, once that is known. */
  readonly upload?: string | undefined
}

export interface Remembered {
  /** What the set is called; undefined where there is none. */
  readonly set: string | undefined
  /** Whether the next push would find something to go on with. */
  readonly isUnfinished: boolean
  of(path: string): Note | undefined
  note(note: Note): Promise<void>
  forget(path: string): Promise<void>
  /** All is done, or is to begin anew. */
  clear(): Promise<void>
}

/** The first line says what the push is, and each other one what has become of a file. */
type Line = Push | Note | { readonly path: string; readonly forgotten: true }

/** Longer than any service keeps what is not complete, unless it was told to. */
const keptMs = 30 * 86_400_000

/**
 * @param state the folder of the setting STATE.
 * @param fresh a name for the set, where one is needed and nobody has given it.
 * @param warn is told, once, when nothing can be kept there.
 */
export async function remember(
  state: string,
  push: Push,
  fresh: string | undefined,
  warn: (line: string) => void,
): Promise<Remembered> {
  const folder = join(state, 'uploads')
  const file = join(folder, `${createHash('sha256').update(JSON.stringify(push)).digest('hex').slice(0, 32)}.jsonl`)
  const notes = new Map<string, Note>()
  let set: string | undefined
  let isThere = false
  let isKept = true
  for (const line of await linesOf(file)) {
    if ('service' in line) [set, isThere] = [line.set, true]
    else if ('forgotten' in line) notes.delete(line.path)
    else notes.set(line.path, line)
  }
  set ??= push.set ?? fresh

  async function write(line: Line): Promise<void> {
    if (!isKept) return
    try {
      if (!isThere) {
        if ((await makePath(folder)).length > 0) await chmod(folder, 0o700)
        await sweep(folder)
        await append(file, { ...push, set })
        isThere = true
      }
      await append(file, line)
    } catch (error) {
      isKept = false
      warn(`What is begun cannot be noted in ${folder} (${errnoOf(error)}). ROWMILL_STATE names another folder.`)
    }
  }

  async function clear(): Promise<void> {
    notes.clear()
    if (isThere) await rm(file, { force: true })
    isThere = false
  }

  return {
    set,
    get isUnfinished() {
      return isKept && notes.size > 0
    },
    of: (path) => notes.get(path),
    async note(note) {
      notes.set(note.path, note)
      await write(note)
    },
    async forget(path) {
      if (!notes.delete(path)) return
      if (notes.size === 0) await clear()
      else await write({ path, forgotten: true })
    },
    clear,
  }
}

/** A line that was cut off is none; so each begins on a line of its own. */
async function append(file: string, line: Line): Promise<void> {
  await appendFile(file, `\n${JSON.stringify(line)}`, { mode: 0o600 })
}

async function linesOf(file: string): Promise<Line[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as Line]
    } catch {
      return []
    }
  })
}

/** What nobody has come back to. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const stats = await stat(path).catch(() => undefined)
    if (stats !== undefined && Date.now() - stats.mtimeMs > keptMs) await rm(path, { force: true })
  }
}
