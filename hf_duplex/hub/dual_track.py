"""Draws the table of docs/dual_track.md from the files of results/reflection."""

import json
from pathlib import Path
from typing import Any

from ..evaluation.tables import markdown


START, END = "<!-- measured -->", "<!-- /measured -->"


def figure(entry: dict[str, Any] | float | None) -> str:
    """A figure with its interval, where it has one."""
    if entry is None:
        return "–"
    if isinstance(entry, int | float):
        return f"{entry:.3f}"
    value = entry["f1"] if "f1" in entry else entry["value"]
    if value is None:
        return "–"
    low, high = entry["interval"]
    return f"{value:.3f} ({low:.3f}–{high:.3f})"


def far_rows(far: dict[str, Any] | None) -> list[list[str]]:
    """What came of asking facts again that changed long ago."""
    if far is None:
        return []
    least = f"{far['tokens since the change']['least']:,}"
    return [
        *[
            [f"facts changed at least {least} tokens ago, {name}", figure(value)]
            for name, value in far["accuracy"].items()
        ],
        *[[f"difference to {name}", figure(value)] for name, value in far["difference"].items()],
        ["thoughts that are grammatical", figure(far["grammatical"])],
        ["the change in sight when asked", figure(far["change in sight"])],
        ["content pages resident", figure(far["resident pages"])],
    ]


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """What one file says, a line each."""
    recalls = found["activation"]["recall_by_type"]
    rows = [
        ["activation F1", figure(found["activation"])],
        *[[f"recall of {name}", figure(value)] for name, value in recalls.items()],
        ["type of a thought, given activation", figure(found["types"]["accuracy"])],
        *[[f"connection, {name}", figure(value)] for name, value in found["connections"].items()],
        ["tokens of a thought", f"{found['tokens_of_a_thought']:.1f}"],
    ]
    rows += far_rows(found.get("facts long ago"))
    for count, kept in found.get("attention kept", {}).items():
        rows.append(
            [f"K = {count}: KL to full attention, share of pages", f"{figure(kept['kl'])}, {figure(kept['pages'])}"]
        )
    if "cost" in found:
        rows.append(["decode tokens a second, track on / off", figure(found["cost"]["ratio"])])
        rows.append(["the same, with the turn that is answered read", figure(found["cost"]["ratio with the turn"])])
    return rows


def draw(results: str | Path = "results/reflection", page: str | Path = "docs/dual_track.md") -> None:
    """
    Writes the tables of all results files between the marks of the page.

    Raises:
        ValueError: The page has no marks.
    """
    page = Path(page)
    text = page.read_text()
    if START not in text or END not in text:
        raise ValueError(f"`page`: {page} lacks {START} or {END}.")
    parts = []
    for path in sorted(Path(results).glob("*.json")):
        found = json.loads(path.read_text())
        if found["benchmark"] == "reflection":
            machine = found["machine"].get("accelerator") or found["machine"]["cpu"]
            parts.append(f"**{path.stem}** ({machine}; `{found['command']}`)\n\n" + markdown(["", ""], rows_of(found)))
        elif found["benchmark"] == "reflection far":
            parts.append(
                f"**{path.stem}** (`{found['command']}`)\n\n" + markdown(["", ""], far_rows(found["facts long ago"]))
            )
        elif found["benchmark"] == "reflection codes":
            clusters, made = found["clusters"], found["composition"]
            rows = [
                [
                    f"nearer within one {name} than between, cosine (by chance)",
                    f"{gap['gap']:.3f} ({gap['by chance']:.3f})",
                ]
                for name, gap in clusters.items()
            ]
            rows += [
                [f"{name} read from codes of combinations held out (most frequent)",
                 f"{made[name]['accuracy']:.3f} ({made[name]['most frequent']:.3f})"]
                for name in ("about", "type")
            ]  # fmt: skip
            rows += [
                ["both", f"{made['both']:.3f}"],
                ["variance that codes leave", f"{made['unexplained variance']:.3f}"],
            ]
            parts.append(f"**{path.stem}** (`{found['command']}`)\n\n" + markdown(["", ""], rows))
    before, after = text.split(START)[0], text.split(END)[1]
    page.write_text(f"{before}{START}\n" + "\n\n".join(parts) + f"\n{END}{after}")
