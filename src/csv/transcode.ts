/** Text in any encoding → the same text in UTF-8, strictly, with the way back to the bytes it came from. */
import { open, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { openTarget } from './target.ts'
import { decoded } from './text/decoded.ts'
import { decoderOf, markOf, type Piece } from './text/decoder.ts'
import { SourceMap } from './text/source-map.ts'

/**
 * Stands in the text for every byte of the source that means nothing. It is never UTF-8, wherever it stands, so that
 * whoever checks a record sees that something in it could not be read, and no other record is touched.
 */
const undecodableByte = 0xff

/** How far apart the places are that the way back begins from: bytes of the source. */
const placeBytes = 1 << 20

export interface TranscodeOptions {
  readonly signal: AbortSignal
  /** Told how many bytes of the source are done. */
  readonly onProgress: (bytes: number) => void
  /** How much of the source is read at once; the result is the same. */
  readonly blockBytes?: number
}

/**
 * Writes the text as UTF-8 without a mark; line ends stay as they are. Nothing is left at the target when that fails.
 * @param encoding as `detectEncoding` gives it.
 * @returns the way back, to be disposed of before either file is removed.
 */
export async function transcode(
  path: string,
  target: string,
  encoding: string,
  { signal, onProgress, blockBytes }: TranscodeOptions,
): Promise<SourceMap> {
  const start = await markLength(path, encoding)
  const places = [{ source: start, text: 0 }]

  async function* text(): AsyncGenerator<Buffer> {
    let [written, lastPlace] = [0, start]
    for await (const { bytes, offset, pieces } of decoded(path, encoding, { signal, start, blockBytes })) {
      if (offset - lastPlace >= placeBytes) {
        places.push({ source: offset, text: written })
        lastPlace = offset
      }
      const out = pieces === undefined ? Buffer.from(bytes) : Buffer.concat(pieces.map(encode))
      const done = offset + bytes.length
      yield out
      written += out.length
      onProgress(done)
    }
  }

  try {
    await pipeline(text, await openTarget(target), { signal })
  } catch (error) {
    await rm(target, { force: true })
    throw signal.aborted ? signal.reason : error
  }
  return new SourceMap(path, target, decoderOf(encoding), places)
}

async function markLength(path: string, encoding: string): Promise<number> {
  const mark = markOf(encoding)
  if (mark.length === 0) return 0
  await using file = await open(path, 'r')
  const { buffer } = await file.read(Buffer.alloc(mark.length), 0, mark.length, 0)
  return buffer.equals(mark) ? mark.length : 0
}

function encode(piece: Piece): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece) : Buffer.alloc(piece.length, undecodableByte)
}
