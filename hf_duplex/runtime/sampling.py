"""How a session samples its tokens: with its own settings and random numbers, in a batch with others."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


@dataclass(frozen=True)
class Sampling:
    """
    Sampling settings of one session.

    Args:
        temperature (`float`, *optional*, defaults to 0.0): 0 is greedy.
        top_k (`int`, *optional*): Sample from the `top_k` most likely tokens.
        top_p (`float`, *optional*): Sample from the most likely tokens with a total probability of `top_p`.
        seed (`int`, *optional*, defaults to 0): Random numbers depend only on the seed and the token's step, never on
            other rows of the batch.
        max_new_tokens (`int`, *optional*, defaults to 300): Most tokens until the text ends, counted anew each time
            an update continues it.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    max_new_tokens: int = 300

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"`temperature` must be 0 (greedy) or more, got {self.temperature}.")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"`top_k` must be at least 1, or None, got {self.top_k}.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"`top_p` must be above 0 and at most 1, or None, got {self.top_p}.")
        if self.max_new_tokens < 1:
            raise ValueError(f"`max_new_tokens` must be at least 1, got {self.max_new_tokens}.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class TokenSampler:
    """Chooses the tokens of one session, by its settings."""

    def __init__(self, sampling: Sampling):
        self.sampling = sampling
        self.generator = torch.Generator()
        self.warpers = LogitsProcessorList()
        if sampling.temperature:
            self.warpers.append(TemperatureLogitsWarper(float(sampling.temperature)))
        if sampling.top_k is not None:
            self.warpers.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p is not None and sampling.top_p < 1:
            self.warpers.append(TopPLogitsWarper(float(sampling.top_p)))

    def __call__(self, scores: torch.Tensor, step: int) -> int | None:
        """The token at `step`, given its scores `(vocab_size,)`; None for the most likely one."""
        if not self.sampling.temperature:
            return None
        none = torch.zeros(1, 0, dtype=torch.long, device=scores.device)
        chances = self.warpers(none, scores[None]).softmax(-1)[0].cpu()
        seed = hashlib.blake2b(f"{self.sampling.seed} {step}".encode(), digest_size=7).digest()
        self.generator.manual_seed(int.from_bytes(seed, "big"))
        return int(torch.multinomial(chances, 1, generator=self.generator))
