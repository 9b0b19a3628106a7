"""Slots in words: which words of what was heard a message doubted, and which it wrote."""

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
        """What is left of its validity, 0 to 1."""
        return self.after / max(self.before, 1e-6)


@dataclass
class Moves:
    """
    What one message did to the workspace.

    Attributes:
        doubted (`list[Doubted]`): Words that lost validity, the one that kept least of it first.
        written (`list[str]`): Words that were taken up, in order.
        dropped (`list[str]`): Words that had to go.
        moved (`dict[str, float]`): Relative change of latent slots.
    """

    doubted: list[Doubted] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    moved: dict[str, float] = field(default_factory=dict)


def slot_texts(workspace: Workspace, tokenizer: Any) -> dict[int, str]:
    """
    The text of each slot of the first row that was read from a token. Control tokens are left out, and of a duplex
    adapter's slots what its chat template writes around a message.
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
    """The tokens that a chat template writes before and after a message of the user."""
    before, after = ChatFormat(tokenizer).around_update
    return [tokenizer.encode(part, add_special_tokens=False) for part in (before.lstrip(), after)]


def without_template(slots: list[tuple[int, int]], before: list[int], after: list[int]) -> list[tuple[int, int]]:
    """The slots, pairs of id and token, of one message without what stands up to `before` and from `after` on."""
    ids = [token for _, token in slots]
    opens = last_place(ids, before)
    start = 0 if opens is None else opens + len(before)
    closes = last_place(ids[start:], after)
    # A line end that belongs to the template stands behind its last control token.
    return slots[start : None if closes is None else start + closes]


def last_place(ids: list[int], wanted: list[int]) -> int | None:
    """Where `wanted` stands in `ids` for the last time."""
    places = range(len(ids) - len(wanted), -1, -1) if wanted else ()
    return next((at for at in places if ids[at : at + len(wanted)] == wanted), None)


def group_words(texts: dict[int, str]) -> list[tuple[str, list[int]]]:
    """Words, each with its slots: neighbours belong together unless white space or a mark stands between them."""
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
    """What happened between two versions, in words."""
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
    All words that the workspace holds, in the order they were heard: each with the space before it, the version that
    it came with, and how far it is still believed.
    """
    validity = dict(zip(workspace.slot_ids[0].tolist(), workspace.validity[0].tolist(), strict=True))
    words = group_words(slot_texts(workspace, tokenizer))
    versions = slot_versions(workspace, message_length)
    return [(word, versions[slots[0]], sum(validity[slot] for slot in slots) / len(slots)) for word, slots in words]


def slot_versions(workspace: Workspace, message_length: int) -> dict[int, int]:
    """The version that each slot of the first row came with, from 1; slots that are read from tokens."""
    slots = workspace.slot_ids[0].tolist()
    if isinstance(workspace, AdapterWorkspace):
        # The prompt is one message.
        versions = (1 + number for number in workspace.messages[0].tolist())
        return {slot: version for slot, version in zip(slots, versions, strict=True) if slot >= 0}
    return {slot: 1 + slot // message_length for slot in slots if slot >= 0}
