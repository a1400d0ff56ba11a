/**
 * Where a zstd frame ends (RFC 8878, 3.1). Node's decompressor stops silently at the end of the first frame of a chunk
 * and drops what follows it, so it is fed with chunks that never reach across the end of a frame.
 */

const frameMagic = 0xfd2fb528
/** Of frames that only carry a user's own data; the last four bits are free. */
const skippableMagic = 0x184d2a50

/** A header's bytes, and what they say: how many follow that need no look, and which header then. None: the frame ends. */
type Step = { readonly need: number; readonly read: (head: Buffer) => Next }
type Next = { readonly skip: number; readonly next: Step | undefined }

/** The damage that the frames themselves show. */
export class ZstdDamage extends Error {}

/**
 * Passes the bytes through, cut where frames end.
 * @throws {ZstdDamage} where no frame begins that should, and when the last one is not finished.
 */
export async function* zstdFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let step: Step | undefined = frameStart
  let head = Buffer.alloc(0)
  let skip = 0
  for await (const chunk of source) {
    let from = 0
    for (let at = 0; at < chunk.length; ) {
      if (skip > 0) {
        const taken = Math.min(skip, chunk.length - at)
        at += taken
        skip -= taken
        continue
      }
      if (step === undefined) {
        if (at > from) yield chunk.subarray(from, at)
        from = at
        step = frameStart
      }
      const more = chunk.subarray(at, at + step.need - head.length)
      head = Buffer.concat([head, more])
      at += more.length
      if (head.length < step.need) break
      ;({ skip, next: step } = step.read(head))
      head = Buffer.alloc(0)
    }
    yield chunk.subarray(from)
  }
  const between = skip === 0 && head.length === 0 && (step === undefined || step === frameStart)
  if (!between) throw new ZstdDamage('unexpected end of file')
}

const frameStart: Step = {
  need: 4,
  read(head) {
    const magic = head.readUInt32LE(0)
    if (magic === frameMagic) return { skip: 0, next: frameHeader }
    if ((magic & 0xfffffff0) >>> 0 === skippableMagic) return { skip: 0, next: skippableSize }
    throw new ZstdDamage('unknown data behind the end of a frame')
  },
}

const skippableSize: Step = {
  need: 4,
  read: (head) => ({ skip: head.readUInt32LE(0), next: undefined }),
}

const frameHeader: Step = {
  need: 1,
  read(head) {
    const descriptor = head.readUInt8(0)
    const single = (descriptor & 0x20) !== 0
    const contentSize = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0
    const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0
    return { skip: (single ? 0 : 1) + dictionary + contentSize, next: blockOf((descriptor & 4) !== 0) }
  },
}

/** A block's header: last or not, raw, run-length, compressed or reserved, and its size. */
function blockOf(checksum: boolean): Step {
  const block: Step = {
    need: 3,
    read(head) {
      const header = head.readUIntLE(0, 3)
      const [last, kind, size] = [(header & 1) !== 0, (header >>> 1) & 3, header >>> 3]
      if (kind === 3) throw new ZstdDamage('a block of an unknown kind')
      const length = kind === 1 ? 1 : size
      return last ? { skip: length + (checksum ? 4 : 0), next: undefined } : { skip: length, next: block }
    },
  }
  return block
}
