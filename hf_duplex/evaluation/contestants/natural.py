"""
Contestants for interruptions in natural English: models that continue to emit, and baselines that do not.

| spec | how updates reach it |
|---|---|
| `ADAPTER` | as it emits; a duplex adapter, by folder or Hub name, on the base |
| `ADAPTER@always`, `ADAPTER@after_update` | the same, in this scope |
| `MODEL` | as it emits; a generator from scratch, by folder, Hub name, or the name of a released one |
| `BASE@next_turn` | the base is stopped, gets the update as the next turn of the chat template, and answers anew |
| `BASE@restart` | the base is restarted with prompt and updates so far in one turn |
| `BASE@spliced` | they are spliced into its own stream, as `listen` does without an adapter |
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from ...bases import SMOLLM2, find_base, load_base
from ...modeling.configuration_adapter import SCOPES
from ...released import RELEASED, SHIPPED
from ...runtime.listeners import open_input
from ..benchmarks.conversation import Row, play_rows, unused_token
from ..benchmarks.natural_scoring import NaturalCase, count_words
from ..benchmarks.weight_noise import add_noise
from .chat_model import ChatModel, Talk
from .models import load_adapter, load_part


BASELINES = ("next_turn", "restart", "spliced")


class Answering(Protocol):
    """
    A contestant.

    Attributes:
        name (`str`): What results call it.
        parameters (`int`): Number of parameters.
        baseline (`bool`): Whether adapters are compared with it.
    """

    name: str
    parameters: int
    baseline: bool

    def answer(self, cases: Sequence[NaturalCase], max_new_tokens: int) -> list[str]:
        """
        Runs a batch of cases, greedily.

        Returns:
            For each case the text emitted after its last update arrived, at most `max_new_tokens` tokens.
        """
        ...


class OpenInput:
    """
    A model that continues to emit: updates arrive between two tokens.

    Args:
        name (`str`): What results call it.
        model (`PreTrainedModel`): A model that implements the contract, or a base, into whose stream updates are
            spliced.
        tokenizer (`PreTrainedTokenizerBase`): Its tokenizer.
        baseline (`bool`): Whether adapters are compared with it.
    """

    def __init__(self, name: str, model: Any, tokenizer: Any, baseline: bool):
        self.name, self.baseline = name, baseline
        self.parameters: int = model.num_parameters()
        self.model, self.words = open_input(model, tokenizer)
        self.tokenizer = tokenizer

    def answer(self, cases: Sequence[NaturalCase], max_new_tokens: int) -> list[str]:
        opened = [self.words.prompt(case.prompt) for case in cases]
        prompts, starts = [prompt for prompt, _ in opened], [start for _, start in opened]
        rows = [Row(deque((after, self._update(case, text)) for after, text in case.updates)) for case in cases]
        pad = unused_token(self.tokenizer, [*self.words.ends, *starts])

        def reached(tokens: list[int]) -> int:
            return count_words(self.words.decode(tokens[1:]))

        ends = self.words.ends
        play_rows(
            self.model, rows, prompts, pad, ends, max_new_tokens, starts, reached, renew=True, suppress_tokens=[pad]
        )
        return [self.words.decode(row.tokens[row.heard_after[-1] :]) for row in rows]

    def _update(self, case: NaturalCase, text: str) -> list[int]:
        ids, longest = self.words.update(text), self.model.config.max_message_length
        if len(ids) > longest:
            raise ValueError(
                f"`--data`: an update of {case.id} has {len(ids)} tokens, and {self.name} reads at most {longest} "
                "(max_message_length): leave out the case or the model."
            )
        return ids


class StoppedAndTold(ChatModel):
    """
    The base through its chat template.

    Args:
        name, model, tokenizer: As [`ChatModel`] takes them.
        restart (`bool`): Put prompt and updates in one turn, rather than each update in the next one. Text before the
            last update would be discarded, so it is not generated.
    """

    baseline = True

    def __init__(self, name: str, model: Any, tokenizer: Any, restart: bool):
        super().__init__(name, model, tokenizer)
        self.restart = restart

    def talk(self, case: NaturalCase) -> Talk:
        """A case with its pending updates."""
        waiting = deque((0.0 if self.restart else float(after), text) for after, text in case.updates)
        return Talk(waiting, [{"role": "user", "content": case.prompt}], measure=count_words)

    def answer(self, cases: Sequence[NaturalCase], max_new_tokens: int) -> list[str]:
        talks = [self.talk(case) for case in cases]
        self.hold(talks, max_new_tokens)
        return [self.tokenizer.decode(talk.tokens[talk.heard_after[-1] :], skip_special_tokens=True) for talk in talks]


class Loader:
    """
    Makes contestants from their specs; each base is loaded once.

    Args:
        base (`str` or `Path`): The base of adapters.
        device (`str`): The device of all.
        noise (`int`, *optional*): Seed of noise of the size of 4-bit quantization, added to the weights of bases.
    """

    def __init__(self, base: str | Path = SMOLLM2, device: str = "cpu", noise: int | None = None):
        self.base, self.device, self.noise = str(base), device, noise
        self._bases: dict[str, tuple[Any, Any]] = {}

    def load_base(self, name: str) -> tuple[Any, Any]:
        """A base and its tokenizer."""
        place = str(find_base(name))
        if place not in self._bases:
            model, tokenizer = load_base(name)
            if self.noise is not None:
                add_noise(model, self.noise)
            self._bases[place] = model.to(self.device), tokenizer
        return self._bases[place]

    def check(self, spec: str) -> tuple[str, str | None, Any]:
        """
        Folder or name, mode, and for a model with an open input its configuration; weights are not loaded.

        Raises:
            ValueError: There is no such mode or model; the message lists the valid ones.
        """
        path, at, mode = spec.rpartition("@")
        if not at or Path(spec).is_dir():
            path, mode = spec, ""
        if not path or (at and mode and mode not in (*SCOPES, *BASELINES)):
            raise ValueError(
                f"`--model`: {spec!r} asks for the mode {mode!r}: name an adapter, behind an @ one of "
                f"{', '.join(SCOPES)} or none; or a base, behind an @ one of {', '.join(BASELINES)}."
            )
        if mode in BASELINES:
            find_base(path)
            return path, mode, None
        path = str(SHIPPED / path) if path in RELEASED else path
        if Path(path).is_dir() and not Path(path, "config.json").is_file():
            raise ValueError(f"`--model`: the folder {path} has no config.json: name a model folder or a Hub model.")
        if path == SMOLLM2:
            raise ValueError(f"`--model`: {path} is a base: name behind an @ one of {', '.join(BASELINES)}.")
        config = load_part(AutoConfig, path)
        adapter = config.model_type == "duplex_adapter"
        if not adapter and (mode or not config.model_type.startswith("duplex_")):
            raise ValueError(
                f"`--model`: {path} is a {config.model_type} model: name a duplex adapter, a duplex generator without "
                f"a mode, or a base and behind an @ one of {', '.join(BASELINES)}."
            )
        return path, mode or None, config

    def __call__(self, spec: str) -> Answering:
        """
        A contestant.

        Args:
            spec (`str`): See the table of this module.

        Raises:
            ValueError: As [`check`].
        """
        path, mode, config = self.check(spec)
        name = Path(path).name + (f"@{mode}" if mode else "")
        if mode in BASELINES:
            model, tokenizer = self.load_base(path)
            if mode == "spliced":
                return OpenInput(name, model, tokenizer, baseline=True)
            return StoppedAndTold(name, model, tokenizer, restart=mode == "restart")
        if config.model_type == "duplex_adapter":
            base = self.load_base(self.base)
            adapter = load_adapter(path, base, **({"scope": mode} if mode else {}))
            return OpenInput(name, adapter.eval(), base[1], baseline=False)
        model = load_part(AutoModelForCausalLM, path, dtype=torch.float32)
        return OpenInput(name, model.to(self.device).eval(), load_part(AutoTokenizer, path), baseline=True)
