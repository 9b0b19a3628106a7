"""
Interruptions in natural English: how often the text after an update follows it.

    hf-duplex bench natural --data FILE.jsonl --model ADAPTER --model smollm2@next_turn --json FILE
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ...bases import SMOLLM2
from ...record import command_line, describe_commit, describe_machine, describe_versions, write_json
from ..contestants.natural import Answering, Loader
from ..metrics.statistics import mcnemar, wilson
from ..reporting.tables import p_cell
from .natural_scoring import NaturalCase, is_right, read_cases, repeating_suffices


FORMAT = 1


def play_cases(
    contestant: Answering,
    cases: Sequence[NaturalCase],
    batch_size: int,
    max_new_tokens: int,
    advance: Callable[[float], None] = lambda count: None,
) -> list[str]:
    """The answers of a contestant, in batches; `advance(count)` is called after each."""
    answers: list[str] = []
    for start in range(0, len(cases), batch_size):
        batch = cases[start : start + batch_size]
        answers += contestant.answer(batch, max_new_tokens)
        advance(len(batch))
    return answers


def figures(cases: Sequence[NaturalCase], right: Sequence[bool]) -> dict[str, Any]:
    """Right of n with Wilson's interval: over all, where repeating does not suffice, by domain and by kind."""

    def share(chosen: Iterable[bool]) -> dict[str, Any]:
        found = [good for good, taken in zip(right, chosen, strict=True) if taken]
        return wilson(sum(found), len(found))

    domains, kinds = sorted({case.domain for case in cases}), sorted({case.kind for case in cases})
    return {
        "all": share(True for _ in cases),
        "not_by_repeating": share(not repeating_suffices(case) for case in cases),
        "domains": {domain: share(case.domain == domain for case in cases) for domain in domains},
        "kinds": {kind: share(case.kind == kind for case in cases) for kind in kinds},
    }


def comparisons(right: dict[str, list[bool]], baselines: Sequence[str]) -> list[dict[str, Any]]:
    """
    Compares each non-baseline with each baseline, and the first non-baseline with the others. If all are baselines,
    compares the first with the others.
    """
    models = [name for name in right if name not in baselines] or list(right)[:1]
    pairs = [(a, b) for a in models for b in right if b in baselines and b != a]
    pairs += [(models[0], b) for b in models[1:]]
    return [{"a": a, "b": b, **mcnemar(right[a], right[b])} for a, b in pairs]


def format_cases(cases: Sequence[NaturalCase], answers: dict[str, list[str]], right: dict[str, list[bool]]) -> str:
    """Every case with every answer, for reading."""
    lines: list[str] = []
    for index, case in enumerate(cases):
        lines.append(f"== {case.id} ({case.domain}, {case.kind})\n{case.prompt}")
        lines += [f"  after {after} words: {text}" for after, text in case.updates]
        for name, given in answers.items():
            shown = given[index].strip().replace("\n", "\n      ")
            lines.append(f"  [{'right' if right[name][index] else 'wrong'}] {name}: {shown}")
        lines.append("")
    return "\n".join(lines)


