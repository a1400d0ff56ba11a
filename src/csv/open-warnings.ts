/** What is to be said of a text as such: how it was encoded, and what stood at its edges. */
import type { WarningCode } from '../codes.ts'
import type { Warning } from '../model.ts'
import type { Detection } from './encoding.ts'
import type { Header } from './sniff.ts'
import { isMarked, unmarked } from './text/marks.ts'

export function encodingWarnings({ encoding, how, confidence, firstBad, doubt }: Detection): Warning[] {
  const warn = (message: string): Warning[] => [{ code: 'encoding-guess', message }]
  if (how === 'named') return doubt === undefined ? [] : warn(`read as ${encoding}, as was said, though ${doubt}`)
  const naming = 'if that is wrong, name the encoding (clean --encoding, else --param reader.encoding=…)'
  const sure = `${Math.round(confidence * 100)} % sure`
  if (firstBad >= 0 && encoding === 'utf-8') {
    const bad = `though it has bytes that are none of it, the first at byte ${firstBad}, whose records are rejects`
    return warn(`read as utf-8 (${sure}), ${bad}: ${naming}`)
  }
  return how === 'guess' ? warn(`read as ${encoding} (${sure}), since it is not UTF-8: ${naming}`) : []
}

export interface Edges {
  /** Whether more stood before the text than the one mark that may. */
  readonly hasExtraMark: boolean
  /** The text's beginning, without any marks. */
  readonly sample: Buffer
  readonly header: Header
  /** How many end-of-file marks stood behind the text. */
  readonly endMarks: number
}

/** What stood before the text, before its header or behind it, and is no part of it. */
export function edgeWarnings({ hasExtraMark, sample, header, endMarks }: Edges): Warning[] {
  const warnings: Warning[] = []
  const warn = (code: WarningCode, message: string) => void warnings.push({ code, message })
  if (hasExtraMark) {
    const what = 'more than one byte-order mark, or one that was encoded twice (“ï»¿”),'
    warn('byte-order-mark', `${what} stands before the text, and is left out`)
  }
  if (isMarked(sample, header.start)) {
    warn('byte-order-mark', `a byte-order mark stands at the beginning of line ${header.line}, and is left out`)
  }
  const [first = ''] = header.cells ?? []
  if (first !== unmarked(first)) {
    warn('byte-order-mark', `the first label, on line ${header.line}, begins with a byte-order mark, which is left out`)
  }
  if (endMarks > 0) {
    const times = endMarks === 1 ? '' : `, ${endMarks} times`
    warn('end-of-file-mark', `the file ends in Ctrl-Z (0x1A${times}), the end-of-file mark of DOS, which is left out`)
  }
  return warnings
}
