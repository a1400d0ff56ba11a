import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMysql, targetOf } from '../../../test/mysql-fixture.ts'
import { missing } from '../../../test/servers.ts'
import type { TargetColumn } from '../../job.ts'

/** A column's declaration, and what is made of it. */
const known: Readonly<Record<string, Partial<TargetColumn>>> = {
  'tinyint(1)': { field: { type: 'boolean', constraints: {} } },
  tinyint: { field: { type: 'integer', constraints: { minimum: -128, maximum: 127 } } },
  'smallint unsigned': { field: { type: 'integer', constraints: { minimum: 0, maximum: 65535 } } },
  'mediumint(5) unsigned zerofill': { field: { type: 'integer', constraints: { minimum: 0, maximum: 2 ** 24 - 1 } } },
  int: { field: { type: 'integer', constraints: { minimum: -2147483648, maximum: 2147483647 } } },
  bigint: { field: { type: 'integer', constraints: {} } },
  'bigint unsigned': { field: { type: 'decimal(20,0)', constraints: { minimum: 0 } } },
  'decimal(12,3)': { field: { type: 'decimal(12,3)', constraints: {} } },
  'decimal(12,3) unsigned': { field: { type: 'decimal(12,3)', constraints: { minimum: 0 } } },
  'decimal(40,3)': { field: null },
  float: { field: { type: 'number', constraints: {} } },
  'float(7,2)': { field: { type: 'decimal(7,2)', constraints: {} } },
  double: { field: { type: 'number', constraints: {} } },
  'varchar(20)': { field: { type: 'string', constraints: { maxLength: 20 } } },
  'char(3)': { field: { type: 'string', constraints: { maxLength: 3 } } },
  tinytext: { field: { type: 'string', constraints: { maxLength: 255 } } },
  text: { field: { type: 'string', constraints: {} } },
  longtext: { field: { type: 'string', constraints: {} } },
  "enum('a','it''s, (b)','c\\\\d\\n')": {
    field: { type: 'string', constraints: { enum: ['a', "it's, (b)", 'c\\d\n'] } },
  },
  date: { field: { type: 'date', constraints: {} } },
  'time(3)': { field: { type: 'time', constraints: {} } },
  'datetime(6)': { field: { type: 'datetime', timezone: 'UTC', constraints: {} } },
  'timestamp NULL': { field: { type: 'datetime', constraints: {} } },
  uuid: { field: { type: 'string', format: 'uuid', constraints: {} } },
  year: { field: null },
  'bit(1)': { field: null },
  'varbinary(8)': { field: null },
  "set('a','b')": { field: null },
  point: { field: null },
  'int NOT NULL': {
    field: { type: 'integer', constraints: { required: true, minimum: -2147483648, maximum: 2147483647 } },
    absent: 'refused',
  },
  'date NOT NULL DEFAULT CURDATE()': { field: { type: 'date', constraints: { required: true } }, absent: 'filled' },
  "varchar(9) DEFAULT 'NULL'": { field: { type: 'string', constraints: { maxLength: 9 } }, absent: 'filled' },
  'text DEFAULT NULL': { field: { type: 'string', constraints: {} }, absent: 'null' },
  'bigint AUTO_INCREMENT PRIMARY KEY': { field: { type: 'integer', constraints: {} }, absent: 'filled' },
  'bigint AS (1 + 1)': { field: { type: 'integer', constraints: {} }, isComputed: true },
  'bigint AS (1 + 2) STORED': { field: { type: 'integer', constraints: {} }, isComputed: true },
}

test('MySQL: the types of a table are told as ours', { skip: missing('mariadb') }, async () => {
  await using database = await openMysql()
  const declared = Object.keys(known).map((type, n) => `c${n} ${type}`)
  await database.run(`CREATE TABLE people (${declared.join(', ')})`)
  const columns = await database.sink.check(targetOf({}))
  const expected = Object.values(known).map((column, n) => ({
    name: `c${n}`,
    absent: 'null',
    isComputed: false,
    ...column,
  }))
  assert.deepEqual(columns, expected)
})
