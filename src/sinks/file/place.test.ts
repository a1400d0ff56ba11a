/** URLs that name no database, or the same one twice: said in plain words, for every database in a file. */
import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { type DatabaseFile, databaseFile, targetOf } from '../../../test/file-fixture.ts'
import { childrenOf, filesIn } from '../../../test/harness.ts'

const id = { task: 'T1', output: 'rows' }

async function refuses({ sinkAt }: DatabaseFile, path: string, message: RegExp): Promise<void> {
  const refused = { code: 'unprocessable', message }
  await assert.rejects(sinkAt(path).check(targetOf()), refused)
  await assert.rejects(sinkAt(path).begin(id, 1, targetOf()), refused)
}

for (const kind of ['SQLite', 'DuckDB'] as const) {
  test(`${kind}: a path of a folder, a device, a loop, of nothing or of something else is refused`, async () => {
    await using file = await databaseFile(kind)
    const at = (...names: string[]) => file.folder.at(...names)
    await mkdir(file.path)
    await refuses(file, file.path, /names is no file/)
    await refuses(file, '/dev/null', /names is no file/)
    await refuses(file, at('nowhere', 'test.db'), /no folder for its file/)
    await symlink(at('loop'), at('loop'))
    await refuses(file, at('loop'), /ELOOP/)
    await refuses(file, at('x'.repeat(300)), /ENAMETOOLONG/)
    await writeFile(at('text'), 'id,name\n')
    await refuses(file, at('text'), /its file is no (SQLite|DuckDB) database/)
    await refuses(file, at('text', 'test.db'), /no folder for its file/)
  })

  test(`${kind}: a file where nothing may be written is refused`, async () => {
    await using file = await databaseFile(kind)
    for (const path of ['/sys/test.db', '/proc/version']) {
      const beginning = file.sinkAt(path).begin(id, 1, targetOf())
      await assert.rejects(beginning, {
        code: 'unprocessable',
        message: /cannot be written to: its folder takes no files/,
      })
    }
  })

  test(`${kind}: two sinks of one task in the same file are refused, and do not wait for each other`, async () => {
    await using file = await databaseFile(kind)
    await using first = await file.sink().begin(id, 1, targetOf())
    const before = childrenOf(process.pid).length
    await symlink(file.path, file.folder.at('link.db'))
    const other = file.sinkAt(file.folder.at('link.db'))
    const beginning = other.begin({ ...id, output: 'pets' }, 1, targetOf({ table: 'pets' }))
    await assert.rejects(beginning, { code: 'unprocessable', message: /same file as that of another sink/ })
    assert.ok(childrenOf(process.pid).length <= before)
    await first[Symbol.asyncDispose]()
    assert.deepEqual(await filesIn(file.folder.path), ['test.db'])
  })
}
