import { test } from 'node:test'
import { testCatalog } from '../../test/contracts/catalog.ts'
import { freshDatabase, missing } from '../../test/servers.ts'
import { createLog } from '../log.ts'
import { usualKeeping } from './keeping.ts'
import { openCatalog } from './open.ts'

const log = createLog('silent')
const skip = missing('postgres')

test('PostgreSQL', { skip }, () => {})
if (skip === false) {
  testCatalog('postgres', async () => {
    const { url, ...rest } = await freshDatabase('postgres')
    return { ...rest, open: (keeping) => openCatalog(url, { log, keeping: { ...usualKeeping, ...keeping } }) }
  })
}
