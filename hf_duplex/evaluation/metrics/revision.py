"""
The six revision metrics, each a count over one conversation.

Every function takes a [`JudgedText`] (the emitted text, where each update was received, what was true) and returns
counts; a metric is a ratio of two of them, summed over conversations (`RATIOS`). They are defined in
`docs/metrics.md`. Text that cannot be parsed counts as a failure.
"""

from collections.abc import Sequence

from dataset_builder.reading.repairs import begins
from dataset_builder.world.facts import NONE

from .judging import Judged, JudgedText
from .wellformed import incoherences


Counts = dict[str, int]

RATIOS = {
    "revision_accuracy": ("revised_right", "revised"),
    "contradiction_rate": ("contradictions", "claims_after"),
    "contradiction_rate_before_repair": ("contradictions_before", "claims_after"),
    "contradiction_rate_after_repair": ("contradictions_after", "claims_after"),
    "coherence": ("coherent", "conversations"),
    "recovery": ("recovered", "stale_said"),
    "retention": ("kept", "unaffected"),
    "over_revision": ("over_revised", "harmless"),
    "answer_accuracy": ("answers_right", "answers"),
    "unread": ("answers_unread", "answers"),
}
"""Numerator and denominator of each metric. Update latency is not a ratio: see [`latencies`]."""

LOWER_IS_BETTER = frozenset(
    {
        "contradiction_rate",
        "contradiction_rate_before_repair",
        "contradiction_rate_after_repair",
        "over_revision",
        "unread",
    }
)


def all_counts(hearing: JudgedText) -> Counts:
    """The counts of all metrics."""
    return (
        answers(hearing)
        | revision(hearing)
        | contradiction(hearing)
        | coherence(hearing)
        | recovery(hearing)
        | retention(hearing)
    )


def _due(hearing: JudgedText, key: str) -> bool:
    """Whether the final text must answer a question. One without a value may be skipped, and after a stop any may stay
    open; but a wrong answer to it has to be taken back."""
    last = hearing.latest(key, len(hearing.text) + 1)
    if last is not None:
        return True
    return not hearing.stopped and hearing.truth.value(key, hearing.last) != NONE


def answers(hearing: JudgedText) -> Counts:
    """The last answer to each question: `answers`, `answers_right`, and `answers_unread` (none that can be parsed)."""
    counts = {"answers": 0, "answers_right": 0, "answers_unread": 0}
    for key in hearing.questions:
        last = hearing.latest(key, len(hearing.text) + 1)
        if last is None and not _due(hearing, key):
            continue
        counts["answers"] += 1
        counts["answers_unread"] += last is None
        counts["answers_right"] += last is not None and last.value == hearing.truth.value(key, hearing.last)
    return counts


def revision(hearing: JudgedText) -> Counts:
    """
    Claims after an update that depend on it (`revised`), and those that state the new value (`revised_right`). A
    question whose value an update changed, and which must be answered but was not since, counts as `revised` only.
    """
    after = [claim for claim in hearing.claims if claim.changed_by]
    right = sum(claim.right for claim in after)
    missing = 0
    for key in hearing.questions:
        missing += _unanswered(hearing, key)
    return {"revised": len(after) + missing, "revised_right": right}


def _unanswered(hearing: JudgedText, key: str) -> bool:
    """Whether a question whose value an update changed must be answered, but was not since."""
    changed_by = hearing.truth.changed_by(key, hearing.last)
    since = any(claim.key == key and claim.version >= changed_by for claim in hearing.claims)
    last = hearing.latest(key, len(hearing.text) + 1)
    settled = last is not None and last.value == hearing.truth.value(key, hearing.last)
    return bool(changed_by) and not since and not settled and _due(hearing, key)


def contradiction(hearing: JudgedText) -> Counts:
    """
    Claims after an update that changed them (`claims_after`), and those that still state the replaced value
    (`contradictions`), split by whether the new value had been stated before (`contradictions_after`, after the
    repair) or not yet (`contradictions_before`).
    """
    counts = {"claims_after": 0, "contradictions": 0, "contradictions_before": 0, "contradictions_after": 0}
    for number, claim in enumerate(hearing.claims):
        if not claim.changed_by:
            continue
        counts["claims_after"] += 1
        if claim.value not in claim.outdated:
            continue
        repaired = any(
            earlier.key == claim.key and earlier.version >= claim.changed_by and earlier.right
            for earlier in hearing.claims[:number]
        )
        counts["contradictions"] += 1
        counts["contradictions_after" if repaired else "contradictions_before"] += 1
    return counts


