import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { builtInFolder, loadPipelines } from './load.ts'

const root = await mkdtemp(join(tmpdir(), 'rowmill-load-'))
after(() => rm(root, { recursive: true }))

const sound = 'about: x\ninputs: { file: {} }\noutputs: { out: { to: results, sql: FROM file } }\n'

async function folder(name: string, files: Record<string, string>): Promise<string> {
  const path = join(root, name)
  await mkdir(path)
  for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text)
  return path
}

test("a user's folder stands beside the built-in one, tests and other files aside", async () => {
  const mine = await folder('mine', { 'mine.yaml': sound, 'mine.test.yaml': 'cases: 5', 'README.md': '' })
  const pipelines = await loadPipelines([builtInFolder(), mine])
  assert.deepEqual(
    pipelines.list().map(({ name }) => name),
    ['load', 'mine', 'profile', 'song-plays'],
  )
  assert.equal(pipelines.get('mine').text, sound)
  assert.throws(() => pipelines.get('song-play'), {
    code: 'not_found',
    message: 'There is no pipeline song-play. Did you mean song-plays? There are: load, mine, profile, song-plays.',
  })
})

test('a broken file, a name that comes twice and a folder that is not there are refused', async () => {
  const broken = await folder('broken', { 'a.yaml': 'about: 5\n', 'b.yaml': sound, 'c.yaml': ': :' })
  await assert.rejects(loadPipelines([broken]), {
    code: 'unprocessable',
    message: /a\.yaml:1: about is 5.*c\.yaml:1: /s,
  })
  const again = await folder('again', { 'profile.yaml': sound, 'Odd Name.yaml': sound, 'd.yml': sound })
  await assert.rejects(loadPipelines([builtInFolder(), again]), {
    code: 'unprocessable',
    message:
      /Odd Name\.yaml: names no pipeline.*d\.yml: is not read.*again\/profile\.yaml: .* also in .*profile\.yaml/s,
  })
  await assert.rejects(loadPipelines([join(root, 'none')]), {
    code: 'not_found',
    message: /none cannot be read \(ENOENT\)/,
  })
})
