"""Of results on Disfl-QA is kept what was said wrong: small, and every score can be found again from it."""

import json

import pytest
from typer.testing import CliRunner

from dataset_builder.build.disfl_qa import load_disfl_qa, scores
from hf_duplex.hub.__main__ import app
from hf_duplex.hub.disfl_qa import by_model, difference, keep_disfl_qa, read_disfl_qa, scores_of


QUESTIONS = {
    f"q{number}": {
        "original": f"What is the name of river {number}?",
        "disfluent": f"What is the colour no I mean the name of river {number}?",
    }
    for number in range(8)
}
MEANT = [question["original"] for question in QUESTIONS.values()]


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dev.json").write_text(json.dumps(QUESTIONS))
    return tmp_path / "data"


def write(folder, data, name, said, changes=()):
    """A file as the example writes it."""
    rows = load_disfl_qa(data, "dev")[: len(said)]
    found = {"model": scores(said, rows), "copy": {"exact_match": 0.0, "f1": 0.7}}
    results = {
        "benchmark": "disfl_qa",
        "model": name,
        "settings": {"model": f"/big/disk/{name}", "seed": "0"},
        "questions": len(said),
        "scores": found,
        "said": said,
    }
    path = folder / f"disfl-{name}.json"
    path.write_text(json.dumps(results | dict(changes)))
    return path


def wrong_at(*places):
    return ["What is the colour?" if place in places else text for place, text in enumerate(MEANT)]


def test_scores_are_found_again_from_what_is_kept(data, tmp_path):
    said = wrong_at(2, 5)
    said[0] = said[0].upper().replace("?", "")  # exact, as the words are compared
    raw = write(tmp_path, data, "w-0", said)
    done = CliRunner().invoke(app, ["disfl-qa", str(data), str(raw), "--out", str(tmp_path / "kept")])
    assert done.exit_code == 0 and "disfl-w-0.json" in done.output
    kept = read_disfl_qa(tmp_path / "kept")["disfl-w-0.json"]
    assert "said" not in kept and [entry["question"] for entry in kept["wrong"]] == [2, 5]
    assert kept["settings"]["model"] == "runs/w-0"
    found = {name: float(values.mean()) for name, values in scores_of([kept]).items()}
    wanted = json.loads(raw.read_text())["scores"]["model"]
    assert found == {"exact match": pytest.approx(wanted["exact_match"]), "F1": pytest.approx(wanted["f1"], abs=1e-6)}


def test_a_part_of_the_questions_is_kept_too(data, tmp_path):
    keep_disfl_qa(data, [write(tmp_path, data, "w-0", wrong_at(1)[:4])], tmp_path / "kept")
    assert scores_of(list(read_disfl_qa(tmp_path / "kept").values()))["exact match"].tolist() == [[1.0, 0.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"benchmark": "revision"}, "holds no results of disfl_qa"),
        ({"said": MEANT[:3]}, "3 answers to 8 questions"),
        ({"said": wrong_at(1, 2, 3)}, "is this the data set that it was scored on"),
        ({"said": None}, "nothing that was said"),
    ],
)
def test_a_file_that_does_not_fit_its_data_is_refused_and_nothing_is_written(data, tmp_path, fields, message):
    files = [write(tmp_path, data, "fine", wrong_at()), write(tmp_path, data, "bad", wrong_at(1), fields)]
    with pytest.raises(ValueError, match=f"`files`: .*disfl-bad.json.*{message}"):
        keep_disfl_qa(data, files, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_what_is_kept_may_not_contradict_its_scores(data, tmp_path):
    (kept,) = keep_disfl_qa(data, [write(tmp_path, data, "w-0", wrong_at(1))], tmp_path / "kept")
    results = json.loads(kept.read_text())
    kept.write_text(json.dumps(results | {"wrong": []}))
    with pytest.raises(ValueError, match="says exact_match 0.8750, what was said comes to 1.0000: draw it anew"):
        read_disfl_qa(tmp_path / "kept")
    del results["wrong"]
    kept.write_text(json.dumps(results))
    with pytest.raises(ValueError, match="does not list what was said wrong"):
        read_disfl_qa(tmp_path / "kept")


def test_seeds_of_a_model_stand_together_and_models_are_compared_by_question(data, tmp_path):
    files = [write(tmp_path, data, f"w-{seed}", wrong_at(seed)) for seed in (1, 0)]
    files += [write(tmp_path, data, "b-0", wrong_at(0, 1, 2)), write(tmp_path, data, "else", wrong_at())]
    keep_disfl_qa(data, files, tmp_path / "kept")
    runs = by_model(read_disfl_qa(tmp_path / "kept"), {"workspace": ["w-0", "w-1"], "baseline": ["b-0"]})
    assert {name: [results["model"] for results in found] for name, found in runs.items()} == {
        "workspace": ["w-0", "w-1"],
        "baseline": ["b-0"],
        "else": ["else"],
    }
    assert scores_of(runs["workspace"])["exact match"].sum(1).tolist() == [7.0, 7.0]
    found = difference(runs["workspace"], runs["baseline"], "exact match")
    assert found["value"] == pytest.approx(2 / 8) and found["samples"] == 8 and found["seeds"] == 1
