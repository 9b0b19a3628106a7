"""Names and words as values of facts: real ones from short lists, and an unlimited number of generated ones.

One word in ten is set aside by its hash: these are the novel values, which no ordinary sample contains.
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
FIRST_NAMES = """Ada Alma Astrid Boris Carmen Cora Dario Edith Elias Erik Frida Gustav Hanna Ines Irma Ivan Jana Judith
Kofi Lars Lena Lucia Maya Milo Nadia Omar Oscar Petra Rosa Selma Stefan Tomas Vera Viktor Wanda Yusuf Zara""".split()

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


def words(kind: str, novel: bool) -> list[str]:
    """The real words of a kind: those set aside, or the others."""
    return _REAL[kind, novel]


def draw(rng: Random, kind: str, *, novel: bool = False, made_up: float = 0.5) -> str:
    """One word of a kind (a key of `POOLS`), generated with the given probability if the kind allows it."""
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


_LIST_ITEMS = {
    "groceries": """bread, milk, rice, butter, cheese, flour, sugar, salt, tea, coffee, honey, jam, pasta, soap,
yoghurt, cream, vinegar, mustard, cocoa, garlic, parsley, spinach, ham, bacon, tofu, cider, shampoo,
toothpaste, oatmeal, ketchup, ginger, celery, cinnamon, vanilla, margarine, olive oil, cat food, orange juice,
kitchen paper, baking soda""",
    "luggage": """tent, map, rope, torch, compass, stove, knife, whistle, lamp, kettle, hammer, blanket, towel, pillow,
raincoat, umbrella, camera, radio, notebook, pencil, mirror, comb, hat, scarf, jacket, razor, thermos, needle, sleeping
bag, water bottle, fishing rod, sun cream""",
    "chores": """laundry, ironing, sweeping, mowing, dusting, weeding, vacuuming, raking, painting, sewing, mending,
tidying, polishing, sorting, gardening, composting, window cleaning, dish washing, bed making, floor mopping, dog
walking, bill paying, letter writing, fence repair, hedge trimming, oven scrubbing, lamp fixing, cake decorating""",
    "cooking": """chopping, peeling, boiling, stirring, baking, mixing, frying, grating, kneading, whisking, roasting,
steaming, slicing, salting, cooling, draining, soaking, blending, grinding, melting, sieving, simmering, tasting,
serving, drying, folding, glazing, basting, seasoning, rinsing, crushing, thickening""",
    "topics": """hiring, safety, parking, marketing, insurance, pricing, security, training, recycling, heating, rent,
travel, catering, research, staffing, lighting, branding, publicity, maintenance, housing, fundraising, transport,
planning, data protection, office space, street cleaning, customer service, product design, flood control, noise
control, waste disposal, job sharing""",
    "dances": """waltz, tango, polka, foxtrot, rumba, samba, salsa, mambo, jive, minuet, quadrille, bolero, flamenco,
quickstep, gavotte, mazurka, charleston, twist, csardas, reel, hornpipe, jig, galop, cancan, habanera, fandango,
lambada, merengue, tarantella, cotillion""",
    "lessons": """history, algebra, physics, chemistry, biology, geography, music, art, drama, economics, philosophy,
astronomy, ethics, logic, statistics, geometry, literature, grammar, pottery, singing, typing, woodwork, gymnastics,
spelling, handwriting, sculpture, psychology, botany, computer science, film studies""",
    "animals": """lion, tiger, zebra, giraffe, elephant, bear, wolf, camel, rhino, hippo, otter, seal, monkey, gorilla,
lemur, koala, kangaroo, panda, leopard, cheetah, jaguar, bison, moose, hyena, meerkat, tapir, sloth, python, crocodile,
tortoise, lynx, badger, beaver, hedgehog""",
}
LIST_ITEMS = {sort: " ".join(items.split()).split(", ") for sort, items in _LIST_ITEMS.items()}
"""The possible items of lists, by the sort of list."""


COSTS_BY_UNIT = {
    "night": """hotel hostel cabin room breakfast parking dinner bike car guide campsite cottage villa motel sauna
    locker scooter tent yurt houseboat penthouse jeep hammock""".split(),
    "guest": """cake punch salad dessert juice buffet pizza cider barbecue pudding pie champagne lemonade popcorn snack
    brunch wine fruit trifle sorbet fondue broth curry""".split(),
    "week": """food bus fuel lunch newspaper gym gardener cleaner babysitter canteen medicine yoga swimming laundry
    daycare choir judo tram firewood nanny tutor""".split(),
    "bag": "rice flour sugar barley wheat soil".split(),
    "box": "tea salt cereal soap chalk".split(),
    "bottle": "milk oil vinegar syrup ketchup".split(),
    "jar": "honey jam mustard pesto relish".split(),
    "pack": "coffee pasta butter cocoa yeast".split(),
}
"""Expenses with a price per unit. The last ones are set aside for novel values: five, or one of those counted in
bags, boxes, bottles, jars and packs."""
COSTS = {
    "trip": """museum zoo train boat concert tour castle map ferry theatre opera aquarium cinema souvenir visa ballet
    cruise gallery tower safari spa hike festival circus palace gondola helicopter rodeo""".split(),
    "party": """hall band bouquet decoration magician photographer stage present light singer clown juggler projector
    sound karaoke painter florist drummer garland harp poet marquee carpet trampoline""".split(),
    "house": """rent phone internet water power heating repair garage television electricity tax loan furniture sofa
    fridge stove lamp dentist plumber roof window mattress insurance chimney freezer bathtub fence wardrobe""".split(),
    "shopping": """bread cheese fish meat ham cabbage melon pumpkin broom bucket turkey pineapple mango celery basil
    garlic plant vase basket pan kettle turnip trout ladle hammer lantern""".split(),
}
"""Expenses with a single price; the last five of each are set aside for novel values."""


THINGS = """barn bath bell bench boat boiler bottle box bridge bucket cabin camp canal candle cart castle cellar chair
chapel cloak clock coat corridor cottage crate cup curtain desk dock door drum engine factory farm fence ferry field
flag floor fountain furnace garage garden gate hall hammer hangar harbour hut inn jar kettle kiln kitchen ladder lamp
lantern lift market mast mill mirror museum oven pantry path pier pipe plate pool pump raft ramp road robot rocket roof
rope sail school shed ship shop stable stage statue stove street studio table tank tent theatre tower train tram tunnel
valve van vault wagon wall well wheel window yard""".split()
QUALITIES = """bare black blue bright broad broken brown busy clean closed cold cool crowded damp dark dirty dry dusty
empty fine flat free full gold green grey heavy hot idle large light locked loose loud narrow neat new noisy old open
orange painted pale pink plain purple quiet ready red rough round rusty safe sealed sharp shut silent slow small smooth
soft solid steady steep sticky straight strong tall thick thin tidy tight tiny warm weak wet white wide
yellow""".split()
MOODS = """afraid alert angry annoyed anxious awake bored brave busy calm careful cheerful confused content curious
eager early excited famous free friendly frightened glad grateful happy honest hungry impatient jealous late lonely
lucky merry nervous patient pleased polite poor proud quiet ready rested rich sad safe satisfied scared serious shy
sick silent sleepy strict surprised thirsty tired upset wise worried""".split()
ROLES = """baker captain clerk coach cook doctor driver editor guard guide host judge keeper leader manager mayor
miller pilot porter referee sailor seller speaker teacher trainer treasurer tutor umpire waiter warden watchman winner
writer""".split()
