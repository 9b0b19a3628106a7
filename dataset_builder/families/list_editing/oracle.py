"""Lists in order that are edited: "put Paris right after Rome on the tour"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ...oracle.listener import Conversation, Listener, NotUnderstood, State
from ...world.facts import NONE


_CALLED = {
    "recipe": "step",
    "agenda": "topic",
    "menu": "course",
    "timetable": "lesson",
    "to-do list": "task",
    "shopping list": "item",
    "packing list": "item",
    "coin album": "coin",
    "flower bed": "flower",
    "zoo walk": "animal",
    "bird walk": "bird",
    "ball": "dance",
    "relay": "runner",
    "sports day": "event",
    "conference": "speaker",
    "language course": "language",
    "tour": "stop",
    "cruise": "river",
    "climbing plan": "peak",
    "travel plan": "country",
}
"""What one calls that which stands on a list."""
_PLURALS = {"country": "countries", **{noun: f"{noun}s" for noun in _CALLED.values() if noun != "country"}}
_NTH = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

_LIST = re.compile(
    rf"(?P<where> ?\b(?:on|in|at|of|from|to|for|off|into|by) )?the (?P<all>whole |complete |entire |full"
    rf" )?(?P<list>{'|'.join(_CALLED)})\b",
    re.IGNORECASE,
)
_NUMBER = rf"\d+|{'|'.join(_NTH)}"
_WORD = (
    r"(?!(?:that|it|and|is|are|you|I|to|be|the|now|please|no|not|of|know|place|put|down|in|by|come|comes|becomes|at|as"
    r"|from|well|has|have|means|but|what|which|who|so|also|should|us|let|out|off|instead|everything|question|my"
    r"|\d+)\b)[\w'-]+"
)
_ITEM = rf"{_WORD}(?: {_WORD}){{0,2}}"
_TOKENS = {
    "NOUN": rf"(?:{'|'.join(_PLURALS)})",
    "NOUNS": rf"(?:{'|'.join(_PLURALS.values())})",
    "K": rf"(?P<k>{_NUMBER})",
    "J": rf"(?P<j>{_NUMBER})",
    "X": rf"(?:the )?(?P<x>{_ITEM})",
    "Y": rf"(?:the )?(?P<y>{_ITEM})",
    "THERE": r"(?:(?P<end>at the (?:very )?(?:start|end|beginning|head|bottom)|(?:as the )?(?:first|last)(?: of all)?"
    r"|in (?:first|last) place|behind all others)"
    rf"|(?:right|straight|directly|immediately|just) (?P<side>after|before|behind) (?:the )?(?P<y>{_ITEM}))",
}
"""What stands for numbers, items and places in a clause; of the name of its list, `_plain` leaves LIST or nothing."""


def _forms(*forms: str) -> list[re.Pattern[str]]:
    """Patterns; POS stands for both ways to name a place by its number, AND for the other one beside it."""
    tokens = "|".join(_TOKENS)
    ways = ((("POS", "NOUN (?:number )?K"), ("AND", "NOUN J")), (("POS", "the K NOUN"), ("AND", "the J(?: NOUN)?")))
    both = [
        form.replace(*position).replace(*other)
        for form in forms
        for position, other in (ways if "POS" in form else ways[:1])
    ]
    return [
        re.compile(re.sub(rf"\b(?:{tokens})\b", lambda token: _TOKENS[token[0]], form), re.IGNORECASE) for form in both
    ]


def _match(forms: list[re.Pattern[str]], clause: str) -> re.Match[str] | None:
    return next(filter(None, (form.fullmatch(clause) for form in forms)), None)


_JOINT = re.compile(
    r" (?:then|and then|followed by|after that|and next|before|and afterwards|and thereafter|and right after it) "
)
_WHOLE = _forms(
    "(?:LIST (?:has|goes|reads|runs|consists of|is made up of|holds|lists)|(?:in this order )?come|the NOUNS are"
    " in order"
    "|in order LIST has|the order is|we (?:have|put)|there are|you will find|(?:in order )?the NOUNS are"
    "|as NOUNS LIST has|they (?:chose|want)) (?P<all>.+)",
    "it is (?P<all>(?:(?!that ).)+) that LIST has",
    "LIST consists (?P<all>.+)",
)
_PLACED = _forms(
    "POS (?:is|will be|becomes) X",
    "as POS LIST has X",
    "LIST has X as POS",
    "place K belongs to X",
    "X (?:is|was chosen as) POS",
    "(?:we have|they chose|you will find) X as POS",
    "(?:we )?put X down as POS",
    "it is X that is POS",
    "for POS we have X",
)

_BEHIND_QUESTION = re.compile(r"(?: to me| if you can| is what I want to know| is my question)$")
_WITH_COUNT = re.compile(
    r" (?:and how many there are|and the number of its \w+|(?:and|along with) their number|with a count|and the"
    r" sum of them)"
)
_ALL = _forms(
    "(?:all NOUNS|all LIST|everything|every NOUN|all that is|(?:what|which) NOUNS (?:there are|LIST has)) in order",
    "(?:every NOUN|the NOUNS|all NOUNS|what LIST has) from (?:the )?first to (?:the )?last",
    "LIST from (?:start|beginning) to end",
    "the NOUNS one after the other",
    "the NOUNS in (?:their|the right) order",
    "all LIST NOUN by NOUN",
    "each NOUN in turn",
)
_COUNT = _forms(
    "the (?:total )?(?:number|count) of NOUNS",
    "how many NOUNS (?:LIST (?:has|consists of|consists)|there are(?: in all)?|are|we have|one finds|belong|make"
    " up LIST)",
    "what number of NOUNS LIST has",
    "the length in NOUNS",
)
_LAST = _forms(
    "the (?:very )?(?:last|final) NOUN",
    "the NOUN at the end",
    "(?:which NOUN|what) (?:comes|is)(?: the)? last(?: NOUN)?",
    "what is the last NOUN",
    "what the last NOUN is",
    "which NOUN ends LIST",
    "with which NOUN LIST ends",
    "what LIST (?:ends with|has at its end)",
    "what closes LIST",
)
_AT = _forms(
    "POS",
    "what (?:is )?POS(?: is)?",
    "which NOUN is (?:number )?K",
    "which NOUN is the K",
    "what has place K",
    "the NOUN (?:at place|with number|that is number) K",
    "what (?:comes|we have|LIST has) as POS",
    "what LIST has as its K NOUN",
    "which NOUN LIST has as number K",
)
_AFTER = _forms(
    "(?:what|which NOUN) (?:(?:comes|is|LIST has|one finds) (?:right |next )?after|(?:immediately )?follows"
    "|stands behind) X",
    "what LIST has right after X",
    "the NOUN (?:right )?after X",
    "the NOUN that (?:follows|comes after) X",
    "the next NOUN behind X",
)
_BEFORE = _forms(
    "(?:what|which NOUN) (?:(?:comes|is|LIST has|one finds) (?:right )?before|(?:immediately )?precedes|stands"
    " in front of"
    "|leads up to) X",
    "the NOUN (?:right )?(?:before|ahead of) X",
    "the NOUN that (?:precedes|comes before) X",
)
_PLACE = _forms(
    "the (?:place|position) of X",
    "(?:at|in) (?:what|which) place X (?:comes|is)",
    "(?:which|what) (?:place|number) X (?:has|is|takes)",
    "the number that X has",
    "what the place of X is",
    "what place is that of X",
    "where X stands",
)

_LEAD = re.compile(
    r"\b(?:that|but|and|to|you|us|should|please|better|by now|from now on|rule|know|in truth|again|I) ", re.IGNORECASE
)
"""The last word of what leads in to a clause within a sentence, such as "it seems that"."""
_CLOSING = re.compile(r"(?: now| if you can| please| as well|, to be exact)*[,.:;?!]*$")
Items = tuple[str, ...]


def _number(told: str) -> int:
    """Which place is meant, from 1."""
    return int(told) if told.isdigit() else _NTH.index(told.lower()) + 1


def _set(items: Items, place: int, item: str) -> Items:
    """Gives a place that is there to an item."""
    return (*items[: place - 1], item, *items[place:]) if 0 < place <= len(items) else items


def _set_one(items: Items, told: re.Match[str]) -> Items:
    return _set(items, _number(told["k"]), told["x"])


def _set_two(items: Items, told: re.Match[str]) -> Items:
    return _set(_set_one(items, told), _number(told["j"]), told["y"])


def _exchange(items: Items, told: re.Match[str]) -> Items:
    return tuple(told["x"] if item == told["y"] else item for item in items)


def _bring(items: Items, told: re.Match[str]) -> Items:
    """Puts an item, a new one or one from elsewhere on the list, where it is to be."""
    rest = tuple(item for item in items if item != told["x"])
    if told["end"]:
        at = 0 if re.search("start|first|beginning|head", told["end"], re.IGNORECASE) else len(rest)
    elif told["y"] in rest:
        at = rest.index(told["y"]) + (told["side"].lower() != "before")
    else:
        return items
    return (*rest[:at], told["x"], *rest[at:])


def _leave_out(items: Items, told: re.Match[str]) -> Items:
    return tuple(item for item in items if item != told["y"])


def _cut_behind_place(items: Items, told: re.Match[str]) -> Items:
    return items[: _number(told["k"])]


def _cut_behind_item(items: Items, told: re.Match[str]) -> Items:
    return items[: items.index(told["y"]) + 1] if told["y"] in items else items


_EDITS: list[tuple[list[re.Pattern[str]], Callable[[Items, re.Match[str]], Items]]] = [
    (
        _forms(
            "POS (?:is|will be) X (?:and|while|whereas) AND (?:is|will be) Y",
            "X is POS and Y is AND",
            "as POS LIST has X and as AND Y",
            "place K belongs to X and place J to Y",
            "(?:have|LIST has) X as NOUN K and Y as NOUN J",
            "(?:make|call|let) X (?:be )?POS and Y AND",
            "put X at place K and Y at place J",
            "put X down as POS and Y down as AND",
            "let POS be X and AND be Y",
            "(?:set|change) POS to X and AND to Y",
            "turn POS into X and AND into Y",
            "make POS X and AND Y",
        ),
        _set_two,
    ),
    (
        _forms(
            "LIST (?:ends|stops short|must end) after NOUN K",
            "(?:let )?(?:end )?LIST (?:end )?after NOUN K",
            "(?:we )?(?:keep )?only (?:the first )?K NOUNS(?: stay| are allowed)?",
            "there is room for only K NOUNS",
            "at most K NOUNS are allowed",
            "LIST (?:has no|cannot have) more than K NOUNS",
            "keep no more than K NOUNS",
            "NOUN K (?:is|has to be) the last(?: NOUN)?",
            "(?:nothing comes|everything|cut LIST off|(?:remove|drop|delete|leave out) (?:all NOUNS|everything))"
            " after NOUN K(?: is dropped)?",
            "(?:shorten|limit|reduce) LIST to (?:its|the) first K NOUNS",
        ),
        _cut_behind_place,
    ),
    (
        _forms(
            "(?:nothing comes|everything|cut LIST off|(?:remove|drop|delete|leave out) everything) after Y(?: is"
            " dropped)?",
            "let LIST be over after Y",
            "Y has to be the last NOUN",
            "(?:let )?(?:end )?LIST (?:has to )?(?:end )?with Y",
        ),
        _cut_behind_item,
    ),
    (
        _forms(
            "(?:let )?X (?:takes?|replaces?|stands in for|stand in for|comes instead of)(?: the place of)? Y",
            "(?:it is|we have|LIST has) X (?:instead of|that was meant by) Y",
            "instead of Y LIST has X",
            "Y (?:gives way to|is replaced by|becomes|means|stands for|is short for) X",
            "there is X where Y was",
            "POS is not Y but X",
            "POS changes from Y to X",
            "replace Y by X",
            "(?:swap|exchange) Y for X",
            "substitute X for Y",
            "put X (?:in place of|where) Y(?: is)?",
            "(?:take|use|write|have) X (?:instead of|rather than) Y",
            "turn Y into X",
            "give the place of Y to X",
            "(?:by|with|when I say) Y I mean X",
            "I called X just Y",
            "the full name of Y is X",
        ),
        _exchange,
    ),
    (
        [
            *_PLACED,
            *_forms(
                "(?:change|set) POS (?:from Y )?to X",
                "make X POS instead of Y",
                "make POS X",
                "let POS be X",
            ),
        ],
        _set_one,
    ),
    (
        _forms(
            "(?:let )?LIST (?:goes without|no longer has|has to do without|do without|can spare|does not have|is"
            " without"
            "|has lost) Y",
            "LIST leaves Y out",
            "there is no place for Y",
            "(?:they |we )?(?:remove|drop|strike|delete|do not keep|no longer keep|take|cross|cut|erase|get|skip"
            "|omit|clear"
            "|cancel|leave out|do without|took|dropped|removed|can do without|have to do without) Y",
            "(?:leave|throw|take) Y out",
            "let Y disappear",
            "have Y removed",
            "rid LIST of Y",
            "nobody wants Y",
            "Y (?:is (?:out|gone|no longer there)|falls away|was removed|has been (?:dropped|crossed off)"
            "|does not come any more)",
        ),
        _leave_out,
    ),
    (
        _forms(
            "X (?:comes|comes in|belongs|has its place|is|is to be found|goes|will be|is added|is placed|is new"
            "|was missing"
            "|has been put|(?:has to|should) come|is moved so that it comes) THERE",
            "THERE (?:comes|we have) X",
            "it is THERE that X comes",
            "the place (?:of|for) X is THERE",
            "LIST (?:has|needs|gets|also has|now has) X THERE",
            "there (?:is|has to be|is also) X THERE",
            "(?:you find|we have|they (?:put|added)) X THERE",
            "(?:move|shift|change the place of) X (?:so that it comes |to come |until it comes )?THERE",
            "(?:put|have|add|insert|include|place|write|enter|squeeze|fit) X (?:down |in |as well )?THERE",
            "(?:let|make|have) X (?:come|be|join LIST|join) THERE",
            "(?:let )?(?:LIST )have X THERE",
            "let X join LIST THERE",
            "(?:see to it|(?:arrange|reorder) LIST so) that X comes THERE",
            "rearrange LIST and put X THERE",
            "take X and put it THERE",
            "(?:bring|give) X (?:to )?the place THERE",
            "extend LIST X THERE",
            "extend LIST by X THERE",
            "make room for X THERE",
        ),
        _bring,
    ),
]
_READ_OUT = "read out"  # among the rules: the lists of which all is asked


class ListEditing(Listener):
    """Facts are lists, by name, with their items in order. Keys are "stop 2", "last stop", "number of stops", "after
    Rome", "before Rome" and "place of Rome"; rules tell of which list each was asked. A list that is read out is asked
    for as far as it ever reaches."""

    task_type = "list_editing"
    skips_absent = True  # only what a list came to reach later, and no longer does; see `faults`

    def understand(self, prompt: str) -> State:
        placed: dict[str, dict[int, str]] = {}
        asked: list[tuple[str, str]] = []
        for clause in re.split(r"(?<=[.;,:?]) ", prompt):
            name, plain = _plain(clause.rstrip(".;,:?"))
            if not name:
                continue  # "tell me", "as far as I know"
            told = next(filter(None, map(_told, _from_lead(plain))), {})
            if name and told:
                placed.setdefault(name, {}).update(told)
            else:
                asked.append((name, plain))
        facts = {name: tuple(told[place] for place in sorted(told)) for name, told in placed.items()}
        gaps = [name for name, told in placed.items() if sorted(told) != [*range(1, len(told) + 1)]]
        if gaps or not asked or not all(name in facts for name, _ in asked):
            raise NotUnderstood(f"it asks {asked} of {facts}, and does not tell all of {gaps}.")
        rules: dict[str, object] = {}
        for name, question in asked:
            rules.update(dict.fromkeys(_keys(question, name, len(facts[name])), name))
        read_out = {name for name, question in asked if _understood(question)[0] == "all"}
        return State(facts, tuple(rules), {**rules, _READ_OUT: read_out})

    def apply(self, state: State, text: str) -> State:
        for part in re.split(r"(?<=[,:;.?!]) ", text):
            name, plain = _plain(_CLOSING.sub("", re.sub("^from now on ", "", part, flags=re.IGNORECASE)))
            if name not in state.facts:
                continue
            for clause in _from_lead(plain):
                for forms, edit in _EDITS:
                    told = _match(forms, clause)
                    if told:
                        return _grown(state, name, edit(state.facts[name], told))
        return state

    def value(self, state: State, key: str) -> str:
        place = re.fullmatch(r"(?P<noun>\w+) (?P<k>\d+)", key)
        last = re.fullmatch(r"last (?P<noun>\w+)", key)
        count = re.fullmatch(r"number of (?P<nouns>\w+)", key)
        beside = re.fullmatch(r"(?P<what>after|before|place of) (?P<item>.+)", key)
        if place:
            return _at(_called(state, place["noun"]), int(place["k"]))
        if last:
            items = _called(state, last["noun"])
            return _at(items, len(items))
        if count:
            nouns = {plural: noun for noun, plural in _PLURALS.items()}
            return str(len(_called(state, nouns.get(count["nouns"], ""))))
        items = state.facts.get(state.rules.get(key, ""), ())
        if not beside or beside["item"] not in items:
            return NONE
        at = items.index(beside["item"]) + 1
        return str(at) if beside["what"] == "place of" else _at(items, at + (1 if beside["what"] == "after" else -1))

    def may_say(self, state: State, key: str) -> bool:
        return key in state.questions

    def faults(self, conversation: Conversation) -> list[str]:
        """What was asked for and, now that it is not there, was left unsaid; and an end before the stop."""
        found = []
        said = {claim.key for claim in self.read(conversation.text)}
        first, last = conversation.states[0], conversation.states[-1]
        if conversation.stopped < 0:
            found = [
                f"{key} was asked for and never denied."
                for key in first.questions
                if key not in said and self.value(last, key) == NONE
            ]
        if conversation.endless and not 0 <= conversation.stopped <= conversation.text.find("<eos>"):
            found.append("The text ends before the stop.")
        return found


def _plain(clause: str) -> tuple[str, str]:
    """The list that a clause is about, and the clause without its name: "put Paris first on the tour" is "put Paris
    first", and "the whole tour" is "all LIST"."""
    named = _LIST.search(clause)
    name = named["list"].lower() if named else ""

    def short(match: re.Match[str]) -> str:
        return "" if match["where"] else "all LIST" if match["all"] else "LIST"

    return name, _LIST.sub(short, clause).strip()


