/** `docs/dangers.md` names every danger that is tested, and no other. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { duckdb } from './both.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const page = await readFile(join(here, '../../docs/dangers.md'), 'utf8')

/** Every danger's test by its name, with the file it is in and its text. */
async function dangers(): Promise<{ name: string; file: string; text: string }[]> {
  const files = (await readdir(here)).filter((file) => file.endsWith('.test.ts') && file !== 'page.test.ts')
  const found = files.map(async (file) => {
    const [, ...tests] = (await readFile(join(here, file), 'utf8')).split(/^test\(/m)
    return tests.map((text) => ({ name: /^'(.+)',/.exec(text)?.[1] ?? `none in ${text}`, file, text }))
  })
  return (await Promise.all(found)).flat()
}

test('every danger on the page has its test, and every test its danger', async () => {
  const told = Array.from(page.matchAll(/^\| (.+?) \| .+ \| \[(.+)\]\(\.\.\/test\/dangers\/\2\) \|$/gm))
  assert.deepEqual(
    told.map(([, name, file]) => `${file}: ${name}`).toSorted(),
    (await dangers()).map(({ name, file }) => `${file}: ${name}`).toSorted(),
  )
})

test('every danger is shown to happen, and Rowmill to be immune', async () => {
  for (const { name, text } of await dangers()) {
    for (const side of ['DuckDB', 'Rowmill']) {
      assert.match(text, new RegExp(`^  await t\\.test\\('${side}`, 'm'), `${name}: ${side}`)
    }
  }
})

test('the page is about the DuckDB that is installed', async () => {
  assert.deepEqual(await duckdb('SELECT version()'), [[/DuckDB (v[\d.]+\d)/.exec(page)?.[1]]])
})
