/**
 * `node test/dangers/peak.ts LIMIT SQL`: runs SQL in DuckDB under a memory limit, with a folder to spill to. Prints as
 * JSON what it answers, and what the process took of real memory at the start and at most, in bytes.
 */
import { openDuckDB } from './both.ts'
import { temporaryFolder } from '../harness.ts'

const [limit = '', sql = ''] = process.argv.slice(2)
const taken = () => process.resourceUsage().maxRSS * 1024

await using folder = await temporaryFolder()
using database = await openDuckDB({ memory_limit: limit, temp_directory: folder.at('spill') })
await database.rows('SELECT 42')
const start = taken()
const rows = await database.rows(sql).catch((error: unknown) => String(error))
process.stdout.write(JSON.stringify({ rows, start, peak: taken() }))
