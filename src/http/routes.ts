import type { FastifyInstance } from 'fastify'
import { AppError } from '../errors.ts'

/** Answers what no route took: 405 with `Allow` where the path has other methods, else 404. Comes before the routes. */
export function answerUnrouted(app: FastifyInstance): void {
  const routes: { methods: readonly string[]; pattern: RegExp }[] = []
  app.addHook('onRoute', ({ method, url }) => {
    routes.push({ methods: [method].flat(), pattern: patternOf(url) })
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.replace(/\?.*$/s, '')
    const allowed = new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))
    if (allowed.size === 0) throw new AppError('not_found', `There is nothing at ${path}. See /docs for what there is.`)
    void reply.header('allow', [...allowed].join(', '))
    throw new AppError('method_not_allowed', `${path} takes ${[...allowed].join(', ')}, not ${request.method}.`)
  })
}

/** `/v1/tasks/:id` → what matches its paths, a slash at the end included. */
function patternOf(url: string): RegExp {
  const steps = url.split('/').map((step) => {
    if (step === '*') return '.*'
    return step.startsWith(':') ? '[^/]+' : step.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${steps.join('/')}/?$`)
}
