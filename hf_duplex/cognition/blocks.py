"""
Cognitive blocks, their insights, and their dependencies.

A [`CognitiveBlock`] has two streams: its context (the raw input and its formalized meaning) and its insight, which is
generated from the context and from the contexts of the blocks that it depends on. [`BlockGraph`] holds the blocks and
enforces one rule: when a context changes, the insights of that block and of all dependent blocks become invalid
at once. This file only stores state; it does not use models, threads or time.
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
    One unit of user input, and the insight generated from it.

    | insight_status | the insight |
    |---|---|
    | `stale` | does not match the current context (None: there is none yet), and waits to be computed |
    | `computing` | is being generated; the text is its beginning |
    | `invalidated` | was being generated when the context changed, or failed; the text is void |
    | `stable` | is complete, and matches the context |

    Attributes:
        id (`str`): Its name in the graph.
        timestamp (`float`): When it was opened, in seconds since 1970.
        raw_input (`str`): The user's words, verbatim.
        formalized_context (`str`): The formalized meaning; the user may edit it.
        is_locked (`bool`): Whether the block was confirmed or its topic ended; a locked block takes no edits.
        insight (`str`, *optional*): The generated insight.
        insight_status (`str`): See the table.
        is_open (`bool`): Whether more input may follow, so that the insight is speculative.
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
        """Whether there is an insight that further input may still change (shown as ghost text)."""
        return self.is_open and self.insight is not None


@dataclass(frozen=True)
class BlockEvent:
    """
    A change of a block.

    | kind | `was` |
    |---|---|
    | `opened`, `closed`, `locked` | "" |
    | `heard`: more of `raw_input` | "" |
    | `formalized`: a new `formalized_context` | the context before |
    | `linked`: it depends on another block | the id of that block |
    | `insight`: it grew | the insight before |
    | `status`: a new `insight_status` | the status before |
    | `failed`: the insight could not be computed | the reason |

    Attributes:
        number (`int`): Consecutive number, from 1.
        kind (`str`): See the table.
        block (`CognitiveBlock`): A copy of the block at that time.
        was (`str`): See the table.
    """

    number: int
    kind: Kind
    block: CognitiveBlock
    was: str = ""


class BlockGraph:
    """
    Blocks and their dependencies. Not thread-safe.

    Args:
        on_event (`Callable[[BlockEvent], None]`): Receives every change, in order.
    """

    def __init__(self, on_event: Callable[[BlockEvent], None] = lambda event: None):
        self.on_event = on_event
        self._blocks: dict[str, CognitiveBlock] = {}
        # An edge leads from a block to a block that depends on it.
        self._graph = nx.DiGraph()
        self._events = 0

    # Read

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
        """Copies of all blocks, in the order in which they were opened."""
        return [replace(block) for block in self._blocks.values()]

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Pairs of a block and a block that depends on it."""
        return sorted(self._graph.edges)

    def in_order(self, ids: Iterable[str]) -> list[str]:
        """These blocks in topological order: dependencies first, otherwise in the order in which they were opened."""
        wanted, place = set(ids), {block: number for number, block in enumerate(self._blocks)}
        return [block for block in nx.lexicographical_topological_sort(self._graph, place.get) if block in wanted]

    def affected_by(self, block: str) -> list[str]:
        """A block and all blocks that depend on it, in topological order."""
        return self.in_order({self[block].id} | nx.descendants(self._graph, block))

    def contexts(self, block: str) -> dict[str, str]:
        """Inputs of a block's insight, by id: the contexts of its dependencies, then its own."""
        ids = self.in_order({self[block].id} | nx.ancestors(self._graph, block))
        return {id: self._blocks[id].formalized_context for id in ids if self._blocks[id].formalized_context}

    # Change

    def add(self, block: CognitiveBlock, depends_on: Iterable[str] = ()) -> None:
        """
        Adds a block.

        Raises:
            ValueError: The id is in use, or a dependency does not exist; nothing was added.
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
        Makes a block depend on another one. Returns the blocks whose insight became invalid.

        Raises:
            ValueError: One of them does not exist, the block is locked, or the other one already depends on it;
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
        """Appends to the raw input. [`change`] sets the formalized context."""
        found = self[block]
        self._check_unlocked(found)
        found.raw_input = f"{found.raw_input} {text.strip()}".strip()
        self._tell("heard", found)

    def change(self, block: str, context: str) -> list[str]:
        """
        Sets the context of a block. Its insight and those of all dependent blocks become invalid: `invalidated` if
        being computed, else `stale`. Returns their ids in order; none if the context is unchanged.

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
        """Sets the insight generated so far; None if the context is empty."""
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
        """Records that the insight could not be computed."""
        self.set_status(block, "invalidated")
        self._tell("failed", self[block], reason)

    def close(self, block: str) -> None:
        """Ends the input: the insight is no longer speculative. The block can still be edited."""
        found = self[block]
        if found.is_open:
            found.is_open = False
            self._tell("closed", found)

    def lock(self, block: str) -> None:
        """Locks a block that was confirmed or whose topic ended: it takes no more edits."""
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
