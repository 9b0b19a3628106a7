"""What a user says about business beside the figures themselves and questions: rules for advice, updates."""

from __future__ import annotations

from itertools import product

from ...speech.grammar import Wordings, framed


# Rules for advice. {x} is to be done on the condition {c}, {y} otherwise.
_SHOULD = (
    "{s} should",
    "{s} has to",
    "{s} ought to",
    "{s} must",
    "what {s} should do is",
    "our rule is that {s} should",
    "we think that {s} should",
    "let {s}",
    "have {s}",
)
_TO = (
    "advise {s} to",
    "tell {s} to",
    "please advise {s} to",
    "we want {s} to",
    "the board wants {s} to",
    "the rule for {s} is to",
    "our rule for {s} is to",
)
RULE = Wordings(
    (
        *(
            form.format(h=head)
            for form, head in product(
                (
                    "{h} {{x}} if {{c}} and otherwise {{y}}",
                    "{h} {{x}} if {{c}} and {{y}} otherwise",
                    "if {{c}} {h} {{x}} and otherwise {{y}}",
                    "{h} {{y}} unless {{c}} but {{x}} in that case",
                ),
                _SHOULD,
            )
        ),
        *(
            form.format(h=head)
            for form, head in product(
                (
                    "{h} {{x}} if {{c}} and otherwise to {{y}}",
                    "if {{c}} {h} {{x}} and otherwise to {{y}}",
                    "{h} {{y}} unless {{c}} but to {{x}} in that case",
                ),
                _TO,
            )
        ),
        "tell {s} to {x} if {c} and to {y} otherwise",
        "advise {s} to {x} if {c} and to {y} otherwise",
    ),
    ("it is best for {s} to {x} if {c} and to {y} otherwise", "{s} does well to {x} if {c} and to {y} if not"),
)
CASE = Wordings(
    tuple(form.format(h=head) for form, head in product(("{h} {{x}} if {{c}}", "if {{c}} {h} {{x}}"), _SHOULD + _TO)),
    ("it is best for {s} to {x} if {c}", "{s} does well to {x} if {c}"),
)
REST = Wordings(
    tuple(
        form.format(h=head)
        for form, head in product(
            (
                "{h} {{x}} in all other cases",
                "in all other cases {h} {{x}}",
                "{h} {{x}} if neither is the case",
                "if neither is the case {h} {{x}}",
            ),
            _SHOULD + _TO,
        )
    ),
    ("it is best for {s} to {x} in any other case", "{s} does well to {x} in any other case"),
)
FILLERS = (
    *(
        f"{lead} {{}}"
        for lead in (
            "as far as I know,",
            "as you may know,",
            "if I am not wrong,",
            "to begin with,",
            "as it happens,",
            "if I remember rightly,",
            "as things are,",
            "the way I see it,",
            "if you ask me,",
            "you should know that",
            "I hear that",
            "I was told that",
            "please note that",
            "let us say that",
            "it is clear that",
        )
    ),
    *(
        f"{{}}, {tail}"
        for tail in (
            "as far as I know",
            "I think",
            "I believe",
            "as things are",
            "if you ask me",
            "I was told",
            "just so you know",
            "if I remember rightly",
            "so please use that",
            "or so I hear",
            "if the books are right",
        )
    ),
)
"""What may be said around a clause of a prompt that tells a figure."""

_ONLY = (
    "{s} should {x} only if {c}",
    "{s} should not {x} unless {c}",
    "{s} should never {x} unless {c}",
    "{s} must not {x} unless {c}",
    "{s} ought to {x} only if {c}",
    "only if {c} should {s} {x}",
    "unless {c} {s} should not {x}",
    "we want {s} to {x} only if {c}",
    "the board wants {s} to {x} only if {c}",
)
TELL_LIMIT = Wordings(_ONLY, ("{s} may {x} only if {c}", "{s} is to {x} only if {c}"))

