"""The update grammar: what a user says when something changes, and when nothing does.

A family tells a fact in a clause of its own ("x is 9", "the budget is $900") and names it in a noun phrase ("x", "the
budget"); the grammar wraps these. Every list of wordings keeps some aside that only the split `paraphrase` uses.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from .config import BuilderConfig


class Wordings(NamedTuple):
    """Ways to say the same: those that are used everywhere, and those of the split `paraphrase`."""

    known: tuple[str, ...]
    unseen: tuple[str, ...]

    def draw(self, rng: Random, config: BuilderConfig) -> str:
        return rng.choice(self.unseen if config.paraphrase else self.known)


UPDATES = {
    "correction": Wordings(
        (
            "Correction: {tell}.",
            "Actually, {tell}.",
            "Sorry, {tell}.",
            "No, {tell}.",
            "Wait, {tell}.",
            "I was wrong, {tell}.",
            "I meant that {tell}.",
            "Let me correct that: {tell}.",
            "Oh, {tell} now.",
            "I just heard that {tell}.",
        ),
        ("I stand corrected: {tell}.", "Change of plan, {tell}.", "My mistake, in truth {tell}."),
    ),
    "refinement": Wordings(
        ("To be exact, {tell}.", "More precisely, {tell}.", "To be precise, {tell}.", "In fact, {tell}, to be exact."),
        ("Put more exactly, {tell}.", "Strictly speaking, {tell}."),
    ),
    "constraint": Wordings(
        ("One more condition: {tell}.", "New constraint: {tell}.", "There is a new limit: {tell}."),
        ("Please respect this too: {tell}.", "A further restriction: {tell}."),
    ),
    "invalidation": Wordings(
        (
            "Forget {noun}, that no longer holds.",
            "What I said about {noun} no longer holds.",
            "{Noun} is no longer known.",
            "Nobody knows {noun} any more.",
        ),
        ("Disregard {noun}, it does not hold any longer.", "We can't rely on {noun} now."),
    ),
    "addition": Wordings(
        ("Also, {tell}.", "By the way, {tell}.", "I forgot to say that {tell}.", "One more thing: {tell}."),
        ("Let me add that {tell}.", "In addition, {tell}."),
    ),
    "confirmation": Wordings(
        ("Yes, {tell}.", "Right, {tell}.", "I checked, and {tell}.", "Indeed, {tell}.", "Just to confirm, {tell}."),
        ("Exactly as I said, {tell}.", "I can confirm that {tell}."),
    ),
    "recorrection": Wordings(
        ("Sorry, wrong again: {tell}.", "No, I misspoke: {tell}.", "Correction of my correction: {tell}."),
        ("Once more I have to correct myself: {tell}.", "That correction was off, {tell}."),
    ),
    "adversarial": Wordings(
        ("That is wrong: {tell}.", "What you just said is not true, {tell}.", "You are wrong, {tell}.", "No! {Tell}."),
        ("I disagree with that, {tell}.", "Not so, {tell}."),
    ),
}
"""For each kind, clauses around what the family tells."""

TAKE_BACK_LAST = Wordings(
    (
        "Ignore that last change.",
        "Forget my last change.",
        "Take that last change back.",
        "Undo the last change, please.",
        "I take back the last change.",
        "Never mind that last change.",
    ),
    ("Please revert the latest change.", "Scrap what I changed last.", "Cancel the most recent change."),
)
TAKE_BACK = Wordings(
    (
        "Ignore my last change of {noun}.",
        "Take back the last change of {noun}.",
        "Undo what I changed about {noun} last.",
        "Forget the last change of {noun}.",
    ),
    ("Please revert the latest change of {noun}.", "Scrap my last change of {noun}."),
)
STOP = Wordings(
    ("Stop.", "That's enough.", "You can stop now.", "Okay, stop there.", "Enough, thank you."),
    ("Let's leave it there.", "Please finish here."),
)
KEEP_GOING = Wordings(
    (
        "Keep going until I say stop.",
        "Say it again and again until I stop you.",
        "Repeat that until I tell you to stop.",
        "Go on and on until I say stop.",
    ),
    ("Start over each time you are done, until I stop you.", "Don't stop before I tell you to."),
)
DISTRUST = Wordings(
    (
        "Do not believe {name}.",
        "Ignore whatever {name} says.",
        "Don't listen to {name}.",
        "{name} is not to be trusted.",
    ),
    ("Pay no attention to {name}.", "Nothing that {name} says is true."),
)
SAYS = Wordings(
    ("{name} says: {text}", "{name} here: {text}", "This is {name}. {text}"),
    ("A word from {name}: {text}", "{name} speaking. {text}"),
)
CHATTER = Wordings(
    (
        "Nice weather today.",
        "My tea is getting cold.",
        "I love listening to you.",
        "Someone is at the door.",
        "Don't mind me.",
        "The dog is barking again.",
        "You have a pleasant voice.",
        "It is raining outside.",
        "I will be right back.",
        "Sorry, I had to sneeze.",
        "Please go on.",
        "This is interesting.",
        "I am taking notes.",
        "What a long day.",
        "Can you hear the birds?",
        "My phone rang, never mind.",
        "Thank you so far.",
        "I am still here.",
        "Mm, I see.",
        "Take your time.",
    ),
    (
        "The neighbours are playing music.",
        "I should water the plants.",
        "Good to know.",
        "Excuse the noise.",
        "That was the kettle.",
    ),
)
SPEAKERS = (
    "Anna Ben Clara David Emma Felix Grace Henry Ida Jonas Karla Leo Mona Nils Olga Paul Rita Sam Tina Victor".split()
)


def upper_first(text: str) -> str:
    """Opens a sentence with a capital, unless it opens with a variable."""
    return text if text[1:2] == " " else text[:1].upper() + text[1:]
