"""Real text from files: chats of people, books; and what is kept of any text. Public sets: `public_sets`."""

import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .schema import AnnotationError, Dialogue, Turn


@dataclass(frozen=True)
class Filter:
    """
    Args:
        min_words, max_words: Length of a text.
        language: `en` keeps what looks English (common words, Latin letters), `any` keeps all.
    """

    min_words: int = 200
    max_words: int = 20_000
    language: str = "en"


_COMMON = frozenset(
    "the and to of a in is it you that he was for on are with as i his they be at this have from".split()
)


def looks_english(text: str) -> bool:
    """Whether common English words make up a tenth of it, and Latin letters most of its letters."""
    words = re.findall(r"[a-z']+", text.lower())
    letters = [character for character in text if character.isalpha()]
    latin = sum(character.isascii() for character in letters)
    return bool(words) and sum(word in _COMMON for word in words) >= len(words) / 10 and latin >= 0.9 * len(letters)


def filtered(dialogues: Iterable[Dialogue], keep: Filter | None = None) -> Iterator[Dialogue]:
    """Those of the right length and language, each once."""
    keep, seen = keep or Filter(), set()
    for dialogue in dialogues:
        text = " ".join(turn.text for turn in dialogue.turns)
        words = len(text.split())
        if dialogue.key in seen or not keep.min_words <= words <= keep.max_words:
            continue
        if keep.language == "en" and not looks_english(text):
            continue
        seen.add(dialogue.key)
        yield dialogue


def chitchat(path: str | Path | None = None) -> Iterator[Dialogue]:
    """
    Chats of two people (PyPI `chitchat-dataset`, MIT), of which the first to speak is taken for the user.

    Raises:
        AnnotationError: It is not installed and no file is named, or the file is another.
    """
    if path is None:
        found = importlib.util.find_spec("chitchat_dataset")
        if found is None or not found.submodule_search_locations:
            raise AnnotationError(
                "`path`: chitchat-dataset is not installed; `pip install chitchat-dataset`, or name its file."
            )
        path = Path(found.submodule_search_locations[0]) / "dataset.json"
    try:
        chats = json.loads(Path(path).read_text())
        for chat in chats.values():
            turns, first = [], None
            for group in chat["messages"]:
                first = first or group[0]["sender"]
                text = " ".join(message["text"].strip() for message in group)
                turns.append(Turn("user" if group[0]["sender"] == first else "assistant", text))
            if turns:
                yield Dialogue(turns, source="chitchat", tier="dialogue")
    except (KeyError, IndexError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise AnnotationError(f"`path`: {path} does not hold chats as chitchat-dataset does: {error!r}") from error


_PERSONAL = re.compile(r"\b(i|i'm|i've|im|my|me|mine|we|our|us|you told|your name)\b", re.IGNORECASE)


def small_talk(dialogues: Iterable[Dialogue], words: tuple[int, int] = (4, 22)) -> list[str]:
    """Messages that say nothing about whoever wrote them, so that there is nothing in them to remember."""
    found: dict[str, None] = {}
    for dialogue in dialogues:
        for turn in dialogue.turns:
            text = " ".join(turn.text.split())
            if words[0] <= len(text.split()) <= words[1] and text.isascii() and not _PERSONAL.search(text):
                found[text if text[-1] in ".!?" else text + "."] = None
    return list(found)


def narrative(path: str | Path, words: int = 1500) -> Iterator[Dialogue]:
    """
    A book in plain text, cut between paragraphs into pieces of so many words; each paragraph is a turn.

    Raises:
        AnnotationError: There is no such file, or nothing in it.
    """
    path = Path(path)
    if not path.is_file():
        raise AnnotationError(f"`path`: there is no {path}.")
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.strip():
        raise AnnotationError(f"`path`: {path} is empty.")
    yield from pieces(text, path.stem, "narrative", words)


def pieces(text: str, source: str, tier: str, words: int = 1500) -> Iterator[Dialogue]:
    """A text cut between paragraphs into pieces of so many words; each paragraph is a turn."""
    turns: list[Turn] = []
    size = 0
    for paragraph in filter(None, (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))):
        turns.append(Turn("narrator", paragraph))
        size += len(paragraph.split())
        if size >= words:
            yield Dialogue(turns, source=source, tier=tier)
            turns, size = [], 0
    if turns:
        yield Dialogue(turns, source=source, tier=tier)


def chat_rows(rows: Iterable[Mapping[str, Any]], column: str, source: str, tier: str) -> Iterator[Dialogue]:
    """Rows whose `column` holds messages with a role (or `from`) and a content (or `value`), as the public sets do."""
    for number, row in enumerate(rows):
        try:
            turns = [
                Turn(
                    "assistant" if message.get("role", message.get("from")) in ("assistant", "gpt") else "user",
                    message["content"] if "content" in message else message["value"],
                )
                for message in row[column]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise AnnotationError(f"row {number} of {source}: no messages in {column!r} ({error!r})") from error
        yield Dialogue(turns, source=source, tier=tier)
