"""`hf-duplex train --data my.jsonl`: a user's own conversations, from a file or a folder."""

import json

import pytest
from toy_runs import losses, samples, train, write_config
from transformers import AutoTokenizer

from dataset_builder import END
from hf_duplex.data import read_conversations
from hf_duplex.training import train as training


def lines(count, **fields):
    """Samples of the builder as a user would write them."""
    return [
        {
            "prompt": sample.prompt,
            "text": sample.target.removesuffix(END),
            "updates": [{"after_chars": update["position"], "text": update["text"]} for update in sample.updates],
        }
        for sample in samples(count, num_facts=(1, 2), num_questions=(1, 2), num_updates=(0, 2), **fields)
    ]


def write(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp("toy"), phases=None)


@pytest.mark.parametrize("model_type", ["workspace", "baseline", "dual_stream"])
def test_a_run_learns_from_a_file(config, tmp_path, model_type):
    path = write(tmp_path / "my.jsonl", lines(100))
    facts = train(config, tmp_path / "run", data=path, num_train_epochs=2, model_type=model_type)
    # 95 are trained on, in batches of 16.
    assert (facts["steps"], facts["samples"]) == (12, 95)
    assert facts["data"]["data"] == str(path) and facts["data"]["phases"] == []
    assert losses(facts)[-1] < losses(facts)[0] - 0.1 and facts["eval_loss"] > 0


def test_a_folder_has_a_file_to_validate_on(config, tmp_path, monkeypatch):
    write(tmp_path / "mine" / "train.jsonl", lines(32))
    held_out = write(tmp_path / "mine" / "validation.jsonl", lines(12, seed=1))
    seen = {}

    def load(*args):
        seen["datasets"] = load_datasets(*args)
        return seen["datasets"]

    load_datasets = training.load_datasets
    monkeypatch.setattr(training, "load_datasets", load)
    facts = train(config, tmp_path / "run", data=tmp_path / "mine", eval_samples=10)
    assert (facts["steps"], facts["samples"]) == (2, 32)
    assert len(seen["datasets"][1]) == 10 < len(read_conversations(held_out))


def test_a_tokenizer_is_trained_on_the_conversations_where_none_is_named(tmp_path):
    path = write(tmp_path / "my.jsonl", lines(40))
    config = write_config(tmp_path, tokenizer_name_or_path=None, phases=None, vocab_size=300)
    train(config, tmp_path / "run", data=path, max_steps=1)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "run")
    assert len(tokenizer) == 300 and tokenizer.update_token_id is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "`data`: .*my.jsonl holds no conversation"),
        ([*lines(3), {"prompt": "a"}], "`data`: .*my.jsonl, line 4: `text` is missing"),
        (lines(1), "`data`: .*my.jsonl holds one conversation"),
    ],
)
def test_bad_lines_are_refused_before_anything_is_made(config, tmp_path, content, message):
    path = write(tmp_path / "my.jsonl", content)
    with pytest.raises(ValueError, match=message):
        train(config, tmp_path / "run", data=path)
    assert not (tmp_path / "run").exists()


def test_a_file_or_a_split_that_is_not_there_is_named(config, tmp_path):
    with pytest.raises(ValueError, match="`data`: there is no file or folder .*none.jsonl"):
        train(config, tmp_path / "run", data=tmp_path / "none.jsonl")
    write(tmp_path / "mine" / "other.jsonl", lines(3))
    with pytest.raises(ValueError, match="`data`: .*mine has no train.jsonl"):
        train(config, tmp_path / "run", data=tmp_path / "mine")


def test_an_update_longer_than_the_model_reads_is_named(config, tmp_path):
    rows = lines(3)
    rows[1]["updates"] = [{"after_words": 1, "text": "No, " * 200}]
    path = write(tmp_path / "my.jsonl", rows)
    with pytest.raises(ValueError, match=r"my.jsonl, line 2: an update has \d+ tokens, more than max_message_length"):
        train(config, tmp_path / "run", data=path)
