"""The update grammar: the user's wordings for a change, and for messages that change nothing.

A family states a fact in a clause of its own ("x is 9", "the budget is $900") and names it in a noun phrase ("x", "the
budget"); the grammar wraps these. Every list of wordings reserves some that only the split `paraphrase` uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from random import Random
from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from ..config import BuilderConfig


class Wordings(NamedTuple):
    """Alternative wordings: those used everywhere, and those of the split `paraphrase`."""

    known: tuple[str, ...]
    unseen: tuple[str, ...]

    def draw(self, rng: Random, config: BuilderConfig) -> str:
        return rng.choice(self.unseen if config.paraphrase else self.known)


def framed(clauses: Sequence[str], leads: Sequence[str], tails: Sequence[str] = ()) -> tuple[str, ...]:
    """Sentences that consist of each clause with a lead-in before it, or a tail after it."""
    behind = (f"{clause}{tail}." for clause, tail in product(clauses, tails))
    return (*(f"{lead}{clause}." for clause, lead in product(clauses, leads)), *behind)


def surrounded(leads: Sequence[str], clauses: Sequence[str], tails: Sequence[str]) -> tuple[str, ...]:
    """Sentences that consist of each clause between every lead-in and every tail; "" is none."""
    return tuple(f"{lead}{clause}{tail}." for lead, clause, tail in product(leads, clauses, tails))


def _around(leads: str, tails: str) -> tuple[str, ...]:
    """A clause after each of some lead-ins, and before each of some tails, separated by "/"."""
    opened, closed = (tuple(" ".join(part.split()) for part in parts.split("/")) for parts in (leads, tails))
    return (*(f"{lead} {{tell}}." for lead in opened), *(f"{{Tell}}, {tail}." for tail in closed))


UPDATES = {
    "correction": Wordings(
        _around(
            """Correction: / Actually, / Sorry, / No, / Wait, / I was wrong, / I meant that / Let me correct that: / I
            just heard that / Hold on, / Hang on a second, / Oops, / Hmm, / Well, / Look, / Listen, / Ah, / Pardon
            me, / Not quite, / Wrong, / On second thoughts, / Excuse me, but / Stay with me, / Let me put that
            right: / I have to take that back, / I told you something wrong, / It seems that / I now believe that /
            They tell me that / Someone just told me that / I was mistaken, / I got that wrong, / I mixed things up:
            / I have just found out that / Word has it that / Please note that / You should know that / Careful, /
            Here is a correction: / There was an error: / There is news, / Scratch what I told you: / I see now that
            / The truth is that / It is better to say that / We were told now that / Instead, / To set this right,""",
            """sorry about that / I am afraid / I see now / as I now know / so please use that / I should have said /
            that is how it is now / I was told / it seems / according to the latest news / contrary to what I said /
            not what I told you / that was my error / please take note / as of now / to be fair / I checked again /
            if I read this right / you see / so bear that in mind / at least that is what I hear""",
        )
        + ("Oh, {tell} now.",),
        ("I stand corrected: {tell}.", "Change of plan, {tell}.", "My mistake, in truth {tell}."),
    ),
    "refinement": Wordings(
        _around(
            """To be exact, / More precisely, / To be precise, / More exactly, / To be more accurate, / In detail, / If
            you want it exactly, / Let me be more exact: / Looking closer, / To narrow it down, / A little more
            precisely, / For the record,""",
            """to be exact / to be precise / if we are exact / to say it in full / more precisely""",
        )
        + ("In fact, {tell}, to be exact.",),
        ("Put more exactly, {tell}.", "Strictly speaking, {tell}."),
    ),
    "constraint": Wordings(
        _around(
            """One more condition: / New constraint: / There is a new limit: / Another condition: / Keep in mind that /
            From now on, / Mind that / I forgot a condition: / There is one more rule: / Here is something to obey:
            / It is required that / Make sure that / Somebody demands that / Take care,""",
            """that is a new condition / from now on / that much is required / and this is a must / by new orders""",
        ),
        ("Please respect this too: {tell}.", "A further restriction: {tell}."),
    ),
    "invalidation": Wordings(
        (
            "Forget {noun}, that no longer holds.",
            "What I said about {noun} no longer holds.",
            "{Noun} is no longer known.",
            "Nobody knows {noun} any more.",
            "Forget what I told you about {noun}.",
            "Forget about {noun}, we no longer know it.",
            "Sorry, {noun} is no longer known.",
            "It turned out that nobody knows {noun} any more.",
            "We no longer know {noun}.",
            "Please forget {noun}, it was only a rumour.",
            "{Noun} no longer holds.",
            "{Noun}, I am afraid, is no longer known.",
            "I no longer stand by what I said about {noun}.",
            "As for {noun}, what I said no longer holds.",
            "Wait, {noun} no longer holds.",
            "There is no telling {noun} any more.",
            "They say that {noun} no longer holds.",
            "Drop what I said about {noun}, it no longer holds.",
        ),
        ("Disregard {noun}, it does not hold any longer.", "We can't rely on {noun} now."),
    ),
    "addition": Wordings(
        _around(
            """Also, / By the way, / I forgot to say that / One more thing: / And / Besides, / Moreover, / What is
            more, / Here is something new: / Something else: / We just learned that / Before I forget, / I should
            also say that / On top of that, / While you are at it, / It has come out that / For your information, /
            You may also want to know that / I nearly forgot, / Apart from that, / Not to forget,""",
            """by the way / in case I did not say / as well / I forgot to mention / which is new / as we just learned /
            for what it is worth""",
        ),
        ("Let me add that {tell}.", "In addition, {tell}."),
    ),
    "confirmation": Wordings(
        _around(
            """Yes, / Right, / I checked, and / Indeed, / Just to confirm, / Correct, / You are right, / True, / Quite
            so, / As you know, / It is still true that / As before, / Nothing new, / To confirm, / I looked it up,
            and / That is fine, / Good, / Just so you know,""",
            """as before / that is right / just as you said / no change there / that has not changed / as we know""",
        ),
        ("Exactly as I said, {tell}.", "I can confirm that {tell}."),
    ),
    "recorrection": Wordings(
        _around(
            """Sorry, wrong again: / No, I misspoke: / Correction of my correction: / I was wrong again, / Oh no,
            another error: / That needs another correction: / Not that either, / It is getting worse, / Again I
            erred, / No, sorry, / Wait, that was wrong too: / Now I am sure, / One last time, / Third time lucky, /
            That was not right either, / I got confused,""",
            """I was wrong again / this time for sure / that was wrong too / sorry for the back and forth / now I am
            sure / not what I just said""",
        ),
        ("Once more I have to correct myself: {tell}.", "That correction was off, {tell}."),
    ),
    "adversarial": Wordings(
        _around(
            """That is wrong: / What you just said is not true, / You are wrong, / That can't be, / Nonsense, / I doubt
            that, / You are mistaken, / No no, / Wrong! In fact, / I know better, / That is false, / You got that
            wrong, / Don't say that, / Are you sure? To my knowledge, / Who told you that? I say that / Hey, /
            Rubbish, / On the contrary, / You misheard me, / Come on,""",
            """and not what you said / whatever you say / you are wrong / you got that wrong / don't you know that / no
            matter what you say""",
        )
        + ("No! {Tell}.",),
        ("I disagree with that, {tell}.", "Not so, {tell}."),
    ),
}
"""For each kind, clauses around the clause of the family."""

TAKE_BACK_LAST = Wordings(
    (
        "Ignore that last change.",
        "Forget my last change.",
        "Take that last change back.",
        "Undo the last change, please.",
        "I take back the last change.",
        "Never mind that last change.",
        "Sorry, ignore the last change.",
        "Please forget that last change.",
        "Actually, undo my last change.",
        "My last change was a mistake, undo it.",
        "The last change does not count.",
        "Drop my last change.",
        "Go back to how it was before my last change.",
        "No, forget the last change I told you.",
        "I should not have told you that last change, ignore it.",
        "Wait, take back the last change.",
        "The last change was wrong, so undo it.",
        "Pretend that I never told you the last change.",
        "Undo that.",
        "Ignore what I just told you.",
        "Forget what I said last.",
        "I take that back.",
        "Take back what I said last, please.",
        "Hmm, better leave it as it was before the last change.",
    ),
    ("Please revert the latest change.", "Scrap what I changed last.", "Cancel the most recent change."),
)
TAKE_BACK = Wordings(
    (
        "Ignore my last change of {noun}.",
        "Take back the last change of {noun}.",
        "Undo what I changed about {noun} last.",
        "Forget the last change of {noun}.",
        "Sorry, undo my last change of {noun}.",
        "The last change of {noun} does not count.",
        "My last change of {noun} was a mistake, undo it.",
        "As for {noun}, take my last change back.",
        "Go back to how {noun} was before my last change.",
        "Wait, ignore the last change of {noun}.",
        "Drop my last change of {noun}.",
        "Pretend that I never told you the last change of {noun}.",
        "I take back the last change of {noun}.",
        "Actually, forget my last change of {noun}.",
    ),
    ("Please revert the latest change of {noun}.", "Scrap my last change of {noun}."),
)
STOP = Wordings(
    (
        "Stop.",
        "That's enough.",
        "You can stop now.",
        "Okay, stop there.",
        "Enough, thank you.",
        "Stop now.",
        "Please stop.",
        "Stop it, please.",
        "That will do, stop.",
        "Thanks, that's enough.",
        "I have heard enough.",
        "Good, you may stop.",
    ),
    ("Let's leave it there.", "Please finish here."),
)
KEEP_GOING = Wordings(
    (
        "Keep going until I say stop.",
        "Say it again and again until I stop you.",
        "Repeat that until I tell you to stop.",
        "Go on and on until I say stop.",
        "Please repeat it all until I say stop.",
        "Once you are through, begin again, until I say stop.",
        "Do this over and over until I tell you to stop.",
        "Until I say stop, say it all again.",
        "Then again from the top, and so on until I stop you.",
        "Keep repeating this until I tell you to stop.",
    ),
    ("Start over each time you are done, until I stop you.", "Don't stop before I tell you to."),
)
DISTRUST = Wordings(
    (
        "Do not believe {name}.",
        "Ignore whatever {name} says.",
        "Don't listen to {name}.",
        "{name} is not to be trusted.",
        "You can't trust {name}.",
        "Never believe {name}.",
        "Don't believe a word {name} says.",
        "Ignore {name}.",
        "Whatever {name} says is wrong.",
        "{name} is a liar.",
        "{name} is lying.",
        "{name} likes to tell lies.",
        "Beware of {name}.",
        "Be careful, {name} is not to be trusted.",
        "What {name} says does not count.",
        "Don't let {name} fool you.",
    ),
    ("Pay no attention to {name}.", "Nothing that {name} says is true."),
)
SAYS = Wordings(
    (
        "{name} says: {text}",
        "{name} here: {text}",
        "This is {name}. {text}",
        "Hello, {name} here. {text}",
        "{name} again. {text}",
        "It's {name}. {text}",
        "{name} has something to say: {text}",
        "I am {name}. {text}",
    ),
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
        "I like where this is going.",
        "My chair is squeaking.",
        "A bus just went by.",
        "You are doing well.",
        "Let me get a glass of water.",
        "I am listening.",
        "Oh, how nice.",
        "Sorry, I am yawning.",
        "The sun is in my eyes.",
        "Somebody is laughing next door.",
        "I could listen to this all day.",
        "Ah, the lights went out for a moment.",
        "Where did I put my glasses?",
        "It is getting late here.",
        "Okay.",
        "Uh-huh.",
        "I wonder what is for lunch.",
        "This room is too warm.",
        "The cat wants to go out.",
        "Go ahead, I can hear you.",
        "What a lovely day.",
        "My neighbour is mowing the lawn.",
        "Very clear so far.",
        "Hold the line, please.",
        "I have to close the window.",
        "Bless you.",
        "Someone dropped a plate.",
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
    """Capitalizes the start of a sentence, unless it is a variable."""
    return text if text[1:2] == " " else text[:1].upper() + text[1:]
