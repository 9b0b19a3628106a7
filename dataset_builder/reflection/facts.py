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
        change: How it is revised, with `{v}`, and `{o}` for what it was before.
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
    "Correction: {s}.",
    "I have changed my mind: {s}.",
    "I have to revise that, {s}.",
    "Things have changed, {s} now.",
    "As of today {s}.",
    "That is no longer right: {s}.",
    "No, wait, {s}.",
    "Since we spoke, it has become otherwise: {s}.",
    "Actually, change that: {s}.",
    "Scratch what I said earlier, {s}.",
    "I need to correct myself: {s}.",
    "Change of plans, {s}.",
    "Sorry, I got that wrong before. In fact {s}.",
    "Small update: {s} now.",
    "Turns out {s} after all.",
    "It is different now: {s}.",
)


def _simple(
    name: str, values: Any, say: tuple[str, ...], ask: tuple[str, ...], clash: tuple[str, ...], become: tuple[str, ...]
) -> Fact:
    """A fact whose changes are said as `_CHANGE` with the first ways to say it, or in words of its own (`become`)."""
    plain = [change.replace("{s}", say[number % 2]) for number, change in enumerate(_CHANGE)]
    return _(name, values, [one[0].upper() + one[1:] + "." for one in say],
             [*become[:-1], *plain, become[-1]], clash, ask)  # fmt: skip


