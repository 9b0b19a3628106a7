"""What business is talked about in: figures, what follows from two of them, and rules that turn them into advice."""

from __future__ import annotations

from typing import NamedTuple

from ...speech.grammar import Wordings
from ...world.facts import NONE, Values


COMPANY = "the company"
"""The subject of a scene that names none."""

MILLION, PEOPLE = "million", "people"


class Figure(NamedTuple):
    """A figure that can be told: its unit, and wordings of its own, the user's and the model's."""

    unit: str
    told: tuple[str, ...]
    said: tuple[str, ...]


FIGURES = {
    "revenue": Figure(
        MILLION,
        (
            "{s} took in {v}",
            "{s} had a revenue of {v}",
            "{s} reported a revenue of {v}",
            "{s} has taken in {v}",
            "{v} was taken in by {s}",
            "what {s} took in was {v}",
            "{s} had {v} coming in",
            "{s} made sales of {v}",
            "sales brought {s} {v}",
            "customers paid {s} {v}",
            "{s} can report a revenue of {v}",
            "a revenue of {v} was reported by {s}",
        ),
        ("{s} has a revenue of {v}", "{s} takes in {v}"),
    ),
    "cost": Figure(
        MILLION,
        (
            "{s} spent {v}",
            "{s} had a cost of {v}",
            "{s} reported a cost of {v}",
            "{s} has spent {v}",
            "{v} was spent by {s}",
            "what {s} spent was {v}",
            "{s} had {v} going out",
            "{s} paid out {v}",
            "{s} had to spend {v}",
            "it took {v} to run {s}",
            "{s} can report a cost of {v}",
            "a cost of {v} was reported by {s}",
        ),
        ("{s} has a cost of {v}", "{s} spends {v}"),
    ),
    "target": Figure(
        MILLION,
        (
            "{s} has a target of {v}",
            "{s} aims at a revenue of {v}",
            "{s} wants to reach a revenue of {v}",
            "{s} aims to take in {v}",
            "{s} hopes for a revenue of {v}",
            "{s} would like to take in {v}",
            "{s} is meant to take in {v}",
            "{s} was given a target of {v}",
            "{s} has set itself a target of {v}",
            "a target of {v} was set for {s}",
            "{v} is what {s} aims at",
            "what {s} aims at is {v}",
        ),
        ("{s} has a target of {v}", "{s} aims at {v}"),
    ),
    "prior revenue": Figure(
        MILLION,
        (
            "last year {s} took in {v}",
            "{s} had a prior revenue of {v}",
            "{s} took in {v} last year",
            "{v} was taken in by {s} last year",
            "last year {s} had a revenue of {v}",
            "{s} had a revenue of {v} last year",
            "a year ago {s} took in {v}",
            "{s} took in {v} a year ago",
            "what {s} took in last year was {v}",
            "in the year before {s} took in {v}",
        ),
        ("{s} had a prior revenue of {v}", "last year {s} took in {v}"),
    ),
    "cash": Figure(
        MILLION,
        (
            "{s} holds {v} in cash",
            "{s} has {v} in cash",
            "{s} keeps {v} in cash",
            "{s} owns {v} in cash",
            "{s} sits on {v} in cash",
            "in cash {s} has {v}",
            "{v} in cash belongs to {s}",
            "{v} is what {s} holds in cash",
            "what {s} holds in cash is {v}",
            "{s} has {v} in the bank",
            "the bank holds {v} for {s}",
        ),
        ("{s} holds {v} in cash", "{s} keeps {v} in cash"),
    ),
    "debt": Figure(
        MILLION,
        (
            "{s} owes {v}",
            "{s} has a debt of {v}",
            "{s} must pay back {v}",
            "{s} has to pay back {v}",
            "{s} has borrowed {v}",
            "{s} has loans of {v}",
            "{s} owes its lenders {v}",
            "{v} is owed by {s}",
            "{v} is what {s} owes",
            "what {s} owes is {v}",
            "the banks want {v} back from {s}",
        ),
        ("{s} has a debt of {v}", "{s} owes {v}"),
    ),
    "staff": Figure(
        PEOPLE,
        (
            "{s} employs {v}",
            "{s} has a staff of {v}",
            "{v} work for {s}",
            "{v} are employed by {s}",
            "{s} has {v} on its staff",
            "{s} gives work to {v}",
            "there are {v} on the staff of {s}",
            "the staff of {s} consists of {v}",
            "those who work for {s} are {v}",
            "for {s} there are {v} at work",
        ),
        ("{s} has a staff of {v}", "{s} employs {v}"),
    ),
    "planned staff": Figure(
        PEOPLE,
        (
            "{s} plans with {v}",
            "{s} has a planned staff of {v}",
            "{s} wants to employ {v}",
            "{s} would like to employ {v}",
            "{s} means to employ {v}",
            "{s} plans to have {v}",
            "{s} plans for a staff of {v}",
            "{v} are planned for {s}",
            "the plan says {v} for {s}",
            "according to plan {s} should have {v}",
        ),
        ("{s} plans with {v}", "{s} has a planned staff of {v}"),
    ),
}
_TELL = (
    "the {n} of {s} is {v}",
    "{s}'s {n} is {v}",
    "with {s} the {n} is {v}",
    "in the books the {n} of {s} is {v}",
    "the {n} reported by {s} is {v}",
    "as the {n} of {s} we have {v}",
    "what {s} has as its {n} is {v}",
    "{s} has {v} as its {n}",
    "{s} gives its {n} as {v}",
    "{s} names {v} as its {n}",
    "the report gives {v} as the {n} of {s}",
)
_TELL_OF_COMPANY = (
    "the {n} is {v}",
    "our {n} is {v}",
    "in the books the {n} is {v}",
    "in the books our {n} is {v}",
    "as our {n} we have {v}",
    "what we have as our {n} is {v}",
    "we have {v} as our {n}",
    "we report {v} as the {n}",
    "the report gives {v} as the {n}",
    "the report gives {v} as our {n}",
    "the {n} that we report is {v}",
)
_AMOUNT_FIRST = ("{v} is the {n} of {s}", "{v} is what {s} has as its {n}")
TELL = Wordings(
    _TELL + _AMOUNT_FIRST,
    ("the {n} of {s} amounts to {v}", "the {n} at {s} stands at {v}"),
)
TELL_OF_COMPANY = Wordings(_TELL_OF_COMPANY, ("our {n} stands at {v}",))
TOLD = Wordings(
    (
        *_TELL,
        "the {n} of {s} was {v}",
        "{s}'s {n} was {v}",
        "the {n} of {s} was given as {v}",
        "{v} was reported as the {n} of {s}",
        *_AMOUNT_FIRST,
    ),
    ("the {n} of {s} amounts to {v}", "the {n} at {s} stands at {v}", "for {s} the {n} comes to {v}"),
)
TOLD_OF_COMPANY = Wordings(
    (
        *_TELL_OF_COMPANY,
        "{n} is {v}",
        "{n} was {v}",
        "the {n} was {v}",
        "our {n} was {v}",
        "the {n} was given as {v}",
        "{v} was reported as the {n}",
    ),
    ("our {n} stands at {v}", "the {n} comes to {v}"),
)


