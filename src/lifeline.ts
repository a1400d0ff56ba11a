/**
 * A thread that ends this process when its parent is gone, however the parent went. The parent holds the other end of
 * file descriptor 3 and never writes; the end of that stream is its death. On a thread of its own, because the main
 * one may be busy with a file for as long as that takes.
 */
import { Socket } from 'node:net'

const parent = new Socket({ fd: 3, readable: true, writable: false })
parent.on('error', () => parent.destroy())
parent.on('close', () => process.kill(process.pid, 'SIGKILL'))
parent.resume()
