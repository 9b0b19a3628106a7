"""Finds what does not follow in a gold text from the messages received."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from ..families.everyday import rows_oracle as everyday
from ..reading import Claim
from ..reading.repairs import Repair
from ..world.facts import NONE
from .account import Account, Moment, Statement
from .listener import NotUnderstood, StatedValue, read_row


END = "<eos>"


def disagreements(row: Mapping[str, Any]) -> list[str]:
    """
    Describes, one sentence each, what in the gold text of a row does not follow from the messages received.

    Args:
        row (`Mapping[str, Any]`):
            A row of a data set. Only its prompt, targets and task type, and text and position of its updates are
            read.

    Raises:
        ValueError: A column is missing, or the family has no oracle.
    """
    if row.get("task_type") == "everyday":
        return everyday.disagreements(row)
    try:
        conversation = read_row(row)
    except NotUnderstood as error:
        return [f"The prompt is not understood: {error}"]
    account = Account(conversation)
    found = [*wrong_values(account), *wrong_answers(account), *wrong_asides(account), *wrong_end(account)]
    found += [*wrong_repairs(account), *idle_repairs(account)]
    if not account.listener.gives_reasons:
        found += [*said_twice(account), *wrong_order(account)]
    return found + account.listener.faults(conversation)


def wrong_values(account: Account) -> Iterator[str]:
    """Values that are wrong at their place, and claims without a reason."""
    for claim, parts, versions in account.statements:
        for part, version in zip(parts, versions, strict=True):
            due = account.value(version, part.key)
            if part.value != due:
                yield (
                    f"{_at(account, claim)}, {part.key} is said to be {part.value} at {part.place}; after {version} "
                    f"updates it is {due}."
                )
        if not account.listener.may_say(account.conversation.states[max(versions)], claim.key):
            yield f"{_at(account, claim)}, nobody asked for {claim.key}."


def wrong_answers(account: Account) -> Iterator[str]:
    """Questions that are never answered, or whose last answer is wrong."""
    said = {statement.claim.key: statement.claim for statement in account.statements}
    for key in account.questions:
        due = account.value(-1, key)
        if key in said and said[key].value != due:
            yield f"{key} was last said to be {said[key].value}; in the end it is {due}."
        elif (
            key not in said
            and account.conversation.stopped < 0
            and not (account.listener.skips_absent and due == NONE)
        ):
            yield f"{key} was asked for and never said; in the end it is {due}."


def wrong_asides(account: Account) -> Iterator[str]:
    """Intermediate statements that no question asks for, and that are not repaired as an answer would be."""
    for key in sorted({statement.claim.key for statement in account.statements}.difference(account.questions)):
        own = (statement for statement in account.statements if statement.claim.key == key)
        said = [part for statement in own for part in statement.parts if part.key == key]
        if said and said[-1].value != account.value(-1, key):
            yield f"{key} was last said to be {said[-1].value}; in the end it is {account.value(-1, key)}."
        for place, before, after in account.moments:
            latest = [part.value for part in said if part.place <= place][-1:]
            stale = latest == [account.value(before, key)] != [account.value(after, key)]
            if stale and not any(repair.after < place < repair.end for repair in account.repairs):
                yield f"At {place}, {key} is stale, and nothing takes it back."


def wrong_end(account: Account) -> Iterator[str]:
    """A text that ends too early or too late."""
    if not account.text.endswith(END):
        yield "The text does not end."
    bounds = [0, *account.conversation.positions, len(account.text)]
    if bounds != sorted(bounds):
        yield f"Updates are heard at {bounds[1:-1]}, in a text of {bounds[-1]} characters."
    if not account.conversation.endless:
        return
    stopped, ended = account.conversation.stopped, account.text.find(END)
    if not 0 <= stopped <= ended:
        version = bisect_right(account.conversation.positions, ended)
        nothing_to_say = all(account.value(version, key) == NONE for key in account.questions)
        if not (account.listener.skips_absent and nothing_to_say):
            yield f"At {ended}, the text ends, though it was to go on."
    more = [
        answer.statement.claim
        for answer in account.answers
        if answer.statement.claim.start > stopped >= 0 and not answer.repair
    ]
    more = [  # those in one sentence count as one
        claim
        for before, claim in zip([None, *more], more, strict=False)
        if not before or account.text[before.end : claim.start] != " and "
    ]
    late = [claim for claim in more[1:] if claim.start >= _sentence_end(account, stopped)]
    if late:
        yield f"{_at(account, late[0])}, the text goes on, though it was to stop at {stopped}."


def _sentence_end(account: Account, place: int) -> int:
    """End of the sentence that had begun at a place; the place itself in JSON, which has no sentences."""
    mark = None if account.listener.written else re.compile(r"[.?!](?= |<|$)").search(account.text, max(0, place - 1))
    return mark.end() if mark else place


def said_twice(account: Account) -> Iterator[str]:
    """Statements repeated though nothing had changed, or outside a repair."""
    for statement, earlier, repair in account.answers:
        if earlier is None or (not repair and account.conversation.endless):
            continue
        if not repair:
            yield f"{_at(account, statement.claim)}, it is said again outside a repair."
            continue
        first, _ = account.chain(repair)
        affected = any(
            first.after < moment.place <= statement.claim.start
            and account.changed(statement, moment.before, moment.after)
            for moment in account.moments
        )
        changed = affected or account.changed(statement, min(earlier.versions), max(statement.versions))
        if not (changed or _stood_with_it(account, earlier, repair) or _was_due(account, statement, repair)):
            yield f"{_at(account, statement.claim)}, it is repeated, though unaffected."


def _stood_with_it(account: Account, earlier: Statement, repair: Repair) -> bool:
    """Whether the repeated statement was part of the sentence that a repair cuts and replaces as a whole."""
    first, last = account.chain(repair)
    between = account.text[earlier.claim.end : first.start]
    goes_on = account.text[: last.end].endswith(" --")
    return earlier.claim.end <= first.start and not goes_on and not re.search(rf"[.?!](?= |$)|{END}", between)


def _was_due(account: Account, statement: Statement, repair: Repair) -> bool:
    """Whether, in a later round, the sentence that the repair replaces was due to make the repair's statement."""
    first, last = account.chain(repair)
    if not account.conversation.endless or account.text[: first.start].rstrip().endswith((".", "?", "!", END)):
        return False
    order, key, before, repaired = account.questions, statement.claim.key, "", set()
    for answer in account.answers:
        if answer.statement.claim.start >= last.end:
            break
        if answer.repair:
            repaired.add(answer.statement.claim.key)
        else:
            before, repaired = answer.statement.claim.key, set()
    turn = order.index(before) + 1 if before else 0
    skipped = (order[number % len(order)] for number in range(turn, turn + len(order)))
    return all(other in repaired for other in takewhile(lambda other: other != key, skipped))


