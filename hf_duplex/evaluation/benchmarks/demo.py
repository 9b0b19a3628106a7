"""
The demo: scenes run live, once on a duplex model and once on a model that has to be restarted.

The two are a duplex adapter and its unchanged base, or a workspace and a baseline from scratch. Everything is
generated and measured while it runs. Both models run in one process, one after the other.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Any

import torch
from transformers.generation.streamers import BaseStreamer

from ...modeling import ChatFormat, encode_update
from ...released import BASELINE
from ...runtime.checkpoints import (
    describe_model,
    find_checkpoint,
    is_from_scratch,
    load_checkpoint,
    open_model,
    set_threads,
)
from ...runtime.listeners import end_tokens, padding
from ...runtime.live import AppliedUpdate, LiveText, Token
from ..metrics.rules import Ruling, rule
from ..metrics.verdict import Verdict, judge, with_ends
from .scenes import Scene


# Each measurement is repeated this many times, fewer for a pretrained model.
REPLAYS = 10
PRETRAINED_REPLAYS = 4


class Restart(LiveText):
    """
    The usual method without a duplex model: the updates are appended to the prompt, and a fresh `generate` reads
    everything from the first token. The order is that of the baseline's training: prompt, start token, updates.
    """

    def __init__(self, model: Any, tokenizer: Any, prompt: str, updates: Sequence[str], **arguments: Any):
        super().__init__(model, tokenizer, prompt, **arguments)
        self.updates = [encode_update(tokenizer, update) for update in updates]

    def opening(self) -> dict[str, Any]:
        line = [*self.prompt_ids, self.tokenizer.bos_token_id, *(token for update in self.updates for token in update)]
        return {"input_ids": torch.tensor([line])}

    @property
    def read(self) -> int:
        """Tokens that entered the generator before its first new one."""
        return self.cache.processed_tokens - max(0, len(self.tokens) - 1)

    @property
    def read_again(self) -> int:
        """The part of them that it had read before it was stopped: all but the newest update."""
        return self.read - len(self.updates[-1])


class BaseAnswer(BaseStreamer):
    """
    The usual method with a pretrained model: prompt and updates form one user turn, and a fresh `generate` of the
    unchanged base reads everything and answers.

    Args:
        base, tokenizer: Any causal language model of transformers, and its tokenizer.
        prompt (`str`): The prompt.
        updates (`Sequence[str]`, *optional*): All updates so far.
        on_token (`Callable[[], None]`, *optional*): Called after each token.
        max_new_tokens (`int`, *optional*, defaults to 300): Longest answer.
    """

    def __init__(
        self,
        base: Any,
        tokenizer: Any,
        prompt: str,
        updates: Sequence[str] = (),
        on_token: Callable[[], None] | None = None,
        max_new_tokens: int = 300,
    ):
        self.base, self.tokenizer, self.on_token, self.max_new_tokens = base, tokenizer, on_token, max_new_tokens
        ids, start = ChatFormat(tokenizer).prompt("\n".join(text.strip() for text in (prompt, *updates)))
        self.ids = [*ids, start]
        newest = tokenizer.encode(updates[-1].strip(), add_special_tokens=False) if updates else []
        self.read, self.read_again = len(self.ids), len(self.ids) - len(newest)
        self.ends = end_tokens(base, tokenizer)
        self.tokens: list[Token] = []
        self.heard: list[AppliedUpdate] = []
        self.text = ""
        self.ended = False
        self.first_token_ms = 0.0
        self._started, self._given = 0.0, True

    def run(self) -> None:
        """Generates the answer, greedily."""
        ids = torch.tensor([self.ids])
        self._started = time.perf_counter()
        self.base.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            streamer=self,
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            pad_token_id=padding(self.base, self.tokenizer, self.ends),
        )
        self.ended = True

    def put(self, value: torch.Tensor) -> None:
        now = time.perf_counter()
        if self._given:
            # `generate` passes its input to the streamer before new tokens.
            self._given = False
            return
        if not self.tokens:
            self.first_token_ms = 1e3 * (now - self._started)
        token = int(value.view(-1)[-1])
        text = self.tokenizer.decode([*(entry.id for entry in self.tokens), token], skip_special_tokens=True)
        new = "" if text.endswith("\N{REPLACEMENT CHARACTER}") else text[len(self.text) :]
        self.text += new
        self.tokens.append(Token(token, new, 1))
        if self.on_token is not None:
            self.on_token()

    def end(self) -> None:
        pass


@dataclass
class Play:
    """
    A running scene.

    Attributes:
        scene (`Scene`): The scene.
        listening (`LiveText`): The text of the duplex model.
        stopped (`list[LiveText or BaseAnswer]`): The discarded texts of the other model, one for each update.
        restarts (`list[Restart or BaseAnswer]`): Its restarted texts, one for each update; the last one is its answer.
        medians (`list[tuple[float, float]]`): Milliseconds from each update to the next token, duplex and restarted.
    """

    scene: Scene
    listening: LiveText
    stopped: list[Any] = field(default_factory=list)
    restarts: list[Any] = field(default_factory=list)
    medians: list[tuple[float, float]] = field(default_factory=list)

    @property
    def from_scratch(self) -> bool:
        """Whether the models were trained from scratch."""
        return is_from_scratch(self.listening.model)

    def verdict(self) -> Verdict | Ruling | None:
        """The verdict on the duplex text: by the rule of the scene, applied to the text after the last update, or by
        an independent oracle; None if neither applies."""
        if self.scene.must:
            text = self.listening
            after = text.heard[-1].after if text.heard else 0
            return rule("".join(token.text for token in text.tokens[after:]), self.scene.must, self.scene.must_not)
        return judge(self.scene.prompt, [update.text for update in self.scene.updates], *with_ends(self.listening))

    def restart_verdict(self) -> Verdict | Ruling | None:
        """The verdict on the restarted text, whose last part, begun after the last update, is its answer. An
        independent oracle also reports wrong claims in the discarded parts."""
        if self.scene.must:
            return rule(self.restarts[-1].text, self.scene.must, self.scene.must_not)
        # A restarted text had read all updates so far before its first word.
        told = [update.text for update in self.scene.updates]
        texts = enumerate(with_ends(text)[0] for text in (*self.stopped, self.restarts[-1]))
        verdicts = [judge(self.scene.prompt, told[:number], said, [0] * number) for number, said in texts]
        # Whether there is a verdict depends on the prompt, which is the same for all of them.
        found = [verdict for verdict in verdicts if verdict is not None]
        if not found:
            return None
        *before, final = found
        return final._replace(slips=[slip for verdict in before for slip in verdict.wrong] + final.slips)

    def update_ms(self, number: int) -> float:
        """Milliseconds from an update to the workspace's next token: the median if there is one."""
        return self.medians[number][0] if self.medians else self.listening.heard[number].ms

    def restart_ms(self, number: int) -> float:
        """The same for the restarted baseline."""
        return self.medians[number][1] if self.medians else self.restarts[number].first_token_ms


