"""What a user says about countries: facts told, questions, corrections.

{a} is an attribute, {e} a country, {v} a value and {old} the one before it, {the} the article of both. Lists are put
together from short ones, so that what a clause says cannot be told from a few fixed words.
"""

from __future__ import annotations

from ...speech.grammar import Wordings, surrounded


# How a prompt tells a fact.
TOLD = (
    "the {a} of {e} is {the}{v}",
    "the {a} of {e} is {the}{v}",
    "{e}'s {a} is {the}{v}",
    "{e} has {the}{v} as its {a}",
    "as its {a}, {e} has {the}{v}",
    "what {e} has as its {a} is {the}{v}",
    "the {a} that {e} has is {the}{v}",
    "it is {the}{v} that is the {a} of {e}",
    "it is {the}{v} that {e} has as its {a}",
    "{e} is the country whose {a} is {the}{v}",
    "{e} calls {the}{v} its {a}",
    "people in {e} call {the}{v} their {a}",
    "the {a} of {e} is said to be {the}{v}",
    "the {a} of {e} is known to be {the}{v}",
    "people say that the {a} of {e} is {the}{v}",
    "everyone in {e} knows {the}{v} as the {a}",
)
TOLD_OTHERWISE = (
    "take {the}{v} as the {a} of {e}",
    "let the {a} of {e} be {the}{v}",
    "remember that {the}{v} is the {a} of {e}",
    "keep in mind that {e}'s {a} is {the}{v}",
    "note {the}{v} down as the {a} of {e}",
    "asked for the {a} of {e}, people name {the}{v}",
    "{a} of {e}: {the}{v}",
    "{e}, {a}: {the}{v}",
)
"""Not main clauses that state something: these have no filler around them."""
TOLD_VALUE_FIRST = (
    "{the}{v} is the {a} of {e}",
    "{the}{v} is {e}'s {a}",
    "{the}{v} is what {e} has as its {a}",
    "{the}{v} is known as the {a} of {e}",
    "{the}{v} is considered the {a} of {e}",
)
"""Not for words that are written small, which do not open a sentence."""
TOLD_UNSEEN = ("For {e}, the {a} is {the}{v}", "When it comes to {e}, {the}{v} is the {a}")
BEFORE = (
    "as far as I know, ",
    "as you may know, ",
    "if I am right, ",
    "in my notes, ",
    "by the way, ",
    "as it happens, ",
    "according to my book, ",
    "to begin with, ",
)
BEHIND = (
    ", as far as I know",
    ", to my knowledge",
    ", I think",
    ", I believe",
    ", if I am right",
    ", as you may know",
)
"""What some facts of a prompt have before or behind them."""
INTROS = (
    "here is what I know:",
    "these are my notes:",
    "some facts:",
    "this is what I have read:",
    "the facts are these:",
    "please use these facts:",
    "as for facts,",
    "from my notes:",
    "I have been told this much:",
    "I looked up some things:",
)
"""What opens the facts of some prompts."""
JOINTS = (
    "That is what I know.",
    "So much for the facts.",
    "Those are the facts.",
    "Now to what I want.",
    "Here is what I would like.",
    "This is where you come in.",
    "With that in mind:",
    "Now then:",
    "So now:",
    "And here is my request:",
)
"""What some prompts have between the facts and the questions."""

