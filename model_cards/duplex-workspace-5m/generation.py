"""
Generation with an open input: interrupts within the standard decoding loop of transformers.

[`DuplexGenerationMixin`] does not depend on how a model reads: it polls the callback, passes prompts and updates to
two hooks, and inserts what they return into the generator's stream. Its default hooks splice all incoming text into
that stream, which works for any causal language model of transformers; models that read differently override them.
"""

from dataclasses import dataclass

import torch
from transformers import GenerationMixin
from transformers.generation import GenerateDecoderOnlyOutput
from transformers.utils import logging

from .cache import DuplexCache
from .interrupts import check_ids, poll
from .messages import count_messages


logger = logging.get_logger(__name__)

Tokens = tuple[torch.LongTensor, torch.BoolTensor]


@dataclass
class DuplexGenerateOutput(GenerateDecoderOnlyOutput):
    """
    What `generate(..., return_dict_in_generate=True)` returns: the usual fields, and the versions.

    Attributes:
        versions (`torch.LongTensor` of the shape of `sequences`):
            How many messages had been received when each token was chosen; 0 for tokens given as input.
    """

    versions: torch.LongTensor | None = None


def left_padded(parts: list[Tokens]) -> Tokens:
    """Concatenates pieces of the stream and moves padding to the left: the last column holds each row's last token."""
    ids, mask = (torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True))
    if bool(mask.all()):
        return ids, mask
    order = mask.int().argsort(dim=1, stable=True)
    length = max(1, int(mask.sum(1).max()))
    return ids.gather(1, order)[:, -length:], mask.gather(1, order)[:, -length:]


