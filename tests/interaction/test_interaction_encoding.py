"""Examples as ids."""

import pytest
import torch

from dataset_builder.interaction.example import Example
from dataset_builder.interaction.streams import ACTIONS, STREAMS
from hf_duplex.interaction.data import choose_actions, encode_examples, policy_vocabulary, words
from hf_duplex.interaction.modeling import StreamPolicyConfig, StreamPolicyForSequenceClassification


def example(transcript="User: Wait, the oven!", action="wait", **streams):
    ticks = len(next(iter(streams.values())))
    held = {name: streams.get(name, ("none",) * ticks) for name in STREAMS}
    return Example("mini", "train", "resume_after_background", 0, 0, "arrived", "background", transcript, held, action)


SHORT = example(background=("pending:oven", "result:oven"), model_state=("listening", "waiting_for:oven"))
LONG = example(
    background=("none", "result:taxi", "failed:taxi"), visual=("nods", "nods", "shows:oven"), action="resume"
)


def config(*examples, transcript_only=False):
    return StreamPolicyConfig(**policy_vocabulary(examples, transcript_only))


def test_the_vocabulary_is_what_the_examples_hold():
    vocabulary = policy_vocabulary([SHORT, LONG])
    assert list(vocabulary["kinds"]) == list(STREAMS)
    assert vocabulary["kinds"]["background"] == ["failed", "none", "pending", "result"]
    assert vocabulary["kinds"]["timing"] == ["none"]
    assert vocabulary["things"] == ["oven", "taxi"]
    assert vocabulary["actions"] == list(ACTIONS)


def test_ids_stand_where_the_values_stood():
    made = config(SHORT, LONG)
    encoded = encode_examples([SHORT, LONG], made)
    assert encoded["kinds"].shape == encoded["things"].shape == (2, 3, len(STREAMS))
    background = made.streams.index("background")
    ids = made.kind_ids["background"]
    assert encoded["kinds"][:, :, background].tolist() == [
        [ids["pending"], ids["result"], 0],
        [ids["none"], ids["result"], ids["failed"]],
    ]
    oven, taxi = made.thing_ids["oven"], made.thing_ids["taxi"]
    assert encoded["things"][:, :, background].tolist() == [[oven, oven, 0], [0, taxi, taxi]]
    assert encoded["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert [ACTIONS[label] for label in encoded["labels"]] == ["wait", "resume"]


def test_what_training_never_saw_is_unknown():
    encoded = encode_examples([LONG], config(SHORT))
    background, visual = list(STREAMS).index("background"), list(STREAMS).index("visual")
    assert encoded["kinds"][0, 2, [background, visual]].tolist() == [1, 1]  # failed, shows
    assert encoded["things"][0, 1, background] == 1  # taxi


def test_the_twin_reads_words_and_nothing_else():
    assert words("User: Wait, the oven!\nAssistant: ...") == [
        *("user", ":", "wait", ",", "the", "oven", "!", "\n", "assistant", ":", ".", ".", "."),
    ]
    made = config(SHORT, transcript_only=True)
    assert made.streams == ["transcript"] and made.things == []
    one, other = encode_examples([SHORT, LONG], made)["kinds"]
    assert torch.equal(one, other) and one.shape == (7, 1)
    novel = encode_examples([example("User: Taxi", timing=("none",))], made)["kinds"]
    assert novel[0, :, 0].tolist() == [made.kind_ids["transcript"]["user"], made.kind_ids["transcript"][":"], 1]
    silent = encode_examples([example("", timing=("none",)), SHORT], made)
    assert silent["attention_mask"].sum(1).tolist() == [1, 7]


def test_the_action_chosen_is_the_likeliest_in_the_order_of_the_examples():
    torch.manual_seed(0)
    model = StreamPolicyForSequenceClassification(config(SHORT, LONG))
    examples = [SHORT, LONG, SHORT, LONG, LONG]
    chosen = choose_actions(model.train(), examples, batch_size=2)
    assert set(chosen) <= set(ACTIONS) and chosen[0] == chosen[2] and chosen[1] == chosen[3] == chosen[4]
    encoded = encode_examples(examples, model.config)
    assert [ACTIONS[index] for index in model(**encoded).logits.argmax(-1)] == chosen


def test_what_cannot_be_encoded_is_refused():
    with pytest.raises(ValueError, match="`examples` is empty"):
        encode_examples([], config(SHORT))
    with pytest.raises(ValueError, match="reads smell, which is no stream"):
        encode_examples([SHORT], StreamPolicyConfig(kinds={"smell": ["smoke"]}, actions=list(ACTIONS)))
    with pytest.raises(ValueError, match="lacks resume"):
        encode_examples([LONG], StreamPolicyConfig(**{**policy_vocabulary([LONG]), "actions": ["wait"]}))
