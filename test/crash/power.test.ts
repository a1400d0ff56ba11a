/** What would survive a power loss: the order in which the system is told, traced while files come in by each door. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { childrenOf, mainCommand, startService, temporaryFolder, until } from '../harness.ts'

const missing = spawnSync('strace', ['-V']).error !== undefined
const skip = missing && process.env['CI'] !== 'true' && 'strace is not installed'

const version = { 'tus-resumable': '1.0.0' }

type Ask = (path: string, init: RequestInit) => Promise<Response>

/** Sends the file whole; the status that acknowledges it. */
const doors: Readonly<Record<string, (ask: Ask, body: string) => Promise<number>>> = {
  'one request': async (ask, body) => {
    await ask('/v1/uploads?pipeline=song-plays', { method: 'POST', body })
    return 202
  },
  'a PATCH of tus': async (ask, body) => {
    const creation = {
      ...version,
      'upload-length': String(body.length),
      'upload-metadata': `pipeline ${btoa('song-plays')}`,
    }
    const { headers } = await ask('/v1/uploads', { method: 'POST', headers: creation })
    const type = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }
    await ask(headers.get('location') ?? '', { method: 'PATCH', headers: { ...version, ...type }, body })
    return 204
  },
  'a piece': async (ask, body) => {
    const { headers } = await ask('/v1/uploads?parts=1&pipeline=song-plays', { method: 'POST' })
    await ask(`${headers.get('location')}/parts/1`, { method: 'PUT', body })
    return 200
  },
}

suite('an answer comes after the bytes, their name and the record are on the disk', { skip }, () => {
  for (const [door, send] of Object.entries(doors)) {
    test(`by ${door}`, async () => {
      await using folder = await temporaryFolder()
      const trace = folder.at('trace')
      const calls = 'trace=write,pwrite64,writev,fsync,fdatasync,rename'
      const traced = ['strace', '-f', '-y', '-s', '400', '-o', trace, '-e', calls, ...mainCommand, 'serve']
      await using service = await startService({ data: folder.at('data'), command: traced })
      const marker = `Marker-${door.length}`
      const status = await send(async (path, init) => {
        const response = await fetch(new URL(path, service.url), init)
        assert.ok(response.ok, await response.text())
        return response
      }, `Song,Date,Number of Plays\n${marker},2020-01-01,1\n`)
      for (const { pid } of childrenOf(service.pid)) process.kill(pid, 'SIGTERM')
      await service.exited
      const lines = await until('the trace is whole', async () => (await readFile(trace, 'utf8')).split('\n'))
      assertOrder(wholeCalls(lines), marker, status)
    })
  }
})

/** A call that others came between is told in two lines; here it stands where it ended. */
function wholeCalls(lines: readonly string[]): string[] {
  const begun = new Map<string, string>()
  return lines.flatMap((line) => {
    const [, pid = '', start] = /^(\d+) +(.*?) *<unfinished \.\.\.>$/.exec(line) ?? []
    if (start !== undefined) {
      begun.set(pid, start)
      return []
    }
    const [, by = '', end] = /^(\d+) +<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? []
    return [end === undefined ? line : `${by} ${begun.get(by) ?? ''}${end}`]
  })
}

function assertOrder(lines: readonly string[], marker: string, status: number): void {
  let at = 0
  const next = (what: string, pattern: RegExp): RegExpExecArray => {
    for (; at < lines.length; at++) {
      const found = pattern.exec(lines[at] ?? '')
      if (found !== null) {
        at++
        return found
      }
    }
    return assert.fail(`there is no ${what} after what came before it`)
  }
  const [, draft = ''] = next('write', new RegExp(`write(?:64)?\\(\\d+<([^>]+/blobs/tmp/[^>]+)>, ".*${marker}`))
  next('fsync of the bytes', new RegExp(`f(?:data)?sync\\(\\d+<${draft}>\\) += 0`))
  const [, folder = ''] = next('rename', new RegExp(`rename\\("${draft}", "(.*)/[^/"]+"\\) += 0`))
  next('fsync of the folder', new RegExp(`fsync\\(\\d+<${folder}>\\) += 0`))
  next('commit', /pwrite64\(\d+<[^>]+catalog\.db-wal>/)
  next('fsync of the commit', /f(?:data)?sync\(\d+<[^>]+catalog\.db-wal>\) += 0/)
  next('answer', new RegExp(`write\\(\\d+<socket:.*HTTP/1\\.1 ${status} `))
  const answer = at
  const early = lines.findIndex((line) => /write\(\d+<socket:.*HTTP\/1\.1 /.test(line) && line.includes(` ${status} `))
  assert.equal(early, answer - 1, 'the answer came before')
}
