/** A first look at the beginning of a file, before it is whole: it tells what is plainly no table, and lets the rest pass. */
import { Readable } from 'node:stream'
import { constants, createGunzip, createZstdDecompress } from 'node:zlib'
import { refuseForeign } from './foreign.ts'
import { refused } from './refused.ts'

/** A share of control characters above which bytes are no text, unless they are text in UTF-16. */
const mostControls = 0.05

const unpackers = {
  gzip: () => createGunzip(),
  zstd: () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 27 } }),
} as const

/**
 * @param start the first bytes; unpacked as far as they go.
 * @throws {AppError} rejected, saying what the file is and what to do.
 */
export async function refuseNoText(start: Buffer, name: string): Promise<void> {
  const text = await plainStart(start)
  // An archive is looked into when it is whole, since its directory stands at its end.
  if (isZip(start)) return
  refuseForeign(text, name)
  refuseBinary(text, name)
}

/** By its first bytes: a file in an archive, one without any, or a part of one. */
export function isZip(start: Buffer): boolean {
  return ['504b0304', '504b0506', '504b0708'].includes(start.toString('hex', 0, 4))
}

/** The beginning of what is packed there; the bytes themselves where nothing is. */
export async function plainStart(start: Buffer): Promise<Buffer> {
  const magic = start.toString('hex', 0, 4)
  if (magic.startsWith('1f8b')) return await unpackedStart(start, 'gzip')
  if (magic === '28b52ffd' || /^5.2a4d18$/.test(magic)) return await unpackedStart(start, 'zstd')
  return start
}

/** As much as comes out first: what is damaged or cut off later is told by whoever reads it whole. */
async function unpackedStart(start: Buffer, method: keyof typeof unpackers): Promise<Buffer> {
  const unpacker = unpackers[method]()
  Readable.from([start])
    .on('error', () => {})
    .pipe(unpacker)
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of unpacker as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= start.length) break
    }
  } catch {
    // It ends amid the packed bytes, of which these are the beginning.
  }
  return Buffer.concat(chunks)
}

/** What no text is full of; tabs, line ends, the escape of ISO-2022 and what sets fields and records apart are none. */
function isControl(byte: number): boolean {
  return byte < 0x1b && !(byte >= 0x09 && byte <= 0x0d) && byte !== 0x01
}

function refuseBinary(bytes: Buffer, name: string): void {
  const controls = bytes.reduce((count, byte) => count + (isControl(byte) ? 1 : 0), 0)
  if (controls <= bytes.length * mostControls || mayBeUtf16(bytes)) return
  const share = Math.round((controls / bytes.length) * 100)
  throw refused(
    name,
    `${share} % of its first bytes are control characters, so it is a binary file and no text`,
    'Send the CSV file instead; perhaps the wrong file was taken.',
  )
}

/** Such text has a mark, or its NULs at every second byte, those of one kind only. */
function mayBeUtf16(bytes: Buffer): boolean {
  if (['fffe', 'feff'].includes(bytes.toString('hex', 0, 2))) return true
  const nuls = [0, 0]
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, at + 1)) nuls[at % 2] = (nuls[at % 2] ?? 0) + 1
  const [fewer = 0, more = 0] = nuls.toSorted((a, b) => a - b)
  return more > 0 && bytes.length > 1 && fewer * 20 < more
}
