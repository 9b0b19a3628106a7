"""Premises, rules, and what follows from them: "The bridge is open. If the bridge is open then Ada is late."

What is asked of Ada may be answered with "Ada is late" or with "the answer to whether Ada is late is yes"; here both
are claims of "Ada". Whatever is not settled, by a premise or by a rule, does not follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ...oracle.account import Account, Statement
from ...oracle.checks import said_twice, wrong_order, wrong_repairs
from ...oracle.listener import Conversation, Listener, NotUnderstood, State, StatedValue
from ...reading import Claim, threads
from ...world.facts import NONE


_NO_WHO = (
    r"(?!(?:[Tt]he )?(?:[Ii]t|[Tt]h(?:at|is|ere)|[Hh]ere|[Ww]h(?:at|ich|o|ether)|answer|opposite|rules?|truth)\b)"
)
_WHO = rf"{_NO_WHO}(?:[Tt]he [a-z]\w*|[A-Z]\w*)"
_WORD = r"(?!(?:not|now|that|true|wrong|false|known|unknown|uncertain|void|what|how|an?|something)\b)[A-Za-z]\w*"
_WHAT = rf"(?:[Nn]ot )?{_WORD}"
_ATOM = rf"{_WHO} is {_WHAT}\b"
_IS = r"(?:turns out to be|is known to be|counts as|proves to be|has to be|will be|is sure to be|comes out as|is)"
_TAKEN = r"(?:found|assume|take|know|regard|think of|let)"
_STATED = re.compile(  # one group of each pair is set
    rf"\b(?:(?P<what_first>{_WHAT}) is what (?P<who_last>{_WHO}) is\b"
    rf"|word for (?P<who_of>{_WHO}) is (?P<what_of>{_WHAT})\b"
    rf"|(?i:{_TAKEN}) (?P<who_taken>{_WHO}) (?:to be|as|be) (?P<what_taken>{_WHAT})\b"
    rf"|(?P<who>{_WHO}) {_IS} (?P<what>{_WHAT})\b)"
)
_REASONS = rf"{_ATOM}(?:(?: and| or) {_ATOM})*"
_CONDITION = re.compile(
    r"\b(?i:if|unless|when(?:ever)?|where|once|in case|in the event that|should it be that|every time that|given that"
    r"|assuming that|provided that|on condition that|as (?:soon|long) as|(?:from )?the fact that|it is enough that"
    rf"|depending on whether) (?P<reasons>{_REASONS})"
    rf"|\b[Tt]hat (?P<implied>{_REASONS}) (?:means|implies) that "
)
_BEHIND = r"otherwise|if not then|failing that|or else|without that|in (?:all|any) other cases?"
_BEFORE = r"otherwise|if not|if that is not so|in (?:all|any) other cases?"
_OTHERWISE = re.compile(
    rf"\b(?:but|and) (?!if\b|in\b)(?P<before>{_WHAT}) (?:{_BEFORE})\b|\b(?:{_BEHIND}) (?P<behind>{_WHAT})\b"
)
_UNLESS = re.compile(rf"\b[Uu]nless .*\b(?:and then|in that event) (?P<then>{_WHAT})\b")
_EITHER = re.compile(rf"{_ATOM} or (?P<second>{_WHAT})\b(?! is\b)")
_DEPENDS = re.compile(r"\b[Dd]epending on whether\b")
_WHAT_FIRST = re.compile(rf"\b{_WHAT} is what {_WHO} is\b(?! (?:what|question|for you)\b)")
_QUESTION = re.compile(r"\b(?:what|which|whom?|whether|how|conclusion)\b", re.IGNORECASE)
_WHETHER = re.compile(
    rf"\b[Ww]hether (?:or not )?(?:[a-z ]+ that )?(?P<who>{_WHO}) (?:must be|is indeed|{_IS}) (?P<what>{_WHAT})"
    r"(?= (?:is|as number|and how)\b|$)"
)
_INTRO = re.compile(
    r"(?:(?:please|can you) )?(?:tell me|find out|say|explain|answer in this order|work out(?: step by step)?|show me"
    r"|I want to know|here are my questions|answer these questions)",
    re.IGNORECASE,
)
_FALSE = r"(?:not true|wrong|no longer true|false)"
_PREMISE = r"(?:premise|assumption|claim|idea)"
_UNTRUE = re.compile(
    rf"\b(?:{_FALSE}|take it back|[Ss]wap the assumption) that {_ATOM}|\b[Tt]hat {_ATOM} (?:is|was) {_FALSE}\b"
    rf"|{_ATOM}(?:, but (?:the opposite|that) is (?:true|false)|\? (?:No, t|T)he opposite is true)"
)
_GIVEN_UP = re.compile(
    rf"\b(?:drop|withdraw|give up|discard|abandon) the {_PREMISE} that {_ATOM}|\bpremise aside that {_ATOM}"
    rf"|\b(?:do not|no longer) (?:assume|take it for granted)(?: any more)? that {_ATOM}|\bno reason .*\bthat {_ATOM}"
    rf"|\bthat {_ATOM} (?:has been withdrawn|has to go|was only a guess)|\bthat {_ATOM}, but .*\bnobody knows"
    rf"|\bwhether {_ATOM}|\bthe state of the (?P<noun>\w+)",
    re.IGNORECASE,
)
_RULE_GIVEN_UP = re.compile(
    r"\b(?:drop|strike|delete|discard|give up|remove|do not use|no longer go by) the rule\b|\brule aside\b|\bis void\b"
    r"|\bno longer (?:applies|a rule)\b|\babolished\b",
    re.IGNORECASE,
)
_MEANS = re.compile(rf"[Ww]hat it means for (?P<rule>(?P<who>{_WHO}) if {_ATOM})")
_STATE_OF = re.compile(r"the state of the (?P<who>\w+)")
_YES_OR_NO = re.compile(rf"[Ww]hether (?P<who>{_WHO}) is (?P<what>{_WHAT})")
_ANSWERED = re.compile(r"[Ww]hether .+ (?=(?:yes|no)$)")
_LOOSE = re.compile(rf"(?<!ether )\b{_ATOM}|\bwhether {_ATOM} is \w+")
_RULES, _ASKED_WHETHER, _SUBJECTS = "rules", "whether", "subjects"  # what a prompt told, among the rules of a state


class Stated(NamedTuple):
    """Of whom something is said ("bridge", "Ada"), and what."""

    who: str
    what: str


class Rule(NamedTuple):
    """What is so of someone if all reasons hold, or any of them, and what if not; `NONE` where it does not say."""

    who: str
    reasons: tuple[Stated, ...]
    any: bool
    then: str
    otherwise: str


class LogicRedirection(Listener):
    """Facts are premises ("bridge") and rules ("Ada if the bridge is open"); the key of a claim is its subject."""

    task_type = "logic_redirection"
    gives_reasons = True

    def understand(self, prompt: str) -> State:
        facts: dict[str, str | Rule] = {}
        asked: list[str] = []
        for clause in re.split(r"[.,;:?] ?", prompt):
            rule, premise = _rule(clause), next(_all_stated(clause), None)
            if rule:
                facts[rule[0]] = rule[1]
            elif _QUESTION.search(clause) and not _WHAT_FIRST.search(clause):
                asked.append(clause)
            elif premise:
                who, what = premise
                facts[_subject(who)] = _opposite(what) if _UNTRUE.search(clause) else what
            elif clause and not _INTRO.fullmatch(clause):
                raise NotUnderstood(repr(clause))
        rules = [rule for rule in facts.values() if isinstance(rule, Rule)]
        concluded = {rule.who for rule in rules}
        subjects = concluded.union(facts, *([reason.who for reason in rule.reasons] for rule in rules))
        questions = tuple(dict.fromkeys(_asked(clause, concluded) for clause in asked))
        if not questions:
            raise NotUnderstood("it asks for nothing.")
        whether = {_key(match) for clause in asked if (match := _WHETHER.search(clause))}
        return State(facts, questions, {_RULES: rules, _ASKED_WHETHER: whether, _SUBJECTS: subjects})

    def apply(self, state: State, text: str) -> State:
        """What is told of things that the prompt never spoke of matters to nobody."""
        means, rule = _MEANS.search(text), _rule(text)
        if means:
            return state.but({means["rule"]: None})
        if rule:
            name, told = rule
            if not {told.who, *(reason.who for reason in told.reasons)} <= state.rules[_SUBJECTS]:
                return state
            return state.but({name: None if _RULE_GIVEN_UP.search(text) else told})
        for who, what in _premise(text):
            if who in state.rules[_SUBJECTS]:
                return state.but({who: what})
        return state

    def refers(self, state: State, noun: str) -> set[str]:
        means, of = _MEANS.fullmatch(noun), _STATE_OF.fullmatch(noun)
        return {means["rule"]} if means else {of["who"]} if of else set()

    def value(self, state: State, key: str) -> str:
        return _follows(_rules(state), {name: v for name, v in state.facts.items() if isinstance(v, str)}, key, ())

    def claims(self, conversation: Conversation) -> list[Claim]:
        """A yes or no says which of the two things that the rules have for someone is so."""
        rules = conversation.states[0].rules[_RULES]
        return [_plain(claim, rules) for claim in self.read(conversation.text)]

    def parts(self, claim: Claim, said: str) -> list[StatedValue]:
        """It is the "yes" that speaks the value of an answer, and the last word that denies there is one."""
        answered = _ANSWERED.search(said)
        return [StatedValue(claim.key, claim.value, answered.end())] if answered else super().parts(claim, said)

    def may_say(self, state: State, key: str) -> bool:
        """Only what was asked for, and what leads to it."""
        needed, rules = set(state.questions), [*state.rules[_RULES], *_rules(state)]
        for _ in rules:
            needed |= {reason.who for rule in rules if rule.who in needed for reason in rule.reasons}
        return key in needed

    def faults(self, conversation: Conversation) -> list[str]:
        account = Account(conversation)
        return [
            *_not_understood(account),
            *_not_asked(account),
            *_left_stale(account),
            *_no_repair(account),
            *_repeated(account),
            *_without_reason(account),
            *_answers(account),
            *_idle(account),
        ]


def _subject(text: str) -> str:
    """The name of whom or what a noun phrase stands for."""
    return text[4:] if text[:4] in ("The ", "the ") else text


def _stated(text: str) -> Stated:
    who, what = next(_all_stated(text))
    return Stated(_subject(who), what)


def _all_stated(text: str) -> Iterator[Stated]:
    """Whatever is said of anyone in a text, each with its article."""
    for match in _STATED.finditer(text):
        who = match["who"] or match["who_last"] or match["who_of"] or match["who_taken"]
        what = match["what"] or match["what_first"] or match["what_of"] or match["what_taken"]
        if match["what_first"]:
            what = what.lower()
        yield Stated(re.sub("^The ", "the ", who), what)


def _opposite(what: str) -> str:
    return what[4:] if what.startswith("not ") else f"not {what}"


def _rule(text: str) -> tuple[str, Rule] | None:
    """The name of the rule that a text tells, and the rule."""
    condition = _CONDITION.search(text)
    if not condition:
        return None
    told = condition["reasons"] or condition["implied"]
    conclusion = next(_all_stated(text[condition.end() :]), None) or next(_all_stated(text[: condition.start()]), None)
    if not conclusion:
        return None
    who, then = conclusion
    reasons = tuple(_stated(reason) for reason in re.split(" and | or ", told))
    other, unless, either = _OTHERWISE.search(text), _UNLESS.search(text), _EITHER.search(text.replace(told, ""))
    otherwise = (other["behind"] or other["before"]) if other else NONE
    if unless:
        then, otherwise = unless["then"], then
    elif either and _DEPENDS.search(text):
        otherwise = either["second"]
    rule = Rule(_subject(who), reasons, " or " in told, then, otherwise)
    return f"{who} if {told}", rule


def _premise(text: str) -> Iterator[tuple[str, str | None]]:
    """Whom an update may tell something of, and what; None if that is not known any more."""
    given_up, untrue = _GIVEN_UP.search(text), _UNTRUE.search(text)
    if given_up and given_up["noun"]:
        yield given_up["noun"], None
    for who, what in _all_stated(text):
        yield _subject(who), None if given_up else _opposite(what) if untrue else what


def _asked(clause: str, concluded: set[str]) -> str:
    """Whom a question is about: the first in it of whom some rule concludes something."""
    words = re.findall(r"\w+", clause)
    for word in words:
        if word in concluded:
            return word
    raise NotUnderstood(repr(clause))


def _key(match: re.Match[str]) -> str:
    return f"whether {match['who']} is {match['what']}"


def _rules(state: State) -> list[Rule]:
    return [rule for rule in state.facts.values() if isinstance(rule, Rule)]


def _follows(rules: list[Rule], told: dict[str, str], who: str, behind: tuple[str, ...]) -> str:
    """What is so of someone; `NONE` if that is open. `behind` are those whose own state hangs on this."""
    if who in told or who in behind:
        return told.get(who, NONE)
    for rule in rules:
        if rule.who != who:
            continue
        states = []
        for reason in rule.reasons:
            known = _follows(rules, told, reason.who, (*behind, who))
            states.append(None if known == NONE else known == reason.what)
        if rule.any in states:  # one reason settles it
            met: bool | None = rule.any
        else:
            met = None if None in states else not rule.any
        found = NONE if met is None else rule.then if met else rule.otherwise
        if found != NONE:
            return found
    return NONE


def _plain(claim: Claim, rules: list[Rule]) -> Claim:
    """A claim of the subject in place of one of a question."""
    asked = _YES_OR_NO.fullmatch(claim.key)
    if not asked:
        return claim
    who, what = _subject(asked["who"]), asked["what"]
    others = {value for rule in rules if rule.who == who for value in (rule.then, rule.otherwise)} - {what, NONE}
    if claim.value == "no":
        what = others.pop() if len(others) == 1 else _opposite(what)
    return claim._replace(key=who, value=NONE if claim.value == NONE else what)


def _told(account: Account, statement: Statement) -> str:
    claim = statement.claim
    return f"At {claim.start} ({account.text[claim.start : claim.end]!r})"


def _not_understood(account: Account) -> Iterator[str]:
    """What is worded like a claim and is none that can be read."""
    ends = {statement.claim.end for statement in account.statements}
    for thread in threads(account.text):
        for match in _LOOSE.finditer(thread.text):
            place = thread.places[match.start()]
            if thread.places[match.end() - 1] + 1 not in ends:
                yield f"At {place}, {match[0]!r} makes no sense."


def _not_asked(account: Account) -> Iterator[str]:
    """Answers of yes or no to what was not asked so."""
    asked = account.conversation.states[0].rules[_ASKED_WHETHER]
    for claim in account.listener.read(account.text):
        if claim.key.startswith("whether ") and claim.key not in asked:
            yield f"At {claim.start}, {claim.key!r} is answered, which nobody asked."


def _in_repair(account: Account, place: int) -> bool:
    return any(repair.start <= place < repair.end for repair in account.repairs)


def _left_stale(account: Account) -> Iterator[str]:
    """What was said, reasons too, and has changed, and was not taken back before anything else is said."""
    statements = account.statements
    checks = [(item.claim.start, item.claim.start) for item in statements]
    checks = [check for check in checks if not _in_repair(account, check[0])] + [(len(account.text), -1)]
    for place, known in checks:
        version = account.conversation.version(known) if known >= 0 else -1
        latest = {item.claim.key: item for item in statements if item.claim.end <= place}
        for key, item in latest.items():
            due = account.value(version, key)
            if item.claim.value != due:
                yield f"At {place}, {key} was last said to be {item.claim.value}; it is {due}."


def _sentence_of(account: Account, item: Statement, place: int) -> bool:
    """Whether `place` is in the sentence in which a claim was said."""
    return not re.search(r"[.?!](?: |<|$)|<eos>", account.text[item.claim.end : place])


def _no_repair(account: Account) -> Iterator[str]:
    """Reasons that became wrong with no repair that follows at once."""
    states, said = account.conversation.states, {item.claim.key for item in account.statements}
    reasons = tuple(sorted(said.difference(account.questions)))
    yield from wrong_repairs(Account(replace(account.conversation, states=_asking(states, reasons))))


def _asking(states: Sequence[State], keys: tuple[str, ...]) -> list[State]:
    """The same states, with other questions."""
    return [replace(state, questions=keys) for state in states]


def _repeated(account: Account) -> Iterator[str]:
    """What a repair says again though nothing of it has changed, unless it stands in the sentence that it replaces."""
    keys = {claim.start: claim.key for claim in account.listener.read(account.text)}
    latest: dict[str, Statement] = {}
    for item in account.statements:
        start, key = item.claim.start, keys[item.claim.start]
        earlier, latest[key] = latest.get(key), item
        repair = next((repair for repair in account.repairs if repair.start <= start < repair.end), None)
        if earlier is None or repair is None:
            continue
        first, _ = account.chain(repair)
        affected = any(
            first.after < moment.place <= start and account.changed(item, moment.before, moment.after)
            for moment in account.moments
        )
        changed = account.changed(item, min(earlier.versions), max(item.versions))
        if not affected and not changed and not _sentence_of(account, earlier, first.start):
            yield f"{_told(account, item)}, it is repeated, though unaffected."


def _without_reason(account: Account) -> Iterator[str]:
    """Conclusions that come before any of their reasons."""
    said: set[str] = set()
    for item in sorted(account.statements, key=lambda item: item.claim.start):
        key, state = item.claim.key, account.conversation.states[max(item.versions)]
        rules = [rule for rule in (*state.rules[_RULES], *_rules(state)) if rule.who == key]
        if rules and not any({reason.who for reason in rule.reasons} <= said for rule in rules):
            yield f"{_told(account, item)}, it is concluded before its reasons are told."
        said.add(key)


def _answers(account: Account) -> Iterator[str]:
    """Of questions that are no reason for anything, what is out of its turn, or said twice; not where a conclusion
    is drawn first, and then put as the yes or no that was asked for."""
    states = account.conversation.states
    reasons = {reason.who for rule in states[0].rules[_RULES] for reason in rule.reasons}
    read = {claim.key for claim in account.listener.read(account.text)}
    both = {_subject(match["who"]) for match in map(_YES_OR_NO.fullmatch, read) if match} & read
    asked = tuple(key for key in account.questions if key not in reasons | both)
    only = Account(replace(account.conversation, states=_asking(states, asked)))
    yield from wrong_order(only)
    yield from said_twice(only)


def _idle(account: Account) -> Iterator[str]:
    """What is said again outside a repair, and neither leads to something new nor is the answer that is due."""
    if account.conversation.endless:
        return
    keys = {claim.start: claim.key for claim in account.listener.read(account.text)}
    said: set[str] = set()
    given: set[str] = set()
    for number, item in enumerate(account.statements):
        key, place = item.claim.key, item.claim.start
        before = {other.claim.key for other in account.statements[:number]}
        again = keys[place] in said
        said.add(keys[place])
        if _in_repair(account, place):
            continue
        earlier = account.questions[: account.questions.index(key)] if key in account.questions else ()
        due = key in account.questions and key not in given and before.issuperset(earlier)
        given |= {key} if due else set()
        if again and not due and not _leads_on(account, item, said, keys):
            yield f"{_told(account, item)}, it is said again for nothing."


def _leads_on(account: Account, item: Statement, said: set[str], keys: dict[int, str]) -> bool:
    """Whether something new follows from what was just said, with at most another reason between, and in the same
    sentence if it had been said right before; where a repair comes first, it may have been about to."""
    rules = account.conversation.states[0].rules[_RULES]
    key, before = item.claim.key, account.statements[account.statements.index(item) - 1].claim
    at_once = before.key == key and not _in_repair(account, before.start)
    for other in [other for other in account.statements if other.claim.start >= item.claim.end][:2]:
        if any(item.claim.end <= repair.end and repair.start <= other.claim.end for repair in account.repairs):
            return True
        if key in {reason.who for rule in rules if rule.who == other.claim.key for reason in rule.reasons}:
            near = _sentence_of(account, item, other.claim.start)
            return keys[other.claim.start] not in said and (near or not at_once)
    return False


LISTENER = LogicRedirection()