def of_people(known: tuple[str, ...]) -> tuple[str, ...]:
    """Wordings that suit a number of people; "120 people is the staff" is not said."""
    return tuple(wording for wording in known if not wording.startswith("{v} is"))


SAID = ("the {n} of {s} is {v}", "{s}'s {n} is {v}")
NOUNS = Wordings(
    (
        "the {n} of {s}",
        "{s}'s {n}",
        "the {n} reported by {s}",
        "the figure for the {n} of {s}",
        "what the {n} of {s} is",
        "what {s}'s {n} is",
        "what {s} has as its {n}",
    ),
    ("the {n} at {s}", "the {n} that {s} has"),
)


class Topic(NamedTuple):
    """What follows from two figures: the first minus the second.

    Attributes:
        first, second: the figures.
        sides: how a difference is said from 0 on, and below.
        said: the model's wordings; `{x}` and `{y}` are the figures.
        nouns: what a question calls it.
        reached: the condition for advice that the difference is at least `{v}`; "" if there is no such advice.
        failed: the condition that it is below 0.
        good, bad: advice where the condition holds, and where it does not.
    """

    first: str
    second: str
    sides: tuple[str, str]
    said: tuple[str, ...]
    nouns: Wordings
    reached: str
    failed: str
    good: tuple[str, ...] = ("expand", "invest", "build", "hire", "open shops", "raise wages", "pay dividends")
    bad: tuple[str, ...] = ("wait", "hold", "save", "sell", "cut costs", "raise prices", "close shops")


