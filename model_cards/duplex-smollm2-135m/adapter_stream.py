"""The stream of a duplex adapter in generation: what each new token can see, and how incoming text joins."""

import torch
from torch import nn
from transformers.utils import logging

from .adapter_parts import AdapterParts
from .attention_duplex import Part, Visibility
from .cache import DuplexCache, take_columns
from .generation import DuplexGenerationMixin
from .slots_adapter import AdapterWorkspace


logger = logging.get_logger(__name__)


class AdapterStream(AdapterParts, DuplexGenerationMixin):
    """The generation hooks of [`~modeling_adapter.DuplexAdapterForCausalLM`]."""

    def read_prompt(self, cache, ids, mask):
        """The prompt enters the stream as for the base; with a workspace, its columns then become slots."""
        if not self.keeps_workspace:
            return super().read_prompt(cache, ids, mask)
        self._open(cache, mask)
        return [(ids, mask)]

    def read_input_ids(self, cache, mask):
        """Without `prompt_ids`, the prompt is `input_ids` without the last token."""
        if self.keeps_workspace:
            before_last = mask.flip(1).cumsum(1).flip(1) > 1
            self._open(cache, mask & before_last)

    def _check_generate_arguments(self, inputs, generation_config, kwargs) -> None:
        super()._check_generate_arguments(inputs, generation_config, kwargs)
        end = self.config.turn_end_token_id
        alone = inputs is not None and kwargs.get("prompt_ids") is None and kwargs.get("past_key_values") is None
        if alone and end is not None and not bool((inputs == end).any()):
            logger.warning_once(
                "The prompt has no turn of the chat template, so that it is continued rather than answered, and may "
                'end at once. Hand over a chat: `pipe([{"role": "user", "content": ...}])`, or with `generate` what '
                "`tokenizer.apply_chat_template(..., add_generation_prompt=True)` returns."
            )

    def _open(self, cache: DuplexCache, mask: torch.BoolTensor) -> None:
        cache.opening, cache.version = mask.sum(1), self._prompt_versions(mask)

    def read_updates(self, cache, ids, mask):
        if not self.keeps_workspace:
            cache.updated = self._updated(cache, mask)
            return super().read_updates(cache, ids, mask)
        own = torch.as_tensor(cache.get_seq_length(), device=ids.device).expand(len(ids))
        own = own if cache.mask is None else cache.mask.sum(1)
        rows = mask.flatten(1).any(1).nonzero()[:, 0]
        before = self._empty(len(ids)) if cache.memory is None else cache.memory
        cache.opening = None
        if len(rows) == len(ids):
            cache.memory = self.fold(before, ids, mask, own + 1)
        else:
            part = before.map(lambda tensor: tensor[rows])
            part = self.fold(part, ids[rows], mask[rows], own[rows] + 1)
            cache.memory = before.replace_rows(rows, part).evict(self.config.n_slots)
        cache.version, cache.notice = cache.memory.version, mask.flatten(1).any(1)
        cache.processed_tokens += int(mask.sum())
        return []

    def _updated(self, cache: DuplexCache, mask: torch.BoolTensor) -> torch.BoolTensor:
        """Which rows have received an update, including those of `mask`."""
        now = mask.flatten(1).any(1)
        return now if cache.updated is None else cache.updated | now

    def _read_block(self, cache, ids, mask) -> None:
        cache.append_mask(mask)
        self._step(ids, cache)

    def _positions(self, cache, columns):
        if self.keeps_workspace or self.routed:
            return {}
        return super()._positions(cache, columns)

    def _step(self, ids: torch.LongTensor, cache: DuplexCache) -> torch.Tensor:
        """Last hidden states of new columns `(batch, length)`, padded on the left; adds them to the cache."""
        if not self.routed:
            positions = super()._positions(cache, ids.shape[1])
            output = self.base(
                input_ids=ids,
                attention_mask=cache.mask,
                past_key_values=cache,
                use_cache=True,
                output_hidden_states=True,
                **positions,
            )
            return output.logits
        cached, length = cache.get_seq_length(), ids.shape[1]
        if cache.mask is None:
            own = torch.arange(cached + length, device=ids.device).expand(len(ids), -1)
        else:
            own = (cache.mask.cumsum(1) - 1).clamp(min=0)
        workspace, opening = cache.memory, cache.opening
        if workspace is not None:
            own = own + workspace.prompt_length[:, None]
        positions = own[:, -length:]
        factors = self._factors(cache, len(ids), ids.device)
        visibility = self._sight(cache, own, length)
        hidden = self.decode(self._noticed(ids, cache), positions, visibility, cache, factors)
        if opening is not None:
            self._move_prompt(cache, ids, hidden, opening)
        return hidden

    def _factors(self, cache: DuplexCache, rows: int, device) -> torch.Tensor | None:
        if self.config.scope == "always" or not self.config.lora_rank:
            return None
        if self.keeps_workspace:
            received = cache.memory is not None and cache.memory.updates > 0
        else:
            received = cache.updated
        if not isinstance(received, torch.Tensor):
            return torch.zeros(rows, 1, 1, device=device)
        return received.float()[:, None, None]

    def _sight(self, cache: DuplexCache, own: torch.LongTensor, length: int) -> Visibility:
        """What the newest columns can see: the slots, by their validity, and the stream up to each column."""
        workspace = cache.memory
        positions = own[:, -length:]
        if workspace is None or not workspace.slot_ids.shape[1]:
            if cache.mask is None:
                return Visibility(self.implementation, positions, own)
            return Visibility(self.implementation, positions, own, allowed=causal_columns(cache.mask, own, length))
        front = workspace.front
        keys = torch.cat([workspace.positions[:, :front], own], dim=1)
        used = workspace.slot_ids[:, :front] >= 0
        validity = workspace.log_validity[:, :front].masked_fill(~used, 0.0)
        doubted = bool((validity != 0).any())
        parts = slot_parts(workspace, workspace.log_validity, start=1)
        if not doubted and cache.mask is None and bool(used.all()):
            return Visibility(self.implementation, positions, keys, parts=parts)
        valid = torch.ones_like(own, dtype=torch.bool) if cache.mask is None else cache.mask
        slots = used[:, None].expand(-1, length, -1)
        allowed = torch.cat([slots, causal_columns(valid, own, length)], dim=2)
        bias = None
        if doubted:
            bias = nn.functional.pad(validity, (0, own.shape[1]))[:, None]
        return Visibility(self.implementation, positions, keys, allowed, bias, parts)

    def _noticed(self, ids: torch.LongTensor, cache: DuplexCache) -> torch.Tensor:
        """Embeddings of new columns, with the first token marked in rows that have just received an update."""
        embeds = self.embed(ids)
        if cache.notice is None or not hasattr(self, "notice"):
            return embeds
        mask = torch.ones_like(ids) if cache.mask is None else cache.mask[:, -ids.shape[1] :].long()
        marked = (mask.cumsum(1) == 1) & (mask != 0) & cache.notice[:, None]
        cache.notice = None
        return embeds + (marked[..., None] * self.notice).to(embeds.dtype)

    def _move_prompt(
        self, cache: DuplexCache, ids: torch.LongTensor, hidden: torch.Tensor, lengths: torch.LongTensor
    ) -> None:
        """Converts the first `lengths` tokens of each row, read as the start of the stream, to slots."""
        mask = torch.ones_like(ids, dtype=torch.bool) if cache.mask is None else cache.mask
        number = mask.cumsum(1) - 1
        prompt = mask & (number < lengths[:, None])
        longest = int(prompt.sum(1).max())
        order = (~prompt).int().argsort(dim=1, stable=True)[:, :longest]
        reading = DuplexCache()
        reading.layers = [
            Columns(take_columns(layer.keys, order), take_columns(layer.values, order)) for layer in cache.layers
        ]
        index = order[..., None].expand(-1, -1, hidden.shape[-1])
        placed = prompt.gather(1, order)
        cache.memory = self._prompt_slots(ids.gather(1, order), placed, hidden.gather(1, index), reading)
        own = mask & ~prompt
        width = int(own.sum(1).max())
        order = own.int().argsort(dim=1, stable=True)[:, own.shape[1] - width :]
        for layer in cache.layers:
            layer.keys, layer.values = take_columns(layer.keys, order), take_columns(layer.values, order)
        left = own.gather(1, order)
        cache.mask = None if bool(left.all()) else left
        cache.opening, cache._uncroppable = None, width


