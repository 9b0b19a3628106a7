"""Texts that hold together by themselves, and texts that do not."""

import pytest
from hand_made import CUSCO, LIMA, PESO, chile, row

from hf_duplex.evaluation.metrics.judging import JudgedText
from hf_duplex.evaluation.metrics.wellformed import adds_up, incoherences


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("3a + 8 is 3 * 6 + 8 = 18 + 8 = 26.", True),
        ("3a + 8 is 3 * 6 + 8 = 18 + 8 = 27.", False),
        ("3a + 8 is 3 * 6 + 8 = 19 + 8 = 27.", False),
        ("That makes 7 plus 2 minus 3 = 6.", True),
        ("That makes 7 plus 2 minus 3 = 5.", False),
        ("$7 million times 2 is $14 million.", True),
        ("The capital of Chile is Lima.", True),
    ],
)
def test_arithmetic(sentence, expected):
    assert adds_up(sentence) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"age": 43, "born": 1987}<eos>', []),
        ('{"age": 43} {"age": 44}<eos>', []),
        ('{"age": 43, "//": "sorry", "age": 44}<eos>', []),
        ('{"age": 43, "born": 1987<eos>', ["json"]),
        ('{"age": 43 "born": 1987}<eos>', ["json"]),
        ("[43, 1987]<eos>", ["json"]),
        ('The age is 43. {"age": 43}<eos>', ["json"]),
        ("<eos>", ["unreadable"]),
    ],
)
def test_json(text, expected):
    made = row("structured_transformation", {"age": "43", "born": "1987"}, [], ["age", "born"])
    assert incoherences(JudgedText(made, text, [], True)) == expected


@pytest.mark.parametrize(
    ("text", "ended", "expected"),
    [
        (LIMA + PESO, True, []),
        (f"Sure. {LIMA}{PESO} That is all.", True, []),
        (LIMA + PESO, False, ["unended"]),
        ("", False, ["unended", "unreadable"]),
        (f"{LIMA} {LIMA}", True, []),
        (f"{LIMA} {LIMA} {LIMA}", True, ["loop"]),
        (f"{LIMA} {CUSCO} {LIMA}", True, []),
        (f"{LIMA} Nobody could ever have told us about all of the other things.", True, ["unreadable"]),
        (f"{LIMA} It has 12 of them.", True, ["unreadable"]),
    ],
)
def test_sentences(text, ended, expected):
    assert incoherences(JudgedText(chile(), text, [], ended)) == expected
