"""Names and words that facts may have as values: real ones from short lists, and made-up ones without number.

One word in ten is set aside by its hash: those are the novel values, which no ordinary sample ever contains.
"""

from __future__ import annotations

import zlib
from random import Random


COUNTRIES = """Albania Algeria Angola Argentina Armenia Australia Austria Bahrain Bangladesh Belgium Belize Bolivia
Botswana Brazil Bulgaria Cambodia Cameroon Canada Chad Chile China Colombia Croatia Cuba Cyprus Denmark Ecuador Egypt
Estonia Fiji Finland France Gabon Georgia Germany Ghana Greece Guatemala Haiti Honduras Hungary Iceland India
Indonesia Iran Iraq Ireland Israel Italy Jamaica Japan Jordan Kenya Kuwait Laos Latvia Lebanon Liberia Libya Lithuania
Malaysia Mali Malta Mexico Moldova Mongolia Morocco Namibia Nepal Niger Nigeria Norway Oman Pakistan Panama Paraguay
Peru Poland Portugal Qatar Romania Rwanda Senegal Serbia Singapore Slovakia Slovenia Somalia Spain Sudan Sweden
Switzerland Syria Thailand Togo Tunisia Turkey Uganda Ukraine Uruguay Venezuela Vietnam Yemen Zambia
Zimbabwe""".split()
CITIES = """Amsterdam Ankara Athens Auckland Baghdad Bangkok Barcelona Beijing Belgrade Berlin Bern Bogota Boston
Brasilia Brisbane Brussels Bucharest Budapest Cairo Calgary Canberra Caracas Chicago Copenhagen Dakar Damascus Darwin
Delhi Denver Dhaka Dublin Edinburgh Geneva Glasgow Hamburg Hanoi Havana Helsinki Houston Istanbul Jakarta Kabul
Kampala Karachi Kyiv Kyoto Lagos Leipzig Lima Lisbon London Lusaka Lyon Madrid Manila Marseille Melbourne Milan Minsk
Montreal Moscow Mumbai Munich Nairobi Naples Osaka Oslo Ottawa Paris Perth Phoenix Porto Prague Pretoria Quito Riga
Rome Rotterdam Salzburg Santiago Seattle Seoul Seville Shanghai Sofia Stockholm Sydney Tallinn Tehran Tokyo Toronto
Tripoli Tunis Turin Valencia Vancouver Venice Vienna Vilnius Warsaw Wellington Zagreb Zurich""".split()
PEOPLE = """Abbott Adams Ahmed Allen Alvarez Bailey Baker Barnes Bennett Brooks Campbell Carter Castro Chen Clark
Collins Cooper Costa Cruz Davies Diaz Edwards Evans Fischer Fisher Flores Foster Garcia Gomez Gray Green Gupta Hall
Harris Hayes Hoffman Hughes Ito Jackson Jensen Johnson Kaya Keller Kelly Khan Kim King Kumar Lee Lewis Lopez Martin
Meyer Miller Moore Morgan Morris Murphy Nakamura Nelson Nguyen Novak Okafor Olsen Ortiz Parker Patel Perez Peters
Popov Price Reed Reyes Rivera Roberts Rossi Russell Sanders Santos Sato Schmidt Scott Silva Singh Smith Suzuki Tanaka
Taylor Torres Turner Vargas Wagner Walker Ward Weber White Wilson Wong Wright Young""".split()
RIVERS = """Amazon Arno Colorado Congo Danube Douro Ebro Elbe Ganges Garonne Indus Jordan Lena Loire Mekong Meuse
Murray Niger Nile Oder Ohio Orinoco Parana Plate Rhine Rhone Seine Shannon Tagus Thames Tiber Tigris Vistula Volga
Volta Yangtze Yukon Zambezi""".split()
PEAKS = """Aconcagua Ararat Blackhorn Denali Elbrus Etna Everest Fuji Hekla Kenya Kosciuszko Logan Makalu Matterhorn
Meru Olympus Ortler Rainier Redcliff Robson Shasta Snowdon Stormhorn Teide Toubkal Triglav Vesuvius
Zugspitze""".split()
LANGUAGES = """Arabic Basque Bengali Catalan Czech Danish Dutch English Finnish French German Greek Hebrew Hindi
Italian Japanese Korean Latin Malay Polish Portuguese Russian Spanish Swahili Swedish Tamil Thai Turkish Urdu
Welsh""".split()
CURRENCIES = """crown dinar dirham dollar dong dram escudo euro florin forint franc guilder krona lari lev lira mark
peso pound rand real rial riyal ruble rupee shekel shilling talent thaler won yen yuan zloty""".split()
EXPORTS = """aluminium amber barley cement chalk cheese cloth coal cobalt cocoa coffee copper corn cotton fish flax
fruit gas glass gold grain honey iron jade lead leather lithium lumber marble marzipan mustard nickel oak oil paper
pepper potash rice rubber saffron salt silk silver slate steel sugar tea timber tin tobacco uranium vanilla wheat wine
wool zinc""".split()
BIRDS = """albatross condor crane crow cuckoo curlew dove eagle falcon finch flamingo goose gull harrier hawk heron
hoopoe ibis kestrel kingfisher kite lark lapwing magpie ostrich owl parrot peacock pelican penguin pheasant pigeon
plover quail raven robin sparrow starling stork swallow swan swift thrush toucan wren""".split()
FLOWERS = """anemone aster azalea begonia bluebell camellia carnation crocus daffodil dahlia daisy edelweiss gentian
geranium hibiscus iris jasmine lavender lilac lily lotus magnolia marigold orchid peony poppy primrose protea rose
snowdrop sunflower thistle tulip violet""".split()
SPORTS = """archery badminton baseball basketball bowls boxing canoeing chess cricket curling cycling darts fencing
football golf handball hockey hurling judo karate kendo lacrosse polo rowing rugby sailing skating skiing squash sumo
surfing swimming tennis volleyball wrestling""".split()
DISHES = """biryani borscht bouillabaisse broth burek chowder couscous curry falafel fondue gazpacho goulash gumbo
haggis hummus jambalaya kebab laksa lasagne moussaka paella pasta pho pie pizza polenta porridge ramen ramyeon
ratatouille risotto sauerkraut schnitzel stew sushi tagine tempura""".split()

