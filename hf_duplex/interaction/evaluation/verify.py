"""
Every claim of the interaction benchmark, held against the file that is its evidence: `hf-duplex verify`.

First the manifest is read: a file whose bytes are not those that it tells of is refused, whatever it says. Then each
claim holds, falls short, or has no evidence. The ledger and the failure report say this in Markdown.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dataset_builder.interaction import Example
from dataset_builder.interaction.build import load_suite

from ...evaluation.reporting.tables import NOTHING, markdown
from .baselines import BASELINES
from .claim import HOLDS, MISSING, ROUNDING, SHORT, Claim, Measured, Verdict, judge
from .claims import CLAIMS, HELD_OUT, HELD_OUT_EACH, HELD_OUT_MEAN, IN_DISTRIBUTION
from .evidence import COMMAND, FORMAT, MANIFEST, hash_examples, hash_file
from .metrics import paired_separation, turn_action_accuracy
from .runs import POLICIES, Run


ALL_HOLD, SOME_FAIL, REFUSED = 0, 1, 2
"""What [`main`] returns."""

OTHER_DATA = "Prior art: what nanoIM reports, measured on other data; only the question is the same."


class HashError(ValueError):
    """A file, or what it tells, is not what it should be: it was changed."""


def read_manifest(results_dir: str | Path) -> dict[str, Any]:
    """
    The manifest of a folder of results.

    Raises:
        ValueError: There is no such folder, or no manifest in it that can be read.
    """
    path = Path(results_dir, MANIFEST)
    remedy = f"make the results with `{COMMAND} all --out {results_dir}`, or give the folder that holds them."
    if not path.is_file():
        raise ValueError(f"`results_dir`: {results_dir} holds no {MANIFEST}: {remedy}")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = manifest["format"] == FORMAT and all(isinstance(manifest[name], dict) for name in ("files", "data"))
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ValueError(f"`results_dir`: {path} is no manifest in format {FORMAT}: {remedy}")
    return manifest


def command_for(name: str, claims: Sequence[Claim] = CLAIMS) -> str:
    """What makes a file of the folder of results anew."""
    found = [claim.command for claim in claims if claim.file == name]
    # Of several, the shortest: the others ask for more than the file needs.
    return min(found, key=len) if found else f"{COMMAND} {_experiment(name)}"


def _experiment(name: str) -> str:
    """Which experiment leaves a file: results by their name, predictions and policies by their folder."""
    if name.startswith(("occlusion", "controls")):
        return name.split("/")[0].removesuffix(".json")
    return "leave-one-family-out" if "-without-" in name else "in-distribution"


def check_files(results_dir: str | Path, manifest: dict[str, Any]) -> list[str]:
    """
    Holds every file that the manifest tells of against its hash.

    Returns:
        Those that are not there; a claim that needs one of them has no evidence.

    Raises:
        HashError: A file was changed; the message names it, and what makes it anew.
    """
    missing = []
    for name, known in manifest["files"].items():
        path = Path(results_dir, name)
        if not path.is_file():
            missing.append(name)
        elif hash_file(path) != known:
            raise HashError(
                f"{path} does not match its hash in {MANIFEST}: it was changed since it was written; delete it and "
                f"run `{command_for(name)} --out {results_dir}` to make it anew."
            )
    return missing


def check_data(data_dir: str | Path, manifest: dict[str, Any]) -> dict[str, list[Example]]:
    """
    Holds built suites against the hashes that the manifest tells of.

    Args:
        data_dir (`str` or `Path`): A folder with the suites, each in a folder of its name.
        manifest (`dict`): Of the results.

    Returns:
        The examples of each split that results are about, by suite and split: `"mini/test"`.

    Raises:
        ValueError: A suite is not there, or its files are not what its own manifest tells of.
        HashError: The examples of a split are not those that results were measured on.
    """
    found: dict[str, list[Example]] = {}
    for suite in dict.fromkeys(name.partition("/")[0] for name in manifest["data"]):
        folder = Path(data_dir, suite)
        if not folder.is_dir():
            raise ValueError(
                f"`data_dir`: there is no {folder}: build it with "
                f"`python -m dataset_builder.interaction build --suite {suite} {folder}`."
            )
        found |= {f"{suite}/{split}": examples for split, examples in load_suite(folder).items()}
    for name, known in manifest["data"].items():
        if hash_examples(found[name]) != known:
            raise HashError(
                f"{Path(data_dir, name)}: its examples are not those that results were measured on; delete the "
                f"results and run `{COMMAND} all`, or give the data that they are about."
            )
    return found


_METRICS = ("turn_action_accuracy", "paired_separation")


def _told(results_dir: str | Path, name: str) -> dict[str, Any]:
    """The suites of a results file; none where it is not there."""
    path = Path(results_dir, name)
    suites: dict[str, Any] = _read(path)["suites"] if path.is_file() else {}
    return suites


def _runs_told(results_dir: str | Path) -> Iterator[tuple[str, Run, dict[str, float]]]:
    """Every run of which results tell, by their file, with what they tell of it."""
    for suite, told in _told(results_dir, IN_DISTRIBUTION).items():
        for method, of_method in told["methods"].items():
            for seed, metrics in of_method["runs"].items():
                yield IN_DISTRIBUTION, _run(suite, method, seed), {name: metrics[name] for name in _METRICS}
    for suite, told in _told(results_dir, HELD_OUT).items():
        for family, of_family in told["families"].items():
            for method, of_method in of_family["methods"].items():
                # A language model is not trained, so it has no run without the family.
                for seed, accuracy in of_method.get("runs", {}).items():
                    yield HELD_OUT, _run(suite, method, seed, family), {"turn_action_accuracy": accuracy}


def _run(suite: str, method: str, seed: str, held_out: str | None = None) -> Run:
    known = method in (*POLICIES, *BASELINES)
    return Run(suite, method, int(seed) if seed.isdigit() else None, held_out, None if known else method)


def recount(results_dir: str | Path, manifest: dict[str, Any], splits: Mapping[str, Sequence[Example]]) -> int:
    """
    Counts anew, from the predictions that are there, what results tell of each run.

    Args:
        results_dir (`str` or `Path`): Where results and predictions lie.
        manifest (`dict`): Of the results.
        splits (`Mapping[str, Sequence[Example]]`): Examples by suite and split, see [`check_data`].

    Returns:
        How many runs were counted.

    Raises:
        HashError: Results tell something else than the predictions give.
    """
    counted = 0
    for file, run, told in _runs_told(results_dir):
        path = Path(results_dir, run.file("predictions"))
        if run.file("predictions") not in manifest["files"] or not path.is_file():
            continue
        examples = [example for example in splits[f"{run.suite}/test"] if run.held_out in (None, example.family)]
        predictions, references = _read(path)["predictions"], [example.action for example in examples]
        found = {
            "turn_action_accuracy": turn_action_accuracy(predictions, references),
            "paired_separation": paired_separation(predictions, references, [example.pair for example in examples]),
        }
        for name, value in told.items():
            if abs(value - found[name]) > ROUNDING:
                raise HashError(
                    f"{Path(results_dir, file)} tells of {run.suite} {run.name} a {name} of {value:.4f}, its "
                    f"predictions give {found[name]:.4f}: delete the file and run `{command_for(file)} --out "
                    f"{results_dir}` to make it anew."
                )
        counted += 1
    return counted


def _tried_out(manifest: dict[str, Any]) -> str:
    """Settings by which results are smaller than what is claimed; empty where they are whole."""
    settings = manifest.get("settings") or {}
    changed = {name: value for name, value in settings.items() if name.endswith("_pairs") and value is not None}
    changed |= settings.get("training") or {}
    return ", ".join(f"{name} {value}" for name, value in changed.items())


def verify(
    results_dir: str | Path, data_dir: str | Path | None = None, claims: Sequence[Claim] = CLAIMS
) -> list[Verdict]:
    """
    Re-checks every claim against its evidence file.

    Args:
        results_dir (`str` or `Path`): Where the results and their manifest lie.
        data_dir (`str` or `Path`, *optional*): A folder with built suites (`mini`, `hard`, `noisy`): their examples
            are held against their hashes, and what results tell is counted anew from the predictions.
        claims (`Sequence[Claim]`, *optional*, defaults to `CLAIMS`): What is claimed.

    Returns:
        A verdict for each claim, in their order.

    Raises:
        ValueError: There is no such folder, no manifest, or a file of results is no JSON.
        HashError: A file, or the data, is not that of the manifest, or results are not what the predictions give;
            nothing is judged then.
    """
    manifest = read_manifest(results_dir)
    check_files(results_dir, manifest)
    if data_dir is not None:
        recount(results_dir, manifest, check_data(data_dir, manifest))
    tried = _tried_out(manifest)
    found: dict[str, Any] = {}
    verdicts = []
    for claim in claims:
        path, reason = Path(results_dir, claim.file), ""
        if not path.is_file():
            reason = f"there is no {claim.file}"
        elif claim.file not in manifest["files"]:
            reason = f"{claim.file} has no hash in {MANIFEST}"
        elif tried:
            reason = f"the results are a try, made with {tried}"
        if reason:
            verdicts.append(Verdict(claim, MISSING, reason=reason))
            continue
        if claim.file not in found:
            found[claim.file] = _read(path)
        verdicts.append(judge(claim, found[claim.file]))
    return verdicts


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): delete it and run `{COMMAND} all` to make it anew.") from error


def exit_status(verdicts: Sequence[Verdict]) -> int:
    """0 where all claims hold, else 1."""
    return ALL_HOLD if all(verdict.status == HOLDS for verdict in verdicts) else SOME_FAIL


def _number(value: float | None) -> str:
    """Three places; more where a number is so small that they would hide it."""
    if value is None:
        return NOTHING
    if 0 < abs(value) < 5e-4:
        told = f"{value:.4g}"
    else:
        told = f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return told.replace("-", "−", 1) if value < 0 else told


def _summary(verdicts: Sequence[Verdict]) -> str:
    """How many claims have each status, in words."""
    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in (HOLDS, SHORT, MISSING)}
    words = {HOLDS: "hold", SHORT: "fall short", MISSING: "have no evidence"}
    return (
        f"Of {len(verdicts)} claims " + ", ".join(f"{count} {words[status]}" for status, count in counts.items()) + "."
    )


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts for a terminal; `at` is the number that comes nearest to failing, or fails furthest."""
    table = Table(box=None, pad_edge=False)
    for column in ("claim", "asked", "measured", "status"):
        table.add_column(column, justify="right" if column == "measured" else "left", no_wrap=True)
    table.add_column("at", overflow="fold")
    styles = {HOLDS: "green", SHORT: "bold red", MISSING: "yellow"}
    for verdict in verdicts:
        status = f"[{styles[verdict.status]}]{verdict.status}[/]"
        table.add_row(verdict.claim.id, verdict.claim.asked, _number(verdict.value), status, escape(verdict.where))
    return table