def coherence(hearing: JudgedText) -> Counts:
    """Whether the text is well-formed (`coherent` of one of `conversations`), and its defects if not."""
    found = incoherences(hearing)
    names = ("unended", "loop", "unreadable", "arithmetic", "json")
    return {"conversations": 1, "coherent": int(not found)} | {name: int(name in found) for name in names}


def _groups(hearing: JudgedText) -> list[tuple[int, int, int]]:
    """Updates that are received at one place: the place, and the versions before and after."""
    places = dict.fromkeys(hearing.heard_at)
    return [
        (place, sum(at < place for at in hearing.heard_at), sum(at <= place for at in hearing.heard_at))
        for place in places
    ]


def _gone_stale(hearing: JudgedText, place: int, before: int, after: int) -> dict[str, Judged]:
    """The last claim of each key that was right until the updates received at a place, and is wrong since."""
    stale = {}
    for key in dict.fromkeys(claim.key for claim in hearing.claims):
        last = hearing.latest(key, place)
        old, new = hearing.truth.value(key, before), hearing.truth.value(key, after)
        if last is not None and last.value == old != new:
            stale[key] = last
    return stale


def _next_claim(hearing: JudgedText, key: str, place: int) -> Judged | None:
    return next((claim for claim in hearing.claims if claim.key == key and claim.said_at >= place), None)


def recovery(hearing: JudgedText) -> Counts:
    """
    Claims that became stale (`stale_said`), and those that were repaired at once, only once, and correctly
    (`recovered`). The next claim of the key must be right, in a repair, with no other claim between; and the repair
    must not state it twice unless it changed again. A claim under way may instead continue with the new value.
    """
    counts = {"stale_said": 0, "recovered": 0}
    for place, before, after in _groups(hearing):
        for key in _gone_stale(hearing, place, before, after):
            restated = _next_claim(hearing, key, place)
            if restated is None and hearing.truth.value(key, hearing.last) == hearing.truth.value(key, before):
                continue  # the old value returned before a repair was possible
            counts["stale_said"] += 1
            counts["recovered"] += restated is not None and _cleanly(hearing, place, restated)
    return counts


def _cleanly(hearing: JudgedText, place: int, restated: Judged) -> bool:
    if not restated.right:
        return False
    if _begins(hearing, restated) < place:
        return True
    repair = hearing.repair_of(restated)
    if repair is None:
        return False
    # Repairs may interrupt each other, and a word may be finished first; no complete claim may precede them.
    first = repair
    for earlier in reversed(hearing.repairs[: hearing.repairs.index(repair)]):
        if earlier.end < first.start or first.start < place:
            break
        first = earlier
    between = [claim for claim in hearing.claims if claim.said_at > place and claim.end <= first.start]
    begun_before = all(_begins(hearing, claim) <= place for claim in between)
    again = [
        claim
        for claim in hearing.claims
        if claim.key == restated.key
        and restated.said_at < claim.said_at
        and (repair.start <= claim.start < repair.end or _repaired_again(hearing, restated, claim))
        and claim.changed_by <= restated.version
    ]
    # In endless JSON, the plan may call for the same member right after the repair.
    return begun_before and (not again or (hearing.written and hearing.stopped))


def _repaired_again(hearing: JudgedText, restated: Judged, claim: Judged) -> bool:
    """Whether a claim that was just repaired is repaired again although no update was received since."""
    return not hearing.written and claim.version == restated.version and hearing.repair_of(claim) is not None


def _begins(hearing: JudgedText, claim: Judged) -> int:
    return begins(hearing.text, claim.start) if hearing.written else claim.start


