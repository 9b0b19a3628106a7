"""What a user says about business beside the figures themselves: rules for advice, questions, updates."""

from __future__ import annotations

from ..grammar import Wordings


# Rules for advice. {x} is to be done on the condition {c}, {y} otherwise.
RULE = Wordings(
    (
        "{s} should {x} if {c} and otherwise {y}",
        "advise {s} to {x} if {c} and otherwise to {y}",
        "tell {s} to {x} if {c} and to {y} otherwise",
        "if {c} {s} should {x} and otherwise {y}",
        "the rule for {s} is to {x} if {c} and otherwise to {y}",
    ),
    ("it is best for {s} to {x} if {c} and to {y} otherwise", "{s} does well to {x} if {c} and to {y} if not"),
)
CASE = Wordings(
    ("{s} should {x} if {c}", "advise {s} to {x} if {c}", "tell {s} to {x} if {c}", "if {c} {s} should {x}"),
    ("it is best for {s} to {x} if {c}", "{s} does well to {x} if {c}"),
)
REST = Wordings(
    (
        "{s} should {x} in all other cases",
        "advise {s} to {x} in all other cases",
        "in all other cases {s} should {x}",
        "tell {s} to {x} in all other cases",
    ),
    ("it is best for {s} to {x} in any other case", "{s} does well to {x} in any other case"),
)

ADVICE_NOUNS = Wordings(
    ("the advice for {s}", "the best advice for {s}", "the right move for {s}", "the next step for {s}"),
    ("the recommendation for {s}", "the way forward for {s}"),
)
TOTAL_NOUNS = Wordings(
    ("the total {n}", "the total {n} of all", "the sum of the {n} of all", "the {n} of all together"),
    ("the {n} of all taken as one", "the {n} of all summed up"),
)
LEADER_NOUNS = Wordings(
    ("the leader in {n}", "the leader by {n}", "the one with the higher {n}", "the owner of the higher {n}"),
    ("the front runner in {n}", "the one ahead in {n}"),
)

ASK_ONE = Wordings(
    (
        "tell me {q}.",
        "what is {q}?",
        "report {q}.",
        "give me {q}.",
        "name {q}.",
        "let me know {q}.",
        "I would like to hear {q}.",
    ),
    ("state {q}.", "inform me of {q}.", "I wonder about {q}."),
)
ASK_OWN = {
    "advice": Wordings(("what should {s} do?", "what do you advise {s}?"), ("what is {s} to do?",)),
    "result": Wordings(
        ("does {s} make a profit or a loss?", "how much profit or loss does {s} make?"), ("is {s} in the black?",)
    ),
    "gap": Wordings(
        ("is {s} over or under its target?", "how far is {s} from its target?"), ("did {s} miss its target?",)
    ),
    "growth": Wordings(
        ("has {s} grown or shrunk?", "by how much has {s} grown or shrunk?"), ("which way does {s} go?",)
    ),
    "reserve": Wordings(("does {s} have more cash or more debt?",), ("could {s} pay back its debt?",)),
    "staffing": Wordings(("does {s} have too many or too few people?",), ("is {s} short of people?",)),
}
ASK_MANY = (
    ("tell me", "{n}) {q}"),
    ("please report", "({n}) {q}"),
    ("in this order tell me", "{n}) {q}"),
    ("I want to know", "{ordinal} {q}"),
    ("give me", "{ordinal} {q}"),
    ("talk about", "{ordinal} {q}"),
    ("", "question {n} is about {q}"),
    ("", "{ordinal} tell me {q}"),
    ("", "report {q} {ordinal}"),
    ("tell me about these:", "as number {n} {q}"),
)
ASK_MANY_UNSEEN = (("list", "{n}) {q}"), ("explain", "{ordinal} {q}"), ("", "item {n} is {q}"))

