"""Results files for reports: how they are put into a folder, changed in one place, and read back out of a page."""

import copy
import json
import re

from hf_duplex.hub.report_evidence import read_evidence


OURS, THEIRS = "workspace-5m", "baseline-5m"

FIGURE = {"value": 0.9, "interval": [0.8, 0.95], "n": 40, "samples": 20, "seeds": 1}
ABLATIONS = {
    "format": 2,
    "benchmark": "ablations",
    "command": "hf-duplex bench ablations some.yaml",
    "reference": "intact",
    "failures": ["deaf: a control that does not hurt"],
    "variants": {
        name: {
            "group": "controls",
            "note": "",
            "metric": "revision_accuracy",
            "status": "measured",
            "against": "intact",
            "difference": None,
            "hurts": None,
            "metrics": dict.fromkeys(("revision_accuracy", "contradiction_rate", "answer_accuracy"), FIGURE),
        }
        for name in ("intact", "deaf")
    },
}
DISFL_QA = {
    "benchmark": "disfl_qa",
    "model": "toy",
    "questions": 50,
    "scores": {
        "model": {"exact_match": 0.62, "f1": 0.81},
        "copy": {"exact_match": 0.02, "f1": 0.7},
        "repair": {"exact_match": 0.5, "f1": 0.76},
    },
    "wrong": [{"question": place, "f1": 0.5, "said": "What?"} for place in range(19)],
}


def put(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


def evidence_of(folder, files):
    put(folder, files)
    return read_evidence(folder, folder / "nowhere")


def rows(report, head):
    """The cells of the first table whose head holds a word, line by line."""
    table = re.search(rf"^\| [^\n]*{head}[^\n]*\n\| ---[^\n]*\n((?:\|[^\n]*\n)*)", report, re.MULTILINE)
    assert table, f"no table with {head}"
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[1].splitlines()]


def metrics_of(results, name, split="test"):
    return results["models"][name]["splits"][split]["metrics"]


def put_value(figure, value, width=0.004):
    figure |= {"value": value, "interval": [max(0.0, value - width), min(1.0, value + width)]}


def put_difference(results, metric, value, split="test", width=0.004):
    for entry in results["comparisons"]:
        if entry["metric"] == metric and entry["split"] == split and "family" not in entry:
            entry |= {"value": value, "interval": [value - width, value + width]}


def with_updates(results, count, split="test"):
    """The same, as if every sample had had so many updates."""
    found = copy.deepcopy(results)
    found["settings"]["builder"]["update_counts"] = [count]
    found["settings"]["splits"] = [split]
    for model in found["models"].values():
        model["splits"] = {split: model["splits"]["test"]}
    found["comparisons"] = [entry for entry in found["comparisons"] if entry["split"] == split]
    return found