def retention(hearing: JudgedText) -> Counts:
    """
    Questions that no update affected (`unaffected`), and those always answered right, no more often than in the gold
    text (`kept`). Conversely: updates that must change nothing (`harmless`), and those followed by a needless repair,
    or after which a right answer became wrong (`over_revised`).
    """
    counts = {"unaffected": 0, "kept": 0, "harmless": 0, "over_revised": 0}
    gold = [claim["key"] for claim in hearing.row["provenance"] if claim["complete"]]
    for key in hearing.questions:
        if hearing.truth.changed_by(key, hearing.last) or not _due(hearing, key):
            continue
        said = [claim for claim in hearing.claims if claim.key == key]
        often = not hearing.stopped and len(said) > max(1, gold.count(key))
        counts["unaffected"] += 1
        counts["kept"] += bool(said) and all(claim.right for claim in said) and not often
    for number, update in enumerate(hearing.row["updates"], 1):
        alone = hearing.heard_at.count(hearing.heard_at[number - 1]) == 1
        if update["kind"] != "stop" and not hearing.truth.changed(number) and alone:
            counts["harmless"] += 1
            counts["over_revised"] += _over_revised(hearing, number)
    return counts


def _over_revised(hearing: JudgedText, version: int) -> bool:
    start = hearing.heard_at[version - 1]
    stop = hearing.heard_at[version] if version < hearing.last else len(hearing.text) + 1
    pending = any(claim.version < version for claim in _wrong_last(hearing, start))
    calling = [at for number, at in enumerate(hearing.heard_at, 1) if hearing.truth.changed(number)]
    for repair in hearing.repairs:
        called_for = any(repair.after < at <= repair.by for at in calling)
        if start <= repair.start < stop and not called_for and not pending:
            return True
    for claim in hearing.claims:
        if start <= claim.said_at < stop and not claim.right:
            before = hearing.latest(claim.key, claim.said_at)
            if before is None or before.value != claim.value:
                return claim.value not in claim.outdated
    return False


def _wrong_last(hearing: JudgedText, place: int) -> list[Judged]:
    """The last claim of each key before a place that is wrong, and the claim that is being repaired there."""
    version = hearing.version_at(place)
    found = []
    for key in dict.fromkeys(claim.key for claim in hearing.claims):
        last = hearing.latest(key, place)
        if last is not None and last.value != hearing.truth.value(key, version):
            found.append(last)
    return found


def latencies(hearing: JudgedText, places: Sequence[int]) -> list[int | None]:
    """
    For each group of updates that changed an emitted claim, or one that had to be emitted since: the tokens between
    the first place that could reflect it and the first that does; None where no place does.

    If a claim became stale, the first such place is the end of the word under way: a repair or the new value can
    follow. If not, it is the first claim that depends on the update.

    Args:
        hearing ([`JudgedText`]): The conversation.
        places (`Sequence[int]`): Where each token of the text begins, ascending.
    """
    found: list[int | None] = []
    for place, before, after in _groups(hearing):
        changed = {key for version in range(before + 1, after + 1) for key in hearing.truth.changed(version)}
        changed = {key for key in changed if hearing.truth.value(key, before) != hearing.truth.value(key, after)}
        later = [claim for claim in hearing.claims if claim.key in changed and place <= claim.said_at]
        shown = [claim.said_at for claim in later if claim.right]
        if _gone_stale(hearing, place, before, after):
            due = _place_to_react(hearing, place)
            repairs = [max(due, repair.start) for repair in hearing.repairs if repair.end > place]
            shown = [*repairs[:1], *shown] if shown else []
        elif later and later[0].changed_by <= after:
            due = later[0].said_at
        elif not later and any(_unanswered(hearing, key) for key in changed if key in hearing.questions):
            due = place
        else:
            continue
        found.append(max(0, _index(places, min(shown)) - _index(places, due)) if shown else None)
    return found


def _place_to_react(hearing: JudgedText, place: int) -> int:
    """Where the word under way at a place ends; in JSON, where the next member begins."""
    text = hearing.text
    if hearing.written:
        members = [claim.start for claim in hearing.claims] + [repair.start for repair in hearing.repairs]
        return min((member for member in members if begins(text, member) >= place), default=len(text))
    while 0 < place < len(text) and not text[place].isspace() and not text.startswith("<eos>", place):
        place += 1
    return place


def _index(places: Sequence[int], place: int) -> int:
    """How many tokens begin before a place."""
    return sum(at < place for at in places)