class DuplexGenerationMixin(GenerationMixin):
    """
    `generate` with `prompt_ids` and `interrupt_callback`, and continuation from a returned cache. It uses
    `max_message_length` and `message_separator_token_id` of the model's configuration.
    """

    _is_stateful = True
    _supported_generation_modes = ["greedy_search", "sample"]

    # The two reading hooks. Each returns the tokens to insert into the generator's stream.

    def read_prompt(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> list[Tokens]:
        """Reads prompts `(batch, length)` into a new cache. By default every token joins the stream."""
        counts = count_messages(ids, mask, self.config.message_separator_token_id, self.config.max_message_length)
        cache.version = cache.version + counts
        return [(ids, mask)]

    def read_updates(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> list[Tokens]:
        """Reads updates `(batch, updates, length)` during generation. By default every token joins the stream."""
        cache.version = cache.version + mask.any(-1).sum(-1)
        return [(ids.flatten(1), mask.flatten(1))]

    def read_input_ids(self, cache: DuplexCache, mask: torch.BoolTensor) -> None:
        """Called instead of [`read_prompt`] if a stream begins with `input_ids` only; `mask` is their mask."""

    # Methods called by transformers

    @torch.no_grad()
    def generate(self, inputs=None, generation_config=None, *args, **kwargs):
        """
        [`~transformers.GenerationMixin.generate`] with an open input.

        Args:
            inputs (`torch.LongTensor` of shape `(batch, emitted)`, *optional*): The tokens emitted so far.
                Defaults to one `bos_token_id` per row.
            prompt_ids (`torch.LongTensor` of shape `(batch, length)`, *optional*): The prompt.
            prompt_mask (`torch.Tensor` of the same shape, *optional*): Non-zero where `prompt_ids` holds a token.
            interrupt_callback (`Callable[[torch.LongTensor], Interrupt | None]`, *optional*): Called once per step
                with all emitted tokens, before the next token is chosen.
            past_key_values ([`DuplexCache`], *optional*): The state returned by an earlier call, to continue from.
                Then `inputs` must be the sequences returned with it.

        Returns:
            As in transformers; with `return_dict_in_generate=True` a [`DuplexGenerateOutput`].

        Raises:
            ValueError: An argument is unusable; the message names it.
            InterruptError: `interrupt_callback` failed. The error holds the emitted tokens and the state.
        """
        if inputs is not None and kwargs.get("input_ids") is not None:
            raise ValueError("`inputs` and `input_ids` are the same argument: give one of them.")
        inputs = kwargs.pop("input_ids", inputs)
        self._check_generate_arguments(inputs, generation_config or self.generation_config, kwargs)
        if inputs is not None:
            kwargs["input_ids"] = inputs
        output = super().generate(None, generation_config, *args, **kwargs)
        if not isinstance(output, GenerateDecoderOnlyOutput):
            return output
        versions = torch.stack(output.past_key_values.versions[: output.sequences.shape[1]], dim=1)
        return DuplexGenerateOutput(**output, versions=versions)

    def _check_generate_arguments(self, inputs, generation_config, kwargs) -> None:
        vocab_size = self.config.get_text_config().vocab_size
        for name in ("update_ids", "update_mask", "update_positions"):
            if kwargs.get(name) is not None:
                raise ValueError(f"`{name}` is for training: `generate` is told updates by its `interrupt_callback`.")
        if kwargs.get("use_cache", generation_config.use_cache) is False:
            raise ValueError("`use_cache=False` cannot be used: the state of a duplex stream lives in its cache.")
        if (kwargs.get("num_beams") or generation_config.num_beams or 1) > 1:
            raise ValueError(
                "`num_beams` must be 1: beams would each hear an update at a different text. "
                "Use greedy search or sampling."
            )
        if kwargs.get("cache_implementation", generation_config.cache_implementation) is not None:
            raise ValueError(
                "`cache_implementation` must be None: a duplex stream keeps its state in a `DuplexCache`."
            )
        if kwargs.get("prefill_chunk_size", generation_config.prefill_chunk_size) is not None:
            raise ValueError("`prefill_chunk_size` must be None: a prompt is read as a whole.")
        callback = kwargs.get("interrupt_callback")
        if callback is not None and not callable(callback):
            raise ValueError(f"`interrupt_callback` must be callable, got {type(callback).__name__}.")
        if inputs is not None:
            check_ids("input_ids", inputs, None, vocab_size)
        batch_size = None if inputs is None else inputs.shape[0]

        prompt_ids, cache = kwargs.get("prompt_ids"), kwargs.get("past_key_values")
        if prompt_ids is not None:
            check_ids("prompt_ids", prompt_ids, kwargs.get("prompt_mask"), vocab_size, batch_size)
        elif kwargs.get("prompt_mask") is not None:
            raise ValueError("`prompt_mask` was given without `prompt_ids`.")
        if cache is None:
            if inputs is not None and prompt_ids is None:
                self._warn_about_prompt()
            return
        if not isinstance(cache, DuplexCache):
            raise ValueError(
                "`past_key_values` must be the `DuplexCache` that an earlier call returned, "
                f"got {type(cache).__name__}."
            )
        emitted = cache.emitted or cache.get_seq_length()
        if emitted:
            if prompt_ids is not None:
                raise ValueError(
                    "`prompt_ids` cannot be given with a running `past_key_values`: send new text as an update, "
                    "through `interrupt_callback`."
                )
            rows = cache.layers[0].keys.shape[0]
            if inputs is None or inputs.shape[1] <= emitted or inputs.shape[0] != rows:
                raise ValueError(
                    "`input_ids` must be the `sequences` that were returned with this `past_key_values` "
                    f"({rows} rows, more than {emitted} columns)."
                )
            if (kwargs.get("num_return_sequences") or generation_config.num_return_sequences or 1) > 1:
                raise ValueError(
                    "`num_return_sequences` must be 1 with a running `past_key_values`: repeat its rows first, with "
                    "`past_key_values.batch_repeat_interleave(n)` and `input_ids.repeat_interleave(n, dim=0)`."
                )
            # Rows that ended early were returned padded on the right: do not warn about it.
            kwargs.setdefault("attention_mask", torch.ones_like(inputs))

    def _warn_about_prompt(self) -> None:
        """Models that do not read prompts from `input_ids` warn here."""

    def _prepare_cache_for_generation(self, generation_config, model_kwargs, *args, **kwargs):
        if model_kwargs.get("past_key_values") is None:
            model_kwargs["past_key_values"] = DuplexCache()
        cache, pad, eos = (
            model_kwargs["past_key_values"],
            generation_config.pad_token_id,
            generation_config.eos_token_id,
        )
        cache.end_ids = [] if eos is None else torch.as_tensor(eos).view(-1).tolist()
        cache.padding_id = int(pad) if pad is not None else next(iter(cache.end_ids), None)
        return super()._prepare_cache_for_generation(generation_config, model_kwargs, *args, **kwargs)

    def prepare_inputs_for_generation(
        self,
        input_ids,
        past_key_values=None,
        attention_mask=None,
        prompt_ids=None,
        prompt_mask=None,
        interrupt_callback=None,
        is_first_iteration=False,
        next_sequence_length=None,
        position_ids=None,
        **kwargs,
    ):
        """Called by the decoding loop before each step: reads new messages, then prepares the next inputs."""
        cache = past_key_values
        fresh = cache.version is None
        if fresh and prompt_ids is not None:
            prompt_mask = torch.ones_like(prompt_ids) if prompt_mask is None else prompt_mask
            cache.prompt = prompt_ids.masked_fill(prompt_mask == 0, 0), prompt_mask.bool()
        updates = poll(interrupt_callback, input_ids, cache, self.config)
        if fresh:
            cache.start(batch_size=input_ids.shape[0], device=input_ids.device)

        new_ids = input_ids[:, cache.emitted :]
        if fresh:
            mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            given_mask, new_mask = mask[:, : cache.emitted].bool(), mask[:, cache.emitted :].bool()
            if not bool(given_mask.all()):
                cache.mask = given_mask
        else:
            new_mask = ~self._is_padding(new_ids, cache)
        parts = [(new_ids, new_mask)]
        if cache.prompt is not None:
            parts = self.read_prompt(cache, *cache.prompt) + parts
            cache.prompt = None
        elif fresh:
            self.read_input_ids(cache, new_mask)
        elif is_first_iteration and not fresh:
            parts = self._resume(cache, new_mask) + parts
        cache.close_gaps()
        block_ids, block_mask = left_padded(parts)
        if updates is not None:
            # Tokens emitted before the updates must not attend to them: process these first, except the last.
            self._read_before_updates(cache, block_ids[:, :-1], block_mask[:, :-1])
            parts = [(block_ids[:, -1:], block_mask[:, -1:]), *self.read_updates(cache, *updates)]
            block_ids, block_mask = left_padded(parts)
        if len(parts) > 1:
            if cache.get_seq_length() and not bool(block_mask[:, :-1].any(1).all()):
                # Other rows wait during a splice; all rows step together at its last token.
                self._read_before_updates(cache, block_ids[:, :-1], block_mask[:, :-1])
                block_ids, block_mask = block_ids[:, -1:], block_mask[:, -1:]
            cache.protect(block_ids.shape[1])
        cache.append_mask(block_mask)
        cache.processed_tokens += int(block_mask.sum())
        cache.last_ids = torch.where(block_mask[:, -1], block_ids[:, -1], cache.last_ids)
        ends = torch.isin(new_ids[:, -1], torch.tensor(cache.end_ids, dtype=torch.long, device=new_ids.device))
        cache.ended = torch.where(new_mask[:, -1], ends, cache.ended) & (not is_first_iteration)
        cache.emitted = input_ids.shape[1]
        given = torch.zeros_like(cache.version)
        cache.versions += [given] * (cache.emitted - len(cache.versions)) + [cache.version]
        return {
            "input_ids": block_ids,
            "attention_mask": cache.mask,
            "past_key_values": cache,
            **self._positions(cache, block_ids.shape[1]),
            **{name: value for name, value in kwargs.items() if value is not None},
        }

    def _read_before_updates(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> None:
        """Processes a block `(batch, block)`, only for rows that hold a token in it."""
        if not ids.shape[1]:
            return
        cache.protect(ids.shape[1])
        cache.processed_tokens += int(mask.sum())
        rows = mask.any(1).nonzero()[:, 0]
        if not cache.get_seq_length() or len(rows) in (0, len(ids)):
            self._read_block(cache, ids, mask)
            return
        part = cache.of_rows(rows)
        self._read_block(part, ids[rows], mask[rows])
        cache.join_rows(part, rows, mask[rows])

    def _read_block(self, cache: DuplexCache, ids: torch.LongTensor, mask: torch.BoolTensor) -> None:
        cache.append_mask(mask)
        positions = self._positions(cache, ids.shape[1])
        self.base_model(input_ids=ids, attention_mask=cache.mask, past_key_values=cache, use_cache=True, **positions)

    def _positions(self, cache: DuplexCache, columns: int) -> dict:
        """Positions of the newest columns, as an argument. Padding inside a row is not counted."""
        if cache.mask is None:
            return {}
        return {"position_ids": (cache.mask.cumsum(-1) - 1).clamp(min=0)[:, -columns:]}

    def _resume(self, cache: DuplexCache, new_mask: torch.BoolTensor) -> list[Tokens]:
        """Rows that ended early have no new token: their last token is removed, to be processed again."""
        silent = ~new_mask.any(1)
        if not bool(silent.any()):
            return []
        cache.retract_last(silent)
        return [(cache.last_ids[:, None], silent[:, None])]

    def _is_padding(self, ids: torch.LongTensor, cache: DuplexCache) -> torch.BoolTensor:
        """Which columns of the emitted stream are padding of rows that ended early."""
        padding = torch.zeros_like(ids, dtype=torch.bool) if cache.padding_id is None else ids == cache.padding_id
        # If the padding token is also an end token, the first one in a row is emitted; without end tokens, it is an
        # ordinary token.
        unclear = cache.padding_id in cache.end_ids or not cache.end_ids
        return padding & cache.ended[:, None] if unclear else padding
