"""The check of a data set: a good one passes, and whatever is spoilt is found and named."""

import io
import shutil
import sys
from types import ModuleType

import pyarrow as pa
import pytest
import small_data
from rich.console import Console
from small_data import SPLITS, change_manifest, change_rows, change_shard, small_rows, write_dataset

from dataset_builder import FAMILIES, BuilderConfig
from dataset_builder.build import balance, leaks
from dataset_builder.build.check import check_dataset, print_report
from dataset_builder.build.tally import Tally
from dataset_builder.world.kinds import KINDS


TRAIN, SECOND, TEST = (
    "data/train-00000-of-00002.parquet",
    "data/train-00001-of-00002.parquet",
    "data/test-00000-of-00001.parquet",
)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    rows = {split: small_rows(split, num) for split, num in SPLITS.items()}
    return write_dataset(tmp_path_factory.mktemp("good") / "small", rows)


@pytest.fixture
def folder(good, tmp_path):
    return shutil.copytree(good, tmp_path / "small")


@pytest.fixture
def oracle(monkeypatch):
    """Stands in for the oracle; disagrees with the rows that the test names."""
    module = ModuleType("dataset_builder.oracle")
    module.wrong, module.asked = set(), []

    def disagreements(row):
        module.asked.append((row["split"], row["index"]))
        return ["x is 5, not 6"] if module.asked[-1] in module.wrong else []

    module.disagreements = disagreements
    monkeypatch.setitem(sys.modules, "dataset_builder.oracle", module)
    return module


def check(folder, oracle=0):
    return check_dataset(folder, oracle=oracle, progress=False)


def found(folder, **options):
    """The only error."""
    report = check(folder, **options)
    assert not report.ok and len(report.errors) == 1, report.errors
    return report.errors[0]


def test_a_good_data_set_passes(good, oracle):
    report = check(good, oracle=7)
    assert report.ok and not report.findings
    assert {split: tally.rows for split, tally in report.tallies.items()} == SPLITS
    assert report.judged == 3 * 7 and len(set(oracle.asked)) == 21
    assert [index for split, index in oracle.asked if split == "train"] == [0, 8, 17, 25, 34, 42, 51]


def test_a_value_that_the_oracle_denies_is_told_with_its_place(good, oracle):
    oracle.wrong.add(("train", 45))
    finding = found(good, oracle=60)
    assert (finding.check, finding.where, finding.what) == ("oracle", f"{SECOND}, row 5", "x is 5, not 6")


def test_a_family_that_the_oracle_does_not_know_is_told_once(good, oracle):
    def disagreements(row):
        if row["task_type"] == "fact_correction":
            raise ValueError("'fact_correction' has no oracle.")
        return []

    oracle.disagreements = disagreements
    report = check(good, oracle=30)
    assert [finding.what for finding in report.findings] == ["'fact_correction' has no oracle"] and report.ok
    assert 0 < report.judged < 80


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match="`dir`: there is no folder"):
        check_dataset(tmp_path / "none")
    with pytest.raises(ValueError, match="`oracle` must not be negative"):
        check_dataset(tmp_path, oracle=-1)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"config": {}}'])
def test_without_a_manifest_there_is_no_data_set(folder, text):
    (folder / "build.json").unlink()
    if text is not None:
        (folder / "build.json").write_text(text)
    assert found(folder).where == "build.json"


def test_a_missing_shard_is_named(folder):
    (folder / TRAIN).unlink()
    finding = found(folder)
    assert finding.where == TRAIN and "missing" in finding.what and "build again" in finding.remedy


def test_a_file_too_many_is_named(folder):
    shutil.copy(folder / TEST, folder / "data/test-00001-of-00001.parquet")
    assert found(folder).where == "data/test-00001-of-00001.parquet"


@pytest.mark.parametrize("left", [0, 3, 5000])
def test_a_truncated_shard_is_named(folder, left):
    (folder / SECOND).write_bytes((folder / SECOND).read_bytes()[:left])
    finding = found(folder)
    assert finding.where == SECOND and "truncated" in finding.what
    assert check(folder).tallies["train"].rows == 40  # the others are still looked at


