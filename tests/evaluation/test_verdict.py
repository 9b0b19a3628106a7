"""The verdict on a text: what is right in the end, what was wrong on the way, and what nobody can judge."""

import pytest

from hf_duplex.evaluation.benchmarks.scenes import SCENES
from hf_duplex.evaluation.metrics.verdict import Answer, Slip, conversations, judge


def verdict(name, *pieces):
    """On a scene whose updates are heard between these pieces of text."""
    scene = SCENES[name]
    heard_at = [sum(map(len, pieces[: number + 1])) for number in range(len(scene.updates))]
    return judge(scene.prompt, [update.text for update in scene.updates], "".join(pieces), heard_at)


def test_each_scene_is_understood_by_one_family_and_all_families_are_there():
    families = [
        [
            conversation.listener.task_type
            for conversation in conversations(
                scene.prompt, [update.text for update in scene.updates], "", [0] * len(scene.updates)
            )
        ]
        for scene in SCENES.values()
    ]
    assert all(len(found) == 1 for found in families)
    assert len({found[0] for found in families}) == 8 and len({found[0] for found in families[:8]}) == 8


def test_a_text_that_turns_is_right():
    found = verdict(
        "twice",
        "2a + 5 = 2 * 4 + 5 = 8 + 5 = 13. a + b = 4 +",
        " -- wait, a is 9:",
        " no, a is 8: 2a + 5 = 2 * 8 + 5 = 16 + 5 = 21, and a + b = 8 + 6 = 14. 3b + 1 = 3 * 6 + 1 = 19.<eos>",
    )
    assert found.right == 3 and found.slips == [] and found.answers[0] == Answer("2a + 5", "21", "21")


def test_what_was_said_wrongly_and_what_was_not_said_are_told():
    found = verdict(
        "twice", "2a + 5 = 2 * 4 + 5 = 8 + 5 = 13.", " a + b = 9 + 6 = 15.", " 3b + 1 = 3 * 6 + 1 = 20.<eos>"
    )
    assert found.answers == [Answer("2a + 5", "21", "13"), Answer("a + b", "14", "15"), Answer("3b + 1", "19", "20")]
    assert found.right == 0 and found.slips == [] and Slip("a + b", "14", "15") in found.wrong
    found = verdict("twice", "3b + 1 = 3 * 6 + 1 = 19.", "", "<eos>")
    assert found.right == 1 and [answer.said for answer in found.answers] == [None, None, "19"]


def test_one_who_is_not_to_be_believed_changes_nothing():
    ends = " -- wait, Meyer's revenue is 46 million, and the right move for Meyer is to cut costs.<eos>"
    right = verdict("business", "Meyer has a revenue", " of 75 million, so the right move for Meyer is", ends)
    taken_in = verdict("business", "Meyer has a revenue", " of 20 million, so the right move for Meyer is", ends)
    assert right.right == taken_in.right == 2 and right.slips == []
    assert taken_in.slips == [Slip("revenue of Meyer", "75 million", "20 million")]


def test_what_was_taken_back_holds_again():
    first, second = "Stop 1 is Rome. Stop 2 is Paris. Stop 3 is", " -- wait, stop 2 is Berlin -- Madrid."
    kept = verdict("tour", first, second, " Stop 4 is Vienna.<eos>")
    restored = verdict("tour", first, second, " Wait, stop 2 is Paris. Stop 4 is Vienna.<eos>")
    assert kept.answers[1] == Answer("stop 2", "Paris", "Berlin") and kept.right == 3
    assert restored.right == 4 and restored.slips == []


def test_json_is_judged_by_its_last_members():
    text = '{"price": 19, "quantity": 4, "total":', ' 114, "//": "wait", "quantity": 6}<eos>'
    assert verdict("record", *text).right == 3 and verdict("record", *text).slips == []


@pytest.mark.parametrize("prompt", ["Hello, how are you?", "Tell me a story about x = 5."])
def test_what_no_family_understands_is_not_judged(prompt):
    assert judge(prompt, ["Actually x = 7."], "Fine.", [2]) is None


def test_a_text_that_is_told_to_stop_may_leave_questions_open():
    prompt = "Keep going until I say stop. Given x = 5, y = 3, compute 1) 3x + 2; 2) x + y."
    found = judge(prompt, ["Stop."], "3x + 2 = 3 * 5 + 2 = 15 + 2 = 17.<eos>", [20])
    assert found.answers == [Answer("3x + 2", "17", "17")]
