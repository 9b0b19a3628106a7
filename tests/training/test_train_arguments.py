"""What a run is told: YAML and command line together, and one clear error for each mistake."""

import pytest
import yaml
from toy_runs import FIELDS, PHASES, write_config

from hf_duplex import DualStreamConfig, DuplexBaselineConfig, WorkspaceConfig
from hf_duplex.modeling import count_parameters
from hf_duplex.training import ModelArguments, parse_arguments


def parse(path, *argv):
    return parse_arguments([str(path), *argv])


def test_the_command_line_wins_over_the_file(tmp_path):
    path = write_config(tmp_path, output_dir=str(tmp_path / "run"))
    model, data, args = parse(path, "--hidden_size", "64", "--learning_rate", "1e-4", "--eval_samples", "5")
    assert (model.hidden_size, model.num_hidden_layers, model.vocab_size) == (64, 2, FIELDS["vocab_size"])
    assert (data.eval_samples, data.num_proc) == (5, 1)
    assert (args.learning_rate, args.per_device_train_batch_size) == (1e-4, 16)
    assert args.output_dir == str(tmp_path / "run") and args.report_to == []


def test_numbers_with_an_exponent_and_no_point_are_numbers(tmp_path):
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace("learning_rate: 0.003", "learning_rate: 3e-3"))
    assert parse(path)[2].learning_rate == 0.003


def test_phases_are_read_and_scaled(tmp_path):
    phases = parse(write_config(tmp_path), "--samples_scale", "0.25")[1].phases
    assert [(phase.name, phase.samples) for phase in phases] == [("quiet", 8), ("", 16)]
    assert [phase.builder for phase in phases] == [phase["builder"] for phase in PHASES]
    assert [phase.samples for phase in parse(write_config(tmp_path), "--samples_scale", "1e-6")[1].phases] == [1, 1]


def test_a_built_data_set_stands_for_phases(tmp_path):
    _, data, _ = parse(write_config(tmp_path, phases=None), "--data", "built")
    assert (data.data, data.phases) == ("built", [])
    assert parse_arguments(["--data", "built"])[1].data == "built"


@pytest.mark.parametrize(
    ("fields", "argv", "message"),
    [
        ({"hiden_size": 3, "lerning_rate": 1}, [], "no such field: hiden_size, lerning_rate.*--help"),
        ({"help": True}, [], "no such field: help"),
        ({}, ["--hiden_size", "3"], "--hiden_size"),
        ({"phases": None}, [], "`phases`: the YAML file must list .*or name a data set that was built with `data`"),
        ({"data": "built"}, [], "`data` and `phases` are both given"),
        ({}, ["--data", "built"], "`data` and `phases` are both given"),
        ({"phases": None, "data": "built"}, ["--samples_scale", "2"], "`samples_scale` goes with .*`max_steps`"),
        ({"phases": None, "data": "built"}, ["--data_seed_offset", "1"], "`data_seed_offset` goes .*`data_seed`"),
        ({"phases": {"samples": 3}}, [], "`phases`: the YAML file must list"),
        ({"phases": ["all"]}, [], "`phases`: number 1 must have `samples`.*got 'all'"),
        ({"phases": [PHASES[0], {"name": "x"}]}, [], "`phases`: number 2 must have `samples`"),
        ({"phases": [{"samples": 1, "sample": 2}]}, [], "`phases`: number 1 .*'sample': 2"),
        ({"phases": [{"samples": 0}]}, ["--samples_scale", "0"], "`samples_scale` must be above 0"),
        ({"phases": [{"samples": 1, "builder": {"num_fact": 1}}]}, [], "`builder` of phase '' has no field num_fact"),
        ({"model_type": "transformer"}, [], "`model_type` must be one of workspace, baseline, dual_stream"),
        ({"eval_samples": 0}, [], "`eval_samples` must be above 0"),
        ({}, ["--num_proc", "0"], "`num_proc` must be above 0"),
    ],
)
def test_every_mistake_is_named(tmp_path, fields, argv, message):
    with pytest.raises(ValueError, match=message):
        parse(write_config(tmp_path, **fields), *argv)


def test_a_value_that_cannot_be_read_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        parse(write_config(tmp_path, hidden_size="wide"))
    assert "--hidden_size" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a\n- b\n", "must hold fields and their values, got a list"), ("a: [1\n", "is no YAML")],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"config.yaml:? {message}"):
        parse(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="CONFIG: there is no file .*nowhere.yaml"):
        parse(tmp_path / "nowhere.yaml")


def test_without_a_file_there_are_no_phases():
    with pytest.raises(ValueError, match="`phases`: the YAML file must list"):
        parse_arguments(["--hidden_size", "32"])


def test_help_says_what_every_field_of_ours_is_for(capsys):
    with pytest.raises(SystemExit) as stopped:
        parse_arguments(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "hf-duplex train CONFIG.yaml [--any_field value ...]" in text
    ours = text[text.index("\nmodel:") :]
    for name in ("model_type", "n_slots", "data", "samples_scale", "serialized"):
        assert f"--{name}" in ours
    assert "Slots of the workspace." in ours and "phases of the curriculum" in ours


def test_the_three_types_have_the_same_size():
    sizes = {name: FIELDS[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size")}
    sizes["num_attention_heads"] = 2
    configs = [ModelArguments(model_type, **sizes).config() for model_type in ("workspace", "baseline", "dual_stream")]
    assert [type(config) for config in configs] == [WorkspaceConfig, DuplexBaselineConfig, DualStreamConfig]
    counts = [count_parameters(config) for config in configs]
    assert max(counts) / min(counts) < 1.03


def test_the_configuration_that_ships_is_read(request):
    path = request.config.rootpath / "examples" / "configs" / "two_families.yaml"
    _, data, args = parse(path, "--use_cpu", "true", "--bf16", "false")
    listed = yaml.safe_load(path.read_text())["phases"]
    assert [phase.samples for phase in data.phases] == [phase["samples"] for phase in listed]
    assert args.per_device_train_batch_size == 256