@dataclass
class Stage:
    """The two models with their tokenizers: a duplex adapter and its base, or a workspace and a baseline."""

    workspace: Any
    workspace_tokenizer: Any
    baseline: Any
    baseline_tokenizer: Any
    max_new_tokens: int = 300

    @property
    def from_scratch(self) -> bool:
        """Whether the models were trained from scratch."""
        return is_from_scratch(self.workspace)

    @property
    def replays(self) -> int:
        """How often each measurement is repeated."""
        return REPLAYS if self.from_scratch else PRETRAINED_REPLAYS

    def restart(self, prompt: str, updates: Sequence[str], **arguments: Any) -> Any:
        """The text of the restarted model, which reads all updates so far before its first token."""
        if not self.from_scratch:
            return BaseAnswer(self.baseline, self.baseline_tokenizer, prompt, updates, **arguments)
        if not updates:
            return LiveText(self.baseline, self.baseline_tokenizer, prompt, **arguments)
        return Restart(self.baseline, self.baseline_tokenizer, prompt, updates, **arguments)

    def play(self, scene: Scene, watch: Callable[[Play], None] = lambda play: None) -> Play:
        """Runs a scene on both models; `watch` is called after every token."""
        due = list(scene.updates)

        def tell_in_time(said: int) -> None:
            while due and due[0].after is not None and due[0].after <= said:
                play.listening.tell(due.pop(0).text)

        self._check(scene)
        text = LiveText(
            self.workspace,
            self.workspace_tokenizer,
            scene.prompt,
            on_step=tell_in_time,
            on_token=lambda: watch(play),
            max_new_tokens=self.max_new_tokens,
        )
        play = Play(scene, text)
        play.listening.run()
        while due:
            play.listening.tell(due.pop(0).text)
            play.listening.run()
        self._restart_for_each_update(play, watch)
        play.medians = [self._measure(play, number) for number in range(len(scene.updates))]
        return play

    def _check(self, scene: Scene) -> None:
        """Rejects unusable updates before the first token."""
        trial = LiveText(self.workspace, self.workspace_tokenizer, scene.prompt)
        for update in scene.updates:
            trial.tell(update.text)

    def _restart_for_each_update(self, play: Play, watch: Callable[[Play], None]) -> None:
        """Runs the baseline: it emits until an update arrives, is stopped, and restarts from the beginning."""
        scene = play.scene
        arguments: dict[str, Any] = {"on_token": lambda: watch(play), "max_new_tokens": self.max_new_tokens}
        text, last = self.restart(scene.prompt, [], **arguments), 0
        for number, update in enumerate(scene.updates, start=1):
            play.stopped.append(text)
            if update.after is not None:
                text.max_new_tokens, last = update.after - last, update.after
            if text.max_new_tokens:
                text.run()
            told = [update.text for update in scene.updates[:number]]
            text = self.restart(scene.prompt, told, **arguments)
            play.restarts.append(text)
        text.run()

    def _measure(self, play: Play, number: int) -> tuple[float, float]:
        """Medians of an update's milliseconds over the live run and replays; the models alternate."""
        updates = [update.text for update in play.scene.updates[: number + 1]]
        heard, begun = [play.listening.heard[number].ms], [play.restarts[number].first_token_ms]
        for _ in range(self.replays):
            heard.append(play.listening.replay(number))
            again = self.restart(play.scene.prompt, updates, max_new_tokens=1)
            again.run()
            begun.append(again.first_token_ms)
        return statistics.median(heard), statistics.median(begun)

    def warm_up(self, scene: Scene) -> None:
        """Runs a scene without output as a warm-up."""
        replace(self, max_new_tokens=min(8, self.max_new_tokens)).play(scene)


