/**
 * What is written with which letters: enough to tell which of several encodings makes language out of some bytes. Letters
 * are in the order of their frequency, roughly; of Latin scripts only those that are not ASCII.
 */

export interface Language {
  readonly name: string
  readonly letters: string
  /** Two or three letters that often stand together, `#` where a word ends or begins. */
  readonly pieces?: string
  /** How often it is the language of a file, in relation to one that often is. */
  readonly share?: number
  /** How much of what is not ASCII are signs, such as quotes, dashes and currencies; usually little. */
  readonly signs?: number
}

const latin: readonly Language[] = [
  { name: 'English', letters: 'éöüèáñçíóïàâä', pieces: 'fé# é# ïv', share: 3, signs: 0.7 },
  {
    name: 'French',
    letters: 'éèàêçôîûùâëïœüÿæ',
    pieces:
      'é# ée és ér té né dé ré cé pé mé èr ère èm ès ème êt ête ên ét éc él éta ça ço çai œu ôt ôn ît ût ûr où là à# ié éd év éb ég',
  },
  {
    name: 'German',
    letters: 'üäößé',
    pieces: 'ür üb üc üh ül ün ße ß# aß oß än äu äh är ät äl äch ön öh öl ör ös öf öß üs üt üg üd üß uß',
  },
  {
    name: 'Spanish',
    letters: 'óíáéñúü',
    pieces:
      'ón ión ín án én és ía ío ña ño ñe ñi ñí éx mé ás ár ór úb út úl úm á# é# ó# ím íc ís ác áz íg áq óg éc ér ándo érez índ',
  },
  {
    name: 'Portuguese',
    letters: 'ãçáéíóêõâàúôü',
    pieces:
      'ão ões ção çõ ãe ãs ín ên êm ês ém ça ço çã ár ór ér áv ív éd óp ís íc íl ác ún úb nã# hã# mã# ãos ê# á# é# ônc ânc ôm ô# ír íd úc ég ól',
  },
  { name: 'Italian', letters: 'àèùòéìóî', pieces: 'à# tà# ità è# é# ì# dì# ò# rò# ù# iù# hé#' },
  { name: 'Catalan', letters: 'óàèéçíòúïü', pieces: 'ció ió# és à# ó# ç# nç è# èn ès ía é# èr', share: 0.3 },
  { name: 'Dutch', letters: 'ëéïöü', pieces: 'eë ië iën eën eï oö eü één ën ëe oë aï ië#' },
  {
    name: 'Swedish',
    letters: 'äöåéü',
    pieces: 'är ör för å# på ån år ål än äl äv öv öd ön ös öm äg äs ät åt åd åg åk äng öt ås äd åll äck ölj öp',
  },
  {
    name: 'Danish',
    letters: 'øåæéöäüò',
    pieces: 'ør øn ød øg øb øl ær æl æn å# år ån ås æd æs øj øv ære øk æg øst lø sø åb åd ål åg ålb',
  },
  {
    name: 'Icelandic',
    letters: 'íáðóöéúæþý',
    pieces:
      'ía íu ák án ún þý ýs vík ír ið að ður ð# ðu þe þa #þ þj ú# á# ó# ís ár ær íð æð öl ön ör öð ðar ðin jó ét él ík úr ún óð áð éð ðs ýs',
    share: 0.3,
  },
  { name: 'Irish', letters: 'áíéóú', pieces: 'ái éi ói úi io ío ín ír ús án éa úil iú', share: 0.1 },
  { name: 'Albanian', letters: 'ëç', pieces: 'ë# ër ën ës ët ëm ça çm', share: 0.05 },
  {
    name: 'Polish',
    letters: 'łóęążśćńźéöü',
    pieces:
      'ów ók ód ół ńsk ść ćs ą# ę# ło ła ły ł# łu łą żs ży że ża żn sł ęd ęk ęś ąd ąc ąs ęp ęt śc śl św śn źn źd ńc ń# ć# ść# ąb óż ór ął łk dź ś# cię',
  },
  {
    name: 'Czech',
    letters: 'íáéěýřčšžůúňóťďöü',
    pieces:
      'ní# ý# é# á# ův ů# řs ří ře ři př tř vř ěs ěn ěl ě# ět št šk čn č# če či ča ží že žn ář ěm ím ích ých ého ém šť řá ňs ská ské ský ina ště čes éž úř úz úč íř ůz ďa žd óp ně mě vě dě bě pě',
  },
  {
    name: 'Slovak',
    letters: 'áíéčýšžľúťňôóäďĺŕ',
    pieces:
      'ná ný ská ské ský ého ím ích ých ť# ov# ôl ôž ľs ľn ľ# ľk čk č# če či čn šk žs že ži éh ín ňa ňo ňs ťa úr úst ia íc íns ái á# é# ý#',
  },
  {
    name: 'Hungarian',
    letters: 'áéöóőíüúű',
    pieces:
      'ség ság ő# ől ős őr ző nő tő lő elő ör öz ök ér ár és ék ás ál áz én éb ün ül űv ű# íg ít üzl úl ók őd ők óg á# é# ó# ór öv ön éz éve öt öl',
  },
  {
    name: 'Romanian',
    letters: 'ăţşîâșț',
    pieces:
      'ă# că tă ră nă lă dă să ăr ăt ăn ăs ău ân îm în #în #îm ţi ţe ţă şi şt şe şo ş# ât âr ţa âu ţ# ţii ști ș# ț# ție ța și',
  },
  {
    name: 'Croatian',
    letters: 'čšžćđ',
    pieces:
      'ić# ić vić ćić č# šk še ši ša ča če či čk čka že ži ža ž# đe đa đu ač ič eč aš iš uš oš aška čki ški ćin rđ',
  },
  {
    name: 'Turkish',
    letters: 'ıüşçöğiİâî',
    pieces:
      'ış ığ ıl ın ır ı# ğı ğu ğl ğ# oğ eğ ağ iş ş# şı şa şe şk aş aşı ça çe çı çi öz ör öğ gö kö ür ül ün üm üş üç #iş #ça #şi yı lı rı sı nı tı dı lığ ıs ık İst gü dü mü iç aç üz ü#',
  },
  {
    name: 'Estonian',
    letters: 'äõüöšž',
    pieces: 'õu õi õe õn õp õs ää äe äi är äh üü öö üh õh ühi šk ät äl äs ön ük äär õis üs',
    share: 0.3,
  },
  {
    name: 'Latvian',
    letters: 'āīēšūņļžčķģō',
    pieces:
      'ā# ās ām ār āl ān īb īg īn īt ēr ēt ēj š# šķ šan ņa ņu ļa ļu ķi ģi ūr ūn ū# ēš iņ iņš ība žu āj āk āt ēl ēn ž# ņ# ļo čų āz āv ēm ēs īs',
    share: 0.3,
  },
  {
    name: 'Lithuanian',
    letters: 'ėšįžųūčąę',
    pieces:
      'ų# ių# ė# ės ėj ėn ėl iš š# šk ši še ša žin ži ža že ūr ūn ūs ūt ą# ę# į# #į čia čio čių ąs ėm ėt ėd ųj įm ių ąj',
    share: 0.3,
  },
  { name: 'Vietnamese', letters: '\u0301\u0300đ\u0323ưôâ\u0309êăơ\u0303', share: 0.1 },
]

