"""What a text states, in which version, and which parts are repairs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import NamedTuple

from ..reading import Claim, threads
from ..reading.repairs import Repair, spoken, written
from .listener import Conversation, StatedValue


class Statement(NamedTuple):
    """A claim, the values it states with their places in the whole text, and the version of each of these."""

    claim: Claim
    parts: tuple[StatedValue, ...]
    versions: tuple[int, ...]


class Answer(NamedTuple):
    """A statement that answers a question, the previous one with the same key, and the repair that it is part of."""

    statement: Statement
    earlier: Statement | None
    repair: Repair | None


class Moment(NamedTuple):
    """A place where updates arrived, and the versions before and after it."""

    place: int
    before: int
    after: int


class Account:
    """
    What was emitted in a conversation, next to what had been received.

    Args:
        conversation (`Conversation`): The parsed row.
    """

    def __init__(self, conversation: Conversation):
        self.conversation = conversation
        self.listener = conversation.listener
        self.text = conversation.text
        self._values: dict[tuple[int, str], str] = {}

    @property
    def questions(self) -> tuple[str, ...]:
        """The keys of all questions, after all updates."""
        return self.conversation.states[-1].questions

    def value(self, version: int, key: str) -> str:
        """The value of `key` after `version` updates."""
        at = version % len(self.conversation.states), key
        if at not in self._values:
            self._values[at] = self.listener.value(self.conversation.states[version], key)
        return self._values[at]

    def changed(self, statement: Statement, version: int, later: int) -> bool:
        """Whether any value that a claim states differs, at any version up to `later`, from that at `version`."""
        return any(
            self.value(version, part.key) != self.value(other, part.key)
            for part in statement.parts
            for other in range(version + 1, later + 1)
        )

    @cached_property
    def statements(self) -> list[Statement]:
        """All claims of the text, in the order of their ends."""
        owners: dict[int, list[int]] = {}
        if not self.listener.written:
            for thread in threads(self.text):
                owners.update(dict.fromkeys(thread.places, thread.places))
        made = []
        for claim in self.listener.claims(self.conversation):
            places = owners.get(claim.start) or range(len(self.text))
            own = places[bisect_left(places, claim.start) : bisect_left(places, claim.end)]
            said = "".join([self.text[place] for place in own])
            parts = tuple(
                StatedValue(part.key, part.value, own[part.place]) for part in self.listener.parts(claim, said)
            )
            made.append(Statement(claim, parts, tuple(self.conversation.version(part.place) for part in parts)))
        return sorted(made, key=lambda statement: statement.claim.end)

    @cached_property
    def moments(self) -> list[Moment]:
        positions = self.conversation.positions
        return [
            Moment(place, bisect_left(positions, place), bisect_right(positions, place))
            for place in sorted(set(positions))
        ]

    @cached_property
    def repairs(self) -> list[Repair]:
        """The repairs of the text. A repair in JSON ends where its last repeated member ends."""
        if not self.listener.written:
            return [repair._replace(after=self._unit(repair)) for repair in spoken(self.text)]
        return self._repeating(list(written(self.text, [statement.claim.start for statement in self.statements])))

    @cached_property
    def _phrases(self) -> set[str]:
        """All values of several words, which are emitted as one unit."""
        versions = range(len(self.conversation.states))
        values = [value for state in self.conversation.states for value in state.facts.values()]
        keys = {*self.questions, *(key for state in self.conversation.states for key in self.listener.reasons(state))}
        values += [self.value(version, key) for version in versions for key in keys]
        return {value for value in values if isinstance(value, str) and " " in value}

    def _unit(self, repair: Repair) -> int:
        """Start of the last unit before a repair: a word, or all words of a value, even of a value in a sentence that
        was cut."""
        place, before = repair.after, self.text[: repair.start].rstrip(".,:;!?")
        for phrase in sorted(self._phrases, key=len, reverse=True):
            if f" {before}".endswith(f" {phrase}"):
                return max(0, len(before) - len(phrase) - 1)
        for statement in self.statements:
            for part in statement.parts:
                literal = self.text.startswith(part.value, part.place)
                end = part.place + len(part.value) if literal else statement.claim.end
                if part.place <= place < end:
                    return part.place - 1
        return place

    def _repeating(self, leads: list[Repair]) -> list[Repair]:
        """Repairs of JSON with their ends: each repeats members that have changed, once each unless they change again
        meanwhile."""
        found = []
        for number, lead in enumerate(leads):
            limit = leads[number + 1].start if number + 1 < len(leads) else len(self.text)
            latest = {item.claim.key for item in self.statements if item.claim.end <= lead.start}
            heard = {key: bisect_right(self.conversation.positions, lead.after) for key in latest}
            end = lead.end
            for item in self.statements:
                if not lead.end <= item.claim.start < limit:
                    continue
                key, version = item.claim.key, max(item.versions)
                if key not in heard or not self.changed(item, heard[key], version):
                    break
                heard[key], end = version, item.claim.end
            found.append(lead._replace(end=end))
        return found

    @cached_property
    def answers(self) -> list[Answer]:
        """The statements that answer questions."""
        latest: dict[str, Statement] = {}
        found = []
        for statement in self.statements:
            key = statement.claim.key
            if key in self.questions:
                found.append(Answer(statement, latest.get(key), self._repair_at(statement.claim.start)))
                latest[key] = statement
        return found

    def _repair_at(self, place: int) -> Repair | None:
        number = bisect_right([repair.start for repair in self.repairs], place) - 1
        return self.repairs[number] if number >= 0 and place < self.repairs[number].end else None

    def chain(self, repair: Repair) -> tuple[Repair, Repair]:
        """The first and the last of the chain of repairs, each cut short by the next, that contains this one."""
        first = last = self.repairs.index(repair)
        while first and self.repairs[first - 1].end >= self.repairs[first].start:
            first -= 1
        while last + 1 < len(self.repairs) and self.repairs[last].end >= self.repairs[last + 1].start:
            last += 1
        return self.repairs[first], self.repairs[last]
