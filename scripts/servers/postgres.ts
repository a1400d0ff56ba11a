import { join } from 'node:path'
import type { Instance, Recipe } from './recipe.ts'

/** What a crash may cost then: everything. */
const careless = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']

/** PostgreSQL, with a role `app` that is no superuser, may create databases, and owns the one of its name. */
export const postgres: Recipe = {
  name: 'PostgreSQL',
  programs: ['initdb', 'postgres', 'psql'],
  folders: '/usr/lib/postgresql/*/bin',
  packages: ['postgresql'],
  account: 'postgres',
  ports: 1,

  async prepare({ folder, password }, run) {
    const data = dataOf(folder)
    // The superuser has no password, and there is no socket: nobody but `app` gets in.
    const access = ['--username=postgres', '--auth-host=scram-sha-256', '--auth-local=peer']
    await run('initdb', ['--pgdata', data, ...access, '--locale=C.UTF-8', '--encoding=UTF8', '--no-sync'])
    const role = `create role app login createdb password '${password}'\n`
    await run('postgres', ['--single', '-D', data, 'postgres'], `${role}create database app owner app\n`)
  },

  serve({ folder, port }, { durable }) {
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', ...(durable ? [] : careless)]
    const flags = settings.flatMap((one) => ['-c', one])
    const ready = /database system is ready to accept connections/
    return [{ command: ['postgres', '-D', dataOf(folder), '-p', String(port), ...flags], ready }]
  },

  shutdown: 'SIGINT',
  url: ({ port, password }) => `postgres://app:${password}@127.0.0.1:${port}/app`,
}

function dataOf(folder: Instance['folder']): string {
  return join(folder, 'data')
}