TELL = Wordings(
    ("the {n} of {s} is {v}", "{s}'s {n} is {v}", "{v} is the {n} of {s}"),
    ("the {n} of {s} amounts to {v}", "the {n} at {s} stands at {v}"),
)
TELL_OF_COMPANY = Wordings(("the {n} is {v}", "our {n} is {v}"), ("our {n} stands at {v}",))
TELL_LIMIT = Wordings(
    ("{s} should {x} only if {c}", "{s} should not {x} unless {c}"),
    ("{s} may {x} only if {c}", "{s} is to {x} only if {c}"),
)

FIGURE_UPDATES = {
    "correction": Wordings(
        (
            "Correction: {noun} was {new}.",
            "Correction: {noun} was {new}, not {old}.",
            "{Noun} was {new}, not {old}.",
            "Sorry, I misread {noun}, it is {new}.",
            "Make that {new} for {noun}.",
            "I was wrong about {noun}, it was {new}.",
            "The books now say {new} for {noun}.",
            "Change {noun} to {new}.",
            "Put {noun} at {new} instead of {old}.",
            "New figures: {noun} is {new}.",
        ),
        (
            "An audit puts {noun} at {new}.",
            "Swap {old} for {new} as {noun}.",
            "It turns out that {noun} was {new}.",
        ),
    ),
    "invalidation": Wordings(
        (
            "{Noun} was withdrawn.",
            "Strike {noun}, the books are being checked.",
            "The figure for {noun} was made up, forget it.",
            "We have no figure for {noun} any more.",
        ),
        ("The auditors reject {noun}, so drop it.", "Treat {noun} as open again."),
    ),
    "addition": Wordings(
        (
            "{Noun} has come in, it is {new}.",
            "We now know {noun}, it is {new}.",
            "At last we have {noun}, {new}.",
            "The figure for {noun} is out, {new}.",
        ),
        ("The missing figure is in, {noun} comes to {new}.", "{Noun} has arrived with {new}."),
    ),
}
SHORT_UPDATES = {
    "correction": Wordings(
        (
            "Correction, {new}.",
            "Correction: {new}, not {old}.",
            "No, {new}.",
            "Sorry, {new}.",
            "I meant {new}.",
            "Make that {new}.",
        ),
        ("Rather {new}.", "{New} in truth."),
    ),
    "refinement": Wordings(
        ("To be exact, {new}.", "{New}, to be exact.", "More precisely, {new}.", "Or {new}, to be precise."),
        ("Strictly speaking, {new}.", "{New}, put more exactly."),
    ),
}
"""Where only one figure can be meant."""
LIMIT_UPDATES = {
    "correction": Wordings(
        (
            "{Noun} is {new}, not {old}.",
            "Correction: {noun} is {new}.",
            "Change {noun} to {new}.",
            "Move {noun} from {old} to {new}.",
            "I was wrong about {noun}, it is {new}.",
            "Sorry, {s} should {x} only if {c}.",
        ),
        ("Set {noun} at {new} from now on.", "The board moved {noun} to {new}."),
    ),
    "invalidation": Wordings(
        (
            "Drop {noun}, {s} should {y} only if {f}.",
            "{Noun} is gone, {s} should now {y} only if {f}.",
            "There is no limit for {s} any more, it should {y} only if {f}.",
            "Forget {noun}, {s} should {y} only if {f}.",
        ),
        ("Lift {noun}, {s} is to {y} only if {f}.", "{Noun} was lifted, {s} may {x} unless {f}."),
    ),
    "constraint": Wordings(
        (
            "From now on {s} should {x} only if {c}.",
            "The board wants {s} to {x} only if {c}.",
            "New rule: {s} should {x} only if {c}.",
            "There is a limit for {s} now, it should {x} only if {c}.",
        ),
        ("As of today {s} may {x} only if {c}.", "The board lets {s} {x} only if {c}."),
    ),
}
"""{x} is the advice while the condition {c} holds, {y} the other one, which holds if {f} where there is no limit."""
