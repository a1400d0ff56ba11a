/** What of a folder is the inbox's own, and what is for us. */

/** The inbox's own folders: what is being worked on, and what has come of it. */
export const ownFolders = { taken: 'taken', done: 'done', failed: 'failed' } as const

/** How programs call a file that they have not finished writing. */
const unfinished = /^\.|~$|\.(?:part|partial|filepart|crdownload|download|tmp|temp|swp)$/i

/** Whether a path below the inbox may be a file for us. */
export function isForUs(path: string): boolean {
  const [first = '', ...rest] = path.split('/')
  const isOwn = rest.length > 0 && Object.values(ownFolders).some((folder) => folder === first)
  return !isOwn && ![first, ...rest].some((name) => unfinished.test(name))
}
