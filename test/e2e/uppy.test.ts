/** Uppy in a browser, as its makers ship it, against our endpoint of tus. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { output, startService, taskEnds, temporaryFolder, type Received } from '../harness.ts'

const browserPath = '/usr/bin/chromium'
const skip = !existsSync(browserPath) && process.env['CI'] !== 'true' && 'chromium is not installed'

interface Page {
  send(text: string): Promise<{ url: string; paused: boolean }>
}

/** What a page would have: two imports and an endpoint. */
const page = `
import Uppy from '@uppy/core'
import Tus from '@uppy/tus'
window.send = (text) => new Promise((resolve, reject) => {
  const uppy = new Uppy({ meta: { pipeline: 'song-plays' } }).use(Tus, { endpoint: '/v1/uploads', chunkSize: 200_000 })
  let paused = false
  uppy.on('upload-progress', (file, { bytesUploaded }) => {
    if (paused || bytesUploaded === 0) return
    paused = true
    uppy.pauseAll()
    setTimeout(() => uppy.resumeAll(), 50)
  })
  uppy.on('complete', ({ successful, failed }) => {
    if (failed.length > 0) reject(new Error(String(failed[0].error)))
    else resolve({ url: successful[0].uploadURL, paused })
  })
  uppy.addFile({ name: 'plays.csv', type: 'text/csv', data: new Blob([text]) })
  uppy.upload().catch(reject)
})
`

test('Uppy sends a file, pauses, goes on, and its task runs', { skip }, async () => {
  await using folder = await temporaryFolder()
  await using service = await startService({ data: folder.at('data') })
  const bundle = await build({
    stdin: { contents: page, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: 'iife',
    logLevel: 'error',
  })
  const script = bundle.outputFiles[0]?.text ?? ''
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  try {
    const tab = await browser.newPage()
    // The page stands where the service is, as one behind the same gateway would.
    const origin = new URL('/', service.url).href
    await tab.route(origin, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>t</title>' }),
    )
    await tab.goto(origin)
    await tab.addScriptTag({ content: script })
    const content = `Song,Date,Number of Plays\n${'Umbrella,2020-01-02,1\n'.repeat(100_000)}`
    const sent = await tab.evaluate((text) => (globalThis as unknown as Page).send(text), content)
    assert.ok(sent.paused)
    const upload = (await (await fetch(new URL(sent.url, service.url))).json()) as Received['upload']
    assert.deepEqual([upload.state, upload.bytes, upload.name], ['complete', content.length, 'plays.csv'])
    const task = await taskEnds(service, { id: upload.task ?? '' })
    assert.match(await output(service, task, 'totals'), /\nUmbrella,2020-01-02,100000\n$/)
    const read = (await (await fetch(new URL(sent.url, service.url))).json()) as Received['upload']
    assert.equal(read.sha256, createHash('sha256').update(content).digest('hex'))
  } finally {
    await browser.close()
  }
})
