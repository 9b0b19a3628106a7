"""Rows as token ids: what the models read and emit, with a record for each emitted token.

This needs a `tokenizer.json` and no model. The prompt is split into clauses, each ended by `<sep>`; an update is one
message between `<update>` and `<sep>`; control tokens spelt out in either are encoded as plain text. The target is
tokenized in one piece, so a token may span the position of an update: that token does not depend on the update; the
first one that starts at or after the position may.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..speech.spans import claim_of_characters


if TYPE_CHECKING:
    from tokenizers import Tokenizer


SEPARATOR, UPDATE = "<sep>", "<update>"
"""The tokens that end a message and begin an update."""

TOKENS = pa.list_(pa.int32())

TOKEN_SCHEMA = pa.schema(
    [
        ("prompt_tokens", TOKENS),
        ("initial_target_tokens", TOKENS),
        ("update_tokens", pa.list_(TOKENS)),
        ("revised_target_tokens", TOKENS),
        (
            "metadata",
            pa.struct(
                [
                    ("task_type", pa.string()),
                    ("update_step", pa.int32()),
                    ("update_positions", TOKENS),
                    ("earliest", TOKENS),
                    ("requires_revision", pa.bool_()),
                    ("phase", pa.int32()),
                    ("split", pa.string()),
                    ("seed", pa.int64()),
                    ("index", pa.int64()),
                    ("token_versions", TOKENS),
                    ("token_claims", TOKENS),
                ]
            ),
        ),
    ]
)
"""[`token_row`] documents each column."""

_CLAUSE_END = re.compile(r"(?<=[.,;:?!])\s+")  # "3.5" ends no clause


def load_tokenizer(path: str | Path) -> Tokenizer:
    """
    Loads a tokenizer.

    Args:
        path (`str` or `Path`): A `tokenizer.json`, or a folder that holds one.

    Raises:
        ValueError: There is none, it cannot be read, or it lacks `<sep>` or `<update>`.
    """
    from tokenizers import Tokenizer

    path = Path(path)
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"`tokenizer`: there is no {file}; give a tokenizer.json, or a folder that holds one.")
    try:
        tokenizer = Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises a bare Exception
        raise ValueError(f"`tokenizer`: {file} is no tokenizer.json that can be read ({error}).") from error
    for token in (SEPARATOR, UPDATE):
        _id(tokenizer, token)
    return tokenizer


def token_row(row: dict[str, Any], tokenizer: Tokenizer) -> dict[str, Any]:
    """
    The token form of a row; it matches `TOKEN_SCHEMA`.

    Args:
        row (`dict`): A row of `dataset_builder.build.schema.SCHEMA`.
        tokenizer (`tokenizers.Tokenizer`): The result of [`load_tokenizer`].

    Returns:
        `dict`: `prompt_tokens`, `initial_target_tokens`, `update_tokens` (one list for each update),
        `revised_target_tokens` and `metadata`. Initial and revised tokens, joined, are the tokens of the whole target;
        all positions in `metadata` are indices into them. There, `update_positions` gives for each update the first
        token that may depend on it, `earliest` the first one that does, and `update_step` is the first of
        `update_positions`, -1 if there is no update. For each token, `token_versions` gives its visible version (a
        number of updates), and `token_claims` the claim it belongs to, as an index into the row's `provenance`, -1 for
        none.

    Raises:
        ValueError: The tokenizer lacks `<sep>` or `<update>`.
    """
    separator, opening = _id(tokenizer, SEPARATOR), _id(tokenizer, UPDATE)
    updates = row["updates"]
    clauses = [clause for clause in _CLAUSE_END.split(row["prompt"].strip()) if clause]
    messages = _encode_messages(tokenizer, [*clauses, *(update["text"] for update in updates)])
    target = tokenizer.encode(row["initial_target"] + row["revised_target"], add_special_tokens=False)
    starts = [start for start, _ in target.offsets]
    positions = [bisect_left(starts, update["position"]) for update in updates]
    earliest = [bisect_left(starts, update["earliest"]) for update in updates]
    cut = positions[0] if positions else len(target.ids)
    return {
        "prompt_tokens": [token for message in messages[: len(clauses)] for token in (*message, separator)],
        "initial_target_tokens": target.ids[:cut],
        "update_tokens": [[opening, *message, separator] for message in messages[len(clauses) :]],
        "revised_target_tokens": target.ids[cut:],
        "metadata": {
            **{name: row[name] for name in ("task_type", "requires_revision", "phase", "split", "seed", "index")},
            "update_step": positions[0] if positions else -1,
            "update_positions": positions,
            "earliest": earliest,
            "token_versions": [bisect_right(earliest, token) for token in range(len(target.ids))],
            "token_claims": _claims_of_tokens(row, target.offsets),
        },
    }


def _id(tokenizer: Tokenizer, token: str) -> int:
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ValueError(f"`tokenizer` has no token {token!r}; take one trained for these models, or add it.")
    return int(number)


def _encode_messages(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of messages; each word is encoded with a space before it, even the first."""
    before = tokenizer.encode_special_tokens
    tokenizer.encode_special_tokens = True  # as plain text
    try:
        encoded = tokenizer.encode_batch([f" {text.strip()}" for text in texts], add_special_tokens=False)
    finally:
        tokenizer.encode_special_tokens = before
    return [message.ids for message in encoded]


def _claims_of_tokens(row: dict[str, Any], offsets: Sequence[tuple[int, int]]) -> list[int]:
    """For each token, the claim of its first character that is not white space."""
    target, claims = row["initial_target"] + row["revised_target"], claim_of_characters(row)
    return [
        next((claims[place] for place in range(start, end) if not target[place].isspace()), -1)
        for start, end in offsets
    ]
