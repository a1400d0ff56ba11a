import assert from 'node:assert/strict'
import { mkdir, mkdtempDisposable, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { rowmill } from '../../test/rowmill.ts'

const customers = ['generate', 'customers', '--rows', '1000', '--seed', '7', '--bad', '0.1']

test('customers go to stdout, to a file or to numbered parts, the same ones', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-generate-'))
  const { code, stdout } = await rowmill(customers)
  assert.equal(code, 0)
  const [header = ''] = stdout.split(/(?<=\n)/, 1)
  const read = (name: string) => readFile(join(folder.path, name), 'utf8')

  assert.equal((await rowmill([...customers, '-o', join(folder.path, 'c.csv')])).code, 0)
  assert.equal(await read('c.csv'), stdout)
  assert.equal((await rowmill([...customers, '-o', join(folder.path, 'c.csv'), '--parts', '12'])).code, 0)
  const names = (await readdir(folder.path)).toSorted()
  assert.equal(names.length, 13)
  assert.deepEqual([names[0], names[11], names[12]], ['c-00001-of-00012.csv', 'c-00012-of-00012.csv', 'c.csv'])
  const parts = await Promise.all(names.slice(0, 12).map(read))
  assert.ok(parts.every((part) => part.startsWith(header)))
  assert.equal(header + parts.map((part) => part.slice(header.length)).join(''), stdout)
})

test('none of the parts is left when one cannot be written', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'rowmill-generate-'))
  await mkdir(join(folder.path, 'c-00002-of-00003.csv'))
  const { code, stderr } = await rowmill([...customers, '-o', join(folder.path, 'c.csv'), '--parts', '3'])
  assert.equal(code, 1)
  assert.match(stderr, /^rowmill: .*c-00002-of-00003\.csv cannot be written \(EISDIR\)\./)
  assert.deepEqual(await readdir(folder.path), ['c-00002-of-00003.csv'])
})
