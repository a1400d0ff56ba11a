/** Whether a cell is the label of its column, in log-odds: what it is, against the values below it. */
import { isTyped, type Look, lookOf } from './looks.ts'

/** A cell of the record in question, and the column below it. */
export interface Column {
  readonly label: string
  readonly look: Look
  /** Those that are not empty. */
  readonly values: readonly string[]
  /** The kind of most values; undefined where they are too mixed to have one. */
  readonly kind: Kind | undefined
  /** The share of the values that are not of the kind. */
  readonly exceptions: number
}

type Kind = 'numeric' | 'temporal' | 'boolean' | 'other' | 'code' | 'word' | 'text'

const kinds: Readonly<Record<Exclude<Look, 'empty'>, Kind>> = {
  integer: 'numeric',
  number: 'numeric',
  date: 'temporal',
  time: 'temporal',
  datetime: 'temporal',
  boolean: 'boolean',
  email: 'other',
  url: 'other',
  address: 'other',
  uuid: 'other',
  phone: 'other',
  structure: 'other',
  code: 'code',
  word: 'word',
  text: 'text',
}

const mostExceptions = 0.15

export function columnOf(cell: string, below: readonly string[]): Column {
  const counts = new Map<Kind, number>()
  const values: string[] = []
  for (const text of below) {
    const look = lookOf(text)
    if (look === 'empty') continue
    values.push(text.trim())
    counts.set(kinds[look], (counts.get(kinds[look]) ?? 0) + 1)
  }
  const [most, count] = [...counts].toSorted(([, a], [, b]) => b - a)[0] ?? [undefined, 0]
  const exceptions = values.length === 0 ? 0 : 1 - count / values.length
  const kind = exceptions <= mostExceptions ? most : undefined
  return { label: cell.trim(), look: lookOf(cell), values, kind, exceptions }
}

/** Whether the cell might be one of the column's values, its type being what theirs is. */
export function isLikeValues({ look, kind }: Column): boolean {
  return look !== 'empty' && isTyped(look) && (kind === undefined || kind === kinds[look])
}

/** @param sequence whether the labels of the record count up, as years do. */
export function voteOf(column: Column, sequence: boolean): number {
  const { label, look, values, kind, exceptions } = column
  if (look === 'empty') return 0
  if (isCounted(label, values)) return -3
  if (isTyped(look)) return typedVote(column, kinds[look], sequence)
  if (kind === 'numeric' || kind === 'temporal' || kind === 'boolean' || kind === 'other') {
    const many = Math.min(1, values.length / 3)
    return (look === 'text' && label.length > 60 ? many : 1 + 1.5 * many) * (1 - 5 * exceptions)
  }
  const again = values.filter((value) => value === label).length
  if (again > 0) return again >= values.length / 2 ? -3 : values.length > 20 ? -1.5 : -1
  return patternVote(label, values) + wordVote(label) - (look === 'code' && kind === 'code' ? 0.3 : 0)
}

function typedVote({ label, look, values, kind }: Column, own: Kind, sequence: boolean): number {
  if (own === 'numeric') {
    if (sequence) return 0.8
    if (kind === 'numeric') return look === 'number' ? -1.6 : -1.1
    return kind === undefined || values.length === 0 ? -1 : -0.4
  }
  // “No” is a label as well, and so are days above hours, or above names.
  if (own === 'boolean' && kind !== 'boolean') return wordVote(label) > 0 ? wordVote(label) : -0.5
  if (own === 'temporal' && kind !== 'temporal' && kind !== undefined && values.length > 1) return 0.5
  if (kind === own) return own === 'boolean' ? -1.5 : -2.2
  return look === 'structure' ? -0.5 : -1.2
}

/** Whether the values count on from the cell: 1 above 2 and 3, A1 above A2 and A3. */
function isCounted(label: string, values: readonly string[]): boolean {
  const [, begins = '', digits] = /^(\D*)(\d{1,9})$/.exec(label) ?? []
  if (digits === undefined || values.length < 2) return false
  return values.slice(0, 3).every((value, at) => value === `${begins}${Number(digits) + at + 1}`)
}

