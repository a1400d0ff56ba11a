import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { encoderOf } from '../../test/encode.ts'
import { AppError } from '../errors.ts'
import { ambiguousEncoding, checkEncodingName, detectEncoding, leastConfidence } from './encoding.ts'
import { showBytes } from './text/decoder.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowmill-encoding-'))
})
after(() => rm(folder, { recursive: true }))

const signal = new AbortController().signal

async function detected(bytes: Uint8Array, named?: string) {
  const path = join(folder, 'file')
  await writeFile(path, bytes)
  return await detectEncoding(path, { signal, named })
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Tables as people have them: names, places, addresses, goods, remarks. */
const tables: readonly (readonly [language: string, encodings: string, text: string])[] = [
  [
    'German',
    'windows-1252 macintosh ibm850',
    'Nr;Name;Straße;Ort;Bemerkung\n1;Jörg Müller;Königsallee 5;Köln;zahlt pünktlich\n2;Käthe Groß;Gärtnerweg 12;München;ungültige Adresse\n3;Björn Schäfer;Lübecker Straße 7;Düsseldorf;Rückgabe möglich\n',
  ],
  [
    'French',
    'windows-1252 macintosh ibm850 iso-8859-15',
    'id,nom,prénom,ville,remarque\n1,Lefèvre,Hélène,Orléans,payé à la livraison\n2,Gauthier,François,Besançon,adresse erronée\n3,Château,Noël,Nîmes,à rappeler dès février\n4,Béranger,Zoé,Sète,très bon élève\n',
  ],
  [
    'Spanish',
    'windows-1252 ibm850',
    'id,nombre,dirección,teléfono,país\n1,José Núñez,Avda. de la Constitución 3,912345678,España\n2,María Gómez,Calle Córdoba 15,932345678,México\n3,Íñigo Martín,Plaza de los Ángeles,957123456,Perú\n',
  ],
  [
    'Portuguese',
    'windows-1252',
    'código,nome,endereço,município,situação\n1,João Conceição,Praça da República,São Paulo,não pago\n2,Inês Magalhães,Rua da Fundação,Maceió,em negociação\n3,Antônio Guimarães,Avenida Brasília,Goiânia,descrição incompleta\n',
  ],
  [
    'Italian',
    'windows-1252',
    'codice,città,qualità,note\n1,Forlì,buona,è già stato pagato\n2,Cefalù,così così,perché non è disponibile\n3,Mondovì,priorità alta,più tardi\n4,Nardò,metà prezzo,si può rinviare a lunedì\n',
  ],
  [
    'Swedish',
    'windows-1252 ibm850',
    'namn,gata,ort\nÅsa Sjöberg,Västra vägen 4,Malmö\nGöran Öberg,Östra Ågatan 9,Skellefteå\nPär Nordström,Fågelvägen 1,Jönköping\n',
  ],
  [
    'Danish',
    'windows-1252',
    'navn,vej,by\nSøren Kjær,Nørregade 4,København\nÅse Bjørnsen,Østergade 9,Ålborg\nJørgen Højgård,Skovbakken 1,Rødovre\n',
  ],
  [
    'English',
    'windows-1252',
    'id,review,price\n1,“It’s lovely” – we’d buy it again,£12\n2,Didn’t arrive… the courier’s fault,£7\n3,A café-style “naïve” blend,€9\n',
  ],
  [
    'Polish',
    'windows-1250 iso-8859-2 ibm852',
    'imię;nazwisko;ulica;miasto\nŁukasz;Wiśniewski;Żółkiewskiego 5;Kraków\nMałgorzata;Dąbrowska;Święty Marcin 12;Poznań\nPaweł;Zieliński;Książęca 3;Łódź\nJoźwiak;Bożena;Głęboka 7;Bydgoszcz\n',
  ],
  [
    'Czech',
    'windows-1250 iso-8859-2 ibm852',
    'jméno;příjmení;ulice;město\nJiří;Dvořák;Náměstí Míru 3;Plzeň\nKateřina;Šťastná;Žižkova 12;Děčín\nOndřej;Růžička;Květná 8;Hradec Králové\nVěra;Černá;Údolní 4;Třebíč\n',
  ],
  [
    'Hungarian',
    'windows-1250 iso-8859-2',
    'név,utca,város,megjegyzés\nSzabó Győző,Petőfi Sándor utca 3,Győr,fizetés később\nTóth Ágnes,Széchenyi körút 12,Székesfehérvár,hűségkártya\nKővári Béla,Erdősor 8,Debrecen,külön kérésre\n',
  ],
  [
    'Turkish',
    'windows-1254',
    'ad,soyad,şehir,açıklama\nÇağlar,Yıldız,İstanbul,ödeme gecikmiş\nGülşah,Öztürk,Eskişehir,aynı gün teslim\nUğur,Şahin,Muğla,müşteri aranacak\nIşıl,Kılıç,Ağrı,yanlış adres\n',
  ],
  [
    'Lithuanian',
    'windows-1257',
    'vardas,pavardė,miestas\nŽydrūnas,Kazlauskas,Šiauliai\nRūta,Žukauskienė,Panevėžys\nAušra,Čepaitė,Mažeikiai\nJonas,Šimkevičius,Tauragė\nEglė,Vaičiūnaitė,Ukmergė\n',
  ],
  [
    'Russian',
    'windows-1251 koi8-r ibm866 iso-8859-5 x-mac-cyrillic',
    'Имя,Город,Адрес\nИванов Сергей,Москва,улица Ленина 5\nПетрова Анна,Санкт-Петербург,Невский проспект 12\nКузнецов Олег,Новосибирск,Красный проспект 1\n',
  ],
  [
    'Ukrainian',
    'windows-1251 koi8-u',
    'Прізвище,Місто,Вулиця\nШевченко Тарас,Київ,Хрещатик 5\nКоваленко Їжакевич,Львів,вулиця Городоцька 12\nБойко Євген,Чернігів,проспект Миру 7\n',
  ],
  [
    'Greek',
    'windows-1253 iso-8859-7',
    'όνομα,πόλη,διεύθυνση\nΓιώργος Παπαδόπουλος,Αθήνα,οδός Σταδίου 5\nΜαρία Νικολάου,Θεσσαλονίκη,Εγνατία 12\nΚώστας Δημητρίου,Πάτρα,Κορίνθου 8\n',
  ],
  [
    'Hebrew',
    'windows-1255',
    'שם,עיר,רחוב\nדוד כהן,תל אביב,רחוב הרצל 5\nמרים לוי,ירושלים,דרך יפו 12\nיוסף מזרחי,חיפה,שדרות הנשיא 3\n',
  ],
  [
    'Arabic',
    'windows-1256',
    'الاسم,المدينة,الشارع\nمحمد أحمد,القاهرة,شارع التحرير\nفاطمة علي,الإسكندرية,شارع الملك\nخالد حسن,الرياض,طريق المطار\n',
  ],
  ['Thai', 'windows-874', 'ชื่อ,จังหวัด,ที่อยู่\nสมชาย ใจดี,กรุงเทพมหานคร,ถนนสุขุมวิท\nมาลี ศรีสุข,เชียงใหม่,ถนนนิมมานเหมินท์\n'],
  [
    'Chinese',
    'gb18030',
    '姓名,城市,地址,备注\n王小明,北京,朝阳区建国路八十八号,货到付款\n李丽,上海,浦东新区世纪大道,已经发货\n陈建国,广州,天河区体育西路,联系不上\n',
  ],
  [
    'Chinese of Taiwan',
    'big5',
    '姓名,城市,地址,備註\n陳怡君,臺北市,中正區重慶南路一段,已付款\n林志明,高雄市,前鎮區中山二路,許功蓋先生代收\n黃淑芬,臺中市,西屯區文心路,請先電話聯絡\n',
  ],
  [
    'Japanese',
    'shift_jis euc-jp',
    '氏名,フリガナ,都道府県,住所\n佐藤健,サトウケン,東京都,千代田区丸の内\n鈴木花子,スズキハナコ,大阪府,大阪市北区梅田\n高橋一郎,タカハシイチロウ,北海道,札幌市中央区\n',
  ],
  ['Japanese of banks', 'shift_jis', '1,ｶ)ﾔﾏﾀﾞｼｮｳｼﾞ,ﾐﾂﾋﾞｼ,ﾏﾙﾉｳﾁ\n2,ｽｽﾞｷ ﾊﾅｺ,ﾐｽﾞﾎ,ｼﾝｼﾞｭｸ\n3,ｻﾄｳ ｹﾝ,ﾘｿﾅ,ｳﾒﾀﾞ\n'],
  [
    'Korean',
    'euc-kr',
    '이름,도시,주소,비고\n김철수,서울특별시,강남구 테헤란로,결제 완료\n이영희,부산광역시,해운대구 우동,배송 중\n박민수,대구광역시,수성구 범어동,연락 안 됨\n',
  ],
]

for (const [language, encodings, text] of tables) {
  for (const encoding of encodings.split(' ')) {
    test(`${language} in ${encoding} is read as what it is, or not at all, down to a few words`, async () => {
      const encode = encoderOf(encoding)
      const bytes = encode(text)
      assert.ok(bytes, 'the encoding lacks something')
      const whole = await detected(bytes)
      assert.equal(showBytes(bytes, whole.encoding), text, JSON.stringify(whole))
      assert.ok(whole.confidence >= leastConfidence, JSON.stringify(whole))
      assert.deepEqual([whole.how, whole.mark, whole.firstBad], ['guess', false, -1])

      for (const line of text.split('\n').filter((all) => Buffer.byteLength(all) > all.length + 3)) {
        const few = encode(`id,text\n1,${line}\n2,plain words\n`)
        assert.ok(few)
        const found = await detected(few)
        if (found.confidence < leastConfidence) continue
        assert.equal(showBytes(few, found.encoding), showBytes(few, encoding), JSON.stringify(found))
      }
    })
  }
}

/** The names of countries and languages in a language: some hundred words that nobody has chosen for this. */
function wordsOf(locale: string): string[] {
  const countries = 'US DE FR ES IT PL CZ RU JP CN KR BR SE NO DK FI GR TR HU RO UA BG HR SI SK EE LV LT IL EG TH NL BE'
  const languages = 'en de fr es it pl cs ru ja zh ko pt sv da fi el tr hu ro uk bg hr sl sk et lv lt he ar th'
  return [
    ...countries.split(' ').map((code) => new Intl.DisplayNames(locale, { type: 'region' }).of(code) ?? ''),
    ...languages.split(' ').map((code) => new Intl.DisplayNames(locale, { type: 'language' }).of(code) ?? ''),
  ]
}

test('five words are enough for no wrong reading, in any of many languages', async () => {
  let [right, all] = [0, 0]
  for (const [locale, encoding] of [
    ['de', 'windows-1252'],
    ['fr', 'windows-1252'],
    ['es', 'windows-1252'],
    ['pt', 'windows-1252'],
    ['nl', 'windows-1252'],
    ['is', 'windows-1252'],
    ['ca', 'windows-1252'],
    ['pl', 'windows-1250'],
    ['cs', 'windows-1250'],
    ['sk', 'windows-1250'],
    ['hr', 'windows-1250'],
    ['ro', 'windows-1250'],
    ['tr', 'windows-1254'],
    ['lv', 'windows-1257'],
    ['et', 'windows-1257'],
    ['bg', 'windows-1251'],
    ['sr', 'windows-1251'],
    ['el', 'windows-1253'],
    ['fa', 'windows-1256'],
    ['th', 'windows-874'],
    ['zh-Hans', 'gb18030'],
    ['zh-Hant', 'big5'],
    ['ja', 'shift_jis'],
    ['ko', 'euc-kr'],
  ] as const) {
    const encode = encoderOf(encoding)
    const words = wordsOf(locale)
      .map((word) => encode(word) ?? Buffer.alloc(0))
      .filter((word) => word.some((byte) => byte >= 0x80))
    for (let from = 0; from + 5 <= words.length && from < 15; from += 5) {
      const bytes = Buffer.concat(
        words.slice(from, from + 5).flatMap((word, i) => [latin1(`${i},`), word, latin1('\n')]),
      )
      const found = await detected(bytes)
      all++
      if (found.confidence < leastConfidence) continue
      right++
      assert.equal(showBytes(bytes, found.encoding), showBytes(bytes, encoding), `${locale} ${JSON.stringify(found)}`)
    }
  }
  assert.ok(right / all > 0.75, `${right} of ${all}`)
})

suite('utf-8', () => {
  test('is certain where it is valid, ASCII and nothing at all included', async () => {
    for (const text of ['', 'a,b\n1,2\n', 'naïve,日本\n', `${'x'.repeat(5 << 20)}é\n`]) {
      assert.deepEqual(await detected(Buffer.from(text)), {
        encoding: 'utf-8',
        mark: false,
        how: 'valid',
        confidence: 1,
        alternatives: [],
        firstBad: -1,
      })
    }
    assert.partialDeepStrictEqual(await detected(Buffer.from('\ufeffa,é\n')), {
      mark: true,
      how: 'mark',
      confidence: 1,
    })
  })

  test('with some broken bytes is still what it is, and says where the first one is', async () => {
    const sound = 'Zoë,Müller\nJosé,Gómez\nПётр,Москва\n'
    const bytes = Buffer.concat([Buffer.from(sound), latin1('caf\xe9,x\n'), Buffer.from(sound)])
    const found = await detected(bytes)
    assert.partialDeepStrictEqual(found, { encoding: 'utf-8', how: 'guess', firstBad: Buffer.byteLength(sound) + 3 })
    assert.ok(found.confidence >= leastConfidence, JSON.stringify(found))
    // Cut off in the middle of its last character.
    const cut = await detected(Buffer.from(sound.repeat(3) + 'é').subarray(0, -1))
    assert.partialDeepStrictEqual(cut, { encoding: 'utf-8', firstBad: 3 * Buffer.byteLength(sound) })
  })

  /** A file of hardly any variety: one word on nearly all lines, another on the last. */
  const monotonous = (many: Buffer, once: Buffer) =>
    Buffer.concat([
      ...Array.from({ length: 60 }, (_, i) => [latin1(`${i},`), many, latin1('\n')]).flat(),
      latin1('60,'),
      once,
    ])

  test('of little variety is still what it is, with one word that is none', async () => {
    for (const [word, other] of [
      ['é', 'caf\xe9'],
      ['Müller', 'M\xfcller'],
      ['21 °C', '21 \xb0C'],
      ['5 €', '5 \x80'],
      ['“so” – it', '\x93so\x94'],
      ['東京', '\x91\xe5\x8d\xe3'],
      ['Москва', '\xcc\xee\xf1\xea\xe2\xe0'],
      ['巴西', '\xa4\xe5'],
      ['Straße', 'Stra\xc3'],
    ] as const) {
      const found = await detected(monotonous(Buffer.from(word), latin1(other)))
      assert.equal(found.encoding, 'utf-8', `${word} ${JSON.stringify(found)}`)
      assert.ok(found.confidence >= leastConfidence, `${word} ${JSON.stringify(found)}`)
      assert.ok(found.firstBad > 60 * (Buffer.byteLength(word) + 3))
    }
    const marked = Buffer.concat([Buffer.from('\ufeff'), monotonous(Buffer.from('é'), latin1('caf\xe9'))])
    assert.partialDeepStrictEqual(await detected(marked), { encoding: 'utf-8', how: 'mark', confidence: 1 })
  })

  test('is not seen in words of other encodings that happen to be valid', async () => {
    for (const [encoding, word, other] of [
      ['gb18030', '女', '男'],
      ['gb18030', '女', '北京朝阳区'],
      ['euc-kr', '시', '서울특별시'],
      ['windows-1252', 'NESTLÉ®', 'Nestlé'],
      ['windows-1252', '“É”', 'Café'],
      ['windows-874', 'รฉ', 'ถนนสุขุมวิท'],
      ['ibm866', 'рад', 'Москва'],
    ] as const) {
      const encode = encoderOf(encoding)
      const [many, once] = [encode(word), encode(other)]
      assert.ok(many && once)
      const found = await detected(monotonous(many, once))
      assert.ok(found.confidence < leastConfidence || found.encoding === encoding, `${word} ${JSON.stringify(found)}`)
    }
  })

  test('mixed half and half with another encoding is not read', async () => {
    const words = ['Müller', 'Käthe', 'Größe', 'Straße', 'Düne', 'Öl', 'Ärger', 'Süden', 'fünf', 'böse']
    const half = words.map((word) => `${word},x\n`).join('')
    const other = words.map((word) => `Neu${word.toLowerCase()},x\n`).join('')
    const found = await detected(Buffer.concat([Buffer.from(half), latin1(other)]))
    assert.ok(found.confidence < leastConfidence, JSON.stringify(found))
  })

  test('a mark before something else is a contradiction, and told', async () => {
    const found = await detected(Buffer.concat([Buffer.from('\ufeff'), latin1('Müller,Käthe,Größe\nStraße,Öl,Süd\n')]))
    assert.ok(found.confidence < leastConfidence)
    assert.match(ambiguousEncoding('in.csv', found).message, /mark of UTF-8, but what follows is not UTF-8 \(byte 4\)/)
  })

  test('the escapes of ISO-2022-JP are no ASCII', async () => {
    const found = await detected(latin1('a,b\n1,\u001b$B;3ED\u001b(B\n'))
    assert.ok(found.confidence < leastConfidence)
    assert.match(ambiguousEncoding('in.csv', found).message, /ISO-2022-JP \(byte 6\)/)
  })
})

suite('utf-16', () => {
  test('is known by its mark, and without one by what is ASCII in it', async () => {
    const short = 'a,b\n1,2\n'
    for (const encoding of ['utf-16le', 'utf-16be'] as const) {
      const encode = encoderOf(encoding)
      for (const text of [short, ...tables.map(([, , table]) => table)]) {
        const [plain, marked] = [encode(text), encode(`\ufeff${text}`)]
        assert.ok(plain && marked)
        const found = await detected(plain)
        assert.partialDeepStrictEqual(found, { encoding, how: 'guess', mark: false })
        assert.ok(found.confidence >= leastConfidence)
        assert.partialDeepStrictEqual(await detected(marked), { encoding, how: 'mark', mark: true, confidence: 1 })
      }
    }
  })

  test('is not seen in other text with zero bytes', async () => {
    for (const text of [
      'a,b\n1,x\0y\n2,z\n',
      `name\n${'abc\0\0\0\0\0\n'.repeat(100)}`,
      `${'some text\n'.repeat(50)}\0\0`,
    ]) {
      assert.partialDeepStrictEqual(await detected(Buffer.from(text)), { encoding: 'utf-8', how: 'valid' })
    }
  })

  test('with lines of another encoding behind it is not read, and says from where on', async () => {
    const begin = Buffer.from('\ufeffid,name\r\n1,Zoë\r\n', 'utf16le')
    const found = await detected(Buffer.concat([begin, Buffer.from('2,appended later\r\n3,by another program\r\n')]))
    assert.ok(found.confidence < leastConfidence)
    assert.equal(found.firstBad, begin.length)
    assert.match(ambiguousEncoding('in.csv', found).message, new RegExp(`from about byte ${begin.length} on`))
  })
})

test('what is noise in every encoding is not read', async () => {
  let state = 12345
  const noise = Buffer.from(
    Array.from({ length: 3000 }, () => {
      state = (state * 1103515245 + 12345) % 2147483648
      return 1 + ((state >> 16) % 255)
    }),
  )
  const found = await detected(noise)
  assert.ok(found.confidence < leastConfidence, JSON.stringify(found))
})

test('one odd word late in a large file is not missed', async () => {
  const rows = Buffer.from('12345,Müller,Köln,Straße\n'.repeat(400_000), 'latin1')
  // Read as windows-1252 alone, the last name would be “Dvoøák”; German looks the same in both.
  const names = encoderOf('windows-1250')('1,Dvořák,Jiří,Plzeň\n2,Růžička,Třebíč,Děčín\n')
  assert.ok(names)
  const found = await detected(Buffer.concat([rows, names]))
  assert.ok(found.encoding === 'windows-1250' || found.confidence < leastConfidence, JSON.stringify(found))
})

test('where nothing can be told, the refusal shows what it might be', async () => {
  const found = await detected(latin1('name\nP\xf8ibyl\n'))
  assert.ok(found.confidence < leastConfidence, JSON.stringify(found))
  const error = ambiguousEncoding('names.csv', found)
  assert.ok(error instanceof AppError)
  assert.equal(error.code, 'rejected')
  assert.match(error.message, /^names\.csv .*windows-125. \(“P.ibyl”\), .*\(“P.ibyl”\).*--encoding/)
  assert.equal(error.details?.['file'], 'names.csv')
  assert.ok(found.alternatives.some(({ encoding }) => encoding === 'windows-1250'))
})

suite('a named encoding', () => {
  test('is taken without a look, but for its mark', async () => {
    assert.partialDeepStrictEqual(await detected(latin1('M\xfcller'), 'windows-1250'), {
      encoding: 'windows-1250',
      how: 'named',
      confidence: 1,
      mark: false,
    })
    const both = Buffer.from('\ufeffa,b', 'utf16le')
    assert.partialDeepStrictEqual(await detected(both, 'utf-16'), { encoding: 'utf-16le', mark: true })
    assert.partialDeepStrictEqual(await detected(both.swap16(), 'utf-16'), { encoding: 'utf-16be', mark: true })
    assert.partialDeepStrictEqual(await detected(both.subarray(2), 'utf-16'), { encoding: 'utf-16be', mark: false })
    const other = await detected(Buffer.from('\ufeffa'), 'windows-1252')
    assert.match(other.doubt ?? '', /mark of utf-8/)
    assert.equal(other.mark, false)
  })

  test('has one name, whatever people call it', () => {
    for (const [names, encoding] of [
      ['utf-8 UTF8 utf_8 utf-8-sig ascii us-ascii', 'utf-8'],
      ['latin1 latin-1 ISO-8859-1 iso8859-1 windows-1252 cp1252 CP-1252', 'windows-1252'],
      ['gbk GB2312 gb18030 cp936', 'gb18030'],
      ['shift_jis Shift-JIS sjis cp932 ms932 windows-31j', 'shift_jis'],
      ['euc-kr cp949 uhc ks_c_5601-1987', 'euc-kr'],
      ['macroman macintosh mac-roman', 'macintosh'],
      ['cp850 IBM850 ibm-850', 'ibm850'],
      ['utf-16 UTF16', 'utf-16'],
      ['utf-16le UTF-16-LE', 'utf-16le'],
      ['iso-8859-9 windows-1254', 'windows-1254'],
      ['koi8-r', 'koi8-r'],
      ['iso-8859-2 latin2', 'iso-8859-2'],
    ] as const) {
      for (const name of names.split(' ')) assert.equal(checkEncodingName(name), encoding, name)
    }
  })

  test('that nobody knows is refused, with the one that may be meant', () => {
    const invalid = (message: RegExp) => (error: unknown) =>
      error instanceof AppError && error.code === 'invalid' && message.test(error.message)
    assert.throws(() => checkEncodingName('windows-1225'), invalid(/“windows-1225”.*Did you mean windows-125\d\?/))
    assert.throws(() => checkEncodingName('klingon'), invalid(/“klingon”.*Name one such as utf-8/))
    for (const name of ['', 'iso-2022-jp', 'x-user-defined', 'utf-7', 'constructor', '__proto__']) {
      assert.throws(() => checkEncodingName(name), invalid(/is no encoding that can be read/))
    }
  })
})

test('the signal ends it with its own reason', async () => {
  const reason = new Error('enough')
  const path = join(folder, 'file')
  for (const bytes of [Buffer.from('a'), latin1('\xe9a'), Buffer.from('\ufeffa', 'utf16le')]) {
    await writeFile(path, bytes)
    await assert.rejects(detectEncoding(path, { signal: AbortSignal.abort(reason) }), reason)
  }
})
