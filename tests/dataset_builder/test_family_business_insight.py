"""Figures and the advice that follows from them: worked out again here, from the prompt and the changes alone."""

import re
from dataclasses import replace

import pytest

from dataset_builder import FAMILIES, Builder, BuilderConfig, PlacedUpdate, speak
from dataset_builder.build.splits import split_config
from dataset_builder.families.business_insight import questions as questions
from dataset_builder.families.business_insight import terms as terms
from dataset_builder.families.business_insight import wordings as wordings
from dataset_builder.world.kinds import CHANGING
from dataset_builder.world.number_words import from_words, to_words


FAMILY = FAMILIES["business_insight"]
CONFIG = BuilderConfig(families=("business_insight",), seed=11)
EVEN = replace(CONFIG, kinds=dict.fromkeys((*CHANGING, "recorrection", "adversarial"), 1))
NONE = "none"
SUBJECT = r"(?:the company|the [A-Z]\w* branch|the \w+ line|[A-Z]\w*)"
FIGURE = r"(?:prior revenue|planned staff|revenue|cost|target|cash|debt|staff)"
OPENERS = (
    "The Our Last If In Advise Tell Please We Let Have What As With Sales Customers It A There Those For According"
)
OPENERS = (*OPENERS.split(), "You should")
WORDS = "|".join(sorted({word for n in range(1000) for word in re.split("[ -]", to_words(n))} - {"and"}))
SPELLED = re.compile(rf"\b(?:{WORDS})(?:(?: and |[ -])(?:{WORDS}))*(?= (?:million|people)\b)", re.IGNORECASE)


@pytest.fixture(scope="module")
def rows():
    return list(Builder(CONFIG).samples(300))


def digits(text):
    """The text with all amounts in digits, and no capital at its start unless a name has it."""
    text = SPELLED.sub(lambda match: str(from_words(match[0])), text)
    return re.sub(rf"^(?:{'|'.join(OPENERS)}|{FIGURE})\b", lambda match: match[0].lower(), text, flags=re.I)


def clauses(prompt):
    return [re.sub("^and ", "", clause) for clause in re.split(r"(?<=[.,;:?!])\s+", prompt)]


# ---------------------------------------------------------------- the world, told by the prompt

HEAD = (
    r"(?:(?:please )?advise |tell |we want |the board wants |(?:the|our) rule for |let |have |what |our rule is that "
    rf"|we think that )?(?P<s>{SUBJECT}) (?:should do is |should |has to |ought to |must |is to |to )?"
)
CONDITION = r"(?P<c>(?:its|it) .+?)"
ADVICE = [
    rf"if {CONDITION} {HEAD}(?P<x>[a-z ]+?)(?: and otherwise (?:to )?(?P<y>[a-z ]+))?",
    rf"{HEAD}(?P<y>[a-z ]+?) unless {CONDITION} but (?:to )?(?P<x>[a-z ]+) in that case",
    rf"{HEAD}(?P<x>[a-z ]+?) if {CONDITION} and (?:to )?(?P<y>(?!otherwise)[a-z ]+) otherwise",
    rf"{HEAD}(?P<x>[a-z ]+?) if {CONDITION}(?: and otherwise (?:to )?(?P<y>[a-z ]+))?",
]
OTHER_CASES = "in all other cases|if neither is the case"
REST = rf"(?:(?:{OTHER_CASES}) )?{HEAD}(?P<x>[a-z ]+?)(?: (?:{OTHER_CASES}))?"
AMOUNT = r"(\d+) million"
CONDITIONS = {
    rf"its (revenue|cash) is at least {AMOUNT}": ("level", 1),
    rf"its (cost|debt) is at most {AMOUNT}": ("level", -1),
    rf"its (profit) is at least {AMOUNT}": ("revenue", "cost"),
    rf"its revenue is at least {AMOUNT} over (target)": ("revenue", "target"),
    rf"its revenue is (up) by at least {AMOUNT}": ("revenue", "prior revenue"),
    rf"its cash exceeds its (debt) by at least {AMOUNT}": ("cash", "debt"),
    r"it makes a loss": ("revenue", "cost"),
    r"its revenue is under target": ("revenue", "target"),
    r"its revenue is down": ("revenue", "prior revenue"),
    r"its cash is less than its debt": ("cash", "debt"),
    r"it has too few people": ("staff", "planned staff"),
}


