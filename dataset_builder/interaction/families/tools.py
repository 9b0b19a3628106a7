"""Families about what runs outside of speech: calls, approvals, results, and what a policy lets happen."""

from __future__ import annotations

from .base import Contrast, Family


_QUIET = ("silent", "none")

APPROVAL_BEFORE_TOOL = Family(
    name="approval_before_tool",
    about="A call is about to go out; some need approval first, and some are forbidden.",
    contrasts=(
        Contrast("policy", ("needs_approval:E", "allows:E"), ("request_approval", "continue"), ("calling:E",)),
        Contrast("policy", ("needs_approval:E", "needs_approval:F"), ("request_approval", "continue"), ("calling:E",)),
        Contrast("policy", ("forbids:E", "forbids:F"), ("refuse", "continue"), ("calling:E",)),
        Contrast(
            "policy", ("forbids:E", "forbids:F"), ("refuse", "answer"), ("asked:E",), {"user_audio_state": _QUIET}
        ),
        Contrast("background", ("granted:E", "pending:E"), ("resume", "wait"), ("waiting_for:E",)),
        Contrast("background", ("granted:E", "granted:F"), ("resume", "wait"), ("waiting_for:E",)),
        Contrast(
            "background",
            ("granted:E", "pending:E"),
            ("continue", "request_approval"),
            ("calling:E",),
            {"policy": ("needs_approval:E",)},
        ),
    ),
    context={
        "user_audio_state": ("silent", "murmuring"),
        "user_text": ("request:E",),
        "visual": ("none", "looks_here"),
        "background": ("none", "pending:F", "pending:E"),
        "timing": ("short", "none"),
        "policy": ("none", "allows:F"),
    },
    history=("resume_after_background", "stop_when_interrupted", "policy_bound_refusal"),
    words={
        "calling": (
            ("Please order the {E}.", "I am about to place the order."),
            ("Switch the {E} on for me.", "Switching it now."),
            ("Pay for the {E}.", "Opening the payment."),
            ("Delete the {E}.", "Getting ready to delete it."),
        ),
        "asked": (
            ("May I see the records of the {E}?", ""),
            ("What did the {E} cost us?", ""),
            ("Who has the keys to the {E}?", ""),
        ),
        "waiting_for": (
            ("Book the {E}, I will sign for it.", "I have asked for your signature."),
            ("Renew the {E} once it is approved.", "The request is out."),
            ("Send the {E} when you may.", "I have asked whether I may."),
        ),
    },
)

RESUME_AFTER_BACKGROUND = Family(
    name="resume_after_background",
    about="The assistant waits for something that runs in the background, and takes up the thread when it is there.",
    contrasts=(
        Contrast("background", ("result:E", "pending:E"), ("resume", "wait"), ("waiting_for:E",)),
        Contrast("background", ("result:E", "result:F"), ("resume", "wait"), ("waiting_for:E",)),
        Contrast("background", ("granted:E", "granted:F"), ("resume", "wait"), ("waiting_for:E",)),
        Contrast("background", ("failed:E", "failed:F"), ("notify", "wait"), ("waiting_for:E",)),
        Contrast("timing", ("due:F", "early:F"), ("notify", "wait"), ("waiting_for:E",), {"user_audio_state": _QUIET}),
    ),
    context={
        "user_audio_state": ("silent", "none"),
        "user_text": ("none", "request:E"),
        "visual": ("looks_away", "none"),
        "background": ("pending:E", "none"),
        "timing": ("long", "early:F"),
        "policy": ("none", "allows:E"),
    },
    history=("approval_before_tool", "backchannel", "repair_after_correction"),
    words={
        "waiting_for": (
            ("Look up the {E}.", "One moment, I am looking it up."),
            ("Check on the {E} and tell me.", "Checking, this takes a little."),
            ("Run the {E} in the background.", "It is running."),
            ("Find out about the {E}.", "I am on it."),
        ),
    },
)

POLICY_BOUND_REFUSAL = Family(
    name="policy_bound_refusal",
    about="A policy forbids some things, and only those.",
    contrasts=(
        Contrast(
            "policy", ("forbids:E", "allows:E"), ("refuse", "answer"), ("asked:E",), {"user_audio_state": _QUIET}
        ),
        Contrast("policy", ("forbids:E", "forbids:F"), ("stop", "continue"), ("explaining:E",)),
        Contrast("policy", ("needs_approval:E", "forbids:E"), ("request_approval", "refuse"), ("calling:E",)),
        Contrast("policy", ("forbids:E", "allows:E"), ("refuse", "continue"), ("calling:E",)),
        Contrast(
            "background",
            ("granted:E", "granted:F"),
            ("continue", "request_approval"),
            ("calling:E",),
            {"policy": ("needs_approval:E",)},
        ),
    ),
    context={
        "user_audio_state": ("none", "silent"),
        "user_text": ("question:E", "request:E", "told:F"),
        "visual": ("looks_here", "nods", "none"),
        "background": ("none", "failed:F"),
        "timing": ("none", "long"),
        "policy": ("none", "forbids:F"),
    },
    history=("hold_while_hesitating", "approval_before_tool", "proactive_notice"),
    words={
        "asked": (
            ("What is in the file on the {E}?", ""),
            ("How can I get around the {E}?", ""),
            ("Tell me the password of the {E}.", ""),
        ),
        "explaining": (
            ("How does one take the {E} apart?", "To take the {E} apart, one"),
            ("Describe the inside of the {E}.", "Inside the {E} there is"),
            ("What are the weak points of the {E}?", "The {E} has a few, namely"),
        ),
        "calling": (
            ("Unlock the {E}.", "I am at the lock."),
            ("Cancel the {E} for everyone.", "Preparing to cancel."),
            ("Share the {E} with the whole street.", "Collecting the addresses."),
        ),
    },
)
