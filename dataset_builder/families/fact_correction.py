"""Fact correction: "The capital of Australia is Sydney. ..." and then "Correction: the capital is Canberra."

A fact is an attribute of a country; its id, and the key of the claim that states it, reads "capital of Australia". A
fact is whatever the prompt says, true or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from .. import names
from ..discourse import Phrase, Scene, phrase
from ..reading import Claim, threads
from .base import ORDINALS, clauses


if TYPE_CHECKING:
    from ..config import BuilderConfig


class Attribute(NamedTuple):
    """The kind of its values, the article they take, and wordings of its own beside those that all attributes
    share."""

    kind: str
    article: str
    wordings: tuple[str, ...]


ATTRIBUTES = {
    "capital": Attribute(
        "city", "", ("Letters to the government of {e} go to {v}", "The government of {e} sits in {v}")
    ),
    "largest port": Attribute("city", "", ("Most ships reach {e} through {v}",)),
    "oldest city": Attribute("city", "", ("No city in {e} is older than {v}",)),
    "president": Attribute("person", "", ("Laws in {e} are signed by {v}", "{e} is led by {v}")),
    "founder": Attribute("person", "", ("{e} was founded by {v}",)),
    "longest river": Attribute("river", "the ", ("No river in {e} is longer than the {v}",)),
    "highest peak": Attribute("peak", "", ("No mountain in {e} is higher than {v}", "The top of {e} is {v}")),
    "official language": Attribute("language", "", ("Schools in {e} teach in {v}", "Officials in {e} speak {v}")),
    "currency": Attribute("currency", "the ", ("Shops in {e} take the {v}", "People in {e} pay with the {v}")),
    "main export": Attribute("export", "", ("{e} sells more {v} than anything else", "Most ships leave {e} with {v}")),
    "national bird": Attribute("bird", "the ", ("The coat of arms of {e} shows the {v}",)),
    "national flower": Attribute("flower", "the ", ("Every garden in {e} has the {v}",)),
    "national sport": Attribute("sport", "", ("Children in {e} dream of {v}",)),
    "national dish": Attribute("dish", "", ("Cooks in {e} are proud of their {v}",)),
}
_COMMON = (
    "The {a} of {e} is {the}{v}",
    "The {a} of {e} is {the}{v}",
    "{e}'s {a} is {the}{v}",
    "{e} has {the}{v} as its {a}",
    "{The}{v} is the {a} of {e}",
)
_BODIES = ("the {a} of {e} is {the}{v}", "{e}'s {a} is {the}{v}")
_ASK_ONE = (
    "tell me about the {a} of {e}.",
    "what is the {a} of {e}?",
    "tell me the {a} of {e}.",
    "name the {a} of {e}.",
    "say something about the {a} of {e}.",
    "what do you know about the {a} of {e}?",
    "describe the {a} of {e}.",
    "I would like to hear about the {a} of {e}.",
)
_ASK_MANY = (
    ("tell me,", "{n}) the {a} of {e}"),
    ("tell me", "{n}) the {a} of {e}"),
    ("please name", "({n}) the {a} of {e}"),
    ("report in this order:", "{n}) the {a} of {e}"),
    ("I want to know,", "{ordinal} the {a} of {e}"),
    ("talk about", "{ordinal} the {a} of {e}"),
    ("", "question {n} is about the {a} of {e}"),
    ("", "{ordinal} tell me the {a} of {e}"),
    ("", "name the {a} of {e} {ordinal}"),
    ("tell me about these:", "as number {n} the {a} of {e}"),
)
_OPENERS = ("Sure.", "Let's see.", "Of course.", "Gladly.", "Here is what I know.")
_CLOSERS = ("That is all.", "That's it.", "That is what I know.", "There is no more to say.")
_LEADS = ("wait,", "sorry,", "no,", "hold on,", "correction:", "scratch that,")
_UPDATES = (
    "Correction: the {a} of {e} is {the}{v}.",
    "Correction: the {a} of {e} is {the}{v}, not {the}{old}.",
    "Actually, it's {the}{v} that is the {a} of {e}.",
    "Actually, the {a} of {e} is {the}{v}.",
    "Sorry, {e}'s {a} is {the}{v}.",
    "No, {the}{v} is the {a} of {e}.",
    "Make that {the}{v} for the {a} of {e}.",
    "Wait, {e} has {the}{v} as its {a}.",
    "I was wrong, the {a} of {e} is {the}{v}.",
    "News: {e}'s {a} is now {the}{v}.",
    "The {a} of {e} is {the}{v}, I just heard.",
    "I meant to say that {the}{v} is the {a} of {e}.",
)
_SHORT_UPDATES = ("Correction: the {a} is {the}{v}.", "Actually, the {a} is {the}{v}.", "No, the {a} is {the}{v}.")
"""Where no other country has such a fact."""


def _word(template: str, attribute: str, entity: str, value: str, **others: str) -> str:
    article = ATTRIBUTES[attribute].article
    return template.format(a=attribute, e=entity, v=value, the=article, The=article.capitalize(), **others)


def _common(attribute: str) -> tuple[str, ...]:
    """The wordings that all attributes share; a sentence does not open with a word that is written small."""
    kind, article, _ = ATTRIBUTES[attribute]
    return _COMMON[:-1] if kind in ("export", "sport", "dish") and not article else _COMMON


class FactCorrection:
    name = "fact_correction"

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        wanted = rng.randint(*config.num_facts)
        entities: list[str] = []
        for _ in range(min(wanted, rng.randint(1, 3)) if wanted < len(ATTRIBUTES) else 3):
            entity = names.draw(rng, "country", novel=config.novel_values, made_up=config.made_up)
            if entity not in entities:
                entities.append(entity)
        attributes = rng.sample(list(ATTRIBUTES), rng.randint(min(3, wanted), len(ATTRIBUTES)))
        pairs = [(attribute, entity) for entity in entities for attribute in attributes]
        pairs = rng.sample(pairs, min(wanted, len(pairs)))
        facts: dict[str, str] = {}
        for attribute, entity in pairs:
            facts[f"{attribute} of {entity}"] = self._value(rng, attribute, [*facts.values(), *entities], config)
        asked = rng.sample(pairs, min(rng.randint(*config.num_questions), len(pairs)))
        prompt = self._prompt(rng, facts, pairs, asked)
        if not accepts(prompt):
            return None
        return Scene(
            prompt=prompt,
            facts=facts,
            rules={},
            sentences=self._sentences(rng, asked),
            bodies={
                f"{attribute} of {entity}": self._state(rng.choice(_BODIES), attribute, entity)[1]
                for attribute, entity in asked
            },
            mentions={},
            repairs=[(lead, "") for lead in rng.sample(_LEADS, len(_LEADS))],
            questions=[f"{attribute} of {entity}" for attribute, entity in asked],
        )

    def _value(self, rng: Random, attribute: str, taken: Sequence[str], config: BuilderConfig) -> str:
        kind = ATTRIBUTES[attribute].kind
        for _ in range(50):
            value = names.draw(rng, kind, novel=config.novel_values, made_up=config.made_up)
            if value not in taken:
                break
        return value

    def _state(self, wording: str, attribute: str, entity: str) -> tuple[str, str]:
        key = f"{attribute} of {entity}"
        return key, _word(wording, attribute, entity, f"{{{key}}}")

    def _prompt(
        self, rng: Random, facts: Mapping[str, str], pairs: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]]
    ) -> str:
        same = rng.random() if rng.random() < 0.6 else None
        told = []
        for attribute, entity in rng.sample(pairs, len(pairs)):
            value = facts[f"{attribute} of {entity}"]
            wordings = _common(attribute)
            number = int((rng.random() if same is None else same) * len(wordings))
            told.append(_word(wordings[number], attribute, entity, value))
        mark = rng.choice((".", ".", ".", ";", ","))
        if mark != "." and len(told) > 1:
            told[-1] = f"and {told[-1]}"
        head = clauses(*(f"{fact}{mark}" for fact in told[:-1]), f"{told[-1]}.")
        if mark != ".":
            head = re.sub(r"(?<=[;,] )(and )?The ", r"\1the ", head)
        if len(asked) == 1:
            attribute, entity = asked[0]
            ask = [rng.choice(_ASK_ONE).format(a=attribute, e=entity)]
        else:
            intro, item = rng.choice(_ASK_MANY)
            stop = rng.choice((";", ";", ",")) if intro else rng.choice((";", ".", "."))
            items = [
                item.format(n=number + 1, ordinal=ORDINALS[number], a=attribute, e=entity)
                for number, (attribute, entity) in enumerate(asked)
            ]
            ask = [f"{intro} {items[0]}".strip() + stop, *(f"{item}{stop}" for item in items[1:])]
            ask[-1] = ask[-1][:-1] + "."
        return clauses(head, *ask) if rng.random() < 0.75 else clauses(*ask, head)

    def _sentences(self, rng: Random, asked: Sequence[tuple[str, str]]) -> list[Phrase]:
        sentences = [phrase(rng.choice(_OPENERS))] if rng.random() < 0.15 else []
        numbered = len(asked) > 1 and rng.random() < 0.1
        for number, (attribute, entity) in enumerate(asked):
            own = ATTRIBUTES[attribute].wordings
            wording = rng.choice(own if rng.random() < 0.35 else _common(attribute))
            before = [f"{number + 1})"] if numbered else []
            sentence = self._state(wording, attribute, entity)
            sentences.append(phrase(*before, sentence, "."))
        if rng.random() < 0.1:
            sentences.append(phrase(rng.choice(_CLOSERS)))
        return sentences

    def new_value(
        self,
        rng: Random,
        scene: Scene,
        values: Mapping[str, str],
        fact: str,
        past: Sequence[str],
        config: BuilderConfig,
    ) -> str:
        attribute, _, entity = fact.partition(" of ")
        return self._value(rng, attribute, [*past, *values.values(), entity], config)

    def word_update(self, rng: Random, scene: Scene, fact: str, old: str, new: str) -> str:
        attribute, _, entity = fact.partition(" of ")
        alone = sum(other.startswith(f"{attribute} of ") for other in scene.facts) == 1
        wordings = _SHORT_UPDATES if alone and rng.random() < 0.15 else _UPDATES
        text = _word(rng.choice(wordings), attribute, entity, new, old=old)
        return text[0].upper() + text[1:]

    def read(self, text: str) -> list[Claim]:
        return read(text)


_NOUN = (
    r"(?P<noun>capital|largest port|oldest city|president|founder|longest river|highest peak|official language"
    r"|currency|main export|national (?:bird|flower|sport|dish))"
)
_WHO = r"(?P<who>[A-Z][\w-]*(?: [A-Z][\w-]*)*)"
_NO_VALUE = r"(?!(?:[Ww]h(?:at|o|ich)|[Ii]ts?|[Tt]h(?:at|is|e|eir)|an?|now)\b)"
_VALUE = rf"{_NO_VALUE}(?P<what>[a-z0-9][\w-]*|[A-Z][\w-]*(?: [A-Z][\w-]*)*)"
_WHAT = rf"(?:the )?{_VALUE}(?![\w'-])"
_SHARED_FORMS = [
    rf"\bthe {_NOUN} of {_WHO} is (?:now )?{_WHAT}",
    rf"(?<!of )\b{_WHO}'s {_NOUN} is (?:now )?{_WHAT}",
    rf"(?:\bthe )?(?<![\w'-]){_VALUE} is the {_NOUN} of {_WHO}(?![\w'])",
    rf"\b{_WHO} has {_WHAT} as its {_NOUN}",
]
_OWN_FORMS = {
    "capital": ["letters to the government of WHO go to WHAT", "the government of WHO sits in WHAT"],
    "largest port": ["most ships reach WHO through WHAT"],
    "oldest city": ["no city in WHO is older than WHAT"],
    "president": ["laws in WHO are signed by WHAT", "WHO is led by WHAT"],
    "founder": ["WHO was founded by WHAT"],
    "longest river": ["no river in WHO is longer than WHAT"],
    "highest peak": ["no mountain in WHO is higher than WHAT", "the top of WHO is WHAT"],
    "official language": ["schools in WHO teach in WHAT", "officials in WHO speak WHAT"],
    "currency": ["shops in WHO take WHAT", "people in WHO pay with WHAT"],
    "main export": ["WHO sells more WHAT than anything else", "most ships leave WHO with WHAT"],
    "national bird": ["the coat of arms of WHO shows WHAT"],
    "national flower": ["every garden in WHO has WHAT"],
    "national sport": ["children in WHO dream of WHAT"],
    "national dish": ["cooks in WHO are proud of their WHAT"],
}


def _compile(form: str) -> re.Pattern[str]:
    """Any letter that opens a form may be a capital; names must be."""
    form = form.replace("WHO", _WHO).replace("WHAT", _WHAT)
    opening = re.match(r"(?:\(\?:)?(?:\\b)?[a-z]", form)
    if opening:
        at = opening.end() - 1
        form = f"{form[:at]}[{form[at]}{form[at].upper()}]{form[at + 1 :]}"
    return re.compile(form)


_FORMS = [(_compile(form), "") for form in _SHARED_FORMS] + [
    (_compile(form), noun) for noun, forms in _OWN_FORMS.items() for form in forms
]


def read(text: str) -> list[Claim]:
    """The facts that a text states; a sentence that was cut before its value is no claim."""
    claims = []
    for thread in threads(text):
        for form, noun in _FORMS:
            for match in form.finditer(thread.text):
                key = f"{noun or match['noun']} of {match['who']}"
                claims.append(thread.claim(key, match["what"], match.start(), match.end()))
    return sorted(claims, key=lambda claim: claim.start)