MIDDLE = ("hold", "wait", "stay put", "keep calm")
"""Advice in all other cases, where there is a third one."""

TOPICS = {
    "result": Topic(
        "revenue",
        "cost",
        ("profit of {}", "loss of {}"),
        (
            "{s} makes a {v}",
            "{s} ends up with a {v}",
            "the result of {s} is a {v}",
            "for {s}, {x} minus {y} is a {v}",
            "with a revenue of {x} and a cost of {y}, {s} makes a {v}",
        ),
        Wordings(
            (
                "the result of {s}",
                "{s}'s result",
                "the profit or loss of {s}",
                "{s}'s profit or loss",
                "the profit or loss made by {s}",
                "the profit or the loss that {s} makes",
                "the result for {s}",
                "the difference between revenue and cost of {s}",
                "revenue minus cost of {s}",
                "what profit or loss {s} makes",
                "what result {s} has",
                "how much profit or loss {s} makes",
                "whether {s} makes a profit or a loss",
            ),
            ("the bottom line of {s}", "what is left of the revenue of {s}"),
        ),
        "its profit is at least {v}",
        "it makes a loss",
    ),
    "gap": Topic(
        "revenue",
        "target",
        ("{} over", "{} under"),
        (
            "{s} is {v} target",
            "{s} ends up {v} target",
            "the gap of {s} is {v} target",
            "for {s}, {x} against {y} is {v} target",
            "with a revenue of {x} and a target of {y}, {s} is {v} target",
        ),
        Wordings(
            (
                "the gap of {s} to its target",
                "{s}'s gap to its target",
                "the gap between revenue and target of {s}",
                "{s}'s gap between revenue and target",
                "the gap between {s} and its target",
                "the difference between revenue and target of {s}",
                "how {s} compares with its target",
                "how far over or under its target {s} is",
                "by how much {s} is over or under its target",
                "whether {s} is over or under its target",
            ),
            ("{s}'s distance from its target", "the revenue of {s} set against its target"),
        ),
        "its revenue is at least {v} over target",
        "its revenue is under target",
        bad=("raise marketing", "cut prices", "wait", "hold", "hire sellers", "change course"),
    ),
    "growth": Topic(
        "revenue",
        "prior revenue",
        ("up {}", "down {}"),
        (
            "{s} is {v}",
            "the revenue of {s} is {v}",
            "{s}'s revenue is {v}",
            "from {y} to {x}, {s} is {v}",
        ),
        Wordings(
            (
                "the growth of {s}",
                "{s}'s growth",
                "the change in revenue of {s}",
                "the growth in revenue of {s}",
                "{s}'s growth in revenue",
                "{s}'s change in revenue",
                "the change of {s} since last year",
                "the difference in revenue of {s} since last year",
                "how the revenue of {s} has changed",
                "by how much the revenue of {s} has changed",
                "how much {s} has grown or shrunk",
                "whether {s} has grown or shrunk",
            ),
            ("the revenue trend of {s}", "{s}'s development"),
        ),
        "its revenue is up by at least {v}",
        "its revenue is down",
    ),
    "reserve": Topic(
        "cash",
        "debt",
        ("{} more", "{} less"),
        (
            "{s} has {v} cash than debt",
            "{s} holds {v} cash than debt",
            "the reserve of {s} is {v} cash than debt",
            "for {s}, {x} against {y} is {v} cash than debt",
            "with {x} in cash and {y} to pay back, {s} has {v} cash than debt",
        ),
        Wordings(
            (
                "the cash of {s} compared with its debt",
                "{s}'s cash compared with its debt",
                "the gap between cash and debt of {s}",
                "the reserve of {s} in cash over debt",
                "{s}'s reserve in cash over debt",
                "the reserve of {s}",
                "the difference between cash and debt of {s}",
                "{s}'s gap between cash and debt",
                "how the cash of {s} compares with its debt",
                "how much more or less cash than debt {s} has",
                "how much cash {s} has compared with its debt",
                "whether {s} has more cash or more debt",
            ),
            ("the cash of {s} set against its debt", "{s}'s balance of cash and debt"),
        ),
        "its cash exceeds its debt by at least {v}",
        "its cash is less than its debt",
        bad=("seek credit", "save", "wait", "sell shops", "cut costs", "delay payments"),
    ),
    "staffing": Topic(
        "staff",
        "planned staff",
        ("{} too many", "{} too few"),
        (
            "{s} has {v} people",
            "{s} ends up with {v} people",
            "there are {v} people at {s}",
            "the staffing of {s} is {v} people",
            "with {x} against {y} planned, {s} has {v} people",
        ),
        Wordings(
            (
                "the staffing of {s}",
                "{s}'s staffing",
                "the staff of {s} compared with its plan",
                "the gap between staff and planned staff of {s}",
                "{s}'s gap between staff and planned staff",
                "{s}'s staff compared with its plan",
                "the difference between staff and planned staff of {s}",
                "how the staff of {s} compares with its plan",
                "how many people too many or too few {s} has",
                "by how many people {s} is off its plan",
                "whether {s} has too many or too few people",
            ),
            ("the staff of {s} set against its plan", "{s}'s balance of staff"),
        ),
        "",
        "it has too few people",
        good=("train", "promote", "let people go", "stop hiring", "share work"),
        bad=("hire", "recruit", "work overtime", "borrow staff"),
    ),
}
LEVELS = {"revenue": "at least", "cash": "at least", "cost": "at most", "debt": "at most"}
"""Figures that advice can depend on alone, and how they are compared with a limit."""

