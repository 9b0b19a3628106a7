"""Prompts of ordinary chat from chitchat-dataset, to preserve the behavior of a base without interrupts."""

import hashlib
import random
import re
from collections.abc import Iterable, Mapping
from typing import Any


SPLITS = ("train", "validation", "test")
MIN_WORDS, MAX_WORDS = 3, 60
MAX_USER_TURNS = 3
PROMPTS_PER_DIALOGUE = 3

# An English message contains one of these words, and nearly all its letters are ASCII.
COMMON = frozenset(
    "a about all am an and any are at be been but can did do does for from good had has have he how i i'm if im in is "
    "it it's its just like me my no not of on one or she so some that that's thats the their there they this to was "
    "we well were what when where which who why will with would you your".split()
)
_LINK = re.compile(r"https?:|www\.|\b[\w-]+\.(?:com|org|net|edu|io|gov)\b|\S+@\S+", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def is_usable(text: str) -> bool:
    """Whether a message is 3 to 60 words of English, without a link."""
    if not MIN_WORDS <= len(text.split()) <= MAX_WORDS or _LINK.search(text):
        return False
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text)]
    letters = "".join(words)
    return bool(COMMON.intersection(words)) and sum(map(str.isascii, letters)) >= 0.95 * len(letters)


def split_of(dialogue: str) -> str:
    """The split of a dialogue, by its id: 5 of 100 are validation, 5 are test."""
    place = int.from_bytes(hashlib.sha256(dialogue.encode()).digest()[:8], "big") % 100
    return "validation" if place < 5 else "test" if place < 10 else "train"


def turns_of(messages: Iterable[Iterable[Mapping[str, str]]]) -> list[str]:
    """Converts messages of a dialogue, each a list of lines, to alternating turns."""
    turns: list[str] = []
    last = None
    for lines in messages:
        for line in lines:
            text = " ".join(line["text"].split())
            if not text:
                continue
            if line["sender"] == last:
                turns[-1] += f" {text}"
            else:
                turns.append(text)
            last = line["sender"]
    return turns


def _stretches(turns: list[str], draw: random.Random) -> Iterable[list[str]]:
    """Non-overlapping stretches of 1, 3 or 5 usable turns, which start and end with a user turn."""
    begin = draw.randrange(2)
    while begin < len(turns):
        stretch = turns[begin : begin + 2 * draw.randint(1, MAX_USER_TURNS) - 1]
        if len(stretch) % 2 and all(map(is_usable, stretch)):
            yield stretch
            begin += len(stretch)
        else:
            begin += 1


def chat_prompts(split: str = "train", seed: int = 0) -> list[list[dict[str, str]]]:
    """
    Prompts of 1 to 3 user turns, written by people to each other, with assistant turns between them.

    Splits share no dialogue, and no prompt occurs twice in any of them. Nothing is downloaded.

    Args:
        split (`str`, *optional*, defaults to `"train"`): `train`, `validation` or `test`.
        seed (`int`, *optional*, defaults to 0): Seed of the order, and of the start of each prompt in its dialogue.

    Returns: For each prompt its messages, each with `role` and `content`; the last is a user message.

    Raises:
        ValueError: The split does not exist, or chitchat-dataset is not installed.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, not {split!r}.")
    found: list[list[dict[str, str]]] = []
    seen: set[str] = set()
    for dialogue, content in _dialogues().items():
        draw = random.Random(f"{seed}-{dialogue}")
        stretches = list(_stretches(turns_of(content["messages"]), draw))
        for stretch in draw.sample(stretches, min(PROMPTS_PER_DIALOGUE, len(stretches))):
            key = "\n".join(stretch).casefold()
            if key in seen:
                continue
            seen.add(key)
            if split_of(dialogue) == split:
                roles = ("user", "assistant") * MAX_USER_TURNS
                found.append([{"role": role, "content": text} for role, text in zip(roles, stretch)])
    random.Random(f"{seed}-{split}").shuffle(found)
    return found


def _dialogues() -> dict[str, Any]:
    try:
        from chitchat_dataset import Dataset
    except ModuleNotFoundError as error:
        raise ValueError(
            "Chat prompts come from the package chitchat-dataset, which is not installed: "
            "run `pip install chitchat-dataset`, or read prompts from a file."
        ) from error
    return Dataset()
