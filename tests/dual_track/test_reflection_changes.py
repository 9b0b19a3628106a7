"""Gold changes of a long conversation: who finds them among how many messages that are flagged."""

import json

import numpy as np
import pytest
import torch
from toy_tracks import write_base, write_corpus, write_encoder
from typer.testing import CliRunner

from hf_duplex.cli.app import app
from hf_duplex.dual_track.data import base_tokenizer
from hf_duplex.dual_track.evaluation.changes import (  # fmt: skip
    Gold,
    classified,
    compare_changes,
    nearest_earlier,
    ngram_vectors,
    read_cri,
    recall_at,
    scores_of_thoughts,
    thoughts_of,
    training_messages,
)
from hf_duplex.dual_track.modeling import DualTrackForCausalLM, boundary_ids_of, forbidden_ids_of


MESSAGES = [
    ("user", "I live in Lisbon."), ("assistant", "I see."), ("user", "The weather is odd."), ("assistant", "It is."),
    ("user", "I live in Oslo now."), ("assistant", "Noted."), ("user", "We moved to Oslo."), ("assistant", "Fine."),
    ("user", "I never liked Lisbon."), ("assistant", "I see."),
]  # fmt: skip


@pytest.fixture
def conversation(tmp_path):
    folder = tmp_path / "cri"
    folder.mkdir()
    rows = [{"message_id": 100 + n, "role": role, "content": text} for n, (role, text) in enumerate(MESSAGES)]
    (folder / "conversations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    truth = {
        "changes": [{"fact": "city", "changed_around_msg": 104, "key_messages": [100, 104, 106]}],
        "conflicts": [{"topic": "Lisbon", "introduced_at_messages": [100, 108]}],
    }
    (folder / "ground_truth.json").write_text(json.dumps(truth))
    return folder


def test_gold_is_what_says_the_new_and_not_what_said_the_old(conversation):
    turns, gold = read_cri(conversation)
    assert len(turns) == 10 and turns[4] == {"speaker": "user", "text": "I live in Oslo now."}
    assert gold == [Gold("change", "city", frozenset({4, 6})), Gold("conflict", "Lisbon", frozenset({8}))]
    (conversation / "ground_truth.json").write_text("{}")
    with pytest.raises(ValueError, match="does not hold what cri-benchmark does"):
        read_cri(conversation)
    with pytest.raises(ValueError, match="does not hold"):
        read_cri(conversation / "nowhere")


def test_recall_counts_items_of_which_one_message_is_flagged():
    gold = [Gold("change", "a", frozenset({4, 6})), Gold("conflict", "b", frozenset({8}))]
    scores = np.array([0, 9, 3, 0, 2, 0, 5, 0, 1, 0], dtype=float)
    users = [0, 2, 4, 6, 8]
    assert recall_at(scores, gold, users, 1) == [True, False], "what the assistant says is not flagged"
    assert recall_at(scores, gold, users, 4) == [True, True]
    found = compare_changes({"x": scores}, gold, users, budgets=(0.2, 0.8))
    assert found["0.2"]["x"]["value"] == 0.5 and found["0.2"]["x"]["change"] == 1 and found["0.2"]["flagged"] == 1
    assert found["0.8"]["x"]["value"] == 1


def test_what_was_said_of_before_is_near_to_it():
    vectors = ngram_vectors(["I live in Lisbon", "the weather is odd", "I live in Oslo", "nothing of the kind"])
    near = nearest_earlier(vectors)
    assert near[0] == 0 and near[2] == near.max() > 0.2
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(4))


def test_a_classifier_learns_what_it_is_shown():
    train = torch.nn.functional.one_hot(torch.arange(4) % 2, 2).float()
    low, high = classified(train, [False, True, False, True], torch.eye(2))
    assert low < 0 < high
    rows = [{"turns": [{"speaker": "user", "text": "a"}, {"speaker": "assistant", "text": "b"}],
             "annotations": [{"turn": 0, "type": "UPDATE"}]}]  # fmt: skip
    assert training_messages(rows) == (["a"], [True])


def test_thoughts_are_found_in_the_message_after_which_they_were_had(tmp_path):
    base = str(write_base(tmp_path))
    tokenizer = base_tokenizer(base)
    model = DualTrackForCausalLM.from_base(base, boundary_ids=boundary_ids_of(tokenizer), threshold=0.0).eval()
    model.forbid(forbidden_ids_of(tokenizer))
    turns = [{"speaker": role, "text": text} for role, text in MESSAGES]
    thoughts = thoughts_of(model, turns, tokenizer)
    scores, thought = scores_of_thoughts(thoughts, turns, tokenizer)
    assert thought.all(), "each message ends with a full stop, after which it is thought"
    assert (scores >= 0).all() and scores[4:].max() > 0
    changing = max(sum(node.type_probabilities[2:]) * node.activation for node in thoughts)
    assert scores.max() == pytest.approx(changing)
    one = [node for node in thoughts if thoughts.index(node) == 3]
    _, alone = scores_of_thoughts(one, turns, tokenizer)
    assert alone.sum() == 1


def test_the_command_compares_all_methods(conversation, tmp_path):
    base, corpus = str(write_base(tmp_path / "base")), write_corpus(tmp_path / "corpus")
    tokenizer = base_tokenizer(base)
    model = DualTrackForCausalLM.from_base(base, boundary_ids=boundary_ids_of(tokenizer))
    model.save_pretrained(tmp_path / "tracks")
    encoder = write_encoder(tmp_path / "encoder")
    command = ["bench", "reflection", "changes", str(tmp_path / "tracks"), str(corpus), "--base", base]
    command += ["--embeddings", str(encoder), "--conversation", str(conversation), "--json", str(tmp_path / "c.json")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "c.json").read_text())
    assert found["messages"] == 5 and found["gold"] == {"change": 1, "conflict": 1}
    assert set(found["recall"]["0.2"]) == {
        "flagged", "reflection", "n-grams, nearest earlier", "n-grams, classifier", "embeddings, nearest earlier",
        "embeddings, classifier",
    }  # fmt: skip
    few = CliRunner().invoke(app, [*command, "--messages", "3"])
    assert few.exit_code == 2 and "read more" in few.output
