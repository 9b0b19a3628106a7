"""The page of trials tells what its files hold, and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from hf_duplex.hub.trials import draw_trials, read_table


ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "trials"
# Results with all groups that a split is made of.
WHOLE = ROOT / "model_cards" / "comparison" / "updates_16x.json"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(PAGE, tmp_path / "trials"))


def finished_run(folder: Path, name: str, trial: dict, **changes) -> Path:
    """A training run that left the facts of a trial."""
    facts = {**trial, "data": {"phases": trial["phases"]}, "seconds_since_last_resume": trial["seconds"], **changes}
    (folder / name).mkdir()
    (folder / name / "training.json").write_text(json.dumps(facts))
    return folder / name


def test_the_page_is_drawn_from_its_files(folder):
    before = (folder / "README.md").read_text()
    draw_trials(folder)
    assert (folder / "README.md").read_text() == before


def test_results_are_taken_into_the_table_and_replace_those_of_the_same_trial(folder):
    before = read_table(folder / "trials.csv")
    draw_trials(folder, results=WHOLE, trial="sixteen times")
    rows = [row for row in read_table(folder / "trials.csv") if row["trial"] == "sixteen times"]
    results = json.loads(WHOLE.read_text())
    name, model = next(iter(results["models"].items()))
    wanted = model["splits"]["long"]["metrics"]["revision_accuracy"]
    (row,) = [
        one for one in rows if (one["model"], one["split"], one["metric"]) == (name, "long", "revision_accuracy")
    ]
    assert float(row["value"]) == pytest.approx(wanted["value"], abs=1e-4) and int(row["n"]) == wanted["n"]
    assert [float(row["low"]), float(row["high"])] == pytest.approx(wanted["interval"], abs=1e-4)
    assert any(" - " in one["model"] for one in rows)
    assert f"| sixteen times | {name} | long |" in (folder / "README.md").read_text()
    draw_trials(folder, results=WHOLE, trial="sixteen times")
    assert read_table(folder / "trials.csv") == [*before, *rows]


def test_a_run_is_taken_in_under_its_name_and_replaces_the_one_before(folder, tmp_path):
    known = json.loads((folder / "trials.json").read_text())["trials"]
    run = finished_run(tmp_path, "wider", known[0], eval_loss=0.0123)
    draw_trials(folder, [run])
    assert "| wider |" in (folder / "README.md").read_text() and "0.0123" in (folder / "README.md").read_text()
    (run / "training.json").write_text((run / "training.json").read_text().replace("0.0123", "0.0456"))
    draw_trials(folder, [run])
    assert "0.0123" not in (folder / "README.md").read_text() and "0.0456" in (folder / "README.md").read_text()
    assert [trial["name"] for trial in json.loads((folder / "trials.json").read_text())["trials"]] == [
        *(trial["name"] for trial in known),
        "wider",
    ]


def test_trials_come_in_the_order_of_their_loss_and_say_what_sets_them_apart(folder):
    lines = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    ranked = [
        (-int(row[4].replace(",", "")), float(row[-1]))
        for row in rows
        if row[4:5] and row[4].replace(",", "").isdigit()
    ]
    ranked = ranked[: len(json.loads((folder / "trials.json").read_text())["trials"])]
    assert len(ranked) > 10
    assert ranked == sorted(ranked), "not by number of samples, and by loss among those of as many"
    assert any("sliding_window 32" in line for line in lines)


@pytest.mark.parametrize(
    ("missing", "message"),
    [("README.md", "has no README.md"), ("trials.json", "`runs` is empty")],
)
def test_a_folder_that_lacks_a_file_is_refused(folder, missing, message):
    (folder / missing).unlink()
    with pytest.raises(ValueError, match=message):
        draw_trials(folder)


@pytest.mark.parametrize("given", [{"trial": "depth"}, {"results": WHOLE}])
def test_results_without_a_name_are_refused(folder, given):
    with pytest.raises(ValueError, match="`results` and `trial` go together"):
        draw_trials(folder, **given)


def test_a_run_that_is_not_finished_is_refused_and_changes_nothing(folder, tmp_path):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match="holds no training.json"):
        draw_trials(folder, [tmp_path])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
