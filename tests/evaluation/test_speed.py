"""The speed benchmark at toy size: its structure and its arithmetic, never its milliseconds."""

import json
import statistics

import pytest
import torch
from rich.console import Console

from hf_duplex.evaluation import print_speed_table, run_speed_benchmark
from hf_duplex.evaluation.benchmarks import speed
from hf_duplex.modeling import WorkspaceConfig


HISTORIES, REPEATS = (32, 64), 2


def toy_size() -> WorkspaceConfig:
    return WorkspaceConfig(
        vocab_size=64, hidden_size=32, intermediate_size=88, num_hidden_layers=2, num_attention_heads=2, n_slots=64
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("speed") / "deep" / "speed.json"


@pytest.fixture(scope="module")
def results(path):
    return run_speed_benchmark(HISTORIES, REPEATS, size=toy_size(), json_path=path, progress=False)


def test_every_model_is_measured_at_every_history(results):
    models = {"workspace", "dual_stream", "baseline", "llama", "llama_same_depth"}
    assert list(results["rows"]) == ["32", "64"]
    for row in results["rows"].values():
        assert set(row["decode_ms"]) == set(row["prompt_ms"]) == set(row["state_bytes"]) == models
        restarts = {"baseline_restart", "llama_restart"}
        assert set(row["update_ms"]) == {"workspace", "dual_stream", "baseline"} | restarts
        assert all(len(timed["times"]) == REPEATS for timed in row["update_ms"].values())
        assert all(len(timed["times"]) == REPEATS * speed.DECODE_TOKENS for timed in row["decode_ms"].values())


def test_models_have_the_same_number_of_parameters(results):
    counts = [model["parameters"] for model in results["settings"]["models"].values()]
    assert max(counts) / min(counts) < 1.04


def test_medians_and_ratios_come_from_the_raw_numbers(results):
    for row in results["rows"].values():
        for measure in ("update_ms", "decode_ms", "prompt_ms"):
            for timed in row[measure].values():
                assert timed["median"] == statistics.median(timed["times"])
    row = results["rows"]["64"]
    expected = row["update_ms"]["baseline_restart"]["median"] / row["update_ms"]["workspace"]["median"]
    assert results["ratios"]["restart / workspace, update to token"]["64"] == expected
    expected = row["decode_ms"]["workspace"]["median"] / row["decode_ms"]["llama"]["median"]
    assert results["ratios"]["workspace / plain Llama, one more token"]["64"] == expected
    expected = results["flatness_ms"]["64"]["median"] / results["flatness_ms"]["32"]["median"]
    assert results["ratios"]["workspace, update to token, against the shortest history"]["64"] == expected


def test_only_the_workspace_keeps_a_constant_state(results):
    short, long = (results["rows"][history]["state_bytes"] for history in ("32", "64"))
    assert short["workspace"] == long["workspace"]
    assert all(long[name] > short[name] for name in short if name != "workspace")


def test_targets_are_those_whose_histories_were_run(results):
    assert [target["target"] for target in results["targets"]] == [
        "update to token is flat: 64 against 32",
        "state is constant: 64 against 32",
    ]


def test_check_targets_knows_both_directions():
    same = dict.fromkeys(("128", "8192"), 1.0)
    ratios = {
        "restart / workspace, update to token": {"128": 3.0, "8192": 99.0},
        "workspace, update to token, against the shortest history": {"128": 1.0, "8192": 1.3},
        "workspace, bytes of state, against the shortest history": same,
        "workspace / plain Llama, one more token": {"128": 1.1, "8192": 0.2},
        "workspace / plain Llama, as deep as the workspace, one more token": {"128": 1.2, "8192": 1.1},
    }
    assert [target["met"] for target in speed.check_targets(ratios)] == [False, True, False, True, True, False, False]


def test_the_file_holds_the_results_and_the_table_prints_them(results, path):
    assert json.loads(path.read_text()) == results
    console = Console(record=True, width=160, file=open("/dev/null", "w"))
    print_speed_table(results, console)
    text = console.export_text()
    assert "From update to next token (ms)" in text and "plain Llama" in text and "flat: 64 against 32" in text


def test_an_interrupted_run_goes_on_and_other_settings_start_anew(results, tmp_path):
    path = tmp_path / "speed.json"
    partial = {key: value for key, value in results.items() if key != "targets"}
    partial["rows"] = {"32": results["rows"]["32"]}
    path.write_text(json.dumps(partial))
    resumed = run_speed_benchmark(HISTORIES, REPEATS, size=toy_size(), json_path=path, progress=False)
    assert resumed["rows"]["32"] == results["rows"]["32"]
    path.write_text(json.dumps(partial))
    anew = run_speed_benchmark(HISTORIES, REPEATS, seed=1, size=toy_size(), json_path=path, progress=False)
    assert anew["rows"]["32"] != results["rows"]["32"]


def test_a_long_history_is_read_once(monkeypatch):
    monkeypatch.setattr(speed, "RESTART_TOKENS", 16)
    row = run_speed_benchmark((32,), 1, size=toy_size(), progress=False)["rows"]["32"]
    assert row["update_ms"]["baseline_restart"] == row["prompt_ms"]["baseline"]


def test_threads_are_as_before(results):
    before = torch.get_num_threads()
    with speed.torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_an_update_is_really_heard():
    torch.manual_seed(0)
    model = speed.random_model(toy_size())
    ids = torch.full((1, 8), 40)
    stream = speed.Stream.open(model, ids)
    watch = speed.Stopwatch(ids)
    output = speed.run(
        model,
        watch,
        watch.poll,
        inputs=stream.sequences,
        past_key_values=stream.branch(),
        interrupt_callback=watch.callback,
        return_dict_in_generate=True,
    )
    assert output.versions[0, -1] == output.versions[0, -2] + 1
    assert 0 < watch.update_to_token_ms
    assert stream.cache.emitted < output.past_key_values.emitted


@pytest.mark.parametrize("arguments", [{"histories": ()}, {"histories": (0,)}, {"repeats": 0}, {"threads": 0}])
def test_unusable_arguments_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        run_speed_benchmark(**arguments)


def test_models_are_compared_in_the_same_precision():
    config = WorkspaceConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    config.dtype = torch.bfloat16
    assert speed.random_model(config).dtype == torch.float32
