"""Contestants whose lines are known, in the place of models."""

from dataset_builder import END, Sample
from hf_duplex.evaluation import Transcript
from hf_duplex.evaluation.contestants.models import Scripted


def gold(sample: Sample) -> Transcript:
    """Says what the sample says, and hears each update in its place."""
    heard_at = [update["position"] for update in sample.updates]
    return Transcript([], sample.target, heard_at, sample.target.endswith(END), heard_at, [2.0] * len(heard_at))


def stale(sample: Sample) -> Transcript:
    """Falls silent with the first update."""
    text = sample.initial_target if sample.updates else sample.target
    return Transcript([], text, [len(text)] * len(sample.updates), True)


def use(monkeypatch, **lines) -> None:
    """Lets the benchmark find these contestants, by name, instead of models."""
    monkeypatch.setattr(
        "hf_duplex.evaluation.benchmarks.revision.load_contestant",
        lambda spec, device="cpu", base=None: Scripted(spec, lines[spec.rsplit("/", 1)[-1]], parameters=4321),
    )