const cyrillic: readonly Language[] = [
  { name: 'Russian', letters: 'оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё' },
  { name: 'Ukrainian', letters: 'оанивітерслкудмпзябьгчйхжїшцюєщфґ' },
  { name: 'Bulgarian', letters: 'аиоетнрсвлкдпмзягубъчжхцщшюфйь' },
  { name: 'Serbian', letters: 'аоиенрстујвкдпмлзбгчшцжхњљћђфџ' },
]

const greek: readonly Language[] = [{ name: 'Greek', letters: 'αοιτεςνσρκηπυλμίόγωδάέχήφθύβώξζψϊϋΐΰ' }]
const hebrew: readonly Language[] = [{ name: 'Hebrew', letters: 'יוהלארתבשמםנדקחפעכגסןטזךצףץ' }]
const arabic: readonly Language[] = [
  { name: 'Arabic', letters: 'اليمونرتبةعدسفهكقأحجشطصىخإضذثزغئءظؤآ' },
  { name: 'Persian', letters: 'ايرندمهوتبشسکلزفگقخعپجحآصطچضظذغثژئ' },
]
const thai: readonly Language[] = [{ name: 'Thai', letters: 'านรกอเง่มยวลีดตท้ัสิหบะคปไแุจ็พขใชื์ผโูถึซธณษศภญำฐฏฎฆฌฉฒฑ' }]

/** Frequent characters and those of names, addresses and tables. */
const chinese =
  '的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运省县镇村街号楼室限责股份京广州深圳李刘陈杨赵黄周吴徐孙胡朱林郭罗江苏浙湖河川福技姓址话价元单位额'
const traditional =
  '的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心本前開但因只從想實日者意無力與長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應向頭文體政美相見被利二等產或新己制身果加西月話合回特代內信表化老給世位次度門任常先海通教原東聲提立及比員解水名真論處義各入條平系氣題活更別打女變四神總何電數安少報結反受目太量再感建務做接必場件計管期市直資命山金指統區保至社便空決治展馬科司五基書非則白界達光放強即難且權思王象完設式色路記南品住告類求據程北邊交規萬取格望術領共確傳師觀清今切院讓識帶導爭運縣鄉鎮村里街巷弄號樓臺台限股份陳林黃張李吳劉蔡楊許鄭謝郭洪曾邱廖賴徐周葉蘇莊呂江蕭羅潘簡朱鍾彭姓址價元單額幣'
const japanese =
  '日一国人年大十二本中長出三時行見月分後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語土木聞食車何南万毎白天母火右読友左休父雨県市区町村郡田藤佐鈴伊渡辺加斎吉松井清林池橋石岡野原株式会社番地号都府京阪部方業所場員者自動家事全体目表品新商店価格数量合計住所氏電郵便税込額注文客様明治昭和平成令開始終了登録更'
const korean =
  '이다는을의에고가하지기로도사를은한서리나시대정아자어인그수해일부라장전스구주보제과만동원들성안우공있으무상경여소면요마국조신오관게용미었강김박최윤임송황권울산광역특별군읍길번식회사남북년월계좌금액전화명호영민현준희진선연숙순재석철학교청북남거래품목단위량총합구분비고업체담당중울천포창평세종층분류적것와할생물내까저치각심터운려결될네작업발방바표설양새건트후실교유했같될'

export const alphabets = { latin, cyrillic, greek, hebrew, arabic, thai } as const
export const frequent = { chinese, traditional, japanese, korean } as const
