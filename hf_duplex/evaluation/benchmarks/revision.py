"""
How well models revise: each gets the same held-out conversations, free-running, and all claims are parsed from its
text and judged in the same way.

    hf-duplex bench revision --model A --model B@restart --split test --split more_updates --json FILE
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from dataset_builder import SPLITS, Builder, BuilderConfig, Sample, split_config

from ...record import command_line, describe_commit, describe_machine, describe_versions, write_json
from ..contestants.models import Contestant, load_contestant
from ..metrics.revision import RATIOS
from ..metrics.statistics import breakdown, holm, latency_summary, paired_difference
from ..reporting.tables import COLUMNS, figure_cell
from .cases import FORMAT, Case, CaseFile, score


# Conversations per batch: fewer or more are slower on a CPU, more are faster on a GPU.
BATCH_SIZE = 32
# Conversations that are also run one at a time, to measure the speedup of batches.
ONE_AT_A_TIME = 16


def held_out_samples(builder: BuilderConfig, split: str, samples: int, seed: int) -> list[Sample]:
    """
    The samples of a split, the same for every model.

    Raises:
        ValueError: There is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    config = split_config(builder, split)
    return list(Builder(BuilderConfig(**{**vars(config), "seed": seed})).samples(samples))


def stored_samples(folder: str | Path, split: str, samples: int) -> list[Sample]:
    """
    Samples of a built data set, evenly spread over its split.

    Raises:
        ValueError: There is no such data set, or it has no such split.
    """
    from dataset_builder.build.stored import StoredDataset

    dataset = StoredDataset(folder)
    if split not in dataset.splits:
        raise ValueError(f"`split`: {folder} has no {split!r}; choose from {', '.join(dataset.splits)}.")
    names = list(Sample.__dataclass_fields__)
    rows = [row for shard, numbers in dataset.spread(split, samples) for row in shard.take(numbers, names)]
    return [Sample(**row) for row in rows]


def longest_text(samples: Sequence[Sample]) -> int:
    """Most tokens per generation: a little more than twice the longest possible gold text."""
    return 64 + max(len(sample.target) for sample in samples)


def batches(samples: Sequence[Sample], batch_size: int) -> list[list[Sample]]:
    """Batches of samples of similar length, so that none waits for a long one."""
    by_length = sorted(samples, key=lambda sample: (len(sample.target), sample.split, sample.seed, sample.index))
    return [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]


def play(
    contestant: Contestant, samples: Sequence[Sample], batch_size: int, model: str | None = None
) -> Iterator[list[Case]]:
    """
    Runs samples on a contestant, batched by length, and scores its transcripts.

    Args:
        contestant ([`Contestant`]): The contestant.
        samples (`Sequence[Sample]`): The samples.
        batch_size (`int`): Conversations at a time; no case depends on it.
        model (`str`, *optional*): The model name in its cases; by default the contestant's name.
    """
    for batch in batches(samples, batch_size):
        transcripts = contestant.converse(batch, longest_text(batch))
        pairs = zip(batch, transcripts, strict=True)
        yield [score(sample, said, model or contestant.name) for sample, said in pairs]


@lru_cache(maxsize=1)
def _loaded(spec: str, device: str, base: str | Path | None) -> Contestant:
    return load_contestant(spec, device, base)


def _play_batch(spec: str, device: str, base: str | Path | None, batch: list[Sample], called: str) -> list[Case]:
    """Runs one batch in a worker, which keeps the model for the next."""
    return next(play(_loaded(spec, device, base), batch, len(batch), called))


