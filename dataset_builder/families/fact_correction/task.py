"""Fact correction: "The capital of Australia is Sydney. ..." and then "Correction: the capital is Canberra."

A fact is an attribute of a country; its id, and the key of the claim that states it, reads "capital of Australia". A
fact is whatever the prompt says, true or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ...reading import Claim
from ...speech.grammar import upper_first
from ...world import names
from ...world.facts import NONE, Fact, Values
from ...world.scene import Phrase, Scene, Sentence, phrase
from ..base import ORDINALS, Family, clauses, in_every_order, word_prompt
from .reader import read
from .wordings import (
    ASK_MANY,
    ASK_MANY_UNSEEN,
    ASK_ONE,
    BEFORE,
    BEHIND,
    CORRECTIONS,
    INTROS,
    JOINTS,
    SHORT_CORRECTIONS,
    TELL,
    TOLD,
    TOLD_OTHERWISE,
    TOLD_UNSEEN,
    TOLD_VALUE_FIRST,
)


if TYPE_CHECKING:
    from ...config import BuilderConfig


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
_TYPES = {"person": "name", "city": "place", "river": "place", "peak": "place"}  # others are texts
_PREFIXES = ("North", "South", "East", "West", "New", "Old", "Upper", "Lower")
_BODIES = ("the {a} of {e} is {the}{v}", "{e}'s {a} is {the}{v}")
_OPENERS = ("Sure.", "Let's see.", "Of course.", "Gladly.", "Here is what I know.")
_CLOSERS = ("That is all.", "That's it.", "That is what I know.", "There is no more to say.")
_REPAIRS = in_every_order(("wait,", "sorry,", "no,", "hold on,", "correction:", "scratch that,"))


def _word(template: str, attribute: str, entity: str, value: str, **others: str) -> str:
    article = ATTRIBUTES[attribute].article
    return template.format(a=attribute, e=entity, v=value, the=article, The=article.capitalize(), **others)


def _common(attribute: str) -> tuple[str, ...]:
    """The wordings of answers that all attributes share."""
    return _COMMON if _may_open(attribute) else _COMMON[:-1]


def _may_open(attribute: str) -> bool:
    """Whether its values may open a sentence: a word that is written small does not."""
    kind, article, _ = ATTRIBUTES[attribute]
    return bool(article) or kind not in ("export", "sport", "dish")


class FactCorrection(Family):
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
        if len(facts) > 1 and config.kinds.get("addition") and rng.random() < 0.15:
            facts[rng.choice(list(facts))] = NONE
        prompt = word_prompt(lambda: self._prompt(rng, facts, pairs, asked, config), accepts)
        if prompt is None:
            return None
        opening, sentences, closing = self._sentences(rng, asked)
        return Scene(
            prompt=prompt,
            facts={name: self._fact(name, value) for name, value in facts.items()},
            rules={},
            sentences=sentences,
            bodies={
                f"{attribute} of {entity}": self._state(rng.choice(_BODIES), attribute, entity)[1]
                for attribute, entity in asked
            },
            mentions={},
            absences={name: f"the {name} is not known{{!{name}}}" for name in facts},
            repairs=rng.choice(_REPAIRS),
            questions=[f"{attribute} of {entity}" for attribute, entity in asked],
            opening=opening,
            closing=closing,
        )

    def _fact(self, name: str, value: str) -> Fact:
        kind = ATTRIBUTES[name.partition(" of ")[0]].kind
        kinds = ("correction", "invalidation", "addition") + ("refinement",) * (kind in _TYPES)
        return Fact(value, _TYPES.get(kind, "text"), kinds)

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
        self,
        rng: Random,
        facts: Mapping[str, str],
        pairs: Sequence[tuple[str, str]],
        asked: Sequence[tuple[str, str]],
        config: BuilderConfig,
    ) -> str:
        same = rng.random() if rng.random() < 0.6 else None
        told = []
        for attribute, entity in rng.sample(pairs, len(pairs)):
            value = facts[f"{attribute} of {entity}"]
            if value == NONE:
                continue
            told.append(self._told(rng, attribute, entity, value, same, config))
        mark = rng.choice((".", ".", ".", ";", ","))
        if mark != "." and len(told) > 1:
            told[-1] = f"and {told[-1]}"
        head, between = [*(f"{fact}{mark}" for fact in told[:-1]), f"{told[-1]}."], []
        if not config.paraphrase:
            head[:0] = [rng.choice(INTROS)] if rng.random() < 0.2 else []
            between = [rng.choice(JOINTS)] if rng.random() < 0.15 else []
        if len(asked) == 1:
            attribute, entity = asked[0]
            ask = [ASK_ONE.draw(rng, config).format(a=attribute, e=entity)]
        else:
            intro, item = rng.choice(ASK_MANY_UNSEEN if config.paraphrase else ASK_MANY)
            stop = rng.choice((";", ";", ",")) if intro else rng.choice((";", ".", "."))
            items = [
                item.format(n=number + 1, ordinal=ORDINALS[number], a=attribute, e=entity)
                for number, (attribute, entity) in enumerate(asked)
            ]
            ask = [f"{intro} {items[0]}".strip() + stop, *(f"{item}{stop}" for item in items[1:])]
            ask[-1] = ask[-1][:-1] + "."
        return clauses(*head, *between, *ask) if rng.random() < 0.75 else clauses(*ask, *head)

    def _told(
        self, rng: Random, attribute: str, entity: str, value: str, same: float | None, config: BuilderConfig
    ) -> str:
        """A clause of a prompt; `same` picks the same wording for each fact."""
        choice = rng.random() if same is None else same
        if config.paraphrase:
            return _word(TOLD_UNSEEN[int(choice * len(TOLD_UNSEEN))], attribute, entity, value)
        plain = TOLD_VALUE_FIRST + TOLD if _may_open(attribute) else TOLD
        number = int(choice * (len(plain) + len(TOLD_OTHERWISE)))
        if number >= len(plain):
            return _word(TOLD_OTHERWISE[number - len(plain)], attribute, entity, value)
        filler, told = rng.random(), _word(plain[number], attribute, entity, value)
        if filler < 0.1:
            return rng.choice(BEFORE) + told
        return told + rng.choice(BEHIND) if filler < 0.2 else told

    def _sentences(
        self, rng: Random, asked: Sequence[tuple[str, str]]
    ) -> tuple[Phrase | None, list[Sentence], Phrase | None]:
        opening = phrase(rng.choice(_OPENERS)) if rng.random() < 0.15 else None
        closing = phrase(rng.choice(_CLOSERS)) if rng.random() < 0.1 else None
        numbered = len(asked) > 1 and rng.random() < 0.1
        sentences = []
        for number, (attribute, entity) in enumerate(asked):
            own = ATTRIBUTES[attribute].wordings
            wording = rng.choice(own if rng.random() < 0.35 else _common(attribute))
            before = [f"{number + 1})"] if numbered else []
            key, text = self._state(wording, attribute, entity)
            absent = phrase(*before, (key, f"The {key} is not known{{!{key}}}"), ".")
            sentences.append(Sentence(phrase(*before, (key, text), "."), key, absent))
        return opening, sentences, closing

    def new_value(
        self,
        rng: Random,
        kind: str,
        scene: Scene,
        values: Values,
        fact: str,
        past: Sequence[str],
        config: BuilderConfig,
    ) -> str | None:
        attribute, _, entity = fact.partition(" of ")
        if kind == "invalidation":
            return NONE
        if kind == "refinement":
            old = values[fact]
            person = ATTRIBUTES[attribute].kind == "person"
            return None if " " in old else f"{rng.choice(names.FIRST_NAMES if person else _PREFIXES)} {old}"
        return self._value(rng, attribute, [*past, *values.values(), entity], config)

    def word(self, rng: Random, kind: str, scene: Scene, fact: str, old: str, new: str, config: BuilderConfig) -> str:
        attribute, _, entity = fact.partition(" of ")
        if kind != "correction" or rng.random() < 0.3:
            return super().word(rng, kind, scene, fact, old, new, config)
        alone = sum(other.startswith(f"{attribute} of ") for other in scene.facts) == 1
        if alone and not config.paraphrase and rng.random() < 0.15:
            template = rng.choice(SHORT_CORRECTIONS)
        else:
            template = CORRECTIONS.draw(rng, config)
        return upper_first(_word(template, attribute, entity, new, old=old))

    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        attribute, _, entity = fact.partition(" of ")
        return _word(TELL.draw(rng, config), attribute, entity, value)

    def noun(self, scene: Scene, fact: str) -> str:
        return f"the {fact}"

    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        attribute = rng.choice(list(ATTRIBUTES))
        entity = names.draw(rng, "country", novel=config.novel_values, made_up=config.made_up)
        while any(fact.endswith(f" of {entity}") for fact in scene.facts):
            entity = names.draw(rng, "country", novel=config.novel_values, made_up=config.made_up)
        fact, value = f"{attribute} of {entity}", self._value(rng, attribute, [entity], config)
        return self.word(rng, "addition", scene, fact, NONE, value, config)

    def read(self, text: str) -> list[Claim]:
        return read(text)
