"""The report tells what its files hold: numbers, misses, where the baseline wins, and what is not known yet."""

import copy
import json
import re
import shutil
from pathlib import Path

import pytest
from report_files import (
    ABLATIONS,
    DISFL_QA,
    FIGURE,
    OURS,
    THEIRS,
    evidence_of,
    metrics_of,
    put,
    put_difference,
    put_value,
    rows,
    with_updates,
)
from tiny_contestants import gold, stale, use
from typer.testing import CliRunner

from dataset_builder import BuilderConfig
from hf_duplex.evaluation import run_revision_benchmark
from hf_duplex.evaluation.reporting.tables import difference_cell, figure_cell
from hf_duplex.hub.__main__ import app
from hf_duplex.hub.report import write_report
from hf_duplex.hub.report_cells import cells, wrong_values
from hf_duplex.hub.report_targets import outcomes


TRIALS = Path(__file__).parents[2] / "docs" / "trials"


def verdicts(folder, files):
    found = outcomes(evidence_of(folder, files))
    return {(entry.what, entry.on): entry.verdict for entry in found}


# Numbers


def test_numbers_are_those_of_the_file_and_change_with_it(words, results):
    for value in (0.8123, 0.7321):
        put_value(metrics_of(results, OURS)["revision_accuracy"], value)
        put_difference(results, "revision_accuracy", value / 10)
        report = words({"comparison/all.json": results})
        first = rows(report, "training seeds")[0]
        assert first[2] == figure_cell(metrics_of(results, OURS)["revision_accuracy"])
        assert first[3] == figure_cell(metrics_of(results, OURS)["contradiction_rate"])
        assert rows(report, "verdict")[0][3] == first[2]
        compared = rows(report, "p over seeds")[0]
        assert compared[:3] == [f"{OURS} − {THEIRS}", "test", "revision accuracy"]
        assert compared[3] == difference_cell(results["comparisons"][0]).strip()
        assert f"{value:.3f} (" in report and f"{value / 10:+.3f} (" in report
    assert results["commit"] in report
    assert results["command"] in report


def test_commands_tell_no_place_of_the_machine_that_measured(words, results):
    results["command"] = "hf-duplex bench revision --model ours=/home/me/runs/a,/home/me/runs/b --json /tmp/all.json"
    report = words({"comparison/all.json": results})
    assert "hf-duplex bench revision --model ours=runs/a,runs/b --json runs/all.json" in report
    assert report.count("<details>") == report.count("</details>") > 1


def test_p_values_are_corrected_over_the_splits_of_a_metric(words, results):
    for entry in results["comparisons"]:
        if entry["metric"] == "recovery":
            entry["p"] = {"test": 0.03, "retraction": 0.02}[entry["split"]]
    compared = rows(words({"comparison/all.json": results}), "p over seeds")
    found = {row[1]: row[4:6] for row in compared if row[2] == "recovery"}
    assert found == {"test": ["0.030", "0.040"], "retraction": ["0.020", "0.040"]}


def test_a_comparison_that_the_baseline_leads_is_turned(words, results):
    wanted = rows(words({"comparison/all.json": results}), "p over seeds")
    for entry in results["comparisons"]:
        low, high = entry["interval"]
        entry |= {"a": entry["b"], "b": entry["a"], "value": -entry["value"], "interval": [-high, -low]}
    assert rows(words({"comparison/all.json": results}), "p over seeds") == wanted


# What is not known yet


def test_without_files_every_question_is_told_to_be_open(words):
    report = words({})
    assert all("**no evidence yet**" in evidence for _, evidence in rows(report, "question"))
    assert {row[-1] for row in rows(report, "verdict")} == {"no evidence"}
    assert report.count("No evidence yet") >= 7 and "targets are reached" not in report
    assert not re.search(r"\d\.\d{3} \(", report)


def test_questions_are_open_until_their_file_is_there(words, results):
    def unanswered(report):
        return [question for question, evidence in rows(report, "question") if "no evidence yet" in evidence]

    files = {"comparison/all.json": results}
    assert "Does it with 16 updates?" in unanswered(words(files))
    for count in (16, 64, 1000):
        files[f"comparison/{count}.json"] = with_updates(results, count)
    left = unanswered(words(files))
    assert len(left) == 6 and not any("updates" in question for question in left)
    dual = copy.deepcopy(results["models"][THEIRS]) | {"model_type": "duplex_dual_stream"}
    results["models"]["dual"] = dual
    report = words(files | {"ablations/all.json": ABLATIONS, "disfl_qa/w.json": DISFL_QA})
    assert unanswered(report) == [
        "How does the gap move with the size of models?",
        "Do training seeds agree?",
        "How was it trained, and does training converge?",
    ]