def rules(prompt):
    """For each subject, its rule: what is compared, the limit that was told, and what to do when."""
    found = {}
    for clause in map(digits, clauses(prompt)):
        clause = clause.rstrip(".,;:?!")
        rest = re.search(OTHER_CASES, clause) and re.fullmatch(REST, clause)
        match = rest or next((match for form in ADVICE if (match := re.fullmatch(form, clause))), None)
        if not match:
            continue
        rule = found.setdefault(match["s"], {})
        if rest:
            rule["middle"] = match["x"]
            continue
        (condition, about), held = next(
            (entry, held) for entry in CONDITIONS.items() if (held := re.fullmatch(entry[0], match["c"]))
        )
        if held.groups():
            limit = next(int(group) for group in held.groups() if group.isdigit())
            rule |= {"limit": limit, "good": match["x"]} | ({"bad": match["y"]} if match["y"] else {})
            rule["about"] = (held[1], about[1]) if about[0] == "level" else about
        else:  # the condition of the worse advice
            rule |= {"bad": match["x"], "about": about} | ({"good": match["y"]} if match["y"] else {})
    return found


def amount(value):
    return int(value.split()[0])


def worked_out(key, facts, found):
    """The value of a key where `facts` hold."""
    if key in facts:
        return facts[key]
    if key.startswith("total "):
        values = [value for fact, value in facts.items() if fact.startswith(key[6:] + " of ")]
        return NONE if NONE in values else f"{sum(map(amount, values))} {values[0].split()[1]}"
    if key.startswith("leader in "):
        values = {fact.split(" of ")[1]: value for fact, value in facts.items() if fact.startswith(key[10:] + " of ")}
        if NONE in values.values():
            return NONE
        first, second = values
        ahead = amount(values[first]) - amount(values[second])
        return "neither" if not ahead else first if ahead > 0 else second
    name, subject = re.fullmatch("(.+?) (?:of|for) (.+)", key).groups()
    if name == "advice":
        rule = found[subject]
        one, other = rule["about"]
        figures = [facts[f"{one} of {subject}"]] + ([] if other in (1, -1) else [facts[f"{other} of {subject}"]])
        if NONE in figures:
            return NONE
        told = facts.get(f"limit for {subject}", f"{rule.get('limit', 0)} million")
        limit = 0 if told == NONE else amount(told)
        if other in (1, -1):
            return rule["good"] if (amount(figures[0]) - limit) * other >= 0 else rule["bad"]
        difference = amount(figures[0]) - amount(figures[1])
        if "middle" in rule:
            return rule["bad"] if difference < 0 else rule["good"] if difference >= limit else rule["middle"]
        return rule["good"] if difference >= limit else rule["bad"]
    one, other, over, under = {
        "result": ("revenue", "cost", "profit of {} million", "loss of {} million"),
        "gap": ("revenue", "target", "{} million over", "{} million under"),
        "growth": ("revenue", "prior revenue", "up {} million", "down {} million"),
        "reserve": ("cash", "debt", "{} million more", "{} million less"),
        "staffing": ("staff", "planned staff", "{} too many", "{} too few"),
    }[name]
    figures = facts[f"{one} of {subject}"], facts[f"{other} of {subject}"]
    if NONE in figures:
        return NONE
    difference = amount(figures[0]) - amount(figures[1])
    return (over if difference >= 0 else under).format(abs(difference))


def worlds(row):
    versions = [{fact["name"]: fact["value"] for fact in row.facts}]
    for update in row.updates:
        versions.append(versions[-1] | {change["fact"]: change["value"] for change in update["changes"]})
    return versions


# ---------------------------------------------------------------- what is said


def test_what_is_read_is_what_was_recorded(rows):
    for row in rows:
        read = [tuple(claim) for claim in FAMILY.read(row.target)]
        complete = [claim for claim in row.provenance if claim["complete"]]
        recorded = [(claim["key"], claim["value"], claim["start"], claim["end"]) for claim in complete]
        assert read == sorted(recorded, key=lambda claim: claim[2]), row.target


