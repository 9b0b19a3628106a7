"""
A baseline that inserts updates after the prompt, before all emitted tokens.

Nothing is trained, and no emitted token is read again. The tokens of an update are encoded as the end of the prompt;
emitted tokens keep their keys and values, their keys rotated by the length of the update. The states of earlier
emitted tokens do not depend on the update, but later tokens find it in the prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers.models.llama.modeling_llama import rotate_half

from ...modeling import DuplexBaselineForCausalLM, DuplexCache
from ...modeling.generation import left_padded


@dataclass(frozen=True)
class Incoming:
    """
    The incoming stream, prompt and updates, cached separately.

    Attributes:
        stream (`DuplexCache`): Its keys and values, and the states of its convolutions.
    """

    stream: DuplexCache

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> "Incoming":
        """The same with `function` applied to each tensor whose first dimension is the batch."""
        stream = self.stream.snapshot()
        for layer in stream.layers:
            layer.keys, layer.values = function(layer.keys), function(layer.values)
        stream._map(function)
        return Incoming(stream)

    @property
    def nbytes(self) -> int:
        return self.stream.nbytes


def token_mask(cache: DuplexCache, batch_size: int, device: torch.device) -> torch.BoolTensor:
    """Which cached columns hold a token, `(batch, columns)`."""
    if cache.mask is not None:
        return cache.mask
    return torch.ones(batch_size, cache.get_seq_length(), dtype=torch.bool, device=device)


class RelocatedForCausalLM(DuplexBaselineForCausalLM):
    """[`DuplexBaselineForCausalLM`] with relocated updates; works with any of its checkpoints."""

    def read_prompt(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> list:
        super().read_prompt(cache, ids, mask)
        self._insert(cache, ids, mask)
        return []

    def read_updates(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> list:
        super().read_updates(cache, ids, mask)
        self._insert(cache, ids.flatten(1), mask.flatten(1))
        return []

    def _insert(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> None:
        """Reads tokens `(batch, length)` after the incoming tokens so far, and before the emitted ones."""
        if self.config.sliding_window is not None:
            raise ValueError(
                "`sliding_window` must be None: behind a window, what was said would not find the update."
            )
        before = DuplexCache() if cache.memory is None else cache.memory.stream
        stream = before.snapshot()
        self._read_before_updates(stream, *left_padded([(ids, mask)]))
        stream.close_gaps()
        cache.processed_tokens += int(mask.sum())

        held, known, heard = (token_mask(part, ids.shape[0], ids.device) for part in (cache, before, stream))
        said = held.sum(1) - known.sum(1)
        # The emitted tokens are the end of each row.
        longest = int(said.max())
        order = held.int().argsort(dim=1, stable=True)[:, held.shape[1] - longest :]
        is_said = torch.arange(longest, device=ids.device) >= longest - said[:, None]
        joined = stream.snapshot()
        if longest:
            for old, new in zip(cache.layers, joined.layers, strict=True):
                index = order[:, None, :, None].expand(-1, old.keys.shape[1], -1, old.keys.shape[3])
                keys = self._turn(old.keys.gather(2, index), mask.sum(1))
                new.keys = torch.cat([new.keys, keys], dim=2)
                new.values = torch.cat([new.values, old.values.gather(2, index)], dim=2)
            for layer_idx, state in cache._conv_states.items():
                joined._conv_states[layer_idx] = self._join_states(stream._conv_states[layer_idx], state, said)

        cache.layers, cache._conv_states = joined.layers, joined._conv_states
        cache._conv_inputs = {layer_idx: [state] for layer_idx, state in joined._conv_states.items()}
        cache.mask = torch.cat([heard, is_said], dim=1)
        cache.memory = Incoming(stream)
        cache.protect(0)

    def _turn(self, keys: torch.Tensor, positions: torch.LongTensor) -> torch.Tensor:
        """Keys `(batch, kv_heads, length, head_dim)` rotated forward by the given number of positions, `(batch,)`."""
        rotary = self.model.rotary_emb
        cos, sin = (part[:, None] / rotary.attention_scaling for part in rotary(keys, positions[:, None]))
        return keys * cos + rotate_half(keys) * sin

    def _join_states(self, heard: torch.Tensor, said: torch.Tensor, lengths: torch.LongTensor) -> torch.Tensor:
        """
        The last inputs of a convolution after incoming and then emitted tokens, `(batch, conv_width, hidden_size)`,
        from the last inputs of each stream and the number of emitted tokens.
        """
        width = heard.shape[1]
        column = torch.arange(width, device=heard.device)
        lengths = lengths.clamp(max=width)[:, None]
        index = torch.where(column < width - lengths, column + lengths, column + width)
        return torch.cat([heard, said], dim=1).gather(1, index[..., None].expand(-1, -1, heard.shape[2]))
