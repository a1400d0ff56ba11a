import { randomBytes } from 'node:crypto'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * A ULID in lower case: 48 bits of time, 80 of chance, so that ids sort by age and cannot be guessed.
 * Source: the ULID specification (Crockford's base 32).
 */
export function newId(now: number = Date.now(), chance: Uint8Array = randomBytes(16)): string {
  let time = ''
  for (let i = 0, rest = now; i < 10; i++, rest = Math.floor(rest / 32)) time = alphabet.charAt(rest % 32) + time
  let random = ''
  for (const byte of chance) random += alphabet.charAt(byte & 31)
  return time + random
}

/** Whether a text has the form of an id, so that no other text is ever looked up or made into a path. */
export function isId(text: string): boolean {
  return /^[0-9a-hjkmnp-tv-z]{26}$/.test(text)
}
