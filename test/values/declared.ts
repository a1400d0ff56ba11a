/** Columns of tables that are there before the file: how each database declares them, and what they take. */
import { chance, pick, type Random } from '../../src/cli/random.ts'
import { anything, type Draw, doubtful, plain, texts } from './cells.ts'
import { isDate, isMoment, isTime, type Kind } from './oracle.ts'
import type { DatabaseName } from './read-back.ts'

export type Fault = 'type-error' | 'constraint-error'

export interface Declared {
  readonly sql: string
  readonly kind: Kind
  /** Cells that it mostly takes. */
  readonly draw: Draw
  /** What is wrong with a cell that is not empty. */
  readonly fault: (text: string) => Fault | undefined
  /** What is wrong with an empty text in quotes, where that is not nothing. */
  readonly emptyText?: Fault
}

const unless = (isSound: boolean): Fault | undefined => (isSound ? undefined : 'type-error')

function text(sql: string, most = Number.POSITIVE_INFINITY): Declared {
  const fault = (cell: string): Fault | undefined => (Array.from(cell).length > most ? 'constraint-error' : undefined)
  return { sql, kind: 'text', draw: most < 100 ? texts.word : anything, fault }
}

function whole(sql: string, bits = 64, least = -(2n ** (BigInt(bits) - 1n))): Declared {
  const greatest = least + 2n ** BigInt(bits) - 1n
  const fault = (cell: string): Fault | undefined => {
    if (!/^[+-]?\d+$/.test(cell)) return 'type-error'
    const value = BigInt(cell.replace('+', ''))
    if (value >= least && value <= greatest) return undefined
    return bits < 64 && value >= -(2n ** 63n) && value < 2n ** 63n ? 'constraint-error' : 'type-error'
  }
  const draw: Draw = (next) => pick(drawnIntegers, next)(next)
  return { sql, kind: 'integer', draw: bits < 64 ? (next) => draw(next).slice(-4) : draw, fault }
}

const drawnIntegers: readonly Draw[] = [
  plain.integer,
  plain.integer,
  doubtful['leading zero'],
  (next) => pick(['9223372036854775807', '-9223372036854775808', '9007199254740993', '-9007199254740993', '-0'], next),
]

function decimal(sql: string, precision: number, scale: number): Declared {
  const fault = (cell: string) => {
    const [form, before = '', behind = ''] = /^[+-]?(\d+)\.?(\d*)$/.exec(cell) ?? []
    const digits = [before.replace(/^0+/, ''), behind.replace(/0+$/, '')] as const
    return unless(form !== undefined && digits[0].length <= precision - scale && digits[1].length <= scale)
  }
  const draw: Draw = (next) => {
    const drawn = precision < 38 ? plain.decimal(next) : pick([plain.decimal, doubtful['long decimal']], next)(next)
    const [before = '', behind = ''] = drawn.split('.')
    return `${before.slice(0, precision - scale)}.${behind.slice(0, scale)}${chance(0.1, next) ? '000' : ''}`
  }
  return { sql, kind: 'decimal', draw: (next) => (chance(0.2, next) ? '-0.00' : draw(next)), fault }
}

function number(sql: string): Declared {
  const fault = (cell: string) => {
    const value = Number(cell)
    const isHeld = Number.isFinite(value) && (value !== 0 || !/^[^eE]*[1-9]/.test(cell))
    return unless(/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(cell) && isHeld)
  }
  const draw: Draw = (next) =>
    pick([plain.decimal, plain.integer, doubtful.exponent, doubtful['leading zero']], next)(next)
  return { sql, kind: 'number', draw, fault }
}

function boolean(sql: string): Declared {
  const draw: Draw = (next) => (chance(0.3, next) ? pick(['0', '1'], next) : plain.boolean(next))
  return { sql, kind: 'boolean', draw, fault: (cell) => unless(/^(true|True|TRUE|1|false|False|FALSE|0)$/.test(cell)) }
}

function moments(sql: string, zoneless: boolean): Declared {
  const draw: Draw = (next) => (zoneless && chance(0.5, next) ? doubtful['local datetime'](next) : plain.datetime(next))
  return { sql, kind: 'datetime', draw, fault: (cell) => unless(isMoment(cell, zoneless)) }
}

const date: Declared = { sql: 'date', kind: 'date', draw: plain.date, fault: (cell) => unless(isDate(cell)) }
const time = (sql: string): Declared => ({ sql, kind: 'time', draw: plain.time, fault: (cell) => unless(isTime(cell)) })

/** Of any number of digits. */
const numeric: Declared = {
  sql: 'numeric',
  kind: 'decimal',
  draw: (next) => pick([doubtful['very long decimal'], plain.decimal, doubtful.exponent, plain.integer], next)(next),
  fault: (cell) => {
    return /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$/.test(cell) ? undefined : 'constraint-error'
  },
  emptyText: 'constraint-error',
}

const uuid: Declared = {
  sql: 'uuid',
  kind: 'uuid',
  draw: (next) => (chance(0.5, next) ? 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' : 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12'),
  fault: (cell) => unless(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(cell)),
}

export const declared: Readonly<Record<DatabaseName, readonly Declared[]>> = {
  PostgreSQL: [
    text('text'),
    text('varchar'),
    text('varchar(12)', 12),
    whole('smallint', 16),
    whole('integer', 32),
    whole('bigint'),
    decimal('numeric(38,10)', 38, 10),
    decimal('numeric(15,4)', 15, 4),
    number('double precision'),
    boolean('boolean'),
    date,
    time('time'),
    moments('timestamp', true),
    moments('timestamptz', false),
    uuid,
    numeric,
  ],
  MariaDB: [
    text('longtext'),
    text('varchar(12)', 12),
    whole('smallint', 16),
    whole('int', 32),
    whole('bigint'),
    whole('int unsigned', 32, 0n),
    decimal('decimal(38,10)', 38, 10),
    decimal('decimal(15,4)', 15, 4),
    number('double'),
    boolean('boolean'),
    date,
    time('time(6)'),
    moments('datetime(6)', true),
    uuid,
  ],
  SQLite: [
    text('TEXT'),
    text('VARCHAR(12)'),
    text(''),
    whole('INTEGER'),
    whole('bigint'),
    decimal('NUMERIC(15,4)', 15, 4),
    number('REAL'),
    boolean('BOOLEAN'),
    date,
    time('time'),
    moments('DATETIME', true),
    moments('timestamp', true),
  ],
  DuckDB: [
    text('VARCHAR'),
    text('VARCHAR(12)'),
    whole('SMALLINT', 16),
    whole('INTEGER', 32),
    whole('BIGINT'),
    whole('UINTEGER', 32, 0n),
    decimal('DECIMAL(38,10)', 38, 10),
    decimal('DECIMAL(15,4)', 15, 4),
    number('DOUBLE'),
    boolean('BOOLEAN'),
    date,
    time('TIME'),
    moments('TIMESTAMP', true),
    moments('TIMESTAMPTZ', false),
    uuid,
    decimal('HUGEINT', 38, 0),
  ],
}

/** A cell that the column takes. */
export function taken({ draw, fault }: Pick<Declared, 'draw' | 'fault'>, next: Random): string {
  for (;;) {
    const cell = draw(next)
    if (fault(cell) === undefined) return cell
  }
}
