/** `node test/multipart-long.ts [FORMS [FIRST-SEED]]`: so many forms, most of them broken, against one service. */
import { temporaryFolder } from './harness.ts'
import { sendForms } from './security/multipart.ts'

const [forms = '10000', first = '1'] = process.argv.slice(2)

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
const say = (line: string) => process.stdout.write(`${line}\n`)

await using folder = await temporaryFolder()
const range = [Number(first), Number(first) + Number(forms) - 1] as const
const { outcomes, before, after } = await sendForms(folder, range, (sent, { memory, descriptors }) => {
  say(`${sent} sent; the service holds ${megabytes(memory)} and ${descriptors} descriptors`)
})
for (const [way, count] of outcomes) say(`${way}: ${count}`)
say(`descriptors: ${before.descriptors} before, ${after.descriptors} after`)
say(`memory: ${megabytes(before.memory)} before, ${megabytes(after.memory)} after`)
