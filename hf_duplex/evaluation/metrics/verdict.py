"""
Whether what a text says is right, in the end and on the way there, held against what an independent listener makes of
prompt and updates.

The listener is the oracle of `dataset_builder`, by which data sets are checked: it works every value out anew, and
knows of no model. What it does not understand, as a prompt in words that no family of tasks uses, is not judged.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from dataset_builder import END, FAMILIES
from dataset_builder.oracle import NotUnderstood
from dataset_builder.oracle.account import Account
from dataset_builder.oracle.listener import Conversation, read_row
from dataset_builder.world.facts import NONE

from ...runtime.live import LiveText


class Answer(NamedTuple):
    """
    What was asked for, what it is in the end, and what the text said of it last.

    Attributes:
        key (`str`): What was asked for: "3x + 2", "capital of Australia".
        due (`str`): What it is after all updates; "none" if it has no value.
        said (`str`, *optional*): What was said last; None if nothing was.
    """

    key: str
    due: str
    said: str | None

    @property
    def right(self) -> bool:
        return self.said == self.due


class Slip(NamedTuple):
    """
    Something that was not so when it was said, and was taken back or said otherwise later.

    Attributes:
        key (`str`): What was spoken of.
        due (`str`): What it was then, by all that had been heard.
        said (`str`): What was said.
    """

    key: str
    due: str
    said: str


class Verdict(NamedTuple):
    """
    Attributes:
        answers (`list[Answer]`): In the order in which they were asked for.
        slips (`list[Slip]`): In the order in which they were said.
    """

    answers: list[Answer]
    slips: list[Slip]

    @property
    def right(self) -> int:
        """How many answers are right in the end."""
        return sum(answer.right for answer in self.answers)

    @property
    def wrong(self) -> list[Slip]:
        """All that was not so when it was said, whether or not it is what is said in the end."""
        final = [Slip(key, due, said) for key, due, said in self.answers if said is not None and said != due]
        return [*self.slips, *final]

    def to_dict(self) -> dict[str, Any]:
        return {
            "answers": [{**answer._asdict(), "right": answer.right} for answer in self.answers],
            "slips": [slip._asdict() for slip in self.slips],
        }


def with_ends(text: LiveText) -> tuple[str, list[int]]:
    """What was said, each end of it marked, and where each update was heard, in characters."""
    end = text.tokenizer.eos_token_id
    pieces = [END if token.id == end else token.text for token in text.tokens]
    return "".join(pieces), [sum(map(len, pieces[: heard.after])) for heard in text.heard]


def conversations(prompt: str, updates: Sequence[str], said: str, heard_at: Sequence[int]) -> list[Conversation]:
    """What the listeners of all families make of it: one conversation for each family that understands the prompt."""
    told = [{"text": text, "position": place} for text, place in zip(updates, heard_at, strict=True)]
    row = {"prompt": prompt, "initial_target": said, "revised_target": "", "updates": told}
    understood = []
    for family in FAMILIES:
        try:
            understood.append(read_row({**row, "task_type": family}))
        except NotUnderstood:
            continue
    return understood


def answers(conversation: Conversation) -> list[Answer]:
    """What is said of each question in the end. A text that was told to stop may leave questions open, and in some
    families one that has no value may be passed over."""
    listener, last = conversation.listener, conversation.states[-1]
    latest = {claim.key: claim.value for claim in listener.claims(conversation)}
    given = [Answer(key, listener.value(last, key), latest.get(key)) for key in last.questions]
    stopped = conversation.stopped >= 0
    return [
        answer
        for answer in given
        if answer.said is not None or not (stopped or (listener.skips_absent and answer.due == NONE))
    ]


def slips(conversation: Conversation) -> list[Slip]:
    """All values that were not so by what had been heard when their word began, other than what is wrong in the end
    too."""
    account = Account(conversation)
    spoken = [pair for said in account.statements for pair in zip(said.parts, said.versions, strict=True)]
    held = [(part, account.value(version, part.key)) for part, version in spoken]
    found = dict.fromkeys(Slip(part.key, due, part.value) for part, due in held if part.value != due)
    final = {(answer.key, answer.said) for answer in answers(conversation) if not answer.right}
    return [slip for slip in found if (slip.key, slip.said) not in final]


def judge(prompt: str, updates: Sequence[str], said: str, heard_at: Sequence[int]) -> Verdict | None:
    """
    What is right and wrong in a text.

    Args:
        prompt (`str`): What was said first.
        updates (`Sequence[str]`): What was said later.
        said (`str`): The text.
        heard_at (`Sequence[int]`): For each update, how many characters of the text had been said.

    Returns:
        `Verdict`, *optional*: None if no family, or more than one, understands the prompt.
    """
    understood = conversations(prompt, updates, said, heard_at)
    return Verdict(answers(understood[0]), slips(understood[0])) if len(understood) == 1 else None
