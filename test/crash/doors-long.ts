/** `node test/crash/doors-long.ts [KILLS]`: uploads through all doors while the service is killed, 200 times by default. */
import { temporaryFolder } from '../harness.ts'
import { killWhileSending } from './doors.ts'

await using folder = await temporaryFolder()
const { kills, hits, files } = await killWhileSending(folder, Number(process.argv[2] ?? 200))
process.stdout.write(`${kills} kills, ${hits} of which have interrupted requests; ${files} files came in, each once\n`)
