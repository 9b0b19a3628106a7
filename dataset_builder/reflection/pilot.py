"""The pilot protocol (dual_track_reflection.md, 3.4.5): a small annotation of each source, and what to change before
more."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from .agreement import cohens_kappa
from .shares import TARGETS, type_shares


def pilot_report(rows: Sequence[Mapping[str, Any]]) -> str:
    """
    A page in Markdown, by source: shares of types, agreement, discards, annotations a dialogue, and what follows.

    Args:
        rows: Annotated dialogues as [`annotate_all`] writes them.

    Raises:
        ValueError: There are none.
    """
    if not rows:
        raise ValueError("`rows`: there is nothing annotated to report on.")
    sources: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        sources[row["source"]].append(row)
    lines = [
        "# Pilot annotation",
        "",
        "| source | dialogues | annotations each | "
        + " | ".join(TARGETS)
        + " | kappa on type | discarded | refused |",
        "|" + " --- |" * (len(TARGETS) + 6),
    ]
    advice = []
    for source, part in sorted(sources.items()):
        shares, facts = type_shares(part), [row.get("passes", {}) for row in part]
        proposed = sum(fact.get("proposed", 0) for fact in facts)
        agreed = sum(fact.get("agreed", 0) for fact in facts)
        discarded = sum(fact.get("discarded", 0) for fact in facts) / max(1, agreed)
        refused = sum(fact.get("refused", 0) for fact in facts) / max(1, agreed)
        both = [
            (a, b)
            for fact in facts
            for a, b in zip(*fact.get("labels", ([], [])), strict=True)
            if "none" not in (a, b)
        ]
        kappa = cohens_kappa([a for a, _ in both], [b for _, b in both]) if both else None
        each = sum(len(row["annotations"]) for row in part) / len(part)
        cells = [source, str(len(part)), f"{each:.1f}", *(f"{shares[name]:.0%}" for name in TARGETS)]
        lines.append(
            "| "
            + " | ".join([*cells, "–" if kappa is None else f"{kappa:.2f}", f"{discarded:.0%}", f"{refused:.0%}"])
            + " |"
        )
        if kappa is not None and kappa < 0.75:
            advice.append(
                f"- {source}: kappa {kappa:.2f} is below 0.75; make the instructions clearer before annotating more."
            )
        if discarded > 0.3:
            advice.append(f"- {source}: {discarded:.0%} cannot be grounded (more than 30 %); reconsider this source.")
        if each < 2:
            advice.append(f"- {source}: fewer than 2 annotations a dialogue; its texts are too simple or too short.")
        if each > 10:
            advice.append(f"- {source}: more than 10 annotations a dialogue; the oracle may annotate too much.")
        if proposed == 0:
            advice.append(f"- {source}: nothing was proposed at all.")
    for name, (low, high) in TARGETS.items():
        share = type_shares(rows)[name]
        if not low <= share <= high:
            advice.append(
                f"- All: {share:.0%} are {name}; the target is {low:.0%} to {high:.0%}. Balance, or mix otherwise."
            )
    return "\n".join([*lines, "", "## What follows", "", *(advice or ["- Nothing needs to change."])]) + "\n"
