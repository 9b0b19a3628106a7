"""What the tests of the report share."""

import json
from pathlib import Path

import pytest
from report_files import put

from hf_duplex.hub.report import write_report


TRIALS = Path(__file__).parents[2] / "docs" / "trials"


@pytest.fixture
def results():
    return json.loads((TRIALS / "revision.json").read_text())


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Draws a report, without its figures, from the files that are given as `folder/name.json`."""
    monkeypatch.setattr("hf_duplex.hub.report.draw_figures", lambda *_: {})

    def draw(files, trials=tmp_path / "nowhere"):
        put(tmp_path, files)
        return write_report(tmp_path, trials).read_text()

    return draw
