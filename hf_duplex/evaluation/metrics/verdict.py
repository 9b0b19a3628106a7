"""
Whether the claims of a text are right, at its end and on the way, compared with what an independent oracle computes
from prompt and updates.

The oracle is that of `dataset_builder`, which also checks data sets: it computes every value anew, without any model.
A prompt that it cannot parse, because no family of tasks has such a phrasing, is not judged.
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
    A question, its value after all updates, and the last answer in the text.

    Attributes:
        key (`str`): The question: "3x + 2", "capital of Australia".
        due (`str`): Its value after all updates; "none" if it has no value.
        said (`str`, *optional*): The last answer; None if there is none.
    """

    key: str
    due: str
    said: str | None

    @property
    def right(self) -> bool:
        return self.said == self.due


class Slip(NamedTuple):
    """
    A claim that was wrong when it was emitted, and was taken back or corrected later.

    Attributes:
        key (`str`): The question.
        due (`str`): Its value then, by the updates received so far.
        said (`str`): The value in the text.
    """

    key: str
    due: str
    said: str


class Verdict(NamedTuple):
    """
    Attributes:
        answers (`list[Answer]`): In the order of the questions.
        slips (`list[Slip]`): In the order of the text.
    """

    answers: list[Answer]
    slips: list[Slip]

    @property
    def right(self) -> int:
        """How many final answers are right."""
        return sum(answer.right for answer in self.answers)

    @property
    def wrong(self) -> list[Slip]:
        """All claims that were wrong when they were emitted, final answers included."""
        final = [Slip(key, due, said) for key, due, said in self.answers if said is not None and said != due]
        return [*self.slips, *final]

    def to_dict(self) -> dict[str, Any]:
        return {
            "answers": [{**answer._asdict(), "right": answer.right} for answer in self.answers],
            "slips": [slip._asdict() for slip in self.slips],
        }


def with_ends(text: LiveText) -> tuple[str, list[int]]:
    """The emitted text, each end marked, and where each update was received, in characters."""
    end = text.tokenizer.eos_token_id
    pieces = [END if token.id == end else token.text for token in text.tokens]
    return "".join(pieces), [sum(map(len, pieces[: heard.after])) for heard in text.heard]


def conversations(prompt: str, updates: Sequence[str], said: str, heard_at: Sequence[int]) -> list[Conversation]:
    """One conversation for each family whose oracle can parse the prompt."""
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
    """The final answer to each question. After a stop, questions may stay open, and in some families a question
    without a value may be skipped."""
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
    """All values that were wrong, by the updates received when their word began, except wrong final answers."""
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
        prompt (`str`): The prompt.
        updates (`Sequence[str]`): The updates.
        said (`str`): The emitted text.
        heard_at (`Sequence[int]`): For each update, how many characters had been emitted when it was received.

    Returns:
        `Verdict`, *optional*: None unless exactly one family can parse the prompt.
    """
    understood = conversations(prompt, updates, said, heard_at)
    return Verdict(answers(understood[0]), slips(understood[0])) if len(understood) == 1 else None
