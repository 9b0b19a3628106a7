"""What the page shows, as HTML: no browser, no model."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hf_duplex.cognition.blocks import CognitiveBlock
from hf_duplex.runtime.live import AppliedUpdate
from hf_duplex.runtime.slots import Doubted, Moves
from hf_duplex.studio import board, gauges
from hf_duplex.studio.metered import Meter, Pressures
from hf_duplex.studio.room import Version, View


BLOCK = CognitiveBlock(
    "1", 0.0, "Revenue was 50 million. No, 15.", "Revenue was 15 million. It rains.", insight="Cut costs."
)
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'&"


class Tags(HTMLParser):
    """Tags and attributes, and whether all that was opened was closed."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.words = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("polyline", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def tags(text):
    parsed = Tags(text)
    assert parsed.open == []
    return parsed


def view(*blocks, **rest):
    return View(1, list(blocks), frozenset(block.id for block in blocks if not block.is_locked), **rest)


@pytest.mark.parametrize(
    "status, is_open, insight, landed, shown",
    [
        ("stale", True, None, None, "waiting"),
        ("stale", False, "Cut costs.", 9.0, "stale"),
        ("invalidated", False, "Cut", None, "stale"),
        ("computing", True, "Cut", None, "computing ghost"),
        ("computing", False, "Cut", None, "computing"),
        ("stable", True, "Cut costs.", 9.0, "stable ghost"),
        ("stable", False, "Cut costs.", 0.4, "stable fresh"),
        ("stable", False, "Cut costs.", 9.0, "stable"),
    ],
)
def test_an_insight_looks_like_what_it_is_worth(status, is_open, insight, landed, shown):
    block = replace(BLOCK, insight_status=status, is_open=is_open, insight=insight)
    assert board.insight_class(block, landed) == shown
    cell = tags(board.advice(block, landed)).found[0][1]
    assert cell["class"] == f"cell advice {shown}" and cell["data-status"] == status
    # A flash that is drawn anew goes on where it was.
    assert ("-0.40s" in cell.get("style", "")) == ("fresh" in shown)


def test_lines_can_be_edited_until_they_are_confirmed():
    drawn = tags(board.board(view(BLOCK)))
    buttons = [attributes for tag, attributes in drawn.found if tag == "button"]
    assert [button["aria-label"] for button in buttons] == ["Edit: Revenue was 15 million.", "Edit: It rains."]
    assert {button["data-edit"] for button in buttons} == {"1"}
    assert "Revenue was 50 million. No, 15." in drawn.words and "Cut costs." in drawn.words
    locked = tags(board.board(view(replace(BLOCK, is_locked=True))))
    assert "button" not in {tag for tag, _ in locked.found} and "confirmed" in locked.words


def test_an_empty_page_says_what_to_type():
    assert "Revenue was 50 million." in tags(board.board(View())).words
    assert tags(gauges.gauges([])).words and tags(board.moved([])).words and tags(board.versions([])).words


def test_words_of_users_and_models_are_text():
    block = CognitiveBlock(EVIL, 0.0, EVIL, EVIL, insight=EVIL, insight_status="stable")
    heard = AppliedUpdate(EVIL, 3, 2, 12.0, 4, Moves(doubted=[Doubted(EVIL, 1.0, 0.1)], written=[EVIL]))
    drawn = [
        board.board(view(block)),
        board.board(view(replace(block, is_locked=True))),
        board.moved([("1", heard)]),
        board.versions([Version(1, EVIL, EVIL, EVIL)]),
        board.status(EVIL, is_error=True),
    ]
    for part in drawn:
        parsed = tags(part)
        assert EVIL in parsed.words
        assert not {"script", "img"} & {tag for tag, _ in parsed.found}
        assert not any(name.startswith("on") for _, attributes in parsed.found for name in attributes)


def test_what_an_update_moved_is_named_the_newest_first():
    doubted = [Doubted(f"w{number}", 1.0, 0.25) for number in range(9)]
    heard = [
        ("1", AppliedUpdate(text, 3, 2 + at, 12.4, 4, Moves(doubted, [], [], {}))) for at, text in enumerate("ab")
    ]
    words = tags(board.moved(heard)).words
    assert words.index("v3b") < words.index("v2a") and "12 ms" in words
    assert "w5 1.00→0.25 and 3 more" in words and "w6" not in words


def test_versions_say_what_changed():
    words = board.versions([Version(1, "1", "", "a."), Version(2, "1", "a.", "b."), Version(3, "1", "b.", "")])
    assert "<del>a.</del> <ins>b.</ins>" in words and words.index("<del>b.</del> taken back") < words.index("<ins>a.")


def test_gauges_draw_a_line_for_each_clock_to_scale():
    samples = [Pressures(-1.0, 0.0, 1.0, 0.5), Pressures(0.0, 0.0, 1.0, -0.25), Pressures(1.0, 0.0, 1.0, 0.0)]
    parsed = tags(gauges.gauges(samples))
    lines = {attributes["class"]: attributes["points"] for tag, attributes in parsed.found if tag == "polyline"}
    assert set(lines) == {"fast", "mid", "slow", "net"}
    assert lines["fast"] == "0.0,150.0 300.0,75.0 600.0,0.0" and lines["slow"] == "0.0,0.0 300.0,0.0 600.0,0.0"
    label = next(attributes["aria-label"] for tag, attributes in parsed.found if tag == "svg")
    assert label == "Pressures over 3 tokens, now fast +1.00, mid +0.00, slow +1.00, net +0.00"


def test_a_meter_keeps_the_newest():
    meter = Meter()
    for number in range(500):
        meter.add(Pressures(number, 0, 0, 0))
    assert len(meter.samples) == 240 and meter.samples[-1].fast == 499
