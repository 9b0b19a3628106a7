"""What a session takes from outside: text that is text, of a size, at a rate."""

import pytest
from opened import Clock

from hf_duplex.runtime.limits import Limits, Rate, Refusal, check_text


@pytest.mark.parametrize(
    "text, reason",
    [
        (b"caf\xe9", "not valid UTF-8 .at position 3"),
        ("half \ud83d", "not valid UTF-8 .at position 5"),
        ("a\x00b", r"U\+0000 at 1"),
        ("a\x1b[31mb", r"U\+001B at 1"),
        ("\x85", r"U\+0085"),
        ("abc\u202egnp.exe", r"U\+202E at 3"),
        ("", "is empty"),
        (" \n\t ", "is empty"),
        (7, "must be text, got int"),
        ("x" * 101, "longer than 100 bytes"),
        ("é" * 60, "longer than 100 bytes"),
        (b"x" * 5_000_000, "longer than 100 bytes"),
    ],
)
def test_what_is_no_text_is_refused_with_its_reason(text, reason):
    with pytest.raises(Refusal, match=f"`update`.*{reason}"):
        check_text(text, "update", 100)


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines\tof it",
        "/undo",
        "<script>alert(1)</script>",
        "<update> end loop",
        "👩‍👩‍👧 שלום 中文",
        b"caf\xc3\xa9",
    ],
)
def test_commands_markup_and_all_scripts_are_text(text):
    assert check_text(text, "update", 100) == (text.decode() if isinstance(text, bytes) else text)


def test_white_space_around_it_goes():
    assert check_text(" so \n", "update", 100) == "so"


def test_a_burst_and_then_a_rate():
    clock = Clock()
    rate = Rate(2.0, 3, clock)
    assert [rate.take() for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    clock.now = 0.5
    assert rate.take() == 0.0 and rate.take() == 0.5
    clock.now = 1000.0
    assert [rate.take() for _ in range(3)] == [0.0] * 3 and rate.take() > 0


def test_a_clock_that_jumps_back_gives_nothing_and_takes_nothing():
    clock = Clock()
    clock.now = 100.0
    rate = Rate(1.0, 1, clock)
    assert rate.take() == 0.0
    clock.now = -1e9
    assert rate.take() == 1.0
    clock.now += 1.0
    assert rate.take() == 0.0


def test_no_rate_is_no_limit():
    rate = Rate(None, 1)
    assert not any(rate.take() for _ in range(1000))


@pytest.mark.parametrize(
    "bad", [{"rate": 0}, {"burst": 0}, {"max_unread": 0}, {"idle_seconds": -1}, {"max_waiting": 0}]
)
def test_limits_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}`"):
        Limits(**bad)
