"""
Moving rows between the caches of running batches, so that conversations can join and leave.

A cache at rest has processed all emitted tokens of its rows except the last one of each, which the batch keeps in its
`columns`. Earlier tokens are not kept: positions are counted in the mask of the cache.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import nn

from ..modeling import AdapterWorkspace, DuplexCache
from ..modeling.cache import take_columns
from ..modeling.modeling_dual_stream import UpdateStream


def settle(cache: DuplexCache) -> None:
    """Drops state that only a rollback needs, so that a cache at rest does not depend on where its rows came from."""
    assert cache.version is not None
    cache.emitted, cache.versions = 1, [cache.version, cache.version]
    cache._conv_inputs = {index: [state] for index, state in cache._conv_states.items()}
    cache._uncroppable = cache.get_seq_length()
    # A pending splice is read together with the next token of its row: by now it was read.
    cache.notice = None
    cache.prompt = None
    if isinstance(cache.memory, UpdateStream):
        _close_second_stream(cache, cache.memory)


def _close_second_stream(cache: DuplexCache, memory: UpdateStream) -> None:
    """
    Compacts a second stream once most of it is padding: an update to one row leaves a gap in all other rows. The
    positions of its tokens do not depend on their columns.
    """
    columns, longest = memory.mask.shape[1], int(memory.mask.sum(1).max())
    if columns < 2 * longest + DuplexCache.least_gap or cache.cross is None or cache.cross_bias is None:
        return
    order = (~memory.mask).int().argsort(dim=1, stable=True)[:, :longest]
    cache.memory = UpdateStream(memory.mask.gather(1, order), memory.count)
    # Column 0 is the one for "no message".
    kept = nn.functional.pad(order + 1, (1, 0))
    cache.cross = [(take_columns(keys, kept), take_columns(values, kept)) for keys, values in cache.cross]
    cache.cross_bias = cache.cross_bias.gather(3, kept[:, None, None])


def leave_room(cache: DuplexCache) -> None:
    """Drops references to buffers of the source cache, which would keep all of its rows in memory."""
    for layer in cache.layers:
        layer._room, layer._shown = None, (None, None)


def take_rows(cache: DuplexCache, rows: Sequence[int]) -> DuplexCache:
    """A new cache of some rows of another one, which does not change."""
    part = cache.snapshot()
    chosen = torch.tensor(rows, dtype=torch.long, device=cache.layers[0].keys.device)
    part.batch_select_indices(chosen)
    if part.mask is not None:
        unused = int(part.mask.any(0).int().argmax())
        if unused:
            part.mask = part.mask[:, unused:]
            for layer in part.layers:
                layer.keys, layer.values = layer.keys[:, :, unused:].clone(), layer.values[:, :, unused:].clone()
        part.close_gaps()
    leave_room(part)
    settle(part)
    return part


def stack(tensors: Sequence[torch.Tensor], dim: int | None = None, left: bool = False, value: float = 0) -> Any:
    """Concatenates the rows of several tensors, padded to the longest along `dim`."""
    if dim is not None and len({tensor.shape[dim] for tensor in tensors}) > 1:
        longest = max(tensor.shape[dim] for tensor in tensors)
        filled = []
        for tensor in tensors:
            missing = longest - tensor.shape[dim]
            around = [0, 0] * (tensor.dim() - 1 - dim % tensor.dim()) + ([missing, 0] if left else [0, missing])
            filled.append(nn.functional.pad(tensor, around, value=value))
        tensors = filled
    return torch.cat(list(tensors), dim=0)


def row_count(cache: DuplexCache) -> int:
    return cache.layers[0].keys.shape[0]


def join(caches: Sequence[DuplexCache]) -> DuplexCache:
    """Joins the rows of several caches at rest into a new one. The caches do not change, nor do results of a row."""
    whole = caches[0].snapshot()
    if len(caches) == 1:
        return whole
    for index, layer in enumerate(whole.layers):
        layer.keys = stack([cache.layers[index].keys for cache in caches], 2, left=True)
        layer.values = stack([cache.layers[index].values for cache in caches], 2, left=True)
    masks = []
    for cache in caches:
        keys = cache.layers[0].keys
        full = torch.ones(keys.shape[0], keys.shape[2], dtype=torch.bool, device=keys.device)
        masks.append(full if cache.mask is None else cache.mask)
    whole.mask = stack(masks, 1, left=True)
    for name in ("version", "ended", "last_ids"):
        setattr(whole, name, stack([getattr(cache, name) for cache in caches]))
    if any(cache.updated is not None for cache in caches):
        whole.updated = stack([_updated(cache) for cache in caches])
    offsets = [_offset(cache) for cache in caches]
    whole.offset = stack(offsets) if any(bool(offset.any()) for offset in offsets) else 0
    whole._window = max(cache._window for cache in caches)
    whole._conv_states = {
        index: stack([cache._conv_states[index] for cache in caches]) for index in whole._conv_states
    }
    if whole.cross is not None:
        pairs = [[cache.cross[index] for cache in caches if cache.cross] for index in range(len(whole.cross))]
        whole.cross = [
            (stack([keys for keys, _ in layer], 2), stack([values for _, values in layer], 2)) for layer in pairs
        ]
        biases = [cache.cross_bias for cache in caches if cache.cross_bias is not None]
        whole.cross_bias = stack(biases, 3, value=-torch.inf)
    whole.memory = _join_memory(caches)
    leave_room(whole)
    settle(whole)
    return whole


def _updated(cache: DuplexCache) -> torch.Tensor:
    """Which rows have received an update, `(rows,)`; all false if the cache does not track it."""
    assert cache.version is not None
    return torch.zeros_like(cache.version).bool() if cache.updated is None else cache.updated


def _offset(cache: DuplexCache) -> torch.Tensor:
    """Number of tokens that each row has dropped, `(rows, 1)`."""
    rows = row_count(cache)
    offset = torch.as_tensor(cache.offset, device=cache.layers[0].keys.device)
    return offset.expand(rows, 1) if offset.dim() else offset.view(1, 1).expand(rows, 1)


def _join_memory(caches: Sequence[DuplexCache]) -> Any:
    """Joins the incoming state of all rows. A row that has received no message yet gets an empty second stream."""
    if all(cache.memory is None for cache in caches):
        return None
    if any(isinstance(cache.memory, AdapterWorkspace) for cache in caches):
        return AdapterWorkspace.joined([cache.memory for cache in caches])
    memories = []
    for cache in caches:
        assert cache.version is not None
        silent = cache.version.new_zeros(row_count(cache), 0).bool()
        memories.append(cache.memory or UpdateStream(silent, torch.zeros_like(cache.version)))
    kind = type(memories[0])
    joined = {}
    for field in fields(kind):
        values = [getattr(memory, field.name) for memory in memories]
        joined[field.name] = stack(values, 1 if values[0].dim() > 1 else None)
    return kind(**joined)
