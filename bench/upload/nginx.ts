/** nginx's own door for files: WebDAV's PUT, with the settings that it comes with. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, type Server, startServer } from '../server.ts'

export interface Nginx {
  readonly file: string
  readonly version: string
}

/** Undefined where it is not installed, or has no module for WebDAV. */
export async function findNginx(): Promise<Nginx | undefined> {
  // Only root has the second folder in its PATH.
  for (const file of ['nginx', '/usr/sbin/nginx']) {
    try {
      const { stderr } = await promisify(execFile)(file, ['-V'])
      const version = /nginx\/([\d.]+)/.exec(stderr)?.[1]
      if (version !== undefined && stderr.includes('http_dav_module')) return { file, version }
    } catch {
      continue
    }
  }
  return undefined
}

/** One process, that keeps whatever it needs in the folder that it serves. */
export async function startNginx({ file }: Nginx, folder: string, signal: AbortSignal): Promise<Server> {
  const port = await freePort()
  const conf = join(folder, 'nginx.conf')
  await writeFile(conf, confOf(port))
  const args = ['-p', folder, '-c', conf, '-e', 'stderr']
  return await startServer({ file, args, url: `http://127.0.0.1:${port}` }, folder, signal)
}

/** Bodies come to the folder that they are served from, so that they need only be renamed. */
function confOf(port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path .;`)
  return `daemon off;
master_process off;
pid nginx.pid;
events {}
http {
  access_log off;
  ${temporary.join('\n  ')}
  client_max_body_size 0;
  server {
    listen 127.0.0.1:${port};
    root .;
    location / {
      dav_methods PUT DELETE;
    }
  }
}
`
}
