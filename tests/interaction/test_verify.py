"""Claims hold, fall short or have no evidence; what was changed by hand is refused, whatever it says."""

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from dataset_builder.interaction import FAMILIES, SUITES, SuiteConfig
from dataset_builder.interaction.build import build_suite, load_suite
from hf_duplex.interaction.evaluation.baselines import RuleHarness
from hf_duplex.interaction.evaluation.claim import HOLDS, MISSING, SHORT, Claim, find, judge
from hf_duplex.interaction.evaluation.claims import CLAIMS
from hf_duplex.interaction.evaluation.evidence import Evidence
from hf_duplex.interaction.evaluation.runs import Run
from hf_duplex.interaction.evaluation.verify import (
    check_data,
    command_for,
    main,
    read_manifest,
    recount,
    verify,
    write_failure_report,
    write_ledger,
)


STREAMS = ("gru", "transformer", "relational")
TWINS = ("gru-transcript", "transformer-transcript")
PLAIN = ("majority", "ngram", "logistic", "SmolLM2-135M-Instruct.Q4_1")
WHOLE = {"train_pairs": None, "validation_pairs": None, "test_pairs": None, "data_seed": 0, "training": {}}


def results():
    """Results in the format of the experiments, by file, with which every claim holds."""

    def runs(seeds, accuracy, separation, **facts):
        return {s: {"turn_action_accuracy": accuracy, "paired_separation": separation, **facts} for s in seeds}

    def methods():
        found = {m: {"sees": "streams", "runs": runs("3 7 11".split(), 1.0, 1.0, seconds=20.0)} for m in STREAMS}
        found |= {m: {"sees": "transcript", "runs": runs("3 7 11".split(), 0.4, 0.0, seconds=9.5)} for m in TWINS}
        found |= {m: {"sees": "transcript", "runs": runs(["none"], 0.5, 0.0)} for m in PLAIN}
        return found | {"rules": {"sees": "streams", "runs": runs(["none"], 1.0, 1.0)}}

    def family():
        told = {
            m: {"sees": "streams", "turn_action_accuracy": 0.8, "runs": dict.fromkeys("3 7 11".split(), 0.8)}
            for m in STREAMS
        }
        told |= {m: {"sees": "transcript", "paired_separation": 0.0} for m in PLAIN}
        return {"best_transcript": {"method": "ngram", "turn_action_accuracy": 0.45}, "methods": told}

    lead = {"value": 0.5, "interval": [0.4, 0.6], "p": 1 / 10_001}
    tested = {m: {"sees": "streams", "turn_action_accuracy": lead} for m in (*STREAMS, "rules")}
    drops = {name: {"drop": 0.8} for name in ("timing", "streams", "labels")}
    return {
        "in_distribution.json": {"suites": {suite: {"methods": methods()} for suite in SUITES}},
        "leave_one_family_out.json": {"suites": {"hard": {"families": {name: family() for name in FAMILIES}}}},
        "significance.json": {"suites": {suite: {"methods": tested} for suite in SUITES}},
        "controls.json": {"suites": {suite: {m: {"controls": drops} for m in STREAMS} for suite in SUITES}},
        "sweep.json": {"seconds": 900.0},
    }


def write(folder, contents, settings=WHOLE):
    evidence = Evidence(folder)
    evidence.keep_to(settings)
    for name, content in contents.items():
        evidence.write(name, content)
    return folder


def changed(contents, file, path, value):
    """The results with one value replaced."""
    contents = json.loads(json.dumps(contents))
    *way, last = path.split("/")
    node = contents[file]
    for key in way:
        node = node[key]
    node[last] = value
    return contents


def status_of(verdicts):
    return {verdict.claim.id: verdict.status for verdict in verdicts}


def printed(folder, **arguments):
    """Exit status and what is on the terminal."""
    console = Console(width=200, record=True, quiet=False, file=open("/dev/null", "w"))
    return main(folder, console=console, **arguments), console.export_text()


def test_good_results_hold_every_claim(tmp_path):
    verdicts = verify(write(tmp_path, results()))
    assert set(status_of(verdicts).values()) == {HOLDS} and len(verdicts) == len(CLAIMS) >= 15
    status, text = printed(tmp_path)
    assert status == 0 and f"Of {len(CLAIMS)} claims {len(CLAIMS)} hold" in text


TAA, PS, HELD_OUT = "turn_action_accuracy", "paired_separation", "leave_one_family_out"


