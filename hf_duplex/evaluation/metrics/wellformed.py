"""
Whether a text is well-formed, regardless of the truth: sentences make claims, arithmetic adds up, JSON parses, the
text ends, and nothing loops.
"""

import json
import re
from collections.abc import Iterator

from dataset_builder import END, FAMILIES
from dataset_builder.reading import CUT, threads
from dataset_builder.world.facts import NONE

from .judging import JudgedText


FRAME_WORDS = 8
"""The most words of an opening or closing, which makes no claim; it has no digit."""
LOOP = 3
"""A sentence repeated this often in a row is a loop."""

_NUMBER = r"-?\$?\d+(?: million)?"
_TERM = rf"{_NUMBER}(?: (?:[-+*]|plus|minus|times) {_NUMBER})*"
_STARTS = r"(?:(?<=\bis )|(?<=\bmakes )|(?<=\bequals )|(?<![\w*+-] ))(?<![\w$-])"
_EQUALITY = re.compile(rf"{_STARTS}({_TERM})((?: (?:=|is|makes|equals) {_TERM})+)(?![\w:])")
_CUT_SHORT = re.compile(rf" ?(?:[-+*]|plus|minus|times)? ?{CUT}")
_SIGNS = {"plus": "+", "minus": "-", "times": "*"}


def incoherences(hearing: JudgedText) -> list[str]:
    """
    The defects of a text by name: "unended", "loop", "unreadable", "arithmetic", "json".

    Args:
        hearing ([`JudgedText`]): The conversation; of its row only the family is used, and whether the text is endless
            until a stop.
    """
    found = [] if hearing.ended else ["unended"]
    if not hearing.text.replace(END, "").strip():
        asked = any(answer["value"] != NONE for answer in hearing.row["answers"])
        return found + ["unreadable"] * asked
    if hearing.written:
        return found + ["json"] * (not _parses(hearing.text))
    sentences = [thread.text for segment in hearing.text.split(END) for thread in threads(segment)]
    if not hearing.stopped and _loops(sentences):
        found.append("loop")
    if not hearing.claims or any(_says_nothing(hearing, segment) for segment in hearing.text.split(END)):
        found.append("unreadable")
    if any(not adds_up(sentence) for sentence in sentences):
        found.append("arithmetic")
    return found


def _parses(text: str) -> bool:
    """Whether a text is one JSON object or more, with nothing between them."""
    decoder, objects = json.JSONDecoder(), 0
    for segment in text.split(END):
        at, segment = 0, segment.strip()
        while at < len(segment):
            try:
                made, at = decoder.raw_decode(segment, at)
            except json.JSONDecodeError:
                return False
            if not isinstance(made, dict):
                return False
            objects += 1
            at += len(segment[at:]) - len(segment[at:].lstrip())
    return objects > 0


def _loops(sentences: list[str]) -> bool:
    said = [sentence.strip(f" .{CUT}").lower() for sentence in sentences]
    said = [sentence for sentence in said if sentence]
    return any(len(set(said[at : at + LOOP])) == 1 for at in range(len(said) - LOOP + 1))


def _says_nothing(hearing: JudgedText, segment: str) -> bool:
    """Whether there is a complete sentence without a claim, other than an opening and a closing."""
    starts = [claim.start for claim in FAMILIES[hearing.row["task_type"]].read(segment)]
    frames = 0
    for thread in threads(segment):
        said = thread.text.strip(" .:,;")
        if not said or said.endswith(CUT) or any(start in thread.places for start in starts):
            continue
        frames += 1
        if frames > 2 or len(said.split()) > FRAME_WORDS or re.search(r"\d", said):
            return True
    return False


def adds_up(sentence: str) -> bool:
    """Whether every equality between numbers in a sentence holds: "3 * 7 + 2 = 21 + 2 = 23". The last term of
    an interrupted sentence is ignored."""
    for match in _EQUALITY.finditer(sentence):
        sides = re.split(r" (?:=|is|makes|equals) ", match[0])
        sides = sides[:-1] if _CUT_SHORT.match(sentence, match.end()) else sides
        if len(sides) > 1 and any(re.search(r" (?:[-+*]|plus|minus|times) ", side) for side in sides):
            if len(set(map(_worked_out, sides))) > 1:
                return False
    return True


def _worked_out(term: str) -> int:
    """The value of a sum of products."""
    total, product, sign = 0, None, 1
    for word in _words(term):
        if word in "+-":
            total, product, sign = total + sign * (product or 0), None, 1 if word == "+" else -1
        elif word != "*":
            product = int(word) * (1 if product is None else product)
    return total + sign * (product or 0)


def _words(term: str) -> Iterator[str]:
    for word in term.replace(" million", "").replace("$", "").split():
        yield _SIGNS.get(word, word)
