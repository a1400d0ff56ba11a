/** An output on its way into a database in a file, or back, as the parent of the process sees it that has it open. */
import type { Fail } from '../../failpoints.ts'
import type { Target } from '../../model.ts'
import type { OutputBalance, Undone } from '../../balances.ts'
import type { Delivered, Delivery, DeliveryId, Produced, Undoable, Undoing, WriteOptions } from '../../ports.ts'
import type { Written } from './loader.ts'
import type { Session } from './session.ts'
import { balanceOf, type Committed, cutBy, delivered, deliveredBefore } from '../tables.ts'

export interface On {
  readonly session: Session
  readonly id: DeliveryId
  readonly fail: Fail
}

/** Whatever an output does in the transaction that it shares: first it writes, and then it commits. */
class Share<T> implements AsyncDisposable {
  readonly #on: On
  /** What it came to, from when it is written until it is committed. */
  #written: T | undefined
  #isOver: boolean

  constructor(on: On, isOver: boolean) {
    this.#on = on
    this.#isOver = isOver
  }

  async write(signal: AbortSignal, call: (session: Session) => Promise<T>): Promise<T> {
    const { session } = this.#on
    this.#written = await cutBy(
      signal,
      () => void session.writer[Symbol.asyncDispose](),
      () => call(session),
    )
    return this.#written
  }

  async commit(): Promise<T> {
    const written = this.#written
    const { session, id, fail } = this.#on
    if (written === undefined) throw new Error(`output ${id.output} is committed before it is written`)
    // The ledger is written together with the rows: nobody else can write in between.
    fail?.('before-ledger')
    fail?.('after-ledger')
    fail?.('before-commit')
    await session.writer.call('commit', [id])
    fail?.('after-commit')
    this.#written = undefined
    return written
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.#on.session.leave(this.#written !== undefined)
  }
}

/** @param committed by an earlier attempt: this one has left its session then. */
export function deliver(on: On, sink: string, target: Target, committed: Committed | undefined): Delivery {
  const { id } = on
  const share = new Share<Written>(on, committed !== undefined)
  return {
    delivered: deliveredBefore(sink, id, target, committed),
    async write(produced: Produced, { signal, onProgress }: WriteOptions): Promise<OutputBalance> {
      const { counts } = await share.write(signal, ({ writer }) => {
        const { open, ...sent } = produced
        const rows = produced.format === 'parquet' ? undefined : open(signal)
        return writer.call('write', [id, target, sent], { onProgress, rows })
      })
      return balanceOf(counts)
    },
    async commit(): Promise<Delivered> {
      const { counts, undoable } = await share.commit()
      return delivered(sink, id, target, counts, undoable)
    },
    [Symbol.asyncDispose]: () => share[Symbol.asyncDispose](),
  }
}

/** @param undone by an earlier attempt: this one has left its session then. */
export function takeBack(on: On, of: Undoable, undone: Undone | undefined): Undoing {
  const share = new Share<Undone>(on, undone !== undefined)
  return {
    undone,
    async write(signal: AbortSignal): Promise<void> {
      await share.write(signal, ({ writer }) => writer.call('undo', [on.id, of]))
    },
    commit: () => share.commit(),
    [Symbol.asyncDispose]: () => share[Symbol.asyncDispose](),
  }
}
