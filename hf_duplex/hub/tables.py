"""Results files as Markdown tables, for cards and for the README."""

import json
import re
from pathlib import Path
from typing import Any


LABELS = {
    "workspace": "workspace",
    "dual_stream": "dual stream",
    "baseline": "baseline, spliced in place",
    "baseline_restart": "baseline, stopped and restarted",
    "llama": "plain Llama of the same size",
    "llama_same_depth": "plain Llama of the same size and the workspace's depth",
}


def figure(value: dict[str, Any]) -> str:
    """A share with its 95 % interval."""
    if value["value"] is None:
        return "–"
    low, high = value["interval"]
    return f"{value['value']:.3f} ({low:.3f}–{high:.3f})"


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def revision_table(results: dict[str, Any]) -> str:
    """Every model of a revision benchmark, overall and by family."""
    rows = []
    for name, model in results["models"].items():
        for family, figures in [("all", model), *model["families"].items()]:
            shares = [figure(figures[key]) for key in ("revision_accuracy", "contradiction_rate", "answer_accuracy")]
            rows.append([f"{name} ({model['parameters']:,})" if family == "all" else "", family, *shares])
    return _table(["model (parameters)", "family", "revision accuracy", "contradiction rate", "answer accuracy"], rows)


def speed_table(results: dict[str, Any]) -> str:
    """A speed benchmark: medians in milliseconds and bytes of state, by history."""
    histories = sorted(results["rows"], key=int)

    def line(label: str, measure: str, name: str, form: str = "{:,.1f}") -> list[str]:
        cells = []
        for history in histories:
            value = results["rows"][history][measure].get(name)
            median = value["median"] if isinstance(value, dict) else value
            cells.append("–" if median is None else form.format(median))
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
    return _table(["incoming tokens so far", *(f"{int(history):,}" for history in histories)], rows)


def fill(text: str, name: str, content: str) -> str:
    """Replaces what stands between `<!-- name -->` and `<!-- /name -->`."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"there is no `<!-- {name} -->` … `<!-- /{name} -->` to fill.")
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


def fill_readme(readme: str | Path = "README.md", cards: str | Path = "model_cards") -> None:
    """Draws the README's tables from the results files of the released workspace model."""
    readme, folder = Path(readme), Path(cards, "duplex-workspace-4m")
    revision = json.loads((folder / "results.json").read_text())
    speed = json.loads((folder / "speed.json").read_text())
    text = fill(readme.read_text(), "revision", revision_table(revision))
    readme.write_text(fill(text, "speed", speed_table(speed)))