def _told(plain: str) -> dict[int, str]:
    """The items that a clause of the prompt tells, by their places."""
    one, whole = _match(_PLACED, plain), _match(_WHOLE, plain)
    if whole and _JOINT.search(whole["all"]):
        items = _JOINT.split(whole["all"])
        return {place: item.removeprefix("the ") for place, item in enumerate(items, 1)}
    return {_number(one["k"]): one["x"]} if one else {}


def _from_lead(plain: str) -> list[str]:
    """A clause, and what is left of it behind each word that may end a lead-in."""
    plain = plain.removeprefix("and ").removeprefix("as far as I know ")
    return [plain, *(plain[lead.end() :] for lead in _LEAD.finditer(plain))]


def _understood(plain: str) -> tuple[str, re.Match[str] | None]:
    """What is asked, behind whatever leads in to it: "" if that is not clear."""
    question = _BEHIND_QUESTION.sub("", plain)
    for start in [0, *(space.end() for space in re.finditer(" ", question))]:
        rest = question[start:]
        if _match(_ALL, _WITH_COUNT.sub("", rest)):
            return "all", None
        for what, forms in _KINDS:
            told = _match(forms, rest)
            if told:
                return what, told
    return "", None


_KINDS = (
    ("count", _COUNT),
    ("last", _LAST),
    ("at", _AT),
    ("after", _AFTER),
    ("before", _BEFORE),
    ("place of", _PLACE),
)


