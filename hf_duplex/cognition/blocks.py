"""
Cognitive blocks: what was understood, what was advised on it, and what depends on what.

A [`CognitiveBlock`] has two streams: its context (what the user said, then what was meant) and its insight, which
follows from the context and from the contexts of the blocks that it depends on. [`BlockGraph`] holds them, and one
rule: where a context changes, the insight of that block and of all that depends on it does not hold any more, at
once. It knows nothing of models, threads or time: `cognition` computes, this file keeps the books.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import networkx as nx


Status = Literal["computing", "stable", "stale", "invalidated"]
Kind = Literal["opened", "heard", "formalized", "linked", "insight", "status", "closed", "locked", "failed"]


@dataclass
class CognitiveBlock:
    """
    One thing that was said, and what is advised on it.

    | insight_status | the insight |
    |---|---|
    | `stale` | does not follow from the context as it is now (None: there is none yet), and waits to be computed |
    | `computing` | is being said; what is there is its beginning |
    | `invalidated` | was being said when the context changed, or failed; what is there is void |
    | `stable` | is complete, and follows from the context |

    Attributes:
        id (`str`): Its name in the graph.
        timestamp (`float`): When it was opened, in seconds since 1970.
        raw_input (`str`): What was said, word for word.
        formalized_context (`str`): What was meant; the user may edit it.
        is_locked (`bool`): Whether it was confirmed, or its topic left: it takes no edits any more.
        insight (`str`, *optional*): What is advised.
        insight_status (`str`): See the table.
        is_open (`bool`): Whether the user is still speaking, so that the insight is speculative.
    """

    id: str
    timestamp: float
    raw_input: str = ""
    formalized_context: str = ""
    is_locked: bool = False
    insight: str | None = None
    insight_status: Status = "stale"
    is_open: bool = True

    @property
    def is_speculative(self) -> bool:
        """Whether there is an insight that the rest of the sentence may still overturn: ghost text."""
        return self.is_open and self.insight is not None


@dataclass(frozen=True)
class BlockEvent:
    """
    Something that happened to a block.

    | kind | `was` |
    |---|---|
    | `opened`, `closed`, `locked` | "" |
    | `heard`: more of `raw_input` | "" |
    | `formalized`: another `formalized_context` | the context before |
    | `linked`: it depends on another block | the id of that block |
    | `insight`: another piece of it was said | the insight before |
    | `status`: another `insight_status` | the status before |
    | `failed`: the insight could not be computed | the reason |

    Attributes:
        number (`int`): Rises by one from event to event, from 1.
        kind (`str`): See the table.
        block (`CognitiveBlock`): A copy, as the block was then.
        was (`str`): See the table.
    """

    number: int
    kind: Kind
    block: CognitiveBlock
    was: str = ""


class BlockGraph:
    """
    Blocks, and which depends on which. Not for several threads at once: whoever has some takes care of that.

    Args:
        on_event (`Callable[[BlockEvent], None]`): Told of every change, in order.
    """

    def __init__(self, on_event: Callable[[BlockEvent], None] = lambda event: None):
        self.on_event = on_event
        self._blocks: dict[str, CognitiveBlock] = {}
        # An edge goes from a block to one that depends on it.
        self._graph = nx.DiGraph()
        self._events = 0

    # What there is

    def __getitem__(self, block: str) -> CognitiveBlock:
        """
        Raises:
            ValueError: There is no such block.
        """
        if block not in self._blocks:
            raise ValueError(f"`block`: there is no block {block!r}: name one of {', '.join(self._blocks) or 'none'}.")
        return self._blocks[block]

    @property
    def blocks(self) -> list[CognitiveBlock]:
        """Copies of all, in the order in which they were opened."""
        return [replace(block) for block in self._blocks.values()]

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Pairs of a block and one that depends on it."""
        return sorted(self._graph.edges)

    def in_order(self, ids: Iterable[str]) -> list[str]:
        """These blocks, each behind those that it depends on, and else in the order in which they were opened."""
        wanted, place = set(ids), {block: number for number, block in enumerate(self._blocks)}
        return [block for block in nx.lexicographical_topological_sort(self._graph, place.get) if block in wanted]

    def affected_by(self, block: str) -> list[str]:
        """A block and all that depends on it, in order."""
        return self.in_order({self[block].id} | nx.descendants(self._graph, block))

    def contexts(self, block: str) -> dict[str, str]:
        """What the insight of a block follows from: the contexts of what it depends on, then its own; by id."""
        ids = self.in_order({self[block].id} | nx.ancestors(self._graph, block))
        return {id: self._blocks[id].formalized_context for id in ids if self._blocks[id].formalized_context}

    # What happens to it

    def add(self, block: CognitiveBlock, depends_on: Iterable[str] = ()) -> None:
        """
        A new block.

        Raises:
            ValueError: There is one of that id, or it depends on one that is not there; nothing was added.
        """
        if not block.id or block.id in self._blocks:
            raise ValueError(f"`id`: {block.id!r} is taken or empty: give each block an id of its own.")
        parents = [self[parent].id for parent in depends_on]
        self._blocks[block.id] = block
        self._graph.add_node(block.id)
        self._tell("opened", block)
        for parent in parents:
            self._graph.add_edge(parent, block.id)
            self._tell("linked", block, parent)

    def depend(self, block: str, on: str) -> list[str]:
        """
        Makes the insight of a block follow from the context of another one as well. Returns whose insight does not
        hold any more.

        Raises:
            ValueError: One of them is not there, the block is locked, or the other one depends on it already;
                nothing was changed.
        """
        child, parent = self[block], self[on]
        self._check_unlocked(child)
        if block == on or nx.has_path(self._graph, block, on):
            raise ValueError(
                f"`on`: block {on!r} depends on {block!r} already, and blocks cannot depend on each other in a "
                "circle: leave one of the two out."
            )
        if self._graph.has_edge(parent.id, child.id):
            return []
        self._graph.add_edge(parent.id, child.id)
        self._tell("linked", child, on)
        return self._void(block)

    def receive(self, block: str, text: str) -> None:
        """Adds what was said, word for word. What it means is another matter: see [`change`]."""
        found = self[block]
        self._check_unlocked(found)
        found.raw_input = f"{found.raw_input} {text.strip()}".strip()
        self._tell("heard", found)

    def change(self, block: str, context: str) -> list[str]:
        """
        Gives a block another context. Its insight, and those of all that depends on it, do not hold any more: one that
        is being computed is `invalidated`, any other one `stale`. Returns their ids in order, none if the context is
        as before.

        Raises:
            ValueError: There is no such block, or it is locked; nothing was changed.
        """
        found = self[block]
        self._check_unlocked(found)
        if context == found.formalized_context:
            return []
        was, found.formalized_context = found.formalized_context, context
        self._tell("formalized", found, was)
        return self._void(block)

    def say(self, block: str, insight: str | None) -> None:
        """The insight as far as it was said; None if there is nothing to advise on."""
        found = self[block]
        if insight != found.insight:
            was, found.insight = found.insight, insight
            self._tell("insight", found, was or "")

    def set_status(self, block: str, status: Status) -> None:
        found = self[block]
        if status != found.insight_status:
            was, found.insight_status = found.insight_status, status
            self._tell("status", found, was)

    def fail(self, block: str, reason: str) -> None:
        """The insight could not be computed."""
        self.set_status(block, "invalidated")
        self._tell("failed", self[block], reason)

    def close(self, block: str) -> None:
        """The user has said it all: the insight is speculative no more. It can still be edited."""
        found = self[block]
        if found.is_open:
            found.is_open = False
            self._tell("closed", found)

    def lock(self, block: str) -> None:
        """The block was confirmed, or its topic left: it takes no edits any more."""
        self.close(block)
        found = self[block]
        if not found.is_locked:
            found.is_locked = True
            self._tell("locked", found)

    def _check_unlocked(self, block: CognitiveBlock) -> None:
        if block.is_locked:
            raise ValueError(
                f"`block`: {block.id!r} is locked and takes no edits: say it anew, in a block of its own."
            )

    def _void(self, block: str) -> list[str]:
        affected = self.affected_by(block)
        for id in affected:
            computing = self._blocks[id].insight_status in ("computing", "invalidated")
            self.set_status(id, "invalidated" if computing else "stale")
        return affected

    def _tell(self, kind: Kind, block: CognitiveBlock, was: str = "") -> None:
        self._events += 1
        self.on_event(BlockEvent(self._events, kind, replace(block), was))
