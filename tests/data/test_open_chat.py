"""Open requests that change while a base answers them."""

import json
from random import Random

import pytest

from dataset_builder import END
from hf_duplex.data.open_chat import OpenChat, is_usable, keeps_style, open_prompts, requests, wordings


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """An answer to each request, which names its topic."""
    path = tmp_path_factory.mktemp("open") / "answers.jsonl"
    lines = []
    for asked in requests():
        text = f"About {asked.topic} there is much to tell. {asked.wording.format(topic=asked.topic)}"
        if asked.style:
            text = {"one sentence": f"A sentence on {asked.topic}.", "list": f"- {asked.topic}\n- more"}.get(
                asked.style, f"Just {asked.topic}."
            )
        lines.append({"messages": [{"role": "user", "content": asked.texts()[0]}], "text": text, "updates": []})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return OpenChat(path)


def test_prompts_are_many_none_twice_and_a_function_of_the_seed():
    texts = [messages[0]["content"] for messages in open_prompts()]
    assert len(texts) == len(set(texts)) > 5000
    assert open_prompts() == open_prompts() != open_prompts(seed=1)
    assert not any(set("{}") & set(text) for text in texts)


def test_a_drawn_answer_ends_as_the_base_answers_the_request_meant_at_last(chat):
    finals = {text for _, text in chat.answers.values()}
    kinds = {"none": 0, "after the end": 0, "seamless": 0, "several": 0}
    for seed in range(600):
        drawn = chat.draw(Random(seed))
        assert drawn.text.endswith(END)
        answers = [part for part in drawn.text.split(END) if part]
        assert any(answers[-1].strip().endswith(text) for text in finals)
        assert all(0 <= place <= len(drawn.text) for place, _ in drawn.updates)
        assert [place for place, _ in drawn.updates] == sorted(place for place, _ in drawn.updates)
        assert not any(set("{}") & set(update) for _, update in drawn.updates)
        kinds["none"] += not drawn.updates
        kinds["several"] += len(drawn.updates) > 1
        kinds["after the end"] += any(drawn.text[:place].endswith(END) for place, _ in drawn.updates)
        kinds["seamless"] += bool(drawn.updates) and drawn.text == answers[0] + END
    assert all(count > 10 for count in kinds.values()), kinds


def test_what_was_right_before_an_update_is_not_said_again(chat):
    """ "About " opens both answers, so the new topic follows at once."""
    found = [chat.draw(Random(seed)) for seed in range(600)]
    early = [drawn for drawn in found if len(drawn.updates) == 1 and drawn.text[: drawn.updates[0][0]] == "About"]
    early = [drawn for drawn in early if "there is much to tell" in drawn.text]
    assert early and all(drawn.text.count("About") == 1 for drawn in early)


def test_chatter_changes_nothing(chat):
    plain = {prompt: text for asked, (prompt, text) in chat.answers.items()}
    chatter = [
        drawn
        for drawn in map(chat.draw, map(Random, range(600)))
        if len(drawn.updates) == 1
        and drawn.updates[0][1] in ("the cat is sitting on my keyboard", "brb, kettle's boiling")
    ]
    assert chatter
    for one in chatter:
        assert one.text.replace(END, "") == plain[one.messages[0]["content"]]


def test_a_form_counts_only_where_the_answer_has_it():
    assert keeps_style("One thing.", "one sentence") and not keeps_style("One. Two.", "one sentence")
    assert keeps_style("- a\n- b", "list") and not keeps_style("a, b", "list")
    assert keeps_style("Rome.", "short") and not keeps_style("word " * 20, "short")
    assert keeps_style("anything", "")


def test_answers_that_go_round_in_circles_or_speak_of_the_assistant_are_left_out():
    assert is_usable("The capital of France is Paris.")
    assert not is_usable("the night, " * 20) and not is_usable("As an AI I cannot.") and not is_usable("!!")


def test_answers_to_other_prompts_are_one_clear_error(tmp_path):
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps({"prompt": "Hi.", "text": "Hello.", "updates": []}) + "\n")
    with pytest.raises(ValueError, match=r"chat.jsonl answers no wording .* --prompt-set open"):
        OpenChat(path)


def test_all_updates_name_the_topic_that_is_meant():
    for kind in ("switch", "follow", "back"):
        assert all("{new}" in wording for wording in wordings()[kind])
