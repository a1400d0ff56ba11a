/** `node test/crash/load-long.ts`: a load and its undoing, killed at every point there is, in every mode, on every database. */
import { suite, test } from 'node:test'
import { type Failpoint, failpoints } from '../../src/failpoints.ts'
import { temporaryFolder } from '../harness.ts'
import { databases } from './databases.ts'
import { freezeAt, killAt, killUndoAt } from './loads.ts'

const modes = [{ mode: 'append' }, { mode: 'replace' }, { mode: 'upsert', key: 'id' }] as const

/** Where a stopped writer may hold what its successor needs. */
const frozen: readonly Failpoint[] = ['after-register', 'after-first-bytes', 'after-ledger', 'after-commit']

/** DuckDB reads the file of rows by itself: there are no bytes that pass. */
function happensOn(name: string, point: Failpoint): boolean {
  return name !== 'DuckDB' || !/first-bytes|before-last-bytes/.test(point)
}

for (const kind of databases) {
  for (const params of modes) {
    for (const isFilled of [false, true]) {
      const table = isFilled ? 'a table of' : 'a new table of'
      suite(`a service that loads into ${table} ${kind.name} by ${params.mode} is killed`, { skip: kind.skip }, () => {
        for (const point of failpoints.filter((one) => happensOn(kind.name, one))) {
          test(`${point.replaceAll('-', ' ')}: each row is there once`, async () => {
            await using folder = await temporaryFolder()
            await killAt(point, kind, folder, { params, isFilled })
          })
        }
      })
    }
  }
  for (const params of modes) {
    suite(`a service that undoes the ${params.mode} of rows in ${kind.name} is killed`, { skip: kind.skip }, () => {
      for (const point of failpoints.filter((one) => !/first-bytes|before-last-bytes/.test(one))) {
        test(`${point.replaceAll('-', ' ')}: what was there before is there again`, async () => {
          await using folder = await temporaryFolder()
          await killUndoAt(point, kind, folder, { params: { ...params, undoable: 'true' } })
        })
      }
    })
  }
  suite(`a service that loads into ${kind.name} is frozen`, { skip: kind.skip }, () => {
    for (const point of frozen.filter((one) => happensOn(kind.name, one))) {
      test(`${point.replaceAll('-', ' ')}: it is too late, and in nobody’s way`, async () => {
        await using folder = await temporaryFolder()
        await freezeAt(point, kind, folder)
      })
    }
  })
}
