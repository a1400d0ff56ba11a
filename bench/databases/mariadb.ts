/** MariaDB: `LOAD DATA LOCAL INFILE` by its own client is the floor. */
import { locate } from '../../scripts/servers/programs.ts'
import { recipes } from '../../scripts/servers/recipes.ts'
import { query } from '../../test/servers.ts'
import { columns, contentsSql, createTable, digestDigits, table } from '../customers.ts'
import { type Database, type Loader, rowmillLoader } from './database.ts'

const sumSql = contentsSql(
  (column) => `cast(${column} AS char)`,
  (text) => `cast(conv(left(md5(${text}), ${digestDigits}), 16, 10) AS unsigned)`,
)

/** @param url of a database that is made anew for each run, by a user who may do so. */
export async function openMariadb(url: string): Promise<Database> {
  const [version = ''] = (await query(url, 'SELECT version()')).split('-')
  return {
    program: `MariaDB ${version}`,
    packages: ['mysql2'],
    loaders: [loadData(url), rowmillLoader(url)],
    leftOut: [],
    async renew() {
      const name = new URL(url).pathname.slice(1)
      await query(url, `CREATE OR REPLACE DATABASE ${name}`)
      await query(url, createTable)
    },
    async contents() {
      const [rows = '', sum = ''] = (await query(url, sumSql)).split('\t')
      return { rows: Number(rows), sum: BigInt(sum) }
    },
  }
}

function loadData(url: string): Loader {
  const { hostname, port, username, password, pathname } = new URL(url)
  const place = [`--host=${hostname}`, `--port=${port}`, `--user=${username}`, `--password=${password}`]
  const format = ['--no-defaults', '--local-infile=1', '--default-character-set=utf8mb4']
  // Without SET, an empty amount would be 0.00, with no more than a warning that nobody sees.
  const into = Object.keys(columns).map((column) => (column === 'amount' ? '@amount' : column))
  const statement = (file: string) => `LOAD DATA LOCAL INFILE '${file}' INTO TABLE ${table} CHARACTER SET utf8mb4
    FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '' LINES TERMINATED BY '\\n' IGNORE 1 LINES
    (${into.join(', ')}) SET amount = nullif(@amount, '')`
  return {
    name: '`LOAD DATA LOCAL INFILE`',
    command: (file) => ({
      file: locate(recipes.mariadb, 'mariadb'),
      args: [...format, ...place, `--execute=${statement(file)}`, pathname.slice(1)],
    }),
  }
}
