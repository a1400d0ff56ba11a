import { test } from 'node:test'
import { testCatalogOn } from '../../test/contracts/catalog-servers.ts'
import { missing } from '../../test/servers.ts'

const skip = missing('postgres')

test('PostgreSQL', { skip }, () => {})
if (skip === false) testCatalogOn('postgres')
