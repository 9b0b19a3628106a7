"""The experiments on a small sweep: what they write, that they go on from there, that they refuse what was changed."""

import json
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from dataset_builder.interaction import STREAMS
from hf_duplex.interaction.evaluation import runs as interaction_runs
from hf_duplex.interaction.evaluation.evidence import Evidence
from hf_duplex.interaction.evaluation.experiments import (
    EXPERIMENTS,
    Sweep,
    app,
    controls,
    in_distribution,
    interaction_table,
    leave_one_family_out,
    manifest,
    occlusion,
    run_experiments,
    significance,
)
from hf_duplex.interaction.evaluation.runs import Run, Settings, TrainedPolicy


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Policies of two epochs: what they learnt does not count here."""
    small = Sweep(
        tmp_path_factory.mktemp("evidence"),
        suites=("mini",),
        seeds=(3, 7),
        architectures=("gru",),
        held_out_suites=("mini",),
        held_out_architectures=("gru",),
        twins=("gru-transcript",),
        families=("backchannel", "visual_reference"),
        settings=Settings(60, 20, 40, training={"epochs": 2}),
        progress=False,
    )
    run_experiments(["all"], small)
    return small


def read(sweep, name):
    return Evidence(sweep.out).read(f"{name}.json")


def test_results_say_what_they_are(sweep):
    for name in EXPERIMENTS:
        if name != "manifest":
            results = read(sweep, name.replace("-", "_"))
            assert results["experiment"] == name.replace("-", "_") and results["settings"]["test_pairs"] == 40
            assert "prior art" in results["note"] and results["versions"] and results["machine"]


def test_a_whole_sweep_tells_how_long_it_took(sweep):
    assert read(sweep, "sweep")["seconds"] > 0
    before = read(sweep, "sweep")
    run_experiments(["all"], sweep)  # goes on in a folder that is not empty: nothing to tell
    assert read(sweep, "sweep") == before


def test_in_distribution(sweep):
    suite = read(sweep, "in_distribution")["suites"]["mini"]
    methods = suite["methods"]
    assert set(methods) == {"gru", "gru-transcript", "majority", "ngram", "logistic", "rules"}
    assert suite["data"]["pairs"] == 40 and len(suite["data"]["sha256"]) == 64
    assert set(methods["gru"]["runs"]) == {"3", "7"} and set(methods["majority"]["runs"]) == {"none"}
    for told in methods.values():
        figure = told["turn_action_accuracy"]
        scores = [run["turn_action_accuracy"] for run in told["runs"].values()]
        assert figure["value"] == pytest.approx(sum(scores) / len(scores)) and figure["samples"] == 40
        assert all(run["n"] == 80 for run in told["runs"].values())
        if told["sees"] == "transcript":
            assert told["paired_separation"]["value"] == 0 and figure["value"] <= suite["ceiling"]
    assert methods["rules"]["paired_separation"]["value"] == 1
    assert methods["gru"]["runs"]["3"]["parameters"] > 0 and methods["gru"]["runs"]["3"]["seconds"] >= 0


def test_leave_one_family_out(sweep):
    suite = read(sweep, "leave_one_family_out")["suites"]["mini"]
    assert set(suite["families"]) == {"backchannel", "visual_reference"}
    for family in suite["families"].values():
        assert set(family["methods"]) == {"gru", "majority", "ngram", "logistic", "rules"}
        transcript = [told for told in family["methods"].values() if told["sees"] == "transcript"]
        assert family["best_transcript"]["turn_action_accuracy"] == max(t["turn_action_accuracy"] for t in transcript)
    assert suite["methods"]["rules"]["mean_turn_action_accuracy"] == 1
    assert suite["methods"]["rules"]["not_above"] == []
    assert suite["methods"]["majority"]["not_above"] == ["backchannel", "visual_reference"]


def test_a_family_that_is_held_out_is_tested_and_not_trained_on(sweep):
    run = Run("mini", "gru", 3, "backchannel")
    assert {example.family for example in run.examples(sweep.settings, "test")} == {"backchannel"}
    for split in ("train", "validation"):
        assert "backchannel" not in {example.family for example in run.examples(sweep.settings, split)}
    told = json.loads((sweep.out / run.folder / "training.json").read_text())
    assert "backchannel" not in told["families"] and told["seed"] == 3


def test_occlusion_and_controls_hold_the_same_policies_against_themselves(sweep):
    intact = read(sweep, "in_distribution")["suites"]["mini"]["methods"]["gru"]["turn_action_accuracy"]["value"]
    blanked = read(sweep, "occlusion")["suites"]["mini"]["gru"]
    assert blanked["intact"] == pytest.approx(intact) and set(blanked["streams"]) == set(STREAMS)
    dropped = read(sweep, "controls")["suites"]["mini"]["gru"]
    assert dropped["intact"] == pytest.approx(intact)
    assert dropped["controls"]["labels"]["expected"] == pytest.approx(
        dropped["controls"]["labels"]["turn_action_accuracy"], abs=0.1
    )
    for told in (*blanked["streams"].values(), *dropped["controls"].values()):
        assert told["drop"] == pytest.approx(intact - told["turn_action_accuracy"]) and len(told["runs"]) == 2


def test_significance(sweep):
    methods = read(sweep, "significance")["suites"]["mini"]["methods"]
    assert "majority" not in methods and set(methods) >= {"gru", "gru-transcript", "rules"}
    rules = methods["rules"]["turn_action_accuracy"]
    assert rules["p"] < 1e-4 <= rules["p_holm"] < 1e-3 and rules["interval"][0] > 0
    # Both separate nothing: there is no difference to be found.
    assert methods["logistic"]["paired_separation"]["p"] == 1


def test_nothing_is_done_twice(sweep, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(interaction_runs, "train_policy", never)
    monkeypatch.setattr(TrainedPolicy, "predict", never)
    before = {name: read(sweep, name)["suites"] for name in ("in_distribution", "controls")}
    assert in_distribution(sweep)["suites"] == before["in_distribution"]
    assert controls(sweep)["suites"] == before["controls"]


def test_an_interrupted_sweep_goes_on(sweep, monkeypatch):
    """One that ended before what it had trained and played was entered."""
    run, whole = Run("mini", "gru", 3), json.loads((sweep.out / "manifest.json").read_text())
    left = {name: digest for name, digest in whole["files"].items() if "gru-seed3" not in name}
    (sweep.out / "manifest.json").write_text(json.dumps(whole | {"files": left}))
    (sweep.out / run.file("predictions")).write_text("{")
    monkeypatch.setattr(interaction_runs, "train_policy", lambda *args, **kwargs: pytest.fail("trained again"))
    before = whole["files"][run.file("predictions")]
    run_experiments(["in-distribution", "occlusion", "controls", "leave-one-family-out"], sweep)
    after = Evidence(sweep.out).manifest["files"]
    assert after.keys() == whole["files"].keys() and after[run.file("predictions")] == before


def test_a_table_for_each(sweep):
    table = interaction_table(read(sweep, "in_distribution"))
    assert "| rules | streams | 1.000 | 1.000 |" in table and table.count("\n") == 7
    assert "| rules | streams | 1.000 | 1.000 |" in interaction_table(read(sweep, "leave_one_family_out"))


@pytest.mark.parametrize(
    ("file", "experiment"),
    [
        ("in_distribution.json", manifest),
        ("predictions/mini/gru-seed3.json", in_distribution),
        ("predictions/mini/majority.json", significance),
        ("policies/mini/gru-seed7/model.safetensors", occlusion),
        ("policies/mini/gru-seed3-without-backchannel/model.safetensors", leave_one_family_out),
        ("controls/mini/gru-seed3.json", controls),
    ],
)
def test_a_changed_file_is_refused(sweep, file, experiment):
    path = sweep.out / file
    before = path.read_bytes()
    path.write_bytes(before.replace(b"0", b"1", 1) if file.endswith(".json") else before + b"\n")
    try:
        with pytest.raises(ValueError, match=r"does not match its hash in manifest.json.*delete it and run `python"):
            experiment(sweep)
    finally:
        path.write_bytes(before)
    assert experiment(sweep)


def test_a_policy_that_is_not_what_was_trained_is_refused(sweep, tmp_path):
    run = Run("mini", "gru", 3)
    shutil.copytree(sweep.out / run.folder, tmp_path / run.folder)
    interaction_runs.play(run, sweep.settings, tmp_path)
    facts = tmp_path / run.folder / "training.json"
    told = json.loads(facts.read_text())
    facts.write_text(json.dumps(told | {"eval_accuracy": told["eval_accuracy"] + 0.1}))
    with pytest.raises(ValueError, match="not saved or loaded as it was trained"):
        interaction_runs.play(run, sweep.settings, tmp_path)


def test_a_missing_file_is_made_anew(sweep):
    path = sweep.out / "predictions/mini/ngram.json"
    before = path.read_bytes()
    path.unlink()
    with pytest.raises(ValueError, match="ngram.json is missing: run `python"):
        manifest(sweep)
    in_distribution(sweep)
    assert json.loads(path.read_bytes())["predictions"] == json.loads(before)["predictions"]
    assert "files" in manifest(sweep)


def test_other_settings_and_other_data_are_refused(sweep, monkeypatch):
    with pytest.raises(ValueError, match="`--out`.*was made with other settings"):
        in_distribution(replace(sweep, settings=Settings(50, 20, 40)))
    make = interaction_runs._examples
    monkeypatch.setattr(interaction_runs, "_examples", lambda suite, split, *rest: make(suite, split, *rest)[2:])
    with pytest.raises(ValueError, match="examples of mini/train are not those"):
        in_distribution(sweep)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tiny", "gru", 3), "`suite` must be one of mini"),
        (("mini", "lstm", 3), "`method` must be one of gru"),
        (("mini", "gru"), "`seed` must be given for gru"),
        (("mini", "gru", 3, "singing"), "`held_out` must be one of yield_to_user"),
    ],
)
def test_a_run_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Run(*arguments)


def test_an_unknown_experiment_and_a_foreign_folder_are_refused(sweep, tmp_path):
    with pytest.raises(ValueError, match="`experiments` must be all or some of in-distribution.*got 'luck'"):
        run_experiments(["luck"], sweep)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="is no manifest in format 1"):
        Evidence(tmp_path)


def test_the_command_line(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setitem(EXPERIMENTS, "occlusion", lambda sweep: seen.append(sweep) or {})
    told = "occlusion --suite mini --suite hard --seed 3 --architecture gru --test-pairs 40 --num-workers 2 --quiet"
    found = CliRunner().invoke(app, [*told.split(), "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    expected = Sweep(tmp_path, ("mini", "hard"), seeds=(3,), architectures=("gru",), settings=Settings(test_pairs=40))
    assert seen == [replace(expected, num_workers=2, progress=False)]
    nothing = CliRunner().invoke(app, ["manifest", "--out", str(tmp_path)])
    assert isinstance(nothing.exception, ValueError) and "holds no evidence yet" in str(nothing.exception)
