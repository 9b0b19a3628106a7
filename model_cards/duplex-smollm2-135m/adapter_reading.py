"""Reads incoming text into the workspace of a duplex adapter: the prompt, then every update once, in order."""

from dataclasses import replace

import torch

from .adapter_parts import AdapterParts
from .adapter_stream import Columns, slot_parts
from .attention_duplex import Visibility
from .cache import DuplexCache
from .interrupts import check_ids
from .layout_adapter import compact, protected_columns, update_places
from .slots_adapter import AdapterWorkspace


class AdapterReading(AdapterParts):
    """The workspace of [`~modeling_adapter.DuplexAdapterForCausalLM`]."""

    def update_workspace(
        self,
        message_ids: torch.LongTensor,
        message_mask: torch.Tensor | None = None,
        workspace: AdapterWorkspace | None = None,
        emitted: int = 0,
    ) -> AdapterWorkspace:
        """
        Folds messages into a workspace: `W_k = f_update(W_{k-1}, U_k)`. Differentiable.

        Args:
            message_ids (`torch.LongTensor` of shape `(batch, length)` or `(batch, messages, length)`): The messages.
                The first message of a new workspace is the prompt, all others are updates.
            message_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where they hold tokens, at the front.
            workspace (`AdapterWorkspace`, *optional*): The previous version. Defaults to a new workspace.
            emitted (`int`, *optional*, defaults to 0): Number of tokens emitted before the updates, without the start
                token. Updates of one call arrive together.

        Returns:
            A new [`AdapterWorkspace`]; the argument is not modified.

        Raises:
            ValueError: The model has no workspace, or ids or shapes are invalid; the message names the argument.
        """
        self._need_workspace()
        vocab = self.config.get_text_config().vocab_size
        check_ids("message_ids", message_ids, message_mask, vocab, dims=(2, 3))
        mask = torch.ones_like(message_ids) if message_mask is None else message_mask
        if message_ids.dim() == 2:
            message_ids, mask = message_ids[:, None], mask[:, None]
        mask = mask.bool()
        if bool((mask[..., 1:] & ~mask[..., :-1]).any()):
            raise ValueError("`message_mask` must have its ones at the front: pad messages on the right.")
        if workspace is None:
            self.check_prompt("message_ids", mask[:, 0].sum(1))
            workspace = self.read_first(message_ids[:, 0], mask[:, 0])
            message_ids, mask = message_ids[:, 1:], mask[:, 1:]
        if workspace.version.shape[0] != message_ids.shape[0]:
            raise ValueError(
                f"`workspace` has {workspace.version.shape[0]} rows, but `message_ids` has {message_ids.shape[0]}."
            )
        if not mask.any():
            return workspace
        self.check_updates("message_ids", mask)
        first_known = torch.full_like(workspace.version, emitted + 1)
        return self.fold(workspace, message_ids, mask, first_known)

    def read_first(self, ids: torch.LongTensor, mask: torch.BoolTensor) -> AdapterWorkspace:
        """The workspace after prompts `(batch, length)`."""
        if not bool(mask.any()):
            return self._empty(len(ids))
        ids, placed = compact(mask, ids, mask)
        positions = (placed.cumsum(1) - 1).clamp(min=0)
        hidden, cache = self._read(None, ids, placed, positions, self._factors_of_prompt(ids))
        return self._prompt_slots(ids, placed, hidden, cache)

    def _prompt_slots(
        self, ids: torch.LongTensor, mask: torch.BoolTensor, hidden: torch.Tensor, cache: DuplexCache
    ) -> AdapterWorkspace:
        """The workspace of prompts whose columns are the first of a cache, `(batch, tokens)`, padded on the right."""
        batch, columns = ids.shape
        offset = torch.arange(columns, device=ids.device).expand(batch, -1)
        version = self._prompt_versions(mask)
        workspace = AdapterWorkspace(
            slots=self._doubt_keys(hidden),
            log_validity=torch.zeros(batch, columns, device=ids.device).masked_fill(~mask, -torch.inf),
            slot_ids=offset.masked_fill(~mask, -1),
            token_ids=ids.masked_fill(~mask, -1),
            doubts=torch.zeros(batch, columns, 0, device=ids.device),
            version=version,
            messages=torch.zeros_like(ids),
            positions=offset,
            protected=protected_columns(ids, mask, self.config.system_prefix_ids, self.config.turn_end_token_id),
            prompt_length=mask.sum(1),
            updates=torch.zeros_like(version),
            key_values=tuple((layer.keys[:, :, :columns], layer.values[:, :, :columns]) for layer in cache.layers),
        )
        return workspace

    def _empty(self, batch: int) -> AdapterWorkspace:
        """The workspace of rows without a prompt."""
        text = self.base.config.get_text_config()
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        nothing = torch.zeros(batch, heads, 0, head_dim, device=self.device, dtype=self.dtype)
        ids = torch.zeros(batch, 0, dtype=torch.long, device=self.device)
        reading = DuplexCache()
        reading.layers = [Columns(nothing, nothing) for _ in range(text.num_hidden_layers)]
        hidden = torch.zeros(batch, 0, text.hidden_size, device=self.device, dtype=self.dtype)
        return self._prompt_slots(ids, ids.bool(), hidden, reading)

    def _prompt_versions(self, mask: torch.BoolTensor) -> torch.LongTensor:
        """Number of messages in prompts: one per `max_message_length` tokens, rounded up."""
        return -(-mask.sum(1) // self.config.max_message_length)

    def fold(
        self,
        workspace: AdapterWorkspace,
        ids: torch.LongTensor,
        mask: torch.BoolTensor,
        first_known: torch.LongTensor,
    ) -> AdapterWorkspace:
        """
        Reads updates `(batch, updates, length)` into a workspace; `first_known` `(batch,)` is the index of the first
        emitted token that can see them. They are read once, causally, and attend to all slots, doubted or not.
        """
        lengths = mask.sum(-1)
        places = update_places(mask, first_known[:, None].expand_as(lengths), workspace.prompt_length)
        arrived = (lengths > 0).long()
        number = workspace.updates[:, None] + arrived.cumsum(1)
        offset = torch.arange(ids.shape[2], device=ids.device)
        last = workspace.version[:, None] + arrived.cumsum(1) - 1
        slot_ids = last[..., None] * self.config.max_message_length + offset
        wide = [tensor.expand_as(ids).flatten(1) for tensor in (places, number[..., None], slot_ids)]
        ids, places, number, slot_ids, placed = compact(mask.flatten(1), ids.flatten(1), *wide, mask.flatten(1))
        hidden, cache = self._read(workspace, ids, placed, places, None)
        new = AdapterWorkspace(
            slots=self._doubt_keys(hidden),
            log_validity=torch.zeros_like(places, dtype=torch.float32).masked_fill(~placed, -torch.inf),
            slot_ids=slot_ids.masked_fill(~placed, -1),
            token_ids=ids.masked_fill(~placed, -1),
            doubts=torch.zeros(*ids.shape, 0, device=ids.device),
            version=workspace.version,
            messages=number.masked_fill(~placed, 0),
            positions=places,
            protected=torch.zeros_like(placed),
            prompt_length=workspace.prompt_length,
            updates=workspace.updates,
            key_values=tuple((layer.keys, layer.values) for layer in cache.layers),
        )
        workspace = workspace.with_message(new)
        for _ in range(int(arrived.sum(1).max())):
            # The next update of each row casts doubt on every older slot.
            following = (workspace.updates + 1)[:, None]
            casting = placed & (number == following)
            older = workspace.messages < following
            if hasattr(self, "doubt"):
                doubt = self.doubt(workspace, hidden, casting).masked_fill(~older, 0.0)
                workspace = replace(workspace, log_validity=workspace.log_validity - doubt)
            received = casting.any(1).long()
            workspace = replace(workspace, version=workspace.version + received, updates=workspace.updates + received)
        return workspace.evict(self.config.n_slots)

    def _read(
        self,
        workspace: AdapterWorkspace | None,
        ids: torch.LongTensor,
        mask: torch.BoolTensor,
        positions: torch.LongTensor,
        factors: torch.Tensor | None,
    ) -> tuple[torch.Tensor, DuplexCache]:
        """Last hidden states of incoming tokens `(batch, length)`, padded on the right, and a cache of them."""
        cache = DuplexCache()
        # Causal attention never reaches padding on the right.
        visibility = Visibility(self.implementation, positions, positions)
        if workspace is not None:
            bias = torch.zeros_like(workspace.log_validity)
            visibility.parts = slot_parts(workspace, bias)
        return self.decode(self.embed(ids), positions, visibility, cache, factors), cache

    def _doubt_keys(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.doubt.keys(hidden) if hasattr(self, "doubt") else hidden.new_zeros(*hidden.shape[:2], 0).float()

    def _factors_of_prompt(self, ids: torch.LongTensor) -> torch.Tensor | None:
        if self.config.scope == "always":
            return None
        return torch.zeros(*ids.shape, 1, device=ids.device)

    def _need_workspace(self) -> None:
        if not self.keeps_workspace:
            raise ValueError("this model keeps no workspace: `listen` it with an adapter whose mode is `workspace`.")


__all__ = ["AdapterReading"]
