"""
The claims of a text, each compared with what was true when it was emitted.

The metrics use only the text, where in it each update was received, and the truth (`timeline` of a data set's row).
Nothing here depends on the model.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from dataset_builder import FAMILIES
from dataset_builder.reading.repairs import Repair, spoken, written
from dataset_builder.world.facts import NONE


class Judged(NamedTuple):
    """
    A claim that a text makes, and what was true when it was made.

    Attributes:
        key, value (`str`): The question and its claimed value; "none" where the text claims that it has none.
        start, end (`int`): The characters of the claim.
        said_at (`int`): Where the word that holds the value begins, with the space before it: an update that is
            received later cannot affect it.
        version (`int`): How many updates had been received then.
        true (`str`): The true value then.
        outdated (`frozenset[str]`): Earlier values that were no longer true.
        changed_by (`int`): The version that set the present value; 0 if no update ever changed it.
    """

    key: str
    value: str
    start: int
    end: int
    said_at: int
    version: int
    true: str
    outdated: frozenset[str]
    changed_by: int

    @property
    def right(self) -> bool:
        return self.value == self.true


class Truth:
    """
    What is true at each version.

    Args:
        timeline (`Sequence[Mapping]`): The column of a row: `key` has `value` from `version` on.
    """

    def __init__(self, timeline: Sequence[Mapping[str, Any]]):
        self._changes: dict[str, list[tuple[int, str]]] = {}
        for entry in timeline:
            self._changes.setdefault(entry["key"], []).append((entry["version"], entry["value"]))

    def __contains__(self, key: str) -> bool:
        return key in self._changes

    def changes(self, key: str, version: int) -> list[tuple[int, str]]:
        """The changes of a key up to a version, the last of those that one version made."""
        return list(dict(change for change in self._changes[key] if change[0] <= version).items())

    def value(self, key: str, version: int) -> str:
        return self.changes(key, version)[-1][1]

    def changed_by(self, key: str, version: int) -> int:
        """The version that gave a key the value that it has at `version`; 0 if that is the first one."""
        return self.changes(key, version)[-1][0]

    def changed(self, version: int) -> set[str]:
        """The keys whose value a version changed."""
        return {key for key, changes in self._changes.items() if any(change[0] == version for change in changes)}


@dataclass
class JudgedText:
    """
    One conversation, in the form that is judged.

    Args:
        row (`Mapping`): The row of the data set: `task_type`, `updates`, `timeline`, `answers`, `provenance`.
        text (`str`): The emitted text.
        heard_at (`Sequence[int]`): For each update, how many characters had been emitted when it was received,
            ascending.
        ended (`bool`): Whether the model stopped by itself.
    """

    row: Mapping[str, Any]
    text: str
    heard_at: Sequence[int]
    ended: bool

    def __post_init__(self) -> None:
        self.heard_at = list(self.heard_at)
        if len(self.heard_at) != len(self.row["updates"]):
            raise ValueError(
                f"`heard_at` has {len(self.heard_at)} entries for {len(self.row['updates'])} updates; give one each."
            )
        if self.heard_at != sorted(self.heard_at):
            raise ValueError("`heard_at` must ascend: updates are heard in their order.")
        if self.row["task_type"] not in FAMILIES:
            raise ValueError(f"`task_type` must be one of {', '.join(FAMILIES)}, got {self.row['task_type']!r}.")

    @property
    def written(self) -> bool:
        """Whether the text is JSON."""
        return bool(self.row["task_type"] == "structured_transformation")

    @property
    def last(self) -> int:
        """The last version."""
        return len(self.heard_at)

    @cached_property
    def stopped(self) -> bool:
        """Whether an update stopped an endless text: then questions may stay open."""
        return any(update["kind"] == "stop" for update in self.row["updates"])

    @cached_property
    def questions(self) -> list[str]:
        return [answer["key"] for answer in self.row["answers"]]

    @cached_property
    def truth(self) -> Truth:
        return Truth(self.row["timeline"])

    def version_at(self, place: int) -> int:
        """How many updates had been received when the character at `place` was emitted."""
        return bisect_right(self.heard_at, place)

    @cached_property
    def claims(self) -> list[Judged]:
        """All claims that can be true or false, in the order of their values in the text."""
        found = []
        for claim in FAMILIES[self.row["task_type"]].read(self.text):
            if claim.key in self.truth:
                found.append(self._judge(*claim))
        return sorted(found, key=lambda claim: (claim.said_at, claim.start))

    def _judge(self, key: str, value: str, start: int, end: int) -> Judged:
        said_at = self._place_of(value, start, end)
        said_at -= self.text[max(0, said_at - 1) : said_at] == " "
        version = self.version_at(said_at)
        *before, (changed_by, true) = self.truth.changes(key, version)
        outdated = frozenset(old for _, old in before) - {true}
        return Judged(key, value, start, end, said_at, version, true, outdated, changed_by)

    def _place_of(self, value: str, start: int, end: int) -> int:
        """Where a claim states its value: its last occurrence as a separate word, or the last word of the claim."""
        form = rf"(?<![\w-])(?:the (?:allowed|last) )?{re.escape(value)}(?![\w-])"
        said = re.finditer(form, self.text[start:end]) if value != NONE else ()
        places = [match.start() for match in said]
        return start + places[-1] if places else max(start, self.text.rfind(" ", start, end) + 1)

    def latest(self, key: str, place: int) -> Judged | None:
        """The last claim of a key whose value was emitted before a place."""
        return next((claim for claim in reversed(self.claims) if claim.key == key and claim.said_at < place), None)

    @cached_property
    def repairs(self) -> list[Repair]:
        """Where the text takes something back."""
        if not self.written:
            return list(spoken(self.text))
        leads = list(written(self.text, [claim.start for claim in self.claims]))
        return [self._through_what_it_repeats(lead) for lead in leads]

    def _through_what_it_repeats(self, lead: Repair) -> Repair:
        """In JSON nothing marks the end of a repair: it ends with the last member that was there before."""
        end, brace = lead.end, self.text.find("}", lead.end) % (len(self.text) + 1)
        for claim in self.claims:
            if claim.start >= lead.end:
                if claim.start > brace or not self.latest(claim.key, lead.start):
                    break
                end = claim.end
        return lead._replace(end=end)

    def repair_of(self, claim: Judged) -> Repair | None:
        """The repair that contains a claim."""
        return next((repair for repair in self.repairs if repair.start <= claim.start < repair.end), None)
