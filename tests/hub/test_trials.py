"""The page of trials tells what its files hold, and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from hf_duplex.evaluation.reporting.tables import GROUPINGS
from hf_duplex.hub.trials import HEADLINES, draw_trials


ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "trials"
# Results with all groups that a split is made of.
WHOLE = ROOT / "model_cards" / "comparison" / "updates_16x.json"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(PAGE, tmp_path / "trials", ignore=shutil.ignore_patterns("wordings")))


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


def test_what_splits_are_made_of_is_left_out_if_asked_to(folder):
    path = folder / "revision.json"
    shutil.copy(WHOLE, path)
    results = json.loads(path.read_text())
    name, model = next(iter(results["models"].items()))
    wanted = {key: value for key, value in model["splits"]["long"].items() if key not in GROUPINGS}
    told = [entry for entry in results["comparisons"] if entry["metric"] in HEADLINES and not entry.get("family")]
    assert wanted != model["splits"]["long"] and len(told) < len(results["comparisons"])
    draw_trials(folder)
    assert json.loads(path.read_text()) == results
    draw_trials(folder, whole_splits=True)
    kept = json.loads(path.read_text())
    assert kept["models"][name]["splits"]["long"] == wanted and kept["comparisons"] == told


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
    [("revision.json", "has no revision.json"), ("README.md", "has no README.md"), ("trials.json", "`runs` is empty")],
)
def test_a_folder_that_lacks_a_file_is_refused(folder, missing, message):
    (folder / missing).unlink()
    with pytest.raises(ValueError, match=message):
        draw_trials(folder)


def test_a_run_that_is_not_finished_is_refused_and_changes_nothing(folder, tmp_path):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match="holds no training.json"):
        draw_trials(folder, [tmp_path])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
