"""The working memory of the thought track: nodes that can be pushed, popped and overwritten, and
what each is about."""

from dataclasses import dataclass, field

import torch


class ThoughtError(ValueError):
    """A thought buffer was asked for what it cannot do; it is as it was before."""


@dataclass
class ThoughtNode:
    """
    One thought.

    Args:
        name (`str`): `#D1`, `#D2`, ...; given by the buffer, never by the model.
        type (`str`): One of `THOUGHT_TYPES`.
        ids (`list[int]`): Its tokens, from the one that opens it to the one that closes it.
        content (`tuple[int, int]`): The content tokens it is about (first, and one past the last): all that was said
            since the thought before ("suffix binding", dual_track_reflection.md, 7.1).
        vector (`torch.Tensor`): `[hidden]`, the hidden state of its last token.
        states (`torch.Tensor`): `[layers, 2, key heads, tokens, head size]`, its keys (rotated by thought positions)
            and values.
        activation (`float`): How likely the head found it that there is something to think, 0 to 1.
        type_probabilities (`list[float]`): How likely each of `THOUGHT_TYPES` was.
        focus (`int`): Where the sentence begins after which it was thought: from there on its content is opened.
        links (`list[str]`): Earlier nodes that it was connected with.
        superseded_by (`str`, *optional*): The node that revised it.
    """

    name: str
    type: str
    ids: list[int]
    content: tuple[int, int]
    vector: torch.Tensor
    states: torch.Tensor
    activation: float = 1.0
    type_probabilities: list[float] = field(default_factory=list)
    focus: int = 0
    links: list[str] = field(default_factory=list)
    superseded_by: str | None = None


class ThoughtBuffer:
    """
    The nodes of one conversation, oldest first.

    Args:
        capacity (`int`): Nodes at most.
    """

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.nodes: list[ThoughtNode] = []
        self.position = 0
        self._named = 0

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, name: str) -> ThoughtNode:
        for node in self.nodes:
            if node.name == name:
                return node
        raise ThoughtError(
            f"There is no thought {name!r}; there are {', '.join(n.name for n in self.nodes) or 'none'}."
        )

    @property
    def current(self) -> list[ThoughtNode]:
        """The nodes that nothing revised."""
        return [node for node in self.nodes if node.superseded_by is None]

    def _name(self) -> str:
        self._named += 1
        return f"#D{self._named}"

    def push(self, type: str, ids: list[int], content: tuple[int, int], vector, states) -> ThoughtNode:
        """
        Adds a node.

        Raises:
            ThoughtError: The buffer is full.
        """
        if len(self.nodes) >= self.capacity:
            raise ThoughtError(
                f"The buffer holds {self.capacity} thoughts (`max_nodes`); delete one or let the model hold more."
            )
        node = ThoughtNode(self._name(), type, ids, content, vector, states)
        self.nodes.append(node)
        self.position += len(ids)
        return node

    def pop(self, name: str | None = None) -> ThoughtNode:
        """
        Takes a node away, the last one if none is named.

        Raises:
            ThoughtError: There is none.
        """
        if not self.nodes:
            raise ThoughtError("POP: there is no thought to take away.")
        node = self.nodes[-1] if name is None else self[name]
        self.nodes.remove(node)
        return node

    def update(self, name: str, node: ThoughtNode) -> ThoughtNode:
        """
        Writes a node in place of an earlier one, whose keys and values go.

        Raises:
            ThoughtError: There is no such earlier one, or it is the node itself.
        """
        old = self[name]
        if old is node:
            raise ThoughtError(f"UPDATE: {name} cannot take its own place.")
        if node in self.nodes:
            self.nodes.remove(node)
        self.nodes[self.nodes.index(old)] = node
        node.links = [*dict.fromkeys([*node.links, name])]
        return node

    def supersede(self, name: str, by: ThoughtNode) -> None:
        """Marks an earlier node as revised; it stays to be read, what it was about is not opened again."""
        self[name].superseded_by = by.name

    @property
    def tokens(self) -> int:
        """Tokens that the thought track's cache holds."""
        return sum(len(node.ids) for node in self.nodes)

    def states(self, last: int = 0) -> torch.Tensor | None:
        """Keys and values of the last so many thoughts (0: all), one after the other, or None where there are none."""
        return torch.cat([node.states for node in self.nodes[-last:]], dim=3) if self.nodes else None
