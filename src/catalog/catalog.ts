import { attempts } from './attempts.ts'
import type { Catalog } from '../ports.ts'
import type { Database } from './tables.ts'
import { tasks } from './tasks.ts'
import { uploads } from './uploads.ts'

/** The one catalog, over whatever database it is given. Disposing it closes the database. */
export function createCatalog(database: Database): Catalog {
  return {
    ...uploads(database),
    ...tasks(database),
    ...attempts(database),
    async ping() {
      await database.db.selectFrom('tasks').select('id').limit(1).execute()
    },
    checkIntegrity: () => database.checkIntegrity(),
    [Symbol.asyncDispose]: () => database.db.destroy(),
  }
}