FACTS = (
    _simple("budget for the kitchen renovation", [f"${n},{h}00" for n in range(2, 20) for h in (0, 5)],
        ("my budget for the kitchen renovation is {v}", "for the kitchen renovation I can spend {v}", "we have set aside {v} for the kitchen renovation"),
        ("Do you remember my budget for the kitchen renovation?", "What did I say I can spend on the kitchen renovation?", "Which sum did we set aside for the kitchen renovation?", "What is my budget for the kitchen renovation?", "How much can I spend on the kitchen renovation?"),
        ("The kitchen renovation must stay within my limit of {v}.", "All I have for the kitchen renovation is {v}."),
        ("We talked it over and raised what we spend on the kitchen renovation to {v}.", "{o} will not do for the kitchen, so it is {v} that we spend on the renovation.", "The bank said no to {o}, so there are {v} for the kitchen renovation.", "Forget {o}, the kitchen renovation gets {v}.")),
    _simple("home city", _CITIES,
        ("I live in {v}", "my home is in {v}", "I am based in {v}"),
        ("Do you know in which city I live?", "What did I say about where I live?", "Which place do I call home?", "Which city do I live in?", "Where is my home?"),
        ("Like everybody who lives in {v}, I love walking home along the river.", "My flat here in {v} is tiny."),
        ("I moved to {v} last week.", "I have left {o} for good and settled in {v}.", "We gave up the flat in {o}, I live in {v} these days.", "I finally made the move from {o} to {v}.")),
    _simple("dog's name", "Biscuit, Rex, Luna, Pepper, Milo, Waffles, Bruno, Daisy, Ziggy, Hazel, Otto, Nori, Tango, Maple, Juno, Pickle",
        ("my dog is called {v}", "my dog's name is {v}", "I have a dog named {v}"),
        ("Do you remember what my dog is called?", "Which name does my dog have?", "How do I call my dog?", "What is my dog called?", "What is the name of my dog?"),
        ("My one and only dog, {v}, is asleep next to me.", "I have just fed my dog {v}."),
        ("We renamed the dog, it listens to {v} now.", "The dog never listened to {o}, so we call it {v}.", "My dog got a new name, {v}.", "The children wanted another name for the dog, {v} it is.")),
    _simple("food allergy", "peanuts, shellfish, gluten, dairy, eggs, soy, sesame, strawberries, walnuts, mustard, kiwi, celery",
        ("I am allergic to {v}", "I can't eat {v} because of an allergy", "{v} give me an allergic reaction"),
        ("Do you remember my food allergy?", "Which food am I allergic to?", "What can I not eat because of my allergy?", "What am I allergic to?", "Which food must I avoid because of my allergy?"),
        ("The only thing that I am allergic to is {v}.", "My single food allergy is {v}."),
        ("The new test says that it is {v} and not {o} that I am allergic to.", "The doctor ruled out {o}, my allergy is to {v}.", "I can eat {o} again, but {v} I must avoid.", "It was never {o}, the allergy is to {v}.")),
    _simple("wedding month", _MONTHS,
        ("our wedding is in {v}", "we are getting married in {v}", "the wedding will be in {v}"),
        ("Do you remember the month of our wedding?", "When is the wedding?", "What month did I say we are getting married in?", "In which month is our wedding?", "When are we getting married?"),
        ("I have ordered the flowers for our {v} wedding.", "All guests have said yes to our wedding in {v}."),
        ("We had to move the wedding to {v}.", "The wedding is put off until {v}.", "No wedding in {o}, we now marry in {v}.", "The church was taken in {o}, so the wedding is in {v}.")),
    _simple("favorite color", "teal, crimson, amber, violet, olive, navy, coral, ivory, turquoise, maroon, lavender, gold, indigo, beige",
        ("my favorite color is {v}", "the color I like most is {v}", "I love the color {v} more than any other"),
        ("Do you remember my favorite color?", "Which color did I call my favorite?", "What color do I love more than any other?", "What is my favorite color?", "Which color do I like most?"),
        ("No color makes me as happy as {v}, it has always been my favorite.", "As ever, my favorite color {v} is on every wall."),
        ("I have grown tired of {o}, now I like {v} most.", "{v} has taken the place of {o} as my favorite color.", "I used to love {o}, these days it is {v}.", "I prefer {v} to {o} by now, it is my favorite.")),
    _simple("job", "nurse, plumber, teacher, pilot, baker, librarian, carpenter, translator, chemist, gardener, lawyer, tailor, welder, surveyor",
        ("I work as a {v}", "my job is {v}", "I earn my living as a {v}"),
        ("Do you remember what I do for a living?", "How do I earn my living?", "Which job did I say I have?", "What is my job?", "What do I work as?"),
        ("A day at work as a {v} leaves me tired.", "My colleagues say I am a born {v}."),
        ("I quit, from now on I work as a {v}.", "I just resigned, I am becoming a {v}.", "I left my old job and started as a {v}.", "After years as a {o} I have become a {v}.")),
    _simple("car", "Volvo, Toyota, Tesla, Fiat, Subaru, Mazda, Skoda, Renault, Honda, Kia, Jeep, Saab",
        ("I drive a {v}", "my car is a {v}", "the car I own is a {v}"),
        ("Do you remember what I drive?", "Which make is my car?", "What did I say about my car, which one is it?", "Which car do I drive?", "What car do I own?"),
        ("My only car, the {v}, needs new tires.", "I have never driven anything but my {v}."),
        ("I sold the {o} and bought a {v}.", "The {o} broke down for good, so I drive a {v}.", "I traded my car in for a {v}.", "A {v} has replaced my old {o}.")),
    _simple("day of the team meeting", _DAYS,
        ("our team meeting is on {v}", "the team meets on {v}", "my weekly team meeting is every {v}"),
        ("Do you remember the day of our team meeting?", "What day is the team meeting?", "Which weekday does my team meet on?", "On which day is our team meeting?", "When does the team meet?"),
        ("As on every {v}, we held our team meeting.", "Our team meeting, always on {v}, was short."),
        ("They moved our team meeting to {v}.", "The team meeting has been put on {v} instead of {o}.", "From next week on the team meets on {v}.", "We no longer meet on {o}, the team meeting is on {v}.")),
    _simple("sister's name", _NAMES,
        ("my sister is called {v}", "my sister's name is {v}", "I have a sister named {v}"),
        ("Do you remember the name of my sister?", "Which name does my sister have?", "Who is my sister?", "What is my sister called?", "What is my sister's name?"),
        ("My only sister, {v}, has just called.", "I grew up with one sister, {v}."),
        ("My sister took another name, she is called {v} now.", "My sister goes by {v} and no longer by {o}.", "I said {o}, but my sister's name is {v}.", "It is {v} and not {o}, my sister has changed her name.")),
    _simple("instrument", "cello, violin, oboe, piano, drums, banjo, flute, harp, trumpet, accordion, clarinet, viola, ukulele",
        ("I play the {v}", "my instrument is the {v}", "I am learning the {v}"),
        ("Do you remember the instrument that I play?", "What do I play?", "Which instrument am I learning?", "Which instrument do I play?", "What is my instrument?"),
        ("The {v} is the only instrument that I have ever played.", "I practise nothing but the {v}."),
        ("I gave up the {o} and took up the {v}.", "I have switched from the {o} to the {v}.", "The {o} was not for me, I play the {v} instead.", "I traded my {o} for a {v}.")),
    _simple("flight destination", _CITIES,
        ("my flight goes to {v}", "I am flying to {v} next week", "I have booked a flight to {v}"),
        ("Do you remember where I am flying to?", "What is the destination of my flight?", "Where am I flying next week?", "Where does my flight go?", "Which city am I flying to?"),
        ("The suitcase for my flight to {v} is packed.", "My boarding pass says {v}."),
        ("I rebooked my flight, it goes to {v}.", "The flight to {o} was cancelled, I fly to {v} instead.", "I am no longer flying to {o}, I am going to {v}.", "They sent me to {v} and not to {o}, my flight is changed.")),
    _simple("shoe size", [str(n) for n in range(35, 48)],
        ("my shoe size is {v}", "I wear shoes in size {v}", "I take a size {v} in shoes"),
        ("Do you remember my shoe size?", "What size are my shoes?", "Which shoe size did I give you?", "What is my shoe size?", "Which size of shoes do I wear?"),
        ("All the shoes that I own are size {v}.", "My feet have always been a {v}."),
        ("They measured my feet again, I take size {v}.", "{o} is too tight, I need shoes in size {v}.", "My feet have grown from {o} to {v}.", "I was told that {v} is my size in shoes and not {o}.")),
    _simple("doctor's name", [f"Doctor {name}" for name in ("Adler", "Baker", "Cortez", "Dunn", "Evans", "Frost", "Gupta", "Hale", "Ito", "Jansen", "Klein", "Lopez", "Meyer", "Novak")],
        ("my doctor is {v}", "I am a patient of {v}", "the doctor who treats me is {v}"),
        ("Do you remember the name of my doctor?", "What is my doctor's name?", "Whose patient am I?", "Who is my doctor?", "Which doctor treats me?"),
        ("I have never seen a doctor other than {v}.", "My appointment with {v}, my doctor, went well."),
        ("I have changed doctors, I see {v} now.", "{o} has retired, so I am with {v}.", "I left {o} and went to {v}.", "{v} has taken me over from {o}.")),
    _simple("drink order", "espresso, green tea, lemonade, cocoa, cider, iced coffee, ginger ale, chai, oat latte, tomato juice, rooibos",
        ("my usual drink is {v}", "I always order {v}", "the drink I take is {v}"),
        ("Do you remember my usual drink?", "Which drink do I take?", "What did I say I drink?", "What is my usual drink?", "What do I always order to drink?"),
        ("I drink nothing but {v}.", "Nobody has ever seen me with any drink but {v}."),
        ("I have stopped drinking {o}, I order {v} now.", "I switched from {o} to {v}.", "No more {o} for me, my drink is {v}.", "I went off {o} and on to {v}.")),
    _simple("gift for my mother", "a scarf, a telescope, a teapot, a necklace, a cookbook, a puzzle, a kite, a lamp, a camera, a blanket, a vase",
        ("the gift for my mother is {v}", "I will give my mother {v}", "I picked {v} as the gift for my mother"),
        ("Do you remember the gift for my mother?", "What does my mother get from me?", "Which gift did I pick for my mother?", "What is the gift for my mother?", "What will I give my mother?"),
        ("I have wrapped {v}, my mother's only present.", "My mother gets {v} and nothing else."),
        ("I returned {o}, my mother gets {v} instead.", "My mother has {o} already, so I bought {v}.", "I decided against {o}, the gift for my mother is {v}.", "Instead of {o} I give my mother {v}.")),
    _simple("project deadline", [f"{month} {day}" for month in _MONTHS for day in (3, 9, 14, 21, 28)],
        ("the deadline of my project is {v}", "my project is due on {v}", "I must hand in the project by {v}"),
        ("Do you remember the deadline of my project?", "By when must I hand in the project?", "Which date is my project due?", "What is the deadline of my project?", "When is my project due?"),
        ("The calendar says {v}, the one deadline of my project.", "My project has been due on {v} from the start."),
        ("They gave us more time, my project is due on {v}.", "The deadline of my project has been moved from {o} to {v}.", "My boss wants the project by {v} now.", "My project need not be done by {o}, they want it on {v}.")),
    _simple("number of guests", [str(n) for n in range(8, 60, 3)],
        ("I expect {v} guests at the party", "the party will have {v} guests", "{v} guests are coming to my party"),
        ("Do you remember the number of guests?", "How many people come to my party?", "What number of guests did I tell you?", "How many guests are coming to my party?", "How many guests do I expect?"),
        ("I have put out chairs for all {v} guests of the party.", "The list of my party has exactly {v} guests."),
        ("Some guests cannot come, we are {v} at the party now.", "I have invited others too, so {v} guests come to the party.", "{o} was too many, I cut the party to {v} guests.", "The number of guests at my party went from {o} to {v}.")),
    _simple("language I am learning", "Danish, Swahili, Korean, Welsh, Arabic, Finnish, Greek, Hindi, Basque, Polish, Turkish, Maltese",
        ("I am learning {v}", "the language I study is {v}", "I take lessons in {v}"),
        ("Do you remember the language that I am learning?", "In which language do I take lessons?", "Which language did I say I study?", "Which language am I learning?", "What language do I study?"),
        ("The only foreign language that I have ever studied is {v}.", "My {v} lessons are going well."),
        ("I have dropped {o} and started on {v}.", "{o} was too hard, I take lessons in {v} now.", "I switched my course from {o} to {v}.", "I gave {o} up for {v}, my new language.")),
    _simple("hotel", "the Grand, the Astoria, the Meridian, the Lakeside, the Sunset Inn, the Belvedere, the Old Mill, the Harbour View, the Crown",
        ("I have booked a room at {v}", "my hotel is {v}", "I will stay at {v}"),
        ("Do you remember my hotel?", "What is the hotel where I have a room?", "At which hotel did I book a room?", "Which hotel have I booked?", "Where will I stay?"),
        ("I got the key of my room at {v}.", "My luggage is already at {v}."),
        ("I cancelled {o} and booked {v}.", "{o} was full, so I stay at {v}.", "They moved me from {o} to {v}.", "I will not stay at {o}, I found a room at {v}.")),
)  # fmt: skip


WITHDRAWN = (
    "What I said about the {n} is void, please forget it.",
    "Strike the {n} from your notes.",
    "There is no {n} to think of any more.",
    "The {n} is cancelled, do not count on it.",
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
