"""The page on dual-track reflection tells what its results files hold."""

import json
import shutil

import pytest
from PIL import Image

from hf_duplex.dual_track.page import draw, section


@pytest.fixture
def page(request, tmp_path):
    return shutil.copy(request.config.rootpath / "docs" / "dual_track.md", tmp_path / "dual_track.md")


@pytest.fixture
def results(request):
    return request.config.rootpath / "results" / "reflection"


def test_the_page_is_drawn_from_its_files(page, results):
    before = page.read_text()
    draw(results, page)
    assert page.read_text() == before, "run `python -m hf_duplex.hub dual-track`"
    with Image.open(page.with_suffix(".png")) as picture:
        assert picture.size[0] > 800


def test_runs_that_differ_in_their_seed_stand_side_by_side(results):
    found = [json.loads((results / f"text-{seed}.json").read_text()) for seed in range(3)]
    table = section("text", found)
    assert "| seed 0 | seed 1 | seed 2 |" in table
    for run in found:
        assert f"{run['activation']['f1']:.3f}" in table
    del found[1]["facts long ago"]
    row = next(line for line in section("text", found).splitlines() if "full context" in line)
    assert row.split(" | ")[2] == "–", "what was not measured is not made up"


def test_a_page_without_marks_is_refused(tmp_path, results):
    (tmp_path / "page.md").write_text("# Nothing")
    with pytest.raises(ValueError, match="lacks"):
        draw(results, tmp_path / "page.md")
