"""
The state of a running stream: keys and values, convolution states, received messages, and the visible version of each
emitted token.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


# Free columns in a new buffer: a trade-off between copying a stream often and wasting memory.
SPARE = 64


@dataclass
class Buffer:
    """
    Memory for keys and values. Branches of a stream share it until they write different columns.

    Attributes:
        keys, values (`torch.Tensor` of shape `(batch, kv_heads, room, head_dim)`): Written and free columns.
        taken (`int`): Number of written columns. These never change.
        front (`tuple[torch.Tensor, torch.Tensor]`, *optional*): Keys and values of slots, the first columns.
    """

    keys: torch.Tensor
    values: torch.Tensor
    taken: int
    front: tuple[torch.Tensor, torch.Tensor] | None = None


def empty_buffer(keys: torch.Tensor, values: torch.Tensor, columns: int, taken: int) -> Buffer:
    """A buffer for keys and values of these shapes, with `columns + SPARE` columns."""
    free = (new.new_empty(*new.shape[:2], columns + SPARE, new.shape[3]) for new in (keys, values))
    return Buffer(next(free), next(free), taken)


class Grown(tuple):
    """A pair of keys and values `(batch, kv_heads, n, head_dim)` in a buffer that may have free columns after them."""

    buffer: Buffer | None = None


def grown(pair: tuple | None, keys: torch.Tensor, values: torch.Tensor) -> tuple:
    """Appends keys and values. The given pair does not change, but the result may share its memory."""
    columns = 0 if pair is None else pair[0].shape[2]
    if torch.is_grad_enabled():
        return (keys, values) if pair is None else tuple(torch.cat(both, dim=2) for both in zip(pair, (keys, values)))
    end, buffer = columns + keys.shape[2], getattr(pair, "buffer", None)
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
    A [`~transformers.DynamicLayer`] that writes new columns after the old ones instead of copying all of them.

    The columns of `keys` and `values` are never overwritten. If another branch has written the columns that follow,
    the layer moves to a new buffer.

    Attributes:
        front (`tuple[torch.Tensor, torch.Tensor]`, *optional*): Keys and values of slots. [`update`] returns them
            before the layer's own; `keys` and `values` do not include them.
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
            # Tensors saved for a backward pass must not be overwritten.
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
        # Reordering or cropping a layer replaces `keys` and `values`.
        return self.keys is keys and self.values is values and buffer.taken == start

    def _moved(self, keys: torch.Tensor, values: torch.Tensor, slots: int, start: int, end: int) -> Buffer:
        """A new buffer with the slots and the layer's columns, and space for `end + SPARE` columns."""
        buffer = empty_buffer(keys, values, end, start)
        buffer.front = self.front
        if self.front is not None:
            buffer.keys[:, :, :slots], buffer.values[:, :, :slots] = self.front
        if start > slots:
            buffer.keys[:, :, slots:start], buffer.values[:, :, slots:start] = self.keys, self.values
        return buffer

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps alive, including free columns."""
        held = [self.keys, self.values, *((self._room.keys, self._room.values) if self._room else ())]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage() for tensor in held}
        return sum(storage.nbytes() for storage in storages.values())


def take_columns(tensor: torch.Tensor, order: torch.LongTensor) -> torch.Tensor:
    """Selects columns `(batch, kept)` of each row from `(batch, kv_heads, columns, head_dim)`."""
    if tensor.device.type == "cpu":
        # On CPU, copying whole columns row by row is three times as fast as `gather`.
        return torch.stack([row.index_select(1, kept) for row, kept in zip(tensor, order, strict=True)])
    return tensor.gather(2, order[:, None, :, None].expand(-1, tensor.shape[1], -1, tensor.shape[3]))


def among_rows(part: torch.Tensor, rows: torch.LongTensor, batch_size: int, columns: int, dim: int) -> torch.Tensor:
    """Scatters the newest columns (along `dim`) of some rows into a zero tensor for the whole batch."""
    length = min(columns, part.shape[dim])
    shape = list(part.shape)
    shape[0], shape[dim] = batch_size, columns
    whole = part.new_zeros(shape)
    whole.narrow(dim, columns - length, length)[rows] = part.narrow(dim, part.shape[dim] - length, length)
    return whole


class DuplexCache(DynamicCache):
    """
    A [`~transformers.DynamicCache`] that also holds all other state of a duplex stream.

    Its tensors are not changed in place, so [`snapshot`] copies nothing and [`rollback`] is exact.

    Attributes:
        memory (`Workspace` or other, *optional*): Received messages, as the model stores them outside its stream.
        cross (`list[tuple[torch.Tensor, torch.Tensor]]`, *optional*): Keys and values of `memory`, one pair per layer.
        mask (`torch.BoolTensor` of shape `(batch, columns)`, *optional*):
            Which cached columns hold a token; None if all do.
        notice (`torch.BoolTensor` of shape `(batch,)`, *optional*): Which rows have received an update that first
            becomes visible to the next token processed.
        emitted (`int`): Number of processed columns of the emitted stream.
        version (`torch.LongTensor` of shape `(batch,)`, *optional*): Number of messages that each row has received.
        versions (`list[torch.LongTensor]`): The visible version of each emitted column, each of shape `(batch,)`.
        prompt (`tuple`, *optional*): Ids and mask of a prompt that has not been read yet.
        opening (`torch.LongTensor` of shape `(batch,)`, *optional*): How many tokens at the front of the stream are a
            prompt that becomes slots once it is read (duplex adapter).
        updated (`torch.BoolTensor` of shape `(batch,)`, *optional*): Which rows have received an update, for a duplex
            adapter that splices.
        padding_id, end_ids (`int` and `list[int]`): The token that pads ended rows, and the tokens that end a row.
        processed_tokens (`int`): Number of tokens processed so far, over all rows.
    """

    # `crop` cannot undo an update: transformers must not rely on it to remove a surplus step.
    is_croppable = False
    # How many columns `crop` can remove. Older convolution inputs are dropped, because their size grows with the width
    # of the model, not with its key-value heads.
    max_crop = 256
    # Minimum number of padding columns that `close_gaps` removes.
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
        """Initializes per-row state. Columns that a plain `forward` wrote before count as emitted."""
        self.emitted = self.get_seq_length() + (self.offset if isinstance(self.offset, int) else 0)
        self.version = torch.zeros(batch_size, dtype=torch.long, device=device)
        self.ended = torch.zeros(batch_size, dtype=torch.bool, device=device)
        self.last_ids = torch.zeros(batch_size, dtype=torch.long, device=device)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args, **kwargs):
        """Appends to the stream of a layer. Returns keys and values of the slots, followed by those of the stream."""
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
        """Removes the last `columns` columns of the convolution; `mask` is the mask before the removal."""
        for layer_idx, state in self._conv_states.items():
            inputs = torch.cat(self._conv_inputs[layer_idx], dim=1)
            if mask is not None:
                # The mask drops columns outside a window first.
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
        """Removes the last token of the chosen rows, `(batch,)`, as if it had not been processed."""
        mask = self._explicit_mask(rows)
        last = mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1)
        column = torch.arange(mask.shape[1], device=mask.device)
        self.mask = mask & ~(rows[:, None] & (column == last[:, None]))
        # The states hold one more input than a step needs, so that the last one of each row can be removed.
        for layer_idx, state in self._conv_states.items():
            earlier = nn.functional.pad(state[:, :-1], (0, 0, 1, 0))
            self._conv_states[layer_idx] = torch.where(rows[:, None, None], earlier, state)

    def drop_columns_before(self, window: int) -> None:
        """Drops the columns outside the sliding window of `window` tokens in every row."""
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
        Moves the tokens of each row together if many columns of a batch are padding, since attention reads all
        columns. A splice into one row leaves a gap in all others, and rows that ended early are padded.
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
        # Only the last inputs of each row, the states, are valid in the new column order.
        self._conv_inputs = {layer_idx: [state] for layer_idx, state in self._conv_states.items()}
        self._uncroppable = longest

    def protect(self, columns: int) -> None:
        """Marks the columns so far and the next `columns` as one splice that `crop` must not cut into."""
        self._uncroppable = self.get_seq_length() + columns

    # Rows and time

    def of_rows(self, rows: torch.LongTensor) -> "DuplexCache":
        """A cache of some rows, `(rows,)`, to process a block that only they have; then call [`join_rows`]."""
        part = self.snapshot()
        part.versions, part._conv_inputs = [], {}
        part.batch_select_indices(rows)
        return part

    def join_rows(self, part: "DuplexCache", rows: torch.LongTensor, block_mask: torch.BoolTensor) -> None:
        """Adds the block, mask `(rows, block)`, that a cache of [`of_rows`] processed; padding for other rows."""
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
        Removes the newest `-tokens_to_remove` emitted tokens. Received messages stay.

        Raises:
            ValueError: The number is positive, or reaches back into a splice or beyond the tokens that can be cropped.
                A [`snapshot`] has no such limit.
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
            # Updates received during the removed tokens become newly visible at the next token.
            self.notice = self.version > self.versions[self.emitted]

    def reset(self) -> None:
        """Resets to a new, empty cache."""
        self.__dict__.update(type(self)().__dict__)

    def snapshot(self) -> "DuplexCache":
        """The current state, sharing its tensors. Use it for a [`rollback`], or continue from it as a branch."""
        twin = copy.copy(self)
        twin.layers = [copy.copy(layer) for layer in self.layers]
        twin._conv_states = dict(self._conv_states)
        twin._conv_inputs = {index: list(inputs) for index, inputs in self._conv_inputs.items()}
        twin.versions = list(self.versions)
        return twin

    def rollback(self, snapshot: "DuplexCache") -> None:
        """Returns to a [`snapshot`], exactly as if nothing had been received or emitted after it."""
        self.__dict__.update(snapshot.snapshot().__dict__)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors that this state keeps alive."""
        total = sum(layer.nbytes for layer in self.layers if layer.is_initialized)
        total += sum(state.nbytes for state in self._conv_states.values())
        total += sum(block.nbytes for inputs in self._conv_inputs.values() for block in inputs)
        total += sum(keys.nbytes + values.nbytes for keys, values in self.cross or ())
        return total + (0 if self.memory is None else self.memory.nbytes)