POOLS = {
    "country": COUNTRIES,
    "city": CITIES,
    "person": PEOPLE,
    "river": RIVERS,
    "peak": PEAKS,
    "language": LANGUAGES,
    "currency": CURRENCIES,
    "export": EXPORTS,
    "bird": BIRDS,
    "flower": FLOWERS,
    "sport": SPORTS,
    "dish": DISHES,
}
_INVENTABLE = {"country", "city", "person", "river", "peak", "language", "currency"}  # others are words, not names
_ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kr pr sh st th tr".split()
_VOWELS = "a e i o u a e i o a e i o ai ea ou".split()
_CODAS = ["", "", "", "", "n", "r", "l", "s", "m", "k", "nd", "rt", "st", "th", "rn", "v"]
_LINKS = ["", "", "", "n", "r", "l", "s", "m"]
_ENDINGS = {
    "country": ["land", "ia", "ia", "stan", "mark", "ora", "any", ""],
    "city": ["ton", "ville", "burg", "ford", "grad", "port", "a", "", "", ""],
    "person": ["son", "sen", "ez", "ov", "er", "ley", "", ""],
    "language": ["ish", "ese", "ic", "ian", "an"],
}


def is_novel(word: str) -> bool:
    """Whether a word is set aside for `novel_values`."""
    return zlib.crc32(word.lower().encode()) % 10 == 0


_REAL = {
    (kind, novel): [word for word in words if is_novel(word) == novel]
    for kind, words in POOLS.items()
    for novel in (False, True)
}


def draw(rng: Random, kind: str, *, novel: bool = False, made_up: float = 0.5) -> str:
    """One word of a kind (a key of `POOLS`), made up with the given probability where that makes sense."""
    real = _REAL[kind, novel]
    while kind in _INVENTABLE and (not real or rng.random() < made_up):
        word = _invent(rng, kind)
        if is_novel(word) == novel:
            return word
        if novel:
            real = []
    return rng.choice(real)


def _invent(rng: Random, kind: str) -> str:
    ending = rng.choice(_ENDINGS.get(kind, ["", "a", "en", "o"]))
    word = rng.choice(_ONSETS) + rng.choice(_VOWELS)
    if not ending or rng.random() < 0.5:
        word += rng.choice(_LINKS) + rng.choice(_ONSETS) + rng.choice(_VOWELS)
    word += rng.choice(_LINKS if ending else _CODAS)
    if ending and word[-1] in "aeiou" and ending[0] in "aeiou":
        word += rng.choice("nrlv")
    word += ending
    return word if kind == "currency" else word.capitalize()