def _reasons(verdicts: Sequence[Verdict]) -> list[str]:
    """Why claims have no evidence, and what would make it: a line for each reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        if verdict.status == MISSING:
            found.setdefault((verdict.reason, verdict.claim.command), []).append(verdict.claim.id)
    return [f"{', '.join(names)}: {reason}; `{command}`" for (reason, command), names in found.items()]


def write_ledger(verdicts: Sequence[Verdict], path: str | Path) -> None:
    """Writes every claim with its evidence, the command that makes it, and its status, as Markdown."""
    rows = []
    for verdict in verdicts:
        claim = verdict.claim
        measured = _number(verdict.value) + (f" ({verdict.where})" if verdict.where else "")
        status = verdict.status + (f": {verdict.reason}" if verdict.reason else "")
        cells = [f"**{claim.id}** {claim.sentence}", claim.asked, measured, claim.prior or NOTHING, status]
        rows.append([*cells, f"`{claim.evidence}`", f"`{claim.command}`"])
    head = ["claim", "asked", "measured", "prior art (other data)", "status", "evidence", "command"]
    notes = (
        "Drawn from the results by `hf-duplex verify`. Measured is, of several numbers, the one that comes nearest to "
        "failing, or fails furthest; evidence is a file in the folder of results, and the place in it."
    )
    _write(path, "# Claims and their evidence", notes, OTHER_DATA, _summary(verdicts), markdown(head, rows))


def write_failure_report(verdicts: Sequence[Verdict], path: str | Path) -> None:
    """
    Writes what fell short and by how much, what has no evidence, and every family that was held out by its name, as
    Markdown.
    """
    short = [verdict for verdict in verdicts if verdict.status == SHORT]
    missing = [verdict for verdict in verdicts if verdict.status == MISSING]
    parts = [
        "# What failed",
        "Drawn from the results by `hf-duplex verify`, whether or not there is anything to tell.",
        _summary(verdicts),
        "## Claims that fall short",
        *([_short_section(verdict) for verdict in short] or ["None."]),
        "## Claims without evidence",
        _missing_table(missing) if missing else "None.",
        "## Families that were held out",
        _family_section(verdicts),
    ]
    _write(path, *parts)


def _write(path: str | Path, *parts: str) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


SHOWN = 20
"""Numbers of a claim that the failure report lists; it counts the others."""


def _short_section(verdict: Verdict) -> str:
    claim = verdict.claim
    assert verdict.value is not None
    by = _number(claim.shortfall(verdict.value))
    lines = [
        f"**{claim.id}**: {claim.sentence} Asked: {claim.asked}; measured: {_number(verdict.value)}; short by {by}."
    ]
    failing = verdict.failing
    rows = [[" / ".join(entry.where), *_cells(claim, entry)] for entry in failing[:SHOWN]]
    head = ["where", "measured", *(["held against"] if claim.against else []), "short by"]
    lines.append(f"{len(failing)} of {len(verdict.measured)} numbers fall short:")
    lines.append(markdown(head, rows))
    if len(failing) > SHOWN:
        lines.append(f"And {len(failing) - SHOWN} more, each short by less.")
    return "\n\n".join([*lines, f"Evidence: `{claim.evidence}`, made by `{claim.command}`."])


def _cells(claim: Claim, entry: Measured) -> list[str]:
    against = [] if entry.second is None else [_number(entry.second)]
    return [_number(entry.first), *against, _number(claim.shortfall(entry.value))]


def _missing_table(verdicts: Sequence[Verdict]) -> str:
    rows = [[verdict.claim.id, verdict.reason, f"`{verdict.claim.command}`"] for verdict in verdicts]
    return markdown(["claim", "why", "what makes its evidence"], rows)


def _family_section(verdicts: Sequence[Verdict]) -> str:
    """Each family with its accuracy, that of the best transcript baseline, and what both targets say of it."""
    by_id = {verdict.claim.id: verdict for verdict in verdicts}
    each, mean = by_id.get(HELD_OUT_EACH), by_id.get(HELD_OUT_MEAN)
    if each is None or not each.measured:
        return "No evidence."
    bound = mean.claim.threshold if mean else None
    rows = []
    for entry in sorted(each.measured, key=lambda entry: entry.first):
        marks = [] if each.claim.passes(entry.value) else ["not above the transcript"]
        marks += ["below the mean that is asked"] if bound is not None and entry.first < bound else []
        numbers = [_number(value) for value in (entry.first, entry.second, entry.value)]
        rows.append([" / ".join(entry.where), *numbers, ", ".join(marks) or NOTHING])
    table = markdown(["family", "turn-action accuracy", "best transcript baseline", "ahead by", "remark"], rows)
    told = "" if mean is None else f"\n\nThe mean is {_number(mean.value)}, asked is {mean.claim.asked}. {OTHER_DATA}"
    return f"The lowest first.\n\n{table}{told}" + (f" There the mean is {mean.claim.prior}." if mean else "")


def main(
    results_dir: str | Path = "results/interaction",
    data_dir: str | Path | None = None,
    ledger: str | Path | None = None,
    failures: str | Path | None = None,
    console: Console | None = None,
) -> int:
    """
    Re-checks every claim, and prints a table.

    Args:
        results_dir (`str` or `Path`, *optional*, defaults to `"results/interaction"`): Where the results lie.
        data_dir (`str` or `Path`, *optional*): See [`verify`].
        ledger (`str` or `Path`, *optional*): Where to write the ledger of claims.
        failures (`str` or `Path`, *optional*): Where to write the failure report.
        console (`rich.console.Console`, *optional*): Where to print.

    Returns:
        0 if all claims hold, 1 if one falls short or has no evidence, 2 if a file does not match its hash or cannot
        be read.
    """
    console = console or Console()
    try:
        verdicts = verify(results_dir, data_dir)
    except ValueError as error:
        console.print(f"[bold red]Refused:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return REFUSED
    console.print(verdict_table(verdicts))
    for line in ["", *_reasons(verdicts), _summary(verdicts)]:
        console.print(escape(line), highlight=False, soft_wrap=True)
    if ledger is not None:
        write_ledger(verdicts, ledger)
    if failures is not None:
        write_failure_report(verdicts, failures)
    return exit_status(verdicts)
