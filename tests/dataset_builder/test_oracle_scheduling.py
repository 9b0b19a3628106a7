"""The oracle of schedules, on conversations written by hand."""

import pytest
from test_oracle import talk

from dataset_builder.oracle import disagreements


ONE = "The review starts at 9:30. The review takes 45 minutes. Tell me when the review ends."
TWO = (
    "The review starts at 9:30; the review takes 45 minutes; the talk begins as soon as the review ends. "
    "Say 1) when the review ends; 2) at what time the talk begins."
)
ENDS = "The review ends 45 minutes after 9:30, at 10:15."


def wrong(text, prompt=ONE):
    return disagreements(talk("scheduling", prompt, text))


def test_every_number_of_a_sum_must_be_right():
    assert not wrong(ENDS + "<eos>")
    assert not wrong("9:30 plus 45 minutes is 10:15, so the review finishes at 10:15.<eos>")
    assert not wrong("The review starts at 9:30 and takes 45 minutes, so the review ends at 10:15.<eos>")
    for text in (
        "The review ends 45 minutes after 9:30, at 10:20.",
        "The review ends 50 minutes after 9:30, at 10:15.",
        "The review ends 45 minutes after 9:40, at 10:15.",
        "The review ends 45 minutes before 9:30, at 10:15.",
        "9:30 plus 45 minutes is 10:20, so the review finishes at 10:15.",
        "The review starts at 9:30 and takes 55 minutes, so the review ends at 10:15.",
    ):
        assert wrong(text + "<eos>"), text


def test_one_change_moves_all_that_follows():
    heard = "«Wait, the review begins at 10:00.»"
    repair = f"{ENDS}{heard} Wait, the review ends 45 minutes after 10:00, which is 10:45."
    assert not wrong(repair + " The talk starts at 10:45.<eos>", TWO)
    assert wrong(repair + " The talk starts at 10:15.<eos>", TWO)
    assert wrong(f"{ENDS}{heard} The talk starts at 10:45.<eos>", TWO)
    assert wrong(f"{ENDS} The talk starts at 10:15.{heard}<eos>", TWO)


def test_a_repair_needs_a_cause():
    assert wrong(f"{ENDS}«Nice weather today.» Wait, the review ends 45 minutes after 9:30, at 10:15.<eos>")
    assert wrong(
        f"{ENDS}«Yes, the review takes 45 minutes.» No, the review ends 45 minutes after 9:30, at 10:15.<eos>"
    )
    assert not wrong(f"{ENDS}«By the way, the guest of the picnic is Sato.»<eos>")


def test_who_is_not_to_be_trusted_changes_nothing():
    prompt = f"Do not believe Ben. {ONE}"
    assert not wrong(
        "The review«Ben says: The review takes 50 minutes.» ends 45 minutes after 9:30, at 10:15.<eos>", prompt
    )
    assert wrong(
        "The review«Ben says: The review takes 50 minutes.» ends 50 minutes after 9:30, at 10:20.<eos>", prompt
    )
    assert not wrong(
        "The review«Ida says: The review takes 50 minutes.» ends 50 minutes after 9:30, at 10:20.<eos>", prompt
    )


def test_a_retraction_brings_back_what_was_before():
    heard = "«Sorry, the review takes 50 minutes.»«Change the start of the review to 9:00.»"
    later = "«Also, the guest of the picnic is Sato.»"  # an aside is no change
    assert not wrong(
        f"{heard}{later}«Undo the last change, please.»The review ends 50 minutes after 9:30, at 10:20.<eos>"
    )
    assert not wrong(
        f"{heard}«Take back the last change of the duration of the review.»"
        "The review ends 45 minutes after 9:00, at 9:45.<eos>"
    )
    assert wrong(f"{heard}«Undo the last change, please.»The review ends 50 minutes after 9:00, at 9:50.<eos>")


def test_a_break_moves_what_follows_and_is_lifted():
    talks = "The talk starts at 10:15."
    rule = "«New rule: the talk must not start earlier than 20 minutes after the review.»"
    lifted = "«We drop the break between the review and the talk.»"
    assert not wrong(f"{ENDS} {talks}{rule} No, the talk starts at 10:35.<eos>", TWO)
    assert wrong(f"{ENDS} {talks}{rule} No, the talk starts at 10:20.<eos>", TWO)
    assert not wrong(f"{ENDS} {rule}The talk starts at 10:35.{lifted} No, the talk starts at 10:15.<eos>", TWO)
    assert wrong(f"{ENDS} {rule}The talk starts at 10:35.{lifted}<eos>", TWO)


def test_a_plan_gives_way_to_a_limit():
    prompt = "The talk is planned for 9:00. When does the talk start?"
    limit = "«One more condition: the talk may start at {} at the earliest.»"
    assert not wrong(f"The talk{limit.format('9:20')} starts at 9:20.<eos>", prompt)
    assert not wrong(f"The talk{limit.format('8:20')} starts at 9:00.<eos>", prompt)
    assert wrong(f"The talk{limit.format('8:20')} starts at 8:20.<eos>", prompt)
    off = "The talk«The talk is put off, and nobody knows until when.»"
    assert not wrong(f"{off} -- no, the start of the talk is open.<eos>", prompt)
    assert wrong(f"{off} starts at 9:00.<eos>", prompt)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Of the talk and the exam the earlier is the exam", True),
        ("Of the talk and the exam the earlier is the talk", False),
        ("Of the talk and the exam the earlier is neither", False),
    ],
)
def test_which_comes_first(said, right):
    prompt = "At 11:00 the talk begins. The exam starts at 10:00. Does the talk or the exam come first?"
    assert bool(wrong(f"{said}.<eos>", prompt)) != right


def test_gaps_and_overlaps():
    prompt = (
        "The talk starts at 9:00. The talk takes 30 minutes. The exam starts at 9:40. "
        "We count 20 minutes for the exam. How long is the gap between the talk and the exam?"
    )
    said = "Between the talk and the exam there is "
    assert not wrong(f"{said}a 10-minute gap.<eos>", prompt)
    assert wrong(f"{said}a 10-minute overlap.<eos>", prompt)
    longer = f"{said.strip()}«No, the talk needs 48 minutes.»"
    assert not wrong(f"{longer} an 8-minute overlap.<eos>", prompt)
    assert wrong(f"{longer} a 10-minute gap.<eos>", prompt)


def test_what_is_shared_changes_together():
    prompt = "The talk is on Friday. The exam is on the same day as the talk. On which day is the exam?"
    change = "«Make that Monday for the day of the talk.»"
    assert not wrong(f"The exam{change} is on Monday.<eos>", prompt)
    assert wrong(f"The exam{change} is on Friday.<eos>", prompt)
    assert wrong("The exam is on Sato.<eos>", prompt)


def test_nobody_may_say_what_was_not_asked_for():
    prompt = "The talk is on Friday. The talk starts at 9:00. When does the talk start?"
    assert not wrong("The talk begins at 9:00.<eos>", prompt)
    assert wrong("The talk is on Friday. The talk begins at 9:00.<eos>", prompt)
