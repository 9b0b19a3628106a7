"""How the oracle understands messages: whom to trust, what each update changes, what a retraction takes back.

A family defines the meaning of its prompts and updates in a [`Listener`]; [`read_row`] applies it to a whole
conversation.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from ..reading import Claim
from ..world.facts import NONE


_NAME = r"([A-Z][\w-]*)"
_OPENS = r"(?:^|(?<=[.?!] ))"
_DISTRUST = re.compile(
    rf"{_OPENS}(?:(?:[Dd]o not|[Dd]on't|[Nn]ever|[Yy]ou can't) (?:believe|trust|listen to) (?:a word )?{_NAME}"
    r"(?: says)?"
    rf"|[Ii]gnore (?:(?:whatever|what|everything) )?{_NAME}(?: says)?"
    rf"|(?:[Bb]e careful, )?{_NAME} (?:(?:is not to|cannot) be trusted|is a liar|is lying|likes to tell lies)"
    rf"|[Pp]ay no attention to {_NAME}|[Bb]eware of {_NAME}|[Dd]on't let {_NAME} fool you"
    rf"|[Nn]othing (?:that )?{_NAME} says is true"
    rf"|[Ww]hat(?:ever)? {_NAME} says (?:is wrong|does not count))\.(?: |$)"
)
_GO_ON = re.compile(
    rf"{_OPENS}[^.?!:;]*\b(?:[Uu]ntil I (?:say |tell you to )?stop|before I tell you to)\b[^.?!]*\.(?: |$)"
)
_QUOTE = re.compile(
    rf"(?:{_NAME}(?: says| here| has something to say): |(?:Hello, )?{_NAME} (?:here|again|speaking)\. "
    rf"|(?:This is|It's|I am) {_NAME}\. |A word from {_NAME}: )(?P<said>.+)",
    re.DOTALL,
)
_STOP = re.compile(
    r"(?:okay, |please |now |that will do, )?(?:stop|finish)(?: now| here| there| it)?(?:, please)?"
    r"|(?:thanks, )?that's enough|(?:good, )?you (?:can|may) stop(?: now)?"
    r"|enough(?:, thank you)?|I have heard enough|let's leave it there",
    re.IGNORECASE,
)
_LAST_CHANGE = re.compile(
    r"(?:(?:please|sorry|actually|wait|no),? |as for (?P<c>.+?), |hmm, better )*"
    r"(?:(?:ignore|forget|drop|take(?: back)?|I take back|undo|never mind|revert|scrap|cancel"
    r"|pretend that I never told you|I should not have told you|leave it as it was before"
    r"|go back to how (?:it|(?P<e>.+?)) was before) "
    r"(?:(?:that|my|the) (?:last|latest|most recent) change(?: of (?P<a>.+?))?(?: back)?(?: I told you)?"
    r"|what I changed (?:about (?P<b>.+?) )?last|what I just told you|what I said last|that)(?:, please|, ignore it)?"
    r"|(?:my|the|that) last change(?: of (?P<d>.+?))? (?:was (?:a mistake, |wrong, so )undo it|does not count)"
    r"|I take that back)[.!]?",
    re.IGNORECASE,
)


class NotUnderstood(ValueError):
    """A listener cannot interpret a message."""


@dataclass(frozen=True)
class State:
    """
    The facts according to the messages so far.

    Args:
        facts (`Mapping[str, Any]`):
            The stated facts, by name. Two states differ if these do, and a retraction restores earlier values of
            these. So everything that an update may change must be here; a fact that was not stated yet may be missing
            or `NONE`.
        questions (`tuple[str, ...]`):
            The keys of the claims that were asked for, in order.
        rules (`Mapping[str, Any]`, *optional*):
            Everything else that the prompt states, which no update changes.
    """

    facts: Mapping[str, Any]
    questions: tuple[str, ...]
    rules: Mapping[str, Any] = field(default_factory=dict)

    def but(self, facts: Mapping[str, Any]) -> State:
        """This state with other values for some facts; a fact whose value is None is removed."""
        return replace(
            self, facts={name: value for name, value in {**self.facts, **facts}.items() if value is not None}
        )


class StatedValue(NamedTuple):
    """A value that a claim states: `place` is where its word stands in the text that was read."""

    key: str
    value: str
    place: int


class Listener(ABC):
    """
    The meaning of the prompts and updates of a family.

    Attributes:
        task_type (`str`): The family.
        written (`bool`): Whether the emitted text is JSON, where a repair is a member `"//"`, rather than prose.
        skips_absent (`bool`): Whether a claim without a value may be omitted, rather than stated to be unknown.
        gives_reasons (`bool`): Whether an answer may be repeated as a reason for another one.
    """

    task_type: str
    written: bool = False
    skips_absent: bool = False
    gives_reasons: bool = False

    @abstractmethod
    def understand(self, prompt: str) -> State:
        """The statements and questions of a prompt, without the clauses about trust and about continuing.

        Raises:
            NotUnderstood: The prompt cannot be interpreted.
        """

    @abstractmethod
    def apply(self, state: State, text: str) -> State:
        """The state after an update, given without its quotation; `state` itself if the update changes nothing.
        Retractions and stops are handled elsewhere. Never raises."""

    @abstractmethod
    def value(self, state: State, key: str) -> str:
        """What the claim `key` must state now; `NONE` if that is unknown, or does not exist."""

    def refers(self, state: State, noun: str) -> Collection[str]:
        """The names of the facts that a noun phrase ("the budget") stands for."""
        return {noun, noun.removeprefix("the ")}

    def read(self, text: str) -> list[Claim]:
        """The claims that a text makes, by `dataset_builder.reading`."""
        claims: list[Claim] = import_module(f"dataset_builder.families.{self.task_type}.reader").read(text)
        return claims

    def claims(self, conversation: Conversation) -> list[Claim]:
        """The claims of a conversation, each under the key of its question; by default just as they are read."""
        return self.read(conversation.text)

    def may_say(self, state: State, key: str) -> bool:
        """Whether there is a reason to state this at all; by default, anything may be stated."""
        return True

    def reasons(self, state: State) -> Collection[str]:
        """The keys of claims that no question asks for, but that may be stated on the way to an answer."""
        return ()

    def faults(self, conversation: Conversation) -> list[str]:
        """A sentence for each further error of a text that is specific to this family."""
        return []

    def parts(self, claim: Claim, said: str) -> list[StatedValue]:
        """
        The values that a claim states, each of which must hold when its word begins.

        Args:
            claim (`Claim`): A claim from `read`.
            said (`str`): Its text, without interruptions. `StatedValue.place` is an index into this.

        By default that is the claim's value in the last word that contains it, or else the last word.
        """
        value = claim.value
        place = -1 if value == NONE else said.rfind(value)
        while place > 0 and not (_apart(said[place - 1 : place + 1]) and _apart(said[place + len(value) - 1 :][:2])):
            place = said.rfind(value, 0, place + len(value) - 1)
        place = place if place >= 0 else len(said.rstrip()) - 1
        return [StatedValue(claim.key, claim.value, place)]


def _apart(pair: str) -> bool:
    """Whether a word ends between two characters."""
    return re.fullmatch(r"[\w-][\w-]", pair) is None


@dataclass(frozen=True)
class Conversation:
    """
    A parsed row.

    Args:
        listener (`Listener`): The listener of its family.
        text (`str`): The whole emitted text.
        positions (`Sequence[int]`): For each update, the first character that may depend on it.
        states (`Sequence[State]`): The state after each number of updates, from none to all.
        endless (`bool`): Whether the prompt asked to continue until a stop.
        stopped (`int`): The position of the stop; -1 if there was none.
    """

    listener: Listener
    text: str
    positions: Sequence[int]
    states: Sequence[State]
    endless: bool
    stopped: int

    def version(self, place: int) -> int:
        """Number of updates visible to the word that holds the character at `place`. The word begins with the space
        before it: updates that arrive later are not visible to it."""
        while place and not self.text[place - 1].isspace():
            place -= 1
        begins = place - 1 if place else 0
        return bisect_right(self.positions, begins)


def listener_for(task_type: str) -> Listener:
    """
    The listener of a family.

    Raises:
        ValueError: There is none.
    """
    name = f"dataset_builder.families.{task_type}.oracle"
    listener = None
    if task_type.isidentifier() and find_spec(name.rpartition(".")[0]) and find_spec(name):
        listener = getattr(import_module(name), "LISTENER", None)
    if not isinstance(listener, Listener):
        raise ValueError(
            f"`task_type` {task_type!r} has no oracle; add dataset_builder/families/{task_type}/oracle.py "
            "with a `LISTENER`."
        )
    return listener


def read_row(row: Mapping[str, Any]) -> Conversation:
    """
    Applies the prompt and the updates of a row in order.

    Raises:
        NotUnderstood: The prompt cannot be interpreted.
        ValueError: A column is missing, or the family has no oracle.
    """
    missing = [
        name
        for name in ("prompt", "initial_target", "revised_target", "updates", "task_type")
        if not isinstance(row.get(name), list if name == "updates" else str)
    ]
    if missing:
        raise ValueError(f"`row` has no {', '.join(missing)}; give a whole row of a data set.")
    if not all({"text", "position"} <= update.keys() for update in row["updates"]):
        raise ValueError("`updates` of the row lack text or position; give a whole row of a data set.")
    listener = listener_for(row["task_type"])
    prompt, endless, liars = _frame(row["prompt"])
    states = [listener.understand(prompt)]
    standing: list[dict[str, Any]] = []  # for each change in effect, what it replaced
    stopped = -1
    for update in row["updates"]:
        said, speaker = update["text"], ""
        quote = _QUOTE.fullmatch(said)
        if quote:
            speaker, said = next(filter(None, quote.groups())), quote["said"]
        state = states[-1]
        if speaker not in liars:
            if endless and _STOP.fullmatch(said.rstrip(".!")):
                stopped = update["position"]
            else:
                state = _follow(listener, state, said, standing)
        states.append(state)
    text = row["initial_target"] + row["revised_target"]
    return Conversation(listener, text, [update["position"] for update in row["updates"]], states, endless, stopped)


def _frame(prompt: str) -> tuple[str, bool, set[str]]:
    """The task itself, whether to continue until a stop, and who is untrusted."""
    liars = {next(filter(None, match.groups())) for match in _DISTRUST.finditer(prompt)}
    task = _DISTRUST.sub("", prompt)
    endless = bool(_GO_ON.search(task))
    return _GO_ON.sub("", task).strip(), endless, liars


def _follow(listener: Listener, state: State, said: str, standing: list[dict[str, Any]]) -> State:
    """The state after an update; keeps `standing` up to date."""
    retraction = _LAST_CHANGE.fullmatch(said)
    if not retraction:
        after = listener.apply(state, said)
        replaced = {
            name: state.facts.get(name)
            for name in {**state.facts, **after.facts}
            if state.facts.get(name) != after.facts.get(name)
        }
        if replaced:
            standing.append(replaced)
        return after
    noun = next(filter(None, retraction.groups()), "")
    names = set(listener.refers(state, noun)) if noun else None
    for number in reversed(range(len(standing))):
        if names is None or names & standing[number].keys():
            return state.but(standing.pop(number))
    return state
