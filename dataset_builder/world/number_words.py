"""Whole numbers from 0 to 999 in words, and back: 120 is "one hundred and twenty"."""

from __future__ import annotations


_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen""".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def _in_words(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens = _TENS[number // 10 - 2]
        return f"{tens}-{_SMALL[number % 10]}" if number % 10 else tens
    hundreds = f"{_SMALL[number // 100]} hundred"
    return f"{hundreds} and {_in_words(number % 100)}" if number % 100 else hundreds


_WORDS = tuple(_in_words(number) for number in range(1000))
_NUMBERS = {words.replace("-", " ").replace(" and ", " "): number for number, words in enumerate(_WORDS)}


def to_words(number: int) -> str:
    """
    A number in words.

    Raises:
        ValueError: `number` is not one of 0 to 999.
    """
    if not 0 <= number < len(_WORDS):
        raise ValueError(f"`number` must be from 0 to 999 to be put in words, got {number}.")
    return _WORDS[number]


def from_words(text: str) -> int | None:
    """The number that `text` spells, with or without hyphens and "and"; None if it spells none from 0 to 999."""
    return _NUMBERS.get(" ".join(text.lower().replace("-", " ").replace(" and ", " ").split()))
