"""A user's own conversations as samples: where an update is first known, batches, and the page about them."""

import json
import re
from functools import partial

import pytest
import tiny_chat
from hypothesis import given
from hypothesis import strategies as st
from toy_runs import toy_tokenizer

from hf_duplex.data import (
    ChannelCollator,
    Conversation,
    OwnDataset,
    OwnSampler,
    SerializedCollator,
    encode_conversation,
    encoded_features,
    read_conversation,
    read_conversations,
)


GOOD = {"prompt": "x = 5. What is 3x?", "text": "3x is 15, no, 21.", "updates": [{"after_words": 3, "text": "x = 7."}]}
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x = 5. What is 3x?"}]


def line(**changes):
    """The good line with other fields; None leaves one out."""
    return {name: value for name, value in {**GOOD, **changes}.items() if value is not None}


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(st.data(), st.one_of(TEXTS, st.sampled_from(["Actually x = 7.", "a <eos> b<sep> c"])))
def test_no_token_that_starts_before_an_update_knows_it_and_every_later_one_does(data, text):
    if not text.strip():
        return
    words, unit = text.split(), data.draw(st.sampled_from(["chars", "words"]))
    last = len(text) if unit == "chars" else len(words)
    places = data.draw(st.lists(st.integers(0, last), max_size=3))
    conversation = read_conversation(
        line(text=text, updates=[{f"after_{unit}": place, "text": str(place)} for place in places])
    )
    tokenizer = toy_tokenizer()
    encoded = encode_conversation(tokenizer, conversation)
    offsets = tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    # Where each token starts; the start token before all, the end token behind the text.
    starts = [-1, *(start for start, _ in offsets["offset_mapping"]), len(text)]
    assert len(starts) == len(encoded["input_ids"])
    for (position, _), place, index in zip(
        conversation.updates, sorted(places), encoded["update_positions"], strict=True
    ):
        if unit == "words":
            assert text[:position].split() == words[:place] and (place == 0 or not text[position - 1].isspace())
        else:
            assert position == place
        assert [start >= position for start in starts] == [token >= index for token in range(len(starts))]


def test_every_stream_is_encoded_as_the_models_read_it():
    tokenizer = toy_tokenizer()
    row = line(prompt=None, messages=MESSAGES, text="3x is 15, <eos> no.")
    encoded = encode_conversation(tokenizer, read_conversation(row))
    assert tokenizer.decode(encoded["prompt_ids"]) == " Be brief.<sep> x = 5.<sep> What is 3x?<sep>"
    assert [tokenizer.decode(ids) for ids in encoded["update_ids"]] == ["<update> x = 7.<sep>"]
    ids = encoded["input_ids"]
    assert ids[0] == tokenizer.bos_token_id and ids[-1] == tokenizer.eos_token_id
    # What looks like an end token in the text is none.
    assert ids.count(tokenizer.eos_token_id) == 1 and tokenizer.decode(ids[1:-1]) == "3x is 15, <eos> no."
    assert tokenizer.decode(ids[1 : encoded["update_positions"][0]]) == "3x is 15,"


def test_an_update_behind_the_text_is_known_by_the_end_token_and_one_before_it_by_the_first():
    tokenizer = toy_tokenizer()
    updates = [{"after_chars": 4, "text": "Late."}, {"after_words": 0, "text": "Early."}]
    encoded = encode_conversation(tokenizer, read_conversation(line(text="15 .", updates=updates)))
    assert encoded["update_positions"] == [1, len(encoded["input_ids"]) - 1]
    assert tokenizer.decode(encoded["update_ids"][0]) == "<update> Early.<sep>"


def test_what_cannot_be_encoded_is_refused():
    conversation = read_conversation(GOOD, "my.jsonl, line 1")
    with pytest.raises(ValueError, match=r"my.jsonl, line 1: an update has \d+ tokens, .*max_message_length \(3\)"):
        encode_conversation(toy_tokenizer(), conversation, max_message_length=3)
    plain = type(toy_tokenizer())(tokenizer_object=toy_tokenizer().backend_tokenizer, eos_token="<eos>")
    with pytest.raises(ValueError, match="`tokenizer` has no bos, sep, update token; use one that .*train_tokenizer"):
        encode_conversation(plain, conversation)


