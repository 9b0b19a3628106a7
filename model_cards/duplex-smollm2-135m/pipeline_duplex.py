"""`pipeline("duplex-generation", model=...)`: a prompt, updates with the moment they arrive, and streamed text."""

from collections.abc import Callable, Sequence

import torch
from transformers import Pipeline

from .interrupts import Interrupt
from .messages import encode_prompt, encode_update


class ScheduledUpdates:
    """An `interrupt_callback` that hands over each update, to every row, once so many tokens were emitted."""

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
    Generates text that listens.

    ```python
    >>> from transformers import pipeline

    >>> talk = pipeline("duplex-generation", model="path/to/model", trust_remote_code=True)
    >>> talk("Given x = 5, compute 3x + 2.", updates=[(4, "Actually x = 7.")])["generated_text"]
    ```

    Called with a prompt (`str`) or a list of them, and:

    - **updates** (`list[tuple[int, str]]`, *optional*) -- each with the number of tokens after which it arrives.
    - **interrupt_callback** (`Callable`, *optional*) -- for live updates instead; as in `generate`.
    - **streamer** (`BaseStreamer`, *optional*), and every other argument of `generate`.

    Returns for each prompt a `dict` with `generated_text`, `tokens` and, for each token, the `versions` it knew; a
    list of them with `num_return_sequences` above 1.
    """

    _load_tokenizer = True

    def _sanitize_parameters(self, updates=None, interrupt_callback: Callable | None = None, **generate_kwargs):
        if updates is not None and interrupt_callback is not None:
            raise ValueError("Give `updates` or `interrupt_callback`, not both.")
        for update in updates or ():
            if not (isinstance(update, Sequence) and len(update) == 2 and isinstance(update[0], int)):
                raise ValueError(f"`updates` must hold pairs (tokens emitted before it, text), got {update!r}.")
            if not isinstance(update[1], str) or not update[1].strip():
                raise ValueError(f"`updates` must hold texts that say something, got {update[1]!r}.")
        return {}, {"updates": updates, "interrupt_callback": interrupt_callback, **generate_kwargs}, {}

    def preprocess(self, prompt: str):
        if not isinstance(prompt, str):
            raise ValueError(f"A prompt must be a string, got {type(prompt).__name__}.")
        prompt_ids = torch.tensor([encode_prompt(self.tokenizer, prompt)], dtype=torch.long)
        return {"prompt_ids": prompt_ids, "prompt_mask": torch.ones_like(prompt_ids)}

    def _forward(self, model_inputs, updates=None, interrupt_callback=None, **generate_kwargs):
        if updates:
            encoded = [(after, encode_update(self.tokenizer, text)) for after, text in updates]
            interrupt_callback = ScheduledUpdates(encoded, start=1)
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
            # Without the begin token, and without the padding behind a text that ended before its neighbours.
            end = len(tokens)
            while end > 1 and tokens[end - 1] == self.tokenizer.pad_token_id:
                end -= 1
            text = self.tokenizer.decode(tokens[1:end], skip_special_tokens=True)
            records.append({"generated_text": text, "tokens": tokens[1:end], "versions": versions[1:end]})
        return records[0] if len(records) == 1 else records
