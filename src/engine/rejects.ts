/**
 * The rejects of a run: kept as lines that DuckDB reads, and written as one CSV in the order of the files. Rows for its
 * appender would be objects outside of JavaScript's heap, of which its garbage collector knows nothing.
 */
import { type Fault, rejectColumns } from '../csv/fault.ts'
import { escapeCell, escapeMark, flatDelimiter, keptEmpty, unescapeCell, unescapeSql } from '../csv/flat.ts'
import { type Raw, RawReader, type RawSource } from '../csv/raw.ts'
import { quoteName } from '../identifiers.ts'
import { type Database, quoteText } from './duckdb.ts'
import { type Lines, linesSql } from './lines.ts'
import { OrderedLines } from './ordered-lines.ts'

/** Where a fault was found, for those who only know the record. */
export interface FaultySource {
  readonly input: string
  /** 0-based among the job's files. */
  readonly file: number
  readonly name: string
  /** The text in which faults have their places. */
  readonly text: RawSource
  /** The names under which the cells are kept, in the record's order. */
  readonly columns: readonly string[]
}

/** The first fault of an input, for the message that sums up. */
export interface FirstFault {
  readonly source: FaultySource
  readonly fault: Fault
}

/** A fault as it was told, with the record and the cells that are known of it. */
export interface ToldFault extends Pick<Fault, 'line' | 'record' | 'column'> {
  /** 0-based among the job's files. */
  readonly file: number
  readonly code: string
  readonly message: string
  readonly raw: string
  readonly cells: readonly (string | null)[]
}

/** `rejects`, while there are none. */
export async function createRejectsRelation(database: Database): Promise<void> {
  await database.run(`CREATE VIEW rejects AS SELECT * FROM (VALUES (
    NULL::VARCHAR, NULL::VARCHAR, NULL::BIGINT, NULL::BIGINT, NULL::BIGINT, NULL::VARCHAR, NULL::VARCHAR, NULL::VARCHAR,
    NULL::VARCHAR, NULL::MAP(VARCHAR, VARCHAR))) AS nothing(
    input, file, line, byte_offset, record, "column", code, message, raw, cells) WHERE false`)
}

export class Rejects implements AsyncDisposable {
  readonly #database: Database
  readonly #path: string
  readonly #lines: OrderedLines
  readonly #raws = new Map<string, RawReader>()
  readonly #first = new Map<string, FirstFault>()
  #count = 0
  #common: { columns: readonly string[]; known: number; text: string } = { columns: [], known: 0, text: '' }

  private constructor(database: Database, path: string, lines: OrderedLines) {
    this.#database = database
    this.#path = path
    this.#lines = lines
  }

  /** @param path where they are kept meanwhile; the database may read that file. */
  static async open(database: Database, path: string): Promise<Rejects> {
    await createRejectsRelation(database)
    return new Rejects(database, path, await OrderedLines.open(path))
  }

  /** One for every fault: a record with two has two. */
  get count(): number {
    return this.#count
  }

  /** The first by place in the input's files. */
  firstOf(input: string): FirstFault | undefined {
    return this.#first.get(input)
  }

  async add(source: FaultySource, fault: Fault): Promise<void> {
    const { text } = source
    const reader = this.#raws.get(text.path) ?? (await this.#openRaws(text))
    const raw = await reader.read(fault)
    await this.#lines.add(source.file, fault.line, this.#fieldsOf(source, fault, raw))
    this.#count++
    this.#keepFirst(source, fault)
  }