def test_a_data_set_holds_what_was_encoded():
    encode = partial(encode_conversation, toy_tokenizer())
    conversations = read_conversations([GOOD, line(updates=[]), line(text="Yes.", updates=[])])
    data = OwnDataset(conversations, encode)
    assert [data[index] for index in range(len(data))] == [encode(one) for one in conversations]
    assert data.emitted.tolist() == [len(sample["input_ids"]) for sample in data]
    streams = [len(s["input_ids"]) + len(s["prompt_ids"]) + sum(map(len, s["update_ids"])) for s in data]
    assert all(0 < total - own < 10 for total, own in zip(data.lengths, streams, strict=True))
    with pytest.raises(IndexError):
        data[3]
    with pytest.raises(ValueError, match="`conversations` is empty"):
        OwnDataset([], encode)


def test_each_epoch_has_every_sample_once_in_another_order_and_like_lengths_together():
    words = [Conversation([{"role": "user", "content": "Go."}], "a " * (1 + n % 40)) for n in range(400)]
    data = OwnDataset(words, partial(encode_conversation, toy_tokenizer()))
    orders = []
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        orders.append(list(OwnSampler(data, 8)))
        assert sorted(orders[-1]) == list(range(400))
    assert orders[0] == orders[2] != orders[1]
    assert {frozenset(orders[0][at : at + 8]) for at in range(0, 400, 8)}.isdisjoint(
        frozenset(orders[1][at : at + 8]) for at in range(0, 400, 8)
    )
    spread = [max(data.emitted[orders[0][at : at + 8]]) - min(data.emitted[orders[0][at : at + 8]]) for at in (0, 200)]
    assert max(spread) < 15


def test_mapped_rows_collate_as_the_data_set_does():
    datasets = pytest.importorskip("datasets")
    tokenizer = toy_tokenizer()
    # The first thousand rows have no update: the types of columns must not be a guess from them.
    rows = [line(updates=[])] * 1001 + [GOOD]
    loaded = datasets.Dataset.from_list(rows)
    mapped = loaded.map(
        lambda row: encode_conversation(tokenizer, read_conversation(row)),
        features=encoded_features(),
        remove_columns=loaded.column_names,
    )
    data = OwnDataset(read_conversations(loaded), partial(encode_conversation, tokenizer))
    assert mapped[1001] == data[1001] and mapped[0] == data[0]
    for collator in (ChannelCollator(tokenizer), SerializedCollator(tokenizer)):
        first, second = collator([mapped[0], mapped[1001]]), collator([data[0], data[1001]])
        assert first.keys() == second.keys() and all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("collator", [ChannelCollator, SerializedCollator])
@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (GOOD, "a sample has no `input_ids`, `prompt_ids`, .*only `prompt`, `text`, `updates`: encode rows first"),
        ({"input_ids": [1, 5]}, "no `prompt_ids`, `update_ids`.*set `remove_unused_columns=False`"),
    ],
)
def test_a_collator_refuses_samples_without_their_streams(collator, sample, message):
    with pytest.raises(ValueError, match=message):
        collator(toy_tokenizer())([sample])


def test_the_page_shows_lines_that_are_read_and_code_that_runs(request, tmp_path, monkeypatch):
    from transformers import TrainingArguments

    from hf_duplex import WorkspaceConfig, WorkspaceForCausalLM

    page = (request.config.rootpath / "docs" / "own_data.md").read_text()
    shown = re.search(r"```json\n(.*?)```", page, re.DOTALL).group(1)
    (tmp_path / "my.jsonl").write_text(shown * 4)
    found = read_conversations(tmp_path / "my.jsonl")
    assert found[0].updates == [(len("red red red"), "Make it blue, 2 times.")] and len(found) == 8
    late = {"after_words": 9, "text": "Make it blue."}
    with pytest.raises(ValueError) as refused:
        read_conversation({**json.loads(shown.splitlines()[0]), "updates": [late]}, "my.jsonl, line 7")
    assert str(refused.value) in page

    monkeypatch.chdir(tmp_path)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = WorkspaceConfig(vocab_size=384, encoder_layers=1, n_slots=128, **sizes)
    arguments = TrainingArguments("run", max_steps=1, save_strategy="no", report_to="none", use_cpu=True)
    known = {"tokenizer": toy_tokenizer(), "model": WorkspaceForCausalLM(config), "arguments": arguments}
    first, second, adapter = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(first, "own_data.md", "exec"), known)
    expected = list(known["train_dataset"])
    exec(compile(second, "own_data.md", "exec"), known)
    assert list(known["train_dataset"]) == expected

    monkeypatch.setattr("hf_duplex.bases.load_base", lambda name: (tiny_chat.chat_model(), tiny_chat.chat_tokenizer()))
    few = 'max_steps=1, save_strategy="no", report_to="none", use_cpu=True'
    exec(compile(adapter.replace("max_steps=500", few), "own_data.md", "exec"), known)
    assert known["model"].keeps_workspace and (tmp_path / "runs" / "mine" / "model.safetensors").is_file()
