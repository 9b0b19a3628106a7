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


def test_links_between_pages_lead_somewhere(request):
    root = request.config.rootpath
    pages = [root / "README.md", root / "CONTRIBUTING.md", root / "CHANGELOG.md", *(root / "docs").rglob("*.md")]
    broken = []
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append((page.name, target))
    assert broken == []


def test_every_page_is_in_the_index(request):
    docs = request.config.rootpath / "docs"
    index = (docs / "README.md").read_text()
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in index} == set()
