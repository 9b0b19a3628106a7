"""A text while it is being generated: updates from any thread, undo, stop and going on."""

import pytest

from hf_duplex.released import SHIPPED, WORKSPACE
from hf_duplex.runtime.checkpoints import load_checkpoint
from hf_duplex.runtime.live import LiveText
from hf_duplex.runtime.slots import beliefs, group_words


PROMPT = "Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y; 3) 4y + 1."


@pytest.fixture(scope="module")
def loaded():
    return load_checkpoint(str(SHIPPED / WORKSPACE), "--model")


@pytest.fixture
def untold(loaded):
    """The text of one who was never told anything."""
    text = LiveText(*loaded, PROMPT)
    text.run()
    return text


def told(loaded, updates):
    due = dict(updates)
    text = LiveText(*loaded, PROMPT)
    text.on_step = lambda said: text.tell(due.pop(said)) if said in due else None
    text.run()
    return text


def test_an_update_is_heard_in_the_middle_and_undone_without_a_trace(loaded, untold):
    text = told(loaded, {20: "Actually x = 7."})
    assert text.text != untold.text and text.heard[0].after == 20 and text.version == untold.version + 1
    assert text.undo() == "Actually x = 7." and len(text.tokens) == 20 and not text.ended
    text.run()
    assert text.text == untold.text and text.version == untold.version and text.heard == []
    assert text.undo() is None


def test_undo_takes_back_one_update_of_two(loaded):
    text, once = told(loaded, {10: "Actually x = 7.", 25: "No, y = 9."}), told(loaded, {10: "Actually x = 7."})
    text.undo()
    text.run()
    assert text.text == once.text and [heard.text for heard in text.heard] == ["Actually x = 7."]


def test_a_replay_changes_nothing(loaded):
    text, twin = told(loaded, {20: "Actually x = 7."}), told(loaded, {20: "Actually x = 7."})
    assert text.replay(0) > 0
    assert text.text == twin.text and text.cache.processed_tokens == twin.cache.processed_tokens
    for same in (text, twin):
        same.tell("No, y = 9.")
        same.run()
    assert text.text == twin.text and text.version == twin.version


def test_an_update_before_the_first_token_can_be_undone(loaded, untold):
    text = told(loaded, {0: "Actually x = 7."})
    assert text.heard[0].after == 0 and text.processed_again == 0
    text.undo()
    text.run()
    assert text.text == untold.text


def test_what_is_told_after_the_end_goes_on(loaded, untold):
    before, tokens = untold.text, len(untold.tokens)
    assert untold.ended
    untold.run()
    assert len(untold.tokens) == tokens
    untold.tell("No, y = 9.")
    untold.run()
    assert untold.text.startswith(before) and len(untold.tokens) > tokens and untold.processed_again == 0


def test_stopped_it_goes_on_where_it_was(loaded, untold):
    text = LiveText(*loaded, PROMPT)
    text.on_token = lambda: text.stop() if len(text.tokens) == 12 else None
    text.run()
    assert text.stopped and not text.ended and 12 <= len(text.tokens) <= 13
    text.run()
    assert len(text.tokens) <= 13
    text.resume()
    text.on_token = None
    text.run()
    assert text.text == untold.text


@pytest.mark.parametrize("update", ["", "  ", "Actually " + "x = 7, " * 30])
def test_an_unusable_update_is_refused_before_anything_changes(loaded, update):
    text = LiveText(*loaded, PROMPT)
    with pytest.raises(ValueError, match="`update`"):
        text.tell(update)
    assert not text.waiting


@pytest.mark.parametrize("prompt", ["", " \n", "x = 7. " * 900])
def test_an_unusable_prompt_is_refused(loaded, prompt):
    with pytest.raises(ValueError, match="`prompt`"):
        LiveText(*loaded, prompt)


def test_words_are_put_together_from_slots():
    texts = {0: " S", 1: "yd", 2: "ney", 3: ".", 5: " 1", 6: "2", 7: "x", 64: "y", 65: " ", 66: "em", 67: "u"}
    words = [(word.strip(), slots) for word, slots in group_words(texts)]
    assert words == [("Sydney", [0, 1, 2]), (".", [3]), ("12x", [5, 6, 7]), ("y", [64]), ("emu", [65, 66, 67])]


def test_beliefs_give_the_prompt_back_in_words(loaded, untold):
    words = beliefs(untold.cache.memory, loaded[1], loaded[0].config.max_message_length)
    assert "".join(word for word, _, _ in words).strip() == PROMPT
    assert [version for _, version, _ in words][-1] == untold.version
