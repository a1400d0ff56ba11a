import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Instance, Recipe } from './recipe.ts'

const careless = ['--innodb-flush-log-at-trx-commit=0', '--innodb-flush-method=nosync', '--skip-innodb-doublewrite']

/** MariaDB, with a user `app` who may do everything in the database `app` and in those called `app_…`, and no more. */
export const mariadb: Recipe = {
  name: 'MariaDB',
  programs: ['mariadb-install-db', 'mariadbd', 'mariadb'],
  folders: '/usr/{bin,sbin}',
  // Not mariadb-server, which sets up and starts one for the whole machine.
  packages: ['mariadb-server-core', 'mariadb-client-core'],
  account: 'mysql',
  ports: 1,

  async prepare(instance, run) {
    const { folder, password } = instance
    const setup = join(folder, 'setup.sql')
    await writeFile(
      setup,
      `flush privileges;
create database app;
create user app@'127.0.0.1' identified by '${password}';
grant all on app.* to app@'127.0.0.1';
grant all on \`app\\_%\`.* to app@'127.0.0.1';
`,
    )
    await run('mariadb-install-db', [...settings(instance), ...careless, '--skip-test-db', `--extra-file=${setup}`])
  },

  serve(instance, { durable }) {
    const { port } = instance
    const network = ['--bind-address=127.0.0.1', `--port=${port}`, '--socket=socket']
    const limits = ['--local-infile=1', '--max-allowed-packet=64M']
    const flags = [...settings(instance), ...network, ...limits, ...(durable ? [] : careless)]
    return [{ command: ['mariadbd', ...flags], ready: /ready for connections/ }]
  },

  shutdown: 'SIGTERM',
  url: ({ port, password }) => `mysql://app:${password}@127.0.0.1:${port}/app`,
}

function settings({ folder }: Instance): string[] {
  // Not /tmp for temporary tables: one that starts removes those of all others that use the same folder.
  const folders = [`--datadir=${join(folder, 'data')}`, `--tmpdir=${folder}`]
  return ['--no-defaults', ...folders, '--character-set-server=utf8mb4', '--skip-name-resolve']
}