def test_every_figure_and_advice_follows_from_what_held_then(rows):
    advice = set()
    for row in rows:
        versions, found = worlds(row), rules(row.prompt)
        for claim in row.provenance:
            value = worked_out(claim["key"], versions[claim["version"]], found)
            assert claim["value"] == value, (row.prompt, row.target, claim)
            advice.add((claim["key"].split()[0], value))
        for answer in row.answers:
            assert answer["value"] == worked_out(answer["key"], versions[-1], found), (row.prompt, answer)
    assert len({value for kind, value in advice if kind == "advice"}) > 20


def test_the_last_word_on_every_question_is_the_answer(rows):
    for row in rows:
        if any(update["kind"] == "stop" for update in row.updates):
            continue
        said = {claim.key: claim.value for claim in FAMILY.read(row.target)}
        assert {answer["key"]: said[answer["key"]] for answer in row.answers} == {
            answer["key"]: answer["value"] for answer in row.answers
        }, row.target


LEADS = "(?:(?:you should know|I hear|I was told|please note|let us say|it is clear) that )?"
FIGURE_CLAUSES = [
    # by the name of the figure
    rf"(?:in the books )?the (?P<f>{FIGURE}) (?:of|reported by) (?P<s>{SUBJECT}) (?:is|was|was given as) V",
    rf"(?P<s>{SUBJECT})'s (?P<f>{FIGURE}) (?:is|was) V",
    rf"(?P<s>{SUBJECT}) (?:had|has|reported|can report) a (?P<f>{FIGURE}) of V",
    rf"(?P<s>{SUBJECT}) (?:has|gives|names) (?:its (?P<f1>{FIGURE}) as V1|V2 as its (?P<f2>{FIGURE}))",
    rf"V (?:is|was reported as) the (?P<f>{FIGURE}) of (?P<s>{SUBJECT})",
    rf"V is what (?P<s>{SUBJECT}) has as its (?P<f>{FIGURE})",
    rf"what (?P<s>{SUBJECT}) has as its (?P<f>{FIGURE}) is V",
    rf"with (?P<s>{SUBJECT}) the (?P<f>{FIGURE}) is V",
    rf"as the (?P<f>{FIGURE}) of (?P<s>{SUBJECT}) we have V",
    rf"the report gives V as the (?P<f>{FIGURE}) of (?P<s>{SUBJECT})",
    # of the company
    rf"(?:in the books )?(?:(?:the|our) )?(?P<f>{FIGURE}) (?:that we report )?(?:is|was|was given as) V",
    rf"as our (?P<f>{FIGURE}) we have V",
    rf"what we have as our (?P<f>{FIGURE}) is V",
    rf"(?:we have|we report|the report gives) V as (?:the|our) (?P<f>{FIGURE})",
    rf"V was reported as the (?P<f>{FIGURE})",
]
OWN_CLAUSES = {
    "prior revenue": "last year S took in V|S took in V last year|V was taken in by S last year|last year S had a "
    "revenue of V|S had a revenue of V last year|a year ago S took in V|S took in V a year ago"
    "|what S took in last year was V|in the year before S took in V",
    "revenue": "S (?:took in|has taken in|made sales of) V|V was taken in by S|what S took in was V|S had V coming in"
    "|sales brought S V|customers paid S V|a revenue of V was reported by S",
    "cost": "S (?:spent|has spent|paid out|had to spend) V|V was spent by S|what S spent was V|S had V going out"
    "|it took V to run S|a cost of V was reported by S",
    "target": "S (?:aims at|wants to reach|hopes for) a revenue of V|S (?:aims|would like|is meant) to take in V"
    "|S (?:was given|has set itself) a target of V"
    "|a target of V was set for S|V is what S aims at|what S aims at is V",
    "cash": "S (?:holds|has|keeps|owns|sits on) V in cash|in cash S has V|V in cash belongs to S"
    "|V is what S holds in cash|what S holds in cash is V|S has V in the bank|the bank holds V for S",
    "debt": "S (?:owes|must pay back|has to pay back|has borrowed|has loans of|owes its lenders) V|V is owed by S"
    "|V is what S owes|what S owes is V|the banks want V back from S",
    "staff": "S (?:employs|gives work to) V|V work for S|V are employed by S|S has V on its staff"
    "|there are V on the staff of S|the staff of S consists of V|those who work for S are V|for S there are V at work",
    "planned staff": "S (?:plans with|plans to have|plans for a staff of) V|S (?:wants|would like|means) to employ V"
    "|V are planned for S|the plan says V for S|according to plan S should have V",
}


