"""The card of a data set: counts, plots, columns, splits, license, and the command that rebuilds it."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Mapping
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .inspect import render
from .stored import DATA, StoredDataset
from .tally import PLACES, Tally, take_stock


if TYPE_CHECKING:
    import pyarrow as pa


CARD, PLOTS = "README.md", "plots.png"
TEMPLATE = Path(__file__).with_name("card_template.md")
LICENSE = "apache-2.0"
"""The license if the configuration names none."""

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_LOOKED_AT = 200  # first rows, from which the shown sample is chosen
_WIDTH = 110


def write_card(dir: str | Path) -> None:
    """
    Writes `README.md`, with metadata that lets `datasets.load_dataset` find every split, and `plots.png` beside it.
    All figures are counted in the data.

    Args:
        dir (`str` or `Path`): Where the data set was built.

    Raises:
        ValueError: There is no data set.
        ModuleNotFoundError: `jinja2` or `matplotlib` is not installed.
    """
    import jinja2  # noqa: F401  # fills the template; if missing, fail here with a clear error
    from huggingface_hub import DatasetCard, DatasetCardData

    from .plots import plot_dataset

    dataset = StoredDataset(dir)
    tallies = take_stock(dataset)
    plot_dataset(dataset, dataset.folder / PLOTS, tallies=tallies)
    data = DatasetCardData(
        language="en",
        license=dataset.config.get("license") or LICENSE,
        pretty_name=dataset.config["name"],
        size_categories=size_category(dataset.samples),
        task_categories=["text-generation"],
        tags=["synthetic", "full-duplex", "interruptions", "belief-revision", "provenance"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"{DATA}/{split}-*.parquet"} for split in dataset.splits],
            }
        ],
    )
    card = DatasetCard.from_template(data, template_path=str(TEMPLATE), **_told(dataset, tallies))
    card.save(dataset.folder / CARD)


def size_category(samples: int) -> str:
    """The Hub's size category for that many rows."""
    return next((name for limit, name in _SIZES if samples < limit), "10M<n<100M")


