"""
The state of a running stream: keys and values, the convolution's few states beside them, what was heard, and which
version each emitted token knows.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


# Free columns behind a stream that had to move: so rarely are all its keys and values copied, and no more is wasted.
SPARE = 64


@dataclass
class Buffer:
    """
    Where keys and values are written, shared by all branches of a stream that have written nothing apart.

    Attributes:
        keys, values (`torch.Tensor` of shape `(batch, kv_heads, room, head_dim)`): Columns, taken and free.
        taken (`int`): How many of them somebody has written. They never change.
        front (`tuple[torch.Tensor, torch.Tensor]`, *optional*): Keys and values of slots: its first columns.
    """

    keys: torch.Tensor
    values: torch.Tensor
    taken: int
    front: tuple[torch.Tensor, torch.Tensor] | None = None


def empty_buffer(keys: torch.Tensor, values: torch.Tensor, columns: int, taken: int) -> Buffer:
    """A room for keys and values of these shapes, for so many columns and `SPARE` more."""
    free = (new.new_empty(*new.shape[:2], columns + SPARE, new.shape[3]) for new in (keys, values))
    return Buffer(next(free), next(free), taken)


class Grown(tuple):
    """A pair of keys and values `(batch, kv_heads, n, head_dim)` in a room that may have free columns behind them."""

    buffer: Buffer | None = None


def grown(pair: tuple | None, keys: torch.Tensor, values: torch.Tensor) -> tuple:
    """Keys and values with more behind them. A value: the pair stays as it is, though it may share its columns."""
    columns = 0 if pair is None else pair[0].shape[2]
    if torch.is_grad_enabled():
        return (keys, values) if pair is None else tuple(torch.cat(both, dim=2) for both in zip(pair, (keys, values)))
    end, buffer = columns + keys.shape[2], getattr(pair, "room", None)
    usable = buffer is not None and (torch.is_inference_mode_enabled() or not buffer.keys.is_inference())
    if buffer is None or not usable or buffer.taken != columns or end > buffer.keys.shape[2]:
        buffer = empty_buffer(keys, values, end, columns)
        if pair is not None:
            buffer.keys[:, :, :columns], buffer.values[:, :, :columns] = pair
    buffer.keys[:, :, columns:end], buffer.values[:, :, columns:end] = keys, values
    buffer.taken = end
    made = Grown((buffer.keys[:, :, :end], buffer.values[:, :, :end]))
    made.buffer = buffer
    return made


class GrowingLayer(DynamicLayer):
    """
    A [`~transformers.DynamicLayer`] that writes new columns behind the old ones instead of copying them all.

    What it holds is still a value: `keys` and `values` show columns that are never written again. A branch that finds
    the columns behind its own taken by another moves to a room of its own.

    Attributes:
        front (`tuple[torch.Tensor, torch.Tensor]`, *optional*): Keys and values of slots, which stand before its own
            in what [`update`] returns, and are not among `keys` and `values`.
    """

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.front: tuple[torch.Tensor, torch.Tensor] | None = None
        self._room: Buffer | None = None
        self._shown: tuple[torch.Tensor | None, torch.Tensor | None] = (None, None)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """Appends `(batch, kv_heads, length, head_dim)`. Returns all keys and values, those of `front` first."""
        if torch.is_grad_enabled():
            # What a backward pass has saved must not be written to.
            self._room = None
            keys, values = super().update(key_states, value_states, *args, **kwargs)
            if self.front is None:
                return keys, values
            return torch.cat([self.front[0], keys], dim=2), torch.cat([self.front[1], values], dim=2)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        slots = 0 if self.front is None else self.front[0].shape[2]
        start = slots + self.get_seq_length()
        end = start + key_states.shape[2]
        buffer = self._room
        if buffer is None or not self._may_write(buffer, slots, start, end):
            buffer = self._room = self._moved(key_states, value_states, slots, start, end)
        buffer.keys[:, :, start:end], buffer.values[:, :, start:end] = key_states, value_states
        buffer.taken = end
        self.keys, self.values = self._shown = buffer.keys[:, :, slots:end], buffer.values[:, :, slots:end]
        return buffer.keys[:, :, :end], buffer.values[:, :, :end]

    def _may_write(self, buffer: Buffer, slots: int, start: int, end: int) -> bool:
        usable = torch.is_inference_mode_enabled() or not buffer.keys.is_inference()
        if buffer.front is not self.front or end > buffer.keys.shape[2] or not usable:
            return False
        keys, values = self._shown
        # Whoever reorders or crops a layer puts other tensors in place of those that it shows.
        return self.keys is keys and self.values is values and buffer.taken == start

    def _moved(self, keys: torch.Tensor, values: torch.Tensor, slots: int, start: int, end: int) -> Buffer:
        """A room that holds the slots and its own columns, and has place up to column `end` and `SPARE` more."""
        buffer = empty_buffer(keys, values, end, start)
        buffer.front = self.front
        if self.front is not None:
            buffer.keys[:, :, :slots], buffer.values[:, :, :slots] = self.front
        if start > slots:
            buffer.keys[:, :, slots:start], buffer.values[:, :, slots:start] = self.keys, self.values
        return buffer

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps alive, free columns too."""
        held = [self.keys, self.values, *((self._room.keys, self._room.values) if self._room else ())]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage() for tensor in held}
        return sum(storage.nbytes() for storage in storages.values())


