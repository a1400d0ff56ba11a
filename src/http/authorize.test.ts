import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { type Folder, temporaryFolder } from '../../test/harness.ts'
import { csv, insertTask, json, post, type Served, serve, succeed } from '../../test/http-fixture.ts'
import { openDiskBlobs } from '../blobs/disk.ts'
import { newId } from '../ids.ts'
import { createLog } from '../log.ts'
import { directKey } from '../model.ts'
import type { Blobs } from '../ports.ts'

interface Route {
  readonly method: string
  /** With `{id}`, `{task_id}` or `{folder}`. */
  readonly path: string
}

const idsInPaths = /\{(id|task_id|folder)\}/

/** Every route that takes an id, from the document that lists every route. Of PUT, the path without more is a name. */
async function routesWithId(served: Served): Promise<Route[]> {
  const { paths } = (await (await fetch(`${served.url}/openapi.json`)).json()) as { paths: Record<string, object> }
  return Object.entries(paths)
    .filter(([path]) => idsInPaths.test(path))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })))
    .flatMap((route) =>
      route.method === 'GET' && !/\/events$|^\/v1\/uploads\/\{id\}$/.test(route.path)
        ? [route, { ...route, method: 'HEAD' }]
        : [route],
    )
    .filter(({ method, path }) => method !== 'PUT' || path !== '/v1/uploads/{id}')
}

const rows = { name: 'rows', to: 'warehouse', table: 't', mode: 'append', rows: 1, undoable: true } as const

/** Something of an owner's that the route is for. */
async function objectFor(served: Served, { method, path }: Route, owner: string): Promise<string> {
  const { catalog } = served
  const file = { id: newId(), owner, name: 'plays.csv' }
  if (path.startsWith('/v1/sets'))
    return (await catalog.createSet({ ...file, name: null, order: null, files: null })).id
  if (path === '/api/upload/{folder}') {
    return (await catalog.createSet({ ...file, name: null, order: null, files: null })).id
  }
  if (path.includes('/parts/{n}')) {
    const { id } = await catalog.createUpload({ ...file, comes: 'in pieces' })
    await served.blobs.put(directKey(id, 1), Readable.from([Buffer.from(csv)]))
    return id
  }
  if (path.startsWith('/v1/uploads') && ['PATCH', 'HEAD'].includes(method)) return (await catalog.createUpload(file)).id
  const task = await insertTask(served, owner)
  if (!path.endsWith('/cancel')) await succeed(served, task.id, path.endsWith('/undo') ? [rows] : [])
  return /^\/v1\/uploads|\/complete$/.test(path) ? (task.inputs[0]?.upload ?? '') : task.id
}

function ask({ url }: Served, { method, path }: Route, id: string): Promise<Response> {
  const headers = {
    ...(method === 'PATCH' && {
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
    }),
    ...(path === '/v1/uploads/{id}' && method === 'POST' && { 'x-http-method-override': 'DELETE' }),
  }
  const takesBody = method === 'PATCH' || path.endsWith('/parts/{n}') || path === '/api/upload/{folder}'
  const filled = path.replace(idsInPaths, id).replace('{name}', 'totals').replace('{n}', '1')
  return fetch(url + filled, { method, headers, ...(takesBody && { body: csv }) })
}

/** A store with a door of its own, as far as this service looks at it: nobody comes in there. */
async function openStore(folder: Folder): Promise<Blobs> {
  const blobs = await openDiskBlobs(folder.at('blobs'), { log: createLog('silent') })
  const url = async (key: string) => `http://127.0.0.1/${key}`
  const stat = async (key: string) => ({ bytes: (await buffer(await blobs.read(key))).length })
  return { ...blobs, direct: { upload: url, download: url, stat } }
}

test('what belongs to somebody else is answered like what is not there, by every route that takes an id', async () => {
  await using folder = await temporaryFolder()
  await using served = await serve({ blobs: await openStore(folder) })
  const absent = '9'.repeat(26)
  const routes = await routesWithId(served)
  assert.ok(routes.length >= 25)

  for (const route of routes) {
    const [theirs, ours] = [await objectFor(served, route, 'someone'), await objectFor(served, route, 'local')]
    const what = `${route.method} ${route.path}`
    const refused = await ask(served, route, theirs)
    const unknown = await ask(served, route, absent)
    assert.deepEqual([refused.status, unknown.status], [404, 404], what)
    assert.equal((await refused.text()).replaceAll(theirs, absent), await unknown.text(), what)
    const owner = await ask(served, route, ours)
    assert.ok(owner.ok, `${what}: ${owner.status} ${await owner.text()}`)
  }
})

test('what belongs to somebody else can be neither listed nor fed to a task', async () => {
  await using served = await serve()
  const upload = (await insertTask(served, 'someone')).inputs[0]?.upload ?? ''
  await served.catalog.createSet({ id: newId(), owner: 'someone', name: 's', order: null, files: null })
  for (const list of ['uploads', 'sets', 'tasks']) {
    assert.deepEqual((await json(await fetch(`${served.url}/v1/${list}`)))[list], [])
  }
  const submit = async (id: string) => {
    const response = await post(`${served.url}/v1/tasks`, { pipeline: 'song-plays', inputs: [{ upload: id }] })
    return [response.status, (await response.text()).replaceAll(id, 'ID')]
  }
  assert.deepEqual(await submit(upload), await submit('9'.repeat(26)))
  assert.equal((await submit(upload))[0], 404)
  assert.equal((await submit((await insertTask(served)).inputs[0]?.upload ?? ''))[0], 202)
})
