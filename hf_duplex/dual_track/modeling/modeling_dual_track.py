"""Dual-track reflection: a frozen language model with a mutable thought track beside its immutable utterance.

After dual_track_reflection.md: the content track is the base model itself; the thought track goes through the same
frozen layers with low-rank additions and positions of its own, and reads the content without positions.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, LlamaForCausalLM, PreTrainedModel
from transformers.utils import ModelOutput

from .activation_head import ActivationHeadAttention, ActivationHeadMLP, LayerMix, focal_loss
from .codebook import ProductCodebook
from .configuration_dual_track import DualTrackConfig
from .content_cache import PagedContentCache
from .memory_prediction import MemoryPredictionNetwork, connection_loss
from .reflection import ReflectionMixin
from .tracks import Content, LowRank, ThoughtLayer


STEPS = ("reflect", "connect", "latent", "codebook")
"""What is trained: thoughts and activation (1a, 1b), connections (2), latent thoughts and memory (B), the codebook
(C)."""


@dataclass
class DualTrackOutput(ModelOutput):
    """
    Args:
        loss, thought_loss, activation_loss, connection_loss, operation_loss: Scalars, as far as they were trained.
        logits: `[batch, tokens, vocabulary]` of the content.
        thought_logits: `[batch, thought tokens, vocabulary and control tokens]`.
        activation_logits: `[batch, tokens]`; of use at boundaries.
        connection_scores: `[batch, thoughts, thoughts]`.
        thought_vectors: `[batch, thoughts, hidden]`.
        attention_entropy: Scalar, of the thoughts' attention to the content, in nats.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    past_key_values: Any = None
    thought_loss: torch.Tensor | None = None
    activation_loss: torch.Tensor | None = None
    connection_loss: torch.Tensor | None = None
    operation_loss: torch.Tensor | None = None
    thought_logits: torch.Tensor | None = None
    activation_logits: torch.Tensor | None = None
    connection_scores: torch.Tensor | None = None
    operation_logits: torch.Tensor | None = None
    thought_vectors: torch.Tensor | None = None
    attention_entropy: torch.Tensor | None = None
    codes: torch.Tensor | None = None