ONE_BAD_NUMBER = [
    ("mini-accuracy", "in_distribution", f"mini/methods/gru/runs/7/{TAA}", 0.9975, "gru / 7"),
    ("hard-separation", "in_distribution", f"hard/methods/transformer/runs/3/{PS}", 0.99, "transformer / 3"),
    ("noisy-accuracy", "in_distribution", f"noisy/methods/relational/runs/11/{TAA}", 0.969, "relational / 11"),
    ("transcript-separation", "in_distribution", f"hard/methods/ngram/runs/none/{PS}", 0.01, "hard / ngram / none"),
    ("transcript-ceiling", "in_distribution", f"mini/methods/gru-transcript/runs/3/{TAA}", 0.51, "mini"),
    ("language-model-separation", "in_distribution", f"mini/methods/{PLAIN[-1]}/runs/none/{PS}", 0.1, "Q4_1"),
    ("streams-suffice", "in_distribution", f"hard/methods/rules/runs/none/{TAA}", 0.99, "hard / none"),
    ("significance", "significance", f"noisy/methods/rules/{TAA}/p", 1e-4, "noisy / rules"),
    ("significance-direction", "significance", f"mini/methods/gru/{TAA}/interval", [-0.6, -0.4], "mini / gru"),
    ("control-timing", "controls", "mini/gru/controls/timing/drop", 0.549, "mini / gru"),
    ("control-streams", "controls", "hard/gru/controls/streams/drop", 0.649, "hard / gru"),
    ("control-labels", "controls", "noisy/gru/controls/labels/drop", 0.749, "noisy / gru"),
    ("training-time", "in_distribution", "hard/methods/gru/runs/3/seconds", 60.0, "hard / gru / 3"),
    ("held-out-transcript-separation", HELD_OUT, f"hard/families/backchannel/methods/ngram/{PS}", 0.1, "ngram"),
    ("held-out-each-family", HELD_OUT, f"hard/families/backchannel/methods/relational/{TAA}", 0.45, "backchannel"),
]


@pytest.mark.parametrize(("claim", "file", "path", "value", "where"), ONE_BAD_NUMBER)
def test_a_claim_falls_short_by_one_number(tmp_path, claim, file, path, value, where):
    verdicts = verify(write(tmp_path, changed(results(), f"{file}.json", f"suites/{path}", value)))
    found = next(verdict for verdict in verdicts if verdict.claim.id == claim)
    assert found.status == SHORT and where in found.where and len(found.failing) == 1
    assert printed(tmp_path)[0] == 1


def test_a_mean_may_hold_where_one_family_does_not(tmp_path):
    contents = results()
    for seed in ("3", "7", "11"):
        path = f"suites/hard/families/backchannel/methods/relational/runs/{seed}"
        contents = changed(contents, "leave_one_family_out.json", path, 0.1)
    path = f"suites/hard/families/backchannel/methods/relational/{TAA}"
    verdicts = verify(write(tmp_path, changed(contents, "leave_one_family_out.json", path, 0.1)))
    told = status_of(verdicts)
    assert told["held-out-mean"] == HOLDS and told["held-out-each-family"] == SHORT
    write_failure_report(verdicts, tmp_path / "failures.md")
    report = (tmp_path / "failures.md").read_text()
    assert (
        "| backchannel | 0.100 | 0.450 | −0.350 | not above the transcript, below the mean that is asked |" in report
    )
    assert "The mean is 0.730" in report and "short by 0.350" in report
    assert all(f"| {name} |" in report for name in FAMILIES)


@pytest.mark.parametrize(
    "path", ["suites/hard/methods/gru/runs/7/turn_action_accuracy", "suites/hard/methods/gru/runs/7", "suites/hard"]
)
def test_what_is_missing_is_no_evidence_not_a_pass(tmp_path, path):
    contents = changed(results(), "in_distribution.json", path, None)
    found = next(v for v in verify(write(tmp_path, contents)) if v.claim.id == "hard-accuracy")
    assert found.status == MISSING and "there is nothing for" in found.reason
    assert found.value is None and printed(tmp_path)[0] == 1


def test_every_seed_suite_family_and_policy_has_to_be_there(tmp_path):
    contents = results()
    del contents["in_distribution.json"]["suites"]["noisy"]
    del contents["leave_one_family_out.json"]["suites"]["hard"]["families"]["backchannel"]
    del contents["controls.json"]["suites"]["mini"]["relational"]
    del contents["significance.json"]["suites"]["mini"]["methods"]["rules"]
    told = status_of(verify(write(tmp_path, contents)))
    assert {name for name, status in told.items() if status == HOLDS} == {
        "mini-accuracy", "mini-separation", "hard-accuracy", "hard-separation", "streams-suffice", "sweep-time"
    }  # fmt: skip
    assert SHORT not in told.values()


