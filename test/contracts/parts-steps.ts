/** What is done to two uploads, one that comes in order and one in pieces: sequences made up by fast-check. */
import fc from 'fast-check'

/** Bytes on their way, and what is wrong with them. */
export interface Sending {
  readonly content: string
  /** The connection breaks after so many of them. */
  readonly breaks: number | undefined
  readonly checksum: 'right' | 'wrong' | undefined
}

export interface Piece extends Sending {
  readonly n: number | undefined
}

export type Step =
  | { readonly does: 'piece'; readonly piece: Piece }
  | { readonly does: 'pieces side by side'; readonly pieces: readonly Piece[] }
  | { readonly does: 'stretch'; readonly beside: number; readonly sending: Sending }
  | { readonly does: 'stretches at once'; readonly sendings: readonly Sending[] }
  | { readonly does: 'resume' }
  | { readonly does: 'complete' | 'remove'; readonly which: 'order' | 'pieces' }

/** Few and alike, so that equal ones meet: what is stored already is not stored again. */
const content = fc.constantFrom('', 'a,b\n', 'a,b\n1,2\n', '3,4\n', '5,6\n7,8\n9,0\n', 'x'.repeat(25), 'y'.repeat(40))
const whole = content.map((one): Sending => ({ content: one, breaks: undefined, checksum: undefined }))
const sending = fc.oneof(
  { weight: 4, arbitrary: whole },
  {
    weight: 2,
    arbitrary: fc.record({
      content,
      breaks: fc.option(fc.nat(12), { nil: undefined }),
      checksum: fc.constantFrom('right', 'wrong', undefined),
    }),
  },
)
const numbered = fc.tuple(sending, fc.integer({ min: 1, max: 3 })).map(([one, n]): Piece => ({ ...one, n }))
const piece = fc.oneof(
  { weight: 4, arbitrary: numbered },
  { weight: 1, arbitrary: sending.map((one): Piece => ({ ...one, n: undefined })) },
)
const which = fc.constantFrom('order', 'pieces')

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ does: fc.constant('piece'), piece }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('pieces side by side'),
      pieces: fc.array(numbered, { minLength: 2, maxLength: 3 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ does: fc.constant('stretch'), beside: fc.constantFrom(0, 0, 0, 0, -1, 1, 8), sending }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant('stretches at once'),
      sendings: fc.array(whole, { minLength: 2, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('resume') }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('complete'), which }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('remove'), which }) },
)

export interface Scenario {
  /** Of the upload that comes in order; null for one that is not announced. */
  readonly size: number | null
  /** Of the upload that comes in pieces; null for any. */
  readonly count: number | null
  /** Whether that one becomes a task. */
  readonly isForTask: boolean
  readonly steps: readonly Step[]
}

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  size: fc.constantFrom(null, null, 8, 16, 20, 25),
  count: fc.constantFrom(null, null, 1, 2, 3),
  isForTask: fc.boolean(),
  steps: fc.array(step, { minLength: 1, maxLength: 8 }),
})
