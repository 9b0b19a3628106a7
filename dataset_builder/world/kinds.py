"""The kinds of update, and which of them each family holds out for the split `composition`."""

from __future__ import annotations


CHANGING = ("correction", "refinement", "constraint", "invalidation", "addition")
"""The kinds that a family words itself: each gives one fact another value."""

KINDS = {
    "correction": "a fact has another value than was said",
    "refinement": "a value is told more exactly",
    "constraint": "a new limit that was not there before",
    "invalidation": "what was said no longer holds, and nothing takes its place",
    "addition": "something that was not there before",
    "retraction": "the last change, or the last one of a fact, is taken back: what was before holds again",
    "confirmation": "says again what holds: nothing changes",
    "chatter": "has nothing to do with it: nothing changes",
    "repetition": "an update that was heard before and still holds, heard again: nothing changes",
    "recorrection": "a correction of what an earlier update said",
    "adversarial": "contradicts what was just said aloud",
    "immaterial": "true, of something that nobody asked about: nothing changes",
    "untrusted": "comes from someone whom the prompt said not to trust: nothing changes",
    "stop": "ends a text that was to go on until then",
}
"""Every kind with its meaning. `stop` is not drawn: it is used where the prompt asks to continue until a stop."""

OF_EVERYDAY = {
    "removal": "what was there is left out from now on",
    "form": "how the answer is to be written",
    "other_speaker": "somebody else speaks: nothing changes",
}
"""Kinds that only the family `everyday` has, besides some of `KINDS`; it draws them itself."""

WITHOUT_EFFECT = frozenset({"confirmation", "chatter", "repetition", "immaterial", "untrusted"})
PHASE_3 = frozenset({"retraction", "recorrection", "adversarial", "untrusted"})
"""A sample with one of these belongs to the last phase of a curriculum."""

HELD_OUT = frozenset(
    {
        ("fact_correction", "recorrection"),
        ("fact_correction", "untrusted"),
        ("variable_substitution", "retraction"),
        ("variable_substitution", "repetition"),
        ("constraint_revision", "untrusted"),
        ("constraint_revision", "confirmation"),
        ("logic_redirection", "retraction"),
        ("logic_redirection", "repetition"),
        ("structured_transformation", "recorrection"),
        ("structured_transformation", "untrusted"),
        ("business_insight", "retraction"),
        ("business_insight", "immaterial"),
        ("list_editing", "repetition"),
        ("list_editing", "confirmation"),
        ("scheduling", "recorrection"),
        ("scheduling", "immaterial"),
    }
)
"""Pairs of family and kind that only the split `composition` contains: kinds whose answers need no wording that the
family does not use elsewhere."""