def test_a_shard_that_breaks_midway_is_named(folder):
    data = bytearray((folder / TEST).read_bytes())
    data[100:2000] = bytes(1900)
    (folder / TEST).write_bytes(data)
    change_manifest(folder, lambda manifest: None)
    wheres = {(finding.where, finding.what.split(" (")[0].split(":")[0]) for finding in check(folder).errors}
    assert wheres >= {(TEST, "was changed"), (TEST, "cannot be read to its end")}


def test_changed_bytes_are_noticed(folder):
    change_manifest(folder, lambda manifest: manifest["splits"]["test"]["shards"][0].update(sha256="0" * 64))
    finding = found(folder)
    assert finding.where == TEST and "sha256" in finding.what


def test_counts_that_disagree_are_noticed(folder):
    change_manifest(folder, lambda manifest: manifest["config"]["splits"].update(test=31))
    assert "split 'test' has 31 asked for, 30 told of the split, 30 told of its shards" in found(folder).what


def test_a_split_that_is_not_there_is_noticed(folder):
    change_manifest(folder, lambda manifest: manifest["config"]["splits"].update(late=5))
    assert "split 'late' has 5 asked for" in found(folder).what


def test_rows_that_are_missing_are_noticed(folder):
    change_shard(folder, TEST, lambda table: table.slice(0, 29))
    assert "holds 29 rows, build.json tells 30" in found(folder).what


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: table.drop_columns(["facts"]), "column 4 should be 'facts', it is 'provenance'"),
        (lambda table: table.append_column("more", table["prompt"]), "column 'more' is one too many"),
        (lambda table: table.drop_columns(["attempt"]), "column 16 should be 'attempt', it is nothing"),
        (
            lambda table: table.set_column(12, "phase", table["phase"].cast(pa.int64())),
            "column 'phase' should be int32, it is int64",
        ),
    ],
)
def test_the_first_column_that_differs_is_named(folder, change, told):
    change_shard(folder, TEST, change)
    finding = found(folder)
    assert (finding.check, finding.where, finding.what) == ("schema", TEST, told)


def test_a_row_of_another_split_is_named(folder):
    change_rows(folder, TEST, lambda rows: rows[20].update(split="train"))
    finding = found(folder)
    assert finding.where == f"{TEST}, row 20" and "'train' in a file of 'test'" in finding.what


def test_a_row_that_comes_twice_is_a_leak(folder):
    def change(rows):
        rows[33] = {**rows[7], "index": 33}

    change_rows(folder, TRAIN, change)
    finding = found(folder)
    assert (finding.check, finding.where) == ("leaks", f"{TRAIN}, row 33")
    assert finding.what == f"prompt and updates are those of {TRAIN}, row 7"


def test_a_prompt_of_train_must_not_be_in_test(folder):
    row = next(row for row in small_rows("train", 40) if row["updates"])
    alone = {**row, "updates": [], "initial_target": row["initial_target"] + row["revised_target"]}

    def change(rows):
        rows[3] = {**alone, "revised_target": "", "split": "test"}

    change_rows(folder, TEST, change)
    leaks_found = [finding for finding in check(folder).errors if finding.check == "leaks"]
    assert [finding.where for finding in leaks_found] == [f"{TEST}, row 3"]
    assert leaks_found[0].what == f"the prompt is that of {TRAIN}, row {row['index']}"


def test_a_prompt_may_come_again_in_its_own_split(folder):
    rows = small_rows("train", 40)
    row = next(row for row in rows if row["updates"] and row["updates"][0]["kind"] != "stop")
    other = {**row, "updates": [{**update, "text": f"{update['text']} "} for update in row["updates"]]}
    number = (row["index"] + 1) % 40
    change_rows(folder, TRAIN, lambda all_rows: all_rows.__setitem__(number, other))
    assert check(folder).ok


@pytest.mark.parametrize("size", [1, 16, 1 << 20])
def test_leaks_are_found_whatever_the_size_of_a_range(folder, monkeypatch, size):
    monkeypatch.setattr(leaks, "RANGE", size)
    change_rows(folder, SECOND, lambda rows: rows.__setitem__(1, small_rows("train", 12)[11]))
    finding = found(folder)
    assert finding.where == f"{SECOND}, row 1" and finding.what.endswith(f"{TRAIN}, row 11")