def test_a_file_that_is_gone_leaves_its_claims_without_evidence(tmp_path):
    write(tmp_path, results())
    (tmp_path / "controls.json").unlink()
    verdicts = verify(tmp_path)
    missing = [verdict for verdict in verdicts if verdict.status == MISSING]
    assert [verdict.claim.id for verdict in missing] == ["control-timing", "control-streams", "control-labels"]
    write_failure_report(verdicts, tmp_path / "failures.md")
    assert "there is no controls.json" in (tmp_path / "failures.md").read_text()


def test_a_file_that_was_changed_is_refused_with_what_makes_it_anew(tmp_path):
    write(tmp_path, changed(results(), "controls.json", "suites/mini/gru/controls/timing/drop", 0.3))
    path = tmp_path / "controls.json"
    # A better number, by hand.
    path.write_text(path.read_text().replace("0.3", "0.9"))
    command = f"python -m hf_duplex.interaction controls --out {tmp_path}"
    with pytest.raises(ValueError, match=re.escape(f"{path} does not match its hash") + ".*" + re.escape(command)):
        verify(tmp_path)
    status, text = printed(tmp_path, ledger=tmp_path / "ledger.md")
    assert status == 2 and str(path) in text.replace("\n", "") and not (tmp_path / "ledger.md").exists()


def test_a_changed_policy_or_prediction_is_refused_too(tmp_path):
    run = Run("mini", "gru", 3, held_out="backchannel")
    write(tmp_path, results() | {run.file("predictions"): {"predictions": ["wait"]}})
    (tmp_path / run.file("predictions")).write_text("{}")
    with pytest.raises(ValueError, match="leave-one-family-out"):
        verify(tmp_path)


def test_a_file_without_a_hash_is_no_evidence(tmp_path):
    contents = results()
    told = contents.pop("controls.json")
    write(tmp_path, contents)
    (tmp_path / "controls.json").write_text(json.dumps(told))
    assert status_of(verify(tmp_path))["control-timing"] == MISSING


@pytest.mark.parametrize("settings", [{"test_pairs": 20}, {"training": {"epochs": 100}}])
def test_a_try_is_no_evidence(tmp_path, settings):
    verdicts = verify(write(tmp_path, results(), WHOLE | settings))
    assert {verdict.status for verdict in verdicts} == {MISSING}
    assert all("a try" in verdict.reason for verdict in verdicts)


def test_no_results_and_no_manifest_are_refused(tmp_path):
    with pytest.raises(ValueError, match="results_dir.*holds no manifest.json.*interaction all"):
        verify(tmp_path / "nowhere")
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="no manifest in format"):
        verify(tmp_path)
    assert printed(tmp_path)[0] == 2


def test_the_ledger_tells_claim_evidence_command_and_status(tmp_path):
    verdicts = verify(write(tmp_path, changed(results(), "sweep.json", "seconds", 1500.0)))
    write_ledger(verdicts, tmp_path / "made" / "ledger.md")
    ledger = (tmp_path / "made" / "ledger.md").read_text()
    rows = [line for line in ledger.splitlines() if line.startswith("| **")]
    assert len(rows) == len(CLAIMS)
    for claim, row in zip(CLAIMS, rows):
        assert claim.id in row and claim.sentence in row and f"`{claim.command}`" in row and claim.file in row
        assert row.count(" | ") == 6
    assert "| below 1200 | 1,500.0 |" in rows[-1] and "falls short" in rows[-1]
    assert "other data" in ledger


def test_nothing_failed_is_said_in_as_many_words(tmp_path):
    write_failure_report(verify(write(tmp_path, results())), tmp_path / "failures.md")
    report = (tmp_path / "failures.md").read_text()
    assert report.count("None.") == 2 and "hold, 0 fall short, 0 have no evidence" in report


# --- data and predictions

FEW = SuiteConfig("mini", 8, 1, (3, 3), {"train": 20, "validation": 10, "test": 20})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    build_suite(FEW, folder / "mini", progress=False)
    return folder


