"""Money for one item after the other: "The budget is $90. The hotel costs $40 a night. ..."

An item gets what it costs, but no more than its limit, and no more than what is left when its turn comes. Nothing is
planned for an item that has no price.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ...oracle.listener import Listener, NotUnderstood, State, StatedValue
from ...reading import Claim
from ...world.facts import NONE


_TOKENS = {
    "X": r"the (?P<item>[a-z]+)",
    "V": r"\$(?P<new>\d+)",
    "N": r"(?P<new>\d+)",
    "U": r"(?P<unit>[a-z]+)",
    "BUDGET": r"(?:the|our|a) (?P<budget>budget)",
    "NUMBER": r"the number of (?P<units>[a-z]+)",
    "AMOUNT": r"the amount of (?P<thing>[a-z]+)",
    "PRICE": r"the price of the (?P<priced>[a-z]+)(?: per [a-z]+)?",
    "LIMIT": r"the limit for the (?P<limited>[a-z]+)",
    "NOTHING": r"(?:no|no longer an?) (?:(?P<budget>budget)|price (?:of|for) the (?P<priced>[a-z]+)"
    r"|limit for the (?P<limited>[a-z]+))",
    "NEW": r"\$?(?P<new>\d+)",
    "OLD": r"\$?\d+",
}
_NOUNS = ("BUDGET", "NUMBER", "AMOUNT", "PRICE", "LIMIT", "X")  # the whole of it before a mere item
_TOKENS["NOUN"] = "(?:" + "|".join(_TOKENS[name] for name in _NOUNS) + ")"


_LEAD = r"(?:.*?[,:!?] (?:(?:in truth|but|and|so) )?|.*?\b(?:and|that|since|as|excuse me but) )?"
_TAIL = r"(?: now|[,;:?!] .*| from now on)?"


def _forms(*forms: str, lead: str = "", tail: str = "") -> list[re.Pattern[str]]:
    """Patterns of sentences, in which words in capitals stand for `_TOKENS`."""
    token = re.compile(r"\b(?:" + "|".join(_TOKENS) + r")\b")
    meant = [token.sub(lambda name: _TOKENS[name[0]], form) for form in forms]
    return [re.compile(f"{lead}(?:{form}){tail}", re.IGNORECASE) for form in meant]


def _tellings(*forms: str) -> list[re.Pattern[str]]:
    """Patterns of what a prompt tells, and what an update wraps."""
    return _forms(*forms, lead=_LEAD, tail=_TAIL)


_BUDGET = _tellings(
    "BUDGET (?:is|was set at) V",
    "V is (?:the|our) budget",
    "(?:we have|there is) a budget of V(?: to spend)?",
    "a budget of V was set",
    "(?:in all )?we (?:only )?have (?:only )?V(?: to spend| in all)?",
    "(?:there is|we were given) V to spend",
    "(?:all in all |in all )?we (?:can|may) (?:only )?spend V(?: in all)?",
    "V is (?:what we can spend|there to be spent|all the money we have)",
    "V can be spent in all",
    "what we can spend is V",
    "our purse holds V",
    "the whole may cost V",
    "(?:do not |never )?spend (?:at most|no more than|more than) V in all",
    "(?:keep it all|stay|everything together must stay) within V(?: in all)?",
    "(?:no more than|at most) V in all",
    "V must do for everything",
    "V in all is the limit",
    "do not go over V in all",
    "all of it is capped at V",
)
_LIMIT = _tellings(
    "X (?:gets|may get|can get) (?:at most|no more than) V",
    "X may get V at most",
    "X must not get (?:over|more than) V",
    "X has to (?:stay within|make do with) V",
    "X has a limit of V",
    "the limit for X is V",
    "for X the limit is V",
    "V is the limit for X",
    "(?:at most|no more than) V (?:may go to|is allowed for) X",
    "V at most may be spent on X",
    "on X at most V may be spent",
    "(?:we want to |we |do not |never )?(?:spend|spending) (?:at most|no more than|more than) V on X",
    "(?:there is|we have) a limit of V for X",
    "a limit of V was set for X",
    "what X gets must not exceed V",
    "V is the most that X may take",
    "X is (?:limited to|capped at) V",
    "(?:no more than|at most) V for X",
    "keep X within V",
    "(?:never |we can )?give X (?:at most|no more than|more than) V",
    "let X have V at most",
    "V at most is for X",
    "V must do for X",
    "do not let X go over V",
)
_EACH = "(?: (?:an?|per) U)?"
_PRICE = _tellings(
    f"X (?:costs|is|is priced at|can be had for|will cost us|was offered at) V{_EACH}",
    f"(?:the price of|what we pay for|the bill for) X is V{_EACH}",
    f"we (?:pay|need|have to pay) V{_EACH} for X",
    f"they (?:charge|want) V{_EACH} for X",
    f"for X (?:we pay|they charge) V{_EACH}",
    f"V{_EACH} is what X costs",
    f"V{_EACH} is (?:what they want for|asked for|the price of) X",
    f"what X costs is V{_EACH}",
    f"we get X for V{_EACH}",
    "per U X costs V",
    "X comes to V(?: for each U)?",
    "each U adds V for X",
)
_COUNT = _tellings(
    r"(?:[a-z]+ )*N (?P<units>nights|guests|weeks)(?: [a-z]+)*",
    r"the number of (?P<units>nights|guests|weeks) is N",
    r"N is the number of (?P<units>nights|guests|weeks)",
)
_AMOUNT = _tellings(
    r"(?:[a-z]+ )*N [a-z]+ of (?P<thing>[a-z]+)(?: [a-z]+)*",
    r"of (?P<thing>[a-z]+) (?:we need|we buy|it should be) N [a-z]+",
    r"AMOUNT is N [a-z]+",
)
_SET = _tellings(
    "(?:please |we have to |could you )?(?:change|set|correct) NOUN to NEW",
    "(?:could you )?make NOUN NEW(?: instead of OLD)?",
    "put NOUN at NEW",
    "let NOUN be NEW(?: instead of OLD)?",
    "use NEW for NOUN",
    "take NEW and not OLD for NOUN",
    "NOUN (?:is|is now|should be|has to be|has changed to|turns out to be) NEW(?:, not OLD| and not OLD)?",
    "NOUN is not OLD but NEW",
    "NOUN was OLD and is now NEW",
    "it is NEW (?:and not OLD )?for NOUN",
    "I meant NEW for NOUN",
    "instead of OLD NOUN is NEW",
    "NEW is right for NOUN",
    "replace OLD by NEW as NOUN",
    "reckon with NEW as NOUN",
    "NOUN moves from OLD to NEW",
)
_NOUN = _forms("NOUN")
_LOST = _forms(
    "(?:forget|forget about|lift|drop|leave out|cross out|strike|skip|remove|we skip) NOUN",
    "(?:we|we can|let us) do without NOUN",
    "leave NOUN out",
    "take NOUN (?:off the list|out|away)",
    "(?:nobody knows|nobody wants|we no longer know|we do not need|we don't want|we have decided against) NOUN",
    "NOUN (?:no longer holds|is gone|is unknown|is off the plan|is out|was withdrawn|was lifted|has been dropped)",
    "NOUN (?:is not needed|is no longer needed|is not wanted|is not known|does not count)",
    "what I said of NOUN no longer holds",
    "(?:there is|we need|we have) NOTHING",
    "NOTHING holds",
    "no limit holds for the (?P<limited>[a-z]+)",
    "the (?P<limited>[a-z]+) (?:needs|has) no limit",
    lead=r"(?:[^.]*?[,:!] )?",
    tail="(?: now| any more| any longer)?(?:, .*)?",
)
_ORDINAL = r"first|second|third|fourth|fifth|sixth|seventh|eighth"
_NUMBER = (
    rf"(?:(?:as )?(?:number|question) \d+(?: is)?|item \d+ is|\(?\d+\)|the (?:{_ORDINAL}) question is"
    rf"|(?:{_ORDINAL})(?: comes)?)"
)
_TASK = (
    r"(?:please )?(?:in this order )?(?:(?:can you |please )?tell me|plan|(?:could you )?work out|find out"
    r"|find|list|decide|report in this order|I (?:want|need) to know|I would like to hear|calculate|show me|give me"
    r"|let me know|say|go through these|this is what I want to know)"
)
_ASKED = {
    "item": _forms(
        "(?:please )?(?:plan |set |put )?(?:the |some )?money (?:aside )?for X",
        "(?:please )?plan X",
        "(?:the )?money that goes to X",
        "(?:the )?(?:share|part) of X",
        "(?:our|the) spending on X",
        "(?:what|which) (?:is|will be) the share of X",
        "which share goes to X",
        "what X (?:gets|is given)",
        "what does X get",
        "what goes to X",
        "what (?:we spend|is spent|do we spend|can we spend) on X",
        "how much (?:money |of it )?(?:goes to|will go to|is there for|there is for) X",
        "how much (?:money )?(?:can we spend|do we spend|we spend|is spent) on X",
        "how much (?:money )?(?:does|should) X get",
        "how much (?:money )?X gets",
        "on X how much can we spend",
        "to X how much goes",
        "how much X may have",
        "how much may X take",
    ),
    "total": _forms(
        "(?:the|our) (?:total|sum|whole amount)(?: spending| of it all| of the shares)?",
        "(?:what|how much|how much money) we spend (?:in all|altogether)",
        "(?:what|how much) is spent in all",
        "all that we spend",
    ),
    "left": _forms(
        "(?:what|how much(?: money)?) is left(?: over| in the end)?",
        "(?:what|how much) we (?:have left|keep)",
        "the money left over",
        "what is not spent",
        "what remains",
        "the (?:rest|remainder)(?: of the money)?",
    ),
}
_FRAME = re.compile(
    rf"(?:{_TASK} )?(?:{_NUMBER} )?(?:{_TASK} )?(?P<what>.+?)(?: (?:comes )?(?:{_ORDINAL})| is what I want to know)?",
    re.IGNORECASE,
)
_INTRO = re.compile(rf"{_TASK}(?: these)?", re.IGNORECASE)
_IN_ORDER = re.compile(
    r"(?:spend|pay them) in that order while the money lasts"
    r"|what comes first is paid first|what comes last is cut first|the (?:first|earlier) ones (?:are paid|go) first"
    r"|(?:if there is too little |should money run out )?the last ones get less(?: if the money is short)?"
    r"|when the money is short cut from the end|save on the last ones first|cut what comes last if there is too little"
    r"|money goes to the first ones first|pay the earlier ones in full before the later ones"
    r"|begin with the first and go on while there is money|those at the end get what is left"
    r"|serve them in order until the money is gone",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"as far as I know|as you may know|if I am not wrong|to begin with|as it happens|if I remember rightly"
    r"|as things are|the way I see it|for now|if you ask me|I think|I believe|I was told|just so you know"
    r"|at least for the moment|so please use that|or so I hear",
    re.IGNORECASE,
)
"""What a prompt may say around a clause; it tells nothing."""
_MONEY = r"\$\d+"
_WORKED_OUT = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"at (?P<price>{_MONEY}) an? (?P<unit>[a-z]+), (?P<count>\d+) (?P<units>[a-z]+) make (?P<cost>{_MONEY}), ",
        rf"(?P<count>\d+) (?P<units>[a-z]+) at (?P<price>{_MONEY}) make (?P<cost>{_MONEY}), ",
        rf"(?P<price>{_MONEY}) \* (?P<count>\d+) = (?P<cost>{_MONEY}), ",
    )
]
_LINK = re.compile(r"(?:so|but|and)\b")
_SPOKEN = re.compile(rf"(?:\b(?:the (?:allowed|last)|only|all) )?{_MONEY}$", re.IGNORECASE)
_CHAIN = re.compile(rf"(?P<terms>{_MONEY}(?: [-+] {_MONEY})+) = {_MONEY}")


class Price(NamedTuple):
    """Dollars, for each of a unit; "" if it is paid once."""

    dollars: int
    unit: str


class Share(NamedTuple):
    """What an item costs, what it gets, and what is left behind it; None if there is no such thing."""

    cost: int | None
    given: int | None
    left: int | None


class ConstraintRevision(Listener):
    """
    Facts are "budget", "price of hotel" (a [`Price`]), "limit for hotel", "nights", and "amount of rice"; what nobody
    told is missing. The key of a claim is "hotel", "budget", "total", "left", or "left after hotel".
    """

    task_type = "constraint_revision"

    def understand(self, prompt: str) -> State:
        told = State({}, ())
        asked: list[str] = []
        for clause in re.split(r"[.,;:?](?: |$)", prompt):
            clause = re.sub("^and ", "", clause)
            if _FILLER.fullmatch(clause):
                continue
            change, question = _told(clause), _question(clause)
            if change:
                told = _changed(told, change)
            elif question:
                asked.append(question)
            elif clause and not _INTRO.fullmatch(clause) and not _IN_ORDER.fullmatch(clause):
                raise NotUnderstood(repr(clause))
        if not asked:
            raise NotUnderstood("it asks for nothing.")
        return State(told.facts, tuple(dict.fromkeys(asked)), {"known": {*asked, *map(_about, told.facts)}})

    def apply(self, state: State, text: str) -> State:
        text = text.rstrip(".!?")
        lost = _match(_LOST, text)
        if lost:
            return state.but({_fact(lost): None})
        change = _told(text) or _set(text)
        if not change or _about(change.fact) not in {*state.rules["known"], ""}:  # the plan has no place for it
            return state
        return _changed(state, change)

    def refers(self, state: State, noun: str) -> Collection[str]:
        match = _match(_NOUN, noun)
        if not match:
            return set()
        item = match["item"]
        return {f"{what} {item}" for what in ("price of", "limit for", "amount of")} if item else {_fact(match)}

    def value(self, state: State, key: str) -> str:
        """Besides the claims: "cost of hotel", "words for hotel" ("the last $80"), "link to hotel" ("so"), its price
        and number of units as "price of hotel a night" and "nights for hotel", and summands as "share 2 of 3"."""
        shares = _shares(state)
        what, _, item = key.rpartition(" ")
        if what == "left after" and item in shares:
            return _money(shares[item].left)
        if re.fullmatch(r"share \d+ of", what):
            return _money(_summand(shares, int(key.split()[1]), int(item)))
        if key in shares:
            return _money(shares[key].given)
        if key == "total":
            return _money(_spent(shares))
        if key == "left":
            return _money(list(shares.values())[-1].left if shares else None)
        return _money(state.facts.get("budget")) if key == "budget" else _spoken(state, shares, key)

    def may_say(self, state: State, key: str) -> bool:
        return key in state.questions or key == "budget" or key.removeprefix("left after ") in _shares(state)

    def parts(self, claim: Claim, said: str) -> list[StatedValue]:
        """Every number on the way to a value: what is multiplied, summed up, or taken away, and why."""
        usual = super().parts(claim, said)
        if claim.key == "budget" or claim.key.startswith("left after "):
            return usual
        if claim.key in ("total", "left"):
            return [*_summed_up(claim, said), *usual]
        if claim.value == NONE:  # there is nothing then that it could be worked out from
            lost = (f"{what} {claim.key}" for what in ("price of", "units for", "cost of"))
            return usual + [StatedValue(key, NONE, usual[0].place) for key in lost]
        return [*_worked_out(claim, said), *_given(claim, said)]


class Change(NamedTuple):
    """The name of a fact, and the number that it is said to be, for each of a unit if one is named."""

    fact: str
    number: int
    unit: str = ""


def _match(forms: Sequence[re.Pattern[str]], text: str) -> re.Match[str] | None:
    """The first of some forms that a whole text has."""
    return next(filter(None, (form.fullmatch(text) for form in forms)), None)


def _told(clause: str) -> Change | None:
    """What a clause tells outright: "the hotel costs $80 a night"."""
    for forms, name in ((_BUDGET, "budget"), (_LIMIT, "limit for"), (_PRICE, "price of"), (_COUNT, ""), (_AMOUNT, "")):
        match = _match(forms, clause)
        if match:
            named = match.groupdict()
            fact = f"{name} {named['item']}".lower() if "item" in named else name or _fact(match)
            return Change(fact, int(match["new"]), (named.get("unit") or "").lower())
    return None


def _set(text: str) -> Change | None:
    """What a text does to a fact that it names: "make the budget $90"."""
    match = _match(_SET, text)
    return Change(_fact(match), int(match["new"])) if match else None


def _fact(match: re.Match[str]) -> str:
    """The fact that a noun phrase stands for; an item stands for its price."""
    named = {name: word.lower() for name, word in match.groupdict().items() if word}
    for name, fact in (
        ("units", "{}"),
        ("thing", "amount of {}"),
        ("priced", "price of {}"),
        ("limited", "limit for {}"),
    ):
        if name in named:
            return fact.format(named[name])
    return f"price of {named['item']}" if "item" in named else "budget"


def _about(fact: str) -> str:
    """The item that a fact is about; "" if it is about all of them."""
    return fact.rpartition(" ")[2] if " " in fact else ""


def _changed(state: State, change: Change) -> State:
    """A state in which something is as told. A price goes on to be for what it was for, if that is not told."""
    value: int | Price = change.number
    if change.fact.startswith("price of "):
        old = state.facts.get(change.fact)
        value = Price(change.number, change.unit or (old.unit if old else ""))
    return state.but({change.fact: value})


def _question(clause: str) -> str:
    """The key that a clause asks for; "" if it asks for none."""
    framed = _FRAME.fullmatch(clause)
    for what in (clause, framed["what"] if framed else ""):
        for key, forms in _ASKED.items():
            match = _match(forms, what)
            if match:
                return match["item"].lower() if key == "item" else key
    return ""


def _number(state: State, item: str) -> int | None:
    """How many units of an item are paid for; None if that is unknown, or if it is paid once."""
    price = state.facts.get(f"price of {item}")
    if not price or not price.unit:
        return None
    number: int | None = state.facts.get(f"amount of {item}", state.facts.get(f"{price.unit}s"))
    return number


def _shares(state: State) -> dict[str, Share]:
    """Who gets what, in the order asked."""
    shares: dict[str, Share] = {}
    left = state.facts.get("budget")
    for item in state.questions:
        if item in ("total", "left"):
            continue
        price, number = state.facts.get(f"price of {item}"), _number(state, item)
        cost = given = None
        if price and (number is not None or not price.unit):
            cost = price.dollars * (number if price.unit else 1)
            given = min(bound for bound in (cost, state.facts.get(f"limit for {item}"), left) if bound is not None)
            left = None if left is None else left - given
        shares[item] = Share(cost, given, left)
    return shares


def _spent(shares: dict[str, Share]) -> int:
    return sum(share.given or 0 for share in shares.values())


def _summand(shares: dict[str, Share], number: int, of: int) -> int | None:
    """What one of so many numbers is that make up the total, which may be given whole."""
    if of == 1:
        return _spent(shares)
    return (list(shares.values())[number - 1].given or 0) if of == len(shares) else None


def _money(number: int | None) -> str:
    return NONE if number is None else f"${number}"


def _spoken(state: State, shares: dict[str, Share], key: str) -> str:
    """What is said of an item on the way to its share."""
    match = re.fullmatch(
        r"(?P<what>cost of|words for|link to|price of|[a-z]+ for) (?P<item>[a-z]+)(?: an? (?P<unit>.+))?", key
    )
    share = shares.get(match["item"]) if match else None
    if not match or not share or share.cost is None:
        return NONE
    item, what = match["item"], match["what"]
    price, limit = state.facts[f"price of {item}"], state.facts.get(f"limit for {item}")
    if what == "cost of":
        return _money(share.cost)
    if what == "price of":
        return _money(price.dollars) if match["unit"] in (None, price.unit) else NONE
    if what == "link to":
        return "so" if share.given == share.cost else "but"
    if what == "words for":
        reason = "" if share.given in (0, share.cost) else "the allowed " if share.given == limit else "the last "
        return reason + _money(share.given)
    named = price.unit and what in (f"{price.unit}s for", f"{price.unit}es for", "units for")
    return str(_number(state, item)) if named else NONE


def _worked_out(claim: Claim, said: str) -> Iterator[StatedValue]:
    """The numbers of "3 nights at $80 make $240, so the hotel gets $240" ahead of the share, and the link."""
    item = claim.key
    match = next(filter(None, (form.search(said) for form in _WORKED_OUT)), None)
    if not match:
        if said.count("$") > 1:  # it is worked out in a way that makes no sense
            yield StatedValue(item, said, len(said) - 1)
        return
    named = match.groupdict()
    a_unit = f" a {named['unit']}" if named.get("unit") else ""
    yield StatedValue(f"price of {item}{a_unit}", match["price"], match.start("price"))
    yield StatedValue(f"{named.get('units') or 'units'} for {item}", match["count"], match.start("count"))
    yield StatedValue(f"cost of {item}", match["cost"], match.start("cost"))
    link = _LINK.match(said, match.end())
    if link and link[0] != "and":
        yield StatedValue(f"link to {item}", link[0], link.start())


def _given(claim: Claim, said: str) -> Iterator[StatedValue]:
    """The share with its reason: "the last $80"."""
    match = _SPOKEN.search(said)
    if match:
        yield StatedValue(f"words for {claim.key}", match[0], match.start())
    else:
        yield StatedValue(claim.key, claim.value, len(said) - 1)


def _summed_up(claim: Claim, said: str) -> Iterator[StatedValue]:
    """The numbers of "$80 + $40 = $120" or "$200 - $120 = $80" ahead of the result."""
    chain = _CHAIN.search(said)
    if not chain:
        return
    numbers = list(re.finditer(_MONEY, chain["terms"]))
    signs = set(re.findall(r" ([-+]) ", chain["terms"]))
    shares = [f"share {number + 1} of {len(numbers)}" for number in range(len(numbers))]
    meant: list[str] = []
    if signs == {"+"} and claim.key == "total":
        meant = shares
    elif signs == {"-"} and claim.key == "left":
        taken = len(numbers) - 1
        meant = ["budget", *(f"share {number + 1} of {taken}" for number in range(taken))]
    elif signs == {"-"} and len(numbers) == 2:
        meant = ["budget", "left"]
    if not meant:
        yield StatedValue(claim.key, chain["terms"], chain.start())
    for key, number in zip(meant, numbers, strict=False):
        yield StatedValue(key, number[0], chain.start() + number.start())


LISTENER = ConstraintRevision()