def stretches(tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """Emitted text in spans with the same visible version."""
    groups = groupby(tokens, key=lambda token: token.version)
    return [{"version": version, "text": "".join(token.text for token in group)} for version, group in groups]


def scene_facts(play: Play) -> dict[str, Any]:
    """The results of a scene in machine-readable form; a verdict is None where there is none."""
    own, other = play.verdict(), play.restart_verdict()
    text, restarts = play.listening, play.restarts
    return {
        "name": play.scene.name,
        "title": play.scene.title,
        "prompt": play.scene.prompt,
        "updates": [asdict(update) for update in play.scene.updates],
        "workspace": {
            "text": text.text,
            "ended": text.ended,
            "verdict": own and own.to_dict(),
            "tokens": [asdict(token) for token in text.tokens],
            "stretches": stretches(text.tokens),
            "updates": [
                {
                    "text": heard.text,
                    "heard_after": heard.after,
                    "version": heard.version,
                    "update_to_token_ms": round(play.update_ms(number), 3),
                    **asdict(heard.moves),
                }
                for number, heard in enumerate(text.heard)
            ],
            "emitted_tokens": len(text.tokens),
            "processed_tokens": text.cache.processed_tokens,
            "processed_again": text.processed_again,
            "encoded_tokens": len(text.prompt_ids) + sum(heard.tokens for heard in text.heard),
        },
        "baseline": {
            "text": restarts[-1].text,
            "ended": restarts[-1].ended,
            "verdict": other and other.to_dict(),
            "restarts": [
                {
                    "update": update.text,
                    "stopped_text": stopped.text,
                    "thrown_away": len(stopped.tokens),
                    "update_to_token_ms": round(play.restart_ms(number), 3),
                    "processed_before_token": restart.read,
                    "processed_again": restart.read_again,
                }
                for number, (update, stopped, restart) in enumerate(
                    zip(play.scene.updates, play.stopped, restarts, strict=True)
                )
            ],
            "emitted_tokens": len(restarts[-1].tokens),
        },
    }


def demo_facts(stage: Stage, plays: Sequence[Play], versions: dict[str, str]) -> dict[str, Any]:
    """All results of a demo in machine-readable form."""
    return {
        "models": {"workspace": describe_model(stage.workspace), "baseline": describe_model(stage.baseline)},
        "threads": torch.get_num_threads(),
        "versions": versions,
        "timing": "listening: from the poll that takes an update up to the next token; restarted: from the call of "
        "`generate` to its first token. Texts are encoded beforehand for both; medians of "
        f"{1 + stage.replays} measurements, the models taking turns.",
        "scenes": [scene_facts(play) for play in plays],
    }


def names(play: Play) -> tuple[str, str]:
    """Labels of the two models: duplex and restarted."""
    if play.from_scratch:
        return "workspace", "baseline"
    return ("adapter" if play.listening.model.keeps_workspace else "spliced base"), "base alone"


MAX_NEW_TOKENS, PRETRAINED_MAX_NEW_TOKENS = 200, 80


def open_stage(
    model: str | None = None,
    baseline: str | None = None,
    base: str | None = None,
    threads: int | None = None,
    max_new_tokens: int | None = None,
) -> Stage:
    """Finds and loads both models: an adapter and its unchanged base, or a workspace and a baseline from scratch."""
    if baseline is not None:
        find_checkpoint(baseline, BASELINE, "--baseline")
    opened = open_model(model, base, ("duplex_adapter", "duplex_workspace"))
    set_threads(threads, opened.model)
    if not is_from_scratch(opened.model):
        if baseline is not None:
            raise ValueError(
                "`--baseline` is for models from scratch, as `--model duplex-workspace-5m`; an adapter plays against "
                "its own base."
            )
        longest = max_new_tokens or PRETRAINED_MAX_NEW_TOKENS
        return Stage(opened.model, opened.tokenizer, opened.base, opened.tokenizer, max_new_tokens=longest)
    other = load_checkpoint(find_checkpoint(baseline, BASELINE, "--baseline"), "--baseline", "duplex_baseline")
    return Stage(opened.model, opened.tokenizer, *other, max_new_tokens=max_new_tokens or MAX_NEW_TOKENS)
