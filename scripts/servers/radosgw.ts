import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Instance, Recipe } from './recipe.ts'

/**
 * Ceph's gateway, an S3 store, with a user `app` who may make buckets. Behind it stand a monitor, which knows what there
 * is, and a store of objects in one file (which grows as it is filled), so that what was stored survives being killed.
 */
export const radosgw: Recipe = {
  name: 'Ceph’s radosgw',
  programs: ['ceph-authtool', 'monmaptool', 'ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin'],
  folders: '/usr/bin',
  packages: ['ceph-mon', 'ceph-osd', 'radosgw'],
  account: 'ceph',
  // The gateway's, the monitor's, and those that the store of objects chooses from.
  ports: 16,

  async prepare(instance, run) {
    const { folder } = instance
    const cluster = randomUUID()
    await writeFile(configOf(folder), settings(instance, cluster))
    const key = (name: string, caps: readonly string[]) =>
      run('ceph-authtool', [
        keyringOf(folder),
        '--gen-key',
        '--name',
        name,
        ...caps.flatMap((cap) => ['--cap', ...cap.split(': ')]),
      ])
    await run('ceph-authtool', ['--create-keyring', keyringOf(folder)])
    await key('mon.', ['mon: allow *'])
    await key('client.admin', ['mon: allow *', 'osd: allow *'])
    await key('osd.0', ['mon: allow profile osd', 'osd: allow *'])
    const map = join(folder, 'monmap')
    await run('monmaptool', ['--create', '--fsid', cluster, '--addv', 'a', `[${addressOfMonitor(instance)}]`, map])
    const config = ['--conf', configOf(folder)]
    await run('ceph-mon', [...config, '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyringOf(folder)])
    await run('mkdir', [objectsOf(folder)])
    // It would wait for the monitor.
    await run('ceph-osd', [...config, '--no-mon-config', '--mkfs', '-i', '0', '--osd-uuid', randomUUID()])
  },

  serve({ folder, password }) {
    const config = ['--conf', configOf(folder)]
    const user = ['user', 'create', '--uid=app', '--display-name=app', '--access-key=app', `--secret-key=${password}`]
    const found = 'radosgw-admin "$1" "$2" user info --uid=app 2>&1 || exec radosgw-admin "$@"'
    return [
      { command: ['ceph-mon', ...config, '-f', '-i', 'a'], ready: /is new leader/ },
      { command: ['ceph-osd', ...config, '-f', '-i', '0'], ready: /booting -> active/ },
      { command: ['sh', '-c', found, 'sh', ...config, ...user] },
      { command: ['radosgw', ...config, '-f', '-n', 'client.admin'], ready: /service_daemon_register/ },
    ]
  },

  shutdown: 'SIGTERM',
  url: ({ port, password }) => `http://app:${password}@127.0.0.1:${port}`,
}

function settings(instance: Instance, cluster: string): string {
  const { folder, port } = instance
  return `[global]
fsid = ${cluster}
mon_host = [${addressOfMonitor(instance)}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
ms_bind_port_min = ${port + 2}
ms_bind_port_max = ${port + radosgw.ports - 1}
keyring = ${keyringOf(folder)}
auth_allow_insecure_global_id_reclaim = false
run_dir = ${folder}
admin_socket =
log_file =
mon_cluster_log_to_file = false
log_to_stderr = true
err_to_stderr = true
debug_rocksdb = 0
mon_data = ${join(folder, 'monitor')}
osd_data = ${objectsOf(folder)}

# Everything once, in as few pieces as can be.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000

# Memory and disk; a disk that others have filled is no reason to stop.
osd_objectstore = bluestore
bluestore_block_size = ${32 * 1024 ** 3}
osd_memory_target = ${896 * 1024 ** 2}
mon_data_avail_crit = 1
mon_data_avail_warn = 1

# The first use of each kind of thing waits for several agreements of the monitor's: a second each by default.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01

[client.admin]
rgw_frontends = beast endpoint=127.0.0.1:${port}
rgw_data = ${join(folder, 'gateway')}
rgw_thread_pool_size = 64
# They look after what grows old, and have to be waited for at the end.
rgw_enable_lc_threads = false
rgw_enable_gc_threads = false
`
}

function addressOfMonitor({ port }: Instance): string {
  return `v2:127.0.0.1:${port + 1}`
}

function configOf(folder: string): string {
  return join(folder, 'ceph.conf')
}

function objectsOf(folder: string): string {
  return join(folder, 'objects')
}

function keyringOf(folder: string): string {
  return join(folder, 'keyring')
}
