"""Families about what is seen, found or due, and does or does not fit what is being said."""

from __future__ import annotations

from .base import Contrast, Family


_QUIET = ("silent", "none")

REPAIR_AFTER_CORRECTION = Family(
    name="repair_after_correction",
    about="What was said turns out to be about the wrong thing.",
    contrasts=(
        Contrast("visual", ("shows:F", "shows:E"), ("repair", "continue"), ("said:E",)),
        Contrast("visual", ("points_at:F", "looks_here"), ("repair", "continue"), ("said:E",)),
        Contrast("background", ("result:F", "result:E"), ("repair", "continue"), ("said:E",)),
        Contrast(
            "user_audio_state", ("speaking", "silent"), ("yield", "repair"), ("said:E",), {"visual": ("shows:F",)}
        ),
        Contrast(
            "visual", ("points_at:F", "points_at:E"), ("wait", "answer"), ("asked:E",), {"user_audio_state": _QUIET}
        ),
    ),
    context={
        "user_audio_state": ("silent", "murmuring"),
        "user_text": ("question:E", "told:F"),
        "visual": ("none", "looks_here"),
        "background": ("none", "pending:F"),
        "timing": ("short",),
        "policy": ("none", "allows:F"),
    },
    history=("visual_reference", "yield_to_user", "policy_bound_refusal"),
    words={
        "said": (
            ("Which one do you mean?", "I mean the {E}."),
            ("What did they deliver?", "They delivered the {E}."),
            ("Which of them is out of order?", "The {E} is out of order."),
            ("What is on the table?", "On the table I see the {E}."),
        ),
        "asked": (
            ("No, not that one. Is the {E} in order?", ""),
            ("Sorry, I meant the {E}. How is it?", ""),
            ("Wrong one. What about the {E}?", ""),
        ),
    },
)

VISUAL_REFERENCE = Family(
    name="visual_reference",
    about="What the user means is told by eyes and hands.",
    contrasts=(
        Contrast(
            "visual", ("points_at:E", "points_at:F"), ("answer", "wait"), ("asked:E",), {"user_audio_state": _QUIET}
        ),
        Contrast("visual", ("points_at:F", "points_at:E"), ("repair", "continue"), ("said:E",)),
        Contrast("visual", ("shows:F", "points_at:E"), ("repair", "continue"), ("said:E",)),
        Contrast(
            "user_audio_state",
            ("hesitating", "silent"),
            ("wait", "answer"),
            ("asked:E",),
            {"visual": ("points_at:E",)},
        ),
        Contrast(
            "visual",
            ("nods", "looks_away"),
            ("backchannel", "wait"),
            ("listening",),
            {"user_audio_state": ("pausing",)},
        ),
        Contrast(
            "visual",
            ("looks_here", "points_at:E"),
            ("backchannel", "wait"),
            ("listening",),
            {"user_audio_state": ("pausing",)},
        ),
    ),
    context={
        "user_audio_state": ("none", "silent", "murmuring"),
        "user_text": ("question:E", "remark"),
        "visual": ("points_at:E",),
        "background": ("none", "pending:E"),
        "timing": ("none", "short"),
        "policy": ("allows:E", "none"),
    },
    history=("repair_after_correction", "stop_when_interrupted", "hold_while_hesitating"),
    words={
        "asked": (
            ("What is that {E} over there?", ""),
            ("How old is this {E}?", ""),
            ("Is that {E} any good?", ""),
        ),
        "said": (
            ("And what is this?", "This is the {E}."),
            ("Guess which one I hold.", "You hold the {E}."),
            ("Which one am I looking at?", "You are looking at the {E}."),
        ),
        "listening": (
            ("See here, on the {E} there is", ""),
            ("Look at the {E}, it has", ""),
            ("This {E} over here used to", ""),
        ),
    },
)

PROACTIVE_NOTICE = Family(
    name="proactive_notice",
    about="Something comes up that nobody asked for at this moment.",
    contrasts=(
        Contrast(
            "timing",
            ("due:E", "early:E"),
            ("notify", "wait"),
            ("listening", "waiting_for:F"),
            {"user_audio_state": _QUIET},
        ),
        Contrast("background", ("failed:E", "pending:E"), ("notify", "wait"), ("waiting_for:E",)),
        Contrast("background", ("failed:E", "failed:F"), ("notify", "wait"), ("waiting_for:E",)),
        Contrast("background", ("failed:E", "result:E"), ("notify", "resume"), ("waiting_for:E",)),
        Contrast("visual", ("raised_hand", "none"), ("stop", "continue"), ("speaking", "explaining:E")),
        Contrast("background", ("result:F", "pending:F"), ("repair", "continue"), ("said:E",)),
    ),
    context={
        "user_audio_state": ("silent", "none"),
        "user_text": ("told:E", "none", "remark"),
        "visual": ("looks_away", "none", "looks_here"),
        "background": ("none", "pending:E"),
        "timing": ("long", "early:E"),
        "policy": ("none", "needs_approval:F"),
    },
    history=("resume_after_background", "approval_before_tool", "stop_when_interrupted"),
    words={
        "listening": (
            ("Remind me of the {E} later.", ""),
            ("I must not forget the {E}.", ""),
            ("Keep an eye on the {E}, will you.", ""),
        ),
        "waiting_for": (
            ("Watch the {E} for me.", "I will let you know."),
            ("Tell me if anything is wrong with the {E}.", "I am watching."),
            ("Let the {E} run meanwhile.", "It runs, I keep watch."),
        ),
        "speaking": (
            ("Chat with me until the {E} is done.", "With pleasure. Did you know that"),
            ("Tell a joke while the {E} works.", "Two penguins walk into"),
        ),
        "explaining": (
            ("Meanwhile, explain the {E}.", "The {E} has three parts, of which"),
            ("Until then, what is the {E} for?", "The {E} is there to"),
        ),
        "said": (
            ("What came in this morning?", "The {E} came in."),
            ("What will be finished first?", "The {E} will be."),
            ("Which one is still missing?", "Only the {E} is."),
        ),
    },
)
