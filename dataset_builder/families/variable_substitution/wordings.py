"""What a user says about numbers: values given, questions, updates.

{x}, or {fact} in updates, is a letter; {v}, or {new}, its number, {old} the one before it; {q} an expression. Lists
are put together from short ones, so that what a clause says cannot be told from a few fixed words. None of them has
the word "a", which is a letter too.
"""

from __future__ import annotations

from ...speech.grammar import Wordings, surrounded


# What opens the values of a prompt, by what may follow it: a bare equation, or any statement.
_BARE = ("let", "take", "we have", "let us take", "please take", "use", "here we have", "I have", "consider")
_STATING = (
    "suppose",
    "here",
    "suppose that",
    "let us suppose that",
    "note that",
    "we know that",
    "we are told that",
    "I found that",
    "as you know,",
    "in this task,",
    "on my sheet,",
    "remember that",
    "keep in mind that",
    "it holds that",
    "here are the numbers:",
    "these are given:",
    "this is what we have:",
)
_BARE_SUBORDINATE = ("given", "with", "starting with", "working with", "based on")
_STATING_SUBORDINATE = ("if", "given that", "provided that", "as", "since", "when", "under the condition that")
NO_VERB = _BARE + _BARE_SUBORDINATE
"""Only equations fit behind these."""
SENTENCES = _BARE + _STATING
"""What may also open a sentence of its own."""
GIVEN = SENTENCES + _BARE_SUBORDINATE + _STATING_SUBORDINATE
GIVEN_UNSEEN = ("say", "assume", "imagine", "knowing that")
JOINED = ("if", "given that", "where", "when", "provided that", "for the case that", "since")
"""What joins values to the question before them."""

STATED = (
    "{x} stands for {v}",
    "{x} means {v}",
    "{x} comes to {v}",
    "{x} stands at {v}",
    "{x} has been found to be {v}",
    "{x} is known to be {v}",
    "{x} was measured as {v}",
    "the number {x} is {v}",
    "the letter {x} stands for {v}",
    "our {x} is {v}",
    "{v} is what {x} stands for",
    "{v} is the number for {x}",
    "it is {v} that {x} stands for",
    "what {x} stands for is {v}",
    "for {x} we have {v}",
    "in place of {x} we have {v}",
    "by {x} we mean {v}",
    "we have {v} for {x}",
    "my notes have {v} for {x}",
    "we write {x} for {v}",
)
DEMANDED = (
    "use {v} for {x}",
    "put {v} for {x}",
    "put {v} in place of {x}",
    "write {v} where you see {x}",
    "let {x} be {v}",
    "let {x} stand for {v}",
    "take {v} for {x}",
    "take {x} to be {v}",
    "read {x} as {v}",
    "treat {x} as {v}",
)
"""Nothing opens these, as they are orders."""

_QUESTIONS = (
    "what is {}",
    "what is {} then",
    "what does {} come to",
    "what do you get for {}",
    "what does that make {}",
    "what comes out for {}",
    "what is the result of {}",
    "can you compute {}",
    "could you work out {}",
    "would you calculate {}",
    "can you tell me what {} is",
    "do you know what {} is",
    "may I ask what {} is",
    "what number is {}",
    "{} is what",
    "which number is {}",
)
_REQUESTS = (
    "compute {}",
    "compute {} step by step",
    "find {}",
    "work out {}",
    "work out {} step by step",
    "tell me {}",
    "tell me what {} is",
    "evaluate {}",
    "calculate {} step by step",
    "step by step, compute {}",
    "give me {}",
    "let me know {}",
    "solve {}",
    "show me how {} is computed",
    "do the sum for {}",
    "simplify {}",
    "get me the result of {}",
    "report {}",
)
_WISHES = (
    "I need {}",
    "I want to see {}",
    "I am looking for {}",
    "I am asking for {}",
    "I want you to compute {}",
    "my question is {}",
    "what I need is {}",
    "what I am after is {}",
    "it is {} that I am after",
    "{} is to be computed",
    "{} is what I am after",
    "{} has to be worked out",
    "your task is {}",
    "you are to compute {}",
)
ASK_ONE = Wordings(
    tuple(
        lead + form + tail
        for leads, forms, tails in (
            (
                ("", "", "so ", "now ", "here is my question: ", "for my homework, "),
                _QUESTIONS,
                ("?", "?", ", please?"),
            ),
            (
                ("", "", "please ", "now ", "so ", "if you can, ", "for my homework, "),
                _REQUESTS,
                (".", ".", ".", ", if you can.", " for me."),
            ),
            (("", "", "this time, ", "for my homework, "), _WISHES, (".", ".", " now.")),
        )
        for lead in leads
        for form in forms
        for tail in tails
        if not (lead and form.startswith("{}"))
    ),
    ("how much is {}?", "determine {}.", "I would like to know {}."),
)
_INTROS_MANY = (
    "compute, in order,",
    "compute",
    "work out, one by one,",
    "please find",
    "evaluate step by step:",
    "tell me,",
    "I need",
    "find",
    "answer in this order:",
    "calculate",
    "please work out",
    "my questions are these:",
    "could you compute these:",
    "what I need is",
    "I am looking for",
    "solve, in this order,",
    "here is what I ask for:",
    "let me know, step by step,",
    "for my homework, compute",
)
_PLACED = (
    "{n}) {q}",
    "{n}) {q}",
    "({n}) {q}",
    "{q} {ordinal}",
    "{ordinal} {q}",
    "as number {n} {q}",
    "number {n}: {q}",
)
_OWN_PLACES = (
    "{ordinal} compute {q}",
    "question {n} is {q}",
    "{ordinal} work out {q}",
    "{ordinal} I need {q}",
    "compute {q} {ordinal}",
    "{ordinal} comes {q}",
    "for number {n}, compute {q}",
    "task {n} is to compute {q}",
    "the {ordinal} question is {q}",
    "the {ordinal} thing I need is {q}",
    "work out {q} as number {n}",
    "your answer number {n} should be {q}",
    "in place {n}, tell me {q}",
    "{ordinal} find {q}",
)
ASK_MANY = (
    *((intro, item) for intro in _INTROS_MANY for item in _PLACED),
    *(("", item) for item in _OWN_PLACES for _ in range(3)),
)
ASK_MANY_UNSEEN = (("determine", "{n}) {q}"), ("give me", "{q} {ordinal}"), ("", "item {n} is {q}"))
"""What opens the questions, and how each carries its place within its own clause."""

