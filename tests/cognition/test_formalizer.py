"""From what was said to what was meant."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_duplex.cognition.formalizer import ChatFormalizer, RuleFormalizer, is_correction, read_intent


@pytest.fixture
def rules():
    return RuleFormalizer()


@pytest.mark.parametrize(
    "said, meant",
    [
        ("Revenue was 50 million. Correction, fifteen million.", "Revenue was 15 million."),
        ("Revenue was fifty million, I mean fifteen million", "Revenue was 15 million."),
        ("Revenue was fifty uh sixty million.", "Revenue was 60 million."),
        ("Revenue was 50 million. Wait, no, 15.", "Revenue was 15 million."),
        ("Revenue is $50M. Correction, $15M.", "Revenue is $15M."),
        ("um, the the revenue was, uh, 50 million, you know", "The revenue was 50 million."),
        ("I want... no I need apple", "I need apple."),
        ("We need apples, I mean pears, for the party.", "We need pears, for the party."),
        ("The meeting starts at 14:30, sorry, at 15:10.", "The meeting starts at 15:10."),
        ("The capital is Sydney. No, it is Canberra.", "The capital is Canberra."),
        ("The staff is 120 people. Sorry, it is 130 people, not 120.", "The staff is 130 people."),
        ("x = 5. y = 2. Actually x = 7.", "x = 7. y = 2."),
        ("What year, no, what city did it fall in?", "What city did it fall in?"),
        (
            "Revenue was 50 million. Cost was 20 million. No, 30 million.",
            "Revenue was 50 million. Cost was 30 million.",
        ),
        ("Revenue was 50 million. Cost was 20 million. Scratch that.", "Revenue was 50 million."),
        (
            "Revenue was 50 million. Cost was 20 million. Correction: revenue was fifteen million.",
            "Revenue was 15 million. Cost was 20 million.",
        ),
        ("um", ""),
        ("", ""),
    ],
)
def test_hesitations_go_and_corrections_are_applied(rules, said, meant):
    assert rules.formalize("", said) == meant
    assert rules.formalize("", meant) == meant


@pytest.mark.parametrize(
    "text",
    [
        "There is no revenue.",
        "No revenue was reported.",
        "No customers left.",
        "Actually we grew.",
        "I cannot wait to see it.",
        "Wait for the report.",
        "The correction was 5 million.",
        "He had had enough.",
        "We have one of two options.",
        "I am sorry for the delay.",
        "It costs no more than 5 million.",
    ],
)
def test_words_that_have_another_use_correct_nothing(rules, text):
    assert rules.formalize("", f"Revenue was 50 million. {text}") == f"Revenue was 50 million. {text}"
    assert not is_correction(text)


@pytest.mark.parametrize(
    "text", ["Correction, fifteen million.", "No, 15 million", "Sorry, it is 15.", "Scratch that."]
)
def test_an_utterance_that_takes_something_back_is_known(text):
    assert is_correction(text)


def test_what_is_said_now_corrects_what_was_understood_before(rules):
    assert rules.formalize("Sales were 50 million.", "No, 15 million.") == "Sales were 15 million."
    assert (
        rules.formalize("Sales were 50 million.", "Cost was 20 million")
        == "Sales were 50 million. Cost was 20 million."
    )
    assert rules.formalize("", "No, 15 million.") == "15 million."


@given(st.text(st.sampled_from("ab 15,.;:?!-…\n'wait no um sorry i mean"), max_size=60))
def test_nothing_that_is_said_breaks_it(text):
    assert isinstance(RuleFormalizer().formalize("Revenue was 50 million.", text), str)


class SessionRow:
    def __init__(self, answer):
        self.answer, self.messages = answer, []

    def say(self, messages, on_text=lambda text: True, max_new_tokens=200):
        self.messages = messages
        return self.answer


def test_a_chat_model_formalizes_in_json():
    voice = SessionRow('Sure: {"transcription_raw": "um fifty", "formalized_intent": "Revenue was 50 million."} Done.')
    assert ChatFormalizer(voice).formalize("Cost is 2.", "um fifty") == "Revenue was 50 million."
    assert "formalized_intent" in voice.messages[0]["content"]
    assert json.loads(voice.messages[1]["content"]) == {"understood_so_far": "Cost is 2.", "said_now": "um fifty"}


@pytest.mark.parametrize(
    "answer", ["", "Revenue.", "{", "}{", "[]", '{"formalized_intent": 5}', '{"formalized_intent": " "}']
)
def test_without_a_usable_answer_the_rules_formalize_and_it_is_told(answer, caplog):
    assert read_intent(answer) is None
    assert ChatFormalizer(SessionRow(answer)).formalize("", "Revenue was, um, 50 million") == "Revenue was 50 million."
    assert "the rules formalize instead" in caplog.text