def filled(form):
    """The pattern of a clause, with the names of its groups."""
    number = "[0-9]+ (?:million|people)"
    form = re.sub(r"\bV([12])\b", rf"(?P<v\1>{number})", form)
    return re.compile(LEADS + "(?:" + re.sub(r"\bV\b", f"(?P<v>{number})", form) + ")")


NAMED = [filled(form) for form in FIGURE_CLAUSES]
OWN = [
    (figure, filled(re.sub(r"\bS\b", lambda _: f"(?P<s>{SUBJECT})", form)))
    for figure, forms in OWN_CLAUSES.items()
    for form in re.split(r"\|(?![^(]*\))", forms)
]


def told(clause):
    """The fact that a clause of a prompt tells, and its value."""
    clause = digits(clause).rstrip(".,;:?!")
    for figure, form in (*OWN, *((None, form) for form in NAMED)):
        if match := form.fullmatch(clause):
            groups = {name[0]: value for name, value in match.groupdict().items() if value is not None}
            return f"{figure or groups['f']} of {groups.get('s', 'the company')}", groups["v"]
    return None


def test_the_prompt_tells_each_figure_in_a_clause_of_its_own(rows):
    for row in rows:
        facts = {fact["name"]: fact["value"] for fact in row.facts if " of " in fact["name"]}
        found = [fact for clause in clauses(row.prompt) if (fact := told(clause))]
        assert len(found) == len(dict(found)), row.prompt
        assert dict(found) == {fact: value for fact, value in facts.items() if value != NONE}, row.prompt


def test_the_prompt_names_everyone_whom_a_total_counts():
    for row in Builder(replace(CONFIG, num_facts=(2, 3), num_questions=(3, 3))).samples(300):
        owners = {re.split(" of | for ", fact["name"])[-1] for fact in row.facts if fact["name"] != "going on"}
        assert all(owner.removeprefix("the ") in row.prompt for owner in owners - {"the company"}), row.prompt


def test_the_prompt_tells_each_limit_and_no_more_facts_than_asked_for(rows):
    for row in rows:
        facts = {fact["name"]: fact["value"] for fact in row.facts if fact["name"] != "going on"}
        found = rules(row.prompt)
        for fact, value in facts.items():
            if fact.startswith("limit for "):
                assert found[fact[10:]].get("limit", NONE) == (value if value == NONE else amount(value)), row.prompt
        assert sum(value != NONE for value in facts.values()) <= CONFIG.num_facts[1]


def test_an_update_says_what_it_changes(rows):
    short = 0
    for row in rows:
        figures = [fact["name"] for fact in row.facts if fact["name"] != "going on"]
        for update in row.updates:
            if update["kind"] in ("retraction", "stop") or not update["changes"]:
                continue
            (change,) = update["changes"]
            text, (name, subject) = digits(update["text"]), re.split(" (?:of|for) ", change["fact"])
            if change["value"] != NONE:
                assert re.search(rf"\b{change['value']}\b", text), (text, change)
            if name == "limit":
                assert subject in text or subject.capitalize() in text or "the limit" in text.lower(), text
            elif name not in text.lower():
                short += 1
                assert len(figures) == 1, (row.prompt, text)
            elif subject != "the company":
                assert subject in text or subject.capitalize() in text, text
    assert short > 10