def _keys(plain: str, name: str, length: int) -> list[str]:
    """
    The keys of what is asked of a list.

    Raises:
        NotUnderstood: The question makes no sense.
    """
    (what, told), noun = _understood(plain), _CALLED[name]
    count = [f"number of {_PLURALS[noun]}"]
    if what == "all":
        return [f"{noun} {place}" for place in range(1, length + 1)] + count * bool(_WITH_COUNT.search(plain))
    if what == "count":
        return count
    if what == "last":
        return [f"last {noun}"]
    if told and what == "at":
        return [f"{noun} {_number(told['k'])}"]
    if told:
        return [f"{what} {told['x']}"]
    raise NotUnderstood(f"{plain!r} is no question.")


def _grown(state: State, name: str, items: Items) -> State:
    """The state with another list, of which further places are asked for if it is read out."""
    more = [f"{_CALLED[name]} {place}" for place in range(1, len(items) + 1)] if name in state.rules[_READ_OUT] else []
    questions = tuple(dict.fromkeys([*state.questions, *more]))
    return replace(state, questions=questions).but({name: items})


def _called(state: State, noun: str) -> Items:
    """The list whose items are called so; none if there is none."""
    return next((items for name, items in state.facts.items() if _CALLED[name] == noun), ())


def _at(items: Items, place: int) -> str:
    return items[place - 1] if 0 < place <= len(items) else NONE


LISTENER = ListEditing()