def take_columns(tensor: torch.Tensor, order: torch.LongTensor) -> torch.Tensor:
    """Columns of each row, `(batch, kept)`, out of `(batch, kv_heads, columns, head_dim)`."""
    if tensor.device.type == "cpu":
        # Row by row whole columns are copied: three times as fast there as gathering numbers.
        return torch.stack([row.index_select(1, kept) for row, kept in zip(tensor, order, strict=True)])
    return tensor.gather(2, order[:, None, :, None].expand(-1, tensor.shape[1], -1, tensor.shape[3]))


def among_rows(part: torch.Tensor, rows: torch.LongTensor, batch_size: int, columns: int, dim: int) -> torch.Tensor:
    """The newest columns, along `dim`, of some rows in the shape of the whole batch; zeros where there are none."""
    length = min(columns, part.shape[dim])
    shape = list(part.shape)
    shape[0], shape[dim] = batch_size, columns
    whole = part.new_zeros(shape)
    whole.narrow(dim, columns - length, length)[rows] = part.narrow(dim, part.shape[dim] - length, length)
    return whole


class DuplexCache(DynamicCache):
    """
    A [`~transformers.DynamicCache`] with the rest of a duplex stream's state.

    Nothing that it shows is changed in place, so that [`snapshot`] costs no copy and [`rollback`] is exact.

    Attributes:
        memory (`Workspace` or other, *optional*): What was heard, as the model keeps it outside its own stream.
        cross (`list[tuple[torch.Tensor, torch.Tensor]]`, *optional*): Its keys and values, one pair a layer.
        mask (`torch.BoolTensor` of shape `(batch, columns)`, *optional*):
            Which cached columns hold a token; None while all of them do.
        notice (`torch.BoolTensor` of shape `(batch,)`, *optional*): Which rows have heard an update that the token to
            be processed next is the first to know.
        emitted (`int`): How many columns of the emitted stream were processed.
        version (`torch.LongTensor` of shape `(batch,)`, *optional*): How many messages each row has heard.
        versions (`list[torch.LongTensor]`): The version that each emitted column knows, each of shape `(batch,)`.
        prompt (`tuple`, *optional*): What was said before the first step and is not yet read, ids and mask.
        opening (`torch.LongTensor` of shape `(batch,)`, *optional*): How many tokens at the front of the stream are a
            prompt that becomes slots once it is read (duplex adapter).
        updated (`torch.BoolTensor` of shape `(batch,)`, *optional*): Which rows have received an update, for a duplex
            adapter that splices.
        padding_id, end_ids (`int` and `list[int]`): What fills up rows that ended, and what ends them.
        processed_tokens (`int`): Tokens that entered the generator so far, all rows together.
    """

    # `crop` cannot undo an update: transformers must not count on it to take back a step that it ran too many.
    is_croppable = False
    # How many columns `crop` can take back. Convolution inputs older than that are forgotten: they grow with the width
    # of the model, not with its key-value heads.
    max_crop = 256
    # Columns of padding that are not worth moving anything for.
    least_gap = 32

    def __init__(self):
        super().__init__()
        self.layer_class_to_replicate = GrowingLayer
        self.memory: Any = None
        self.cross: list[tuple[torch.Tensor, torch.Tensor]] | None = None
        self.cross_bias: torch.Tensor | None = None
        self.mask: torch.BoolTensor | None = None
        self.notice: torch.BoolTensor | None = None
        self.emitted = 0
        self.version: torch.LongTensor | None = None
        self.versions: list[torch.LongTensor] = []
        self.ended: Any = None
        self.last_ids: Any = None
        self.prompt: tuple[torch.LongTensor, torch.BoolTensor] | None = None
        self.opening: torch.LongTensor | None = None
        self.updated: torch.BoolTensor | None = None
        self.padding_id: int | None = None
        self.end_ids: list[int] = []
        self.offset: torch.LongTensor | int = 0
        self.processed_tokens = 0
        self._conv_states: dict[int, torch.Tensor] = {}
        self._conv_inputs: dict[int, list[torch.Tensor]] = {}
        self._uncroppable = 0
        self._window = 0

    def start(self, batch_size: int, device) -> None:
        """Opens the books of a stream of so many rows. What a plain `forward` has put there before was emitted."""
        self.emitted = self.get_seq_length() + (self.offset if isinstance(self.offset, int) else 0)
        self.version = torch.zeros(batch_size, dtype=torch.long, device=device)
        self.ended = torch.zeros(batch_size, dtype=torch.bool, device=device)
        self.last_ids = torch.zeros(batch_size, dtype=torch.long, device=device)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args, **kwargs):
        """Appends to the stream of a layer. Returns its keys and values, behind those of slots that it attends to."""
        slots = getattr(self.memory, "key_values", None)
        while len(self.layers) <= layer_idx:
            self.layers.append(self.layer_class_to_replicate())
        self.layers[layer_idx].front = None if slots is None else slots[layer_idx]
        return super().update(key_states, value_states, layer_idx, *args, **kwargs)

    # Convolution states

    def conv_state(self, layer_idx: int) -> torch.Tensor | None:
        """The last `conv_width` inputs of a layer's convolution, row by row, `(batch, conv_width, hidden_size)`."""
        return self._conv_states.get(layer_idx)

    def update_conv(self, layer_idx: int, inputs: torch.Tensor, state: torch.Tensor) -> None:
        """Records a block's convolution inputs, `(batch, length, hidden_size)`, and the state after it."""
        self._conv_states[layer_idx] = state
        blocks = self._conv_inputs.setdefault(layer_idx, [])
        blocks.append(inputs)
        enough = self.max_crop + state.shape[1]
        if inputs.shape[1] > enough or len(blocks) > 2 * enough:
            self._conv_inputs[layer_idx] = [torch.cat(blocks, dim=1)[:, -enough:].clone()]

    def _crop_conv(self, columns: int, mask: torch.BoolTensor | None) -> None:
        """Takes the convolution back by so many columns, `mask` saying which columns held tokens before."""
        for layer_idx, state in self._conv_states.items():
            inputs = torch.cat(self._conv_inputs[layer_idx], dim=1)
            if mask is not None:
                # Columns beyond a window are forgotten by the mask first.
                inputs = inputs[:, -mask.shape[1] :]
            kept = inputs[:, : inputs.shape[1] - columns]
            width = state.shape[1]
            window = nn.functional.pad(kept, (0, 0, width, 0))
            if mask is not None:
                recent = mask[:, mask.shape[1] - inputs.shape[1] :]
                kept_mask = nn.functional.pad(recent[:, : kept.shape[1]], (width, 0))
                order = kept_mask.int().argsort(dim=1, stable=True)
                window = (window * kept_mask[..., None]).gather(1, order[..., None].expand_as(window))
                unchanged = ~recent[:, kept.shape[1] :].any(1)[:, None, None]
                window = torch.where(unchanged, nn.functional.pad(state, (0, 0, kept.shape[1], 0)), window)
            self._conv_states[layer_idx] = window[:, window.shape[1] - width :]
            self._conv_inputs[layer_idx] = [kept]

    # Columns

    def _explicit_mask(self, like: torch.BoolTensor) -> torch.BoolTensor:
        if self.mask is not None:
            return self.mask
        return torch.ones(like.shape[0], self.get_seq_length(), dtype=torch.bool, device=like.device)

    def append_mask(self, block_mask: torch.BoolTensor) -> None:
        """Adds a block's columns, `(batch, block)`, to the mask."""
        if self.mask is not None or not bool(block_mask.all()):
            self.mask = torch.cat([self._explicit_mask(block_mask), block_mask], dim=1)

    def retract_last(self, rows: torch.BoolTensor) -> None:
        """Takes the last token of the chosen rows, `(batch,)`, out of the stream, as if it had not been processed."""
        mask = self._explicit_mask(rows)
        last = mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1)
        column = torch.arange(mask.shape[1], device=mask.device)
        self.mask = mask & ~(rows[:, None] & (column == last[:, None]))
        # The states hold one input more than a step needs, so that each row's last one can be taken back.
        for layer_idx, state in self._conv_states.items():
            earlier = nn.functional.pad(state[:, :-1], (0, 0, 1, 0))
            self._conv_states[layer_idx] = torch.where(rows[:, None, None], earlier, state)

    def drop_columns_before(self, window: int) -> None:
        """Forgets the columns that no row's sliding window of `window` tokens reaches any more."""
        columns = self.get_seq_length()
        window = max([window, *(state.shape[1] for state in self._conv_states.values())])
        if columns < 2 * window:
            return
        self._window = window
        if self.mask is None:
            drop = columns - window
            self.offset = self.offset + drop
        else:
            remaining = self.mask.flip(1).cumsum(1).flip(1)
            needed = (self.mask & (remaining <= window)).any(0)
            drop = int(needed.int().argmax())
            self.offset = self.offset + self.mask[:, :drop].sum(1, keepdim=True)
            self.mask = self.mask[:, drop:]
        for layer in self.layers:
            layer.keys, layer.values = layer.keys[:, :, drop:].clone(), layer.values[:, :, drop:].clone()
        self._uncroppable = max(0, self._uncroppable - drop)

    def close_gaps(self) -> None:
        """
        Moves each row's tokens together once many columns of a batch are padding, for attention reads them all: a
        splice into one row leaves a gap in all others, and rows that ended early fill up with padding.
        """
        if self.mask is None:
            return
        columns, longest = self.mask.shape[1], int(self.mask.sum(1).max())
        if columns - longest < max(longest // 4, self.least_gap):
            return
        order = self.mask.int().argsort(dim=1, stable=True)[:, columns - longest :]
        for layer in self.layers:
            layer.keys, layer.values = take_columns(layer.keys, order), take_columns(layer.values, order)
        self.mask = self.mask.gather(1, order)
        # The states are each row's last inputs, which is all that is still known in the new order of columns.
        self._conv_inputs = {layer_idx: [state] for layer_idx, state in self._conv_states.items()}
        self._uncroppable = longest

    def protect(self, columns: int) -> None:
        """Marks the columns so far and the next `columns` as one splice that `crop` must not cut into."""
        self._uncroppable = self.get_seq_length() + columns

    # Rows and time

    def of_rows(self, rows: torch.LongTensor) -> "DuplexCache":
        """Some rows, `(rows,)`, on their own, to read what only they have to read before [`join_rows`]."""
        part = self.snapshot()
        part.versions, part._conv_inputs = [], {}
        part.batch_select_indices(rows)
        return part

    def join_rows(self, part: "DuplexCache", rows: torch.LongTensor, block_mask: torch.BoolTensor) -> None:
        """Takes over the block, its mask `(rows, block)`, that [`of_rows`] has read: for the others it is padding."""
        columns = block_mask.shape[1]
        whole = torch.ones(self.layers[0].keys.shape[0], dtype=torch.bool, device=rows.device)
        size = len(whole)
        self.mask = torch.cat([self._explicit_mask(whole), among_rows(block_mask, rows, size, columns, 1)], dim=1)
        for layer, read in zip(self.layers, part.layers, strict=True):
            layer.update(*(among_rows(tensor, rows, size, columns, 2) for tensor in (read.keys, read.values)))
        for layer_idx, state in part._conv_states.items():
            inputs = among_rows(torch.cat(part._conv_inputs[layer_idx], dim=1), rows, size, columns, 1)
            self.update_conv(layer_idx, inputs, self._conv_states[layer_idx].index_copy(0, rows, state))

    def _map(self, function) -> None:
        """Applies `function` to every tensor whose first dimension is the batch."""
        self._conv_states = {index: function(state) for index, state in self._conv_states.items()}
        self._conv_inputs = {index: [function(x) for x in inputs] for index, inputs in self._conv_inputs.items()}
        self.versions = [function(version) for version in self.versions]
        for name in ("mask", "version", "ended", "last_ids", "offset", "cross_bias", "notice", "opening", "updated"):
            value = getattr(self, name)
            if isinstance(value, torch.Tensor):
                setattr(self, name, function(value))
        if self.memory is not None:
            self.memory = self.memory.map(function)
        if self.cross is not None:
            self.cross = [(function(keys), function(values)) for keys, values in self.cross]

    def reorder_cache(self, beam_idx: torch.LongTensor):
        super().reorder_cache(beam_idx)
        self._map(lambda tensor: tensor.index_select(0, beam_idx.to(tensor.device)))

    def batch_repeat_interleave(self, repeats: int):
        super().batch_repeat_interleave(repeats)
        self._map(lambda tensor: tensor.repeat_interleave(repeats, dim=0))

    def batch_select_indices(self, indices: torch.Tensor):
        super().batch_select_indices(indices)
        self._map(lambda tensor: tensor[indices])

    def crop(self, tokens_to_remove: int) -> None:
        """
        Takes back the newest `-tokens_to_remove` emitted tokens. What was heard stays.

        Raises:
            ValueError: The number is positive, reaches back into a splice, or beyond what the cache remembers. A
                [`snapshot`] reaches back any distance.
        """
        columns = -tokens_to_remove
        if columns < 0:
            raise ValueError(f"`tokens_to_remove` must be negative or 0, got {tokens_to_remove}.")
        if columns == 0:
            return
        available = max(0, min(self.get_seq_length() - max(self._uncroppable, self._window), self.max_crop))
        if columns > available:
            raise ValueError(
                f"`tokens_to_remove` is {tokens_to_remove}, but only the last {available} tokens can be cropped; "
                "take a `snapshot()` before an update and `rollback()` to it."
            )
        super().crop(tokens_to_remove)
        self._crop_conv(columns, self.mask)
        if self.mask is not None:
            self.mask = self.mask[:, :-columns]
        self.emitted = max(0, self.emitted - columns)
        self.versions = self.versions[: self.emitted + 1]
        if 0 < self.emitted < len(self.versions) and self.version is not None:
            # What came in over the words that are gone is news to the next one.
            self.notice = self.version > self.versions[self.emitted]

    def reset(self) -> None:
        """Forgets everything, as a new cache."""
        self.__dict__.update(type(self)().__dict__)

    def snapshot(self) -> "DuplexCache":
        """The state as it is now, sharing its tensors. It can be rolled back to, or continued from as a branch."""
        twin = copy.copy(self)
        twin.layers = [copy.copy(layer) for layer in self.layers]
        twin._conv_states = dict(self._conv_states)
        twin._conv_inputs = {index: list(inputs) for index, inputs in self._conv_inputs.items()}
        twin.versions = list(self.versions)
        return twin

    def rollback(self, snapshot: "DuplexCache") -> None:
        """Returns to a [`snapshot`]: going on from here equals never having heard or said what came after it."""
        self.__dict__.update(snapshot.snapshot().__dict__)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors that this state keeps alive."""
        total = sum(layer.nbytes for layer in self.layers if layer.is_initialized)
        total += sum(state.nbytes for state in self._conv_states.values())
        total += sum(block.nbytes for inputs in self._conv_inputs.values() for block in inputs)
        total += sum(keys.nbytes + values.nbytes for keys, values in self.cross or ())
        return total + (0 if self.memory is None else self.memory.nbytes)
