import assert from 'node:assert/strict'
import { test } from 'node:test'
import { insertTask, json, post, type Served, serve, succeed } from '../../test/http-fixture.ts'

interface Route {
  readonly method: string
  /** With `{id}` or `{task_id}`. */
  readonly path: string
}

/** Every route that takes an id, from the document that lists every route. */
async function routesWithId(served: Served): Promise<Route[]> {
  const { paths } = (await (await fetch(`${served.url}/openapi.json`)).json()) as { paths: Record<string, object> }
  return Object.entries(paths)
    .filter(([path]) => /\{(id|task_id)\}/.test(path))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })))
    .flatMap((route) =>
      route.method === 'GET' && !route.path.endsWith('/events') ? [route, { ...route, method: 'HEAD' }] : [route],
    )
    .filter(({ method }) => method !== 'PUT')
}

const rows = { name: 'rows', to: 'warehouse', table: 't', mode: 'append', rows: 1, undoable: true } as const

test('what belongs to somebody else is answered like what is not there, by every route that takes an id', async () => {
  await using served = await serve()
  const foreign = await insertTask(served, 'someone')
  await succeed(served, foreign.id)
  const absent = '9'.repeat(26)
  const routes = await routesWithId(served)
  assert.ok(routes.length >= 14)

  for (const { method, path } of routes) {
    const ask = (id: string) =>
      fetch(served.url + path.replace(/\{(id|task_id)\}/, id).replace('{name}', 'totals'), { method })
    const own = await insertTask(served)
    if (!path.endsWith('/cancel')) await succeed(served, own.id, path.endsWith('/undo') ? [rows] : [])
    const uploads = path.startsWith('/v1/uploads')
    const ids = uploads ? [foreign, own].map(({ inputs }) => inputs[0]?.upload ?? '') : [foreign.id, own.id]
    const [theirs = '', ours = ''] = ids

    const refused = await ask(theirs)
    const unknown = await ask(absent)
    assert.deepEqual([refused.status, unknown.status], [404, 404], `${method} ${path}`)
    assert.equal((await refused.text()).replaceAll(theirs, absent), await unknown.text(), `${method} ${path}`)
    assert.ok((await ask(ours)).ok, `${method} ${path}`)
  }
})

test('what belongs to somebody else can be neither listed nor fed to a task', async () => {
  await using served = await serve()
  const upload = (await insertTask(served, 'someone')).inputs[0]?.upload ?? ''
  for (const list of ['uploads', 'tasks']) {
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