def run_natural_benchmark(
    data: str | Path,
    models: Sequence[str],
    base: str | Path = SMOLLM2,
    device: str = "cpu",
    batch_size: int = 32,
    max_new_tokens: int = 90,
    noise: int | None = None,
    json_path: str | Path | None = None,
    cases_path: str | Path | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """
    Runs interruptions on each contestant, greedily, and scores its text after the last update.

    Args:
        data (`str` or `Path`): The cases, one JSON object a line (see [`natural_scoring`]).
        models (`Sequence[str]`): The contestants (see [`natural_contestants`]).
        base (`str` or `Path`, *optional*, defaults to `"smollm2"`): The base of adapters.
        device (`str`, *optional*, defaults to `"cpu"`): Where to run, in float32.
        batch_size (`int`, *optional*, defaults to 32): Cases at a time.
        max_new_tokens (`int`, *optional*, defaults to 90): A row is stopped after this many tokens from its last
            update.
        noise (`int`, *optional*): Seed of noise on the weights of all bases (see [`weight_noise`]).
        json_path (`str` or `Path`, *optional*): Where the results are written, after each contestant.
        cases_path (`str` or `Path`, *optional*): Where every answer is written, for reading.
        progress (`bool`, *optional*, defaults to `True`): Whether to show a progress bar, on standard error.

    Returns:
        For each contestant right of n, over all and by group, and the paired comparisons.

    Raises:
        ValueError: An argument or a line of `data` is unusable; the message names it.
    """
    if not models:
        raise ValueError("`--model` is missing: name at least one adapter, generator or baseline.")
    for option, value in (("--batch-size", batch_size), ("--max-new-tokens", max_new_tokens)):
        if value < 1:
            raise ValueError(f"`{option}` must be at least 1, got {value}.")
    cases = read_cases(data)
    load = Loader(base, device, noise)
    for spec in models:
        load.check(spec)
    results: dict[str, Any] = {
        "benchmark": "natural",
        "format": FORMAT,
        "command": command_line(),
        "commit": describe_commit(),
        "settings": {
            "data": Path(data).name,
            "data_sha256": hashlib.sha256(Path(data).read_bytes()).hexdigest(),
            "cases": len(cases),
            "not_by_repeating": sum(not repeating_suffices(case) for case in cases),
            "base": str(base),
            "device": device,
            "dtype": "float32",
            "decoding": "greedy, free-running",
            "batch_size": batch_size,
            "max_new_tokens": max_new_tokens,
            "noise": noise,
        },
        "versions": describe_versions(),
        "machine": describe_machine(),
        "models": {},
        "comparisons": [],
    }
    answers: dict[str, list[str]] = {}
    right: dict[str, list[bool]] = {}
    baselines: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
        tasks = {spec: bar.add_task(Path(spec).name, total=len(cases)) for spec in models}
        for spec, task in tasks.items():
            contestant = load(spec)
            name = contestant.name if contestant.name not in right else spec
            started = time.perf_counter()
            answers[name] = play_cases(contestant, cases, batch_size, max_new_tokens, partial(bar.advance, task))
            seconds = time.perf_counter() - started
            right[name] = [is_right(case, answer) for case, answer in zip(cases, answers[name], strict=True)]
            baselines += [name] if contestant.baseline else []
            results["models"][name] = {
                "spec": spec,
                "parameters": contestant.parameters,
                "baseline": contestant.baseline,
                "seconds": round(seconds, 1),
                **figures(cases, right[name]),
                "right": [case.id for case, good in zip(cases, right[name], strict=True) if good],
            }
            results["comparisons"] = comparisons(right, baselines)
            write_json(results, json_path)
    if cases_path is not None:
        Path(cases_path).parent.mkdir(parents=True, exist_ok=True)
        Path(cases_path).write_text(format_cases(cases, answers, right), encoding="utf-8")
    return results


def _cell(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    low, high = figure["interval"]
    return f"{figure['right']}/{figure['n']} ({low:.2f}–{high:.2f})"


def print_natural_table(results: dict[str, Any], console: Console | None = None) -> None:
    """Prints right of n of every contestant, with 95 % intervals, by domain and kind, and the comparisons."""
    console, models = console or Console(), results["models"]
    settings = results["settings"]
    table = Table(title=f"Interruptions in natural English, {settings['cases']} cases: right after the last update")
    for column in ("model", "right", "not by repeating", "seconds"):
        table.add_column(column)
    for name, found in models.items():
        table.add_row(name, _cell(found["all"]), _cell(found["not_by_repeating"]), f"{found['seconds']:g}")
    console.print(table)
    for by in ("domains", "kinds"):
        table = Table(title=f"Right, by {by.removesuffix('s')}")
        table.add_column(by.removesuffix("s"))
        for name in models:
            table.add_column(name, justify="right")
        for group in next(iter(models.values()))[by]:
            found_here = [found[by][group] for found in models.values()]
            table.add_row(group, *(f"{figure['right']}/{figure['n']}" for figure in found_here))
        console.print(table)
    if results["comparisons"]:
        table = Table(title="Paired: the exact test of McNemar")
        for column in ("models", "difference", "one alone right", "p"):
            table.add_column(column)
        for pair in results["comparisons"]:
            difference = f"{pair['difference']:+.2f}".replace("-", "−")
            alone = f"{pair['only_a']} : {pair['only_b']}"
            table.add_row(f"{pair['a']} − {pair['b']}", difference, alone, p_cell(pair["p"]))
        console.print(table)
