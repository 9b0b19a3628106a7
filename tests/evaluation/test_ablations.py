"""Ablations with contestants of known behaviour: each row is held against the right one, and controls have to hurt."""

import json
import re

import pytest
import yaml
from toy_runs import write_config
from typer.testing import CliRunner

from hf_duplex.cli.app import app
from hf_duplex.evaluation.benchmarks import ablations, revision
from hf_duplex.evaluation.benchmarks.ablations import Trainings, Variant, read_plan, run_ablations, train_model
from hf_duplex.evaluation.contestants import models as contestants
from hf_duplex.modeling import InterruptError


SAMPLES = 60
TINY = {
    "reference": "intact",
    "variants": [
        {"group": "reference", "name": "intact", "model": "models/good"},
        {"group": "updates", "name": "no update", "model": "models/good", "mode": "deaf"},
        {"group": "slots", "name": "8 slots", "model": "models/good", "config": {"n_slots": 8}, "note": "few"},
        {"group": "slots", "name": "4 slots", "open": "an update does not fit"},
        {"group": "controls", "name": "shuffled", "model": "models/good", "mode": "shuffled"},
        {"group": "controls", "name": "noise", "model": "models/good", "mode": "noise", "against": "8 slots"},
    ],
}
RIGHT = {"": 0.95, "deaf": 0.0, "shuffled": 0.1, "noise": 0.2, "permuted": 0.5, "late": 0.95}


def write_plan(folder, **fields):
    path = folder / "ablations.yaml"
    path.write_text(yaml.safe_dump({**TINY, **fields}, sort_keys=False))
    return path


class Fake:
    """Plays nothing; its cases are right as often as the mode of the contestant says."""

    def __init__(self, right=RIGHT, fails=None, error=ValueError):
        self.right, self.fails, self.error, self.played = right, fails, error, []

    def __call__(self, spec, config):
        self.played.append((spec, config))
        _, _, mode = spec.partition("@")
        if mode == self.fails:
            raise self.error(f"{spec} cannot be played: no such model.")
        good = round(SAMPLES * self.right[mode]) - 6 * len(config)
        return [
            {
                "model": spec,
                "split": "test" if index % 2 else "late",
                "seed": 0,
                "index": index,
                "family": "scheduling",
                "updates": 1,
                "kinds": ["correction"],
                "places": [0.5],
                "counts": {"revised": 1, "revised_right": int(index < good), "claims_after": 1},
            }
            for index in range(SAMPLES)
        ]


def run(folder, fake, settings=None, trainer=None, **fields):
    plan = read_plan(write_plan(folder, **fields))
    options = {} if trainer is None else {"train": trainer}
    return run_ablations(plan, folder / "out", fake, settings or {"samples": SAMPLES}, progress=False, **options)


def test_one_command_one_table_one_figure(tmp_path):
    fake = Fake()
    results = run(tmp_path, fake)
    assert results == json.loads((tmp_path / "out" / "ablations.json").read_text())
    assert (tmp_path / "out" / "ablations.png").read_bytes().startswith(b"\x89PNG")
    table = (tmp_path / "out" / "ablations.md").read_text()
    assert all(f"| {variant['name']} |" in table for variant in TINY["variants"])
    assert "not run: an update does not fit" in table and "## By family, split late" in table
    assert fake.played[:3] == [("models/good", {}), ("models/good@deaf", {}), ("models/good", {"n_slots": 8})]
    assert results["failures"] == []


def test_every_variant_is_held_against_another_on_the_same_samples(tmp_path):
    rows = run(tmp_path, Fake())["variants"]
    assert rows["intact"]["difference"] is None and rows["4 slots"]["difference"] is None
    values = {name: row["difference"]["value"] for name, row in rows.items() if row["difference"]}
    expected = {"no update": 0 - 57, "8 slots": 51 - 57, "shuffled": 6 - 57, "noise": 12 - 51}
    assert values == {name: pytest.approx(difference / SAMPLES) for name, difference in expected.items()}
    assert rows["noise"]["against"] == "8 slots" and rows["shuffled"]["against"] == "intact"
    for name in expected:
        difference = rows[name]["difference"]
        assert difference["p"] <= difference["p_holm"] <= 4 * difference["p"] and difference["samples"] == SAMPLES
    assert [rows[name]["hurts"] for name in rows] == [None, None, None, None, True, True]
    figure = rows["intact"]["metrics"]["revision_accuracy"]
    assert (figure["value"], figure["n"], figure["seeds"]) == (0.95, SAMPLES, 1)


