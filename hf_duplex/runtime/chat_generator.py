"""Streaming generation with any chat model of transformers: reports the text after each token, and can be stopped at
any token."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList


Message = dict[str, str]


class _Listening(StoppingCriteria):
    """Passes the text so far to a callback after every token, and stops when the callback returns False."""

    def __init__(self, decode: Callable[[torch.Tensor], str], columns: int, on_text: Callable[[str], bool]):
        self.decode, self.columns, self.on_text = decode, columns, on_text

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        text = self.decode(input_ids[0, self.columns :])
        # An incomplete character is held back until it is complete.
        done = not text.endswith("\N{REPLACEMENT CHARACTER}") and not self.on_text(text)
        return torch.full((input_ids.shape[0],), done, dtype=torch.bool, device=input_ids.device)


class ChatGenerator:
    """
    Greedy generation with a causal language model and the chat template of its tokenizer.

    Args:
        model, tokenizer: The model and its tokenizer.

    Raises:
        ValueError: The tokenizer has no chat template.
    """

    def __init__(self, model: Any, tokenizer: Any):
        if not tokenizer.chat_template:
            raise ValueError("`tokenizer` has no chat template: name a chat model, or save a `chat_template` with it.")
        self.model, self.tokenizer = model, tokenizer

    @classmethod
    def from_name(cls, name: str, argument: str) -> "ChatGenerator":
        """
        Loads a model from a folder or the Hub; `argument` is the name of the option, for errors.

        Raises:
            ValueError: It cannot be loaded.
        """
        try:
            return cls(AutoModelForCausalLM.from_pretrained(name).eval(), AutoTokenizer.from_pretrained(name))
        except OSError as error:
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f"`{argument}`: {name} cannot be loaded: {reason} Name a chat model.") from error
        except ValueError as error:
            raise ValueError(f"`{argument}`: {name}: {error}") from error

    @torch.inference_mode()
    def say(
        self,
        messages: Sequence[Message],
        on_text: Callable[[str], bool] = lambda text: True,
        max_new_tokens: int = 200,
    ) -> str:
        """
        Generates the next turn.

        Args:
            messages (`Sequence[dict[str, str]]`): The conversation, each with `role` and `content`.
            on_text (`Callable[[str], bool]`, *optional*): Receives the text so far after each token; False stops.
            max_new_tokens (`int`, *optional*, defaults to 200): Most tokens of the turn.
        """
        laid_out = self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        ids = self.tokenizer(laid_out, add_special_tokens=False, return_tensors="pt").to(self.model.device)
        columns = ids["input_ids"].shape[1]
        pad = self.tokenizer.pad_token_id
        sequences = self.model.generate(
            input_ids=ids["input_ids"],
            attention_mask=ids["attention_mask"],
            stopping_criteria=StoppingCriteriaList([_Listening(self._decode, columns, on_text)]),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=self.tokenizer.eos_token_id if pad is None else pad,
        )
        return self._decode(sequences[0, columns:])

    def _decode(self, ids: torch.Tensor) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip()