def test_a_file_of_another_kind_is_named(words, results, tmp_path):
    for file, content, message in (
        ("comparison/a.json", {**results, "format": 1}, "a.json is of format 1, not 2"),
        ("ablations/b.json", results, "b.json holds no results of ablations"),
        ("disfl_qa/c.json", results, "c.json holds no results of disfl_qa"),
    ):
        with pytest.raises(ValueError, match=message):
            words({file: content})
        (tmp_path / file).unlink()
    with pytest.raises(ValueError, match="`cards`: there is no folder"):
        write_report(tmp_path / "elsewhere")


def test_one_name_for_different_models_is_refused(words, results):
    other = with_updates(results, 16)
    other["models"][OURS]["parameters"] += 1
    with pytest.raises(ValueError, match="16.json calls another model workspace-5m"):
        words({"comparison/16.json": other, "comparison/all.json": results})


# Targets


@pytest.mark.parametrize(
    ("value", "lead", "verdict"),
    [
        (0.990, 0.010, "reached"),
        (0.982, 0.010, "reached, interval open"),
        (0.990, 0.001, "reached, interval open"),
        (0.978, 0.010, "missed, interval open"),
        (0.960, 0.010, "missed"),
        (0.990, -0.001, "missed, interval open"),
        (0.990, -0.009, "missed"),
    ],
)
def test_a_target_is_held_against_the_value_and_the_baseline(tmp_path, results, value, lead, verdict):
    put_value(metrics_of(results, OURS)["revision_accuracy"], value)
    put_value(metrics_of(results, THEIRS)["revision_accuracy"], value - lead)
    put_difference(results, "revision_accuracy", lead)
    found = verdicts(tmp_path, {"comparison/all.json": results})
    assert found["revision accuracy, as in training", "test"] == verdict


def test_where_lower_is_better_every_split_is_held_to_it(words, tmp_path, results):
    for split, value in (("test", 0.005), ("retraction", 0.03)):
        for name in (OURS, THEIRS):
            put_value(metrics_of(results, name, split)["contradiction_rate"], value, 0.001)
        put_difference(results, "contradiction_rate", 0.0, split, 0.0)
    report = words({"comparison/all.json": results})
    found = verdicts(tmp_path, {})
    assert found["contradiction rate on every split", "test"] == "reached"
    assert found["contradiction rate on every split", "retraction"] == "missed"
    shown = [row for row in rows(report, "verdict") if row[2] == "retraction"]
    assert shown[0][-1] == "**missed**"
    left = "more_updates, late, long, paraphrase, novel_values, composition, distractor, adversarial"
    assert found["contradiction rate on every split", left] == "no evidence"
    failed = {row[0] for row in rows(report, "wrong values")}
    assert "contradiction rate on every split, retraction" in failed
    assert "contradiction rate on every split, test" not in failed


def test_more_updates_ask_for_a_lead(tmp_path, results):
    files = {}
    for count, ours, theirs in ((16, 0.99, 0.85), (64, 0.96, 0.60), (1000, 0.91, 0.95)):
        files[f"comparison/{count}.json"] = played = with_updates(results, count)
        put_value(metrics_of(played, OURS)["revision_accuracy"], ours)
        put_value(metrics_of(played, THEIRS)["revision_accuracy"], theirs)
        put_difference(played, "revision_accuracy", ours - theirs)
    found = verdicts(tmp_path, files)
    assert found["with 4 times as many updates", "test, 16 updates"] == "missed"
    assert found["with 16 times as many updates", "test, 64 updates"] == "reached"
    assert found["with 1,000 updates", "test, 1,000 updates"] == "reached"
    assert found["revision accuracy, as in training", "test"] == "no evidence"


def test_numbers_of_updates_of_one_file_are_told_apart(tmp_path, results):
    played = with_updates(results, 16, "more_updates")
    played["settings"]["builder"]["update_counts"] = []
    for name, value in ((OURS, 0.97), (THEIRS, 0.5)):
        measured = played["models"][name]["splits"]["more_updates"]
        measured["updates"] = {"64": copy.deepcopy(measured["metrics"])}
        put_value(measured["updates"]["64"]["revision_accuracy"], value)
    found = verdicts(tmp_path, {"comparison/more.json": played})
    assert found["with 16 times as many updates", "more_updates, 64 updates"] == "reached"
    assert found["with 4 times as many updates", "16 updates"] == "no evidence"


def test_a_lead_over_no_baseline_is_not_known(tmp_path, results):
    put_value(metrics_of(results, OURS)["revision_accuracy"], 0.999)
    del results["models"][THEIRS]
    results["comparisons"] = []
    found = verdicts(tmp_path, {"comparison/all.json": results})
    assert found["revision accuracy, as in training", "test"] == "no evidence of a baseline"