_THING = ("the {a} of {e}", "the {a} of {e}", "{e}'s {a}")
_QUESTIONS = (
    "what is {q}",
    "what is {q} called",
    "what do you know about {q}",
    "what about {q}",
    "what can you say about {q}",
    "what have you heard about {q}",
    "what would you say {q} is",
    "can you tell me {q}",
    "could you tell me what {q} is",
    "would you tell me about {q}",
    "do you know {q}",
    "do you know what {q} is",
    "is there something to say about {q}",
    "{q}, what is it",
    "may I ask what {q} is",
    "may I hear about {q}",
)
_REQUESTS = (
    "tell me about {q}",
    "tell me {q}",
    "tell me what {q} is",
    "name {q}",
    "say something about {q}",
    "say what {q} is",
    "describe {q}",
    "give me {q}",
    "let me know {q}",
    "let me hear about {q}",
    "remind me of {q}",
    "talk about {q}",
    "report {q}",
    "help me with {q}",
    "inform me about {q}",
    "write about {q}",
)
_WISHES = (
    "I would like to hear about {q}",
    "I would like you to name {q}",
    "I need to hear about {q}",
    "I need {q}",
    "I want to learn about {q}",
    "I am asking for {q}",
    "I am curious about {q}",
    "my question is about {q}",
    "what I want to hear about is {q}",
    "what I need from you is {q}",
    "it is {q} that I am asking about",
    "{q} is what I want to hear about",
    "{q} is what I am asking for",
    "{q} interests me",
    "you are asked about {q}",
    "your task is to name {q}",
)
ASK_ONE = Wordings(
    tuple(
        lead + clause.replace("{q}", thing) + tail
        for leads, forms, tails in (
            (
                ("", "", "so ", "here is my question: ", "if you can say, ", "for my notes, "),
                _QUESTIONS,
                ("?", "?", ", please?"),
            ),
            (("", "", "please ", "now ", "if you can, ", "for my notes, "), _REQUESTS, (".", ".", ", if you can.")),
            (("", "", "this time, ", "for my notes, "), _WISHES, (".", ".", " now.")),
        )
        for lead in leads
        for clause in forms
        for thing in _THING
        for tail in tails
    ),
    ("which is the {a} of {e}?", "explain the {a} of {e} to me.", "I wonder about the {a} of {e}."),
)
_INTROS_MANY = (
    "tell me,",
    "tell me",
    "please name",
    "report in this order:",
    "tell me about these:",
    "I need to hear about",
    "let me hear about",
    "give me, one by one,",
    "my questions are these:",
    "here is what I ask for:",
    "could you go through these:",
    "please answer, in this order,",
    "I am asking for",
    "what I want to hear about is",
    "say something about",
)
_PLACED = ("{n}) {q}", "({n}) {q}", "as number {n} {q}", "{ordinal} {q}", "number {n}: {q}")
_OWN_PLACES = (
    "question {n} is about {q}",
    "{ordinal} tell me {q}",
    "name {q} {ordinal}",
    "{ordinal} I want to hear about {q}",
    "for number {n}, give me {q}",
    "your answer number {n} is to be about {q}",
    "tell me {q} as number {n}",
    "{ordinal} comes {q}",
    "{q} comes {ordinal}",
    "the {ordinal} question is about {q}",
    "the {ordinal} thing that I ask for is {q}",
    "in place {n}, say what {q} is",
    "{ordinal} say something about {q}",
    "{q} should be your answer number {n}",
    "with {q} as number {n}",
)
ASK_MANY = (
    *((intro, item.replace("{q}", thing)) for intro in _INTROS_MANY for item in _PLACED for thing in _THING),
    *(("", item.replace("{q}", thing)) for item in _OWN_PLACES[:-1] for thing in _THING for _ in range(4)),
    *(("answer these,", _OWN_PLACES[-1].replace("{q}", thing)) for thing in _THING),
    ("I want to know,", "{ordinal} the {a} of {e}"),
    ("talk about", "{ordinal} the {a} of {e}"),
)
ASK_MANY_UNSEEN = (
    ("list", "{n}) the {a} of {e}"),
    ("explain", "{ordinal} the {a} of {e}"),
    ("", "item {n} is the {a} of {e}"),
)
"""What opens the questions, and how each carries its place within its own clause."""

