import { test } from 'node:test'
import { anyUploads } from './contracts/parts-model.ts'

test('whatever comes in stretches and pieces, what is stored is what was acknowledged, and nothing else', async () => {
  await anyUploads({ runs: 100 })
})
