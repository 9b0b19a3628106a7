"""Checks a data set: its files, leaks, balance, and whether each row is consistent with itself and its text."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .consistency import contradictions
from .leaks import LeakSearch
from .stored import DATA, MANIFEST, Shard, StoredDataset
from .tally import PLACES, Tally


if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console


SHOWN = 20
"""Findings of one sort that a report lists; further ones are only counted."""

_REBUILD = "delete {file} and build again into the same folder; only what is missing is made"
_REPORT = "the builder made a row that cannot be; report its split, seed and index, and build again once it is mended"


@dataclass(frozen=True)
class Finding:
    """
    Args:
        severity (`str`): `"error"` (the data set fails) or `"warning"`.
        check (`str`): `"files"`, `"schema"`, `"leaks"`, `"balance"`, `"provenance"` or `"oracle"`.
        what (`str`): The problem.
        remedy (`str`): How to fix it.
        file (`str`, *optional*): The file, relative to the data set.
        row (`int`, *optional*): The row in the file.
    """

    severity: str
    check: str
    what: str
    remedy: str
    file: str = ""
    row: int | None = None

    @property
    def where(self) -> str:
        """The place, in words."""
        return self.file if self.row is None else f"{self.file}, row {self.row}"

    def __str__(self) -> str:
        return f"{self.check}: {f'{self.where}: ' if self.file else ''}{self.what}; {self.remedy}."


@dataclass
class Report:
    """
    Args:
        folder (`Path`): The data set.
        findings (`list[Finding]`): At most `SHOWN` of each severity and check.
        hidden (`Counter[tuple[str, str]]`): Number of further findings, by severity and check.
        tallies (`dict[str, Tally]`): The counts of each split, as far as it could be read.
        judged (`int`): Rows that the oracle checked.
    """

    folder: Path
    findings: list[Finding] = field(default_factory=list)
    hidden: Counter[tuple[str, str]] = field(default_factory=Counter)
    tallies: dict[str, Tally] = field(default_factory=dict)
    judged: int = 0

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    def add(self, severity: str, check: str, what: str, remedy: str, file: str = "", row: int | None = None) -> None:
        """Records a finding."""
        if sum((finding.severity, finding.check) == (severity, check) for finding in self.findings) < SHOWN:
            self.findings.append(Finding(severity, check, what, remedy, file, row))
        else:
            self.hidden[severity, check] += 1


def check_dataset(dir: str | Path, *, oracle: int = 200, progress: bool = True) -> Report:
    """
    Checks a data set. Rows are read one row group at a time, so memory does not grow with their number.

    Args:
        dir (`str` or `Path`): Where it was built.
        oracle (`int`, *optional*, defaults to 200): Rows of each split, evenly spread, whose values the oracle derives
            from the text alone; 0 for none.
        progress (`bool`, *optional*, defaults to `True`): Show a progress bar on the error stream.

    Raises:
        ValueError: There is no such folder, or `oracle` is negative.
    """
    folder = Path(dir)
    if oracle < 0:
        raise ValueError(f"`oracle` must not be negative, got {oracle}; 0 leaves the oracle out.")
    if not folder.is_dir():
        raise ValueError(f"`dir`: there is no folder {folder}; give the one that a data set was built into.")
    report = Report(folder)
    try:
        dataset = StoredDataset(folder)
    except ValueError as error:
        report.add("error", "files", str(error).rstrip("."), "build the data set", MANIFEST)
        return report
    with _progress(dataset, oracle, progress) as advance:
        _check_manifest(dataset, report)
        tokens = bool(dataset.config.get("tokenizer"))
        readable = [shard for shard in dataset.all_shards if _check_file(shard, tokens, report)]
        _check_rows(dataset, readable, report, advance)
        _check_balance(dataset, report)
        if oracle:
            _ask_oracle(dataset, readable, oracle, report, advance)
    return report


class _progress:
    """A progress bar over all rows; yields the function that advances it."""

    def __init__(self, dataset: StoredDataset, oracle: int, shown: bool):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown)
        judged = sum(len(rows) for split in dataset.splits for _, rows in dataset.spread(split, oracle))
        self._task = self._bar.add_task("rows checked", total=dataset.samples + judged)

    def __enter__(self) -> Callable[[int], None]:
        self._bar.start()
        return lambda rows: self._bar.advance(self._task, rows)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _check_manifest(dataset: StoredDataset, report: Report) -> None:
    """Checks that the manifest agrees with itself, and that there are no files beside those that it names."""
    asked = dataset.config.get("splits") or {}
    for split in dict.fromkeys([*asked, *dataset.splits]):
        shards = dataset.shards.get(split, [])
        counts = {
            "asked for": asked.get(split),
            "told of the split": (dataset.manifest["splits"].get(split) or {}).get("samples"),
            "told of its shards": sum(shard.samples for shard in shards),
        }
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{count} {what}" for what, count in counts.items())
            report.add("error", "files", f"split {split!r} has {told}", "build again", MANIFEST)
        for number, shard in enumerate(shards):
            name = f"{DATA}/{split}-{number:05d}-of-{len(shards):05d}.parquet"
            if shard.file != name:
                report.add("error", "files", f"{shard.file} should be {name}", "build again", MANIFEST)
    known = {shard.path for shard in dataset.all_shards}
    for path in sorted((dataset.folder / DATA).glob("*")):
        if path not in known:
            file = f"{DATA}/{path.name}"
            report.add("error", "files", f"{MANIFEST} does not name it", f"delete {file}, or build again", file)


def _check_file(shard: Shard, tokens: bool, report: Report) -> bool:
    """Whether a shard can be read and has the right columns, including the token columns if `tokens`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    remedy = _REBUILD.format(file=shard.file)
    if not shard.path.is_file():
        report.add("error", "files", "is missing", "build again into the same folder", shard.file)
        return False
    try:
        with shard.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        with pq.ParquetFile(shard.path) as file:
            rows, schema = file.metadata.num_rows, file.schema_arrow
    except (OSError, pa.ArrowException) as error:
        what = f"is truncated, or no parquet file at all ({str(error).splitlines()[0]})"
        report.add("error", "files", what, remedy, shard.file)
        return False
    if digest != shard.sha256:
        report.add("error", "files", f"was changed: its sha256 is not what {MANIFEST} tells", remedy, shard.file)
    if rows != shard.samples:
        report.add("error", "files", f"holds {rows} rows, {MANIFEST} tells {shard.samples}", remedy, shard.file)
    difference = _difference(schema, tokens)
    if difference:
        report.add("error", "schema", difference, "build with this version of the builder", shard.file)
    return not difference


