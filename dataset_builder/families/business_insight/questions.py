"""How a user asks about business, for one thing and for many."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from ...speech.grammar import Wordings


ADVICE_NOUNS = Wordings(
    (
        "the advice for {s}",
        "the best advice for {s}",
        "the right advice for {s}",
        "the right move for {s}",
        "the best move for {s}",
        "the next step for {s}",
        "the right step for {s}",
        "your advice for {s}",
        "the right thing for {s} to do",
        "what {s} should do",
        "what {s} should do now",
        "what {s} ought to do",
        "what you advise {s}",
        "what to advise {s}",
    ),
    ("the recommendation for {s}", "the way forward for {s}"),
)
TOTAL_NOUNS = Wordings(
    (
        "the total {n}",
        "the total {n} of all",
        "the sum of the {n} of all",
        "the {n} of all together",
        "the {n} of all of them together",
        "the {n} of all put together",
        "the {n} of all added up",
        "the {n} in total",
        "the total of the {n}",
        "the combined {n}",
        "the combined {n} of all",
        "the overall {n}",
        "what the total {n} is",
        "what the {n} of all adds up to",
        "how much {n} there is in total",
    ),
    ("the {n} of all taken as one", "the {n} of all summed up"),
)
LEADER_NOUNS = Wordings(
    (
        "the leader in {n}",
        "the leader by {n}",
        "the one with the higher {n}",
        "the owner of the higher {n}",
        "the one that has the higher {n}",
        "the one who leads in {n}",
        "the leader when it comes to {n}",
        "who leads in {n}",
        "who is the leader in {n}",
        "who has the higher {n}",
        "which of them has the higher {n}",
        "whose {n} is higher",
    ),
    ("the front runner in {n}", "the one ahead in {n}"),
)

_ASK_NOUN = (
    "what is {q}?",
    "give me {q}.",
    "please give me {q}.",
    "name {q}.",
    "I need {q}.",
    "I am asking for {q}.",
    "what would be {q}?",
    "can you give me {q}?",
)
_ASK_ANY = (
    "tell me {q}.",
    "please tell me {q}.",
    "report {q}.",
    "please report {q}.",
    "let me know {q}.",
    "please let me know {q}.",
    "I would like to hear {q}.",
    "I would like to know {q}.",
    "I want to know {q}.",
    "I need to know {q}.",
    "show me {q}.",
    "say {q}.",
    "work out {q}.",
    "find {q}.",
    "what I want to know is {q}.",
    "my question is {q}.",
    "{q} is what I want to know.",
    "can you tell me {q}?",
    "could you tell me {q}?",
    "do you know {q}?",
    "{q}, please.",
)
ASK_ONE = Wordings(_ASK_NOUN + _ASK_ANY, ("state {q}.", "inform me of {q}.", "I wonder about {q}."))
ASK_OWN = {
    "advice": Wordings(
        (
            "what should {s} do?",
            "what should {s} do now?",
            "what do you advise {s}?",
            "what would you advise {s}?",
            "what do you advise {s} to do?",
            "what ought {s} to do?",
            "what does {s} have to do?",
            "which step should {s} take?",
            "how would you advise {s}?",
            "what should one tell {s} to do?",
        ),
        ("what is {s} to do?",),
    ),
    "result": Wordings(
        (
            "does {s} make a profit or a loss?",
            "how much profit or loss does {s} make?",
            "what profit or loss does {s} make?",
            "has {s} made a profit or a loss?",
            "does {s} end up with a profit or a loss?",
            "is it a profit or a loss that {s} makes?",
            "how big is the profit or loss of {s}?",
        ),
        ("is {s} in the black?",),
    ),
    "gap": Wordings(
        (
            "is {s} over or under its target?",
            "how far is {s} from its target?",
            "how far over or under its target is {s}?",
            "by how much is {s} over or under its target?",
            "is the revenue of {s} over or under target?",
            "how does {s} compare with its target?",
            "how big is the gap between {s} and its target?",
        ),
        ("did {s} miss its target?",),
    ),
    "growth": Wordings(
        (
            "has {s} grown or shrunk?",
            "by how much has {s} grown or shrunk?",
            "how much has {s} grown or shrunk?",
            "did {s} grow or shrink?",
            "is the revenue of {s} up or down?",
            "how has the revenue of {s} changed?",
            "by how much has the revenue of {s} changed?",
        ),
        ("which way does {s} go?",),
    ),
    "reserve": Wordings(
        (
            "does {s} have more cash or more debt?",
            "does {s} hold more cash or more debt?",
            "has {s} more cash or more debt?",
            "how does the cash of {s} compare with its debt?",
            "is the cash of {s} more or less than its debt?",
            "how much more or less cash than debt does {s} have?",
        ),
        ("could {s} pay back its debt?",),
    ),
    "staffing": Wordings(
        (
            "does {s} have too many or too few people?",
            "has {s} too many or too few people?",
            "how many people too many or too few does {s} have?",
            "are there too many or too few people working for {s}?",
            "how does the staff of {s} compare with its plan?",
            "by how many people is {s} off its plan?",
        ),
        ("is {s} short of people?",),
    ),
}
_FORMS = ("{n}) {q}", "({n}) {q}", "{ordinal} {q}", "as number {n} {q}")
_ASK_MANY_NOUN = tuple(product(("give me", "please give me", "I need", "talk about"), _FORMS[:3]))
_ASK_MANY_ANY = (
    *product(
        (
            "tell me",
            "please tell me",
            "please report",
            "in this order tell me",
            "I want to know",
            "I need to know",
            "I would like to hear",
            "let me know",
            "show me",
            "work out",
            "say",
        ),
        _FORMS[:3],
    ),
    *product(("tell me about these:", "report in this order:", "go through these:", "here is what I ask:"), _FORMS),
    ("", "question {n} is about {q}"),
    ("", "question {n} is {q}"),
    ("", "number {n} is {q}"),
    ("", "{n}) {q}"),
    ("", "{ordinal} tell me {q}"),
    ("", "{ordinal} I want to know {q}"),
    ("", "{ordinal} report {q}"),
    ("", "{ordinal} comes {q}"),
    ("", "the {ordinal} question is {q}"),
    ("", "report {q} {ordinal}"),
    ("", "tell me {q} {ordinal}"),
)
ASK_MANY = _ASK_MANY_NOUN + _ASK_MANY_ANY
ASK_MANY_UNSEEN = (("list", "{n}) {q}"), ("explain", "{ordinal} {q}"), ("", "item {n} is {q}"))
_CLAUSES = ("what ", "how ", "by how ", "whether ", "who ", "whose ", "which ")


def asks(nouns: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The known ways to ask for one and for many that suit what is asked: "give me whether" is not said."""
    suits = not any(noun.startswith(_CLAUSES) for noun in nouns)
    return (ASK_ONE.known, ASK_MANY) if suits else (_ASK_ANY, _ASK_MANY_ANY)
