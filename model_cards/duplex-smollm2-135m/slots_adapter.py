"""
The workspace of the duplex adapter: slots are a pretrained model's keys and values of incoming tokens, and later
messages cast doubt on them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import nn

from .cache import SPARE, grown
from .workspace import Workspace


KeyValues = tuple[torch.Tensor, torch.Tensor]
LARGEST_SCORE = 30.0


@dataclass(frozen=True)
class AdapterWorkspace(Workspace):
    """
    A [`~workspace.Workspace`] whose slots are keys and values in every layer. `slots` holds the states from which
    doubt is computed. Unused columns have the slot id -1 and follow the others.

    Attributes:
        messages (`torch.LongTensor` of shape `(batch, n)`): 0 for tokens of the prompt, k for the k-th update.
        positions (`torch.LongTensor` of shape `(batch, n)`): Their positions in the stream.
        protected (`torch.BoolTensor` of shape `(batch, n)`): Which slots are never doubted nor evicted.
        prompt_length (`torch.LongTensor` of shape `(batch,)`): Position of the first emitted token.
        updates (`torch.LongTensor` of shape `(batch,)`): How many updates each row has received.
        key_values (`tuple`): Keys and values of the first columns, each `(batch, kv_heads, columns, head_dim)`, a pair
            per layer.
        later (`tuple`): The same for the columns added since; empty if there are none.
    """

    messages: torch.LongTensor
    positions: torch.LongTensor
    protected: torch.BoolTensor
    prompt_length: torch.LongTensor
    updates: torch.LongTensor
    key_values: tuple[KeyValues, ...]
    later: tuple[KeyValues, ...] = ()

    @property
    def front(self) -> int:
        """Number of columns in `key_values`."""
        return self.key_values[0][0].shape[2]

    @property
    def nbytes(self) -> int:
        layers = sum(keys.nbytes + values.nbytes for keys, values in (*self.key_values, *self.later))
        return layers + sum(getattr(self, name).nbytes for name in self._tensors())

    @classmethod
    def _tensors(cls) -> list[str]:
        return [entry.name for entry in fields(cls) if entry.name not in ("key_values", "later")]

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> "AdapterWorkspace":
        changed: dict = {name: function(getattr(self, name)) for name in self._tensors()}
        for name in ("key_values", "later"):
            changed[name] = tuple((function(keys), function(values)) for keys, values in getattr(self, name))
        return AdapterWorkspace(**changed)

    def merged(self) -> "AdapterWorkspace":
        """The same with all keys and values in `key_values`."""
        if not self.later:
            return self
        pairs = zip(self.key_values, self.later, strict=True)
        joined = tuple(
            (torch.cat([keys, more], dim=2), torch.cat([values, others], dim=2))
            for (keys, values), (more, others) in pairs
        )
        return replace(self, key_values=joined, later=())

    def take(self, columns: torch.LongTensor) -> "AdapterWorkspace":
        """The slots at these columns, `(batch, kept)`, of each row."""
        if self.later:
            return self.merged().take(columns)

        def taken(tensor: torch.Tensor) -> torch.Tensor:
            shape = (*columns.shape, *tensor.shape[2:])
            return tensor.gather(1, columns.view(*columns.shape, *[1] * (tensor.dim() - 2)).expand(shape))

        index = columns[:, None, :, None]
        key_values = tuple(
            (
                keys.gather(2, index.expand(-1, keys.shape[1], -1, keys.shape[3])),
                values.gather(2, index.expand(-1, values.shape[1], -1, values.shape[3])),
            )
            for keys, values in self.key_values
        )
        wide = {name: taken(getattr(self, name)) for name in self._tensors() if getattr(self, name).dim() > 1}
        return replace(self, **wide, key_values=key_values)

    def padded(self, columns: int) -> "AdapterWorkspace":
        """The workspace padded to `columns` columns."""
        missing = columns - self.slot_ids.shape[1]
        if not missing:
            return self.merged()
        if self.later:
            return self.merged().padded(columns)

        def fill(name: str) -> torch.Tensor:
            tensor = getattr(self, name)
            if tensor.dim() < 2:
                return tensor
            value = {"slot_ids": -1, "token_ids": -1, "log_validity": -torch.inf}.get(name, 0)
            return nn.functional.pad(tensor, [0, 0] * (tensor.dim() - 2) + [0, missing], value=value)

        def more(tensor: torch.Tensor) -> torch.Tensor:
            return nn.functional.pad(tensor, (0, 0, 0, missing))

        key_values = tuple((more(keys), more(values)) for keys, values in self.key_values)
        return AdapterWorkspace(**{name: fill(name) for name in self._tensors()}, key_values=key_values)

    def replace_rows(self, rows: torch.LongTensor, other: "AdapterWorkspace") -> "AdapterWorkspace":  # type: ignore[override]
        columns = max(self.slot_ids.shape[1], other.slot_ids.shape[1])
        mine, new = self.padded(columns), other.padded(columns)
        changed = {name: getattr(mine, name).index_copy(0, rows, getattr(new, name)) for name in self._tensors()}
        pairs = zip(mine.key_values, new.key_values, strict=True)
        key_values = tuple((k.index_copy(0, rows, a), v.index_copy(0, rows, b)) for (k, v), (a, b) in pairs)
        return AdapterWorkspace(**changed, key_values=key_values)

    @classmethod
    def joined(cls, parts: Sequence["AdapterWorkspace"]) -> "AdapterWorkspace":
        """Concatenates the rows of several workspaces."""
        columns = max(part.slot_ids.shape[1] for part in parts)
        parts = [part.padded(columns) for part in parts]
        joined = {name: torch.cat([getattr(part, name) for part in parts]) for name in cls._tensors()}
        layers = zip(*(part.key_values for part in parts), strict=True)
        key_values = tuple(
            (torch.cat([keys for keys, _ in layer]), torch.cat([values for _, values in layer])) for layer in layers
        )
        return cls(**joined, key_values=key_values)

    def with_message(self, other: "AdapterWorkspace") -> "AdapterWorkspace":
        """Appends the slots of `other`, row by row."""
        wide = {
            name: torch.cat([getattr(self, name), getattr(other, name)], dim=1)
            for name in self._tensors()
            if getattr(self, name).dim() > 1
        }
        pairs = zip(self.later or [None] * len(other.key_values), other.key_values, strict=True)
        return replace(self, **wide, later=tuple(grown(old, *new) for old, new in pairs))

    def evict(self, n_slots: int) -> "AdapterWorkspace":
        """
        Reduces the workspace to `n_slots` slots: the least valid are evicted, among equals the oldest. Protected slots
        are never evicted. Unused columns are removed too.
        """
        used = self.slot_ids >= 0
        columns = self.slot_ids.shape[1]
        longest = int(used.sum(1).max())
        if columns <= n_slots and columns - longest <= SPARE:
            return self
        rank = self.log_validity.masked_fill(self.protected, torch.inf).masked_fill(~used, -torch.inf)
        newest_first = rank.flip(1).sort(dim=1, descending=True, stable=True).indices
        chosen = (columns - 1 - newest_first)[:, : min(n_slots, max(1, longest))]
        # Keep the order, with unused columns last.
        order = chosen + columns * ~used.gather(1, chosen)
        return self.take(order.sort(dim=1).values % columns)


class DoubtHead(nn.Module):
    """
    The doubt that a message casts on an older slot, from last hidden states E_i of the message and S_n of the slot:
    `log(1 + sum_i exp(q(E_i) . (k(S_n) + distance) / sqrt(size) + bias))` (the rule of `update_validity`).
    """

    def __init__(self, hidden_size: int, size: int, max_distance: int):
        super().__init__()
        self.size = size
        self.norm = nn.LayerNorm(hidden_size, elementwise_affine=False)
        self.query = nn.Linear(hidden_size, size, bias=False)
        self.key = nn.Linear(hidden_size, size, bias=False)
        self.distance = nn.Embedding(max_distance, size)
        self.bias = nn.Parameter(torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for linear in (self.query, self.key):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
        nn.init.zeros_(self.distance.weight)
        nn.init.constant_(self.bias, -4.0)

    def keys(self, hidden: torch.Tensor) -> torch.Tensor:
        """Keys stored per slot: (..., hidden_size) -> (..., size)."""
        return self.key(self.norm(hidden.float()))

    def queries(self, hidden: torch.Tensor) -> torch.Tensor:
        """Queries of the tokens of a message that casts doubt: (..., hidden_size) -> (..., size)."""
        return self.query(self.norm(hidden.float()))

    def scores(self, queries: torch.Tensor, keys: torch.Tensor, distance: torch.LongTensor) -> torch.Tensor:
        """
        Scores of tokens against slots, `(batch, tokens, slots)`.

        Args:
            queries (`torch.Tensor` of shape `(batch, tokens, size)`): Queries of the messages that cast doubt.
            keys (`torch.Tensor` of shape `(batch, slots, size)`): Keys of the slots.
            distance (`torch.LongTensor` of shape `(batch, tokens, slots)`): Distance in updates, from 1.
        """
        by_distance = queries @ self.distance.weight.T
        index = (distance - 1).clamp(0, self.distance.num_embeddings - 1)
        scores = queries @ keys.transpose(1, 2) + by_distance.gather(-1, index)
        return (scores * self.size**-0.5).clamp(max=LARGEST_SCORE) + self.bias

    def by_version(
        self,
        queries: torch.Tensor,
        keys: torch.Tensor,
        messages: torch.LongTensor,
        numbers: torch.LongTensor,
        protected: torch.BoolTensor,
    ) -> torch.Tensor:
        """
        The log-validity of every incoming token at every version, `(batch, versions, tokens)`.

        Args:
            queries, keys (`torch.Tensor` of shape `(batch, tokens, size)`): From [`queries`] and [`keys`].
            messages (`torch.LongTensor` of shape `(batch, tokens)`): The message of each token, -1 for padding.
            numbers (`torch.LongTensor` of shape `(versions,)`): The versions, from 0.
            protected (`torch.BoolTensor` of shape `(batch, tokens)`): Which tokens are never doubted.
        """
        with torch.autocast(queries.device.type, enabled=False):
            queries, keys = queries.float(), keys.float()
            scores = self.scores(queries, keys, messages[:, :, None] - messages[:, None])
            members = (messages[:, None] == numbers[:, None]).float()
            doubt = (members @ scores.exp()).log1p()
            older = (messages[:, None] < numbers[:, None]) & ((messages >= 0) & ~protected)[:, None]
            return -doubt.masked_fill(~older, 0.0).cumsum(1)

    def forward(self, workspace: AdapterWorkspace, hidden: torch.Tensor, mask: torch.BoolTensor) -> torch.Tensor:
        """The doubt that one message, last hidden states `(batch, length, hidden_size)`, casts on `(batch, n)`."""
        distance = (workspace.updates[:, None] + 1 - workspace.messages)[:, None].expand(-1, hidden.shape[1], -1)
        scores = self.scores(self.queries(hidden), workspace.slots.float(), distance)
        doubt = (scores.exp() * mask[..., None]).sum(1).log1p()
        return doubt.masked_fill(workspace.protected | (workspace.slot_ids < 0), 0.0)


__all__ = ["AdapterWorkspace", "DoubtHead"]