  async #openRaws(text: RawSource): Promise<RawReader> {
    const reader = await RawReader.open(text)
    this.#raws.set(text.path, reader)
    return reader
  }

  /** The fields behind the line's number. */
  #fieldsOf(source: FaultySource, fault: Fault, { byteOffset, raw }: Raw): string {
    const { record, column, code, message, cells } = fault
    const known = Math.min(source.columns.length, cells?.length ?? 0)
    const common = this.#commonOf(source, known)
    const texts = [column === null ? '' : marked([column]), code, escapeCell(message), escapeCell(raw)]
    const place = [source.file, common, byteOffset, record]
    return [...place, ...texts, marked(cells?.slice(0, known) ?? [])].join(flatDelimiter)
  }

  /** What a fault has in common with those before and after it, nearly always: put together once. */
  #commonOf({ input, name, columns }: FaultySource, known: number): string {
    if (this.#common.columns !== columns || this.#common.known !== known) {
      const text = [escapeCell(input), escapeCell(name), marked(columns.slice(0, known))].join(flatDelimiter)
      this.#common = { columns, known, text }
    }
    return this.#common.text
  }

  #keepFirst(source: FaultySource, fault: Fault): void {
    const first = this.#first.get(source.input)
    const isFirst =
      first === undefined ||
      source.file < first.source.file ||
      (source.file === first.source.file && fault.line < first.fault.line)
    if (isFirst) this.#first.set(source.input, { source, fault })
  }

  /** All of them are told: from now on SQL sees them. */
  async finish(): Promise<void> {
    if (this.#count === 0) return
    await this.#lines.finish()
    await this.#database.run(`CREATE OR REPLACE VIEW rejects AS ${viewSql(this.#path, this.#lines.longest)}`)
  }

  async write(path: string): Promise<void> {
    await this.finish()
    // No order has to be asked for: DuckDB keeps that of the lines.
    await this.#database.run(
      `COPY (SELECT ${rejectColumns.map(quoteName).join(', ')} FROM rejects) TO ${quoteText(path)} (FORMAT csv, HEADER true)`,
    )
  }

  /** All of them, finished, in the order of the files. */
  async *told(): AsyncGenerator<ToldFault> {
    for await (const text of this.#lines.read()) {
      const [line, file, , , , , record, column = '', code = '', message = '', raw = '', cells = ''] =
        text.split(flatDelimiter)
      yield {
        file: Number(file),
        line: Number(line),
        record: Number(record),
        column: unmarked(column)[0] ?? null,
        code,
        message: unescapeCell(message),
        raw: unescapeCell(raw),
        cells: unmarked(cells),
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lines[Symbol.asyncDispose]()
    for (const raw of this.#raws.values()) await raw[Symbol.asyncDispose]()
  }
}

/** What a line holds. An empty field is NULL; `names`, `column` and `cells` hold any number of texts, see `marked`. */
const fields: Lines['columns'] = [
  ['line', 'BIGINT'],
  ['at_file', 'BIGINT'],
  ['input', 'VARCHAR'],
  ['file', 'VARCHAR'],
  ['names', 'VARCHAR'],
  ['byte_offset', 'BIGINT'],
  ['record', 'BIGINT'],
  ['column', 'VARCHAR'],
  ['code', 'VARCHAR'],
  ['message', 'VARCHAR'],
  ['raw', 'VARCHAR'],
  ['cells', 'VARCHAR'],
]

/** Begins each of the texts in a field, so that an empty text is not the same as none. No escape is like it. */
const textMark = `${escapeMark},`

function marked(texts: readonly (string | null)[]): string {
  let field = ''
  for (const text of texts) field += textMark + (text === '' ? keptEmpty : escapeCell(text ?? ''))
  return field
}

function unmarked(field: string): (string | null)[] {
  const [, ...texts] = field.split(textMark)
  return texts.map((text) => (text === '' ? null : unescapeCell(text)))
}

/** The relation, as `docs/pipelines.md` has it. */
function viewSql(path: string, longest: number): string {
  const scan = linesSql({ path, delimiter: flatDelimiter, lineEnd: '\n', skip: 0, longest, columns: fields })
  const plain = (text: string) =>
    `CASE WHEN contains(${text}, ${quoteText(escapeMark)}) THEN ${unescapeSql(text)} ELSE ${text} END`
  const list = (field: string) =>
    `list_transform(string_split(${field}, ${quoteText(textMark)})[2:], x -> ${plain('x')})`
  return `SELECT
    ${plain('input')} AS input, ${plain('file')} AS file, line, byte_offset, record, ${list('"column"')}[1] AS "column",
    code, ${plain('message')} AS message, coalesce(${plain('raw')}, '') AS raw, map(${list('names')}, ${list('cells')}) AS cells
    FROM ${scan}`
}
