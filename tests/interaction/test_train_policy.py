"""Training policies at toy size, end to end."""

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from dataset_builder.interaction import FAMILIES, make_examples
from hf_duplex.interaction import training as training
from hf_duplex.interaction.data import choose_actions
from hf_duplex.interaction.modeling.configuration_policy import ARCHITECTURES
from hf_duplex.interaction.training import SIZES, SURE, count_parameters, main, policy_config, train_policy


@pytest.fixture(scope="module")
def examples():
    return make_examples("mini", "train", 60), make_examples("mini", "validation", 20)


def right(model, examples):
    chosen = choose_actions(model, examples)
    return sum(action == example.action for action, example in zip(chosen, examples, strict=True)) / len(examples)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_run_learns_is_quiet_and_leaves_a_policy_and_its_facts(architecture, examples, tmp_path, capsys):
    train, validation = examples
    model = train_policy(
        train,
        validation,
        architecture=architecture,
        suite="mini",
        seed=7,
        epochs=12,
        batch_size=16,
        output_dir=tmp_path,
    )
    assert capsys.readouterr() == ("", "")
    assert right(model, train) > 0.7
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert choose_actions(loaded, validation) == choose_actions(model, validation)
    facts = json.loads((tmp_path / "training.json").read_text())
    assert facts["parameters"] == model.num_parameters() and facts["families"] == sorted(FAMILIES)
    assert (facts["architecture"], facts["suite"], facts["seed"]) == (architecture, "mini", 7)
    assert (facts["samples"], facts["batch_size"], facts["epochs"]) == (120, 16, 12)
    assert facts["eval_accuracy"] == right(model, validation) and facts["seconds"] > 0
    assert {"machine", "versions", "learning_rate", "log", "threads"} <= facts.keys()


def test_a_seed_makes_a_run(examples, tmp_path):
    train, validation = examples

    def weights(seed, name):
        options = {"architecture": "gru", "suite": "mini", "epochs": 1, "output_dir": tmp_path / name}
        return torch.cat([p.flatten() for p in train_policy(train, validation, seed=seed, **options).parameters()])

    first = weights(3, "first")
    assert torch.equal(first, weights(3, "again"))
    assert not torch.equal(first, weights(11, "other"))


def test_it_ends_when_validation_is_perfect(examples, tmp_path):
    train, _ = examples
    easy = [example for example in train if example.action == train[0].action]
    options = {"architecture": "relational", "suite": "mini", "epochs": 30, "output_dir": tmp_path}
    train_policy(easy, easy, patience=3, batch_size=len(easy), **options)
    facts = json.loads((tmp_path / "training.json").read_text())
    evaluations = [entry for entry in facts["log"] if "eval_accuracy" in entry]
    perfect = [entry["eval_accuracy"] == 1 and entry["eval_loss"] < SURE for entry in evaluations]
    assert facts["epochs"] == len(perfect) < 30 and perfect[-4:] == [False, True, True, True]


def test_the_twin_of_a_pair_cannot_tell_its_members_apart(examples, tmp_path):
    train, validation = examples
    options = {"architecture": "gru", "suite": "mini", "epochs": 1, "output_dir": tmp_path}
    chosen = choose_actions(train_policy(train, validation, transcript_only=True, **options), validation)
    assert chosen[::2] == chosen[1::2]


@pytest.mark.parametrize("suite", SIZES)
def test_sizes_are_those_that_are_told_and_twins_have_as_many(suite):
    train = make_examples("mini", "train", 200)
    wanted = {"gru": {"mini": 19_000, "hard": 65_000, "noisy": 115_000}[suite], "transformer": 258_000}
    for architecture in ARCHITECTURES:
        size = count_parameters(policy_config(train, architecture, suite))
        assert abs(size / wanted.get(architecture, size) - 1) < 0.03
        if architecture != "relational":
            twin = count_parameters(policy_config(train, architecture, suite, transcript_only=True))
            assert abs(twin / size - 1) < 0.05


def test_the_command_line_leaves_a_family_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(training, "make_examples", few(training.make_examples))
    arguments = "--suite mini --architecture relational --seed 11 --held_out backchannel --epochs 1 --num_pairs 30"
    main([*arguments.split(), "--output_dir", str(tmp_path)])
    facts = json.loads((tmp_path / "training.json").read_text())
    assert facts["command"] == f"python -m hf_duplex.interaction.training {arguments} --output_dir {tmp_path}"
    assert "backchannel" not in facts["families"] and len(facts["families"]) == len(FAMILIES) - 1
    assert f"{facts['parameters']:,} parameters" in capsys.readouterr().out


def few(make):
    """Fewer pairs, for a quick run."""
    return lambda suite, split, num_pairs=None, **rest: make(suite, split, num_pairs or 10, **rest)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "--output_dir runs/policy-gru-mini-3" in said and "transcript" in said


def test_what_cannot_be_trained_is_refused(examples, tmp_path):
    train, validation = examples
    options = {"architecture": "gru", "suite": "mini", "output_dir": tmp_path}
    with pytest.raises(ValueError, match="`train` is empty: make its examples"):
        train_policy([], validation, **options)
    with pytest.raises(ValueError, match="`validation` is empty"):
        train_policy(train, [], **options)
    with pytest.raises(ValueError, match="`architecture` must be one of gru, transformer, relational"):
        train_policy(train, validation, **options | {"architecture": "lstm"})
    with pytest.raises(ValueError, match="`transcript_only` is for gru and transformer"):
        train_policy(train, validation, **options | {"architecture": "relational"}, transcript_only=True)
    with pytest.raises(ValueError, match="`suite` must be one of mini, hard, noisy"):
        train_policy(train, validation, **options | {"suite": "easy"})