def workers(num_workers: int) -> ProcessPoolExecutor:
    """Processes of one thread each, started on first use."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(num_workers, context, initializer=torch.set_num_threads, initargs=(1,))


def play_with_workers(
    pool: ProcessPoolExecutor,
    spec: str,
    device: str,
    samples: Sequence[Sample],
    batch_size: int,
    called: str,
    base: str | Path | None = None,
) -> Iterator[list[Case]]:
    """[`play`] in several processes; the longest batches first, so that all processes end at about the same time."""
    due = batches(samples, batch_size)[::-1]
    futures = [pool.submit(_play_batch, spec, device, base, batch, called) for batch in due]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def evaluator(
    builder: BuilderConfig | None, split: str, samples: int, seed: int, batch_size: int, device: str
) -> Callable[[str, Mapping[str, Any]], list[Case]]:
    """For ablations: a function that runs the same held-out samples on any contestant, and returns its cases."""
    rows = held_out_samples(builder or BuilderConfig(), split, samples, seed)

    def evaluate(spec: str, overrides: Mapping[str, Any]) -> list[Case]:
        contestant = load_contestant(spec, device, **overrides)
        return [case for cases in play(contestant, rows, batch_size) for case in cases]

    return evaluate


def read_specs(models: Sequence[str]) -> dict[str, list[str]]:
    """
    The models of a comparison: by name, the specs of its training seeds.

    Args:
        models (`Sequence[str]`): `PATH`, `PATH@MODE`, or `NAME=PATH,PATH,PATH` for several training seeds of one.

    Raises:
        ValueError: There is none, or two have the same name.
    """
    if not models:
        raise ValueError("`models` is empty: name at least one model folder or Hub name.")
    found: dict[str, list[str]] = {}
    for model in models:
        name, equals, paths = model.partition("=")
        specs = [path.strip() for path in paths.split(",")] if equals else [model]
        name = name if equals else Path(model).name
        if not name or not all(specs):
            raise ValueError(f"`models`: {model!r} must be PATH, PATH@MODE, or NAME=PATH,PATH.")
        if name in found:
            raise ValueError(f"`models` must have names that differ, got {name} twice: call one NAME=PATH.")
        found[name] = specs
    return found


def run_revision_benchmark(
    models: Sequence[str],
    splits: Sequence[str] = ("test",),
    samples: int = 1000,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    device: str = "cpu",
    num_workers: int | None = 1,
    json_path: str | Path | None = None,
    data: str | Path | None = None,
    builder: BuilderConfig | None = None,
    one_at_a_time: int = ONE_AT_A_TIME,
    progress: bool = True,
    base: str | Path | None = None,
) -> dict[str, Any]:
    """
    Runs held-out samples on each model, free-running and greedy, and judges its text.

    Args:
        models (`Sequence[str]`): `PATH`, `PATH@MODE` (see [`~contestants.load_contestant`]), or `NAME=PATH,PATH,PATH`
            for training seeds of one model. The first is compared with each of the others.
        splits (`Sequence[str]`, *optional*, defaults to `("test",)`): The builder's splits.
        samples (`int`, *optional*, defaults to 1000): How many of each split.
        seed (`int`, *optional*, defaults to 0): For samples, intervals and tests.
        batch_size (`int`, *optional*, defaults to 32): Conversations at a time.
        device (`str`, *optional*, defaults to `"cpu"`): Where to run.
        num_workers (`int`, *optional*, defaults to 1): Processes of one thread each; None is one for each core, or
            one on a GPU.
        json_path (`str` or `Path`, *optional*): Where the results are written; the cases go next to it, as
            `*.cases.jsonl`. An interrupted run is resumed from there.
        data (`str` or `Path`, *optional*): A built data set, instead of generated samples.
        builder (`BuilderConfig`, *optional*): The configuration of generated samples, before a split changes it.
        one_at_a_time (`int`, *optional*, defaults to 16): Samples that are run again one by one, to measure the
            speedup of batches; 0 for none.
        progress (`bool`, *optional*, defaults to `True`): Whether to show a progress bar, on standard error.
        base (`str` or `Path`, *optional*, defaults to `"smollm2"`): The base of duplex adapters.

    Returns:
        For each model and split every metric, with intervals, over all and by family, kind of update, number of
        updates and place; latencies; and the paired comparisons of the first model with the others.

    Raises:
        ValueError: An argument is unusable; the message names it.
    """
    specs = read_specs(models)
    if num_workers == 0:
        raise ValueError("`num_workers` must be at least 1, got 0.")
    for name, value in (("samples", samples), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1, got {value}.")
    if not splits or len(set(splits)) < len(splits):
        raise ValueError(f"`splits` must be names that differ, at least one, got {list(splits)!r}.")
    made = builder or BuilderConfig()
    played = {
        split: stored_samples(data, split, samples) if data else held_out_samples(made, split, samples, seed)
        for split in splits
    }
    for split, rows in played.items():
        if not any(row.updates for row in rows):
            raise ValueError(f"`split`: {split!r} has no updates here, so there is nothing to revise; take another.")
    made_of = {"data": Path(data).name} if data else {"builder": {**asdict(made), "seed": seed}}
    settings = {"samples": samples, "seed": seed, "decoding": "greedy, free-running", **made_of}
    settings |= {"base": str(base)} if base else {}
    results: dict[str, Any] = {
        "benchmark": "revision",
        "format": FORMAT,
        "command": command_line(),
        "commit": describe_commit(),
        "settings": {**settings, "splits": list(splits), "batch_size": batch_size, "device": device},
        "versions": describe_versions(),
        "machine": describe_machine(),
        "models": {},
        "comparisons": [],
    }
    if num_workers is None:
        num_workers = (os.cpu_count() or 1) if device == "cpu" else 1
    path = None if json_path is None else Path(json_path)
    cases = CaseFile(path and path.with_suffix(".cases.jsonl"), settings)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with workers(num_workers) as pool, Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
        tasks = {name: bar.add_task(name, total=len(paths) * samples * len(splits)) for name, paths in specs.items()}
        for name, paths in specs.items():
            how = batch_size, device, pool if num_workers > 1 else None, one_at_a_time, base
            told = _play_all(name, paths, played, cases, how, bar, tasks[name])
            results["models"][name] = told | {"splits": {}}
            for split in splits:
                runs = [cases.of(_run_name(name, paths, run), split) for run in range(len(paths))]
                results["models"][name]["splits"][split] = _figures(runs, seed)
            write_json(results, path)
    results["comparisons"] = _comparisons(specs, splits, cases, seed)
    write_json(results, path)
    return results


def _run_name(name: str, paths: Sequence[str], run: int) -> str:
    return name if len(paths) == 1 else f"{name}#{run}"


def _play_all(
    name: str,
    paths: Sequence[str],
    played: dict[str, list[Sample]],
    cases: CaseFile,
    how: tuple[int, str, ProcessPoolExecutor | None, int, str | Path | None],
    bar: Progress,
    task: TaskID,
) -> dict[str, Any]:
    """Runs the remaining samples on every training seed of a model. Returns the facts of the model."""
    batch_size, device, pool, one_at_a_time, base = how
    facts: dict[str, Any] = {"specs": list(paths)}
    for run, spec in enumerate(paths):
        called = _run_name(name, paths, run)
        cases.check_spec(called, spec)
        contestant = load_contestant(spec, device, base)
        facts |= {"model_type": contestant.model_type, "parameters": contestant.parameters}
        for split, rows in played.items():
            due = [row for row in rows if (called, split, row.seed, row.index) not in cases]
            bar.advance(task, len(rows) - len(due))
            started = time.perf_counter()
            if pool is not None and len(due) > batch_size:
                said = play_with_workers(pool, spec, device, due, batch_size, called, base)
            else:
                said = play(contestant, due, batch_size, called)
            for found in said:
                cases.add([case | {"spec": spec} for case in found])
                bar.advance(task, len(found))
            if due and run == 0:
                rate = len(due) / (time.perf_counter() - started)
                facts.setdefault("samples_per_second", {})[split] = round(rate, 2)
        if run == 0 and one_at_a_time and "samples_per_second" in facts:
            facts["batched_against_one_at_a_time"] = _worth_of_batches(
                contestant, next(iter(played.values()))[:one_at_a_time], batch_size
            )
    return facts


def _worth_of_batches(contestant: Contestant, rows: list[Sample], batch_size: int) -> float:
    """The speedup of batches over one sample at a time, on the same samples."""
    seconds = []
    for size in (1, batch_size):
        started = time.perf_counter()
        for _ in play(contestant, rows, size):
            pass
        seconds.append(time.perf_counter() - started)
    return round(seconds[0] / seconds[1], 2)


def _figures(runs: list[list[Case]], seed: int) -> dict[str, Any]:
    milliseconds = sorted(value for cases in runs for case in cases for value in case["milliseconds"])
    return breakdown(runs, seed) | {
        "latency": latency_summary([case["latencies"] for cases in runs for case in cases], seed),
        "median_milliseconds": milliseconds[len(milliseconds) // 2] if milliseconds else None,
        "incoherent": {
            name: sum(case["counts"][name] for cases in runs for case in cases)
            for name in ("unended", "loop", "unreadable", "arithmetic", "json")
        },
    }


def _comparisons(
    specs: dict[str, list[str]], splits: Sequence[str], cases: CaseFile, seed: int
) -> list[dict[str, Any]]:
    """The first model against each of the others: every metric on every split, and revision accuracy by family with
    Holm's correction over families."""
    first, *others = specs
    found = []
    for other in others:
        for split in splits:
            ours, theirs = (
                [cases.of(_run_name(name, specs[name], run), split) for run in range(len(specs[name]))]
                for name in (first, other)
            )
            about = {"a": first, "b": other, "split": split}
            for metric in COLUMNS:
                part, whole = RATIOS[metric]
                found.append(about | {"metric": metric} | paired_difference(ours, theirs, part, whole, seed))
            families = sorted({case["family"] for case in ours[0]})
            part, whole = RATIOS["revision_accuracy"]
            apart = {}
            for family in families:
                a, b = (
                    [[case for case in run if case["family"] == family] for run in side] for side in (ours, theirs)
                )
                apart[family] = paired_difference(a, b, part, whole, seed)
            corrected = holm({family: difference["p"] for family, difference in apart.items()})
            for family, difference in apart.items():
                entry = about | {"metric": "revision_accuracy", "family": family} | difference
                found.append(entry | {"p_holm": corrected[family]})
    return found


def print_revision_table(results: dict[str, Any], console: Console | None = None) -> None:
    """Prints the metrics of every model on every split, with 95 % intervals where there is room."""
    settings, console = results["settings"], console or Console()
    room = console.width >= 170
    for split in settings["splits"]:
        table = Table(title=f"Revision on {settings['samples']} {split} samples, free-running")
        for column in ("model", "family", *(name.replace("_", " ") for name in COLUMNS), "latency"):
            table.add_column(column)
        for name, model in results["models"].items():
            found = model["splits"][split]
            for family, figures in [("all", found["metrics"]), *found["families"].items()]:
                cells = [figure_cell(figures[column]) for column in COLUMNS]
                cells = cells if room else [cell.partition(" ")[0] for cell in cells]
                latency = found["latency"]["median"]
                shown = "-" if latency is None or family != "all" else f"{latency:g}"
                table.add_row(name if family == "all" else "", family, *cells, shown)
        console.print(table)
