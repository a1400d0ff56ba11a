/** One of the points on each stack; `node test/crash/points-long.ts` takes all of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryFolder } from '../harness.ts'
import { dieAtNth } from './points.ts'
import { chanceOf } from './seed.ts'
import { missingFor, stackNames } from './stacks.ts'

/** Fewer than a service passes for one file. */
const points = 20

for (const [i, name] of stackNames.entries()) {
  test(`a service on ${name} that dies wherever it is leaves nothing half done`, {
    skip: missingFor(name),
  }, async (t) => {
    await using folder = await temporaryFolder()
    const k = chanceOf(i + 1).between(1, points)
    const point = await dieAtNth(name, k, folder)
    t.diagnostic(`point ${k}: ${point}`)
    assert.notEqual(point, undefined)
  })
}