class DualTrackForCausalLM(ReflectionMixin, PreTrainedModel, GenerationMixin):
    """
    One frozen backbone and two tracks. Without a thought, its logits are those of the base model.

    `generate()` reflects by itself; see [`ReflectionMixin`].
    """

    config_class = DualTrackConfig
    base_model_prefix = "backbone"
    main_input_name = "input_ids"
    _supports_sdpa = True
    _keys_to_ignore_on_load_missing = [r"^backbone\."]
    _is_stateful = True

    def __init__(self, config: DualTrackConfig):
        super().__init__(config)
        if not config.backbone:
            raise ValueError("`config.backbone` is empty: make a model with `DualTrackForCausalLM.from_base(...)`.")
        backbone = AutoConfig.for_model(**config.backbone)
        backbone._attn_implementation = config._attn_implementation or "sdpa"
        self.backbone = LlamaForCausalLM(backbone)
        self.thought_layers = nn.ModuleList(
            ThoughtLayer(backbone, config.lora_rank, config.lora_alpha) for _ in range(backbone.num_hidden_layers)
        )
        self.control_embeddings = nn.Embedding(config.control_tokens, backbone.hidden_size)
        self.seed = LowRank(backbone.hidden_size, backbone.hidden_size, config.seed_rank, config.seed_rank)
        self.activation_head = (
            ActivationHeadMLP(backbone.hidden_size)
            if config.head_tier == 1
            else ActivationHeadAttention(backbone.hidden_size, config.head_window)
        )
        self.layer_mix = LayerMix(config.layer_mix) if config.layer_mix else None
        self.memory = MemoryPredictionNetwork(backbone.hidden_size, config.connection_size)
        self.codebook = (
            ProductCodebook(config.hidden_size, config.codebook_parts, config.codebook_size)
            if config.codebook_size
            else None
        )
        self.post_init()
        # The base ties its own weights (`load_base`); here both ends are missing on purpose, which would be warned of.
        self.all_tied_weights_keys: dict[str, str] = {}
        self._keys_to_ignore_on_save = [name for name in self.state_dict() if name.startswith("backbone.")]
        self._recording: _Recorder | None = None
        for layer in self.backbone.model.layers:
            layer.self_attn.k_proj.register_forward_hook(self._record_key)
        self.control_embeddings.weight.register_hook(self._only_latent)
        self.training_step = "reflect"
        self.freeze_for("reflect")

    def _only_latent(self, gradient: torch.Tensor) -> torch.Tensor:
        """In stage B the other control tokens stay what they are."""
        if self.training_step != "latent":
            return gradient
        first = self.config.control_tokens - self.config.latent_tokens
        return torch.cat([torch.zeros_like(gradient[:first]), gradient[first:]])

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, LowRank):
            nn.init.kaiming_uniform_(module.down.weight, a=5**0.5)
            nn.init.zeros_(module.up.weight)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def _record_key(self, module, inputs, output) -> None:
        if self._recording is not None:
            self._recording.append(output)

    # -- loading ---------------------------------------------------------------------------------------------------

    @classmethod
    def from_base(
        cls, base: str | PreTrainedModel, boundary_ids: list[int] | None = None, **settings
    ) -> "DualTrackForCausalLM":
        """
        A new pair of tracks on a language model of the Llama family.

        Args:
            base: Folder or name of it, or the model.
            boundary_ids: Tokens after which to ask whether to reflect; see [`boundary_ids_of`].
            settings: Fields of [`DualTrackConfig`].

        Raises:
            ValueError: The base is of another family.
        """
        name = base if isinstance(base, str) else base.config._name_or_path or None
        config = AutoConfig.from_pretrained(base) if isinstance(base, str) else base.config
        backbone = config.to_dict()
        for key in ("architectures", "dtype", "transformers_version", "_name_or_path", "quantization_config"):
            backbone.pop(key, None)
        model = cls(DualTrackConfig(base_model=name, backbone=backbone, boundary_ids=boundary_ids or [], **settings))
        model.load_base(base)
        return model

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path, *args, base: str | PreTrainedModel | None = None, **kwargs
    ):
        """As in transformers; the frozen base is read from `base`, or from where the adapter says it was."""
        loaded = super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        model, info = loaded if isinstance(loaded, tuple) else (loaded, None)
        base = base or model.config.base_model
        if base is None:
            raise ValueError("`base`: this adapter does not say what model it is for; name its folder.")
        model.load_base(base)
        return model if info is None else (model, info)

    def load_base(self, base: str | PreTrainedModel) -> None:
        """
        Reads the frozen weights.

        Raises:
            ValueError: The base is of another size than the adapter is for.
        """
        if isinstance(base, str):
            base = AutoModelForCausalLM.from_pretrained(base, dtype=self.dtype)
        theirs, mine = base.state_dict(), self.backbone.state_dict()
        wrong = [name for name in mine if name not in theirs or theirs[name].shape != mine[name].shape]
        if wrong:
            raise ValueError(f"`base`: it does not have the weights that this adapter is for (first: {wrong[0]}).")
        self.backbone.load_state_dict({name: theirs[name] for name in mine})
        self.backbone.tie_weights()
        self.backbone.generation_config = base.generation_config
        self.generation_config = base.generation_config

    # -- what is trained -------------------------------------------------------------------------------------------

    def freeze_for(self, step: str) -> None:
        """
        Leaves trainable what a step trains, and nothing else.

        Raises:
            ValueError: There is no such step.
        """
        if step not in STEPS:
            raise ValueError(f"`step` must be one of {', '.join(STEPS)}, not {step!r}.")
        self.training_step = step
        trained = {
            "reflect": (self.thought_layers, self.control_embeddings, self.seed, self.activation_head, self.layer_mix),
            "connect": (self.memory,),
            "latent": (self.control_embeddings, self.memory, self.thought_layers if self.config.latent_lora else None),
            "codebook": (self.codebook,),
        }[step]
        if step == "codebook" and self.codebook is None:
            raise ValueError("`codebook_size` is 0: there is no codebook to train.")
        self.requires_grad_(False)
        for module in trained:
            if module is not None:
                module.requires_grad_(True)

    def get_input_embeddings(self) -> nn.Module:
        """Those of the base."""
        return self.backbone.get_input_embeddings()

    # -- the tracks ------------------------------------------------------------------------------------------------

    def utter(self, input_ids, attention_mask=None, position_ids=None, cache: PagedContentCache | None = None):
        """
        The content track: the base model, nothing added. Returns its last hidden states `[batch, tokens, hidden]`,
        what the activation head reads, and the cache.
        """
        cache = PagedContentCache(len(self.backbone.model.layers), self.config.page_size) if cache is None else cache
        states: list[torch.Tensor] = []
        hooks = []
        if self.layer_mix is not None:
            for layer in self.backbone.model.layers[-self.config.layer_mix :]:
                hooks.append(layer.register_forward_hook(lambda module, inputs, output: states.append(output)))
        self._recording = _Recorder(cache, self.backbone.config)
        try:
            output = self.backbone.model(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=cache,
                use_cache=True,
            )
        finally:
            self._recording = None
            for hook in hooks:
                hook.remove()
        hidden = output.last_hidden_state
        return hidden, self.layer_mix(states) if self.layer_mix is not None else hidden, cache

    def embed_thoughts(self, ids: torch.Tensor) -> torch.Tensor:
        """`[batch, tokens]`, of the base or of the control tokens, to `[batch, tokens, hidden]`."""
        size = self.config.vocab_size
        control = ids >= size
        base = self.get_input_embeddings()(ids.masked_fill(control, 0))
        own = self.control_embeddings((ids - size).clamp_min(0)).to(base.dtype)
        return torch.where(control.unsqueeze(-1), own, base)

    def think(self, ids, positions, content: Content, thought_mask, past=None, seed=None, watch: bool = False):
        """
        The thought track.

        Args:
            ids, positions: `[batch, tokens]`; positions count thoughts only.
            content: What of the utterance is seen, and where.
            thought_mask: `[batch, tokens, earlier thought tokens and these]`, true where a token may look.
            past: `[layers, 2, batch, key heads, earlier tokens, head size]`, or None.
            seed: `[batch, tokens, hidden]`, the content's hidden state where a thought opens, zero elsewhere.

        Returns: hidden states, the keys and values of each layer, and the attention (mean over layers) or None.
        """
        hidden = self.embed_thoughts(ids)
        if seed is not None:
            hidden = hidden + self.seed(seed.detach())
        rotation = self.backbone.model.rotary_emb(hidden, position_ids=positions)
        states, total = [], None
        for index, (thought_layer, layer) in enumerate(
            zip(self.thought_layers, self.backbone.model.layers, strict=True)
        ):
            before = None if past is None else (past[index, 0], past[index, 1])
            hidden, own, attention = thought_layer(
                layer, hidden, rotation, content, index, before, thought_mask, watch
            )
            states.append(own)
            if watch:
                total = attention if total is None else total + attention
        return self.backbone.model.norm(hidden), states, None if total is None else total / len(states)

    def thought_logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """`[..., hidden]` to `[..., vocabulary and control tokens]`."""
        own = functional.linear(hidden, self.control_embeddings.weight.to(hidden.dtype))
        return torch.cat([self.backbone.lm_head(hidden), own], dim=-1)

    # -- training --------------------------------------------------------------------------------------------------

    def forward(
        self,
        input_ids: torch.LongTensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Any = None,
        thought_ids: torch.LongTensor | None = None,
        thought_nodes: torch.LongTensor | None = None,
        node_spans: torch.LongTensor | None = None,
        node_links: torch.LongTensor | None = None,
        node_until: torch.LongTensor | None = None,
        node_operations: torch.LongTensor | None = None,
        activation_labels: torch.LongTensor | None = None,
        teacher_thought_ids: torch.LongTensor | None = None,
        teacher_thought_nodes: torch.LongTensor | None = None,
        logits_to_keep: int = 0,
        **kwargs,
    ) -> DualTrackOutput:
        """
        Args:
            input_ids, attention_mask: `[batch, tokens]`, the content alone, padded on the right.
            thought_ids: `[batch, thought tokens]`, thoughts one after the other.
            thought_nodes: Likewise, the number of the thought that each token belongs to; -1 is padding.
            node_spans: `[batch, thoughts, 2]`, the content each is about; a thought stands after the last of it.
            node_links: `[batch, thoughts]`, the earlier thought that each is about; -1 without one.
            node_until: `[batch, thoughts]`, the thought from which on each is gone from the buffer.
            node_operations: `[batch, thoughts]`, of `MEMORY_OPERATIONS`; -1 is not trained.
            activation_labels: `[batch, tokens]`, 1 and 0 at boundaries, -100 elsewhere.
            teacher_thought_ids, teacher_thought_nodes: The same thoughts in text, for stage B.
            logits_to_keep: Content logits of the last so many tokens; 0 keeps all.
        """
        if past_key_values is not None:
            return self.step(input_ids, past_key_values, attention_mask)
        training_thoughts = thought_ids is not None
        cache = None
        if training_thoughts or activation_labels is not None:
            mask, position_ids = self.windowed_mask(attention_mask, input_ids)
            with torch.no_grad() if self.layer_mix is None else torch.enable_grad():
                hidden, read, cache = self.utter(input_ids, mask, position_ids)
            output = DualTrackOutput()
        else:
            hidden, read, cache = self.utter(input_ids, attention_mask, position_ids)
            output = DualTrackOutput(logits=self.backbone.lm_head(hidden[:, -logits_to_keep:]))
        losses = []
        if activation_labels is not None:
            # A read-only probe: nothing flows back from it (5.6.4).
            probed = read if self.layer_mix is not None else read.detach()
            output.activation_logits = self.activation_head(probed.to(self.control_embeddings.weight.dtype))
            asked = activation_labels >= 0
            output.activation_loss = focal_loss(output.activation_logits[asked].float(), activation_labels[asked])
            if self.training_step == "reflect":
                losses.append(self.config.activation_weight * output.activation_loss)
        if training_thoughts:
            losses += self._thought_losses(
                output, hidden, cache, thought_ids, thought_nodes, node_spans, node_links, node_until, node_operations,
                teacher_thought_ids, teacher_thought_nodes,
            )  # fmt: skip
        if losses:
            output.loss = sum(losses)
        return output

    def windowed_mask(self, attention_mask, input_ids):
        """What each content token sees once there are thoughts: the sinks and the window; and its positions."""
        batch, tokens = input_ids.shape
        keep = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        steps = torch.arange(tokens, device=input_ids.device)
        distance = steps[:, None] - steps[None, :]
        near = (distance >= 0) & ((distance < self.config.window) | (steps < self.config.sinks)[None, :])
        mask = near[None, None] & keep[:, None, None, :].bool()
        mask = mask | torch.eye(tokens, dtype=torch.bool, device=mask.device)
        return mask, steps.expand(batch, tokens)

    def _lay_out(self, cache, thought_ids, thought_nodes, node_spans, node_until, hidden, removed: bool):
        """Content, mask, positions and seed of thoughts one after the other; `removed`: what was overwritten is
        unseen."""
        columns = torch.arange(hidden.shape[1], device=hidden.device)
        node = thought_nodes.clamp_min(0)
        spans = node_spans.gather(1, node.unsqueeze(-1).expand(-1, -1, 2))
        first, end = spans[..., :1], spans[..., 1:]
        visible = (columns < end) & ((columns >= end - self.config.window) | (columns < self.config.sinks))
        current = visible & (columns >= first)
        real = thought_nodes >= 0
        steps = torch.arange(thought_ids.shape[1], device=hidden.device)
        gone = node_until.gather(1, node)
        mask = (steps[None, :, None] >= steps[None, None, :]) & real[:, None, :]
        if removed:
            mask = mask & (gone[:, None, :] >= node[:, :, None])
        mask = mask | torch.eye(len(steps), dtype=torch.bool, device=hidden.device)
        opens = (thought_ids == self.config.start_id).unsqueeze(-1)
        at = (end - 1).clamp_min(0).expand(-1, -1, hidden.shape[2])
        seed = hidden.gather(1, at) * opens
        content = Content(
            [layer.raw for layer in cache.layers], [layer.values for layer in cache.layers], visible, current
        )
        return content, mask, steps.expand_as(thought_ids), seed

    def _vectors(self, hidden, thought_ids, nodes: int):
        """The hidden states at the ends of thoughts, `[batch, thoughts, hidden]`, and which there are."""
        ends = thought_ids == self.config.end_id
        vectors = hidden.new_zeros(hidden.shape[0], nodes, hidden.shape[2])
        there = torch.zeros(hidden.shape[0], nodes, dtype=torch.bool, device=hidden.device)
        rows, columns = ends.nonzero(as_tuple=True)
        number = ends.cumsum(1)[rows, columns] - 1
        vectors = vectors.index_put((rows, number), hidden[rows, columns])
        there[rows, number] = True
        return vectors, there

    def _teacher(self, attention, thought_nodes, node_spans, tokens: int, nodes: int):
        """What full attention gave to each earlier thought and to what it is about, `[batch, thoughts, thoughts]`."""
        belongs = functional.one_hot(thought_nodes.clamp_min(0), nodes).to(attention.dtype) * (
            thought_nodes >= 0
        ).unsqueeze(-1)
        columns = torch.arange(tokens, device=attention.device)
        about = (columns >= node_spans[..., :1]) & (columns < node_spans[..., 1:])
        keys = torch.cat([belongs, about.transpose(1, 2).to(attention.dtype)], dim=1)
        return belongs.transpose(1, 2) @ (attention @ keys)

    def _thought_losses(
        self, output, hidden, cache, thought_ids, thought_nodes, node_spans, node_links, node_until, node_operations,
        teacher_ids, teacher_nodes,
    ):  # fmt: skip
        nodes, step = node_spans.shape[1], self.training_step
        content, mask, positions, seed = self._lay_out(
            cache, thought_ids, thought_nodes, node_spans, node_until, hidden, bool(self.config.latent_tokens)
        )
        watch = step == "connect" and teacher_ids is None
        with torch.set_grad_enabled(step in ("reflect", "latent") and torch.is_grad_enabled()):
            thought, _, attention = self.think(thought_ids, positions, content, mask, seed=seed, watch=watch)
        losses = []
        vectors, there = self._vectors(thought, thought_ids, nodes)
        if step in ("reflect", "latent"):
            # Predicted within each thought, its type and end included; the first token is given by the activation.
            same = thought_nodes[:, 1:] == thought_nodes[:, :-1]
            wanted = thought_ids[:, 1:].masked_fill(~same | (thought_nodes[:, 1:] < 0), -100)
            logits = output.thought_logits = self.thought_logits(thought)
            output.thought_loss = functional.cross_entropy(
                logits[:, :-1].flatten(0, 1).float(), wanted.flatten(), ignore_index=-100
            )
            losses.append(output.thought_loss)
            if self.config.contrastive_weight:
                losses.append(self.config.contrastive_weight * self._contrast(vectors, there, hidden, node_spans))
        if step == "codebook" and self.codebook is not None:
            vectors, output.codes, loss = self.codebook(vectors[there].float())
            output.thought_vectors = vectors
            return [loss]
        vectors = vectors.to(self.memory.query.weight.dtype)
        output.thought_vectors = vectors
        scores = output.connection_scores = self.memory(vectors, vectors).float()
        output.operation_logits = self.memory.operation(vectors)
        number = torch.arange(nodes, device=hidden.device)
        earlier = (number[None, :, None] > number[None, None, :]) & there[:, :, None] & there[:, None, :]
        earlier = earlier & (node_until[:, None, :] >= number[None, :, None])
        if step in ("connect", "latent"):
            if attention is None:
                teacher_content, teacher_mask, teacher_positions, teacher_seed = self._lay_out(
                    cache, teacher_ids, teacher_nodes, node_spans, node_until, hidden, False
                )
                with torch.no_grad():
                    _, _, attention = self.think(
                        teacher_ids, teacher_positions, teacher_content, teacher_mask, seed=teacher_seed, watch=True
                    )
                thought_nodes = teacher_nodes
            share = attention[..., thought_nodes.shape[1] :].float()
            share = share / share.sum(-1, keepdim=True).clamp_min(1e-9)
            output.attention_entropy = -(share * share.clamp_min(1e-9).log()).sum(-1)[thought_nodes >= 0].mean()
            teacher = self._teacher(attention.float(), thought_nodes, node_spans, hidden.shape[1], nodes)
            output.connection_loss = connection_loss(
                scores, earlier, teacher, node_links.masked_fill(~there, -1), self.config.sparsity_weight,
                self.config.link_weight,
            )  # fmt: skip
            losses.append(output.connection_loss)
            if node_operations is not None:
                trained = (node_operations >= 0) & there
                output.operation_loss = functional.cross_entropy(
                    output.operation_logits[trained].float(), node_operations[trained]
                )
                losses.append(output.operation_loss)
        return losses

    def _contrast(self, vectors, there, hidden, node_spans):
        """Thoughts are closer to what they are about than to what other thoughts of the batch are about (InfoNCE)."""
        columns = torch.arange(hidden.shape[1], device=hidden.device)
        about = ((columns >= node_spans[..., :1]) & (columns < node_spans[..., 1:])).to(hidden.dtype)
        means = about @ hidden / about.sum(-1, keepdim=True).clamp_min(1)
        thoughts, content = (functional.normalize(part[there].float(), dim=-1) for part in (vectors, means))
        return functional.cross_entropy(thoughts @ content.T / 0.07, torch.arange(len(thoughts), device=hidden.device))


class _Recorder:
    """Hands the keys of each layer, before their rotation, to the cache that is about to take the rotated ones."""

    def __init__(self, cache: PagedContentCache, config):
        self.cache, self.layer, self.heads = cache, 0, config.num_key_value_heads

    def append(self, output: torch.Tensor) -> None:
        keys = output.view(*output.shape[:2], self.heads, -1).transpose(1, 2)
        self.cache.layers[self.layer].fresh = keys
        self.layer += 1


DualTrackForCausalLM.register_for_auto_class("AutoModelForCausalLM")