/** Whether the values are all of one pattern, and the cell of another. */
function patternVote(label: string, values: readonly string[]): number {
  if (values.length < 2) return 0
  if (beginsAlike(label, values)) return -2.5
  const begins = beginOf(label)
  if (begins.includes('9') && values.filter((value) => beginOf(value) === begins).length >= values.length * 0.8) {
    return -Math.min(3, begins.replace(/[^9]/g, '').length)
  }
  const patterns = new Set(values.map(patternOf))
  if (patterns.size > Math.max(1, values.length * 0.1)) {
    const areEven = new Set(values.map(({ length }) => length)).size === 1
    return areEven && values.length > 3 && label.length !== values[0]?.length ? 0.7 : 0
  }
  return patterns.has(patternOf(label)) ? (/\d/.test(label) ? -1 : -0.1) : 0.7
}

/** Whether they share a beginning that is long enough to be no chance: “DVD-10” and “DVD-11”. */
function beginsAlike(label: string, values: readonly string[]): boolean {
  const [first = ''] = values
  let length = 0
  while (length < first.length && first[length] === label[length]) length++
  const begins = first.slice(0, length)
  return length >= 4 && length < label.length && values.every((value) => value.startsWith(begins))
}

/** How a longer text begins, as the lines of a log do. */
function beginOf(text: string): string {
  const pattern = patternOf(text)
  return pattern.length > 12 ? pattern.slice(0, 10) : ''
}

/** Letters and digits by their class, a run of them as one: “AB-12” is “A-9”. */
function patternOf(text: string): string {
  return text
    .slice(0, 60)
    .replace(/\p{Lu}+/gu, 'A')
    .replace(/\p{Ll}+/gu, 'a')
    .replace(/\d+/g, '9')
    .replace(/\s+/g, ' ')
}

const words: ReadonlySet<string> = new Set(
  [
    '# no nr num number id ids key code name names title label type kind class category group status state index rank',
    'date time datetime timestamp year month day hour start end from to duration version level score size weight',
    'height width length city town country region county street address zip plz postcode phone tel email mail url',
    'link website lat lon lng latitude longitude x y z user username first last firstname lastname surname age sex',
    'gender description desc text comment comments note notes remark message price cost amount total sum count qty',
    'quantity value values unit units currency rate balance reference ref tag tags source target file path host ip',
    'sku product item items order customer account',
    'datum uhrzeit zeit jahr monat betrag betreff bezeichnung beschreibung anzahl menge preis kunde kundennr konto',
    'vorname nachname ort stadt land strasse straße telefon art typ wert einheit bemerkung verwendungszweck saldo',
    'währung',
    'nom prénom prenom ville pays adresse année mois jour montant libellé libelle quantité prix référence remarque',
    'fecha hora nombre apellido apellidos ciudad país pais dirección direccion teléfono telefono correo año mes',
    'importe cantidad precio descripción descripcion estado tipo',
    'data ora nome cognome città indirizzo prezzo quantità importo descrizione anno mese',
    'cidade endereço valor ano mês quantidade preço descrição',
    'naam voornaam achternaam plaats straat bedrag aantal omschrijving jaar maand',
    'imię nazwisko miasto kwota opis ilość cena jméno příjmení město částka név dátum összeg',
    'namn belopp antal navn beløb beløp dato nimi päivä summa ad soyad tarih tutar',
    'имя дата сумма город 名前 日付 氏名 住所 名称 日期 金额 姓名 地址',
  ].flatMap((line) => line.split(' ')),
)

/** Whether the cell is, or has in it, a word that labels are made of, in one of many languages. */
export function wordVote(label: string): number {
  const parts = label.split(/[\s_./()-]+|(?<=\p{Ll})(?=\p{Lu})/u).filter((part) => part !== '')
  if (parts.length === 0 || parts.length > 6) return 0
  if (parts.some((part) => words.has(part.toLowerCase()))) return 0.9
  return /_|^\p{Ll}+\p{Lu}/u.test(label) ? 0.4 : 0
}
