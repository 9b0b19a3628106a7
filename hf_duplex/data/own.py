"""
Conversations from a user's files: one JSON object per line, with a prompt or chat messages, the emitted text that
answers it, and the updates that arrive during the text.

    {"prompt": "x = 5. What is 3x?", "text": "3x is 15, no, 21.", "updates": [{"after_words": 3, "text": "x is 7."}]}
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any


WORD = re.compile(r"\S+")
# Without a validation file, one in this many conversations is held out.
HELD_OUT = 20


@dataclass
class Conversation:
    """
    One conversation.

    Args:
        messages (`list[dict[str, str]]`): The prompt as chat messages, each with `role` and `content`. A plain prompt
            is one message of the role `"user"`.
        text (`str`): The emitted text, without an end token.
        updates (`list[tuple[int, str]]`, *optional*): For each update, the number of characters of `text` before
            it, and its text. They are sorted by position; updates at the same position keep their order.
        where (`str`, *optional*): Its file and line, for error messages.
    """

    messages: list[dict[str, str]]
    text: str
    updates: list[tuple[int, str]] = field(default_factory=list)
    where: str = field(default="a conversation", compare=False, repr=False)

    def __post_init__(self):
        self.updates = sorted(self.updates, key=itemgetter(0))

    def texts(self) -> Iterator[str]:
        """All texts: messages, emitted text, updates. Use them to train a tokenizer."""
        yield from (message["content"] for message in self.messages)
        yield self.text
        yield from (text for _, text in self.updates)


def read_conversations(path_or_rows: str | Path | Iterable[Mapping[str, Any]]) -> list[Conversation]:
    """
    Reads and checks conversations.

    Args:
        path_or_rows (`str`, `Path` or iterable of mappings): A file of JSON lines, a folder whose `.jsonl` files are
            read in the order of their names, or rows: a `datasets.Dataset` or a list of dictionaries. Empty lines are
            skipped; a field that is null counts as missing.

    Returns:
        The conversations in the order of the lines, at least one.

    Raises:
        ValueError: There is nothing to read, or a line is invalid; the message names file, line, field and remedy.
    """
    if isinstance(path_or_rows, str | Path):
        source = str(path_or_rows)
        found = [conversation for path in _files(Path(path_or_rows)) for conversation in _read_file(path)]
    elif isinstance(path_or_rows, Mapping) or not isinstance(path_or_rows, Iterable):
        raise ValueError(
            f"`path_or_rows` must be a path or rows, got a {type(path_or_rows).__name__}; of a `DatasetDict` give one "
            'split, as in `rows["train"]`, and of a single row `[row]`.'
        )
    else:
        source = "`path_or_rows`"
        found = [read_conversation(row, f"rows[{number}]") for number, row in enumerate(path_or_rows)]
    if not found:
        raise ValueError(f"{source} holds no conversation; write at least one JSON object, on a line of its own.")
    return found


def read_conversation(row: Mapping[str, Any], where: str = "the row") -> Conversation:
    """
    Checks one row.

    Args:
        row (`Mapping[str, Any]`): `text`, `updates`, and either `prompt` or `messages`.
        where (`str`, *optional*): Name of the row in error messages.

    Raises:
        ValueError: A field is missing, unknown, empty, or of a wrong type, or a position is outside the text.
    """
    row = _fields(where, "", row, ("prompt", "messages", "text", "updates"))
    if ("prompt" in row) == ("messages" in row):
        given = "both `prompt` and `messages`" if "prompt" in row else "neither `prompt` nor `messages`"
        raise ValueError(f"{where}: has {given}; give exactly one of them.")
    for name, remedy in (("text", "give the text to emit"), ("updates", "write [] where there are none")):
        if name not in row:
            raise ValueError(f"{where}: `{name}` is missing; {remedy}.")
    text = _text(where, "text", row["text"])
    if "prompt" in row:
        messages = [{"role": "user", "content": _text(where, "prompt", row["prompt"])}]
    else:
        listed = enumerate(_list(where, "messages", row["messages"]))
        messages = [_message(where, f"messages[{number}]", message) for number, message in listed]
    if not messages:
        raise ValueError(f"{where}: `messages` is empty; give at least one message.")
    ends = [match.end() for match in WORD.finditer(text)]
    updates = [
        _update(where, f"updates[{number}]", update, len(text), ends)
        for number, update in enumerate(_list(where, "updates", row["updates"]))
    ]
    return Conversation(messages, text, updates, where)


def is_own_data(path: str | Path) -> bool:
    """Whether a path is a JSON lines file or a folder of them, and not a built dataset."""
    path = Path(path)
    if path.is_dir():
        return not (path / "build.json").exists() and any(path.glob("*.jsonl"))
    return path.is_file() or path.suffix == ".jsonl"


def read_splits(path: str | Path) -> tuple[list[Conversation], list[Conversation]]:
    """
    Reads conversations for training, and held-out ones.

    Args:
        path (`str` or `Path`): A file, whose last 5 %, at least one conversation, are held out; or a folder with
            `train.jsonl` and maybe `validation.jsonl`. Without `validation.jsonl` the last 5 % of `train.jsonl` are
            held out.

    Raises:
        ValueError: As in [`read_conversations`]; or `train.jsonl` is missing, or nothing is left for training.
    """
    path = Path(path)
    if path.is_dir():
        held_out, path = path / "validation.jsonl", path / "train.jsonl"
        if not path.is_file():
            raise ValueError(f"{path.parent} has no train.jsonl; give the file to train on this name, or name it.")
        if held_out.is_file():
            return read_conversations(path), read_conversations(held_out)
    found = read_conversations(path)
    if len(found) == 1:
        raise ValueError(f"{path} holds one conversation, and one is held out; give at least 2 to train on it.")
    count = max(1, len(found) // HELD_OUT)
    return found[:-count], found[-count:]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise ValueError(f"there is no file or folder {path}; give a file of JSON lines, or a folder of them.")
        return [path]
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise ValueError(f"{path} holds no .jsonl file; give a folder that does, or a file of any name.")
    return files


def _read_file(path: Path) -> Iterator[Conversation]:
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}"
            try:
                words = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(f"{where}: is not UTF-8; save the file as UTF-8.") from error
            if not words.strip():
                continue
            try:
                row = json.loads(words)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{where}: is not JSON ({error}); write one JSON object on each line.") from error
            yield read_conversation(row, where)


def _fields(where: str, name: str, value: Any, known: tuple[str, ...]) -> dict[str, Any]:
    """The non-null fields of an object; `name` is empty for the line itself."""
    called = f"`{name}` " if name else ""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: {called}must be an object with {_listed(known)}, got {_kind(value)}.")
    given = {key: entry for key, entry in value.items() if entry is not None}
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ValueError(
            f"{where}: {called}has the unknown {_listed(unknown)}; remove it, or rename it to one of {_listed(known)}."
        )
    return given


def _list(where: str, name: str, value: Any) -> list:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where}: `{name}` must be a list, got {_kind(value)}.")
    return list(value)


def _text(where: str, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where}: `{name}` must be a string, got {_kind(value)}.")
    if not value.strip():
        raise ValueError(f"{where}: `{name}` is empty; write something, or remove what it belongs to.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{where}: `{name}` holds half of a surrogate pair; write the whole character.") from error
    return value


def _message(where: str, name: str, value: Any) -> dict[str, str]:
    message = _fields(where, name, value, ("role", "content"))
    for key in ("role", "content"):
        if key not in message:
            raise ValueError(f"{where}: `{name}.{key}` is missing; a message has `role` and `content`.")
    return {key: _text(where, f"{name}.{key}", message[key]) for key in ("role", "content")}


def _update(where: str, name: str, value: Any, length: int, ends: list[int]) -> tuple[int, str]:
    """The position of an update in characters, and its text; `ends` are the ends of the words of the text."""
    update = _fields(where, name, value, ("after_chars", "after_words", "text"))
    if ("after_chars" in update) == ("after_words" in update):
        given = "both `after_chars` and" if "after_chars" in update else "neither `after_chars` nor"
        raise ValueError(f"{where}: `{name}` has {given} `after_words`; give exactly one of them.")
    if "text" not in update:
        raise ValueError(f"{where}: `{name}.text` is missing; give the text of the update.")
    unit = "chars" if "after_chars" in update else "words"
    after, last = update[f"after_{unit}"], length if unit == "chars" else len(ends)
    if not isinstance(after, int) or isinstance(after, bool):
        raise ValueError(f"{where}: `{name}.after_{unit}` must be a whole number, got {_kind(after)}.")
    if not 0 <= after <= last:
        counted = "characters" if unit == "chars" else "words"
        raise ValueError(
            f"{where}: `{name}.after_{unit}` is {after}, but `text` has {last} {counted}; give a number from 0 to "
            f"{last}."
        )
    position = after if unit == "chars" else [0, *ends][after]
    return position, _text(where, f"{name}.text", update["text"])


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _kind(value: Any) -> str:
    """The JSON type name of a value, and the value if it is short."""
    names = {"bool": "boolean", "dict": "object", "float": "number", "int": "number", "str": "string"}
    kind, shown = names.get(type(value).__name__, type(value).__name__), repr(value)
    return f"a{'n' if kind == 'object' else ''} {kind}" + (f" ({shown})" if len(shown) <= 40 else "")
