/** What a reader in JavaScript has read, the header left out. */
export class Tally {
  records = 0
  cells = 0
  /** UTF-16 code units of all values: as good as bytes to tell whether two have read the same, and free. */
  units = 0

  add(record: readonly string[]): void {
    this.records++
    this.cells += record.length
    for (const cell of record) this.units += cell.length
  }

  print(): void {
    const { records, cells, units } = this
    process.stdout.write(`${JSON.stringify({ records, cells, units })}\n`)
  }
}