def test_updates_that_never_show_miss_the_latency(tmp_path, results):
    latency = results["models"][OURS]["splits"]["test"]["latency"]
    assert verdicts(tmp_path, {"comparison/all.json": results})["median update latency, tokens", "test"] == "reached"
    latency |= {"median": None, "interval": [4.0, None]}
    assert verdicts(tmp_path, {"comparison/all.json": results})["median update latency, tokens", "test"] == "missed"


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ((0.10, 0.11, 0.12), "reached"),
        ((0.10, 0.11, 0.13), "missed"),
        ((0.10, float("nan"), 0.10), "missed"),
        ((0.10, 0.11), "no evidence of 1 of 3 runs"),
    ],
)
def test_seeds_converge_near_the_best_of_them(tmp_path, results, losses, verdict):
    results["models"][OURS]["specs"] = [f"runs/workspace-{seed}" for seed in range(3)]
    trial = json.loads((TRIALS / "trials.json").read_text())["trials"][0]
    tried = [trial | {"name": f"workspace-{seed}", "eval_loss": loss} for seed, loss in enumerate(losses)]
    files = {"comparison/all.json": results, "trials/trials.json": {"trials": tried}}
    found = verdicts(tmp_path, files)
    assert found["all training seeds converge", OURS] == verdict
    assert found["all training seeds converge", THEIRS] == "no evidence of 1 of 1 runs"


# Where others are better, and what failed


def test_cells_where_the_baseline_wins_are_found(tmp_path, results):
    sides = [results["models"][name]["splits"] for name in (OURS, THEIRS)]
    for split in sides[0]:  # alike everywhere
        sides[1][split] = copy.deepcopy(sides[0][split])
    files = {"comparison/all.json": results}

    def ahead():
        evidence = evidence_of(tmp_path, files)
        every = [cell for condition in evidence.on(None) for cell in cells(condition)]
        return {(cell.on, cell.group, cell.metric) for cell in every if cell.behind > 0}

    assert ahead() == set()
    put_value(sides[1]["test"]["kinds"]["correction"]["retention"], 0.999)
    put_value(sides[1]["test"]["families"]["scheduling"]["contradiction_rate"], 0.0001)
    put_value(sides[0]["retraction"]["metrics"]["over_revision"], 0.5)
    sides[0]["retraction"]["latency"] |= {"median": 3.0}
    put_value(sides[1]["test"]["updates"]["2"]["coherence"], 0.5)  # the workspace is better here
    assert ahead() == {
        ("test", "kind correction", "retention"),
        ("test", "family scheduling", "contradiction_rate"),
        ("retraction", "", "over_revision"),
        ("retraction", "", "median_latency"),
    }


def test_the_report_tells_where_the_baseline_wins_or_that_it_nowhere_does(words, results):
    report = words({"comparison/all.json": results})
    coherence = metrics_of(results, THEIRS, "retraction")["coherence"]
    assert coherence["value"] > metrics_of(results, OURS, "retraction")["coherence"]["value"]
    won = rows(report, "workspace − other")
    assert won[0][:2] == ["retraction", "coherence"] and won[0][3] == figure_cell(coherence)
    entry = next(e for e in results["comparisons"] if e["split"] == "retraction" and e["metric"] == "coherence")
    assert won[0][5] == f"{entry['p']:.3f}"
    assert "family business insight" in report and "p 0.601, Holm 0.607" in report
    results["models"][THEIRS]["splits"] = results["models"][OURS]["splits"]
    assert "Nowhere, in" in words({"comparison/all.json": results})


def test_wrong_values_are_told_apart(results):
    measured = results["models"][OURS]["splits"]["test"]
    put_value(measured["metrics"]["revision_accuracy"], 0.8)
    measured["metrics"]["revision_accuracy"]["n"] = 100
    put_value(measured["metrics"]["contradiction_rate"], 0.1)
    measured["metrics"]["contradiction_rate"]["n"] = 90
    assert wrong_values(measured) == {"revised": 100, "wrong": 20, "stale": 9, "unanswered": 10, "other": 1}


def test_what_fails_is_told_with_its_causes(words, results):
    measured = results["models"][OURS]["splits"]["test"]
    measured["incoherent"] |= {"loop": 7, "arithmetic": 5}
    put_value(measured["families"]["scheduling"]["revision_accuracy"], 0.0123)
    row = rows(words({"comparison/all.json": results}), "wrong values")[0]
    assert row[0] == "revision accuracy, as in training, test"
    assert row[4].startswith("107 of 614: stale 31, unanswered 34, other 42")
    assert row[5].startswith("scheduling 0.012, ") and row[-1] == "loop 7, arithmetic 5"


