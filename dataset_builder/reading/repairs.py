"""Finds repairs in a text: "-- wait, ...", "Sorry, ...", and in JSON the member "//"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


_LEADS = "wait|sorry|no|hold on|correction|scratch that"
_BROKEN_OFF = "hold|scratch"  # these may be cut short by a further update
_EVENT = re.compile(
    rf"(?P<lead>(?: --|(?<=[,:;])|(?<=[.?!])|(?<=<eos>)|^) ?(?i:(?:{_LEADS})[,:]|(?:{_BROKEN_OFF})(?= --)))"
    r"|(?P<close> --(?= |$))"
    r"|(?P<end>[.?!](?= |<|$)|<eos>)"
)
_MEMBER = re.compile(r'"//": "[a-z ]+"')
_OPENING = re.compile(r'(?:, | ?\{(?:"[a-z_]+": \{)?)$')


class Repair(NamedTuple):
    """
    A span that takes something back.

    Args:
        start (`int`): Start of its lead-in, with the dash or space before it.
        end (`int`): One past its last character; in JSON, the end of the lead-in, as nothing marks the end.
        after (`int`): An update that required it was received after this position ...
        by (`int`): ... and no later than this one.
    """

    start: int
    end: int
    after: int
    by: int


def spoken(text: str) -> Iterator[Repair]:
    """The repairs of a prose text, in order; one that another cuts short ends where the other begins."""
    opened: tuple[int, int, int] | None = None
    lead: re.Match[str] | None = None
    for event in _EVENT.finditer(text):
        if opened:
            yield Repair(opened[0], event.start() if event["lead"] else event.end(), *opened[1:])
            opened = None
        if event["lead"]:
            word = re.search(r"[a-zA-Z]", event[0])
            assert word is not None
            by = max(event.start() + word.start() - 1, event.start())
            # A lead-in is one word, its dash included.
            after = lead.start() if lead and lead.end() == event.start() else text.rfind(" ", 0, event.start())
            opened, lead = (event.start(), after, by), event
    if opened:
        yield Repair(opened[0], len(text), *opened[1:])


def written(text: str, members: list[int]) -> Iterator[Repair]:
    """The repairs of JSON whose members begin at the given places: a member that has begun is finished first."""
    for lead in _MEMBER.finditer(text):
        before = [start for start in members if start < lead.start()]
        yield Repair(lead.start(), lead.end(), begins(text, before[-1]) if before else -1, begins(text, lead.start()))


def begins(text: str, member: int) -> int:
    """Start of a member, with the comma or brace that opens it."""
    opening = _OPENING.search(text, max(0, member - 40), member)
    return opening.start() if opening else member
