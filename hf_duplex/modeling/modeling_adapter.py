"""
The duplex adapter: an open input for a pretrained causal language model.

`mode="workspace"`: incoming text is read beside the emitted stream. Its keys and values, in the model's own layers, are
the slots; emitted tokens attend to [slots of their version | emitted tokens so far] in one softmax, and later updates
cast doubt on older slots. `mode="spliced"`: incoming text is written into the one stream that the base reads. Either
way no layer is added: low-rank additions by peft, a doubt head and a notice vector are all that is trained.
"""

import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils import logging
from transformers.utils.hub import cached_file

from .attention_duplex import HIDDEN, Visibility
from .base_model import (
    CannotListen,
    attention_of,
    check_base,
    find_decoder,
    fingerprint_of,
    head_logits,
    linear_names,
    route_attention,
    shared_copy,
    why_no_workspace,
)
from .cache import DuplexCache, take_columns
from .configuration_adapter import DuplexAdapterConfig
from .generation import DuplexGenerationMixin
from .interrupts import check_ids
from .layout_adapter import IncomingLine, compact, incoming_line, protected_columns, update_places
from .pipeline_duplex import DuplexGenerationPipeline  # noqa: F401  travels with the checkpoint
from .slots_adapter import AdapterWorkspace, DoubtHead
from .streams import Streams


logger = logging.get_logger(__name__)

WEIGHTS = "model.safetensors"