def _told(dataset: StoredDataset, tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """All values for the template."""
    from .schema import SCHEMA
    from .tokens import TOKEN_SCHEMA, token_row

    total = Tally()
    for tally in tallies.values():
        total.merge(tally)
    tokenizer = dataset.config.get("tokenizer")
    return {
        "name": dataset.config["name"],
        "rows": f"{total.rows:,}",
        "updates": f"{total.kind_totals.total():,}",
        "revised": _share(total.revised, total.rows),
        "plots": PLOTS,
        "splits": _splits(tallies),
        "families": _families(total),
        "split_families": _split_families(tallies),
        "kinds": _kinds(total),
        "split_kinds": _split_kinds(tallies),
        "columns": _columns(SCHEMA, column_meanings()),
        "tokens": _columns(TOKEN_SCHEMA, None) if tokenizer else None,
        "tokens_told": _section(token_row.__doc__ or "", "Returns").removeprefix("`dict`: "),
        "tokenizer": tokenizer,
        "sample": _sample(dataset),
        "config": _config(dataset),
        "redrawn": f"{dataset.manifest.get('redrawn', 0):,}",
        "version": dataset.manifest.get("version", "unknown"),
        "first_split": next(iter(dataset.splits)),
        "license": dataset.config.get("license") or LICENSE,
    }


def _table(head: list[str], rows: list[list[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else "–"


def _splits(tallies: Mapping[str, Tally]) -> str:
    from .splits import DESCRIPTIONS

    head = ["split", "rows", "updates a row", "most", "require revision", *(f"heard {place}" for place in PLACES)]
    lines = []
    for split, tally in tallies.items():
        updates = tally.kind_totals.total()
        mean = f"{updates / tally.rows:.2f}" if tally.rows else "–"
        numbers = [f"{tally.rows:,}", mean, str(max(tally.updates, default=0)), _share(tally.revised, tally.rows)]
        places = [_share(tally.places[place], updates) for place in PLACES]
        lines.append([f"`{split}`", *numbers, *places, DESCRIPTIONS[split]])
    return _table([*head, "what it holds"], lines)


def _families(total: Tally) -> str:
    from ..families import EVERYDAY, FAMILIES, everyday

    lines = []
    for name in sorted(total.families):
        told = sys.modules[type(FAMILIES[name]).__module__].__doc__ if name in FAMILIES else ""
        told = everyday.__doc__ if name == EVERYDAY else told
        count = total.families[name]
        lines.append([f"`{name}`", f"{count:,}", _share(count, total.rows), _first_paragraph(told or "")])
    return _table(["family", "rows", "share", "what it is about"], lines)


def _split_families(tallies: Mapping[str, Tally]) -> str:
    families = sorted({family for tally in tallies.values() for family in tally.families})
    lines = [
        [f"`{split}`", *(f"{tally.families[family]:,}" for family in families)] for split, tally in tallies.items()
    ]
    return _table(["rows", *(f"`{family}`" for family in families)], lines)


def _kinds(total: Tally) -> str:
    from ..world.kinds import KINDS, OF_EVERYDAY

    totals = total.kind_totals
    lines = [
        [f"`{kind}`", f"{totals[kind]:,}", _share(totals[kind], totals.total()), meaning]
        for kind, meaning in (KINDS | OF_EVERYDAY).items()
        if totals[kind]
    ]
    return _table(["kind", "updates", "share", "what it does"], lines)


def _split_kinds(tallies: Mapping[str, Tally]) -> str:
    from ..world.kinds import KINDS, OF_EVERYDAY

    totals = {split: tally.kind_totals for split, tally in tallies.items()}
    kinds = [kind for kind in KINDS | OF_EVERYDAY if any(counts[kind] for counts in totals.values())]
    lines = [[f"`{kind}`", *(f"{counts[kind]:,}" for counts in totals.values())] for kind in kinds]
    return _table(["updates", *(f"`{split}`" for split in totals)], lines)


def column_meanings() -> dict[str, str]:
    """The meaning of each column, from the docstring of [`Sample`]."""
    from ..builder import Sample

    meanings = {}
    for entry in re.split(r"\n(?=\w)", _section(Sample.__doc__ or "", "Args", keep_lines=True)):
        names, _, meaning = entry.partition("): ")
        for name in re.findall(r"(\w+) \(", f"{names})"):
            meanings[name] = " ".join(meaning.split())
    return meanings


def _section(documentation: str, name: str, keep_lines: bool = False) -> str:
    """The text of a section of a docstring."""
    found = re.search(rf"^{name}:\n((?:    .*\n?|\n)*)", cleandoc(documentation) + "\n", re.MULTILINE)
    text = textwrap.dedent(found[1]) if found else ""
    return text if keep_lines else " ".join(text.split())


def _first_paragraph(documentation: str) -> str:
    return " ".join(cleandoc(documentation).split("\n\n")[0].split())


def _columns(schema: pa.Schema, meanings: Mapping[str, str] | None) -> str:
    lines = [[f"`{field.name}`", _type(field.type)] for field in schema]
    if meanings is None:
        return _table(["column", "type"], lines)
    return _table(["column", "type", "meaning"], [[*line, meanings[f.name]] for line, f in zip(lines, schema)])


def _type(kind: pa.DataType) -> str:
    """A type in words, with the fields of a structure."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return f"list of {_type(kind.value_type)}"
    if pa.types.is_struct(kind):
        return ", ".join(f"`{field.name}`" for field in kind)
    return str(kind)


def _sample(dataset: StoredDataset) -> str:
    """One of the shortest samples that require revision, as text."""
    split = "train" if "train" in dataset.splits else next(iter(dataset.splits))
    _, table = next(dataset.shards[split][0].batches())
    rows = table.slice(0, _LOOKED_AT).to_pylist()
    best = min(rows, key=_simplicity)
    lines = render(best).plain.strip().split("\n")
    return "\n".join(textwrap.fill(line, _WIDTH, subsequent_indent=" " * 8) for line in lines)


def _simplicity(row: dict[str, Any]) -> tuple[bool, bool, bool, int]:
    """Sort key: first rows that require revision, with more than one update, without a stop, and short."""
    stopped = any(update["kind"] == "stop" for update in row["updates"])
    return not row["requires_revision"], len(row["updates"]) < 2, stopped, len(row["revised_target"])


def _config(dataset: StoredDataset) -> str:
    """The configuration as YAML that builds the same data set."""
    import yaml

    config = {key: value for key, value in dataset.config.items() if value is not None}
    if isinstance(config.get("tokenizer"), dict):
        config["tokenizer"] = config["tokenizer"]["file"]
    plain = json.loads(json.dumps(config))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=_WIDTH).strip()
