"""A user's own conversations: what is read, and what is refused."""

import json
import re

import pytest

from hf_duplex.data import read_conversation, read_conversations
from hf_duplex.data.own import is_own_data, read_splits


GOOD = {"prompt": "x = 5. What is 3x?", "text": "3x is 15, no, 21.", "updates": [{"after_words": 3, "text": "x = 7."}]}
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x = 5. What is 3x?"}]
UPDATE = {"after_chars": 2, "text": "No."}


def line(**changes):
    """The good line with other fields; None leaves one out."""
    return {name: value for name, value in {**GOOD, **changes}.items() if value is not None}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_line_becomes_a_conversation(tmp_path):
    path = write(tmp_path / "my.jsonl", GOOD, line(prompt=None, messages=MESSAGES, updates=[]))
    first, second = read_conversations(path)
    assert first.messages == [{"role": "user", "content": "x = 5. What is 3x?"}]
    assert (first.text, first.updates) == ("3x is 15, no, 21.", [(9, "x = 7.")])
    assert first.where == f"{path}, line 1"
    assert (second.messages, second.updates) == (MESSAGES, [])
    assert list(first.texts()) == ["x = 5. What is 3x?", "3x is 15, no, 21.", "x = 7."]


def test_words_are_split_at_white_space_and_characters_are_counted_as_python_counts_them():
    text = " é😀  two\nthree "
    updates = [{"after_words": count, "text": str(count)} for count in (3, 0, 2, 1)]
    updates += [{"after_chars": count, "text": f"at {count}"} for count in (len(text), 0, 2)]
    found = read_conversation(line(text=text, updates=updates)).updates
    # In the order of their positions; where those are the same, in that of the line.
    assert found == [(0, "0"), (0, "at 0"), (2, "at 2"), (3, "1"), (8, "2"), (14, "3"), (15, "at 15")]


def test_a_folder_is_read_file_by_file_and_empty_lines_are_skipped(tmp_path):
    write(tmp_path / "b.jsonl", line(text="second", updates=[]))
    (tmp_path / "a.jsonl").write_bytes(
        b"\xef\xbb\xbf\n" + json.dumps(line(text="first", updates=[])).encode() + b"\r\n  \n"
    )
    (tmp_path / "notes.txt").write_text("no JSON")
    assert [found.text for found in read_conversations(str(tmp_path))] == ["first", "second"]


