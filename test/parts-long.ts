/** `node test/parts-long.ts [SEED]`: ten thousand sequences of stretches and pieces, right and wrong. */
import { test } from 'node:test'
import { anyUploads } from './contracts/parts-model.ts'

const seed = Number(process.argv[2] ?? Date.now() % 2 ** 31)

test(`ten thousand uploads are what was acknowledged (seed ${seed})`, async () => {
  await anyUploads({ runs: 10_000, seed })
})