class Gate(threading.local):
    """
    Where the low-rank additions act in the forward under way: factors `(batch, tokens, 1)`; None for everywhere. Each
    thread has its own.
    """

    factors: torch.Tensor | None = None

    def __reduce__(self):
        return Gate, ()

    def __call__(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        """A forward hook of the second factor of an addition."""
        return output if self.factors is None else output * self.factors.to(output.dtype)


class DuplexAdapterForCausalLM(DuplexGenerationMixin, PreTrainedModel):
    """
    A pretrained causal language model with an open input. Made by [`~hf_duplex.listen`] or [`from_pretrained`].

    Args:
        config ([`DuplexAdapterConfig`]): The adapter.
        base (`PreTrainedModel`, *optional*): The base, which stays as it is; its weights are shared. One with random
            weights, from `config.base_config`, where it is not given.

    Raises:
        CannotListen: The base cannot be given an open input, or not in this mode; the message names the reason.
    """

    config_class = DuplexAdapterConfig
    config: DuplexAdapterConfig
    base_model_prefix = "base"
    main_input_name = "input_ids"
    # Recomputed blocks would not know where the additions act.
    supports_gradient_checkpointing = False
    _supports_sdpa = True
    _supports_attention_backend = True
    _skip_keys_device_placement = ["past_key_values"]

    def __init__(self, config: DuplexAdapterConfig, base: PreTrainedModel | None = None):
        if base is None:
            base = AutoModelForCausalLM.from_config(config.base())
        check_base(base)
        reason = why_no_workspace(base)
        needs_attention = config.mode == "workspace" or config.lora_rank > 0
        if reason and needs_attention:
            raise CannotListen(f"{reason}. Without an adapter, `hf_duplex.listen(model)`, it can listen all the same.")
        super().__init__(config)
        self.implementation = attention_of(base)
        self.routed = reason is None
        self.base = shared_copy(base)
        self.gate, self.gated = Gate(), False
        text = self.base.config.get_text_config()
        if self.routed:
            route_attention(self.base)
            device, dtype = base.device, torch.float32
            if config.lora_rank:
                self._inject(config)
            if config.mode == "workspace" and config.doubt_size:
                self.doubt = DoubtHead(text.hidden_size, config.doubt_size, config.max_message_distance).to(device)
            if config.mode == "workspace" and config.notice_updates:
                self.notice = nn.Parameter(torch.zeros(text.hidden_size, device=device, dtype=dtype))
        self.generation_config = self.base.generation_config
        self.train(False)

    def _inject(self, config: DuplexAdapterConfig) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        targets = config.lora_targets or linear_names(self.decoder)
        lora = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=targets)
        inject_adapter_in_model(lora, self.decoder)

    def _hold_back(self) -> None:
        """Hooks the gate into the additions, once it is needed."""
        from peft.tuners.lora import LoraLayer

        self.gated = True
        for module in self.decoder.modules():
            if isinstance(module, LoraLayer):
                module.lora_B["default"].register_forward_hook(self.gate)

    def _init_weights(self, module):
        """Nothing: the base brings its weights, and the additions have initialised themselves."""

    @property
    def decoder(self) -> nn.Module:
        """The base's stack of blocks."""
        decoder = find_decoder(self.base)
        assert decoder is not None
        return decoder

    @property
    def dtype(self) -> torch.dtype:
        return self.base.dtype

    @property
    def device(self) -> torch.device:
        return self.base.device

    @property
    def keeps_workspace(self) -> bool:
        """Whether incoming text is kept in a workspace, rather than in the stream itself."""
        return self.config.mode == "workspace"

    def get_input_embeddings(self):
        return self.base.get_input_embeddings()

    def get_output_embeddings(self):
        return self.base.get_output_embeddings()

    # Saving and loading

    def additions(self) -> dict[str, torch.Tensor]:
        """What the adapter adds to its base, by name."""
        parts = {name: value for name, value in self.named_parameters() if value.requires_grad or "lora_" in name}
        mine = ("doubt.", "notice")
        parts.update({name: value for name, value in self.named_parameters() if name.startswith(mine)})
        return {name.replace(".default", ""): value for name, value in parts.items()}

    def save_pretrained(self, save_directory: str | os.PathLike, dtype: torch.dtype | None = None, **kwargs) -> None:
        """
        Saves the adapter without its base: the configuration, the additions, and the code that they need.

        Args:
            save_directory (`str` or `PathLike`): The folder.
            dtype (`torch.dtype`, *optional*): Precision of the matrices; that which they have where it is not given.
        """
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            name: value.detach().to("cpu", dtype if dtype and value.dim() > 1 else value.dtype).contiguous()
            for name, value in self.additions().items()
        }
        save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
        self.config.architectures = [type(self).__name__]
        self.config.save_pretrained(folder)
        if self.base.generation_config is not None:
            self.base.generation_config.save_pretrained(folder)
        if kwargs.get("push_to_hub"):
            raise ValueError("`push_to_hub`: use `hf-duplex push FOLDER`, which writes card and code too.")

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike,
        *args,
        base: PreTrainedModel | str | None = None,
        config: DuplexAdapterConfig | None = None,
        dtype: torch.dtype | str | None = None,
        **kwargs,
    ) -> "DuplexAdapterForCausalLM":
        """
        Loads an adapter onto its base.

        Args:
            pretrained_model_name_or_path (`str` or `PathLike`): A folder, or a name on the Hub.
            base (`PreTrainedModel` or `str`, *optional*): The base, or where it is; as the configuration names it
                where it is not given.
            dtype (`torch.dtype`, *optional*): Precision of a base that is loaded here; float32 if it is not given.

        Raises:
            ValueError: There is no base, or it is not the architecture that the adapter was made for.
        """
        hub = {name: kwargs[name] for name in ("revision", "token", "cache_dir", "local_files_only") if name in kwargs}
        if config is None:
            config = DuplexAdapterConfig.from_pretrained(pretrained_model_name_or_path, **hub)
        fields = ("n_slots", "scope")
        for name in fields:
            if kwargs.get(name) is not None:
                setattr(config, name, kwargs[name])
        config.validate_architecture()
        if base is None:
            base = config.base_model_name_or_path
            if base is None:
                raise ValueError("the adapter does not name its base: hand it over as `base=...`.")
        if not isinstance(base, PreTrainedModel):
            base = load_base_weights(str(base), torch.float32 if dtype in (None, "auto") else dtype)
        check_same_base(config, base)
        path = cached_file(str(pretrained_model_name_or_path), WEIGHTS, **hub)
        model = cls(config, base)
        model.load_additions(load_file(path))
        return model

    def load_additions(self, state: dict[str, torch.Tensor]) -> None:
        """
        Takes over additions, as [`additions`] names them.

        Raises:
            ValueError: Some are missing, not known, or of another shape.
        """
        mine = self.additions()
        missing, unknown = sorted(mine.keys() - state.keys()), sorted(state.keys() - mine.keys())
        if missing or unknown:
            raise ValueError(
                f"the weights do not fit this adapter: {len(missing)} missing ({', '.join(missing[:3])}), "
                f"{len(unknown)} not known ({', '.join(unknown[:3])})."
            )
        for name, value in state.items():
            if value.shape != mine[name].shape:
                raise ValueError(f"{name} has the shape {tuple(value.shape)}, not {tuple(mine[name].shape)}.")
            mine[name].data.copy_(value)

    # Reading

    def embed(self, ids: torch.LongTensor) -> torch.Tensor:
        """Embeddings of tokens `(batch, length)` as the decoder wants them."""
        return self.base.get_input_embeddings()(ids)

    def decode(
        self,
        embeds: torch.Tensor,
        positions: torch.LongTensor,
        visibility: Visibility,
        cache: DuplexCache | None,
        factors: torch.Tensor | None = None,
        **kwargs,
    ) -> torch.Tensor:
        """Last hidden states of new columns `(batch, length, hidden_size)`; `factors` as in [`Gate`]."""
        if factors is not None and not self.gated:
            self._hold_back()
        self.gate.factors = factors
        try:
            return self.decoder(
                inputs_embeds=embeds,
                position_ids=positions,
                past_key_values=cache,
                use_cache=cache is not None,
                visibility=visibility,
                **kwargs,
            ).last_hidden_state
        finally:
            self.gate.factors = None

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits of last hidden states."""
        return head_logits(self.base, hidden)

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
                The first message of a fresh workspace is the prompt, all others are updates.
            message_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where they hold tokens, at the front.
            workspace (`AdapterWorkspace`, *optional*): The version before; a fresh one where it is not given.
            emitted (`int`, *optional*, defaults to 0): How many tokens were emitted when the updates came.

        Returns:
            A new [`AdapterWorkspace`]; the one handed in stays as it was.

        Raises:
            ValueError: The model keeps no workspace, or ids or shapes are unusable; the message names the argument.
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
            workspace = self.read_first(message_ids[:, 0], mask[:, 0])
            message_ids, mask = message_ids[:, 1:], mask[:, 1:]
        if workspace.version.shape[0] != message_ids.shape[0]:
            raise ValueError(
                f"`workspace` has {workspace.version.shape[0]} rows, but `message_ids` has {message_ids.shape[0]}."
            )
        if not mask.any():
            return workspace
        first_known = torch.full_like(workspace.version, emitted + 1)
        return self.fold(workspace, message_ids, mask, first_known)

    def read_first(self, ids: torch.LongTensor, mask: torch.BoolTensor) -> AdapterWorkspace:
        """The workspace after prompts `(batch, length)`."""
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
        reading.layers = [_Columns(nothing, nothing) for _ in range(text.num_hidden_layers)]
        hidden = torch.zeros(batch, 0, text.hidden_size, device=self.device, dtype=self.dtype)
        return self._prompt_slots(ids, ids.bool(), hidden, reading)

    def _prompt_versions(self, mask: torch.BoolTensor) -> torch.LongTensor:
        """How many messages prompts are: one for each stretch of `max_message_length` tokens."""
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
        emitted token that knows them. They are read once, causally, and see all slots, doubted or not.
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
            # The next update of each row: its tokens cast doubt on every slot that is older.
            following = (workspace.updates + 1)[:, None]
            casting = placed & (number == following)
            older = workspace.messages < following
            if hasattr(self, "doubt"):
                doubt = self.doubt(workspace, hidden, casting).masked_fill(~older, 0.0)
                workspace = replace_validity(workspace, workspace.log_validity - doubt)
            received = casting.any(1).long()
            workspace = counted(workspace, received)
        return workspace.evict(self.config.n_slots)

    def _read(
        self,
        workspace: AdapterWorkspace | None,
        ids: torch.LongTensor,
        mask: torch.BoolTensor,
        positions: torch.LongTensor,
        factors: torch.Tensor | None,
    ) -> tuple[torch.Tensor, DuplexCache]:
        """Last hidden states of incoming tokens `(batch, length)`, padded on the right, and a cache that holds them."""
        cache = DuplexCache()
        key_positions, allowed = positions, None
        if workspace is not None:
            cache.memory = workspace
            key_positions = torch.cat([workspace.positions, positions], dim=1)
            causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
            old = (workspace.slot_ids >= 0)[:, None].expand(-1, ids.shape[1], -1)
            allowed = torch.cat([old, causal.expand(len(ids), -1, -1)], dim=2)
        # Padding stands on the right, where causal attention does not look.
        visibility = Visibility(self.implementation, positions, key_positions, allowed)
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

    # The hooks of generation

    def read_prompt(self, cache, ids, mask):
        """The prompt enters the stream as for the base; with a workspace its columns become slots once it is read."""
        if not self.keeps_workspace:
            return super().read_prompt(cache, ids, mask)
        self._open(cache, mask)
        return [(ids, mask)]

    def read_input_ids(self, cache, mask):
        """Without `prompt_ids`, what was handed in is the prompt, but for its last token."""
        if self.keeps_workspace:
            before_last = mask.flip(1).cumsum(1).flip(1) > 1
            self._open(cache, mask & before_last)

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
        """Which rows have received any update, once those of `mask` are there."""
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
        """Last hidden states of new columns `(batch, length)`, padded on the left; the cache knows them afterwards."""
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
        """What the newest columns see: the slots, by their validity, and the own stream up to each."""
        workspace = cache.memory
        positions = own[:, -length:]
        if workspace is None or not workspace.slot_ids.shape[1]:
            if cache.mask is None:
                return Visibility(self.implementation, positions, own)
            return Visibility(self.implementation, positions, own, allowed=self._causal(cache.mask, own, length))
        keys = torch.cat([workspace.positions, own], dim=1)
        used = workspace.slot_ids >= 0
        doubted = bool((workspace.log_validity.masked_fill(~used, 0.0) != 0).any())
        if not doubted and cache.mask is None and bool(used.all()):
            return Visibility(self.implementation, positions, keys)
        valid = torch.ones_like(own, dtype=torch.bool) if cache.mask is None else cache.mask
        slots = used[:, None].expand(-1, length, -1)
        allowed = torch.cat([slots, self._causal(valid, own, length)], dim=2)
        bias = None
        if doubted:
            validity = workspace.log_validity.masked_fill(~used, 0.0)
            bias = nn.functional.pad(validity, (0, own.shape[1]))[:, None]
        return Visibility(self.implementation, positions, keys, allowed, bias)

    @staticmethod
    def _causal(mask: torch.BoolTensor, own: torch.LongTensor, length: int) -> torch.BoolTensor:
        column = torch.arange(own.shape[1], device=own.device)
        seen = (column <= column[own.shape[1] - length :, None]) & mask[:, None]
        # Padding sees itself, so that nothing is undefined.
        return seen | (column == column[own.shape[1] - length :, None])

    def _noticed(self, ids: torch.LongTensor, cache: DuplexCache) -> torch.Tensor:
        """Embeddings of new columns, the first token of rows that have just received an update marked."""
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
        """Makes slots of the first `lengths` tokens of each row, which were read as the start of the stream."""
        mask = torch.ones_like(ids, dtype=torch.bool) if cache.mask is None else cache.mask
        number = mask.cumsum(1) - 1
        prompt = mask & (number < lengths[:, None])
        longest = int(prompt.sum(1).max())
        order = (~prompt).int().argsort(dim=1, stable=True)[:, :longest]
        reading = DuplexCache()
        reading.layers = [
            _Columns(take_columns(layer.keys, order), take_columns(layer.values, order)) for layer in cache.layers
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

    # All versions in one forward

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
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        acts: torch.Tensor | None = None,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        r"""
        All versions of a conversation in one forward.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch, length)`): The emitted stream, padded on the right.
            attention_mask (`torch.Tensor` of shape `(batch, length)`, *optional*): Non-zero where it holds a token.
            prompt_ids (`torch.LongTensor` of shape `(batch, prompt_length)`, *optional*): The prompt.
            prompt_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where `prompt_ids` holds a token.
            update_ids (`torch.LongTensor` of shape `(batch, updates, update_length)`, *optional*): The updates.
            update_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where `update_ids` holds a token.
            update_positions (`torch.LongTensor` of shape `(batch, updates)`, *optional*): The index in `input_ids` of
                the first token that may know each update.
            labels (`torch.LongTensor` of shape `(batch, length)`, *optional*): `input_ids` with -100 where no loss is
                wanted. In training, logits are computed for these alone, and none are returned.
            acts (`torch.BoolTensor` of shape `(batch,)`, *optional*): In which rows the additions act from the start,
                rather than from the first update on; as `config.scope` says where it is not given.

        Returns:
            Logits `(batch, length, vocab_size)` along the emitted stream: at index i they predict token i + 1, knowing
            every update whose position is at most i + 1.

        Raises:
            ValueError: Arguments do not fit together; the message names them.
        """
        streams = {"prompt_ids": prompt_ids, "update_ids": update_ids}
        given = [name for name, value in streams.items() if value is not None]
        for name, value, needed in (
            ("prompt_mask", prompt_mask, "prompt_ids"),
            ("update_mask", update_mask, "update_ids"),
            ("update_positions", update_positions, "update_ids"),
        ):
            if value is not None and streams[needed] is None:
                raise ValueError(f"`{name}` was given without `{needed}`: give both or neither.")
        if past_key_values is not None:
            if given:
                raise ValueError(
                    f"`{given[0]}` lays out a whole stream at once and cannot be combined with `past_key_values`."
                )
            return self._step_output(input_ids, past_key_values, logits_to_keep)
        if not self.routed:
            raise ValueError("this base takes no adapter: its `forward` is the base's own, `model.base(...)`.")
        if input_ids is None:
            raise ValueError("`input_ids` is missing: embeddings cannot be laid out beside other streams.")
        told = prompt_ids, prompt_mask, update_ids, update_mask, update_positions
        hidden = self._hidden_states(Streams(input_ids, attention_mask, *told), acts)
        return self._output(hidden, labels, logits_to_keep, **kwargs)

    def hidden_states_of(self, acts: torch.Tensor | None = None, **streams: torch.Tensor) -> torch.Tensor:
        """Last hidden states along the emitted stream, `(batch, length, hidden_size)`; arguments as in [`forward`]."""
        return self._hidden_states(Streams(**streams), acts)

    def _hidden_states(self, streams: Streams, acts: torch.Tensor | None) -> torch.Tensor:
        apart = streams.prompt_ids is not None or streams.update_ids is not None
        read = self._emitted_by_version if self.keeps_workspace and apart else self._emitted_in_line
        return read(streams, acts)

    def _step_output(self, input_ids, cache, logits_to_keep) -> CausalLMOutputWithPast:
        hidden = self._step(input_ids, cache)
        if self.routed:
            keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
            hidden = self.logits(hidden[:, keep])
        return CausalLMOutputWithPast(logits=hidden, past_key_values=cache)

    def _output(self, hidden, labels, logits_to_keep, num_items_in_batch=None, **kwargs) -> CausalLMOutputWithPast:
        loss = logits = None
        if labels is not None:
            wanted = labels[:, 1:] != -100
            chosen = self.logits(hidden[:, :-1][wanted]).float()
            total = nn.functional.cross_entropy(chosen, labels[:, 1:][wanted], reduction="sum")
            loss = total / (wanted.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch)
        if labels is None or not self.training:
            keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
            logits = self.logits(hidden[:, keep])
        return CausalLMOutputWithPast(loss=loss, logits=logits)

    def _emitted_in_line(self, streams: Streams, acts: torch.Tensor | None) -> torch.Tensor:
        """Hidden states along the emitted stream, with all that comes in spliced into it."""
        updates = streams.updates()
        ids, predictor = streams.line(updates)
        positions = torch.arange(ids.shape[1], device=ids.device).expand(len(ids), -1)
        allowed = None
        if streams.prompt_ids is None and updates is None and streams.attention_mask is not None:
            mask = streams.attention_mask.bool()
            if not bool(mask.all()):
                ids, predictor = streams.input_ids, None
                positions = (mask.cumsum(1) - 1).clamp(min=0)
                allowed = self._causal(mask, positions, ids.shape[1])
        factors = None
        if self.config.lora_rank and not self._always(acts):
            known = torch.zeros_like(streams.input_ids)
            if updates is not None:
                known = (torch.arange(1, 1 + known.shape[1], device=known.device) >= updates[2][:, :1]).long()
            first = 0 if streams.prompt_ids is None else prompt_lengths(streams)
            factors = known.float() if predictor is None else self._after_splice(ids, predictor, known, first)
            factors = self._with_acts(factors, acts)[..., None]
        visibility = Visibility(self.implementation, positions, positions, allowed)
        hidden = self.decode(self.embed(ids), positions, visibility, None, factors)
        if predictor is None:
            return hidden
        return hidden.gather(1, predictor[..., None].expand(-1, -1, hidden.shape[-1]))

    @staticmethod
    def _after_splice(ids, predictor, known, first: torch.Tensor | int) -> torch.Tensor:
        """Which columns of a line the additions act in, from the token before the first update on: (batch, line)."""
        # As in generation, the emitted token just before the splice is read with it.
        before = nn.functional.pad(predictor, (1, 0))
        before[:, 0] = first - 1
        unaware = (known == 0).sum(1, keepdim=True).clamp(max=known.shape[1])
        start = 1 + before.gather(1, unaware)
        column = torch.arange(ids.shape[1], device=ids.device)
        return ((column >= start) & (known.sum(1, keepdim=True) > 0)).float()

    def _always(self, acts: torch.Tensor | None) -> bool:
        return self.config.scope == "always" if acts is None else bool(acts.all())

    @staticmethod
    def _with_acts(factors: torch.Tensor, acts: torch.Tensor | None) -> torch.Tensor:
        return factors if acts is None else torch.maximum(factors, acts.to(factors.dtype)[:, None])

    def _emitted_by_version(self, streams: Streams, acts: torch.Tensor | None) -> torch.Tensor:
        """Hidden states along the emitted stream, each token attending to the slots of its version."""
        line = incoming_line(streams)
        mask = line.message >= 0
        longest = int(mask.sum(1).max())
        if longest > self.config.n_slots:
            raise ValueError(
                f"prompt and updates of a row have {longest} tokens, more than n_slots ({self.config.n_slots}): "
                "raise n_slots, or train on shorter conversations."
            )
        gated = self.config.lora_rank > 0 and not self._always(acts)
        factors = self._with_acts((line.message > 0).float(), acts)[..., None] if gated else None
        hidden, incoming = self._read(None, line.ids, mask, line.positions, factors)
        validity = self._validity(hidden, line)

        ids = streams.input_ids
        length, known = ids.shape[1], line.known
        embeds = self.embed(ids)
        if hasattr(self, "notice"):
            before = nn.functional.pad(known, (1, 0))[:, :-1]
            embeds = embeds + ((known > before)[..., None] * self.notice).to(embeds.dtype)
        positions = line.prompt_length[:, None] + torch.arange(length, device=ids.device)
        factors = self._with_acts((known > 0).float(), acts)[..., None] if gated else None
        cache = DuplexCache()
        cache.memory = _Front(tuple((layer.keys, layer.values) for layer in incoming.layers))
        visibility = self._sight_by_version(line, validity, positions)
        return self.decode(embeds, positions, visibility, cache, factors)

    def _validity(self, hidden: torch.Tensor, line: IncomingLine) -> torch.Tensor:
        """Log-validity of every incoming token at every version, `(batch, versions, tokens)`."""
        mask = line.message >= 0
        if not hasattr(self, "doubt") or line.versions == 1:
            return torch.zeros(len(mask), line.versions, mask.shape[1], device=mask.device)
        with torch.autocast(hidden.device.type, enabled=False):
            queries, keys = self.doubt.queries(hidden), self.doubt.keys(hidden)
            distance = line.message[:, :, None] - line.message[:, None]
            scores = self.doubt.scores(queries, keys, distance)
            number = torch.arange(line.versions, device=mask.device)
            members = (line.message[:, None] == number[:, None]).float()
            doubt = (members @ scores.exp()).log1p()
            protected = protected_columns(
                line.ids, line.message == 0, self.config.system_prefix_ids, self.config.turn_end_token_id
            )
            older = (line.message[:, None] < number[:, None]) & (mask & ~protected)[:, None]
            return -doubt.masked_fill(~older, 0.0).cumsum(1)

    def _sight_by_version(self, line: IncomingLine, validity: torch.Tensor, positions: torch.LongTensor) -> Visibility:
        length, known = positions.shape[1], line.known
        number = torch.arange(line.versions, device=known.device)
        held = (line.message[:, None] <= number[:, None]) & (line.message >= 0)[:, None]
        keys = torch.cat([line.positions, positions], dim=1)
        window = getattr(self.base.config.get_text_config(), "sliding_window", None)
        if self.training and self.implementation == "sdpa" and window is None:
            width = -(-line.versions // 8) * 8
            one_hot = nn.functional.one_hot(known, width)
            bias = validity.masked_fill(~held, HIDDEN).transpose(1, 2)
            bias = nn.functional.pad(bias, (0, width - line.versions, 0, length))
            return Visibility(self.implementation, positions, keys, columns=(one_hot, bias))
        index = known[..., None].expand(-1, -1, line.ids.shape[1])
        slots = held.gather(1, index)
        own = self._causal(torch.ones_like(known, dtype=torch.bool), positions, length)
        bias = nn.functional.pad(validity.gather(1, index), (0, length))
        return Visibility(self.implementation, positions, keys, torch.cat([slots, own], dim=2), bias)


class _Front:
    """Slots of a training forward: keys and values alone."""

    def __init__(self, key_values):
        self.key_values = key_values


class _Columns:
    """Columns of one layer."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor):
        self.keys, self.values = keys, values


def prompt_lengths(streams: Streams) -> torch.LongTensor:
    """Tokens of each prompt, `(batch,)`."""
    mask = torch.ones_like(streams.prompt_ids) if streams.prompt_mask is None else streams.prompt_mask
    return mask.bool().sum(1)


def replace_validity(workspace: AdapterWorkspace, log_validity: torch.Tensor) -> AdapterWorkspace:
    """The workspace with other log-validities, `(batch, n)`."""
    return _with(workspace, log_validity=log_validity)


def counted(workspace: AdapterWorkspace, received: torch.LongTensor) -> AdapterWorkspace:
    """The workspace once rows have received so many more updates, `(batch,)`."""
    return _with(workspace, version=workspace.version + received, updates=workspace.updates + received)


def _with(workspace: AdapterWorkspace, **changed: torch.Tensor) -> AdapterWorkspace:
    return replace(workspace, **changed)


def load_base_weights(name: str, dtype: torch.dtype | str) -> PreTrainedModel:
    """The base of that name: a folder, a name on the Hub, or one that hf_duplex knows."""
    if name == "smollm2":
        try:
            import importlib

            return importlib.import_module("hf_duplex.bases").load_base(name, dtype=dtype)[0]
        except ModuleNotFoundError as error:
            raise ValueError(
                "the base `smollm2` comes with hf_duplex: install it, or hand over `base=...`."
            ) from error
    return AutoModelForCausalLM.from_pretrained(name, dtype=dtype)


def check_same_base(config: DuplexAdapterConfig, base: PreTrainedModel) -> None:
    """
    Raises `ValueError` unless the base has the architecture that the adapter was made for; warns where its weights
    are others.
    """
    if not config.base_config:
        return
    mine, given = config.get_text_config(), base.config.get_text_config()
    names: Iterable[str] = (
        "model_type",
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "intermediate_size",
    )
    for name in names:
        wanted, found = getattr(mine, name, None), getattr(given, name, None)
        if wanted != found:
            raise ValueError(
                f"`base` has {name} {found}, but the adapter was made for {wanted}: use the base that it names, "
                f"{config.base_model_name_or_path or 'see its card'}."
            )
    if config.base_fingerprint and fingerprint_of(base) != config.base_fingerprint:
        logger.warning(
            "The weights of the base are not those that the adapter was trained on (another precision, or another "
            "copy): it should work as well on the same model, and may not on a fine-tuned one."
        )


DuplexAdapterForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = ["DuplexAdapterForCausalLM"]
