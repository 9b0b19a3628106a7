"""Prompts of ordinary chat."""

import sys
from importlib.util import find_spec
from itertools import islice

import pytest

from hf_duplex.data import chat_prompts as chat_prompts_module
from hf_duplex.data.chat_prompts import SPLITS, chat_prompts, is_usable, split_of, turns_of


needs_package = pytest.mark.skipif(find_spec("chitchat_dataset") is None, reason="chitchat-dataset is not installed")


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("What is your favourite dish?", True),
        ("It’s a naïve idea, I know, but people who live here all like it", True),
        ("hi there", False),
        (" ".join(["the"] * 61), False),
        ("look at this www.example.com it is great", False),
        ("look at example.com for it", False),
        ("hola amigo como estas", False),
        ("это не на английском the", False),
        ("haha haha haha", False),
        ("1 2 3 4", False),
    ],
)
def test_messages_are_english_of_some_length_without_links(text, usable):
    assert is_usable(text) == usable


def test_lines_of_one_writer_are_one_turn():
    lines = [("a", "Hello"), ("a", " how  are you? "), ("b", "fine"), ("b", " ")]
    messages = [[{"sender": sender, "text": text}] for sender, text in lines]
    assert turns_of(messages) == ["Hello how are you?", "fine"]


def test_most_dialogues_are_for_training():
    found = [split_of(str(number)) for number in range(2000)]
    assert set(found) == set(SPLITS) and 0.85 < found.count("train") / 2000 < 0.95


@needs_package
def test_prompts_end_with_the_user_and_are_in_one_split_only(monkeypatch):
    some = dict(islice(chat_prompts_module._dialogues().items(), 1500))
    monkeypatch.setattr(chat_prompts_module, "_dialogues", lambda: some)
    found = {split: chat_prompts(split, seed=3) for split in SPLITS}
    for prompts in found.values():
        assert len(prompts) > 50
        for messages in prompts:
            assert [m["role"] for m in messages] in (["user", "assistant"] * n + ["user"] for n in range(3))
            assert all(is_usable(message["content"]) for message in messages)
    texts = [tuple(m["content"].casefold() for m in messages) for prompts in found.values() for messages in prompts]
    assert len(set(texts)) == len(texts)
    assert found["test"] == chat_prompts("test", seed=3) != chat_prompts("test", seed=4)


def test_what_is_missing_is_named(monkeypatch):
    with pytest.raises(ValueError, match="`split` must be one of train"):
        chat_prompts("dev")
    monkeypatch.setitem(sys.modules, "chitchat_dataset", None)
    with pytest.raises(ValueError, match="pip install chitchat-dataset"):
        chat_prompts()
