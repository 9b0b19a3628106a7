"""`pipeline("duplex-generation", model=...)`: a prompt, updates with their arrival times, and streamed text."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from transformers import Pipeline

from .chat_format import ChatFormat
from .interrupts import Interrupt
from .messages import encode_prompt, encode_update


MAX_NEW_TOKENS = 256
LIMITS = {"max_length", "max_new_tokens", "generation_config"}


class ScheduledUpdates:
    """An `interrupt_callback` that sends each update to every row after a given number of emitted tokens."""

    def __init__(self, updates: Sequence[tuple[int, list[int]]], start: int):
        self.waiting = sorted(updates, key=lambda update: update[0])
        self.start = start

    def __call__(self, input_ids: torch.LongTensor) -> Interrupt | None:
        emitted = input_ids.shape[1] - self.start
        due = [ids for after, ids in self.waiting if after <= emitted]
        self.waiting = self.waiting[len(due) :]
        return Interrupt.from_lists([due] * input_ids.shape[0], input_ids.device)


class DuplexGenerationPipeline(Pipeline):
    """
    Generates text with an open input.

    ```python
    >>> from transformers import pipeline

    >>> talk = pipeline("duplex-generation", model="path/to/model", trust_remote_code=True)
    >>> talk("Given x = 5, compute 3x + 2.", updates=[(4, "Actually x = 7.")])["generated_text"]
    ```

    Pass a duplex adapter as returned by [`~hf_duplex.listen`], with the tokenizer of its base:

    ```python
    >>> talk = pipeline("duplex-generation", model=duplex_model, tokenizer=tokenizer)
    >>> talk("A pen costs $2. How much are 4 pens?", updates=[(6, "I need 6.")], max_new_tokens=60)["generated_text"]
    ```

    Called with a prompt (`str`) or a list of them, and:

    - **updates** (`list[tuple[int, str]]`, *optional*) -- each with the number of tokens after which it arrives.
    - **interrupt_callback** (`Callable`, *optional*) -- for live updates, as in `generate`; excludes `updates`.
    - **streamer** (`BaseStreamer`, *optional*), and every other argument of `generate`.

    Returns for each prompt a `dict` with `generated_text`, `tokens`, and `versions`, the visible version of each
    token; a list of them if `num_return_sequences` is above 1.
    """

    _load_tokenizer = True
    _chat_format: ChatFormat | None = None

    def _sanitize_parameters(self, updates=None, interrupt_callback: Callable | None = None, **generate_kwargs):
        if updates is not None and interrupt_callback is not None:
            raise ValueError("Give `updates` or `interrupt_callback`, not both.")
        for update in updates or ():
            if not (isinstance(update, Sequence) and len(update) == 2 and isinstance(update[0], int)):
                raise ValueError(f"`updates` must hold pairs (tokens emitted before it, text), got {update!r}.")
            if not isinstance(update[1], str) or not update[1].strip():
                raise ValueError(f"`updates` must hold texts that say something, got {update[1]!r}.")
        return {}, {"updates": updates, "interrupt_callback": interrupt_callback, **generate_kwargs}, {}

    @property
    def chat_format(self) -> ChatFormat | None:
        """How a duplex adapter reads prompts and updates; None for a model that was trained from scratch."""
        if self.model.config.model_type != "duplex_adapter":
            return None
        if self._chat_format is None:
            self._chat_format = ChatFormat(self.tokenizer, spliced=not self.model.keeps_workspace)
        return self._chat_format

    def preprocess(self, prompt: str):
        if not isinstance(prompt, str):
            raise ValueError(f"A prompt must be a string, got {type(prompt).__name__}.")
        if self.chat_format is None:
            inputs = {"prompt_ids": encode_prompt(self.tokenizer, prompt)}
        else:
            ids, start = self.chat_format.prompt(prompt)
            inputs = {"input_ids": [start], "prompt_ids": ids}
        tensors = {name: torch.tensor([ids], dtype=torch.long) for name, ids in inputs.items()}
        return {**tensors, "prompt_mask": torch.ones_like(tensors["prompt_ids"])}

    def _forward(self, model_inputs, updates=None, interrupt_callback=None, **generate_kwargs):
        if updates:
            encode = partial(encode_update, self.tokenizer) if self.chat_format is None else self.chat_format.update
            encoded = [(after, encode(text)) for after, text in updates]
            interrupt_callback = ScheduledUpdates(encoded, start=1)
        if self.model.generation_config.max_new_tokens is None and not generate_kwargs.keys() & LIMITS:
            # Without a limit, transformers would stop after about 20 tokens.
            generate_kwargs["max_new_tokens"] = MAX_NEW_TOKENS
        output = self.model.generate(
            **model_inputs,
            interrupt_callback=interrupt_callback,
            **{**generate_kwargs, "return_dict_in_generate": True},
        )
        prompts = model_inputs["prompt_ids"].shape[0]
        return {name: output[name].unflatten(0, (prompts, -1)) for name in ("sequences", "versions")}

    def postprocess(self, output):
        records = []
        for tokens, versions in zip(output["sequences"][0].tolist(), output["versions"][0].tolist(), strict=True):
            # Remove the begin token, and the padding after a text that ended early.
            end = len(tokens)
            while end > 1 and tokens[end - 1] == self.tokenizer.pad_token_id:
                end -= 1
            text = self.tokenizer.decode(tokens[1:end], skip_special_tokens=True)
            records.append({"generated_text": text, "tokens": tokens[1:end], "versions": versions[1:end]})
        return records[0] if len(records) == 1 else records
