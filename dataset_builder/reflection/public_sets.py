"""Large public sets of text by the names that `datasets` knows, streamed: chats, books, subtitles, meetings, answers.

Each has a reader for its rows, which can be tried on rows of one's own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from .corpora import chat_rows, pieces
from .schema import AnnotationError, Dialogue, Turn


Rows = Iterable[Mapping[str, Any]]


def chats(column: str) -> Callable[[Rows, str, str], Iterator[Dialogue]]:
    """Rows whose column holds messages."""
    return lambda rows, source, tier: chat_rows(rows, column, source, tier)


def books(rows: Rows, source: str, tier: str) -> Iterator[Dialogue]:
    """Rows whose `text` is a book, cut between paragraphs."""
    for number, row in enumerate(rows):
        yield from pieces(_of(row, "text", source, number), source, tier)


def subtitles(rows: Rows, source: str, tier: str, lines: int = 120) -> Iterator[Dialogue]:
    """Rows whose `translation` holds a line in English (`en`); as many lines together as follow one another."""
    said = iter(_of(_of(row, "translation", source, number), "en", source, number) for number, row in enumerate(rows))
    while part := [Turn("narrator", line.strip()) for line in islice(said, lines) if line.strip()]:
        yield Dialogue(part, source=source, tier=tier)


def meetings(rows: Rows, source: str, tier: str) -> Iterator[Dialogue]:
    """Rows whose `dialogue` has lines `NAME: what was said`; the first to speak is taken for the user."""
    for number, row in enumerate(rows):
        turns: list[Turn] = []
        first = None
        for line in _of(row, "dialogue", source, number).splitlines():
            name, colon, words = line.partition(":")
            if colon and words.strip():
                first = first or name
                turns.append(Turn("user" if name == first else "assistant", words.strip()))
        if turns:
            yield Dialogue(turns, source=source, tier=tier)


def answers(rows: Rows, source: str, tier: str) -> Iterator[Dialogue]:
    """Rows with a `question` and `answers`, each with a `text`: later answers correct earlier ones."""
    for number, row in enumerate(rows):
        said = [_of(answer, "text", source, number) for answer in _of(row, "answers", source, number)]
        turns = [Turn("user", _of(row, "question", source, number)), *(Turn("assistant", text) for text in said)]
        yield Dialogue(turns, source=source, tier=tier)


def _of(row: Any, name: str, source: str, number: int) -> Any:
    try:
        return row[name]
    except (KeyError, TypeError, IndexError) as error:
        raise AnnotationError(f"row {number} of {source}: no {name!r} in it ({error!r})") from error


@dataclass(frozen=True)
class PublicSet:
    """
    Args:
        path, split: As `datasets.load_dataset` takes them.
        read: Rows, source and tier to dialogues.
        tier: One of `TIERS`.
        options: Further arguments of `load_dataset`.
    """

    path: str
    split: str
    read: Callable[[Rows, str, str], Iterator[Dialogue]]
    tier: str
    options: Mapping[str, Any] = field(default_factory=dict)


PUBLIC = {
    "wildchat": PublicSet("allenai/WildChat-1M", "train", chats("conversation"), "dialogue"),
    "lmsys": PublicSet("lmsys/lmsys-chat-1m", "train", chats("conversation"), "dialogue"),
    "sharegpt": PublicSet("anon8231489123/ShareGPT_Vicuna_unfiltered", "train", chats("conversations"), "dialogue"),
    "gutenberg": PublicSet("manu/project_gutenberg", "en", books, "narrative"),
    "opensubtitles": PublicSet(
        "Helsinki-NLP/open_subtitles", "train", subtitles, "narrative", {"lang1": "en", "lang2": "fr"}
    ),
    "ami": PublicSet("knkarthick/AMI", "train", meetings, "domain"),
    "stackexchange": PublicSet("HuggingFaceH4/stack-exchange-preferences", "train", answers, "domain"),
}
"""The sets of dual_track_reflection.md, 3.4.2, that `datasets` can stream."""


def public(name: str, load: Callable[..., Rows] | None = None) -> Iterator[Dialogue]:
    """
    A public set, streamed.

    Args:
        name: One of `PUBLIC`.
        load: In place of `datasets.load_dataset`.

    Raises:
        AnnotationError: It is not known, or its rows are not what they were.
    """
    if name not in PUBLIC:
        raise AnnotationError(f"`name` must be one of {', '.join(PUBLIC)}, not {name!r}.")
    chosen = PUBLIC[name]
    if load is None:
        import datasets

        load = datasets.load_dataset
    rows = load(chosen.path, split=chosen.split, streaming=True, **chosen.options)
    yield from chosen.read(rows, name, chosen.tier)
