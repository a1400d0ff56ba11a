/** The processes of a stack, and those who talk to them, who must live with their deaths. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Env, mainCommand, type Service, startService } from '../harness.ts'
import type { Stack } from './stacks.ts'

export interface Fleet extends AsyncDisposable {
  readonly url: string
  readonly size: number
  /** Whether a process works on tasks. */
  isWorker(process: number): boolean
  /** SIGKILL, and another in its place. @returns whether that has interrupted anything. */
  kill(process: number): Promise<boolean>
  /** SIGSTOP for so long. */
  freeze(process: number, ms: number): Promise<void>
  /** SIGTERM to all. */
  stop(): Promise<void>
  /** Asks the first process until it answers; 503 is no answer. */
  ask(path: string, init?: () => RequestInit): Promise<Response>
}

export async function startFleet(stack: Stack, env: Env): Promise<Fleet> {
  const start = (process: number, port: string) =>
    startService({
      data: stack.folderOf(process),
      env: { ...stack.env, ...env, ROWMILL_PORT: port },
      command: [...mainCommand, 'serve', '--roles', stack.processes[process] ?? ''],
    })
  const services = await Promise.all(Array.from(stack.processes.keys(), (process) => start(process, '0')))
  const [first] = services as [Service]
  const { url } = first
  const { port } = new URL(url)
  /** Requests that the first process has not answered yet, and whether one broke off. */
  let open = 0
  let isCut = false

  async function isAtWork(process: number): Promise<boolean> {
    const folders = await readdir(join(stack.folderOf(process), 'scratch')).catch(() => [])
    return folders.length > 0
  }

  return {
    url,
    size: services.length,
    isWorker: (process) => stack.processes[process]?.includes('worker') === true,
    async kill(process) {
      const service = services[process] as Service
      isCut = false
      const isHit = await isAtWork(process)
      const isAsked = process === 0 && open > 0
      await service.kill()
      services[process] = await start(process, process === 0 ? port : '0')
      return isHit || (isAsked && isCut)
    },
    async freeze(process, ms) {
      services[process]?.send('SIGSTOP')
      await sleep(ms)
      services[process]?.send('SIGCONT')
    },
    async stop() {
      await Promise.all(services.map((service) => service.stop()))
    },
    async ask(path, init = () => ({})) {
      for (;;) {
        open++
        try {
          const response = await fetch(url + path, init())
          // The whole answer, or none.
          const body = await response.arrayBuffer()
          if (response.status !== 503) return new Response(body, response)
        } catch {
          isCut = true
        } finally {
          open--
        }
        await sleep(20)
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(services.map((service) => service[Symbol.asyncDispose]()))
    },
  }
}
