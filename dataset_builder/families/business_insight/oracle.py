"""Figures of business, what follows from them, and advice by rule: "Tarvik should expand if it makes a profit"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from ...oracle.listener import Listener, NotUnderstood, State, StatedValue
from ...reading import Claim
from ...world.facts import NONE


_COMPANY = "the company"  # whoever is not named
_ALL = "all"  # among the rules: everyone whom the prompt is about

_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen""".split()
_NUMBERS = {word: number for number, word in enumerate(_SMALL)}
_NUMBERS |= {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_HUNDRED = "hundred"
_WORD = rf"(?:{'|'.join([*_NUMBERS, _HUNDRED])})\b"
_COUNT = rf"(?<![\w-])(?i:\d+\b|{_WORD}(?:(?:-| and | ){_WORD})*)"
_VALUE = rf"{_COUNT} (?:million|people)\b"
_AMOUNT = re.compile(rf"(?P<count>{_COUNT}) (?P<unit>million|people)\b")

_FIGURE = r"(?P<figure>(?i:prior revenue|planned staff|revenue|cost|target|cash|debt|staff|limit))\b"
_NO_NAMES = (
    "The|Our|Last|In|For|If|Advise|Tell|It|As|What|We|They|There|Customers|Sales|With|By|A|An|I|Those|According|Unless"
    "|Only|Let|Have|Please|You|Revenue|Cost|Target|Cash|Debt|Staff|Planned|Prior|Word|Someone|Somebody|Nobody|That|This|Sorry|Wait|No|Oh|Well|Hold|Now"
    f"|{'|'.join(word.title() for word in (*_NUMBERS, _HUNDRED))}"
)
"""Words that may open a sentence, and so have a capital without being names."""
_WHO = (
    r"(?<![\w'-])(?P<who>[Tt]he (?:company|[A-Z][\w-]* branch|(?!bottom )[a-z]+ line)"
    rf"|(?!(?:{_NO_NAMES})\b)[A-Z][\w-]*)(?![\w-])"
)
_NAMED = [
    re.compile(form)
    for form in (
        rf"\b[Tt]he {_FIGURE} (?:of|at|for) {_WHO}",
        rf"{_WHO}'s {_FIGURE}",
        rf"\b[Ff]or {_WHO},? the {_FIGURE}",
        rf"{_WHO} (?:has|had|reported) a {_FIGURE}",
        rf"\b[Ww]ith {_WHO} the {_FIGURE}",
        rf"\b[Tt]he {_FIGURE} reported by {_WHO}",
        rf"{_WHO} (?:has|gives|names)\b[^,:]*? its {_FIGURE}",
        rf"\b(?i:the|our) {_FIGURE}",
        rf"(?:^|\bthat ){_FIGURE}",
    )
]
_VERBS = {
    r"last year|a year ago|the year before|prior revenue": "prior revenue",
    r"aims|wants to reach|hopes for|meant to take in|like to take in|target": "target",
    r"plans|planned|(?:wants|like|means) to employ|plan says|according to plan": "planned staff",
    r"took in|taken in|coming in|made sales|sales brought|customers paid|revenue": "revenue",
    r"spent|spend|paid out|going out|to run|cost": "cost",
    r"cash|in the bank|the bank holds": "cash",
    r"owe[sd]|pay back|borrowed|loans|the banks want|debt": "debt",
    r"employ(?:s|ed)|work|staff": "staff",
}
"""What a clause tells of which figure; what comes first counts."""

_TOPICS = {
    "result": ("revenue", "cost"),
    "gap": ("revenue", "target"),
    "growth": ("revenue", "prior revenue"),
    "reserve": ("cash", "debt"),
    "staffing": ("staff", "planned staff"),
}
"""What follows from two figures: one minus the other."""
_SIDES = {
    "result": ("profit of {}", "loss of {}"),
    "gap": ("{} over", "{} under"),
    "growth": ("up {}", "down {}"),
    "reserve": ("{} more", "{} less"),
    "staffing": ("{} too many", "{} too few"),
}
_TOLD_BACKWARDS = "growth"  # "from 5 to 9, it is up 4" tells the second figure first

_ADVICE_ASKED = re.compile(
    r"\b(?:advice|advise|move|(?:next|right) step|should|ought|right thing|have to do|is .* to do"
    r"|recommendation|way forward)\b"
)
_LEADER_ASKED = re.compile(r"\b(?:leader|leads|higher|front runner|ahead)\b")
_TOTAL_ASKED = re.compile(r"\b(?:total|sum|of all|combined|overall)\b")
_TOPIC_ASKED = {
    "staffing": r"staffing|staff .*\bplan|staff and planned staff|its plan|balance of staff|short of people|too many",
    "result": r"result|profit or (?:a |the )?loss|between revenue and cost|revenue minus cost|bottom line|what is left"
    r"|in the black",
    "gap": r"gap (?:between revenue|of|to its target)|over or under|how far|distance|set against its target|miss"
    r"|its target|between revenue and target",
    "growth": r"growth|grown|grow|change in revenue|the change|difference in revenue|changed|up or down|trend"
    r"|development|which way",
    "reserve": r"cash .*\bdebt|debt .*\bcash|more cash|pay back|reserve",
}
_INTRO = re.compile(
    r"tell me about these|report in this order|go through these|here is what I ask|please"
    r"|as far as I know|as you may know|if I am not wrong|to begin with|as it happens|if I remember rightly"
    r"|as things are|the way I see it|if you ask me|I think|I believe|I was told|just so you know|so please use that"
    r"|or so I hear|if the books are right",
    re.IGNORECASE,
)
"""What leads to a question, or is said around what is told, and means nothing alone."""

_CONDITIONS: list[tuple[str, tuple[str, ...]]] = [
    (f"its profit is at least {_VALUE}", _TOPICS["result"]),
    (f"its revenue is at least {_VALUE} over target", _TOPICS["gap"]),
    (f"its revenue is up by at least {_VALUE}", _TOPICS["growth"]),
    (f"its cash exceeds its debt by at least {_VALUE}", _TOPICS["reserve"]),
    *((f"its {figure} is at (?:least|most) {_VALUE}", (figure,)) for figure in ("revenue", "cash", "cost", "debt")),
    ("it makes a loss", _TOPICS["result"]),
    ("its revenue is under target", _TOPICS["gap"]),
    ("its revenue is down", _TOPICS["growth"]),
    ("its cash is less than its debt", _TOPICS["reserve"]),
    ("it has too few people", _TOPICS["staffing"]),
]
"""What advice may depend on, and the figures that are compared; those without an amount ask for less than nothing."""
_IF = [(re.compile(rf"\b(?P<word>[Oo]nly if|[Ii]f|[Uu]nless) {form}\b"), figures) for form, figures in _CONDITIONS]
_OTHER_CASES = re.compile(r"\b(?:in (?:all|any) other cases?|if neither is the case)\b", re.IGNORECASE)
_DO = r"[a-z]+(?: [a-z]+)*?"
_ADVICE = re.compile(
    r"(?i:(?:please )?advise |tell |it is best for |(?:the|our) rule for |we want |the board wants |let |have |what "
    r"|(?:our rule is|we think) that )?"
    rf"{_WHO} (?:should do is |should |to |is to |does well to |has to |ought to |must )?(?P<do>{_DO})"
    rf"(?: (?:and|but) (?:otherwise )?(?:to )?(?P<else>{_DO})(?: otherwise| if not| in that case)?)?"
)

_DENIED = re.compile(
    rf"(?:\b[Nn]ot {_VALUE}|\binstead of {_VALUE}|\bfrom {_VALUE}(?= to )|\b[Ss]wap {_VALUE}(?= for ))"
)
_LOST = re.compile(
    r"\b(?:withdrawn|strike|forget|made up|no figure|no longer|any more|any longer|reject|drop|open again|disregard"
    r"|can't rely|nobody knows|struck|there is no telling)\b",
    re.IGNORECASE,
)


class Condition(NamedTuple):
    """What is asked of the figures that are compared; a limit of `NONE` asks that the first is below the second.
    `place` is where it begins in what was said."""

    figures: tuple[str, ...]
    limit: str
    most: bool
    unless: bool
    place: int


class Rule(NamedTuple):
    """Advice: `good` if the figures reach the limit, `bad` if not; with `middle`, `bad` only below 0, and that
    between."""

    figures: tuple[str, ...]
    most: bool
    good: str
    bad: str
    middle: str

    def advise(self, amounts: list[int], limit: int) -> str:
        difference = amounts[0] - sum(amounts[1:])
        if difference < 0 and self.middle:
            return self.bad
        reached = difference <= limit if self.most else difference >= limit
        return self.good if reached else self.middle or self.bad


class Prompt:
    """What the clauses of a prompt have told so far."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.questions: list[str] = []
        self.advice: dict[str, dict[str, str]] = {}
        self.conditions: dict[str, Condition] = {}
        self.subjects: dict[str, None] = {}  # kept in order

    def take(self, clause: str) -> None:
        """Takes in a clause without its punctuation.

        Raises:
            NotUnderstood: It makes no sense.
        """
        condition = _condition(clause)
        if condition or _OTHER_CASES.search(clause):
            self._rule(clause, condition)
        elif _AMOUNT.search(clause):
            self._told(clause)
        elif not _INTRO.fullmatch(clause):
            self._asked(clause)

    def state(self) -> State:
        if not self.facts or not self.questions:
            raise NotUnderstood(f"it tells {len(self.facts)} figures and asks {len(self.questions)} questions.")
        rules = {who: self._advice(who) for who in self.advice}
        return State(self.facts, tuple(dict.fromkeys(self.questions)), {**rules, _ALL: tuple(self.subjects)})

    def _told(self, clause: str) -> None:
        told = clause.lower()
        figure = next((figure for verb, figure in _VERBS.items() if re.search(rf"\b(?:{verb})\b", told)), "")
        name = (_about(figure, clause) if figure else "") or _fact(clause)
        if not name:
            raise NotUnderstood(repr(clause))
        self.facts[name] = _values(clause)[-1]
        self._meet(name)

    def _rule(self, clause: str, condition: Condition | None) -> None:
        said = clause
        for form, _ in _IF:
            said = form.sub("", said)
        said = _OTHER_CASES.sub("", said)
        match = _ADVICE.fullmatch(" ".join(said.split()))
        if not match:
            raise NotUnderstood(repr(clause))
        who = _lower(match["who"])
        self._meet(f"advice for {who}")
        advice = self.advice.setdefault(who, {})
        if not condition:
            advice["middle"] = match["do"]
            return
        names = ("bad", "good") if (condition.limit == NONE) != condition.unless else ("good", "bad")
        advice |= {name: do for name, do in zip(names, (match["do"], match["else"]), strict=True) if do}
        if condition.limit != NONE:
            self.facts[f"limit for {who}"] = condition.limit
        if condition.limit != NONE or who not in self.conditions:
            self.conditions[who] = condition

    def _advice(self, who: str) -> Rule:
        told = self.advice[who]
        if who not in self.conditions or not {"good", "bad"} <= told.keys():
            raise NotUnderstood(f"the advice for {who} is told in part: {told}")
        condition = self.conditions[who]
        return Rule(condition.figures, condition.most, told["good"], told["bad"], told.get("middle", ""))

    def _asked(self, clause: str) -> None:
        opens_with_name = re.match(r"[A-Z][\w-]*'s ", clause)
        key = _question(clause if opens_with_name else clause[0].lower() + clause[1:])
        if not key:
            raise NotUnderstood(repr(clause))
        self.questions.append(key)
        self._meet(key)

    def _meet(self, name: str) -> None:
        who = _owner(name)
        if who:
            self.subjects[who] = None


class BusinessInsight(Listener):
    """Facts are figures ("revenue of Tarvik") and limits ("limit for Tarvik"), as "15 million"; among the rules is the
    [`Rule`] of each who is advised."""

    task_type = "business_insight"

    def understand(self, prompt: str) -> State:
        made = Prompt()
        for clause in re.split(r"[.,;:?](?: |$)", prompt):
            if clause:
                made.take(clause.removeprefix("and "))
        return made.state()

    def apply(self, state: State, text: str) -> State:
        condition = _condition(text)
        if condition:
            return _limited(state, text, condition)
        values = _values(_DENIED.sub("", text))
        name = _fact(text)
        if not name and values:  # "No, 9 million": where only one figure can be meant
            known = [fact for fact in state.facts if " of " in fact]
            name = known[0] if len(known) == 1 else ""
        if not name or _owner(name) not in state.rules[_ALL]:
            return state
        if values:
            return state.but({name: values[-1]})
        return state.but({name: NONE}) if _LOST.search(text) else state

    def value(self, state: State, key: str) -> str:
        name, _, who = key.partition(" of ")
        if key.startswith("advice for "):
            return _advise(state, key.removeprefix("advice for "))
        if key.startswith("total "):
            return _total(state, key.removeprefix("total "))
        if key.startswith("leader in "):
            return _leader(state, key.removeprefix("leader in "))
        if key.startswith("terms "):
            return _term(state, key)
        if name in _TOPICS:
            return _difference(state, name, who)
        return _known(state, key)

    def refers(self, state: State, noun: str) -> Collection[str]:
        return {_fact(noun)}

    def reasons(self, state: State) -> Collection[str]:
        return set().union(*(_behind(state, question) for question in state.questions))

    def may_say(self, state: State, key: str) -> bool:
        return key in state.questions or key in self.reasons(state)

    def parts(self, claim: Claim, said: str) -> list[StatedValue]:
        """The figures and limits that a claim names on the way: "for Tarvik, 9 million minus 4 million is ..."."""
        found = super().parts(claim, said)
        amounts = [] if claim.value == NONE else list(_AMOUNT.finditer(said, 0, found[0].place))
        if not amounts:
            return found
        values = _values(said[: found[0].place])
        names = _named_before(claim.key, values)
        if len(names) != len(values):  # nobody knows what these stand for
            return [StatedValue(claim.key, said, found[0].place)]
        told = zip(names, values, amounts, strict=True)
        return [*(StatedValue(name, value, match.start()) for name, value, match in told), *found]


def _number(count: str) -> int:
    """A number in digits or in words: "one hundred and thirty-five"."""
    if count.isdigit():
        return int(count)
    total = 0
    for word in re.findall(r"[a-z]+", count.lower()):
        total = total * 100 if word == _HUNDRED else total + _NUMBERS.get(word, 0)
    return total


def _values(text: str) -> list[str]:
    return [f"{_number(match['count'])} {match['unit']}" for match in _AMOUNT.finditer(text)]


def _lower(who: str) -> str:
    return who.replace("The ", "the ", 1)


def _owner(name: str) -> str:
    """Whose a fact, or what follows from facts, is; "" if it is of all."""
    return re.split(" of | for ", name, maxsplit=1)[1] if re.search(" of | for ", name) else ""


def _about(figure: str, clause: str) -> str:
    """A figure of the one who is named in a clause; "" if nobody is."""
    who = re.search(_WHO, clause)
    return f"{figure} of {_lower(who['who'])}" if who else ""


def _fact(text: str) -> str:
    """The fact that a text names first; "" if it names none."""
    for form in _NAMED:
        match = form.search(text)
        if match:
            figure, who = match["figure"].lower(), _lower(match.groupdict().get("who") or _COMPANY)
            return f"limit for {who}" if figure == "limit" else f"{figure} of {who}"
    return ""


def _question(clause: str) -> str:
    """The key that a clause asks for; "" if it asks for none."""
    figure, who = re.search(rf"\b{_FIGURE}", clause), re.search(_WHO, clause)
    for asked, key in ((_LEADER_ASKED, "leader in"), (_TOTAL_ASKED, "total")):
        if asked.search(clause) and figure and not who:
            return f"{key} {figure['figure']}"
    if not who:
        return ""
    if _ADVICE_ASKED.search(clause):
        return f"advice for {who['who']}"
    for topic, asked_by in _TOPIC_ASKED.items():
        if not re.search(rf"\bas its {_FIGURE}", clause) and re.search(rf"\b(?:{asked_by})\b", clause):
            return f"{topic} of {who['who']}"
    return f"{figure['figure']} of {who['who']}" if figure else ""


def _condition(text: str) -> Condition | None:
    for form, figures in _IF:
        match = form.search(text)
        if match:
            limit = (_values(match[0]) or [NONE])[-1]
            return Condition(figures, limit, " at most " in match[0], match["word"] == "unless", match.start())
    return None


def _limited(state: State, text: str, condition: Condition) -> State:
    """What holds after "Tarvik should expand only if its profit is at least 9 million": a limit set, or lifted."""
    named = [who for who in state.rules[_ALL] if re.search(rf"(?<![\w'-]){re.escape(who)}(?![\w-])", text, re.I)]
    rule = state.rules.get(named[0]) if named else None
    if not rule or rule.figures != condition.figures or (condition.limit != NONE and rule.most != condition.most):
        return state
    do = rule.bad if condition.limit == NONE and not condition.unless else rule.good
    if not re.search(rf" {do}(?: (?:only if|unless)\b|[.,]|$)", text):  # a rule for something else
        return state
    return state.but({f"limit for {named[0]}": condition.limit})


def _known(state: State, fact: str) -> str:
    value: str = state.facts.get(fact, NONE)
    return value


def _amounts(state: State, facts: Iterable[str]) -> list[int] | None:
    """The numbers of some facts; None if one of these is not known."""
    values = [_known(state, fact) for fact in facts]
    return None if NONE in values else [int(value.split()[0]) for value in values]


def _of_all(state: State, figure: str) -> dict[str, str]:
    """A figure of everyone."""
    return {who: _known(state, f"{figure} of {who}") for who in state.rules[_ALL]}


def _advise(state: State, who: str) -> str:
    rule = state.rules.get(who)
    amounts = _amounts(state, [f"{figure} of {who}" for figure in rule.figures]) if rule else None
    if not rule or amounts is None:
        return NONE
    limit = _known(state, f"limit for {who}")
    advice: str = rule.advise(amounts, 0 if limit == NONE else int(limit.split()[0]))
    return advice


def _difference(state: State, topic: str, who: str) -> str:
    amounts = _amounts(state, [f"{figure} of {who}" for figure in _TOPICS[topic]])
    if amounts is None:
        return NONE
    difference = amounts[0] - amounts[1]
    unit = "" if topic == "staffing" else " million"
    return _SIDES[topic][difference < 0].format(f"{abs(difference)}{unit}")


def _total(state: State, figure: str) -> str:
    amounts = _amounts(state, [f"{figure} of {who}" for who in state.rules[_ALL]])
    return NONE if amounts is None else f"{sum(amounts)} {'people' if 'staff' in figure else 'million'}"


def _leader(state: State, figure: str) -> str:
    values = _of_all(state, figure)
    if NONE in values.values():
        return NONE
    most = max(values.values(), key=lambda value: int(value.split()[0]))
    ahead = [who for who, value in values.items() if value == most]
    return ahead[0] if len(ahead) == 1 else "neither"


def _named_before(key: str, values: list[str]) -> list[str]:
    """What the amounts in a claim stand for that come ahead of its own value."""
    name, _, who = key.partition(" of ")
    if key.startswith("total "):
        figure = key.removeprefix("total ")
        return [f"terms {figure}: {' + '.join(values[: number + 1])}" for number in range(len(values))]
    if key.startswith("advice for "):
        return [f"limit for {key.removeprefix('advice for ')}"]
    figures = _TOPICS.get(name, ())
    return [f"{figure} of {who}" for figure in (reversed(figures) if name == _TOLD_BACKWARDS else figures)]


def _term(state: State, key: str) -> str:
    """The last of the terms of a sum, if all of them are there now, whoever they belong to."""
    figure, _, said = key.removeprefix("terms ").partition(": ")
    terms = said.split(" + ")
    return NONE if Counter(terms) - Counter(_of_all(state, figure).values()) else terms[-1]


def _behind(state: State, key: str) -> set[str]:
    """What may be said as a reason of a claim, or as what changed it."""
    name, _, who = key.partition(" of ")
    if key.startswith(("total ", "leader in ")):
        figure = key.removeprefix("total ").removeprefix("leader in ")
        return {f"{figure} of {who}" for who in state.rules[_ALL]}
    if not key.startswith("advice for "):
        return {f"{figure} of {who}" for figure in _TOPICS.get(name, ())}
    who = key.removeprefix("advice for ")
    rules: Mapping[str, Rule] = state.rules
    figures = rules[who].figures if who in rules else ()
    topics = [topic for topic, compared in _TOPICS.items() if compared == figures]
    return {f"limit for {who}", *(f"{name} of {who}" for name in (*figures, *topics))}


LISTENER = BusinessInsight()
