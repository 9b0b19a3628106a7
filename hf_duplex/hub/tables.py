"""Results files as Markdown tables, for cards and for the README."""

import json
import re
from pathlib import Path
from typing import Any

from ..evaluation.benchmarks.cases import FORMAT
from ..evaluation.reporting.tables import NOTHING, figure_cell, markdown


NOT_MEASURED = "Not measured yet."
REVISION_COLUMNS = (
    "revision_accuracy",
    "contradiction_rate",
    "recovery",
    "retention",
    "coherence",
    "over_revision",
    "answer_accuracy",
)
LABELS = {
    "workspace": "workspace",
    "dual_stream": "dual stream",
    "baseline": "baseline, spliced in place",
    "baseline_restart": "baseline, stopped and restarted",
    "llama": "plain Llama of the same size",
    "llama_same_depth": "plain Llama of the same size and the workspace's depth",
}


def read_results(path: str | Path) -> dict[str, Any]:
    """
    The results of a revision benchmark.

    Raises:
        ValueError: The file is of another version, or holds nothing of the kind.
    """
    try:
        results = json.loads(Path(path).read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}), so no results of `hf-duplex bench revision`.") from error
    if not isinstance(results, dict) or results.get("benchmark", "revision") != "revision":
        raise ValueError(f"{path} holds no results of `hf-duplex bench revision`.")
    if results.get("format") != FORMAT:
        raise ValueError(
            f"{path} is of format {results.get('format', 1)}, not {FORMAT}: measure again with "
            "`hf-duplex bench revision --json FILE`."
        )
    return results


def only(results: dict[str, Any], name: str) -> dict[str, Any]:
    """The results of one model."""
    return {**results, "models": {name: results["models"][name]}}


def revision_table(results: dict[str, Any]) -> str:
    """A revision benchmark, a row for each model and split: metrics with intervals, and what they rest on."""
    rows = []
    for name, model in results["models"].items():
        for rank, (split, found) in enumerate(model["splits"].items()):
            figures = found["metrics"]
            basis = figures["revision_accuracy"]
            cells = [figure_cell(figures[column]) for column in REVISION_COLUMNS]
            counts = [f"{figures['coherence']['n'] // basis['seeds']:,}", f"{basis['n']:,}", str(basis["seeds"])]
            shown = f"{name} ({model['parameters']:,})" if rank == 0 else ""
            rows.append([shown, split, *cells, tokens_cell(found["latency"], "median"), *counts])
    columns = [column.replace("_", " ") for column in REVISION_COLUMNS]
    head = [
        "model (parameters)",
        "split",
        *columns,
        "median latency, tokens",
        "samples",
        "n revised",
        "training seeds",
    ]
    return markdown(head, rows)


def tokens_cell(latency: dict[str, Any], name: str) -> str:
    """A latency in tokens. Where so many updates never showed that it has none: never."""
    if not latency["n"]:
        return NOTHING
    return "never" if latency[name] is None else f"{latency[name]:g}"


def latency_table(results: dict[str, Any]) -> str:
    """From an update to the first token that reflects it, for each model and split."""
    rows = []
    for name, model in results["models"].items():
        for rank, (split, found) in enumerate(model["splits"].items()):
            latency, wait = found["latency"], found["median_milliseconds"]
            low, high = latency["interval"] or (None, None)
            bounds = ["never" if bound is None else f"{bound:g}" for bound in (low, high)]
            median = tokens_cell(latency, "median") + (f" ({'–'.join(bounds)})" if latency["n"] else "")
            rows.append(
                [
                    name if rank == 0 else "",
                    split,
                    median,
                    tokens_cell(latency, "p95"),
                    figure_cell(latency["never"]),
                    NOTHING if wait is None else f"{wait:,.1f}",
                    f"{latency['n']:,}",
                    f"{latency['samples']:,}",
                ]
            )
    head = ["model", "split", "median, tokens", "95th percentile", "never", "to the next token, ms", "n", "samples"]
    return markdown(head, rows)


def basis(results: dict[str, Any]) -> str:
    """A sentence on what the figures rest on: which samples, how many training seeds, what the intervals are over."""
    settings = results["settings"]
    if "data" in settings:
        drawn = f"the data set `{settings['data']}`"
    else:
        families = ", ".join(dict.fromkeys(settings["builder"]["families"])).replace("_", " ")
        drawn = f"{families}, made with seed {settings['seed']}"
    seeds = [
        found["metrics"]["revision_accuracy"]["seeds"]
        for model in results["models"].values()
        for found in model["splits"].values()
    ]
    few, many = min(seeds), max(seeds)
    trained = f"{few} training seed{'s' if few > 1 else ''}" if few == many else f"{few} to {many} training seeds"
    over = "samples" if many == 1 else "training seeds and samples"
    return (
        f"Free-running, greedy, up to {settings['samples']:,} samples a split of {drawn}; values read back out of the "
        f"text. {trained} a model; 95 % intervals are over {over}."
    )


def speed_table(results: dict[str, Any]) -> str:
    """A speed benchmark: medians in milliseconds and bytes of state, by history."""
    histories = sorted(results["rows"], key=int)

    def line(label: str, measure: str, name: str, form: str = "{:,.1f}") -> list[str]:
        cells = []
        for history in histories:
            value = results["rows"][history][measure].get(name)
            median = value["median"] if isinstance(value, dict) else value
            cells.append(NOTHING if median is None else form.format(median))
        return [label, *cells]

    rows = [line(f"update to next token, ms: {LABELS[n]}", "update_ms", n) for n in ("workspace", "dual_stream")]
    rows += [line(f"update to next token, ms: {LABELS[n]}", "update_ms", n) for n in ("baseline", "baseline_restart")]
    rows += [line("one more token, ms: workspace", "decode_ms", "workspace")]
    rows += [line(f"one more token, ms: {LABELS[n]}", "decode_ms", n) for n in ("llama", "llama_same_depth")]
    kib = {
        history: {name: size / 1024 for name, size in results["rows"][history]["state_bytes"].items()}
        for history in histories
    }
    for name in ("workspace", "baseline"):
        rows.append([f"state, KiB: {name}", *(f"{kib[history][name]:,.0f}" for history in histories)])
    return markdown(["incoming tokens so far", *(f"{int(history):,}" for history in histories)], rows)


def fill(text: str, name: str, content: str) -> str:
    """Replaces what stands between `<!-- name -->` and `<!-- /name -->`."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"there is no `<!-- {name} -->` … `<!-- /{name} -->` to fill.")
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)
