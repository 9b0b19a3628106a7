"""
The demo: scenes played live, once to a workspace that listens and once to a baseline that has to be restarted.

Everything is generated and measured while it runs. Both models play in one process, one after the other.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

import torch

from ..modeling import encode_update
from .checkpoints import describe_model
from .live import LiveText, Token
from .scenes import Scene
from .verdict import Verdict, judge, with_ends


# A single measurement says little: each is repeated so many times.
REPLAYS = 10


class Restart(LiveText):
    """
    What everyone does today: the corrections are glued to the prompt, and a fresh `generate` reads it all from the
    first token in one go. The order is that of the baseline's training: prompt, start token, updates.
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
        """Those among them that it had read before it was stopped: all but the newest update."""
        return self.read - len(self.updates[-1])


@dataclass
class Play:
    """
    A scene under way.

    Attributes:
        scene (`Scene`): What is played.
        listening (`LiveText`): The workspace's text.
        stopped (`list[LiveText]`): What the baseline said and threw away, one text for each update.
        restarts (`list[Restart]`): What it began anew, one text for each update; the last one is its answer.
        medians (`list[tuple[float, float]]`): Milliseconds from each update to the next token, workspace and restart.
    """

    scene: Scene
    listening: LiveText
    stopped: list[LiveText] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    medians: list[tuple[float, float]] = field(default_factory=list)

    def verdict(self) -> Verdict | None:
        """What is right and wrong in the workspace's text; None if nobody can tell."""
        return judge(self.scene.prompt, [update.text for update in self.scene.updates], *with_ends(self.listening))

    def restart_verdict(self) -> Verdict | None:
        """The same for the restarted baseline, whose last text is its answer; what it said wrongly before that one is
        told too, though it was thrown away."""
        # A text that was begun anew had heard all updates so far before its first word.
        told = [update.text for update in self.scene.updates]
        texts = enumerate(with_ends(text)[0] for text in (*self.stopped, self.restarts[-1]))
        verdicts = [judge(self.scene.prompt, told[:number], said, [0] * number) for number, said in texts]
        # Whether anybody can tell depends on the prompt, which is the same for all of them.
        found = [verdict for verdict in verdicts if verdict is not None]
        if not found:
            return None
        *before, final = found
        return final._replace(slips=[slip for verdict in before for slip in verdict.wrong] + final.slips)

    def update_ms(self, number: int) -> float:
        """Milliseconds from an update to the workspace's next token: the median once there is one, else as seen."""
        return self.medians[number][0] if self.medians else self.listening.heard[number].ms

    def restart_ms(self, number: int) -> float:
        """The same for the restarted baseline."""
        return self.medians[number][1] if self.medians else self.restarts[number].first_token_ms


@dataclass
class Stage:
    """The two models, and what goes with them."""

    workspace: Any
    workspace_tokenizer: Any
    baseline: Any
    baseline_tokenizer: Any
    max_new_tokens: int = 300

    def play(self, scene: Scene, watch: Callable[[Play], None] = lambda play: None) -> Play:
        """Plays a scene to both models; `watch` is called after every token."""
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
        """Finds unusable updates before the first token."""
        trial = LiveText(self.workspace, self.workspace_tokenizer, scene.prompt)
        for update in scene.updates:
            trial.tell(update.text)

    def _restart_for_each_update(self, play: Play, watch: Callable[[Play], None]) -> None:
        """The baseline's part: it speaks until an update comes, is stopped, and starts from the beginning."""
        model, tokenizer, scene = self.baseline, self.baseline_tokenizer, play.scene
        arguments: dict[str, Any] = {"on_token": lambda: watch(play), "max_new_tokens": self.max_new_tokens}
        text, last = LiveText(model, tokenizer, scene.prompt, **arguments), 0
        for number, update in enumerate(scene.updates, start=1):
            play.stopped.append(text)
            if update.after is not None:
                text.max_new_tokens, last = update.after - last, update.after
            if text.max_new_tokens:
                text.run()
            told = [update.text for update in scene.updates[:number]]
            text = Restart(model, tokenizer, scene.prompt, told, **arguments)
            play.restarts.append(text)
        text.run()

    def _measure(self, play: Play, number: int) -> tuple[float, float]:
        """Medians of an update's milliseconds, seen once and replayed, the models taking turns."""
        updates = [update.text for update in play.scene.updates[: number + 1]]
        heard, begun = [play.listening.heard[number].ms], [play.restarts[number].first_token_ms]
        for _ in range(REPLAYS):
            heard.append(play.listening.replay(number))
            again = Restart(self.baseline, self.baseline_tokenizer, play.scene.prompt, updates, max_new_tokens=1)
            again.run()
            begun.append(again.first_token_ms)
        return statistics.median(heard), statistics.median(begun)

    def warm_up(self, scene: Scene) -> None:
        """Plays a scene for nobody, so that the first one to be timed pays for nothing but itself."""
        self.play(scene)


def stretches(tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """Emitted text in stretches that know the same version."""
    groups = groupby(tokens, key=lambda token: token.version)
    return [{"version": version, "text": "".join(token.text for token in group)} for version, group in groups]


def scene_facts(play: Play) -> dict[str, Any]:
    """What happened in a scene, for a program; a verdict is None where nobody can tell."""
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
    """All facts of a demo, for a program."""
    return {
        "models": {"workspace": describe_model(stage.workspace), "baseline": describe_model(stage.baseline)},
        "threads": torch.get_num_threads(),
        "versions": versions,
        "timing": "workspace: from the poll that takes an update up to the next token; baseline: from the call of "
        "`generate` to its first token. Texts are encoded beforehand for both; medians of "
        f"{1 + REPLAYS} measurements, the models taking turns.",
        "scenes": [scene_facts(play) for play in plays],
    }
