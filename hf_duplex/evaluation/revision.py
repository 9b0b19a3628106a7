"""
How well a model revises what it says: values are read back out of free-running text by the parsers of the families.

    hf-duplex bench revision --model A --model B --json FILE
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from scipy import stats
from transformers import AutoModelForCausalLM, AutoTokenizer

from dataset_builder import FAMILIES, Builder, BuilderConfig, Sample, split_config
from dataset_builder.world import World

from ..record import command_line, describe_commit, describe_machine, describe_versions, write_json
from .conversation import Transcript, converse


# Samples a batch (on a processor more are slower, on a GPU faster), and how many tokens a model may emit each time it
# speaks.
BATCH_SIZE = 16
MAX_NEW_TOKENS = 400
# What the checkpoints that ship were trained on.
RELEASED = {
    "families": ("variable_substitution", "fact_correction"),
    "kinds": {"correction": 1.0},
    "sources": 0.0,
    "keep_going": 0.0,
}


@dataclass
class Score:
    """
    What one transcript is worth, in counts.

    Attributes:
        revised, revised_right (`int`): Answers that the updates changed, and those whose last statement has the final
            value. An answer that cannot be read counts as wrong.
        answers, answers_right (`int`): The same over all answers.
        unread (`int`): Answers that were never stated readably.
        claims_after, contradictions (`int`): Values said after an update that changed them, and those among them that
            an update had already replaced.
        ended (`int`): 1 if the model stopped by itself.
    """

    revised: int = 0
    revised_right: int = 0
    answers: int = 0
    answers_right: int = 0
    unread: int = 0
    claims_after: int = 0
    contradictions: int = 0
    ended: int = 0


def score(builder: Builder, sample: Sample, transcript: Transcript) -> Score:
    """Reads the values back out of a transcript and holds them against what was true when each was said."""
    _, scene, updates = builder.scene(sample.index)
    now = World(scene.facts, scene.rules)
    worlds = [dict(now.values)]
    for update in updates:
        for fact, value in update.changes:
            now.set(fact, value)
        worlds.append(dict(now.values))

    claims = FAMILIES[sample.task_type].read(transcript.text)
    last = {claim.key: claim.value for claim in claims}
    result = Score(ended=int(transcript.ended))
    for key, value in ((answer["key"], answer["value"]) for answer in sample.answers):
        changed = value != worlds[0][key]
        right = last.get(key) == value
        result.answers += 1
        result.answers_right += right
        result.revised += changed
        result.revised_right += changed and right
        result.unread += key not in last
    for claim in claims:
        if claim.key not in worlds[0]:
            continue
        # What counts is what was known when the value was said, not when its sentence began; a word begins with the
        # space before it.
        said_at = max(claim.start, transcript.text.rfind(claim.value, claim.start, claim.end))
        said_at -= transcript.text[said_at - 1 : said_at] == " "
        heard = sum(at <= said_at for at in transcript.heard_at)
        true = worlds[heard][claim.key]
        replaced = {world[claim.key] for world in worlds[:heard]} - {true}
        result.claims_after += bool(replaced)
        result.contradictions += claim.value in replaced
    return result


def ratio(scores: Sequence[Score], part: str, whole: str, seed: int = 0) -> dict[str, Any]:
    """A share over samples with its bootstrap 95 % interval (resampling samples; scipy)."""
    parts, wholes = (np.array([getattr(entry, name) for entry in scores], dtype=float) for name in (part, whole))
    if not wholes.sum():
        return {"value": None, "interval": None, "n": 0}
    value = float(parts.sum() / wholes.sum())
    interval = [value, value]
    if len(scores) > 1 and 0 < value < 1:
        found = stats.bootstrap(
            (parts, wholes),
            lambda p, w, axis: p.sum(axis=axis) / np.maximum(w.sum(axis=axis), 1),
            paired=True,
            vectorized=True,
            n_resamples=1000,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
        interval = [float(found.confidence_interval.low), float(found.confidence_interval.high)]
    return {"value": value, "interval": interval, "n": int(wholes.sum())}


def summarize(scores: Sequence[Score]) -> dict[str, Any]:
    """The figures of a set of scores, each with interval and number of cases."""
    return {
        "samples": len(scores),
        "revision_accuracy": ratio(scores, "revised_right", "revised"),
        "contradiction_rate": ratio(scores, "contradictions", "claims_after"),
        "answer_accuracy": ratio(scores, "answers_right", "answers"),
        "unread": sum(entry.unread for entry in scores),
        "ended": sum(entry.ended for entry in scores) / max(1, len(scores)),
    }


def run_revision_benchmark(
    models: Sequence[str],
    samples: int = 1000,
    split: str = "test",
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    device: str = "cpu",
    json_path: str | Path | None = None,
    progress: bool = True,
    builder: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Plays held-out samples to each model, free-running and greedy, and scores what it says.

    Args:
        models (`Sequence[str]`): Folders or Hub names; each must keep the contract and carry its tokenizer.
        samples (`int`, *optional*, defaults to 1000): How many.
        split (`str`, *optional*, defaults to `"test"`): The builder's split.
        seed (`int`, *optional*, defaults to 0): For samples and intervals.
        batch_size (`int`, *optional*, defaults to 16): Conversations at a time.
        device (`str`, *optional*, defaults to `"cpu"`): Where to run.
        json_path (`str` or `Path`, *optional*): Where the results are written.
        progress (`bool`, *optional*, defaults to `True`): Whether to show a progress bar, on standard error.
        builder (`dict`, *optional*): Fields of [`~dataset_builder.BuilderConfig`] other than in `RELEASED`.

    Returns:
        For each model and family, and overall: revision accuracy, contradiction rate, answer accuracy, with intervals.

    Raises:
        ValueError: An argument is unusable; the message names it.
    """
    if not models:
        raise ValueError("`models` is empty: name at least one model folder or Hub name.")
    names = [Path(name).name for name in models]
    if len(set(names)) < len(names):
        raise ValueError(f"`models` must have names that differ, got {', '.join(names)}: results go by them.")
    for name, value in (("samples", samples), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1, got {value}.")
    config = split_config(BuilderConfig(seed=seed, **{**RELEASED, **(builder or {})}), split)
    maker = Builder(config)
    rows = list(maker.samples(samples))
    results: dict[str, Any] = {
        "benchmark": "revision",
        "command": command_line(),
        "commit": describe_commit(),
        "settings": {"samples": samples, "seed": seed, "builder": asdict(config), "decoding": "greedy, free-running"},
        "versions": describe_versions(),
        "machine": describe_machine(),
        "models": {},
    }
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        for name in models:
            tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32).to(device).eval()
            task = bar.add_task(Path(name).name, total=samples)
            scores: list[Score] = []
            for start in range(0, samples, batch_size):
                batch = rows[start : start + batch_size]
                transcripts = converse(model, tokenizer, batch, MAX_NEW_TOKENS)
                scores += [score(maker, *pair) for pair in zip(batch, transcripts, strict=True)]
                bar.advance(task, len(batch))
            families = {
                family: summarize([entry for entry, row in zip(scores, rows, strict=True) if row.task_type == family])
                for family in config.families
            }
            results["models"][Path(name).name] = {
                "model_type": model.config.model_type,
                "parameters": model.num_parameters(),
                **summarize(scores),
                "families": families,
            }
            write_json(results, json_path)
    return results


def print_revision_table(results: dict[str, Any], console: Console | None = None) -> None:
    """Prints the results as a table, 95 % intervals beside the figures."""

    def cell(figure: dict[str, Any]) -> str:
        if figure["value"] is None:
            return "-"
        low, high = figure["interval"]
        return f"{figure['value']:.3f} [dim]{low:.3f}–{high:.3f}[/]"

    settings = results["settings"]
    table = Table(title=f"Revision on {settings['samples']} {settings['builder']['split']} samples, free-running")
    for column in ("model", "family", "revision accuracy", "contradiction rate", "answer accuracy", "unread"):
        table.add_column(column)
    for name, model in results["models"].items():
        for family, figures in [("all", model), *model["families"].items()]:
            table.add_row(
                name if family == "all" else "",
                family,
                cell(figures["revision_accuracy"]),
                cell(figures["contradiction_rate"]),
                cell(figures["answer_accuracy"]),
                str(figures["unread"]),
            )
    (console or Console()).print(table)
