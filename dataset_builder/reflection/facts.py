# ruff: noqa: E501
"""What people say of themselves in the synthetic dialogues, and in what words.

Wordings and values that end up in the test split alone are the last of each list.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fact:
    """
    Something that has one value at a time.

    Args:
        name: As a summary calls it.
        values: What it can be.
        new: How it is said first, with `{v}`.
        change: How it is revised.
        clash: How the contrary is said, as if nothing had been said before.
        ask: How it is asked again.
    """

    name: str
    values: tuple[str, ...]
    new: tuple[str, ...]
    change: tuple[str, ...]
    clash: tuple[str, ...]
    ask: tuple[str, ...]


_NAMES = "Oliver Maria Chen Priya Ahmed Sofia Lucas Hana Dmitri Fatima Noah Ingrid Mateo Chloe Kofi Yuki Elena Ravi Greta Omar".split()
_CITIES = "Lisbon Denver Oslo Kyoto Toronto Seville Dublin Nairobi Prague Lima Boston Vienna Bergen Quito Austin Krakow Hobart Ghent".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = "January February March April May June July August September October November December".split()


def _(name: str, values: Any, new: Any, change: Any, clash: Any, ask: Any) -> Fact:
    values = tuple(values if isinstance(values, list) else [value.strip() for value in values.split(",")])
    return Fact(name, values, tuple(new), tuple(change), tuple(clash), tuple(ask))


_CHANGE = (
    "Actually, change that: {s}.",
    "Scratch what I said earlier, {s}.",
    "I need to correct myself: {s}.",
    "Change of plans, {s}.",
    "Sorry, I got that wrong before. In fact {s}.",
    "Small update: {s} now.",
    "Turns out {s} after all.",
    "It is different now: {s}.",
)


def _simple(name: str, values: Any, say: tuple[str, ...], ask: tuple[str, ...], clash: tuple[str, ...]) -> Fact:
    """A fact whose changes are said as `_CHANGE` with the first way to say it."""
    return _(name, values, [one[0].upper() + one[1:] + "." for one in say],
             [change.replace("{s}", one) for change in _CHANGE for one in say[:2]], clash, ask)  # fmt: skip


FACTS = (
    _simple("budget for the kitchen renovation", [f"${n},{h}00" for n in range(2, 20) for h in (0, 5)],
        ("my budget for the kitchen renovation is {v}", "for the kitchen renovation I can spend {v}", "we have set aside {v} for the kitchen renovation"),
        ("What is my budget for the kitchen renovation?", "How much can I spend on the kitchen renovation?"),
        ("The kitchen renovation must stay within my limit of {v}.", "All I have for the kitchen renovation is {v}.")),
    _simple("home city", _CITIES,
        ("I live in {v}", "my home is in {v}", "I am based in {v}"),
        ("Which city do I live in?", "Where is my home?"),
        ("Like everybody who lives in {v}, I love walking home along the river.", "My flat here in {v} is tiny.")),
    _simple("dog's name", "Biscuit, Rex, Luna, Pepper, Milo, Waffles, Bruno, Daisy, Ziggy, Hazel, Otto, Nori, Tango, Maple, Juno, Pickle",
        ("my dog is called {v}", "my dog's name is {v}", "I have a dog named {v}"),
        ("What is my dog called?", "What is the name of my dog?"),
        ("My one and only dog, {v}, is asleep next to me.", "I have just fed my dog {v}.")),
    _simple("food allergy", "peanuts, shellfish, gluten, dairy, eggs, soy, sesame, strawberries, walnuts, mustard, kiwi, celery",
        ("I am allergic to {v}", "I can't eat {v} because of an allergy", "{v} give me an allergic reaction"),
        ("What am I allergic to?", "Which food must I avoid because of my allergy?"),
        ("The only thing that I am allergic to is {v}.", "My single food allergy is {v}.")),
    _simple("wedding month", _MONTHS,
        ("our wedding is in {v}", "we are getting married in {v}", "the wedding will be in {v}"),
        ("In which month is our wedding?", "When are we getting married?"),
        ("I have ordered the flowers for our {v} wedding.", "All guests have said yes to our wedding in {v}.")),
    _simple("favorite color", "teal, crimson, amber, violet, olive, navy, coral, ivory, turquoise, maroon, lavender, gold, indigo, beige",
        ("my favorite color is {v}", "the color I like most is {v}", "I love the color {v} more than any other"),
        ("What is my favorite color?", "Which color do I like most?"),
        ("No color makes me as happy as {v}, it has always been my favorite.", "As ever, my favorite color {v} is on every wall.")),
    _simple("job", "nurse, plumber, teacher, pilot, baker, librarian, carpenter, translator, chemist, gardener, lawyer, tailor, welder, surveyor",
        ("I work as a {v}", "my job is {v}", "I earn my living as a {v}"),
        ("What is my job?", "What do I work as?"),
        ("A day at work as a {v} leaves me tired.", "My colleagues say I am a born {v}.")),
    _simple("car", "Volvo, Toyota, Tesla, Fiat, Subaru, Mazda, Skoda, Renault, Honda, Kia, Jeep, Saab",
        ("I drive a {v}", "my car is a {v}", "the car I own is a {v}"),
        ("Which car do I drive?", "What car do I own?"),
        ("My only car, the {v}, needs new tires.", "I have never driven anything but my {v}.")),
    _simple("day of the team meeting", _DAYS,
        ("our team meeting is on {v}", "the team meets on {v}", "my weekly team meeting is every {v}"),
        ("On which day is our team meeting?", "When does the team meet?"),
        ("As on every {v}, we held our team meeting.", "Our team meeting, always on {v}, was short.")),
    _simple("sister's name", _NAMES,
        ("my sister is called {v}", "my sister's name is {v}", "I have a sister named {v}"),
        ("What is my sister called?", "What is my sister's name?"),
        ("My only sister, {v}, has just called.", "I grew up with one sister, {v}.")),
    _simple("instrument", "cello, violin, oboe, piano, drums, banjo, flute, harp, trumpet, accordion, clarinet, viola, ukulele",
        ("I play the {v}", "my instrument is the {v}", "I am learning the {v}"),
        ("Which instrument do I play?", "What is my instrument?"),
        ("The {v} is the only instrument that I have ever played.", "I practise nothing but the {v}.")),
    _simple("flight destination", _CITIES,
        ("my flight goes to {v}", "I am flying to {v} next week", "I have booked a flight to {v}"),
        ("Where does my flight go?", "Which city am I flying to?"),
        ("The suitcase for my flight to {v} is packed.", "My boarding pass says {v}.")),
    _simple("shoe size", [str(n) for n in range(35, 48)],
        ("my shoe size is {v}", "I wear shoes in size {v}", "I take a size {v} in shoes"),
        ("What is my shoe size?", "Which size of shoes do I wear?"),
        ("All the shoes that I own are size {v}.", "My feet have always been a {v}.")),
    _simple("doctor's name", [f"Doctor {name}" for name in ("Adler", "Baker", "Cortez", "Dunn", "Evans", "Frost", "Gupta", "Hale", "Ito", "Jansen", "Klein", "Lopez", "Meyer", "Novak")],
        ("my doctor is {v}", "I am a patient of {v}", "the doctor who treats me is {v}"),
        ("Who is my doctor?", "Which doctor treats me?"),
        ("I have never seen a doctor other than {v}.", "My appointment with {v}, my doctor, went well.")),
    _simple("drink order", "espresso, green tea, lemonade, cocoa, cider, iced coffee, ginger ale, chai, oat latte, tomato juice, rooibos",
        ("my usual drink is {v}", "I always order {v}", "the drink I take is {v}"),
        ("What is my usual drink?", "What do I always order to drink?"),
        ("I drink nothing but {v}.", "Nobody has ever seen me with any drink but {v}.")),
    _simple("gift for my mother", "a scarf, a telescope, a teapot, a necklace, a cookbook, a puzzle, a kite, a lamp, a camera, a blanket, a vase",
        ("the gift for my mother is {v}", "I will give my mother {v}", "I picked {v} as the gift for my mother"),
        ("What is the gift for my mother?", "What will I give my mother?"),
        ("I have wrapped {v}, my mother's only present.", "My mother gets {v} and nothing else.")),
    _simple("project deadline", [f"{month} {day}" for month in _MONTHS for day in (3, 9, 14, 21, 28)],
        ("the deadline of my project is {v}", "my project is due on {v}", "I must hand in the project by {v}"),
        ("What is the deadline of my project?", "When is my project due?"),
        ("The calendar says {v}, the one deadline of my project.", "My project has been due on {v} from the start.")),
    _simple("number of guests", [str(n) for n in range(8, 60, 3)],
        ("I expect {v} guests at the party", "the party will have {v} guests", "{v} guests are coming to my party"),
        ("How many guests are coming to my party?", "How many guests do I expect?"),
        ("I have put out chairs for all {v} guests of the party.", "The list of my party has exactly {v} guests.")),
    _simple("language I am learning", "Danish, Swahili, Korean, Welsh, Arabic, Finnish, Greek, Hindi, Basque, Polish, Turkish, Maltese",
        ("I am learning {v}", "the language I study is {v}", "I take lessons in {v}"),
        ("Which language am I learning?", "What language do I study?"),
        ("The only foreign language that I have ever studied is {v}.", "My {v} lessons are going well.")),
    _simple("hotel", "the Grand, the Astoria, the Meridian, the Lakeside, the Sunset Inn, the Belvedere, the Old Mill, the Harbour View, the Crown",
        ("I have booked a room at {v}", "my hotel is {v}", "I will stay at {v}"),
        ("Which hotel have I booked?", "Where will I stay?"),
        ("I got the key of my room at {v}.", "My luggage is already at {v}.")),
)  # fmt: skip


WITHDRAWN = (
    "Forget what I told you about my {n}, it no longer applies.",
    "Please drop the {n}, that is off the table.",
    "You can forget the {n} I mentioned, it does not matter any more.",
    "Never mind the {n}, that is over.",
)

NEGATIVES = (
    "My neighbour talks about budgets all day long.",
    "Somebody on the radio said that dogs sleep twelve hours a day.",
    "Have you ever been to a wedding that lasted for three days?",
    "They say that gold is the color of kings.",
    "I read that a cello has four strings.",
    "The weather has been strange this week.",
    "People change their minds all the time, don't they?",
    "What would you cook for a party?",
    "Hotels are so loud these days.",
    "How long does a flight across the ocean take?",
    "Is it true that tea keeps you awake?",
    "Some people collect old cars.",
    "Could you tell me a joke?",
    "That is a good question.",
    "I never thought of it that way.",
    "A friend of a friend changed jobs and regretted it.",
    "Doctors must be tired people.",
    "Which language do you think is the hardest?",
    "Deadlines make people nervous.",
    "It is funny how names come into fashion again.",
    "Actually, the film was better than the book.",
    "Change is good, they say.",
    "Forget it, that was a silly idea.",
    "Never mind, let us go on.",
)
REPLIES = (
    "Thanks for telling me.", "Good to know.", "Understood.", "All right.", "I see.", "Got it.", "That makes sense.",
    "Interesting!", "Sure.", "Okay, noted.", "Fair enough.", "Tell me more if you like.", "That sounds reasonable.",
    "Happy to help.", "Let me know what else you need.",
)  # fmt: skip
