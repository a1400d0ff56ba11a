import assert from 'node:assert/strict'
import { appendFile, mkdir, mkdtempDisposable, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { lookAt, openSource } from './sending/source.ts'
import { findSources } from './sending/sources.ts'

test('the last bytes of a file that has changed meanwhile never come', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-source-'))
  const path = join(folder.path, 'a.csv')
  await writeFile(path, Buffer.alloc(600_000))
  const source = await lookAt(path)
  await using opened = await openSource(source)
  let bytes = 0
  await assert.rejects(async () => {
    for await (const chunk of opened.bytes()) {
      if (bytes === 0) await appendFile(path, 'more')
      bytes += chunk.length
    }
  }, /a\.csv has changed while it was sent\. Send it again once it is whole\.$/)
  assert.ok(bytes < 600_000)
  await assert.rejects(openSource(source), /has changed/)
})

test('of a directory its regular files are sent, by name, and what else is in it is told', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-source-'))
  const inside = join(folder.path, 'in')
  for (const path of [inside, join(inside, 'sub'), join(inside, '.git')]) await mkdir(path)
  for (const name of ['in/b.csv', 'in/B.csv', 'in/.hidden.csv', 'outside.csv']) {
    await writeFile(join(folder.path, name), 'a\n1\n')
  }
  await symlink('../outside.csv', join(inside, 'a.csv'))
  const { files, folder: name, leftOut } = await findSources([`${inside}/`])
  assert.deepEqual([files.map((file) => file.name), name, leftOut], [['B.csv', 'a.csv', 'b.csv'], 'in', ['sub']])

  await symlink('b.csv', join(inside, 'again.csv'))
  await assert.rejects(findSources([inside]), /b\.csv is a file that is given twice\. Name it once\.$/)
  await assert.rejects(findSources([join(inside, 'sub')]), /sub is a directory without any files in it/)
  await assert.rejects(findSources([join(inside, 'a.csv'), inside]), /in is a directory\. Give the files in it\.$/)
})