_LEADS = (
    "Correction: ",
    "Actually, ",
    "Sorry, ",
    "No, ",
    "Wait, ",
    "I was wrong, ",
    "News: ",
    "Hold on, ",
    "Oops, ",
    "Well, ",
    "Oh, ",
    "Let me fix that: ",
    "I need to correct something: ",
    "I got that wrong, ",
    "There is news: ",
    "As I hear now, ",
    "Forgive me, ",
    "Listen, ",
)
_THAT_LEADS = (
    "I meant to say that ",
    "I just heard that ",
    "I see now that ",
    "I should have said that ",
    "They tell me now that ",
    "Please note that ",
    "I must admit that ",
)
_TAILS = (
    "",
    "",
    "",
    ", I just heard",
    ", sorry about that",
    ", I am afraid",
    ", please use that from now on",
    ", as I see now",
    ", if you ask me",
)
_IS_NOW = (
    "the {a} of {e} is {the}{v}",
    "the {a} of {e} is {the}{v}, not {the}{old}",
    "the {a} of {e} is not {the}{old} but {the}{v}",
    "the {a} of {e} is now {the}{v}",
    "the {a} of {e} should be {the}{v}",
    "the {a} of {e} is {the}{v} instead of {the}{old}",
    "{e}'s {a} is {the}{v}",
    "{e}'s {a} is now {the}{v}",
    "{e}'s {a} is {the}{v} rather than {the}{old}",
    "{the}{v} is the {a} of {e}",
    "{the}{v}, not {the}{old}, is the {a} of {e}",
    "{the}{v} is now {e}'s {a}",
    "it's {the}{v} that is the {a} of {e}",
    "it is {the}{v}, not {the}{old}, that is the {a} of {e}",
    "it is not {the}{old} but {the}{v} that {e} has as its {a}",
    "{e} has {the}{v} as its {a}",
    "{e} now has {the}{v} as its {a}",
    "instead of {the}{old}, {e} has {the}{v} as its {a}",
    "as its {a}, {e} has {the}{v}",
    "what {e} has as its {a} is {the}{v}",
    "{e} is the country whose {a} is {the}{v}",
    "{e} calls {the}{v} its {a}, not {the}{old}",
)
_CHANGE_IT = (
    "make that {the}{v} for the {a} of {e}",
    "take {the}{v} as the {a} of {e}",
    "take {the}{v}, not {the}{old}, as the {a} of {e}",
    "use {the}{v} for the {a} of {e}",
    "use {the}{v} instead of {the}{old} for the {a} of {e}",
    "change the {a} of {e} to {the}{v}",
    "change the {a} of {e} from {the}{old} to {the}{v}",
    "let the {a} of {e} be {the}{v}",
    "say {the}{v} rather than {the}{old} for the {a} of {e}",
    "note {the}{v} down as the {a} of {e}",
    "correct the {a} of {e} to {the}{v}",
    "write {the}{v} for {e}'s {a}",
)
_CHANGE_LEADS = (
    "",
    "",
    "Please ",
    "Sorry, ",
    "No, ",
    "Wait, ",
    "Actually, ",
    "I was wrong, so ",
    "Oops, please ",
    "Hold on, ",
)
_CONTRASTS = (
    "I said {the}{old}, but the {a} of {e} is {the}{v}",
    "I told you {the}{old} for the {a} of {e}, but it is {the}{v}",
    "when I said {the}{old}, I meant {the}{v} as the {a} of {e}",
    "where I said {the}{old} for the {a} of {e}, I meant {the}{v}",
    "for the {a} of {e} I meant {the}{v} when I said {the}{old}",
    "I took {the}{old} for the {a} of {e}, but that is {the}{v}",
    "I thought that {the}{old} was the {a} of {e}, but it is {the}{v}",
)
"""Each is as good as several lead-ins of the others, and comes as often."""
CORRECTIONS = Wordings(
    (
        *surrounded(_LEADS + _THAT_LEADS, _IS_NOW, _TAILS),
        *surrounded(_CHANGE_LEADS, _CHANGE_IT, _TAILS[:-1]),
        *surrounded(("", "", "", "Sorry, ", "Wait, ", "Oh, ", "No, ", "Actually, "), _CONTRASTS, _TAILS),
    ),
    (
        "It turns out that {the}{v} is the {a} of {e}.",
        "Replace {the}{old} by {the}{v} as the {a} of {e}.",
        "Mind you, {e} has changed its {a} to {the}{v}.",
    ),
)
SHORT_CORRECTIONS = tuple(
    f"{lead}{form}{tail}."
    for lead in _LEADS
    for form in (
        "the {a} is {the}{v}",
        "the {a} is {the}{v}, not {the}{old}",
        "the {a} is not {the}{old} but {the}{v}",
        "the {a} should be {the}{v}",
        "{the}{v} is the {a}",
        "it's {the}{v} that is the {a}",
    )
    for tail in _TAILS
)
"""Where no other country has such a fact."""

TELL = Wordings(
    (
        "the {a} of {e} is {the}{v}",
        "{e}'s {a} is {the}{v}",
        "{the}{v} is the {a} of {e}",
        "{e} has {the}{v} as its {a}",
        "as its {a}, {e} has {the}{v}",
        "it is {the}{v} that is the {a} of {e}",
        "{the}{v} is {e}'s {a}",
        "what {e} has as its {a} is {the}{v}",
        "{e} is the country whose {a} is {the}{v}",
        "the {a} that {e} has is {the}{v}",
        "{e} calls {the}{v} its {a}",
        "it is {the}{v} that {e} has as its {a}",
        "{the}{v} is what {e} has as its {a}",
        "the {a} of {e} is known to be {the}{v}",
        "people in {e} call {the}{v} their {a}",
    ),
    ("for {e}, the {a} is {the}{v}", "{e} counts {the}{v} as its {a}"),
)
