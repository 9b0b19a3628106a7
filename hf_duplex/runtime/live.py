"""
One text while it is being generated: tokens as they come, updates as they are told, from any thread.

[`LiveText`] knows nothing about screens and keyboards: it tells its listener after every token, and its clock is read
before the listener is called, so that what a listener does (draw, sleep) is never timed.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers.generation.stopping_criteria import StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from ..modeling import DuplexCache, Interrupt, Workspace
from .listeners import codec_of, is_adapter
from .slots import Moves, moves


@dataclass
class Token:
    """One emitted token: its text, and the version that it knows."""

    id: int
    text: str
    version: int


@dataclass
class AppliedUpdate:
    """
    An update that reached the model.

    Attributes:
        text (`str`): What was said.
        after (`int`): How many tokens had been emitted before it.
        version (`int`): The version that it made.
        ms (`float`): Milliseconds from the poll that took it up to the first token that knows it.
        tokens (`int`): Its length.
        moves (`Moves`): What it did to the workspace; empty for a model that has none.
    """

    text: str
    after: int
    version: int
    ms: float
    tokens: int
    moves: Moves


class LiveText(BaseStreamer):
    """
    A prompt, the text that answers it, and updates while it comes.

    Args:
        model, tokenizer: One of our generators or a duplex adapter, and its tokenizer.
        prompt (`str`): What is said first.
        on_step (`Callable[[int], None]`, *optional*): Called before each token with the number of tokens so far; it
            may [`tell`].
        on_token (`Callable[[], None]`, *optional*): Called after each token.
        max_new_tokens (`int`, *optional*, defaults to 300): After this many tokens it stops, each time it speaks.

    Raises:
        ValueError: The prompt is empty or too long.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        prompt: str,
        on_step: Callable[[int], None] | None = None,
        on_token: Callable[[], None] | None = None,
        max_new_tokens: int = 300,
    ):
        if not prompt.strip():
            raise ValueError("`prompt` is empty: say something that can be answered.")
        if max_new_tokens < 1:
            raise ValueError(f"`max_new_tokens` must be at least 1, got {max_new_tokens}.")
        self.model, self.tokenizer, self.prompt = model, tokenizer, prompt.strip()
        self.on_step, self.on_token, self.max_new_tokens = on_step, on_token, max_new_tokens
        self.words = codec_of(model, tokenizer)
        self.prompt_ids, self.start_id = self.words.prompt(self.prompt)
        longest = model.config.get_text_config().max_position_embeddings - max_new_tokens
        if len(self.prompt_ids) > longest:
            raise ValueError(
                f"`prompt` has {len(self.prompt_ids)} tokens, more than the {longest} that fit: shorten it."
            )
        self.cache = DuplexCache()
        self.sequences: torch.Tensor | None = None
        self.tokens: list[Token] = []
        self.heard: list[AppliedUpdate] = []
        self.ended = False
        self.first_token_ms = 0.0
        self._text = ""
        self._waiting: queue.SimpleQueue[tuple[str, list[int]]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._before: list[tuple[DuplexCache, torch.Tensor, int]] = []
        self._pending: tuple[str, int, float] | None = None
        self._given = True
        self._started = 0.0

    # Talking to it

    def tell(self, text: str) -> None:
        """
        Queues an update, from any thread. It is heard before the next token; if the text has ended, [`run`] goes on.

        Raises:
            ValueError: It is empty, or longer than the model takes; nothing was queued.
        """
        if not text.strip():
            raise ValueError("`update` is empty: say what has changed.")
        ids, longest = self.words.update(text.strip()), self.model.config.max_message_length
        if len(ids) > longest:
            raise ValueError(
                f"`update` has {len(ids)} tokens, more than max_message_length ({longest}): send it in parts."
            )
        self._waiting.put((text.strip(), ids))

    def stop(self) -> None:
        """Lets [`run`] return after its next token, from any thread; it stays silent until [`resume`]."""
        self._stopped.set()

    def resume(self) -> None:
        """Takes [`stop`] back, so that [`run`] speaks."""
        self._stopped.clear()

    def run(self) -> None:
        """Speaks until it has ended and heard all, or [`stop`] is called; then it can be told more and go on."""
        while not self.stopped and not (self.ended and not self.waiting):
            self._speak()

    def _speak(self) -> None:
        self._given = True
        given = self.opening() if self.sequences is None else {"input_ids": self.sequences}
        self._started = time.perf_counter()
        output = self.model.generate(
            **given,
            past_key_values=self.cache,
            interrupt_callback=self._poll,
            streamer=self,
            stopping_criteria=StoppingCriteriaList([self._is_stopped]),
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            return_dict_in_generate=True,
        )
        self.sequences = output.sequences
        self.ended = not self.stopped or self.tokens[-1].id in self.words.ends

    def undo(self) -> str | None:
        """
        Takes the last update back, with all that was said since: going on equals never having received it. To be
        called while it does not run. Returns what was taken back, None if there was nothing.
        """
        if not self._before:
            return None
        snapshot, self.sequences, said = self._before.pop()
        self.cache.rollback(snapshot)
        self.tokens = self.tokens[:said]
        self._text = "".join(token.text for token in self.tokens)
        self.ended = bool(self.tokens) and self.tokens[-1].id in self.words.ends
        return self.heard.pop().text

    def replay(self, number: int) -> float:
        """
        Milliseconds from poll to token once more, for the update that was heard as this number, from 0. It is heard
        on a branch that says one token and is forgotten: nothing of this text changes.
        """
        snapshot, sequences, _ = self._before[number]
        branch = LiveText(self.model, self.tokenizer, self.prompt, max_new_tokens=1)
        branch.cache, branch.sequences = snapshot.snapshot(), sequences
        branch.tell(self.heard[number].text)
        branch.run()
        return branch.heard[0].ms

    # What is known about it

    def opening(self) -> dict[str, Any]:
        """How the first call of `generate` is told the prompt."""
        return {"input_ids": torch.tensor([[self.start_id]]), "prompt_ids": torch.tensor([self.prompt_ids])}

    @property
    def text(self) -> str:
        return self._text

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    @property
    def waiting(self) -> bool:
        """Whether something was told that was not heard yet."""
        return not self._waiting.empty()

    @property
    def version(self) -> int:
        return 0 if self.cache.version is None else int(self.cache.version[0])

    @property
    def workspaces(self) -> list[Workspace | None]:
        """The workspace before each update, and as it is now; None for a model that has none, or before the prompt
        was read."""
        return [*(cache.memory for cache, _, _ in self._before), self.cache.memory]

    @property
    def processed_again(self) -> int:
        """How many tokens entered the generator more than once; the last one has not yet. What a workspace from
        scratch is told never enters it: an encoder of its own reads that."""
        if self.sequences is None:
            return 0
        told = len(self.prompt_ids) + sum(heard.tokens for heard in self.heard) if is_adapter(self.model) else 0
        return self.cache.processed_tokens - (self.sequences.shape[1] - 1) - told

    # What `generate` calls

    def _is_stopped(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self.stopped, dtype=torch.bool)

    def _poll(self, input_ids: torch.Tensor) -> Interrupt | None:
        if self.on_step is not None:
            self.on_step(len(self.tokens))
        # One update a step, so that each makes a version of its own that a token knows.
        try:
            text, ids = self._waiting.get_nowait()
        except queue.Empty:
            return None
        self._before.append((self.cache.snapshot(), input_ids, len(self.tokens)))
        self._pending = text, len(ids), time.perf_counter()
        return Interrupt(torch.tensor([ids]))

    def put(self, value: torch.Tensor) -> None:
        now = time.perf_counter()
        if self._given:
            # `generate` hands over what it was given before what is new.
            self._given = False
            return
        if not self.tokens:
            self.first_token_ms = 1e3 * (now - self._started)
        if self._pending is not None:
            text, length, since = self._pending
            memory, self._pending = self._before[-1][0].memory, None
            known = moves(memory, self.cache.memory, self.tokenizer) if isinstance(memory, Workspace) else Moves()
            self.heard.append(AppliedUpdate(text, len(self.tokens), self.version, 1e3 * (now - since), length, known))
        token = int(value.view(-1)[-1])
        text = self.words.decode([*(entry.id for entry in self.tokens), token])
        # Half a character waits for its other half.
        new = "" if text.endswith("\N{REPLACEMENT CHARACTER}") else text[len(self._text) :]
        self._text += new
        self.tokens.append(Token(token, new, self.version))
        if self.on_token is not None:
            self.on_token()

    def end(self) -> None:
        pass
