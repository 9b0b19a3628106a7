"""The card: metadata that loads, and figures that are those of the data."""

import json
import re
import shutil
from collections import Counter

import pytest
import yaml
from huggingface_hub import DatasetCard
from small_data import SPLITS, change_manifest, small_rows, write_dataset

from dataset_builder import KINDS
from dataset_builder import SPLITS as ALL_SPLITS
from dataset_builder.build.card import column_meanings, size_category, write_card
from dataset_builder.build.config import BuildConfig
from dataset_builder.build.schema import SCHEMA
from dataset_builder.build.splits import DESCRIPTIONS


@pytest.fixture(scope="module")
def rows():
    return {split: small_rows(split, num) for split, num in SPLITS.items()}


@pytest.fixture(scope="module")
def folder(rows, tmp_path_factory):
    folder = write_dataset(tmp_path_factory.mktemp("card") / "small", rows)
    write_card(folder)
    return folder


@pytest.fixture(scope="module")
def card(folder):
    return DatasetCard.load(folder / "README.md")


def cells(card, title, name):
    """The cells behind the name of a row, in a table of a section."""
    section = card.text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.split("|")] for line in re.findall(rf"^\| `{name}` \|(.*)\|$", section, re.M)
    ]


def test_metadata(card):
    assert (card.data.license, card.data.language, card.data.size_categories) == ("apache-2.0", "en", "n<1K")
    assert card.data.task_categories == ["text-generation"] and "synthetic" in card.data.tags
    (config,) = card.data.to_dict()["configs"]
    assert config["data_files"] == [{"split": split, "path": f"data/{split}-*.parquet"} for split in SPLITS]


def test_it_loads_with_datasets(folder, rows, tmp_path):
    from datasets import load_dataset

    loaded = load_dataset(str(folder), cache_dir=str(tmp_path))
    assert {split: len(part) for split, part in loaded.items()} == SPLITS
    assert loaded["test"][7] == rows["test"][7]


def test_figures_are_those_of_the_data(card, rows):
    everything = [row for made in rows.values() for row in made]
    updates = Counter(update["kind"] for row in everything for update in row["updates"])
    revised = sum(row["requires_revision"] for row in everything) / len(everything)
    assert f"{len(everything)} rows with {updates.total()} updates; {revised:.1%} of the rows" in card.text
    for split, made in rows.items():
        ((number, mean, most, share, *_, told),) = cells(card, "Splits", split)
        counts = [len(row["updates"]) for row in made]
        assert (number, mean, most) == (str(len(made)), f"{sum(counts) / len(made):.2f}", str(max(counts)))
        assert share == f"{sum(row['requires_revision'] for row in made) / len(made):.1%}"
        assert told == DESCRIPTIONS[split]
    for family, count in Counter(row["task_type"] for row in everything).items():
        assert cells(card, "Families", family)[0][:2] == [str(count), f"{count / len(everything):.1%}"]
    for split, made in rows.items():
        counts = Counter(row["task_type"] for row in made)
        assert cells(card, "Families", split) == [[str(counts[family]) for family in sorted(counts)]]
    for kind in KINDS:
        expected = [str(updates[kind]), f"{updates[kind] / updates.total():.1%}", KINDS[kind]]
        by_split = [str(Counter(u["kind"] for row in made for u in row["updates"])[kind]) for made in rows.values()]
        assert cells(card, "Kinds of update", kind) == ([expected, by_split] if updates[kind] else [])


def test_every_column_is_told(card):
    meanings = column_meanings()
    assert set(meanings) >= set(SCHEMA.names) and all(meanings.values())
    for column in SCHEMA.names:
        ((kind, meaning),) = cells(card, "Columns", column)
        assert kind and meaning == meanings[column].replace("|", "\\|")
    assert "In token form" not in card.text


def test_every_split_can_be_told():
    assert set(ALL_SPLITS) <= set(DESCRIPTIONS)


def test_the_configuration_on_the_card_builds_the_same(folder, card):
    (text,) = re.findall(r"```yaml\n(.*?)```", card.text, re.DOTALL)
    manifest = json.loads((folder / "build.json").read_text())
    assert BuildConfig(**yaml.safe_load(text)).to_dict() == manifest["config"]
    assert "hf-duplex data build --config config.yaml --out DIR" in card.text


def test_a_sample_is_shown_as_text(card, rows):
    (shown,) = re.findall(r"```text\n(.*?)```", card.text, re.DOTALL)
    index = int(re.match(r"train (\d+)  ", shown)[1])
    row = rows["train"][index]
    assert row["requires_revision"] and " ".join(row["prompt"].split()) in " ".join(shown.split())


def test_the_plots_are_there(folder, card):
    assert "![Distributions](plots.png)" in card.text and (folder / "plots.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_data_gives_the_same_card_and_another_licence_is_told(folder, tmp_path, monkeypatch):
    again = shutil.copytree(folder, tmp_path / "small")
    write_card(again)
    for name in ("README.md", "plots.png"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    tokenizer = {"file": "tokenizer.json", "sha256": "ab" * 32}
    monkeypatch.setattr("dataset_builder.build.plots.plot_dataset", lambda *_, **__: None)
    change_manifest(again, lambda manifest: manifest["config"].update(license="mit", tokenizer=tokenizer))
    write_card(again)
    card = DatasetCard.load(again / "README.md")
    assert card.data.license == "mit" and "mit. The data" in card.text
    assert "`tokenizer.json` (sha256 `abab" in card.text and "| `revised_target_tokens` | list of int32 |" in card.text
    assert "`token_versions` gives its visible version" in card.text


@pytest.mark.parametrize(("samples", "name"), [(999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M")])
def test_sizes_have_the_names_of_the_hub(samples, name):
    assert size_category(samples) == name


def test_a_folder_without_a_data_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`dir`: .* holds no build.json"):
        write_card(tmp_path)
    assert not list(tmp_path.iterdir())
