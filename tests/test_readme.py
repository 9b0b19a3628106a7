"""What the README shows is what there is: its tables are those of the results files, its examples run."""

import re
import shutil

import pytest

from hf_duplex.hub.tables import fill_readme


@pytest.fixture
def readme(request):
    return request.config.rootpath / "README.md"


def test_the_tables_are_drawn_from_the_results_files(readme, tmp_path):
    copy = tmp_path / "README.md"
    shutil.copy(readme, copy)
    fill_readme(copy, readme.parent / "model_cards")
    assert copy.read_text() == readme.read_text(), "run `python -m hf_duplex.hub readme`"


def test_the_examples_run_and_say_what_they_are_shown_to_say(readme, monkeypatch, capsys):
    monkeypatch.chdir(readme.parent)
    text = readme.read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    shown = re.search(r"```\n(3x \+ 2.*?)```", text, re.DOTALL)
    assert capsys.readouterr().out.split() == shown[1].split()
