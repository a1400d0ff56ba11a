/** Rows as what they stand for in `model.ts`. */
import type { Order, Upload, UploadSet } from '../model.ts'
import type { SetRow, UploadRow } from './tables.ts'

export function uploadOf(row: UploadRow): Upload {
  return {
    id: row.id,
    owner: row.owner,
    name: row.name,
    state: row.state,
    comes: row.comes,
    bytes: row.bytes,
    size: row.size,
    pieces: row.pieces,
    joined: row.joined,
    sha256: row.sha256,
    claimedSha256: row.claimed_sha256,
    set: row.set_id,
    order: orderOf(row.task_order),
    task: row.task,
    duplicateOf: row.duplicate_of,
    createdAt: row.created_at,
    completedAt: row.completed_at,
    expiresAt: row.expires_at,
  }
}

function orderOf(json: string | null): Order | null {
  return json === null ? null : (JSON.parse(json) as Order)
}

export function setOf(row: SetRow): UploadSet {
  return {
    id: row.id,
    owner: row.owner,
    name: row.name,
    generation: row.generation,
    state: row.state,
    order: orderOf(row.task_order),
    files: row.files,
    task: row.task,
    createdAt: row.created_at,
    closedAt: row.closed_at,
    expiresAt: row.expires_at,
  }
}