def wrong_order(account: Account) -> Iterator[str]:
    """Statements made out of order. Those that have no value for a time may come late, and are ignored here."""
    versions = range(len(account.conversation.states))
    order = [key for key in account.questions if all(account.value(version, key) != NONE for version in versions)]
    turn, repaired = 0, set()
    for statement, _, repair in account.answers:
        key = statement.claim.key
        if key not in order:
            continue
        if repair:
            repaired.add(key)
            continue
        while order[turn % len(order)] in repaired - {key}:
            turn += 1
        if order[turn % len(order)] != key or (turn >= len(order) and not account.conversation.endless):
            yield f"{_at(account, statement.claim)}, it is out of its turn."
        turn = order.index(key) + 1 + turn // len(order) * len(order)
        repaired = set()


def wrong_repairs(account: Account) -> Iterator[str]:
    """Repairs that do not directly follow an update that made something emitted stale, and such updates without a
    repair directly after them."""
    for repair in account.repairs:
        _, last = account.chain(repair)  # a repair that was cut short may restate nothing itself
        said = [statement for statement in account.statements if statement.claim.start < last.end]
        if not any(
            repair.after < moment.place <= repair.by and account.changed(statement, moment.before, moment.after)
            for moment in account.moments
            for statement in said
        ):
            yield f"At {repair.start}, there is a repair, though nothing that was said has changed."
    keys = dict.fromkeys([*account.questions, *(statement.claim.key for statement in account.statements)])
    for moment in account.moments:
        stale = [key for key in keys if _gone_stale(account, key, moment)]
        excused = any(repair.after < moment.place < repair.end for repair in account.repairs)
        if stale and not excused and not _about_to_be_cut(account, moment):
            yield f"At {moment.place}, {stale[0]} is stale, and nothing takes it back."


def idle_repairs(account: Account) -> Iterator[str]:
    """Repairs after a finished sentence though no earlier statement had changed."""
    for repair in account.repairs:
        if not account.text[: repair.start].rstrip().endswith((".", END)):
            continue
        said = [statement for statement in account.statements if statement.claim.end <= repair.start]
        moments = [moment for moment in account.moments if repair.after < moment.place <= repair.by]
        if not any(account.changed(item, moment.before, moment.after) for moment in moments for item in said):
            yield f"At {repair.start}, there is a repair, though all that was said is right."


def _about_to_be_cut(account: Account, moment: Moment) -> bool:
    """Whether, in a later round, another repair cuts the current sentence: it may have held a new answer to the same
    question, right so far, which can no longer be read."""
    repair = min((repair.start for repair in account.repairs if repair.start >= moment.place), default=-1)
    ends = (statement.claim.end for statement in account.statements)
    return account.conversation.endless and repair >= 0 and not any(moment.place < end <= repair for end in ends)


def _gone_stale(account: Account, key: str, moment: Moment) -> bool:
    """Whether the last answer to a question, as far as it was emitted, has just become wrong."""
    said: list[StatedValue] = []
    for statement in account.statements:
        if statement.claim.key == key:
            said = [part for part in statement.parts if part.place <= moment.place] or said
    return any(
        part.value == account.value(moment.before, part.key) != account.value(moment.after, part.key) for part in said
    )


def _at(account: Account, claim: Claim) -> str:
    return f"At {claim.start} ({account.text[claim.start : claim.end]!r})"