def _difference(schema: pa.Schema, tokens: bool) -> str:
    """Describes the first wrong column."""
    from .schema import SCHEMA
    from .tokens import TOKEN_SCHEMA

    columns = [*SCHEMA, *(TOKEN_SCHEMA if tokens else ())]
    for number, wanted in enumerate(columns):
        if number >= len(schema) or schema.field(number).name != wanted.name:
            found = repr(schema.field(number).name) if number < len(schema) else "nothing"
            return f"column {number} should be {wanted.name!r}, it is {found}"
        if schema.field(number).type != wanted.type:
            return f"column {wanted.name!r} should be {wanted.type}, it is {schema.field(number).type}"
    return f"column {schema.field(len(columns)).name!r} is one too many" if len(schema) > len(columns) else ""


def _check_rows(dataset: StoredDataset, shards: list[Shard], report: Report, advance: Callable[[int], None]) -> None:
    """Checks every row: its split, its columns against each other, and all rows against each other."""
    import pyarrow as pa

    report.tallies = {split: Tally() for split in dataset.splits}
    with LeakSearch(shards) as search:
        for shard in shards:
            try:
                for first, table in shard.batches():
                    report.tallies[shard.split].add(table)
                    rows = table.to_pylist()
                    search.add(
                        shard,
                        first,
                        [row["prompt"] for row in rows],
                        [[update["text"] for update in row["updates"]] for row in rows],
                    )
                    for number, row in enumerate(rows, first):
                        _check_row(shard, number, row, report)
                    advance(len(rows))
            except (OSError, pa.ArrowException) as error:
                what = f"cannot be read to its end ({str(error).splitlines()[0]})"
                report.add("error", "files", what, _REBUILD.format(file=shard.file), shard.file)
        for leak in search.leaks():
            same = "prompt and updates are those" if leak.what == "pair" else "the prompt is that"
            remedy = "build anew with this version; if it comes again, report it"
            file, row = leak.second.shard.file, leak.second.row
            report.add("error", "leaks", f"{same} of {leak.first}", remedy, file, row)


def _check_row(shard: Shard, number: int, row: dict[str, Any], report: Report) -> None:
    if row["split"] != shard.split:
        what = f"column `split` says {row['split']!r} in a file of {shard.split!r}"
        report.add("error", "files", what, _REBUILD.format(file=shard.file), shard.file, number)
    for what in contradictions(row):
        report.add("error", "provenance", what, _REPORT, shard.file, number)


def _check_balance(dataset: StoredDataset, report: Report) -> None:
    """Checks families and kinds of update against the configuration."""
    from ..world.kinds import HELD_OUT
    from .balance import lopsided, missing
    from .splits import split_config

    try:
        configs = {split: split_config(dataset.builder_config, split) for split in dataset.splits}
    except ValueError as error:
        report.add("error", "balance", str(error).rstrip("."), "build with this version of the builder", MANIFEST)
        return
    for split, tally in report.tallies.items():
        for family, share, asked in lopsided(configs[split], tally):
            what = f"{family} has a share of {share:.1%} of {split}, not about {asked:.1%}"
            report.add("warning", "balance", what, "look at what the builder redraws")
        if split != "composition":
            for family, kind in sorted(set(tally.kinds) & HELD_OUT):
                what = f"{split} holds {family} with {kind}, a pair that only composition may hold"
                report.add("error", "balance", what, "build with this version of the builder")
    if "train" in report.tallies:
        for what, name in missing(configs["train"], report.tallies["train"]):
            remedy = "take it out of the configuration, or mend what draws it"
            report.add("error", "balance", f"train holds no {what} {name!r}, and the configuration has it", remedy)


