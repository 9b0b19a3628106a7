"""Examples on pages of docs/ run as they are written."""

import re

import pytest


@pytest.mark.parametrize("page", ["live_session.md"])
def test_examples_run(page, request, tmp_path, monkeypatch, capsys):
    root = request.config.rootpath
    (tmp_path / "model_cards").symlink_to(root / "model_cards")
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (root / "docs" / page).read_text(), re.DOTALL):
        exec(compile(block, page, "exec"), known)
    said = capsys.readouterr().out
    assert "applied" in said and "7 + 3 = 10" in said and "3 * 9 + 2 = 27 + 2 = 29" in said