_LEADS = (
    "Actually ",
    "Actually, ",
    "Correction: ",
    "Sorry, ",
    "No, ",
    "Wait, ",
    "Oh, ",
    "Oops, ",
    "Hold on, ",
    "Well, ",
    "I was wrong, ",
    "Let me fix that: ",
    "I got that wrong, ",
    "I need to correct something: ",
    "As I see now, ",
    "There is news: ",
    "Forgive me, ",
    "Listen, ",
    "Not quite, ",
)
_THAT_LEADS = (
    "I just heard that ",
    "I see now that ",
    "I meant that ",
    "I should have said that ",
    "Please note that ",
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
    "Now ",
)
_TAILS = (
    "",
    "",
    "",
    "",
    ", sorry about that",
    ", I am afraid",
    ", please use that from now on",
    ", as I see now",
    ", if you ask me",
    ", I checked again",
)
_IS_NOW = (
    "{fact} = {new}",
    "{fact} = {new}",
    "{fact} is {new}",
    "{fact} is {new}",
    "{fact} is {new}, not {old}",
    "{fact} = {new}, not {old}",
    "{fact} is not {old} but {new}",
    "{fact} is now {new}",
    "{fact} should be {new}",
    "{fact} should be {new} rather than {old}",
    "{fact} is {new} instead of {old}",
    "instead of {old}, {fact} is {new}",
    "{fact} was {old} and is now {new}",
    "{fact} has become {new}",
    "{fact} has gone from {old} to {new}",
    "{fact} has to be {new}",
    "{fact} stands for {new}",
    "{fact} stands for {new}, not for {old}",
    "it is {new} that {fact} stands for",
    "it is {new}, not {old}, that {fact} stands for",
    "it is not {old} but {new} that {fact} stands for",
    "what {fact} stands for is {new}",
    "{new} is the number for {fact}",
    "{new}, not {old}, is the number for {fact}",
    "for {fact} we have {new}",
    "for {fact} we have {new}, not {old}",
    "the number {fact} is {new}",
    "our {fact} is {new}",
)
_CHANGE_IT = (
    "change {fact} to {new}",
    "change {fact} from {old} to {new}",
    "make that {fact} = {new}",
    "make {fact} {new}",
    "let {fact} be {new}",
    "let {fact} be {new} instead of {old}",
    "let {fact} stand for {new}, not for {old}",
    "take {fact} = {new}",
    "take {new} for {fact}",
    "use {new} for {fact}",
    "use {new}, not {old}, for {fact}",
    "use {fact} = {new} instead of {old}",
    "put {new} in place of {old} for {fact}",
    "correct {fact} to {new}",
    "read {fact} as {new}",
    "treat {fact} as {new} rather than {old}",
)
_CONTRASTS = (
    "I meant {fact} = {new}",
    "I meant {fact} = {new} when I said {old}",
    "I said {fact} = {old}, but it is {new}",
    "I told you {old} for {fact}, but it is {new}",
    "when I said {fact} = {old}, I meant {new}",
    "where I said {old} for {fact}, I meant {new}",
    "for {fact} I said {old} and meant {new}",
    "I thought that {fact} was {old}, but it is {new}",
    "I took {fact} for {old}, but it is {new}",
)
_UNKNOWN = (
    "{fact} is unknown",
    "{fact} is unknown now",
    "nobody knows {fact} any more",
    "nobody can tell {fact} any more",
    "we do not know {fact} any more",
    "I do not know {fact} any more",
    "we do not know what {fact} stands for any more",
    "what {fact} is, nobody knows now",
    "there is no number for {fact} any more",
    "there is nothing known about {fact} any more",
    "{fact} has become unknown",
    "{fact} has no number any more",
    "{fact} is not known any more",
    "no number is known for {fact} now",
)
_MAKE_UNKNOWN = (
    "forget {fact}, it is unknown",
    "forget {fact}, nobody knows it",
    "treat {fact} as unknown",
    "treat {fact} as unknown from now on",
    "cross out {fact}, it is unknown",
    "drop {fact}, it is unknown",
    "regard {fact} as unknown",
    "do not use {fact}, it is unknown",
    "erase {fact}, as it is unknown",
)
_NEW = (
    "{fact} = {new}",
    "{fact} = {new}",
    "{fact} is {new}",
    "{fact} is {new}",
    "{fact} stands for {new}",
    "{fact} comes to {new}",
    "{new} is the number for {fact}",
    "it is {new} that {fact} stands for",
    "what {fact} stands for is {new}",
    "for {fact} we have {new}",
    "the number {fact} is {new}",
    "our {fact} is {new}",
    "{fact} is known to be {new}",
    "{fact} has been found to be {new}",
)
UPDATES = {
    "correction": Wordings(
        (
            *surrounded(_LEADS + _THAT_LEADS, _IS_NOW, _TAILS),
            *surrounded(_CHANGE_LEADS, _CHANGE_IT, _TAILS),
            *surrounded(("", "", "", "Sorry, ", "Wait, ", "Oh, ", "No, ", "Actually, "), _CONTRASTS, _TAILS),
        ),
        ("Set {fact} to {new} now.", "Replace {old} by {new} for {fact}.", "It turns out that {fact} equals {new}."),
    ),
    "invalidation": Wordings(
        (
            *surrounded(
                ("", "", "Sorry, ", "Wait, ", "Actually, ", "No, ", "I just heard that ", "It seems that "),
                _UNKNOWN,
                ("", "", "", ", I am afraid", ", sorry about that", ", as I see now"),
            ),
            *surrounded(
                ("", "", "Please ", "Sorry, ", "Wait, ", "Actually, "),
                _MAKE_UNKNOWN,
                ("", "", ", I am afraid", ", sorry about that"),
            ),
        ),
        ("We have lost the value of {fact}.", "{fact} is open again."),
    ),
    "addition": Wordings(
        (
            *(
                f"{lead}{form}{tail}."
                for lead in (
                    "And ",
                    "Also, ",
                    "By the way, ",
                    "One more thing: ",
                    "Oh, and ",
                    "I forgot to say that ",
                    "I just heard that ",
                    "Before I forget, ",
                    "Something new: ",
                    "Here is another one: ",
                    "You may also use this: ",
                    "Now we know that ",
                )
                for form in _NEW
                for tail in ("", "", "", ", by the way", ", as we now know", ", if you need it", ", which is new")
            ),
            *(
                f"{lead}{form}."
                for lead in ("Also ", "And ", "Please also ", "By the way, ", "Now also ")
                for form in DEMANDED
                for form in (form.replace("{x}", "{fact}").replace("{v}", "{new}"),)
                for _ in range(4)
            ),
            *("Now {fact} is known: {fact} = {new}.", "Now {fact} is known: it is {new}.") * 30,
        ),
        ("As for {fact}, take {new}.", "We learn that {fact} equals {new}."),
    ),
}
TELL = Wordings(
    (
        "{x} is {v}",
        "{x} is {v}",
        "{x} = {v}",
        "{x} = {v}",
        "{x} stands for {v}",
        "{x} comes to {v}",
        "the number {x} is {v}",
        "our {x} is {v}",
        "it is {v} that {x} stands for",
        "{v} is the number for {x}",
        "what {x} stands for is {v}",
        "for {x} we have {v}",
        "we have {v} for {x}",
        "the letter {x} stands for {v}",
        "{x} is known to be {v}",
        "{v} is what {x} stands for",
    ),
    ("{x} equals {v}", "the value of {x} is {v}"),
)
