/** Rings: messages that the broker has confirmed to be on the disks of a majority. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Channel } from 'rabbitmq-client'
import { AppError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { writeBell } from '../bell.ts'
import { createPatience } from '../patience.ts'
import type { Address } from './address.ts'
import { away, disconnected } from './errors.ts'
import { declare, type Link } from './link.ts'

export interface Ringer {
  ring(task: string): Promise<void>
  /** Messages that no hand has. */
  waiting(): Promise<number>
}

export function createRinger(link: Link, address: Address): Ringer {
  let latest: Promise<Sending> | undefined

  /** One channel for all, and the next one when it is gone. */
  function sending(): Promise<Sending> {
    if (latest !== undefined) return latest
    const opening = openSending()
    const forget = () => {
      if (latest === opening) latest = undefined
    }
    opening.then(({ channel }) => (channel.active ? channel.once('close', forget) : forget()), forget)
    latest = opening
    return opening
  }

  async function openSending(): Promise<Sending> {
    const channel = await link.channel()
    const returned = new Set<string>()
    channel.on('basic.return', ({ messageId }) => returned.add(messageId ?? ''))
    await channel.confirmSelect()
    return { channel, returned }
  }

  /** False when there was no queue to take it. */
  async function publish(task: string): Promise<boolean> {
    const { channel, returned } = await sending()
    const messageId = newId()
    const envelope = { routingKey: address.queue, mandatory: true, durable: true, contentType: 'application/json' }
    await channel.basicPublish({ ...envelope, messageId }, Buffer.from(writeBell(task)))
    // A message that comes back is confirmed as well, and the client tells of its return a turn later.
    await nextTurn()
    return !returned.delete(messageId)
  }

  const patiently = createPatience(() => {
    // The broker may have lost sight of this one channel only.
    latest?.then(({ channel }) => channel.close()).catch(() => undefined)
    latest = undefined
  })

  async function bounded<T>(ask: () => Promise<T>): Promise<T> {
    if (!link.isUp()) throw disconnected()
    try {
      return await patiently(ask)
    } catch (error) {
      throw away(error)
    }
  }

  const waiting = async () => declare((await sending()).channel, address)

  return {
    ring: (task) =>
      bounded(async () => {
        if (await publish(task)) return
        // Somebody has deleted the queue.
        await waiting()
        if (!(await publish(task)))
          throw new AppError('unavailable', 'The queue is gone as soon as it is made. Try again.')
      }),
    waiting: () => bounded(waiting),
  }
}

interface Sending {
  readonly channel: Channel
  /** Messages that no queue has taken. */
  readonly returned: Set<string>
}
