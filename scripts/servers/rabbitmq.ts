import { globSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recipe } from './recipe.ts'

/**
 * Where its files are, in the folder. What stands for its plugins is an empty folder with the name of its own settings: it
 * would read those of all that it was installed with, and look for its modules in their folders before any other.
 */
const files = {
  settings: 'rabbitmq.conf',
  advanced: 'advanced.config',
  nothing: 'nothing',
  plugins: 'plugins',
} as const

/** Where nearly all is that it loads, for Erlang to look there first: it opens a thousand files, and would try 50 000. */
const busiest = [
  '/usr/lib/rabbitmq/lib/*/plugins/{rabbit,rabbit_common,ra,osiris,ranch,cuttlefish,rabbitmq_prelaunch}-[0-9]*/ebin',
  '/usr/lib/erlang/lib/{stdlib,kernel,ssl,inets,compiler,mnesia,xmerl,tools,public_key}-[0-9]*/ebin',
]

/**
 * RabbitMQ without plugins, with a user `app` who may do everything in the virtual host `/`. Its messages in quorum queues
 * survive a crash in any case. Besides its own port it takes one for Erlang's distribution, and one for epmd, by which the
 * nodes of a machine find each other, and of which it has one of its own: the machine's would outlive it.
 */
export const rabbitmq: Recipe = {
  name: 'RabbitMQ',
  programs: ['rabbitmq-server', 'erl', 'epmd'],
  folders: '/usr/lib/rabbitmq/bin',
  packages: ['rabbitmq-server'],
  ports: 3,
  account: 'rabbitmq',

  async prepare({ folder, port, password }) {
    await Promise.all([
      writeFile(join(folder, files.nothing), ''),
      mkdir(join(folder, files.plugins, 'rabbit'), { recursive: true }),
      writeFile(
        join(folder, files.settings),
        `listeners.tcp.1 = 127.0.0.1:${port}
default_user = app
default_pass = ${password}
log.console = true
log.file = false
disk_free_limit.absolute = 50MB
`,
      ),
      // Less patient than any other, so that who keeps a message for long is found out: milliseconds, and how often it looks.
      writeFile(
        join(folder, files.advanced),
        '[{rabbit, [{consumer_timeout, 2000}, {channel_tick_interval, 500}]}].\n',
      ),
    ])
  },

  env: ({ folder, port }) => ({
    // Where the cookie is.
    HOME: folder,
    RABBITMQ_NODENAME: 'rowmill@localhost',
    RABBITMQ_CONFIG_FILE: join(folder, files.settings),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, files.advanced),
    RABBITMQ_CONF_ENV_FILE: join(folder, files.nothing),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, files.nothing),
    RABBITMQ_PLUGINS_DIR: join(folder, files.plugins),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'logs'),
    RABBITMQ_DIST_PORT: String(port + 1),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-kernel inet_dist_use_interface {127,0,0,1} -pa ${globSync(busiest).join(' ')}`,
    ERL_EPMD_PORT: String(port + 2),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_AFLAGS: '-start_epmd false',
    // The script becomes the server then, instead of waiting for it.
    RUNNING_UNDER_SYSTEMD: 'true',
  }),

  serve: ({ port }) => [
    { command: ['epmd', '-d', '-port', String(port + 2), '-address', '127.0.0.1'], ready: /epmd running/ },
    { command: ['rabbitmq-server'], ready: /Server startup complete/ },
  ],
  shutdown: 'SIGTERM',
  url: ({ port, password }) => `amqp://app:${password}@127.0.0.1:${port}`,
}