def test_a_short_correction_changes_the_advice():
    """Revenue was 50 million ... Correction, fifteen million."""
    builder = Builder(replace(CONFIG, num_facts=(1, 1), num_questions=(1, 1), keep_going=0))
    scenes = (builder.scene(index)[:2] for index in range(1000))
    family, scene = next(
        (family, scene)
        for family, scene in scenes
        if scene.questions == ["advice for the company"] and "revenue of the company" in scene.facts
    )
    limit = next(rule["limit"] for rule in rules(scene.prompt).values())
    good, bad = f"{limit} million", f"{limit - 1} million"
    scene.facts["revenue of the company"] = scene.facts["revenue of the company"]._replace(value=good)

    def say(position, value):
        changes = (("revenue of the company", value),)
        return speak(family, scene, [PlacedUpdate(position, "", "correction", "user", changes)])

    speeches = [say(0, good), say(0, bad), say(500, bad)]
    said = [[claim.value for claim in FAMILY.read(speech.text) if claim.key in scene.questions] for speech in speeches]
    assert said[0] != said[1] and said[2] == said[0] + said[1]
    assert "<eos>" in speeches[2].text[: speeches[2].repairs[0].start]  # taken back behind the end


def test_all_kinds_of_update_come():
    kinds = dict.fromkeys(EVEN.kinds, 0)
    for row in Builder(EVEN).samples(300):
        for update in row.updates:
            if update["changes"] and update["kind"] in kinds:
                kinds[update["kind"]] += 1
                old = worlds(row)[row.updates.index(update)][update["changes"][0]["fact"]]
                new = update["changes"][0]["value"]
                assert (update["kind"] in ("addition", "constraint")) == (old == NONE), (row.prompt, update)
                if update["kind"] == "refinement":
                    assert 0 < abs(amount(new) - amount(old)) <= 3
    assert min(kinds.values()) >= 5, kinds


def test_an_unlimited_rule_takes_a_limit_and_gives_it_up():
    """A constraint may only make advice stricter, and without the limit it is as before."""
    seen = 0
    for index in range(300):
        _, scene, _ = Builder(CONFIG).scene(index)
        for limit, policy in scene.limits.items():
            if scene.facts[limit].value != NONE:
                continue
            values = {fact: entry.value for fact, entry in scene.facts.items()}
            if NONE in [values[fact] for fact in policy.figures]:
                continue
            without = policy.advise(values)
            strict = policy.advise(values | {limit: "900 million"})
            assert strict == policy.bad and without in (policy.good, policy.bad)
            assert policy.advise(values | {limit: "0 million"}) == without
            seen += 1
    assert seen > 3


# ---------------------------------------------------------------- splits


def pattern(template):
    form = re.sub(r"\\\{(?:old|new|v)\\\}", r"[\\w -]+ (?:million|people)", re.escape(template), flags=re.IGNORECASE)
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^,]+", form), re.IGNORECASE)


def test_paraphrases_use_no_known_wording():
    config = split_config(EVEN, "paraphrase")
    known_rules = [pattern(text) for form in (wordings.RULE, wordings.CASE, wordings.REST) for text in form.known]
    tables = (wordings.FIGURE_UPDATES, wordings.LIMIT_UPDATES, wordings.SHORT_UPDATES)
    known_updates = [pattern(text) for table in tables for form in table.values() for text in form.known]
    seen = set()
    for row in Builder(config).samples(200):
        for clause in clauses(row.prompt):
            bare = clause.rstrip(".,;:?!")
            assert told(clause) is None, clause
            assert not any(form.fullmatch(bare) for form in known_rules), clause
        for update in row.updates:
            assert not any(form.fullmatch(update["text"]) for form in known_updates), update["text"]
            text = digits(update["text"])
            assert not re.search(rf"{FIGURE}(?: of {SUBJECT})? is \d|is the {FIGURE}", text), text
            assert not re.search(r"should .*\b(?:only if|unless)", text), text
            seen.add(update["kind"])
    assert {"correction", "refinement", "invalidation", "addition", "constraint"} <= seen


