"""The workspace model: incoming text reaches the decoder through bounded slots that later messages revise."""

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.utils import logging
from transformers.utils.output_capturing import capture_outputs

from .cache import DuplexCache
from .configuration_duplex import WorkspaceConfig
from .encoder import MessageEncoder
from .interrupts import check_ids
from .layers import CrossInputs, DuplexCrossDecoderLayer, EmittedAttention, padding_that_matters, with_null_column
from .layout import Layout
from .messages import split_messages
from .modeling_duplex import DuplexForCausalLM, DuplexModel
from .packing import PackedMessages, pack_apart, pack_messages
from .pipeline_duplex import DuplexGenerationPipeline  # noqa: F401  travels with the checkpoint
from .streams import Streams, visible_versions
from .update_rule import UpdateRule
from .update_rules import UPDATE_RULES
from .workspace import Workspace


logger = logging.get_logger(__name__)


class WorkspaceModel(DuplexModel):
    """Decoder, message encoder and update rule of [`WorkspaceForCausalLM`]."""

    config_class = WorkspaceConfig
    config: WorkspaceConfig
    layer_class = DuplexCrossDecoderLayer
    _can_record_outputs = {"hidden_states": DuplexCrossDecoderLayer, "attentions": EmittedAttention}

    def __init__(self, config: WorkspaceConfig):
        if config.update_type not in UPDATE_RULES:
            raise ValueError(f"update_type must be one of {', '.join(UPDATE_RULES)}, got {config.update_type!r}.")
        super().__init__(config)
        self.encoder = MessageEncoder(config)
        self.update_rule: UpdateRule = UPDATE_RULES[config.update_type](config)
        self.slot_norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        # A repair usually follows the latest message, whatever the validity of its slots.
        recent = config.recency_bias and config.slots_are_tokens
        self.recency = nn.Embedding(config.max_message_distance, config.num_attention_heads) if recent else None
        self.post_init()

    def update_workspace(
        self,
        message_ids: torch.LongTensor,
        message_mask: torch.Tensor | None = None,
        workspace: Workspace | None = None,
    ) -> Workspace:
        """
        Folds messages into a workspace, one by one: `W_k = f_update(W_{k-1}, U_k)`. Differentiable.

        Args:
            message_ids (`torch.LongTensor` of shape `(batch, length)` or `(batch, messages, length)`): The messages.
            message_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where they hold tokens, at the front
                of each. A message whose mask is all zeros is ignored.
            workspace (`Workspace`, *optional*): The previous version. Defaults to an empty workspace.

        Returns:
            A new [`Workspace`]; the argument is not modified.

        Raises:
            ValueError: A message is longer than `max_message_length`, or shapes do not fit.
        """
        if message_ids.dim() == 2:
            message_ids = message_ids[:, None]
            message_mask = None if message_mask is None else message_mask[:, None]
        message_mask = torch.ones_like(message_ids) if message_mask is None else message_mask
        if message_mask.shape != message_ids.shape:
            raise ValueError(f"`message_mask` must have the shape of `message_ids`, {tuple(message_ids.shape)}.")
        if workspace is None:
            workspace = self.update_rule.initial(message_ids.shape[0])
        if workspace.version.shape[0] != message_ids.shape[0]:
            raise ValueError(
                f"`workspace` has {workspace.version.shape[0]} rows, but `message_ids` has {message_ids.shape[0]}."
            )
        mask = message_mask.bool()
        states = self.encode(message_ids, mask)
        for ids, heard, state in zip(message_ids.unbind(1), mask.unbind(1), states.unbind(1), strict=True):
            workspace = self.update_rule(workspace, state, heard, ids)
        return workspace

    def encode(self, ids: torch.LongTensor, mask: torch.BoolTensor) -> torch.Tensor:
        """States of messages `(batch, messages, length)`, with one more dimension of `hidden_size`."""
        if ids.shape[-1] > self.config.max_message_length:
            raise ValueError(
                f"a message of {ids.shape[-1]} tokens is longer than max_message_length "
                f"({self.config.max_message_length}): send it as several messages."
            )
        # Most of a batch of messages is padding: skip the empty messages.
        flat_ids, flat_mask = ids.flatten(0, 1), mask.flatten(0, 1)
        heard = flat_mask.any(-1).nonzero()[:, 0]
        if not len(heard):
            return self.embed_tokens.weight.new_zeros(*ids.shape, self.config.hidden_size)
        encoded = self.encoder(self.embed_tokens(flat_ids[heard]), *pack_apart(flat_mask[heard]))
        states = encoded.new_zeros(*flat_ids.shape, encoded.shape[-1]).index_copy(0, heard, encoded)
        return states.unflatten(0, ids.shape[:2])

    def split_prompt(self, ids: torch.LongTensor, mask: torch.Tensor | None):
        """Messages of prompts `(batch, length)`, and their mask, each `(batch, messages, message_length)`."""
        return split_messages(ids, mask, self.config.message_separator_token_id, self.config.max_message_length)

    @capture_outputs
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        prompt_ids: torch.LongTensor | None = None,
        prompt_mask: torch.Tensor | None = None,
        update_ids: torch.LongTensor | None = None,
        update_mask: torch.Tensor | None = None,
        update_positions: torch.LongTensor | None = None,
        past_key_values: DuplexCache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        layout: Layout | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> BaseModelOutputWithPast:
        """Hidden states along the emitted stream; arguments as in [`DuplexForCausalLM.forward`]."""
        cache = self.open_cache(
            past_key_values, use_cache, prompt_ids=prompt_ids, update_ids=update_ids, layout=layout
        )
        if prompt_ids is None and update_ids is None and layout is None:
            embeds = self.mark_update(self.embed(input_ids, inputs_embeds), attention_mask, cache)
            hidden_states = self.decode(embeds, attention_mask, cache, self.cross_inputs(cache, embeds), **kwargs)
            return BaseModelOutputWithPast(last_hidden_state=hidden_states, past_key_values=cache)

        if layout is None:
            told = prompt_ids, prompt_mask, update_ids, update_mask, update_positions
            layout = self.laid_out(self.config, Streams(input_ids, attention_mask, *told))
        hidden_states = self.run(layout, padding_that_matters(attention_mask), **kwargs)
        return BaseModelOutputWithPast(last_hidden_state=hidden_states)

    @classmethod
    def laid_out(cls, config, streams: Streams) -> Layout:
        if streams.input_ids is None:
            raise ValueError(
                "`prompt_ids` and `update_ids` need `input_ids`: embeddings cannot be laid out beside them."
            )
        known = torch.zeros_like(streams.input_ids)
        prompt = None if streams.prompt_ids is None else (streams.prompt_ids, streams.prompt_mask)
        updates = streams.updates()
        if updates is not None:
            *updates, positions = updates
            known = visible_versions(known.shape[1], positions)
        messages = pack_messages(prompt, updates, config.message_separator_token_id, config.max_message_length)
        return Layout(streams.input_ids, messages=messages, known=known)

    def heard_in(self, layout: Layout) -> CrossInputs:
        assert layout.messages is not None and layout.known is not None
        return self.cross_inputs_by_version(*self.all_versions(layout.messages), layout.known)

    def all_versions(self, messages: PackedMessages) -> tuple[torch.Tensor, torch.Tensor]:
        """
        The slots of every version, `(batch, slots, hidden_size)`, and what each version's cross-attention adds to its
        logits, `(batch, 1 or heads, versions, 1 + slots)`.
        """
        states = self.encoder(self.embed_tokens(messages.ids), messages.message, messages.offset)
        slots, log_validity = self.update_rule.all_versions(states, messages)
        bias = log_validity[:, None]
        if self.recency is not None:
            age = messages.messages_by_version()[..., None] - messages.numbers
            # Computed per message first, since all tokens of a message have the same age.
            recency = self.recency_of(age).to(bias.dtype)
            bias = bias + recency @ messages.members(bias.dtype)[:, None]
        return self.slot_norm(slots), nn.functional.pad(bias, (1, 0))

    def recency_of(self, age: torch.LongTensor) -> torch.Tensor:
        """The bias of slots by their age in messages, counted from 1: (b, v, s) -> (b, heads, v, s)."""
        assert self.recency is not None
        index = (age - 1).clamp(0, self.config.max_message_distance - 1)
        return self.recency(index).permute(0, 3, 1, 2)

    def project(self, workspace: Workspace) -> list:
        """Keys and values of the slots of a workspace, one pair per layer."""
        slots = self.slot_norm(workspace.slots)
        return [with_null_column(layer.cross_attn.project(slots)) for layer in self.layers]

    def project_changes(self, workspace: Workspace, before: Workspace, key_values: list) -> list:
        """As [`project`], given keys and values of an earlier workspace: only changed slots are projected again."""
        by_id, order = before.slot_ids.sort(dim=1, stable=True)
        place = torch.searchsorted(by_id, workspace.slot_ids.contiguous()).clamp(max=by_id.shape[1] - 1)
        source = order.gather(1, place)
        row = torch.arange(source.shape[0], device=source.device)[:, None]
        # Compare states, not only ids: the workspace may come from another branch of the conversation.
        changed = (workspace.slots != before.slots[row, source]).any(-1)
        new = changed.int().argsort(dim=1, descending=True, stable=True)[:, : int(changed.sum(1).max())]
        states = self.slot_norm(workspace.slots[row, new])
        column, source = new + 1, nn.functional.pad(source + 1, (1, 0))

        def renew(old: torch.Tensor, projected: torch.Tensor) -> torch.Tensor:
            tensor = old.transpose(1, 2)[row, source]
            tensor[row, column] = projected.transpose(1, 2).to(old.dtype)
            return tensor.transpose(1, 2)

        return [
            tuple(map(renew, pair, layer.cross_attn.project(states)))
            for layer, pair in zip(self.layers, key_values, strict=True)
        ]

    def cross_bias(self, workspace: Workspace) -> torch.Tensor:
        """
        What cross-attention adds to its logits, `(batch, 1 or heads, 1, 1 + n_slots)`. The first column is the null
        column, which is no slot.
        """
        bias = workspace.log_validity[:, None, None]
        if self.recency is not None:
            writer = workspace.slot_ids // self.config.max_message_length
            bias = bias + self.recency_of((workspace.version[:, None] - writer)[:, None])
        return nn.functional.pad(bias, (1, 0))

    def cross_inputs(self, cache: DuplexCache | None, embeds: torch.Tensor) -> CrossInputs:
        if cache is not None and cache.cross is not None:
            return CrossInputs(cache.cross_bias, key_values=cache.cross)
        workspace = self.update_rule.initial(embeds.shape[0])
        if cache is None:
            return CrossInputs(self.cross_bias(workspace), states=self.slot_norm(workspace.slots))
        cache.cross, cache.cross_bias = self.project(workspace), self.cross_bias(workspace)
        return CrossInputs(cache.cross_bias, key_values=cache.cross)

    def set_workspace(self, cache: DuplexCache, workspace: Workspace) -> None:
        """Makes `workspace` the visible version from the next token of the stream in `cache` on."""
        if cache.memory is None or cache.cross is None:
            cache.cross = self.project(workspace)
        else:
            cache.cross = self.project_changes(workspace, cache.memory, cache.cross)
        cache.cross_bias = self.cross_bias(workspace)
        cache.memory, cache.version = workspace, workspace.version

    def read_messages(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> None:
        """Folds messages `(batch, messages, length)` into the workspace of a cache, in rows that have messages."""
        rows = mask.flatten(1).any(1).nonzero()[:, 0]
        if cache.memory is None or cache.cross is None or len(rows) == len(ids):
            self.set_workspace(cache, self.update_workspace(ids, mask, cache.memory))
            return
        before = cache.memory.map(lambda tensor: tensor[rows])
        after = self.update_workspace(ids[rows], mask[rows], before)
        some = [(keys[rows], values[rows]) for keys, values in cache.cross]
        cache.cross = [
            tuple(old.index_copy(0, rows, new) for old, new in zip(pair, changed, strict=True))
            for pair, changed in zip(cache.cross, self.project_changes(after, before, some), strict=True)
        ]
        cache.memory = cache.memory.replace_rows(rows, after)
        cache.cross_bias, cache.version = self.cross_bias(cache.memory), cache.memory.version


class WorkspaceForCausalLM(DuplexForCausalLM):
    """
    A decoder that reads incoming text only through a workspace. It never attends to incoming tokens, its workspace is
    bounded, and no token is processed twice.
    """

    config_class = WorkspaceConfig
    config: WorkspaceConfig
    model_class = WorkspaceModel

    def update_workspace(self, message_ids, message_mask=None, workspace=None) -> Workspace:
        """Checks the messages, then calls [`WorkspaceModel.update_workspace`]."""
        check_ids("message_ids", message_ids, message_mask, self.config.vocab_size, dims=(2, 3))
        if message_mask is not None and bool((message_mask[..., 1:] > message_mask[..., :-1]).any()):
            raise ValueError("`message_mask` must have its ones at the front: pad messages on the right.")
        return self.model.update_workspace(message_ids, message_mask, workspace)

    def read_prompt(self, cache, ids, mask):
        self.model.read_messages(cache, *self.model.split_prompt(ids, mask))
        return []

    def read_updates(self, cache, ids, mask):
        self.model.read_messages(cache, ids, mask)
        cache.notice = mask.flatten(1).any(1)
        return []

    def _warn_about_prompt(self) -> None:
        logger.warning_once(
            "`input_ids` are taken for text that was already emitted: this model reads prompts through its workspace. "
            "Hand a prompt over as `prompt_ids`."
        )


WorkspaceModel.register_for_auto_class("AutoModel")
WorkspaceForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = ["WorkspaceForCausalLM", "WorkspaceModel"]