_LEADS = (
    "Correction: ",
    "Sorry, ",
    "No, ",
    "Wait, ",
    "Hold on, ",
    "Oh, ",
    "Well, ",
    "I made an error, ",
    "I got that wrong, ",
    "I just heard it: ",
)
_TAILS = (", sorry", ", sorry about that", ", I read it wrong", ", so use that", ", they tell me", ", I see now")
FIGURE_UPDATES = {
    "correction": Wordings(
        framed(
            (
                "{noun} was {new}",
                "{noun} was {new}, not {old}",
                "{noun} is {new}",
                "{noun} is {new}, not {old}",
                "{noun} is not {old} but {new}",
                "{noun} should be {new}",
                "{noun} has been corrected to {new}",
                "I misread {noun}, it is {new}",
                "I was wrong about {noun}, it was {new}",
                "the books now say {new} for {noun}",
                "the report now gives {new} as {noun}",
                "we now have {new} for {noun}",
                "it is {new} for {noun}",
                "it is {new} and not {old} for {noun}",
                "instead of {old} {noun} is {new}",
            ),
            (*_LEADS, "New figures: ", "The accountants called: "),
            _TAILS,
        )
        + framed(
            (
                "make that {new} for {noun}",
                "change {noun} to {new}",
                "set {noun} to {new}",
                "put {noun} at {new} instead of {old}",
                "use {new} for {noun}",
                "use {new} and not {old} for {noun}",
                "take {new} as {noun}",
            ),
            ("", *_LEADS),
            (", please", *_TAILS[:3]),
        )
        + ("{Noun} was {new}, not {old}.", "The books now say {new} for {noun}."),
        (
            "An audit puts {noun} at {new}.",
            "Swap {old} for {new} as {noun}.",
            "It turns out that {noun} was {new}.",
        ),
    ),
    "invalidation": Wordings(
        framed(
            (
                "{noun} was withdrawn",
                "{noun} no longer holds",
                "{noun} is not known any more",
                "{noun} has been struck from the books",
                "strike {noun}, the books are being checked",
                "forget {noun}, the books are being checked",
                "the figure for {noun} was made up, forget it",
                "we have no figure for {noun} any more",
                "there is no figure for {noun} now",
                "we no longer know {noun}",
                "they have withdrawn {noun}",
                "the books no longer show {noun}",
            ),
            ("", "Sorry, ", "Wait, ", "No, ", "Bad news, "),
            (", sorry", ", I am afraid", ", they tell me"),
        ),
        ("The auditors reject {noun}, so drop it.", "Treat {noun} as open again."),
    ),
    "addition": Wordings(
        framed(
            (
                "{noun} has come in, it is {new}",
                "{noun} is known now, it is {new}",
                "{noun} was missing, it is {new}",
                "we now know {noun}, it is {new}",
                "I have found {noun}, it is {new}",
                "at last we have {noun}, {new}",
                "they sent us {noun}, {new}",
                "the figure for {noun} is out, {new}",
                "here is {noun}, {new}",
                "you can now use {new} as {noun}",
                "the books now show {new} as {noun}",
                "as for {noun}, it is {new}",
            ),
            ("", "Good news, ", "By the way, ", "Also, ", "One more thing: "),
            (", so use that", ", as we just learned", ", by the way"),
        ),
        ("The missing figure is in, {noun} comes to {new}.", "{Noun} has arrived with {new}."),
    ),
}
SHORT_UPDATES = {
    "correction": Wordings(
        framed(
            (
                "{new}",
                "{new}, not {old}",
                "{new} and not {old}",
                "{new} instead of {old}",
                "not {old} but {new}",
                "it is {new}",
                "it was {new}",
                "it should be {new}",
                "I meant {new}",
                "make that {new}",
                "I should have said {new}",
            ),
            ("Correction, ", *_LEADS),
            (", sorry", ", sorry about that", ", I read it wrong", ", please", ", I see now"),
        )
        + ("I meant {new}.", "Make that {new}.", "Not {old} but {new}."),
        ("Rather {new}.", "{New} in truth."),
    ),
    "refinement": Wordings(
        framed(
            ("{new}", "it is {new}", "it was {new}", "make that {new}"),
            ("To be exact, ", "To be precise, ", "More precisely, ", "More exactly, ", "Let me be exact, "),
            (", to be exact", ", to be precise", ", more precisely", ", if you want it exactly"),
        )
        + ("Or {new}, to be precise.",),
        ("Strictly speaking, {new}.", "{New}, put more exactly."),
    ),
}
"""Where only one figure can be meant."""
_NO_LIMIT = (
    "drop {noun}",
    "forget {noun}",
    "strike {noun}",
    "remove {noun}",
    "{noun} is gone",
    "{noun} was dropped",
    "{noun} no longer holds",
    "{noun} does not count any more",
    "there is no limit for {s} any more",
    "we need no limit for {s} now",
)
LIMIT_UPDATES = {
    "correction": Wordings(
        framed(
            (
                "{noun} is {new}, not {old}",
                "{noun} is not {old} but {new}",
                "{noun} is now {new}",
                "{noun} should be {new}",
                "{noun} was changed to {new}",
                "change {noun} to {new}",
                "move {noun} from {old} to {new}",
                "put {noun} at {new} instead of {old}",
                "use {new} for {noun}",
                "I was wrong about {noun}, it is {new}",
            ),
            ("", *_LEADS),
            _TAILS,
        )
        + framed(("{noun} is {new}", *_ONLY), _LEADS),
        ("Set {noun} at {new} from now on.", "The board moved {noun} to {new}."),
    ),
    "invalidation": Wordings(
        framed(
            tuple(
                f"{gone}, {then}"
                for gone, then in product(
                    _NO_LIMIT,
                    (
                        "{s} should {y} only if {f}",
                        "{s} should now {y} only if {f}",
                        "so {s} should {y} only if {f}",
                        "tell {s} to {y} only if {f}",
                        "only if {f} should {s} {y}",
                        "{s} should {x} unless {f}",
                    ),
                )
            ),
            ("", "Sorry, ", "Wait, "),
        ),
        ("Lift {noun}, {s} is to {y} only if {f}.", "{Noun} was lifted, {s} may {x} unless {f}."),
    ),
    "constraint": Wordings(
        framed(
            _ONLY[:7],
            (
                "From now on ",
                "New rule: ",
                "Mind this: ",
                "We decided that ",
                "The board says that ",
                "There is a limit for {s} now, ",
                "There is a new condition: ",
            ),
            (" from now on", ", that is a new rule", ", please note"),
        )
        + ("The board wants {s} to {x} only if {c}.", "We now want {s} to {x} only if {c}."),
        ("As of today {s} may {x} only if {c}.", "The board lets {s} {x} only if {c}."),
    ),
}
"""{x} is the advice while the condition {c} holds, {y} the other one, which holds if {f} where there is no limit."""
