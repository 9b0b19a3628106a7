"""What the README shows is what there is: its tables are those of the results files, its examples run and say so."""

import re
import shutil

import pytest

from hf_duplex.hub.readme import fill_readme, run_example


@pytest.fixture
def readme(request):
    return request.config.rootpath / "README.md"


def test_tables_and_the_text_of_the_example_are_those_of_the_released_models(readme, tmp_path):
    copy = tmp_path / "README.md"
    shutil.copy(readme, copy)
    fill_readme(copy, readme.parent / "model_cards")
    assert copy.read_text() == readme.read_text(), "run `python -m hf_duplex.hub readme`"


def test_the_examples_run_as_they_are_written(readme, monkeypatch, capsys):
    monkeypatch.chdir(readme.parent)
    text = readme.read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2 and len(blocks[0].splitlines()) <= 10
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert "3 * 5 + 2 = 15" in said and "3 * 7 + 2 = 21 + 2 = 23" in said


def test_a_page_without_an_example_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no example"):
        run_example("# Nothing", tmp_path)
