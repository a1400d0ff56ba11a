import { attempts } from './attempts.ts'
import type { Keeping } from '../entries.ts'
import type { Catalog } from '../ports.ts'
import type { Database } from './database.ts'
import { completion } from './completion.ts'
import { expiry } from './expiry.ts'
import { miscounted } from './quotas.ts'
import { receipts } from './receipts.ts'
import { removal } from './removal.ts'
import { sets } from './sets.ts'
import { tasks } from './tasks.ts'
import { uploads } from './uploads.ts'

/** The one catalog, over whatever database it is given. Disposing it closes the database. */
export function createCatalog(database: Database, keeping: Keeping): Catalog {
  return {
    ...uploads(database, keeping),
    ...completion(database, keeping),
    ...sets(database, keeping),
    ...receipts(database, keeping),
    ...removal(database, keeping),
    ...expiry(database, keeping),
    ...tasks(database, keeping),
    ...attempts(database, keeping),
    async ping() {
      await database.db.selectFrom('tasks').select('id').limit(1).execute()
    },
    checkIntegrity: async () => [...(await database.checkIntegrity()), ...(await miscounted(database))],
    [Symbol.asyncDispose]: () => database.db.destroy(),
  }
}
