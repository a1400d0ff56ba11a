/** A load that dies or stops at any point leaves each row in its table exactly once. */
import { suite, test } from 'node:test'
import { type Failpoint, failpoints } from '../../src/failpoints.ts'
import { temporaryFolder } from '../harness.ts'
import { databases } from './databases.ts'
import { freezeAt, killAt } from './loads.ts'

/** What the other databases must not get wrong; `npm run test:faults` tries all points on all of them. */
const crucial: readonly Failpoint[] = ['after-last-bytes', 'after-ledger', 'after-commit']

for (const kind of databases) {
  const points = kind.name === 'PostgreSQL' ? failpoints : crucial
  suite(`a service that loads into ${kind.name} is killed`, { skip: kind.skip }, () => {
    for (const point of points) {
      test(`${point.replaceAll('-', ' ')}: each row is there once`, async () => {
        await using folder = await temporaryFolder()
        await killAt(point, kind, folder)
      })
    }
  })

  test(`a service that was frozen before it committed to ${kind.name} is too late`, { skip: kind.skip }, async () => {
    await using folder = await temporaryFolder()
    await freezeAt('before-commit', kind, folder)
  })
}
