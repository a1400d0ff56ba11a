/** What made-up customers and their cities are called. */

export interface Pool {
  readonly common: readonly string[]
  /** What would wear out if it came as often, such as names with quotes or line breaks in them. */
  readonly rare: readonly string[]
  /** Of all that are drawn. */
  readonly rareShare: number
}

export const firstNames: Pool = {
  common:
    'Ana,Åsa,Ben,Björn,Chloé,Clara,David,Eva,Émile,Fatima,Finn,Grace,Håkon,Ines,Jonas,José,Karin,Lars,Léa,Łukasz,Maria,Max,Mei,Noah,Olga,Omar,Paul,Priya,Rosa,René,Samuel,Søren,Sofía,Tomáš,Ümit,Vera,Wanda,Yusuf,Zoë'.split(
      ',',
    ),
  rare: ['Ann "Annie"', 'Robert "Bob"', 'José "Pepe"', 'Mia 🌸', 'さくら', '伟'],
  rareShare: 1 / 500,
}

export const lastNames: Pool = {
  common: [
    'King, Jr.',
    ..."Åberg,Bauer,Björk,Costa,Dubois,Dvořák,García,Ivanova,Jensen,Jung,Kaya,Khan,Kim,Kowalski,Lefèvre,Li,López,Meyer,Müller,Nagy,Nguyen,Novák,Nowak,O'Brien,Petrov,Popescu,Rossi,Santos,Silva,Singh,Smith,Sørensen,Tanaka,Wałęsa,Weiß,Wright,Yılmaz,Zhang".split(
      ',',
    ),
  ],
  rare: ['Smith "Smitty"', '王', '김'],
  rareShare: 1 / 500,
}

export const cities: Pool = {
  common: [
    'Portland, West',
    'Springfield, North',
    ...'Aarhus,Berlin,Bogotá,Brno,Buenos Aires,Cádiz,Dakar,Delhi,Gdańsk,Genève,Graz,Hanoi,İzmir,Kraków,Kyiv,Köln,Lagos,Lima,Łódź,Lyon,Malmö,Milano,München,Nîmes,Osaka,Oslo,Paris,Porto,Praha,Quito,Reykjavík,Rīga,Rio de Janeiro,Roma,São Paulo,Seoul,Thessaloníki,Tromsø,Turku,Utrecht,Wien,Zürich'.split(
      ',',
    ),
  ],
  rare: ['London\nSW1A 1AA', 'Lyon\nCedex 03', 'Paris\nCedex 08'],
  rareShare: 1 / 5000,
}

/** Letters that are more than a plain one with a mark. */
const letters: Readonly<Record<string, string>> = {
  ı: 'i',
  ł: 'l',
  ø: 'o',
  ß: 'ss',
  さ: 'sa',
  く: 'ku',
  ら: 'ra',
  伟: 'wei',
  王: 'wang',
  김: 'kim',
}

/** In the letters a to z alone, as in an e-mail address. */
export function romanised(name: string): string {
  const spelled = Array.from(name.toLowerCase(), (letter) => letters[letter] ?? letter).join('')
  return spelled.normalize('NFD').replaceAll(/[^a-z]/g, '')
}
