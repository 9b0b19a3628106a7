"""Spoken self-corrections, by rule: where a speaker breaks off, and what was meant.

`split_at_cue` cuts "In what year um no what city" at the words that announce the repair; `repair` replaces the words
that the rest corrects. Both use only the words of the utterance. Their rules were derived from the train split of
Disfl-QA alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


# Phrases that announce a correction and have hardly any other use.
_PHRASES = (
    r"nope|na+h|naw|no+ no+|wait|(?:hold|hang) (?:on|up)|(?:i[’']?m )?(?:so )?sorry(?: about that)?|(?:my )?apologies|"
    r"i apologi[sz]e|my (?:bad|mistake)|(?:excuse|forgive) me|pardon(?: me)?|oops?|oopsies?|whoops(?:ie)?|"
    r"(?:i|that) (?:actually )?(?:mean|meant)|(?:let[’']?s |let me )?(?:make|swap|change) (?:that|this)(?: to)?|"
    r"(?:scratch|scrap|strike|forget|remove|ignore) (?:that|this|it)|never ?mind|correction|better yet|"
    r"let me (?:rephrase|correct|restate)(?: (?:that|this|myself))?|that[’']?s (?:not (?:it|right)|wrong)|"
    r"not that(?: one)?|(?:dang|darn|damn) ?(?:it)?|dagnabbit|shoot|"
    r"or (?:just )?(?:tell me|like|better|first|really|maybe|perhaps|i (?:guess|think))"
)
# Words that announce one and also have other uses: "no" before a noun, "actually" before a verb.
_WORDS = r"no+(?! (?:longer|one|other|more than|less than)\b)|rather(?! than)|instead(?! of)|act?ual?ly"
_FILLERS = (
    r"u+h+|u+h?m+|h+m+|e+r+m*|e+r+g*h*|a+h+|a+w+|eh+|oh+|u+r*gh+|ar+gh*|oy|oi|a+ck|e+ek|woah|whoa|wow|gosh|je+z|"
    r"gee+z*|holy moly|hey now"
)
# Words that may follow within a cue, and never start one.
_LINKS = (
    r"or|oh|well|like|really|just|first|maybe|and|but|that|i[’']?m|so|ok|okay|yes|yeah|please|make|it|"
    r"i (?:guess|think|believe)|not this|to (?:say|ask|know)|what i (?:meant|mean|want)(?: is| was)?|"
    r"(?:(?:can|could) you )?tell me|i (?:want|need|wanted|should have|should)(?: to)? (?:know|say|ask|said|asked)|"
    r"i[’']?d like to know|let[’']?s (?:say|go with|try)|let me (?:ask|know|say)|(?:the|my) (?:real )?question is|"
    r"(?:that|it) (?:should be|was|is)|it[’']?s|they[’']?re|trying"
)
_ASKING = "what|who|whom|whose|which|when|where|why|how"
_GAP, _START, _END = r"[^\w’'#]+", r"(?<![\w’'])", r"(?![\w’'])"
_SIGNAL = f"(?:{_PHRASES}|{_WORDS}|{_FILLERS}){_END}"


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(_START + pattern, re.IGNORECASE)


_CUE = _compile(
    rf"(?:(?:or|and|but|well){_GAP}){{0,3}}{_SIGNAL}"
    rf"(?:{_GAP}(?:{_SIGNAL}|(?:{_LINKS}){_END}|the(?={_GAP}{_SIGNAL})))*"
)
_PHRASE, _WORD, _FILLER = (_compile(f"(?:{kind}){_END}") for kind in (_PHRASES, _WORDS, _FILLERS))
_OR = _compile(  # "or what ...", "or ... rather?"
    rf"or(?={_GAP}(?:(?:in|to|at|by|for|on|of|from|over) )?(?:{_ASKING}){_END}|.*\b(?:rather|instead)\W*$)"
)
_AUXILIARIES = (
    "is are was were am be been do does did has have had can could will would shall should may might must cannot "
    "can't isn't aren't wasn't weren't don't doesn't didn't hasn't haven't hadn't couldn't won't wouldn't shouldn't "
    "mustn't not never"
)
# A second question with no cue before it: "Where is When was ...", "What do builders what does digging ...".
_BEGUN = rf"^(?:\w+ )?(?:{_ASKING})\b.*"
_NEW_CAPITAL = re.compile(rf"(?<=[\w,] )(?=(?:(?:In|At|By|For|On|To) )?(?:{_ASKING.title()}){_END})")
_NEW_QUESTION = re.compile(
    rf"(?<=\w )(?<!and )(?<!or )(?<!to )(?<!of )(?<!in )(?<!by )(?<!for )(?<!on )(?<!at )(?<!with )"
    rf"(?=(?:{_ASKING}|how \w+) (?:{'|'.join(_AUXILIARIES.split()[:19])}|type|kind|year|percentage)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Split:
    """
    An utterance, cut where its speaker breaks off.

    Args:
        prompt (`str`): the words up to the cue.
        update (`str`): the rest, from the cue on; `f"{prompt} {update}"` is the utterance with single spaces.
    """

    prompt: str
    update: str


def split_at_cue(text: str) -> Split | None:
    """
    Cuts an utterance at its repair cue.

    If several cues occur, the first of the most reliable kind counts: a phrase ("scratch that", "I mean"), a word with
    other uses ("no", "actually"), a hesitation ("um"), "or" before a new question, and last a new question without a
    cue. At least one word stands before the cue, and one after it.

    Args:
        text (`str`): the utterance.

    Returns:
        `Split`, or `None` if there is no cue.
    """
    text = " ".join(text.split())
    best, start = 0, -1
    for match in _CUE.finditer(text):
        rank = _RANKS[cue_kind(match.group())] if _is_inside(match) else 0
        if rank > best:
            best, start = rank, match.start()
        if best == _RANKS["phrase"]:
            break
    patterns = [_OR, _NEW_CAPITAL] + [_NEW_QUESTION] * bool(re.match(_BEGUN, text, re.IGNORECASE))
    for pattern in patterns:
        if start < 0:
            start = next((match.start() for match in pattern.finditer(text) if _is_inside(match)), -1)
    return Split(text[:start].rstrip(), text[start:]) if start >= 0 else None


def _is_inside(match: re.Match[str]) -> bool:
    before, after = match.string[: match.start()], match.string[match.end() :]
    return bool(re.search(r"\w\w|\d", before) and re.search(r"\w", after))


_RANKS = {"phrase": 3, "word": 2, "filler": 1}


def find_cue(update: str) -> str:
    """The cue that an update starts with, `""` if it starts with a new question instead."""
    match = _CUE.match(update) or _OR.match(update)
    return match.group() if match else ""


def cue_kind(cue: str) -> str:
    """`"phrase"`, `"word"`, `"filler"`, `"or"`, or `"none"` for a new question with no cue."""
    for kind, pattern in (("phrase", _PHRASE), ("word", _WORD), ("filler", _FILLER)):
        if pattern.search(cue):
            return kind
    return "or" if cue else "none"


_WH = frozenset(_ASKING.split("|")) | {"what's", "who's"}
_AUX = frozenset(_AUXILIARIES.split())
_DET = frozenset(
    "the a an this that these those his her its their our my your some any another each every all both no".split()
)
_PREP = frozenset(
    "in on at by for of to from with within without into onto over under between among during after before against "
    "about through since until till toward towards around across along near behind beyond besides than as per via "
    "upon outside inside despite like due".split()
)
_OTHER = frozenset("and or but while because if so it he she they there".split())
_CLOSED = _WH | _AUX | _DET | _PREP | _OTHER  # words other than names, nouns, verbs and adjectives
_ADDRESS = frozenset("tell let so i i'm please can could".split())  # starts of "Tell me what ..."
_NEGATIONS = ("un", "non", "non-", "in", "im", "dis", "ir")
_TAGS = frozenset("rather instead actually sorry".split())


class _Words:
    """The words of a text, as written and as compared."""

    def __init__(self, text: str):
        self.written = [word for word in text.split() if not _FILLER.fullmatch(word.rstrip(",."))]
        self.plain = [re.sub(r"[^\w'%$-]", "", word.lower().replace("’", "'")) for word in self.written]

    def __len__(self) -> int:
        return len(self.plain)

    def is_name(self, at: int) -> bool:
        return at > 0 and self.written[at][:1].isupper() and self.plain[at] not in _CLOSED

    def is_number(self, at: int) -> bool:
        return any(letter.isdigit() for letter in self.plain[at])

    def last(self, test: Callable[[int], bool]) -> int | None:
        return next((at for at in reversed(range(len(self))) if test(at)), None)

    def first(self, kind: frozenset[str]) -> int | None:
        return next((at for at, word in enumerate(self.plain) if word in kind), None)

    def has(self, kind: frozenset[str], start: int = 0) -> bool:
        return any(word in kind for word in self.plain[start:])


def repair(prompt: str, update: str) -> str:
    """
    The question as meant, by rule: the words after the cue replace those that they correct.

    The cue, hesitations and a closing "rather" are dropped. A new question replaces the one begun. Otherwise the
    replacement starts where the prompt has the repair's first word or one of its kind (a number for a number, a
    preposition for a preposition), or else at the last phrase of the prompt. A second correction within the update is
    applied after the first.

    Args:
        prompt (`str`): the words up to the cue.
        update (`str`): the rest, from the cue on; empty without an update.

    Returns:
        `str`: the prompt itself if the update contains only its cue.
    """
    while update:
        rest = update[len(find_cue(update)) :].strip(" ,;:.-")
        update = ""
        again = split_at_cue(rest)
        if again and cue_kind(find_cue(again.update)) == "phrase":
            rest, update = again.prompt, again.update
        prompt = _replace(prompt, rest)
    return prompt


def _replace(prompt: str, rest: str) -> str:
    """The prompt, corrected by the words `rest`."""
    said, new = _Words(prompt), _Words(rest.rstrip(" ?"))
    if len(new) > 1 and new.plain[-1] in _TAGS:
        new = _Words(" ".join(new.written[:-1]))
    if not len(new):
        return prompt
    start, end = _place(said, new) if len(said) else (0, 0)
    words = " ".join([*said.written[:start], *new.written, *said.written[end:]]).rstrip(",?")
    return words + "?" * rest.endswith("?")


def _place(said: _Words, new: _Words) -> tuple[int, int]:
    """The range of words of `said` that `new` replaces: the first, and the one after the last."""
    asks = new.plain[0] in _WH or (len(new) > 1 and new.plain[0] in _PREP and new.plain[1] in _WH)
    if asks:
        return _place_question(said, new)
    if _is_statement(said, new):
        return 0, len(said)
    return _place_inside(said, new) or (_start_at_end(said, new), len(said))


def _is_statement(said: _Words, new: _Words) -> bool:
    """Whether a question just begun is replaced by a whole one: "What do | plants live on which gas"."""
    begun = said.first(_WH)
    if begun is None or begun > 1 or len(said) > 4 or len(new) < 5 or new.plain[0] in _AUX:
        return False
    phrase = len(said) > 2 and said.plain[2] in _DET and new.plain[0] in _DET
    return not phrase and new.has(_WH - {"when", "why"}, 2)


def _place_question(said: _Words, new: _Words) -> tuple[int, int]:
    """The place of a repair that is a new question."""
    size, all_said = len(new), len(said)
    asked = [at for at, word in enumerate(said.plain) if word in _WH]
    if not asked or said.plain[0] in _ADDRESS:
        return 0, all_said
    if asked[0] > 0 and not (asked[0] == 1 and said.plain[0] in _PREP | {"the"}):
        start = asked[-1]  # after a clause: "Along with mathematics, who | what ..."
        both = new.plain[0] in _PREP and said.plain[start - 1] in _PREP
        return start - both, all_said
    if asked[0] == 1 and new.plain[0] in _WH and (said.plain[1:] == ["which"] or new.plain[:2] == said.plain[1:3]):
        return 1, all_said  # "In which | what ..."
    if size <= 4 and all_said > size + 2 and said.plain[asked[0]] == new.plain[new.plain[0] not in _WH]:
        return 0, size  # "How many Swedes lived there | how many Danes"
    if size <= 3 and all_said > size + 2 and not new.has(_AUX):
        return 0, said.first(_AUX) or all_said
    return 0, all_said


def _place_inside(said: _Words, new: _Words) -> tuple[int, int] | None:
    """The place of a phrase that comes after the whole question: "When did Rome fall | Athens"."""
    size, all_said = len(new), len(said)
    if size > 5 or new.has(_CLOSED - _DET):
        return None
    name = new.written[0][0].isupper()
    numeric = new.is_number(size - 1)
    at = said.last(lambda k: said.plain[k] == new.plain[-1] or (numeric and said.is_number(k)))
    alone = size == 1 and not (numeric and at is not None and at < all_said - 2)
    if at is not None and at < all_said - 1 and not alone and not (name and said.is_name(all_said - 1)):
        start = at - size + 1
        if new.plain[0] in _DET:
            article = said.last(lambda k: said.plain[k] in _DET)
            start = at - size + 2 if article is None or at - article > size + 1 else article
        elif size > 1 and start >= 0 and said.plain[start] in _CLOSED:
            start += 1
        return max(start, 0), at + 1
    if said.plain[-1] in _PREP | {"called", "located", "known"} or (name and not said.is_name(all_said - 1)):
        return _place_subject(said, new)
    return None


def _place_subject(said: _Words, new: _Words) -> tuple[int, int] | None:
    """The words after the auxiliary, as many as there are new ones."""
    size, last = len(new), said.plain[-1]
    if new.written[0][0].isupper():
        at = said.last(said.is_name)
        if at is None:
            return None
        start = at
        while said.is_name(start - 1):
            start -= 1
        after = said.plain[start - 1] in _AUX or (said.plain[start - 1] in _DET and said.plain[start - 2] in _AUX)
        return (start, at + 1) if after or last in _PREP else None
    auxiliary = said.first(_AUX)
    if auxiliary is None or auxiliary + 1 >= len(said):
        return None
    start = auxiliary + 1
    if said.plain[start] in _DET:
        return start, min(start + size + (new.plain[0] not in _DET), len(said) - 1)
    end = start + sum(word not in _DET for word in new.plain)
    return (start, end) if end < len(said) else None


def _start_at_end(said: _Words, new: _Words) -> int:
    """Where the replaced part at the end of the prompt starts."""
    size, head = len(new), new.plain[0]

    def last(kind: frozenset[str]) -> int | None:
        return said.last(lambda at: said.plain[at] in kind)

    if head in _DET and (at := last(_DET)) is not None:
        return _last_phrase(said, new) if said.has(_CLOSED - {"of"}, at + 1) else at
    if head in ("not", "never") and size > 1 and (at := last(frozenset({new.plain[1]}))) is not None:
        return at
    if (at := last(frozenset({head}))) is not None:
        return at
    if new.is_number(0) and (at := said.last(said.is_number)) is not None:
        return at
    if head in _AUX and (at := last(_AUX)) is not None:
        return at
    near = max(0, len(said) - 4)
    alike = [at for at in range(near, len(said)) if said.plain[at] not in _CLOSED and _alike(said.plain[at], head)]
    if alike:
        return alike[-1]
    if head in _PREP and (at := last(_PREP)) is not None:
        return at
    if len(head) > 4 and head.endswith(("ed", "ing")):
        ending = head[-2:]
        at = said.last(lambda k: len(said.plain[k]) > 4 and said.plain[k].endswith(ending))
        if at is not None and at >= len(said) - 3:
            return at
    if size > 1 and new.plain[1] not in _CLOSED:
        at = last(frozenset({new.plain[1]}))
        if at is not None and at > 0 and at >= len(said) - 2:
            return at - (said.plain[at - 1] not in _CLOSED)
    return _last_phrase(said, new)


def _last_phrase(said: _Words, new: _Words) -> int:
    """Start of the last phrase: a whole name, else one word, or two if the repair has more."""
    count = len(said)
    start = count
    while start > 0 and said.plain[start - 1] not in _CLOSED:
        start -= 1
    size = count - start
    if size == 0:  # "is led by | defeated by": the preposition belongs to the word before it
        if said.plain[-1] in _DET and new.plain[0] not in _CLOSED:
            return count
        verb = count > 2 and said.plain[-1] in _PREP and said.plain[-2] not in _CLOSED
        return count - 1 - verb
    if said.is_name(count - 1):
        at = count - 1
        while at > start and said.is_name(at - 1):
            at -= 1
        return at
    if size != 2:
        return count - 1
    if new.written[0][0].isupper():
        return start
    content = next((at for at, word in enumerate(new.plain) if word in _CLOSED), len(new))
    asked = said.plain[start - 1] in _WH
    return start if not said.is_name(count - 2) and (content == 0 or (content > 2 and not asked)) else count - 1


def _alike(word: str, other: str) -> bool:
    """Whether two words share a stem: "can", "can't"; "healthy", "unhealthy"; "study", "studies"."""
    word, other = (text.replace("n't", "") for text in (word, other))
    if word == other or any(word == prefix + other or other == prefix + word for prefix in _NEGATIONS):
        return True
    shared = min(len(word), len(other))
    return shared >= 4 and word[: max(4, shared - 3)] == other[: max(4, shared - 3)]
