"""
One text while it is being generated: it emits tokens, and receives updates from any thread.

[`LiveText`] does not depend on screens or keyboards: it calls a callback after every token. It reads its clock before
the callback, so that the time of a callback (to draw, to sleep) is never measured.
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
    """One emitted token: its id, its text, and its visible version."""

    id: int
    text: str
    version: int


@dataclass
class AppliedUpdate:
    """
    An update that was applied.

    Attributes:
        text (`str`): Its text.
        after (`int`): Number of tokens emitted before it.
        version (`int`): The version that it created.
        ms (`float`): Milliseconds from the poll that returned it to the first token that sees it.
        tokens (`int`): Its length in tokens.
        moves (`Moves`): Its changes to the workspace; empty for a model without one.
    """

    text: str
    after: int
    version: int
    ms: float
    tokens: int
    moves: Moves


class LiveText(BaseStreamer):
    """
    A prompt, the text generated from it, and updates during generation.

    Args:
        model, tokenizer: One of our generators or a duplex adapter, and its tokenizer.
        prompt (`str`): The prompt.
        on_step (`Callable[[int], None]`, *optional*): Called before each token with the number of tokens so far; it
            may call [`tell`].
        on_token (`Callable[[], None]`, *optional*): Called after each token.
        max_new_tokens (`int`, *optional*, defaults to 300): Most tokens of each call of `generate`.

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

    # Updates and control

    def tell(self, text: str) -> None:
        """
        Queues an update, from any thread. It is applied before the next token; if the text has ended, [`run`]
        continues it.

        Raises:
            ValueError: It is empty, or longer than the model accepts; nothing was queued.
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
        """Makes [`run`] return after its next token, from any thread; it emits nothing until [`resume`]."""
        self._stopped.set()

    def resume(self) -> None:
        """Revokes [`stop`], so that [`run`] emits again."""
        self._stopped.clear()

    def run(self) -> None:
        """Generates until the text has ended and no update is queued, or [`stop`] is called. May be called again."""
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
        Undoes the last update and all tokens since: going on equals never having received it. Must not be called
        while [`run`] is active. Returns the text of the undone update, or None if there is none.
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
        Measures again the milliseconds from poll to token of an applied update, numbered from 0. It is applied on a
        temporary branch that emits one token: this text does not change.
        """
        snapshot, sequences, _ = self._before[number]
        branch = LiveText(self.model, self.tokenizer, self.prompt, max_new_tokens=1)
        branch.cache, branch.sequences = snapshot.snapshot(), sequences
        branch.tell(self.heard[number].text)
        branch.run()
        return branch.heard[0].ms

    # State

    def opening(self) -> dict[str, Any]:
        """Inputs of the first call of `generate`: the start token and the prompt."""
        return {"input_ids": torch.tensor([[self.start_id]]), "prompt_ids": torch.tensor([self.prompt_ids])}

    @property
    def text(self) -> str:
        return self._text

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    @property
    def waiting(self) -> bool:
        """Whether an update is queued."""
        return not self._waiting.empty()

    @property
    def version(self) -> int:
        return 0 if self.cache.version is None else int(self.cache.version[0])

    @property
    def workspaces(self) -> list[Workspace | None]:
        """The workspace before each update, and the current one; None for a model without one, or before the prompt
        is read."""
        return [*(cache.memory for cache, _, _ in self._before), self.cache.memory]

    @property
    def processed_again(self) -> int:
        """Number of tokens that the generator processed more than once. The last token is not processed yet. In a
        workspace model from scratch, a separate encoder reads incoming tokens, so they are not counted."""
        if self.sequences is None:
            return 0
        told = len(self.prompt_ids) + sum(heard.tokens for heard in self.heard) if is_adapter(self.model) else 0
        return self.cache.processed_tokens - (self.sequences.shape[1] - 1) - told

    # Called by `generate`

    def _is_stopped(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self.stopped, dtype=torch.bool)

    def _poll(self, input_ids: torch.Tensor) -> Interrupt | None:
        if self.on_step is not None:
            self.on_step(len(self.tokens))
        # One update per step, so that each has its own version, visible to a token.
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
            # `generate` passes its input ids first, then each new token.
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
        # An incomplete character is held back until it is complete.
        new = "" if text.endswith("\N{REPLACEMENT CHARACTER}") else text[len(self._text) :]
        self._text += new
        self.tokens.append(Token(token, new, self.version))
        if self.on_token is not None:
            self.on_token()

    def end(self) -> None:
        pass
