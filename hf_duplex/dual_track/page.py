"""Draws the tables of docs/dual_track.md from the files of results/reflection: runs that differ in their seed side by
side."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..evaluation.reporting.tables import figure_cell, markdown
from .figure import dual_track_figure


START, END = "<!-- measured -->", "<!-- /measured -->"
Found = dict[str, Any]


def figure(entry: Found | float | None) -> str:
    """A figure with its interval, where it has one."""
    if entry is None:
        return "–"
    if isinstance(entry, int | float):
        return f"{entry:.3f}"
    return figure_cell({"value": entry["f1"], **entry} if "f1" in entry else entry)


def far_rows(far: Found | None) -> dict[str, str]:
    """What came of asking facts again that changed long ago."""
    if far is None:
        return {}
    said = f"facts changed at least {far['tokens since the change']['least']:,} tokens ago"
    return {
        **{f"{said}, {name}": figure(value) for name, value in far["accuracy"].items()},
        **{f"difference to {name}": figure(value) for name, value in far["difference"].items()},
        **({"facts told just before, base": figure(far["told just before"])} if "told just before" in far else {}),
        "thoughts that are grammatical": figure(far["grammatical"]),
        "the change in sight when asked": figure(far["change in sight"]),
        "content pages resident": figure(far["resident pages"]),
        "dialogues in which a fact is asked again": f"{far['accuracy']['reflection']['n']:,}",
    }


def measured_rows(found: Found) -> dict[str, str]:
    """What `measure` found."""
    kept = found.get("attention kept", {})
    return {
        "activation F1": figure(found["activation"]),
        **{f"recall of {name}": figure(value) for name, value in found["activation"]["recall_by_type"].items()},
        "type of a thought, given activation": figure(found["types"]["accuracy"]),
        **{f"connection, {name}": figure(value) for name, value in found["connections"].items()},
        "tokens of a thought": f"{found['tokens_of_a_thought']:.1f}",
        **far_rows(found.get("facts long ago")),
        **{
            f"K = {count}: KL to full attention, share of pages": f"{figure(entry['kl'])}, {figure(entry['pages'])}"
            for count, entry in kept.items()
        },
    }


def cost_rows(found: Found) -> dict[str, str]:
    """What `cost` found."""
    cost = found["cost"]
    return {
        **{
            f"decode tokens a second, track on / off, by {name}": figure(ratio)
            for name, ratio in cost["ratio"].items()
        },
        "thoughts while a reply is said, while its turns are read": " ".join(
            f"{cost['reflections'][name]:.1f}," for name in ("reply", "turns")
        ).rstrip(","),
    }


def ceiling_rows(found: Found) -> dict[str, str]:
    """What `ceiling` found."""
    return {"facts told just before, base": figure(found["told just before"])}


def silent_rows(found: Found) -> dict[str, str]:
    """What `silent` found."""
    difference = found["difference"]
    return {
        "largest difference of logits to the base, in one forward": f"{difference['forward']:g}",
        "the same, step by step through the paged cache": f"{difference['step by step']:g}",
    }


def codes_rows(found: Found) -> dict[str, str]:
    """What `codes` found."""
    made = found["composition"]
    return {
        **{
            f"nearer within one {name} than between, cosine (by chance)": f"{gap['gap']:.3f} ({gap['by chance']:.3f})"
            for name, gap in found["clusters"].items()
        },
        **{
            f"{name} read from codes of combinations held out (most frequent)": (
                f"{made[name]['accuracy']:.3f} ({made[name]['most frequent']:.3f})"
            )
            for name in ("about", "type")
        },
        "both": f"{made['both']:.3f}",
        "variance that codes leave": f"{made['unexplained variance']:.3f}",
    }


def changes_table(found: Found) -> str:
    """What `changes` found, a row for each number of messages that are flagged."""
    methods = [name for name in next(iter(found["recall"].values())) if name != "flagged"]
    gold = sum(found["gold"].values())
    rows = [
        [f"{entry['flagged']} of {found['messages']:,}", *(figure(entry[name]) for name in methods)]
        for entry in found["recall"].values()
    ]
    table = markdown(["messages flagged", *methods], rows)
    return f"Recall of {gold} changes and conflicts; {found['thoughts']:,} thoughts were had.\n\n{table}"


ROWS = {
    "reflection": measured_rows,
    "reflection far": lambda found: far_rows(found["facts long ago"]),
    "reflection cost": cost_rows,
    "reflection codes": codes_rows,
    "reflection silent": silent_rows,
    "reflection ceiling": ceiling_rows,
}


def section(name: str, runs: Sequence[Found]) -> str:
    """The files of one name, `NAME.json` or `NAME-SEED.json`, as one table."""
    machine = runs[0]["machine"].get("accelerator") or runs[0]["machine"]["cpu"]
    head = f"**{name}** ({machine}; `{runs[0]['command']}`)\n\n"
    if runs[0]["benchmark"] == "reflection changes":
        return head + changes_table(runs[0])
    columns = [ROWS[run["benchmark"]](run) for run in runs]
    rows = [[row, *(column.get(row, "–") for column in columns)] for row in columns[0]]
    seeds = [f"seed {number}" for number in range(len(runs))] if len(runs) > 1 else [""]
    return head + markdown(["", *seeds], rows)


def draw(results: str | Path = "results/reflection", page: str | Path = "docs/dual_track.md") -> None:
    """
    Writes the tables of all results files between the marks of the page, and the figure beside it.

    Raises:
        ValueError: The page has no marks.
    """
    page = Path(page)
    text = page.read_text()
    if START not in text or END not in text:
        raise ValueError(f"`page`: {page} lacks {START} or {END}.")
    runs: dict[str, list[Found]] = {}
    for path in sorted(Path(results).glob("*.json")):
        runs.setdefault(re.sub(r"-\d+$", "", path.stem), []).append(json.loads(path.read_text()))
    drawn = {
        name: found
        for name, found in runs.items()
        if found[0]["benchmark"] == "reflection" and "facts long ago" in found[0]
    }
    if drawn:
        dual_track_figure(drawn, page.with_suffix(".png"))
    parts = [section(name, found) for name, found in runs.items()]
    before, after = text.split(START)[0], text.split(END)[1]
    page.write_text(f"{before}{START}\n" + "\n\n".join(parts) + f"\n{END}{after}")
