"""Slots as words: which incoming words a message doubted, and which it wrote."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..modeling import AdapterWorkspace, ChatFormat, Workspace


@dataclass
class Doubted:
    """A word that lost validity: the mean over its slots, before and after."""

    word: str
    before: float
    after: float

    @property
    def kept(self) -> float:
        """The fraction of its validity that is left, 0 to 1."""
        return self.after / max(self.before, 1e-6)


@dataclass
class Moves:
    """
    The changes of the workspace by one message.

    Attributes:
        doubted (`list[Doubted]`): Words that lost validity, the one that kept the smallest fraction first.
        written (`list[str]`): Words that were added, in order.
        dropped (`list[str]`): Words that were evicted.
        moved (`dict[str, float]`): Relative change of latent slots.
    """

    doubted: list[Doubted] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    moved: dict[str, float] = field(default_factory=dict)


def slot_texts(workspace: Workspace, tokenizer: Any) -> dict[int, str]:
    """
    The text of each slot of the first row that holds a token. Control tokens are left out, and for a duplex adapter
    also the tokens of its chat template around a message.
    """
    special = set(tokenizer.all_special_ids)
    slots = list(zip(workspace.slot_ids[0].tolist(), workspace.token_ids[0].tolist(), strict=True))
    if isinstance(workspace, AdapterWorkspace):
        numbers = workspace.messages[0].tolist()
        pairs = [(slot, number) for slot, number in zip(slots, numbers, strict=True) if slot[0] >= 0]
        messages = [[slot for slot, of in pairs if of == number] for number in dict.fromkeys(of for _, of in pairs)]
        slots = [slot for message in messages for slot in without_template(message, *template_ids(tokenizer))]
    return {slot: tokenizer.decode([token]) for slot, token in slots if token >= 0 and token not in special}


@lru_cache(maxsize=8)
def template_ids(tokenizer: Any) -> list[list[int]]:
    """The tokens of a chat template before and after a user message."""
    before, after = ChatFormat(tokenizer).around_update
    return [tokenizer.encode(part, add_special_tokens=False) for part in (before.lstrip(), after)]


def without_template(slots: list[tuple[int, int]], before: list[int], after: list[int]) -> list[tuple[int, int]]:
    """The slots (pairs of id and token) of one message between the template parts `before` and `after`."""
    ids = [token for _, token in slots]
    opens = last_place(ids, before)
    start = 0 if opens is None else opens + len(before)
    closes = last_place(ids[start:], after)
    # This also drops a newline of the template after its last control token.
    return slots[start : None if closes is None else start + closes]


def last_place(ids: list[int], wanted: list[int]) -> int | None:
    """Index of the last occurrence of `wanted` in `ids`; None if there is none."""
    places = range(len(ids) - len(wanted), -1, -1) if wanted else ()
    return next((at for at in places if ids[at : at + len(wanted)] == wanted), None)


def group_words(texts: dict[int, str]) -> list[tuple[str, list[int]]]:
    """Groups slots into words: adjacent slots join unless white space or a punctuation mark separates them."""
    words: list[tuple[str, list[int]]] = []
    for slot in sorted(texts):
        text = texts[slot]
        word, slots = words[-1] if words else ("", [])
        letters = text.strip().isalnum()
        joins = slots and slots[-1] == slot - 1 and not text[:1].isspace() and letters
        if joins and (not word.strip() or word.strip().isalnum()):
            words[-1] = (word + text, [*slots, slot])
        else:
            words.append((text, [slot]))
    return [(word, slots) for word, slots in words if word.strip()]


def moves(before: Workspace, after: Workspace, tokenizer: Any) -> Moves:
    """The changes between two versions, by word."""
    change = after.changes(before)
    old, new = slot_texts(before, tokenizer), slot_texts(after, tokenizer)
    doubted = []
    for word, slots in group_words({slot: new[slot] for slot in change.doubted if slot in new}):
        lost, kept = zip(*(change.doubted[slot] for slot in slots), strict=True)
        doubted.append(Doubted(word.strip(), sum(lost) / len(slots), sum(kept) / len(slots)))
    return Moves(
        doubted=sorted(doubted, key=lambda entry: entry.kept),
        written=[word.strip() for word, _ in group_words({slot: new[slot] for slot in change.written if slot in new})],
        dropped=[word.strip() for word, _ in group_words({slot: old[slot] for slot in change.dropped if slot in old})],
        moved={f"slot {slot}": motion for slot, motion in change.moved.items()},
    )


def beliefs(workspace: Workspace, tokenizer: Any, message_length: int) -> list[tuple[str, int, float]]:
    """
    All words in the workspace, in the order in which they were received: each with its leading space, the version that
    added it, and its mean validity.
    """
    validity = dict(zip(workspace.slot_ids[0].tolist(), workspace.validity[0].tolist(), strict=True))
    words = group_words(slot_texts(workspace, tokenizer))
    versions = slot_versions(workspace, message_length)
    return [(word, versions[slots[0]], sum(validity[slot] for slot in slots) / len(slots)) for word, slots in words]


def slot_versions(workspace: Workspace, message_length: int) -> dict[int, int]:
    """The version, from 1, that added each slot of the first row; only slots that hold tokens."""
    slots = workspace.slot_ids[0].tolist()
    if isinstance(workspace, AdapterWorkspace):
        # The prompt is one message.
        versions = (1 + number for number in workspace.messages[0].tolist())
        return {slot: version for slot, version in zip(slots, versions, strict=True) if slot >= 0}
    return {slot: 1 + slot // message_length for slot in slots if slot >= 0}