def write_with_predictions(folder, data, told=1.0):
    """The rule harness in distribution, and without a family; results tell of accuracies of `told`."""
    evidence = Evidence(folder)
    evidence.keep_to(WHOLE)
    splits = load_suite(data / "mini")
    for split, examples in splits.items():
        evidence.keep_data(f"mini/{split}", examples)
    for run in (Run("mini", "rules"), Run("mini", "rules", held_out="backchannel")):
        examples = [example for example in splits["test"] if run.held_out in (None, example.family)]
        evidence.write(run.file("predictions"), {"predictions": RuleHarness().predict(examples)})
    runs = {"none": {TAA: told, PS: told}}
    evidence.write("in_distribution.json", {"suites": {"mini": {"methods": {"rules": {"runs": runs}}}}})
    families = {"backchannel": {"methods": {"rules": {"runs": {"none": told}}, "some-language-model": {}}}}
    evidence.write("leave_one_family_out.json", {"suites": {"mini": {"families": families}}})
    return read_manifest(folder)


def test_results_are_counted_anew_from_the_predictions(tmp_path, data):
    manifest = write_with_predictions(tmp_path, data)
    splits = check_data(data, manifest)
    assert set(splits) == {"mini/train", "mini/validation", "mini/test"}
    assert recount(tmp_path, manifest, splits) == 2
    verify(tmp_path, data)


def test_a_number_that_the_predictions_do_not_give_is_refused_though_its_hash_fits(tmp_path, data):
    write_with_predictions(tmp_path, data, told=0.975)
    verify(tmp_path)
    with pytest.raises(ValueError, match="tells of mini rules a turn_action_accuracy of 0.9750.*give 1.0000"):
        verify(tmp_path, data)


def test_other_data_are_refused(tmp_path, data):
    write_with_predictions(tmp_path / "results", data)
    build_suite(FEW, tmp_path / "other" / "mini", seed=1, progress=False)
    with pytest.raises(ValueError, match="not those that results were measured on"):
        verify(tmp_path / "results", tmp_path / "other")
    with pytest.raises(ValueError, match="data_dir.*dataset_builder.interaction build --suite mini"):
        verify(tmp_path / "results", tmp_path / "nowhere")
    path = next((tmp_path / "other" / "mini" / "data").glob("test*"))
    path.write_bytes(path.read_bytes() + b" ")
    assert printed(tmp_path / "results", data_dir=tmp_path / "other")[0] == 2


# --- one claim


def claim(**given):
    told = {"id": "x", "sentence": "X.", "file": "x.json", "path": "a", "comparison": ">=", "threshold": 1.0}
    return Claim(**{**told, "command": "make x", **given})


@pytest.mark.parametrize(
    ("comparison", "passing", "failing"),
    [(">=", 1.0, 0.99), ("<=", 1.0, 1.01), (">", 1.01, 1.0), ("<", 0.99, 1.0), ("==", 1.0, 1.01), ("==", 1.0, 0.99)],
)
def test_comparisons(comparison, passing, failing):
    asked = claim(comparison=comparison)
    assert judge(asked, {"a": passing}).status == HOLDS
    short = judge(asked, {"a": failing})
    assert short.status == SHORT and asked.shortfall(short.value) == pytest.approx(abs(failing - 1))


@pytest.mark.parametrize("value", [None, "1.0", True, float("nan"), float("inf"), [], {}])
def test_what_is_no_number_is_no_evidence(value):
    assert judge(claim(), {"a": value}).status == MISSING


def test_paths():
    told = {"a": {"x": {"sees": "s", "n": 1}, "y": {"sees": "t", "n": 2}, "xy": {"n": 3}}, "l": [4, 5]}
    assert list(find(told, "a/*/n")) == [(("x",), 1), (("y",), 2), (("xy",), 3)]
    assert list(find(told, "a/x*/n")) == [(("x",), 1), (("xy",), 3)]
    assert list(find(told, "a/*[sees=t]/n")) == [(("y",), 2)]
    assert list(find(told, "a/y|z/n")) == [(("y",), 2), (("z",), None)]
    assert list(find(told, "l/1")) == [((), 5)] and list(find(told, "nowhere/at/all")) == [((), None)]


def test_an_unknown_comparison_is_refused():
    with pytest.raises(ValueError, match="`comparison` must be one of"):
        claim(comparison="=>")


def test_claims_have_names_of_their_own_and_commands_that_are_known():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    assert command_for("policies/mini/gru-seed3/model.safetensors").endswith("in-distribution")
    assert command_for("in_distribution.json").endswith("in-distribution")
    assert command_for("controls/mini/gru-seed3.json").endswith("controls")


def test_the_evidence_in_the_repository_bears_every_claim():
    evidence = Path(__file__).parents[2] / "results" / "interaction"
    verdicts = verify(evidence)
    assert [verdict.claim.id for verdict in verdicts] == [claim.id for claim in CLAIMS]
    assert {verdict.status for verdict in verdicts} == {HOLDS}