def test_rows_are_read_as_lines_are(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = [GOOD, line(prompt=None, messages=MESSAGES), line(updates=[]), line(updates=[UPDATE, GOOD["updates"][0]])]
    path = write(tmp_path / "my.jsonl", *rows)
    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded[0]["messages"] is None
    assert read_conversations(loaded) == read_conversations(path) == read_conversations(rows)
    with pytest.raises(ValueError, match="DatasetDict"):
        read_conversations(datasets.DatasetDict(train=loaded))


BAD_ROWS = {
    "neither `prompt` nor `messages`; give exactly one": line(prompt=None),
    "both `prompt` and `messages`; give exactly one": line(messages=MESSAGES),
    "`text` is missing; give the text to emit": line(text=None),
    r"`updates` is missing; write \[\]": line(updates=None),
    "has the unknown `update`; remove it, or rename it to one of `prompt`, `messages`, `text`, `updates`": line(
        update=[]
    ),
    "must be an object with `prompt`, .*got a list": [GOOD],
    r"got a string \('hello'\)": "hello",
    r"`prompt` must be a string, got a number \(3\)": line(prompt=3),
    "`prompt` is empty": line(prompt=" "),
    "`messages` must be a list, got a string": line(prompt=None, messages="Hello."),
    "`messages` is empty; give at least one": line(prompt=None, messages=[]),
    r"`messages\[0\]` must be an object with `role`, `content`, got a string": line(prompt=None, messages=["Hello."]),
    r"`messages\[1\].content` is missing": line(prompt=None, messages=[MESSAGES[0], {"role": "user"}]),
    r"`messages\[0\].role` is missing": line(prompt=None, messages=[{"content": "Hello."}]),
    r"`messages\[0\]` has the unknown `name`": line(prompt=None, messages=[{**MESSAGES[0], "name": "Ada"}]),
    r"`messages\[0\].content` must be a string, got a list": line(
        prompt=None, messages=[{"role": "user", "content": []}]
    ),
    "`text` is empty": line(text=""),
    r"`text` must be a string, got a boolean \(True\)": line(text=True),
    "`text` holds half of a surrogate pair": line(text="\ud83d"),
    "`updates` must be a list, got an object": line(updates=UPDATE),
    r"`updates\[0\]` must be an object .*got a list": line(updates=[[3, "No."]]),
    r"`updates\[1\]` has neither `after_chars` nor `after_words`": line(updates=[UPDATE, {"text": "No."}]),
    r"`updates\[0\]` has both `after_chars` and `after_words`": line(updates=[{**UPDATE, "after_words": 1}]),
    r"`updates\[0\]` has the unknown `after_tokens`": line(updates=[{**UPDATE, "after_tokens": 1}]),
    r"`updates\[0\].text` is missing": line(updates=[{"after_chars": 1}]),
    r"`updates\[0\].text` is empty": line(updates=[{"after_chars": 1, "text": "\n"}]),
    r"`updates\[0\].text` must be a string, got a number": line(updates=[{"after_chars": 1, "text": 7}]),
    r"`updates\[0\].after_chars` is 18, but `text` has 17 characters; give a number from 0 to 17": line(
        updates=[{"after_chars": 18, "text": "No."}]
    ),
    r"`updates\[0\].after_words` is 6, but `text` has 5 words; give a number from 0 to 5": line(
        updates=[{"after_words": 6, "text": "No."}]
    ),
    r"`updates\[0\].after_words` is -1, but": line(updates=[{"after_words": -1, "text": "No."}]),
    r"`updates\[0\].after_chars` must be a whole number, got a number \(2.0\)": line(
        updates=[{"after_chars": 2.0, "text": "No."}]
    ),
    r"`updates\[0\].after_chars` must be a whole number, got a boolean": line(
        updates=[{"after_chars": True, "text": "No."}]
    ),
    r"`updates\[0\].after_words` must be a whole number, got a string \('3'\)": line(
        updates=[{"after_words": "3", "text": "No."}]
    ),
}


@pytest.mark.parametrize("message", BAD_ROWS)
def test_a_bad_line_is_refused_with_file_line_field_and_remedy(tmp_path, message):
    path = write(tmp_path / "my.jsonl", GOOD, BAD_ROWS[message], GOOD)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}, line 2: .*{message}"):
        read_conversations(path)
    with pytest.raises(ValueError, match=rf"^rows\[1\]: .*{message}"):
        read_conversations([GOOD, BAD_ROWS[message]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"prompt": \n', "line 1: is not JSON .*; write one JSON object on each line"),
        (b'\n{"prompt": "a"} {"prompt": "b"}\n', "line 2: is not JSON"),
        (b'\n\n{"prompt": "\xe9"}\n', "line 3: is not UTF-8; save the file as UTF-8"),
        (b"\n \n", "holds no conversation; write at least one"),
        (b"", "holds no conversation"),
        (b"[" * 100_000, "line 1: is not JSON"),
    ],
)
def test_a_file_that_is_no_json_lines_is_refused(tmp_path, content, message):
    (tmp_path / "my.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=f"my.jsonl.*{message}"):
        read_conversations(tmp_path / "my.jsonl")


def test_what_is_no_source_is_refused(tmp_path):
    for source, message in {
        str(tmp_path / "none.jsonl"): "there is no file or folder .*none.jsonl",
        str(tmp_path): "holds no .jsonl file",
        3: "`path_or_rows` must be a path or rows, got a int",
        (): "`path_or_rows` holds no conversation",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_conversations(source)
    with pytest.raises(ValueError, match=r"got a dict; .*`\[row\]`"):
        read_conversations(GOOD)


@pytest.mark.parametrize(("lines", "held_out"), [(2, 1), (39, 1), (40, 2), (100, 5)])
def test_the_last_twentieth_is_held_out_where_no_file_is(tmp_path, lines, held_out):
    path = write(tmp_path / "train.jsonl", *[line(text=str(number), updates=[]) for number in range(lines)])
    for source in (path, tmp_path):
        trained, validated = read_splits(source)
        assert [row.text for row in trained + validated] == [str(number) for number in range(lines)]
        assert len(validated) == held_out
    write(tmp_path / "validation.jsonl", line(text="other", updates=[]))
    trained, validated = read_splits(tmp_path)
    assert (len(trained), [row.text for row in validated]) == (lines, ["other"])


def test_one_conversation_cannot_be_split_and_a_folder_needs_one_to_train_on(tmp_path):
    with pytest.raises(ValueError, match="holds one conversation, and one is held out; give at least 2"):
        read_splits(write(tmp_path / "my.jsonl", GOOD))
    with pytest.raises(ValueError, match="has no train.jsonl"):
        read_splits(tmp_path)


def test_own_data_is_told_from_what_was_built(tmp_path):
    assert not is_own_data(tmp_path) and not is_own_data(tmp_path / "none")
    assert is_own_data(tmp_path / "none.jsonl")
    path = write(tmp_path / "train.jsonl", GOOD)
    assert is_own_data(path) and is_own_data(str(tmp_path))
    (tmp_path / "build.json").write_text("{}")
    assert not is_own_data(tmp_path) and is_own_data(path)
