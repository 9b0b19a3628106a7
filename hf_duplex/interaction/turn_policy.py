"""
A trained policy of the interaction benchmark decides when a live session speaks.

    policy = TurnPolicy.from_pretrained()
    session = DuplexSession.start(model, tokenizer, "Given x = 5, compute 3x + 2.", decide=policy)
    session.observe("user_audio_state", "speaking")     # it yields
    session.observe("user_audio_state", "silent")       # it goes on

The streams of a session become the seven streams of the benchmark, tick by tick, and are encoded as in training. What
nobody observes is `none`; `model_state` is "speaking" while nobody observes otherwise, for a session that is asked has
something to say.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dataset_builder.interaction.example import Example
from dataset_builder.interaction.streams import NONE, STREAMS, check_value

from ..released import TURN_POLICY
from ..runtime.deciding import Streams
from .data import TRANSCRIPT, choose_actions
from .modeling.modeling_policy import StreamPolicyForSequenceClassification


HOLD_TICKS = 3
"""What is observed stands for so many ticks, as the last state of an example of the benchmark does."""
MOST_TICKS = 24
"""So many of the newest are read: as many as an example of the suite it was trained on has."""


class TurnPolicy:
    """
    To be given to one session as its `decide`.

    Args:
        model (`StreamPolicyForSequenceClassification`): A policy over the streams.

    Raises:
        ValueError: The policy reads a transcript, or streams that are not those of the benchmark.
    """

    def __init__(self, model: StreamPolicyForSequenceClassification):
        streams = list(model.config.streams)
        if streams == [TRANSCRIPT]:
            raise ValueError(
                "`model` reads a transcript, in which there is no time to decide by: give one over streams."
            )
        unknown = set(streams) - set(STREAMS)
        if unknown:
            raise ValueError(f"`model` reads {', '.join(sorted(unknown))}, which no session has.")
        self.model = model
        self.now = {**dict.fromkeys(STREAMS, NONE), "model_state": "speaking"}
        self.ticks: list[dict[str, str]] = [dict(self.now)] * HOLD_TICKS
        self._seen = dict.fromkeys(STREAMS, 0)
        self._stopped: int | None = None

    @classmethod
    def from_pretrained(cls, folder: str | Path | None = None) -> "TurnPolicy":
        """
        A policy from its folder or Hub name; the one that a clone of the repository holds if none is given.

        Raises:
            ValueError: There is no such folder.
        """
        folder = TURN_POLICY if folder is None else folder
        if isinstance(folder, Path) and not (folder / "config.json").is_file():
            raise ValueError(
                f"`folder`: there is no policy in {folder}: train one with `hf_duplex.interaction.training`."
            )
        return cls(StreamPolicyForSequenceClassification.from_pretrained(folder))

    def __call__(self, streams: Streams) -> str:
        """
        What to do now, given the streams of a session (see [`DuplexSession.streams`]).

        Raises:
            ValueError: Something was observed that no such stream can hold; it is read no more.
        """
        self._observe(streams)
        news = len(streams["heard"]) + len(streams["incoming"]) + self._seen["model_state"]
        if self._stopped is not None and news <= self._stopped:
            # Who was stopped stays so when the hand goes down: until it is told something, or is at something else.
            return "stop"
        action = choose_actions(self.model, [self.example()])[0]
        self._stopped = news if action == "stop" else None
        return action

    def example(self) -> Example:
        """The newest ticks as an example of the benchmark, as they are encoded in training."""
        newest = self.ticks[-MOST_TICKS:]
        columns = {name: tuple(tick[name] for tick in newest) for name in STREAMS}
        return Example("live", "live", "live", 0, 0, "live", "model_state", "", columns, "wait")

    def _observe(self, streams: Mapping[str, Sequence[str]]) -> None:
        """Takes in what was observed since it was last asked, each value as some ticks."""
        fresh: list[tuple[str, str]] = []
        for name in STREAMS:
            values = streams.get(name, [])
            fresh += [(name, value) for value in values[self._seen[name] :]]
            self._seen[name] = len(values)
        for name, value in fresh:
            check_value(name, value)
        for name, value in fresh:
            self.now[name] = value
            self.ticks = [*self.ticks, *[dict(self.now)] * HOLD_TICKS][-MOST_TICKS:]