def test_novel_values_are_never_drawn_otherwise():
    values = {"train": set(), "novel_values": set()}
    for split, found in values.items():
        for row in Builder(split_config(CONFIG, split)).samples(200):
            found.update(fact["value"] for fact in row.facts)
            found.update(change["value"] for update in row.updates for change in update["changes"])
            found.update(re.split(" (?:of|for) ", fact["name"])[-1] for fact in row.facts)
        assert len(found) > 100
    assert values["train"] & values["novel_values"] <= {NONE, "yes", "no", "the company", "going on"}


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("Tarvik's revenue is 50 million.", {"revenue of Tarvik": "50 million"}),
        ("The revenue was fifteen million.", {"revenue of the company": "15 million"}),
        ("The Berlin branch takes in 120 million.", {"revenue of the Berlin branch": "120 million"}),
        ("Last year Tarvik took in 5 million.", {"prior revenue of Tarvik": "5 million"}),
        ("The coffee line owes 7 million -- wait,", {"debt of the coffee line": "7 million"}),
        ("Tarvik holds 7 million -- wait,", {}),
        ("Tarvik makes a profit of 30 million.", {"result of Tarvik": "profit of 30 million"}),
        ("The company makes a profit of -- no, the cost is 60 million: the company makes a loss of 10 million.",
         {"cost of the company": "60 million", "result of the company": "loss of 10 million"}),
        ("For Tarvik, 5 million minus 6 million is a loss of 1 million", {"result of Tarvik": "loss of 1 million"}),
        ("Tarvik is 5 million over target.", {"gap of Tarvik": "5 million over"}),
        ("Tarvik is 5 million over", {}),
        ("The revenue of Tarvik is up 5 million.", {"growth of Tarvik": "up 5 million"}),
        ("Tarvik has 5 million less cash than debt.", {"reserve of Tarvik": "5 million less"}),
        ("There are twenty too few people at Tarvik.", {"staffing of Tarvik": "20 too few"}),
        ("Tarvik should cut costs, and Velm should expand.",
         {"advice for Tarvik": "cut costs", "advice for Velm": "expand"}),
        ("I advise Tarvik to hold -- wait, Tarvik should expand.", {"advice for Tarvik": "expand"}),
        ("With a limit of 10 million, Tarvik should expand.", {"advice for Tarvik": "expand"}),
        ("No advice for Tarvik can be given.", {"advice for Tarvik": NONE}),
        ("The result of the company is not yet known.", {"result of the company": NONE}),
        ("The total cost comes to 65 million.", {"total cost": "65 million"}),
        ("50 million plus 15 million", {}),
        ("The leader in revenue is the Berlin branch.", {"leader in revenue": "the Berlin branch"}),
        ("The higher debt belongs to neither.", {"leader in debt": "neither"}),
    ],
)  # fmt: skip
def test_claims_are_read_from_any_text(text, claims):
    assert {claim.key: claim.value for claim in FAMILY.read(text)} == claims


@pytest.mark.parametrize(
    "text",
    ["", " ", "--", "-- wait,", "\0", "million", "The revenue of", "is 5 million over", "should", "<eos><eos>",
     "é -- no, --", "Tarvik should", "profit of 5 million", "The revenue of Tarvik is", "the the the"],
)  # fmt: skip
def test_the_reader_takes_any_text(text):
    assert FAMILY.read(text) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zero"), (15, "fifteen"), (25, "twenty-five"), (100, "one hundred"), (120, "one hundred and twenty"),
     (999, "nine hundred and ninety-nine")],
)  # fmt: skip
def test_numbers_in_words(number, words):
    assert to_words(number) == words
    assert from_words(words) == from_words(words.upper().replace("-", " ").replace(" AND ", " ")) == number


def test_all_words_are_read_back():
    assert [from_words(to_words(number)) for number in range(1000)] == list(range(1000))
    assert from_words("hundred") is from_words("") is from_words("twenty-fifteen") is None
    with pytest.raises(ValueError, match="0 to 999"):
        to_words(1000)


def test_wordings_are_many():
    told = [terms.TELL, terms.TELL_OF_COMPANY, terms.TOLD, terms.TOLD_OF_COMPANY]
    tables = (wordings.FIGURE_UPDATES, wordings.LIMIT_UPDATES, wordings.SHORT_UPDATES, questions.ASK_OWN)
    lists = [*told, wordings.RULE, wordings.CASE, wordings.REST, questions.ASK_ONE, questions.ADVICE_NOUNS]
    lists += [form for table in tables for form in table.values()]
    lists += [topic.nouns for topic in terms.TOPICS.values()]
    for form in lists:
        assert not set(form.known) & set(form.unseen)
        assert len(set(form.known)) == len(form.known) >= 6
    assert all(len(set(figure.told)) == len(figure.told) >= 10 for figure in terms.FIGURES.values())