@pytest.mark.parametrize(
    "right",
    [{"shuffled": 0.95}, {"shuffled": 0.92}, {"shuffled": 1.0, "": 0.6}],
    ids=["the same", "hardly worse", "better by far"],
)
def test_a_control_that_does_not_hurt_fails_by_name(tmp_path, right):
    results = run(tmp_path, Fake(RIGHT | right))
    (failure,) = results["failures"]
    assert re.match(r"shuffled: a control that does not hurt: revision accuracy .* against intact, p = ", failure)
    assert results["variants"]["shuffled"]["hurts"] is False
    assert failure in (tmp_path / "out" / "ablations.md").read_text()


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`hf-duplex bench ablations`, with contestants of known behaviour."""

    def command(fake, *options):
        monkeypatch.setattr(revision, "evaluator", lambda *asked: fake)
        arguments = ["bench", "ablations", str(tmp_path / "ablations.yaml"), "--out", str(tmp_path / "out"), *options]
        return CliRunner().invoke(app, arguments)

    return command


def test_the_command_fails_when_a_control_does_not_hurt_and_only_then(tmp_path, command):
    path = write_plan(tmp_path)
    good = command(Fake(), "--samples", str(SAMPLES))
    assert good.exit_code == 0 and "| controls | shuffled |" in good.stdout and "Failed" not in good.output
    assert {"ablations.json", "ablations.md", "ablations.png"} <= {file.name for file in (tmp_path / "out").iterdir()}
    # One more control, that is the intact model itself.
    fields = yaml.safe_load(path.read_text())
    fields["variants"].append({"group": "controls", "name": "nothing changed", "model": "models/good"})
    path.write_text(yaml.safe_dump(fields))
    again = Fake()
    bad = command(again, "--samples", str(SAMPLES))
    assert bad.exit_code == 1 and again.played == [("models/good", {})]
    (line,) = [line for line in bad.stderr.splitlines() if line.startswith("Failed: ")]
    assert line.startswith("Failed: nothing changed: a control that does not hurt: revision accuracy +0.000 (")
    assert line.endswith("against intact, p = 1.000")


def test_the_command_names_what_a_user_can_mend_in_one_line(tmp_path, command):
    write_plan(tmp_path, reference="whole")
    result = command(Fake())
    assert result.exit_code == 2 and result.stderr.startswith("Error: `reference` must be the name of a variant")
    assert not (tmp_path / "out").exists()


def test_a_plan_knows_the_modes_of_contestants():
    assert set(ablations.MODES) == set(contestants.MODES)


def test_a_control_may_have_to_hurt_in_another_metric(tmp_path):
    class Contradicts(Fake):
        def __call__(self, spec, config):
            cases = super().__call__(spec, config)
            for case in cases:
                case["counts"]["contradictions"] = int(spec.endswith("@late"))
            return cases

    late = {"group": "controls", "name": "late", "model": "models/good", "mode": "late"}
    variants = [TINY["variants"][0], {**late, "metric": "contradiction_rate"}]
    assert run(tmp_path, Contradicts(), variants=variants)["failures"] == []
    (tmp_path / "other").mkdir()
    (failure,) = run(tmp_path / "other", Contradicts(), variants=[variants[0], late])["failures"]
    assert failure.startswith("late: a control that does not hurt")


def test_a_control_without_the_intact_model_proves_nothing(tmp_path):
    results = run(tmp_path, Fake(fails=""))
    assert len(results["failures"]) == 4 and "models/good cannot be played" in results["failures"][0]
    assert "shuffled: a control that could not be held against intact in revision accuracy" in results["failures"]


def interrupted(message):
    """What a model raises that is handed an update that it cannot read."""
    return InterruptError(message, None, None)


@pytest.mark.parametrize("error", [ValueError, interrupted])
def test_a_variant_that_cannot_be_played_leaves_the_others(tmp_path, error):
    results = run(tmp_path, Fake(fails="deaf", error=error))
    (failure,) = results["failures"]
    assert failure.startswith("no update: failed: models/good@deaf cannot be played")
    assert results["variants"]["shuffled"]["hurts"] is True
    # What failed is tried again, what was measured is not.
    again = Fake()
    assert run(tmp_path, again)["failures"] == [] and again.played == [("models/good@deaf", {})]


def test_an_interrupted_run_goes_on(tmp_path):
    class Interrupted(Fake):
        def __call__(self, spec, config):
            if len(self.played) == 3:
                raise KeyboardInterrupt
            return super().__call__(spec, config)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Interrupted())
    kept = json.loads((tmp_path / "out" / "ablations.json").read_text())
    assert list(kept["variants"]) == ["intact", "no update", "8 slots", "4 slots"]
    fake = Fake()
    results = run(tmp_path, fake)
    assert [spec for spec, _ in fake.played] == ["models/good@shuffled", "models/good@noise"]
    whole = run_ablations(read_plan(write_plan(tmp_path)), tmp_path / "whole", Fake(), {"samples": SAMPLES})
    assert {**results, "command": None} == {**whole, "command": None}


def test_a_variant_that_was_changed_is_measured_again(tmp_path):
    run(tmp_path, Fake())
    variants = json.loads(json.dumps(TINY["variants"]))
    variants[2]["config"]["n_slots"] = 9
    fake = Fake()
    run(tmp_path, fake, variants=variants)
    assert fake.played == [("models/good", {"n_slots": 9})]


def test_results_of_other_settings_or_versions_are_kept(tmp_path):
    run(tmp_path, Fake())
    path = tmp_path / "out" / "ablations.json"
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"`--out`: .* measured with other settings, \{'samples': 60\}, now"):
        run(tmp_path, Fake(), settings={"samples": 61})
    assert path.read_bytes() == before
    path.write_text(json.dumps({**json.loads(before), "format": 1}))
    with pytest.raises(ValueError, match="`--out`: .* no results file of ablations in format 2"):
        run(tmp_path, Fake())
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="`--out`: .*file is not a folder"):
        run_ablations(read_plan(write_plan(tmp_path)), tmp_path / "file", Fake())


TRAINED = {
    "base": "config.yaml",
    "train": {"logging_steps": 3},
    "seeds": [0, 1],
    "variants": [
        {"group": "reference", "name": "intact", "train": {}},
        {"group": "rule", "name": "GRU, 4", "train": {"update_type": "gru", "n_slots": 4}},
        {"group": "updates", "name": "deaf", "model": "GRU, 4", "mode": "deaf"},
    ],
}


class FakeTraining:
    """Trains nothing; leaves behind what a finished run leaves."""

    def __init__(self):
        self.runs = {}

    def __call__(self, config, folder):
        self.runs[folder.name] = yaml.safe_load(config.read_text())
        (folder / "training.json").write_text("{}")


def test_variants_are_trained_once_for_each_seed(tmp_path):
    write_config(tmp_path)
    training, fake = FakeTraining(), Fake()
    results = run(tmp_path, fake, trainer=training, **TRAINED)
    assert list(training.runs) == ["intact-seed0", "intact-seed1", "gru-4-seed0", "gru-4-seed1"]
    settings = training.runs["gru-4-seed1"]
    assert (settings["update_type"], settings["n_slots"], settings["seed"], settings["logging_steps"]) == (
        "gru",
        4,
        1,
        3,
    )
    models = tmp_path / "out" / "models"
    assert results["variants"]["deaf"]["specs"] == [f"{models}/gru-4-seed0@deaf", f"{models}/gru-4-seed1@deaf"]
    row = results["variants"]["GRU, 4"]
    assert row["metrics"]["revision_accuracy"]["seeds"] == row["difference"]["seeds"] == 2
    again = FakeTraining()
    (tmp_path / "out" / "cases" / "gru-4.jsonl").unlink()
    run(tmp_path, fake, trainer=again, **TRAINED)
    assert again.runs == {} and len(fake.played) == 8


def test_a_model_that_was_trained_otherwise_is_not_taken(tmp_path):
    write_config(tmp_path)
    run(tmp_path, Fake(), trainer=FakeTraining(), **TRAINED)
    with pytest.raises(ValueError, match="'intact' was trained with other settings into .*choose another `--out`"):
        run(tmp_path, Fake(), trainer=FakeTraining(), **{**TRAINED, "train": {"logging_steps": 4}})


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"hiden_size": 3}, "'GRU, 4' cannot be trained: `train`: no such field: hiden_size"),
        ({"hidden_size": 33}, r"'GRU, 4' cannot be trained: .*hidden_size \(33\) must be a multiple"),
        ({"n_slots": 16}, r"'GRU, 4' cannot be trained: .*n_slots \(16\) must hold at least one whole message"),
        ({"n_slots": "many"}, "'GRU, 4': a field of `train` cannot be read"),
    ],
)
def test_what_cannot_be_trained_is_named_before_anything_is(tmp_path, train, message):
    write_config(tmp_path)
    training, fake = FakeTraining(), Fake()
    variants = [TRAINED["variants"][0], {**TRAINED["variants"][1], "train": train}]
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        run(tmp_path, fake, trainer=training, **{**TRAINED, "variants": variants})
    assert training.runs == {} and fake.played == [] and not (tmp_path / "out").exists()


def test_a_real_training_run_is_gone_on_from_and_not_repeated(tmp_path):
    write_config(tmp_path, save_strategy="steps", save_steps=3)
    fields = {**TRAINED, "seeds": [], "variants": [{"group": "reference", "name": "intact", "train": {"seed": 5}}]}
    run(tmp_path, Fake(), trainer=train_model, **fields)
    facts = json.loads((tmp_path / "out" / "models" / "intact" / "training.json").read_text())
    assert facts["seed"] == 5 and facts["steps"] == 6
    assert (tmp_path / "out" / "models" / "intact" / "model.safetensors").is_file()
    run(tmp_path, Fake(), trainer=FakeTraining(), **fields)
    assert json.loads((tmp_path / "out" / "models" / "intact" / "training.json").read_text()) == facts


VARIANT = {"group": "slots", "name": "x", "model": "m"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reference": "whole"}, "`reference` must be the name of a variant that is run, got 'whole'"),
        ({"reference": "4 slots"}, "`reference` must be the name of a variant that is run, got '4 slots'"),
        ({"variant": []}, "no such field: variant; choose from reference, base"),
        ({"variants": []}, "`variants` must list at least one"),
        ({"seeds": 3}, "`seeds` must list whole numbers that differ, got 3"),
        ({"seeds": [1, 1]}, "`seeds` must list whole numbers that differ"),
        ({"base": "nowhere.yaml"}, "`base`: there is no file .*nowhere.yaml"),
        ({"more": ["x"]}, "number 7 of `variants` must map fields to values, got a str"),
        ({"more": [{"name": "x"}]}, "number 7 of `variants`: `group` must be given"),
        ({"more": [VARIANT | {"modes": "deaf"}]}, "number 7 of `variants`: no such field: modes"),
        ({"more": [VARIANT | {"mode": "dead"}]}, "'x': `mode` must be one of deaf, .*got 'dead'"),
        ({"more": [VARIANT | {"train": {}}]}, "'x' must have one of `model`, `train` and `open`"),
        ({"more": [VARIANT | {"model": None}]}, "'x' must have one of `model`, `train` and `open`"),
        ({"more": [VARIANT | {"model": [1]}]}, "'x': `model` must be a name or a list of names, got .1."),
        ({"more": [VARIANT | {"model": []}]}, "'x': `model` must be a name or a list of names, got "),
        ({"more": [VARIANT | {"config": {"conv_width": 0}}]}, "'x': `config` cannot change conv_width after training"),
        ({"more": [VARIANT | {"config": 3}]}, "'x': `config` must map fields to values"),
        ({"more": [VARIANT | {"metric": "speed"}]}, "'x': `metric` must be one of revision_accuracy"),
        ({"more": [VARIANT | {"against": "y"}]}, "'x': `against` must be the name of a variant that is run, got 'y'"),
        ({"more": [VARIANT | {"name": "8 Slots!"}]}, "`variants` must have names .* got 8 Slots!, 8 slots"),
        ({"more": [VARIANT | {"name": " "}]}, "`name` of a variant must be a text"),
        ({"more": [VARIANT | {"model": "intact"}]}, "'x': `model` 'intact' is a variant without `train`"),
        ({"more": [{"group": "slots", "name": "x", "train": {}}]}, "`base` must name a training configuration"),
    ],
)
def test_every_mistake_in_a_plan_is_named(tmp_path, fields, message):
    more = fields.pop("more", [])
    fields = {"variants": TINY["variants"] + more, **fields}
    with pytest.raises(ValueError, match=message):
        read_plan(write_plan(tmp_path, **fields))


def test_a_plan_that_is_none_is_named(tmp_path):
    with pytest.raises(ValueError, match="CONFIG: there is no file .*nowhere.yaml"):
        read_plan(tmp_path / "nowhere.yaml")
    (tmp_path / "list.yaml").write_text("- a\n")
    with pytest.raises(ValueError, match="list.yaml must map fields to values, got a list"):
        read_plan(tmp_path / "list.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    with pytest.raises(ValueError, match="broken.yaml is no YAML"):
        read_plan(tmp_path / "broken.yaml")


def test_the_plan_that_ships_has_every_row_and_can_be_trained(request, tmp_path):
    plan = read_plan(request.config.rootpath / "examples" / "configs" / "ablations.yaml")
    groups = list(dict.fromkeys(variant.group for variant in plan.variants))
    assert groups == [
        "reference",
        "updates",
        "slots",
        "rule",
        "doubt",
        "recency",
        "conv",
        "prompt",
        "window",
        "controls",
    ]
    names = {variant.name for variant in plan.variants}
    assert {f"{rule}, {slots} slots" for rule in ("gated", "validity") for slots in (4, 8, 16, 32, 64, 128)} <= names
    modes = {variant.mode for variant in plan.variants if variant.group == "controls"}
    assert modes == {"shuffled", "late", "noise", "permuted"}
    told = {json.dumps(sorted(variant.train)): variant for variant in plan.variants if variant.train is not None}
    for variant in (found for found in told.values() if "model_type" not in found.train):
        (settings,) = Trainings(plan, tmp_path).runs(variant).values()
        Trainings._check_fields(variant.name, {**settings, "bf16": False, "use_cpu": True})


def test_a_variant_has_a_name_for_files():
    assert Variant("concatenation, 4 Slots", "a", model="m").slug == "concatenation-4-slots"
    assert Variant("x", "a", model=["m", "n"]).models == ["m", "n"]