def _ask_oracle(
    dataset: StoredDataset, shards: list[Shard], num: int, report: Report, advance: Callable[[int], None]
) -> None:
    """Checks some rows of each split against values derived from their text alone."""
    import pyarrow as pa

    from ..oracle import disagreements

    unjudged: set[str] = set()
    for split in dataset.splits:
        for shard, numbers in dataset.spread(split, num):
            if shard not in shards:
                continue
            try:
                rows = shard.take(numbers)
            except (OSError, pa.ArrowException):
                continue  # already reported
            for number, row in zip(numbers, rows):
                try:
                    wrong = disagreements(row)
                except ValueError as error:  # the oracle does not know the family
                    if row["task_type"] not in unjudged:
                        report.add("warning", "oracle", str(error).rstrip("."), "until then nobody judges its rows")
                    unjudged.add(row["task_type"])
                    continue
                report.judged += 1
                for what in wrong:
                    report.add("error", "oracle", what, _REPORT, shard.file, number)
            advance(len(rows))


_STYLES = {"error": "bold red", "warning": "yellow"}


def print_report(report: Report, console: Console) -> None:
    """Prints the findings and the counts of the data set."""
    from rich.table import Table
    from rich.text import Text

    for finding in sorted(report.findings, key=lambda finding: list(_STYLES).index(finding.severity)):
        line = Text.assemble((finding.severity, _STYLES[finding.severity]), " ", (finding.check, "bold"), "  ")
        line.append(f"{finding.where}: " if finding.file else "", "cyan")
        line.append(f"{finding.what}\n")
        line.append(f"  -> {finding.remedy}", "dim")
        console.print(line, soft_wrap=True)
    for (severity, check), count in report.hidden.items():
        console.print(Text(f"{severity} {check}  ... and {count:,} more", _STYLES[severity]))
    if any(tally.rows for tally in report.tallies.values()):
        for tallies in _side_by_side(report.tallies, console.width):
            for title, lines in _balance(tallies):
                table = Table("", *tallies, title=title, title_justify="left", box=None, pad_edge=False)
                table.columns[0].width = _NAMES
                for column in table.columns[1:]:
                    column.justify, column.min_width = "right", _SHARES
                for name, cells in lines:
                    table.add_row(name, *cells)
                console.print(table)
    errors = len(report.errors) + sum(count for (severity, _), count in report.hidden.items() if severity == "error")
    rows = sum(tally.rows for tally in report.tallies.values())
    read = f"{rows:,} rows, {report.judged:,} of them by the oracle"
    verdict = Text.assemble(("ok", "bold green")) if report.ok else Text(f"failed: {errors:,} errors", "bold red")
    console.print(Text.assemble(f"{report.folder}: ", verdict, f" ({read})"), soft_wrap=True)


_NAMES, _SHARES = len("structured_transformation"), len("1,000,000")
"""Width of the first column, and minimum width of the others."""


def _side_by_side(tallies: dict[str, Tally], width: int) -> Iterator[dict[str, Tally]]:
    """As many splits at a time as fit side by side on a console of that width."""
    left, part = width - _NAMES, dict[str, Tally]()
    for split, tally in tallies.items():
        needed = max(len(split), _SHARES) + 2
        if part and needed > left:
            yield part
            left, part = width - _NAMES, {}
        part[split] = tally
        left -= needed
    yield part


Line = tuple[str, list[str]]


def _balance(tallies: dict[str, Tally]) -> Iterator[tuple[str, list[Line]]]:
    """The shares of everything, one column for each split."""
    columns = list(tallies.values())

    def shares(name: str, counts: list[int], totals: list[int]) -> Line:
        return name, [f"{count / total:.1%}" if total else "–" for count, total in zip(counts, totals)]

    rows, updates = [tally.rows for tally in columns], [tally.kind_totals.total() for tally in columns]
    yield (
        "Rows",
        [
            ("rows", [f"{count:,}" for count in rows]),
            ("updates a row", [f"{n / total:.2f}" if total else "–" for n, total in zip(updates, rows)]),
            ("  most", [str(max(tally.updates, default=0)) for tally in columns]),
            shares("require revision", [tally.revised for tally in columns], rows),
            *(shares(f"phase {phase}", [tally.phases[phase] for tally in columns], rows) for phase in (1, 2, 3)),
        ],
    )
    families = sorted({family for tally in columns for family in tally.families})
    yield "Families, share of rows", [shares(f, [tally.families[f] for tally in columns], rows) for f in families]
    kinds = sorted({kind for tally in columns for kind in tally.kind_totals})
    yield "Kinds, share of updates", [shares(k, [tally.kind_totals[k] for tally in columns], updates) for k in kinds]
    yield "Places, share of updates", [shares(p, [tally.places[p] for tally in columns], updates) for p in PLACES]