def test_equal_hashes_are_no_leak(good, monkeypatch):
    monkeypatch.setattr(leaks, "text_hash", lambda text: len(text) % 3 << 62)
    assert check(good).ok


def tally_of(rows, families, kinds):
    """Counts as they would be, families and kinds in equal shares."""
    tally = Tally(rows=rows)
    for family in families:
        tally.families[family] = rows // len(families)
        for kind in kinds:
            tally.kinds[family, kind] = 10
    return tally


def test_a_family_or_kind_that_is_absent_is_named():
    config = BuilderConfig()
    kinds = balance.possible_kinds(config)
    assert set(kinds) <= set(KINDS) and {"correction", "retraction", "stop"} <= set(kinds)
    assert not list(balance.missing(config, tally_of(1000, config.families, kinds)))
    lacking = tally_of(1000, config.families[1:], [kind for kind in kinds if kind != "retraction"])
    assert list(balance.missing(config, lacking)) == [("family", config.families[0]), ("kind", "retraction")]
    assert not list(balance.missing(config, tally_of(999, config.families[1:], [])))


def test_kinds_that_a_configuration_cannot_give_are_not_missed():
    families = ("variable_substitution",)
    assert balance.possible_kinds(BuilderConfig(families=families, num_updates=(0, 0))) == []
    one = balance.possible_kinds(BuilderConfig(families=families, num_updates=(0, 1), sources=0, keep_going=0))
    assert "correction" in one and not {"repetition", "recorrection", "untrusted", "stop"} & set(one)
    usual = set(balance.possible_kinds(BuilderConfig(families=families)))
    assert "retraction" not in usual  # held out
    assert "constraint" not in usual  # no fact of the family can change so
    assert "constraint" in balance.possible_kinds(BuilderConfig(families=("constraint_revision",)))


def test_a_share_that_is_off_is_a_warning():
    config = BuilderConfig(families=("variable_substitution", "variable_substitution", "fact_correction"))
    tally = tally_of(1200, ["variable_substitution"], [])
    tally.families.update(variable_substitution=-400, fact_correction=400)
    assert not list(balance.lopsided(config, tally))
    tally.families.update(variable_substitution=200, fact_correction=-200)
    assert list(balance.lopsided(config, tally)) == [("fact_correction", 1 / 6, 1 / 3)]


def test_balance_is_part_of_the_check(folder, monkeypatch):
    monkeypatch.setattr(balance, "ENOUGH", 20)
    told = (next(name for name in FAMILIES if name not in small_data.FAMILIES), "fact_correction")
    change_manifest(folder, lambda manifest: manifest["config"]["builder"].update(families=told))
    report = check(folder)
    assert any("train holds no family" in finding.what for finding in report.errors)
    assert any(finding.severity == "warning" and "has a share of" in finding.what for finding in report.findings)


def test_a_pair_that_is_held_out_must_not_be_in_train(folder):
    def change(rows):
        row = next(row for row in rows if row["task_type"] == "fact_correction" and row["updates"])
        row["updates"][0]["kind"] = "recorrection"

    change_rows(folder, TRAIN, change)
    assert "fact_correction with recorrection" in found(folder).what


def test_findings_of_one_sort_are_cut_short_and_counted(folder):
    change_rows(folder, TRAIN, lambda rows: [row.update(update_step=7777) for row in rows])
    report = check(folder)
    assert len(report.errors) == 20 and report.hidden["error", "provenance"] == 20
    stream = io.StringIO()
    print_report(report, Console(file=stream, width=200))
    text = stream.getvalue()
    assert "and 20 more" in text and "failed: 40 errors" in text and f"{TRAIN}, row 0" in text


def test_the_report_tells_the_balance(good):
    stream = io.StringIO()
    print_report(check(good), Console(file=stream, width=200))
    text = stream.getvalue()
    assert "ok" in text and "110 rows" in text
    for word in ("train", "retraction", "fact_correction", "correction", "after the end", "phase 2"):
        assert word in text
