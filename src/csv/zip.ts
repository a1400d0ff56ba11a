/** The one file in a zip archive, found by the archive's own directory. */
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import { errnoOf } from '../errors.ts'
import { refused } from './refused.ts'

/** Where a member's packed bytes stand, and what they must unpack to. */
export interface Member {
  readonly start: number
  readonly packedBytes: number
  readonly bytes: number
  readonly crc32: number
  readonly deflated: boolean
}

/** An archive with more entries is not looked through. */
const mostEntries = 1000

/**
 * Folders do not count, nor what macOS adds about its own files.
 * @throws {AppError} rejected, when it is not exactly one file, packed in a way that is known and without a password.
 */
export async function zipMember(path: string, name: string): Promise<Member> {
  let zip: ZipFile | undefined
  try {
    // Names are not used but in messages, so that odd ones do no harm and need no check.
    zip = await openPromise(path, { autoClose: false, decodeStrings: false })
    const files = await filesOf(zip, name)
    const [entry] = files
    if (entry === undefined)
      throw refused(name, 'it is a zip archive without a file in it', 'Send the CSV file itself.')
    if (files.length > 1) throw severalFiles(files, name)
    refuseUnknown(entry, name)
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true })
    return {
      start: fileDataStart,
      packedBytes: entry.compressedSize,
      bytes: entry.uncompressedSize,
      crc32: entry.crc32,
      deflated: entry.compressionMethod === 8,
    }
  } catch (error) {
    // What is no error of ours and none of the system's is the library's word on the archive.
    if (!(error instanceof Error) || error.name === 'AppError' || errnoOf(error) !== undefined) throw error
    const encrypted = error.message.includes('encryption')
    throw encrypted
      ? locked(name, error)
      : refused(name, `the zip archive is cut off or damaged`, 'Send it again.', error)
  } finally {
    zip?.close()
  }
}

async function filesOf(zip: ZipFile, name: string): Promise<Entry[]> {
  const files: Entry[] = []
  let entries = 0
  for await (const entry of zip.eachEntry()) {
    const path = nameOf(entry)
    const document = documents.find(([pattern]) => pattern.test(path))
    if (document !== undefined) throw refused(name, `it is ${document[1]}`, 'Save its table as CSV and send that.')
    if (!path.endsWith('/') && !/^__MACOSX\/|(^|\/)\.DS_Store$/.test(path)) files.push(entry)
    if (++entries === mostEntries) break
  }
  return files
}

/** Zip archives that are documents, by a member that only they have. Of Office's, the general sign comes last. */
const documents: readonly (readonly [member: RegExp, what: string])[] = [
  [/^xl\//, 'an Excel workbook'],
  [/^word\//, 'a Word document'],
  [/^\[Content_Types\]\.xml$/, 'an Office document, perhaps an Excel workbook'],
  [/^mimetype$/, 'an OpenDocument file, perhaps a LibreOffice spreadsheet'],
  [/^META-INF\/MANIFEST\.MF$/, 'a Java archive'],
]

function severalFiles(files: readonly Entry[], name: string): Error {
  const some = files.slice(0, 3).map(nameOf).join(', ')
  const count = files.length >= mostEntries ? 'a great many' : String(files.length)
  const all = `${some}${files.length > 3 ? ', …' : ''}`
  return refused(
    name,
    `it is a zip archive of ${count} files (${all})`,
    'Send them one by one, or one in each archive.',
  )
}

const methods: Readonly<Record<number, string>> = { 9: 'Deflate64', 12: 'bzip2', 14: 'LZMA', 93: 'zstd', 95: 'xz' }

function refuseUnknown(entry: Entry, name: string): void {
  if (entry.isEncrypted()) throw locked(name)
  if (!entry.canDecodeFileData()) {
    const method = methods[entry.compressionMethod] ?? `method ${entry.compressionMethod}`
    throw refused(name, `the file in the zip archive is packed with ${method}`, 'Pack it with the usual Deflate.')
  }
  // A link has the path of another file for its content.
  const isLink = entry.externalFileAttributes >>> 28 === 0xa && entry.versionMadeBy >>> 8 === 3
  if (isLink) throw refused(name, 'the zip archive holds only a link to a file', 'Pack the file itself.')
}

function locked(name: string, cause?: unknown): Error {
  return refused(name, 'the zip archive is encrypted', 'Pack it again without a password.', cause)
}

function nameOf(entry: Entry): string {
  return entry.fileNameRaw.toString().replaceAll('\\', '/')
}