def causal_columns(mask: torch.BoolTensor, own: torch.LongTensor, length: int) -> torch.BoolTensor:
    """Which columns each of the newest `length` sees, `(batch, length, columns)`: those with a token, up to itself."""
    column = torch.arange(own.shape[1], device=own.device)
    seen = (column <= column[own.shape[1] - length :, None]) & mask[:, None]
    # Padding attends to itself, so that no softmax is undefined.
    return seen | (column == column[own.shape[1] - length :, None])


def slot_parts(workspace: AdapterWorkspace, bias: torch.Tensor, start: int = 0) -> list[Part]:
    """The slots of a workspace as parts to attend to, without the first part if `start` is 1; `bias` `(batch, n)`."""
    front, columns = workspace.front, workspace.slot_ids.shape[1]
    used = workspace.slot_ids >= 0
    bias = bias.masked_fill(~used, 0.0)
    stretches = [(workspace.key_values, 0, front), (workspace.later, front, columns)][start:]
    return [
        Part(pairs, workspace.positions[:, first:last], used[:, first:last], bias[:, first:last])
        for pairs, first, last in stretches
        if last > first
    ]


class Columns:
    """Columns of one layer."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor):
        self.keys, self.values = keys, values


__all__ = ["AdapterStream", "Columns", "causal_columns", "slot_parts"]
