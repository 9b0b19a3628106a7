"""Logic redirection: "The bridge is open. If the bridge is open then the mill is busy. ..." and then "Drop the
assumption that the bridge is open."

Premises, and what rules conclude from them, are said of a subject, whose name is the key of the claim: that of "the
bridge is not open" is "bridge", its value "not open". A question that is answered with yes or no has its own: "whether
the mill is busy". A rule that may change is a fact too: "Ada if the mill is busy", with the value "late". What rests
on something that is not known, or has no rule, does not follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from random import Random
from typing import TYPE_CHECKING

from ...reading import Claim
from ...speech.discourse import Speech, Utterance
from ...speech.grammar import Wordings, upper_first
from ...world.facts import NONE, Values
from ...world.scene import Scene, phrase
from ..base import ORDINALS, Family, clauses, word_prompt
from . import wordings as logic_wordings
from .argument import Argument, Step, Subject, Talk, draw_word
from .reader import read


if TYPE_CHECKING:
    from ...config import BuilderConfig


_OPENERS = ("Let's see.", "Let me think.", "Sure.", "All right.", "Step by step.")
_CLOSERS = ("That is all.", "Done.", "That's it.", "This is what follows.")
_LEADS = permutations(("wait,", "sorry,", "no,", "correction:"))  # of one word, so that none is ever cut
_REPAIRS = [tuple(zip(leads, links)) for leads in _LEADS for links in permutations((", so", ", so", ", so", ":"))]


class Arguing(Speech):
    """A premise that a dropped sentence or repair was about to tell is told in the repair that takes its place."""

    _dropped: Sequence[str] = ()
    _pending: Sequence[str] = ()

    def _take_back(
        self, stale: list[str], fresh: list[str], pending: list[str], dropped: Utterance | None, broken: bool
    ) -> None:
        self._dropped, self._pending = dropped.phrase.keys() if dropped else (), pending
        super()._take_back(stale, fresh, pending, dropped, broken)

    def _facts_to_mention(self, keys: Iterable[str], pending: Sequence[str]) -> list[str]:
        facts, told, values = super()._facts_to_mention(keys, pending), self._latest, self.world.values
        lost = [key for key in self._dropped if key not in told or told[key].differs(values)]
        lost += [] if pending else self._pending  # those of a running repair, unless it goes on
        return list(dict.fromkeys(facts + [key for key in lost if key in self.scene.mentions and key not in pending]))


class LogicRedirection(Family):
    name = "logic_redirection"
    speech = Arguing

    def draw(self, rng: Random, config: BuilderConfig, accepts: Callable[[str], bool]) -> Scene | None:
        argument = Argument(rng, config)
        questions: dict[str, Step] = {}
        asked = []
        for step in argument.asked:
            key, text = _question(rng, step, config)
            questions[key] = step
            asked.append(text)
        prompt = word_prompt(lambda: _prompt(rng, argument, asked, config), accepts)
        if prompt is None:
            return None
        talk = Talk(rng, argument, questions)
        return Scene(
            prompt=prompt,
            facts=argument.facts,
            rules=argument.rules(questions),
            sentences=talk.sentences,
            bodies=talk.bodies,
            mentions=talk.mentions,
            absences=talk.absences,
            repairs=rng.choice(_REPAIRS),
            questions=list(questions),
            opening=phrase(rng.choice(_OPENERS)) if rng.random() < 0.15 else None,
            closing=phrase(rng.choice(_CLOSERS)) if rng.random() < 0.1 else None,
        )

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
        """The opposite for a premise; a word that the prompt does not have for a rule."""
        if kind == "invalidation":
            return NONE
        if " if " in fact:
            of = "name" if scene.facts[fact].type == "name" else "quality" if fact.startswith("the ") else "mood"
            value = draw_word(rng, of, set(past), config)
            return None if f" {value}" in scene.prompt else value
        value = scene.absences[fact].partition("{")[0].rpartition(" ")[2]
        return rng.choice((value, f"not {value}")) if values[fact] == NONE else _opposite(values[fact])

    def word(self, rng: Random, kind: str, scene: Scene, fact: str, old: str, new: str, config: BuilderConfig) -> str:
        subject, rule, condition = fact.partition(" if ")
        wordings = logic_wordings.RULE_CHANGES if rule else logic_wordings.CHANGES
        if kind not in wordings or (kind != "constraint" and rng.random() < 0.4):
            return super().word(rng, kind, scene, fact, old, new, config)
        tell = self.tell(rng, scene, fact, new, config) if new != NONE else ""
        if rule:
            was = plain = f"{subject} is {old} if {condition}"
        else:
            was = f"the {fact} is {old}"
            plain = f"the {fact} is {(old if new == NONE else new).removeprefix('not ')}"
        return upper_first(
            wordings[kind]
            .draw(rng, config)
            .format(p=tell, P=upper_first(tell), was=was, Was=upper_first(was), plain=plain)
        )

    def tell(self, rng: Random, scene: Scene, fact: str, value: str, config: BuilderConfig) -> str:
        subject, rule, condition = fact.partition(" if ")
        if rule:
            return logic_wordings.TELL_RULE.draw(rng, config).format(
                c=condition, d=f"{subject} is {value}", s=subject, v=value
            )
        return _premise(logic_wordings.TELL, rng, fact, value, config)

    def noun(self, scene: Scene, fact: str) -> str:
        subject, rule, condition = fact.partition(" if ")
        return f"what it means for {subject} if {condition}" if rule else f"the state of the {fact}"

    def aside(self, rng: Random, scene: Scene, config: BuilderConfig) -> str:
        taken = {*scene.prompt.replace(".", " ").replace(";", " ").split(), *scene.facts}
        thing, value = draw_word(rng, "thing", taken, config), draw_word(rng, "quality", set(), config)
        fact = thing
        if rng.random() < 0.3:
            other, quality = draw_word(rng, "thing", taken, config), draw_word(rng, "quality", set(), config)
            fact = f"the {thing} if the {other} is {quality}"
        return self.word(rng, "addition", scene, fact, NONE, rng.choice((value, f"not {value}")), config)

    def read(self, text: str) -> list[Claim]:
        return read(text)


def _opposite(value: str) -> str:
    return value[4:] if value.startswith("not ") else f"not {value}"


def _premise(wordings: Wordings, rng: Random, fact: str, value: str, config: BuilderConfig) -> str:
    """A clause that tells a premise; some say its opposite is not true."""
    plain = value.removeprefix("not ")
    truth = f"it is {'' if plain == value else 'not '}true that the {fact} is {plain}"
    return wordings.draw(rng, config).format(p=f"the {fact} is {value}", truth=truth, key=fact, v=value)


def _question(rng: Random, step: Step, config: BuilderConfig) -> tuple[str, str]:
    """The key of a claim that answers, and the question."""
    subject = step.subject
    first, second = subject.values
    wordings, key = logic_wordings.ASK_VALUE, subject.key
    if subject.exclusive and not step.fact and rng.random() < 0.7:
        wordings = logic_wordings.ASK_WHETHER
        if rng.random() < 0.4:
            key = f"whether {subject.clause(first)}"
    elif subject.kind == "role":
        wordings = logic_wordings.ASK_NAME
    elif not subject.exclusive and not step.fact and rng.random() < 0.4:
        wordings = logic_wordings.ASK_WHICH
        first, second = rng.sample(subject.values, 2)
    return key, wordings.draw(rng, config).format(s=subject.text, a=first, b=second)


def _rule(
    wordings: Wordings,
    rng: Random,
    config: BuilderConfig,
    subject: Subject,
    condition: str,
    value: str,
    otherwise: str = "",
) -> str:
    return wordings.draw(rng, config).format(
        c=condition, d=subject.clause(value), s=subject.text, v=value, w=otherwise
    )


def _rules(rng: Random, argument: Argument, config: BuilderConfig) -> list[str]:
    """The rules as the prompt tells them."""
    told = []
    for step in argument.steps.values():
        subject, condition = step.subject, step.condition()
        first = argument.facts[step.fact].value if step.fact else step.outcomes[0]
        second = step.outcomes[1]
        if step.together:
            told.append(_rule(logic_wordings.RULE_OTHERWISE, rng, config, subject, condition, first, second))
            continue
        if first != NONE:
            told.append(_rule(logic_wordings.RULE, rng, config, subject, condition, first))
        if second != NONE:
            told.append(_rule(logic_wordings.RULE, rng, config, subject, step.opposite(), second))
    return told


def _prompt(rng: Random, argument: Argument, asked: Sequence[str], config: BuilderConfig) -> str:
    told = [
        _premise(logic_wordings.PREMISE, rng, premise.key, argument.facts[premise.key].value, config)
        for premise in argument.premises
        if argument.facts[premise.key].value != NONE
    ]
    told += _rules(rng, argument, config)
    told.sort(key=lambda _: rng.random())
    mark = rng.choice((".", ".", ".", ";"))
    told = [f"{clause}{mark}" for clause in told[:-1]] + [f"{told[-1]}."]
    if len(asked) == 1:
        ask = [logic_wordings.ASK_ONE.draw(rng, config).format(q=asked[0])]
    else:
        intro, item = rng.choice(logic_wordings.ASK_MANY_UNSEEN if config.paraphrase else logic_wordings.ASK_MANY)
        stop = rng.choice((";", ";", ",")) if intro else rng.choice((";", ".", "."))
        items = [
            item.format(n=number + 1, ordinal=ORDINALS[number], q=question) + stop
            for number, question in enumerate(asked)
        ]
        ask = [f"{intro} {items[0]}".strip(), *items[1:-1], items[-1][:-1] + "."]
    return clauses(*told, *ask) if rng.random() < 0.75 else clauses(*ask, *told)