# Seeds


def test_each_seed_is_told_and_kept_when_its_cases_are_gone(words, tmp_path, monkeypatch):
    builder = BuilderConfig(families=("variable_substitution", "fact_correction"), kinds={"correction": 1})
    use(monkeypatch, first=gold, second=stale, other=gold)
    folder = tmp_path / "comparison"
    settings = {"samples": 8, "builder": builder, "one_at_a_time": 0, "progress": False}
    path = folder / "all.json"
    found = run_revision_benchmark(["ours=first,second", "other"], json_path=path, **settings)
    value = found["models"]["ours"]["splits"]["test"]["metrics"]["revision_accuracy"]["value"]
    found["models"]["ours"]["model_type"] = "duplex_workspace"
    path.write_text(json.dumps(found))
    row = rows(words({}), "spread of revision accuracy")[0]
    assert row[:2] == ["test", "ours"]
    first, second = (float(share) for share in row[2].split(", "))
    assert first == 1.0 and second < value < 1.0 and row[-1] == f"{first - second:.3f}"
    (folder / "all.cases.jsonl").unlink()
    assert rows(words({}), "spread of revision accuracy")[0] == row
    found["models"]["ours"]["specs"] = ["first", "another"]
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match="all.seeds.json belongs to other results"):
        words({})


# The rest


def test_ablations_and_disfl_qa_are_told(words):
    report = words({"ablations/a.json": ABLATIONS, "disfl_qa/b.json": DISFL_QA, "disfl_qa/c.json": DISFL_QA})
    assert figure_cell(FIGURE) in rows(report, "variant")[0]
    assert "- deaf: a control that does not hurt" in report and "hf-duplex bench ablations some.yaml" in report
    told = rows(report, "exact match by seed")
    assert [row[0] for row in told] == ["toy", "a rule written by hand", "copying the input"]
    assert told[0][1:4] == ["2", "50", "0.620, 0.620"] and told[0][5] == "0.810, 0.810"
    assert told[0][4].startswith("0.620 (") and told[1][4].startswith("0.500 (") and told[1][6] == "0.760"
    assert "# b.json holds no command" in report


def test_trials_and_curricula_are_told(words, results):
    results["models"][OURS]["specs"] = ["runs/workspace"]
    report = words({"comparison/all.json": results}, TRIALS)
    trial = json.loads((TRIALS / "trials.json").read_text())["trials"][0]
    assert "Curriculum of workspace:" in report
    assert [row[1] for row in rows(report, "made with")] == [f"{phase['samples']:,}" for phase in trial["phases"]]
    run = rows(report, "learning rate \\| seed")
    assert len(run) == 1 and run[0][-1] == f"{trial['eval_loss']:.4f}"
    assert run[0][7] == f"{trial['samples'] / trial['seconds']:,.0f}"
    assert {row[0] for row in rows(report, "set apart by")} >= {"workspace", "baseline"}


def test_the_command_draws_report_and_figures_small_and_the_same_each_time(tmp_path, results):
    put(tmp_path, {"comparison/all.json": results, "comparison/16.json": with_updates(results, 16)})
    put(tmp_path, {"ablations/a.json": ABLATIONS})
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "old.png").write_bytes(b"")
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--trials", str(TRIALS)])
    assert done.exit_code == 0 and "REPORT.md" in done.output, done.output
    report = (tmp_path / "REPORT.md").read_text()
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "report").iterdir()}
    drawn = {"updates", "families", "kinds", "latency", "losses", "ablations"}
    assert set(pictures) == {f"{name}.png" for name in drawn}
    assert set(re.findall(r"\(report/(.*?)\)", report)) == set(pictures)
    assert sum(map(len, pictures.values())) < 300_000
    assert not re.search(r"\n{4}|{[{%]|None\b", report)
    write_report(tmp_path, TRIALS)
    assert (tmp_path / "REPORT.md").read_text() == report
    assert {path.name: path.read_bytes() for path in (tmp_path / "report").iterdir()} == pictures


def test_the_report_that_ships_is_drawn_from_the_files_beside_it(tmp_path):
    ignored = shutil.ignore_patterns("*.safetensors", "*.py", "*.png")
    cards = shutil.copytree(TRIALS.parents[1] / "model_cards", tmp_path / "model_cards", ignore=ignored)
    shipped = (cards / "REPORT.md").read_text()
    (cards / "REPORT.md").unlink()
    write_report(cards, TRIALS)
    assert (cards / "REPORT.md").read_text() == shipped, "run `python -m hf_duplex.hub report`"