TOTALS = ("revenue", "cost", "debt", "staff")
LEADERS = ("revenue", "cost", "debt")


class Policy(NamedTuple):
    """
    A rule for advice.

    Attributes:
        subject: who is advised.
        about: a topic, or one of `LEVELS`.
        figures: the facts that are compared.
        good, bad: the advice where the condition holds, and where it does not.
        middle: the advice where neither the limit is reached nor the difference is below 0; "" if there are but two.
        limit: the fact with the limit; "" if the limit cannot change.
        fixed: the limit, if it cannot change; `NONE` if it is 0 and goes unsaid.
        loose: whether the limit may come and go; without it, it is 0.
    """

    subject: str
    about: str
    figures: tuple[str, ...]
    good: str
    bad: str
    middle: str = ""
    limit: str = ""
    fixed: str = NONE
    loose: bool = False

    @property
    def reason(self) -> str:
        """The key of the claim that the advice follows from."""
        return f"{self.about} of {self.subject}"

    @property
    def depends(self) -> tuple[str, ...]:
        return (*self.figures, self.limit) if self.limit else self.figures

    def reached(self, value: str) -> str:
        """The condition of the better advice: "its profit is at least 10 million"."""
        if self.about in LEVELS:
            return f"its {self.about} is {LEVELS[self.about]} {value}"
        return TOPICS[self.about].reached.format(v=value)

    @property
    def failed(self) -> str:
        """The condition of the worse advice: "it makes a loss"."""
        return TOPICS[self.about].failed

    def advise(self, values: Values) -> str:
        told = [values[fact] for fact in self.figures]
        if NONE in told:
            return NONE
        bound = values[self.limit] if self.limit else self.fixed
        limit = 0 if bound == NONE else amount_of(bound)
        difference = amount_of(told[0]) - (amount_of(told[1]) if len(told) > 1 else 0)
        if self.middle and difference < 0:
            return self.bad
        holds = difference <= limit if LEVELS.get(self.about) == "at most" else difference >= limit
        return self.good if holds else self.middle or self.bad


def amount_of(value: str) -> int:
    """The number in "15 million"."""
    return int(value.partition(" ")[0])
