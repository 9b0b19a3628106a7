"""Families about the floor: who speaks, who goes on, who waits."""

from __future__ import annotations

from .base import Contrast, Family


_FLOOR = ("speaking", "explaining:E", "said:E")
_HEEDS = ("looks_here", "nods")

YIELD_TO_USER = Family(
    name="yield_to_user",
    about="The user begins to speak while the assistant speaks.",
    contrasts=(
        Contrast("user_audio_state", ("speaking", "silent"), ("yield", "continue"), _FLOOR),
        Contrast("user_audio_state", ("shouting", "speaking"), ("stop", "yield"), _FLOOR),
        Contrast("user_audio_state", ("speaking", "hesitating"), ("yield", "wait"), ("speaking", "explaining:E")),
        Contrast("user_audio_state", ("speaking", "murmuring"), ("yield", "continue"), ("explaining:E", "said:E")),
    ),
    context={
        "user_text": ("request:E", "remark", "none"),
        "visual": ("none", "looks_here", "looks_away"),
        "background": ("none", "pending:F"),
        "timing": ("short", "long"),
        "policy": ("none", "allows:E"),
    },
    history=("backchannel", "resume_after_background", "repair_after_correction"),
    words={
        "speaking": (
            ("Tell me how the {E} is doing.", "Gladly, there is quite a lot to say about it, so"),
            ("What happened with the {E} today?", "Well, in the morning it all began with"),
            ("Give me the long story of the {E}.", "It starts a while back, when"),
        ),
        "explaining": (
            ("Walk me through the {E}.", "First you look at the {E}, and after that"),
            ("How do people use the {E}?", "Most people begin the {E} by"),
            ("I never understood the {E}.", "The {E} is simpler than it looks, because"),
        ),
        "said": (
            ("Which one is ready?", "The {E} is ready, and by the way"),
            ("What is next on my list?", "Next comes the {E}, and then"),
            ("Name the first one.", "That would be the {E}, which"),
        ),
    },
)

BACKCHANNEL = Family(
    name="backchannel",
    about="The user tells something and pauses; a small sign of listening is wanted, or none.",
    contrasts=(
        Contrast(
            "visual",
            ("looks_here", "looks_away"),
            ("backchannel", "wait"),
            ("listening",),
            {"user_audio_state": ("pausing",)},
        ),
        Contrast(
            "visual", ("nods", "none"), ("backchannel", "wait"), ("listening",), {"user_audio_state": ("pausing",)}
        ),
        Contrast(
            "user_audio_state", ("pausing", "speaking"), ("backchannel", "wait"), ("listening",), {"visual": _HEEDS}
        ),
        Contrast(
            "user_audio_state", ("pausing", "hesitating"), ("backchannel", "wait"), ("listening",), {"visual": _HEEDS}
        ),
    ),
    context={
        "user_text": ("told:E", "remark"),
        "visual": _HEEDS,
        "background": ("none", "pending:E"),
        "timing": ("short", "none"),
        "policy": ("none", "allows:F"),
    },
    history=("yield_to_user", "hold_while_hesitating", "proactive_notice"),
    words={
        "listening": (
            ("So yesterday the {E} broke down again and I had to", ""),
            ("You will not believe what the {E} did, it", ""),
            ("Let me tell you about the {E}. First of all,", ""),
            ("My neighbour came over about the {E} and then", ""),
        ),
    },
)

STOP_WHEN_INTERRUPTED = Family(
    name="stop_when_interrupted",
    about="Something calls a halt while the assistant speaks.",
    contrasts=(
        Contrast("visual", ("raised_hand", "none"), ("stop", "continue"), _FLOOR, {"user_audio_state": ("silent",)}),
        Contrast("user_audio_state", ("shouting", "silent"), ("stop", "continue"), _FLOOR),
        Contrast("user_audio_state", ("shouting", "speaking"), ("stop", "yield"), _FLOOR),
        Contrast("user_audio_state", ("shouting", "murmuring"), ("stop", "continue"), ("explaining:E", "speaking")),
        Contrast("policy", ("forbids:E", "allows:E"), ("stop", "continue"), ("explaining:E",)),
    ),
    context={
        "user_audio_state": ("silent", "murmuring"),
        "user_text": ("question:E", "none"),
        "visual": ("none", "looks_away"),
        "background": ("none", "granted:F"),
        "timing": ("long", "none"),
        "policy": ("none", "needs_approval:F"),
    },
    history=("yield_to_user", "visual_reference", "approval_before_tool"),
    words={
        "speaking": (
            ("Read me the news about the {E}.", "Here is the first headline:"),
            ("Read the whole page on the {E}.", "Page one, at the top, says"),
            ("Count down for the {E}.", "Ten, nine, eight,"),
        ),
        "explaining": (
            ("Explain every step of the {E}.", "Step one of the {E}: open it, and step two:"),
            ("Teach me the {E}.", "Lesson one on the {E} begins with"),
            ("Recite the manual of the {E}.", "The manual of the {E} opens with safety,"),
        ),
        "said": (
            ("Announce the winner.", "It is the {E}, ladies and gentlemen, and"),
            ("Which one goes first?", "The {E} goes first, followed by"),
            ("Say what you picked.", "I picked the {E}, for the reason that"),
        ),
    },
)

HOLD_WHILE_HESITATING = Family(
    name="hold_while_hesitating",
    about="The user searches for words; what would be said or done otherwise is held back.",
    contrasts=(
        Contrast("user_audio_state", ("hesitating", "silent"), ("wait", "answer"), ("asked:E",)),
        Contrast("user_audio_state", ("speaking", "silent"), ("wait", "answer"), ("asked:E",)),
        Contrast(
            "user_audio_state", ("pausing", "hesitating"), ("backchannel", "wait"), ("listening",), {"visual": _HEEDS}
        ),
        Contrast("user_audio_state", ("hesitating", "silent"), ("wait", "continue"), ("speaking", "explaining:E")),
        Contrast(
            "user_audio_state", ("hesitating", "silent"), ("wait", "notify"), ("listening",), {"timing": ("due:E",)}
        ),
    ),
    context={
        "user_text": ("question:E", "request:E"),
        "visual": ("none", "looks_here", "nods"),
        "background": ("none", "result:E"),
        "timing": ("long", "early:E"),
        "policy": ("allows:E", "none"),
    },
    history=("backchannel", "visual_reference", "policy_bound_refusal"),
    words={
        "asked": (
            ("Could you, um, is the {E}", ""),
            ("When is the, what do you call it, the {E}", ""),
            ("I wanted to ask about the {E}, or rather", ""),
        ),
        "listening": (
            ("It was, well, the {E} was sort of", ""),
            ("How shall I put it, the {E} seems", ""),
            ("Give me a moment, the {E}, it", ""),
        ),
        "speaking": (
            ("Go on about the {E}, although", "All right, as I was saying,"),
            ("Continue, I mean, with the {E}", "Sure. The next thing is"),
        ),
        "explaining": (
            ("Explain the {E}, I think", "The {E} works like this:"),
            ("Maybe start with the {E}, or", "Starting with the {E}, we see"),
        ),
    },
)
