/** In every so many chunks rows are counted: to do so in all of them would take a tenth of a load. */
const every = 16

const lineFeed = 0x0a

/**
 * Passes rows on, and tells about how many have gone by. They are those of the chunks that were counted, and as many of
 * the others as these let expect.
 * @param rows tabbed text, or whatever else has a line for each row; of other forms the number means nothing.
 */
export async function* counted(
  rows: AsyncIterable<Buffer>,
  onProgress: (rows: number) => void,
): AsyncGenerator<Buffer> {
  let chunks = 0
  let bytes = 0
  let countedBytes = 0
  let countedRows = 0
  for await (const chunk of rows) {
    if (chunks++ % every === 0) {
      countedRows += linesIn(chunk)
      countedBytes += chunk.length
    }
    bytes += chunk.length
    yield chunk
    onProgress(Math.floor((countedRows * bytes) / countedBytes))
  }
}

function linesIn(chunk: Buffer): number {
  let lines = 0
  for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, at + 1)) lines++
  return lines
}
