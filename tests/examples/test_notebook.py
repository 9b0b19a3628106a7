"""The notebook runs from top to bottom on a results file, and is kept without outputs."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient


NOTEBOOK = Path(__file__).parents[2] / "examples" / "analysis.ipynb"


def figure(value: float, n: int = 40) -> dict:
    return {"value": value, "interval": [max(0.0, value - 0.05), min(1.0, value + 0.05)], "n": n, "samples": 20}


def metrics(value: float) -> dict:
    names = ("revision_accuracy", "coherence", "recovery", "retention", "answer_accuracy")
    return {
        **{name: figure(value) for name in names},
        "contradiction_rate": figure(1 - value),
        "over_revision": figure(0.0),
    }


def split(value: float, counts: tuple[int, ...]) -> dict:
    return {
        "metrics": metrics(value),
        "families": {"list_editing": metrics(value)},
        "kinds": {"correction": metrics(value)},
        "updates": {str(count): metrics(value - 0.01 * count) for count in counts},
        "places": {"0.1": metrics(value)},
        "latency": {"histogram": {"0": 12, "3": 20, "never": 3}, "median": 3},
    }


def made_up_results() -> dict:
    values = {"listener": 0.9, "restarted": 0.8}
    comparison = {
        "a": "listener",
        "b": "restarted",
        "split": "test",
        "metric": "revision_accuracy",
        "value": 0.1,
        "interval": [0.05, 0.15],
        "p": 0.001,
        "n": 40,
        "samples": 20,
        "seeds": 1,
    }
    return {
        "format": 2,
        "models": {
            name: {"splits": {"test": split(value, (1, 2)), "more_updates": split(value, (8, 16))}}
            for name, value in values.items()
        },
        "comparisons": [comparison],
    }


def shown(notebook, kind: str) -> list[str]:
    """What the cells printed or displayed, of one kind."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    texts = [output.text for output in outputs if output.output_type == "stream" and output.name == "stdout"]
    return texts if kind == "stream" else [output.data[kind] for output in outputs if kind in output.get("data", {})]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "results.json").write_text(json.dumps(made_up_results()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_DUPLEX_RESULTS", str(folder / "results.json"))
        patch.setenv("HF_DUPLEX_FIGURES", str(folder))
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(folder / name))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    return folder, notebook


def test_it_shows_the_results_that_it_was_given(executed):
    _, notebook = executed
    tables = "\n".join(shown(notebook, "text/markdown"))
    assert "**test**" in tables and "**more_updates**" in tables and "list_editing" in tables
    assert "0.900 (0.850–0.950)" in tables and "listener − restarted" in tables


def test_it_draws_every_figure(executed):
    folder, notebook = executed
    names = ("accuracy_against_updates", "latency", "slot_movement", "inspection")
    assert all((folder / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in names)
    assert len(shown(notebook, "image/png")) == len(names)


def test_it_looks_into_the_shipped_workspace(executed):
    _, notebook = executed
    said, *doubted = "".join(shown(notebook, "stream")).splitlines()
    assert "3 * 7 + 2" in said and len(doubted) == 8 and doubted[0].startswith("5 ")


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code and all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(len(cell.source.splitlines()) <= 15 for cell in code)
