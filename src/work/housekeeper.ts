/** Clears the folders of this process of what a death has left there: each process has its own. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Folders, sweepFolders, sweepMs } from './sweep.ts'

export function startHousekeeper(folders: Folders): AsyncDisposable {
  const stop = new AbortController()
  let left: Set<string> | undefined
  const rounds = async () => {
    while (!stop.signal.aborted) {
      try {
        left = await sweepFolders(folders, left)
      } catch (error) {
        folders.log.warn({ err: error }, 'the folders could not be swept; in an hour again')
      }
      await sleep(sweepMs, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }
  const working = rounds()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await working
    },
  }
}
