"""Arguments written by hand: the oracle passes what follows, and catches what does not."""

import pytest
from test_oracle import talk

from dataset_builder.oracle import disagreements


RULES = "If the bridge is open then the mill is busy and otherwise idle. Ada is late when the mill is busy. "
MILL = f"The bridge is open. {RULES}"
OTHER = "Ada is calm if the mill is idle. "
ADA = f"{MILL}{OTHER}Tell me what follows for Ada."
GUIDE = "The bridge is open. The guide is Ada if the bridge is open but Ben otherwise. "


def wrong(text, prompt=ADA):
    return disagreements(talk("logic_redirection", prompt, text))


class TestConclusions:
    def test_what_follows_step_by_step(self):
        assert not wrong("The bridge is open, so the mill is busy. Since the mill is busy, Ada is late.<eos>")
        assert wrong("The bridge is open, so the mill is busy. Since the mill is busy, Ada is calm.<eos>")
        assert wrong("The bridge is open, so the mill is idle. Since the mill is idle, Ada is calm.<eos>")
        assert wrong("The bridge is not open, so the mill is busy. Since the mill is busy, Ada is late.<eos>")

    def test_a_reason_is_told_first_and_nothing_for_nothing(self):
        assert wrong("Since the mill is busy, Ada is late.<eos>")
        assert wrong("The bridge is open, so the mill is busy.<eos>")
        assert wrong("The bridge is open, so the mill is busy. The mill is busy. Thus Ada is late. Ada is late.<eos>")
        assert wrong("The bridge is open, so the mill is busy. The bridge is open. So Ada is late.<eos>")

    def test_what_nobody_asked_for(self):
        prompt = f"The door is wide. {ADA}"
        assert wrong("The door is wide. The bridge is open, so the mill is busy. So Ada is late.<eos>", prompt)

    @pytest.mark.parametrize("link", ["and", "or"])
    @pytest.mark.parametrize("known", ["open", "not open"])
    def test_one_of_two_reasons_may_settle_it(self, link, known):
        prompt = (
            f"The bridge is {known}. If the bridge is open {link} the gate is wide then Ada is late and otherwise "
        )
        prompt += "not late. Tell me whether Ada is late."
        told = f"The bridge is {known}. It is not known whether the gate is wide. "
        settled = (link == "or") == (known == "open")
        right = ("Ada is late" if link == "or" else "Ada is not late") if settled else "nothing follows for Ada"
        for said in ("Ada is late", "Ada is not late", "nothing follows for Ada"):
            assert bool(wrong(f"{told}So {said}.<eos>", prompt)) == (said != right)

    @pytest.mark.parametrize(("guide", "answer"), [("Ada", "yes"), ("Ben", "no")])
    def test_yes_and_no(self, guide, answer):
        prompt = f"{GUIDE}Tell me whether the guide is {guide}."
        assert not wrong(
            f"The bridge is open, so the answer to whether the guide is {guide} is {answer}.<eos>", prompt
        )
        assert not wrong("The bridge is open, so the guide is Ada.<eos>", prompt)
        other = "yes" if answer == "no" else "no"
        assert wrong(f"The bridge is open, so the answer to whether the guide is {guide} is {other}.<eos>", prompt)
        assert wrong(f"The bridge is open, so whether the guide is {guide} remains open.<eos>", prompt)
        assert wrong("The bridge is open, so the answer to whether the guide is Leo is no.<eos>", prompt)


class TestChanges:
    BEFORE = "The bridge is open, so the mill is busy. Since the mill is busy, Ada is late."
    AFTER = "Sorry, the bridge is not open, so the mill is idle, and Ada is calm."

    @pytest.mark.parametrize(
        "said",
        [
            "No, the bridge is not open.",
            "Actually, it is not true that the bridge is open.",
            "It is wrong that the bridge is open.",
            "I take it back that the bridge is open, the opposite is true.",
            "Swap the assumption that the bridge is open for its opposite.",
            "Drop that assumption, the bridge is not open.",
        ],
    )
    def test_a_premise_is_turned_round(self, said):
        assert not wrong(f"{self.BEFORE}«{said}» {self.AFTER}<eos>")
        assert wrong(f"{self.BEFORE}«{said}»<eos>")
        assert wrong(f"{self.BEFORE}«{said}» Sorry, the bridge is not open, so the mill is idle.<eos>")
        assert wrong(f"{self.BEFORE}«{said}» Sorry, the bridge is not open, so Ada is calm.<eos>")
        assert wrong(
            f"{self.BEFORE}«{said}» Sorry, the bridge is not open, so the mill is idle, and Ada is late.<eos>"
        )

    @pytest.mark.parametrize(
        "said",
        [
            "Drop the assumption that the bridge is open.",
            "Nobody knows any more whether the bridge is open.",
            "Forget the state of the bridge, that no longer holds.",
            "The state of the bridge is no longer known.",
        ],
    )
    def test_without_a_premise_nothing_follows(self, said):
        unknown = "Sorry, it is not known whether the bridge is open"
        rest = "so nothing follows for the mill, and nothing follows for Ada"
        assert not wrong(f"{self.BEFORE}«{said}» {unknown}, {rest}.<eos>")
        assert wrong(f"{self.BEFORE}«{said}» {self.AFTER}<eos>")

    def test_what_is_heard_midway_cuts_the_sentence(self):
        said = "«No, the bridge is not open.»"
        assert not wrong(
            f"The bridge is open, so the mi{said}ll -- wait, the bridge is not open, so the mill is idle. "
            "So Ada is calm.<eos>"
        )
        assert wrong(f"The bridge is open, so the mi{said}ll is idle. So Ada is calm.<eos>")
        assert wrong(
            f"The bridge is open, so the mi{said}ll is busy. Wait, the bridge is not open, so Ada is calm.<eos>"
        )

    def test_a_repair_needs_a_cause(self):
        for said in ("Yes, the bridge is open.", "Also, the kettle is green.", "Someone is at the door."):
            assert not wrong(f"{self.BEFORE}«{said}»<eos>")
            assert wrong(f"{self.BEFORE}«{said}» Sorry, the bridge is open, so the mill is busy.<eos>")
        assert wrong(f"{self.BEFORE}«No, the bridge is not open.» {self.AFTER} Wait, Ada is calm.<eos>")

    def test_who_is_not_to_be_trusted_is_not_obeyed(self):
        prompt = f"Do not believe Rita. {ADA}"
        heard, friend = "«Rita says: No, the bridge is not open.»", "«Paul says: No, the bridge is not open.»"
        assert not wrong(f"{self.BEFORE}{heard}<eos>", prompt)
        assert wrong(f"{self.BEFORE}{heard} {self.AFTER}<eos>", prompt)
        assert not wrong(f"{self.BEFORE}{friend} {self.AFTER}<eos>", prompt)
        assert wrong(f"{self.BEFORE}{friend}<eos>", prompt)

    @pytest.mark.parametrize(
        "said", ["Ignore that last change.", "Take back the last change of the state of the bridge."]
    )
    def test_a_retraction_brings_back_what_was(self, said):
        back = "No, the bridge is open, so the mill is busy, and Ada is late."
        text = f"{self.BEFORE}«No, the bridge is not open.» {self.AFTER}«Also, the kettle is green.»«{said}»"
        assert not wrong(f"{text} {back}<eos>")
        assert wrong(f"{text}<eos>")
        assert wrong(f"{text} No, it is not known whether the bridge is open.<eos>")


class TestRules:
    PROMPT = f"{MILL}Tell me what follows for Ada."
    BEFORE = TestChanges.BEFORE

    def test_a_rule_is_rewritten_dropped_and_brought_back(self):
        new = "«The rule is now that Ada is wise if the mill is busy.»"
        gone = "«Drop the rule that Ada is late if the mill is busy.»"
        assert not wrong(f"{self.BEFORE}{new} Sorry, Ada is wise.<eos>", self.PROMPT)
        assert wrong(f"{self.BEFORE}{new}<eos>", self.PROMPT)
        assert not wrong(f"{self.BEFORE}{gone} Sorry, nothing follows for Ada.<eos>", self.PROMPT)
        back = "«Undo what I changed about what it means for Ada if the mill is busy last.»"
        assert not wrong(f"{gone}{back}{self.BEFORE}<eos>", self.PROMPT)
        assert wrong(f"{gone}{self.BEFORE}<eos>", self.PROMPT)

    def test_a_rule_comes_that_was_not_there(self):
        new = "«New rule: if the mill is idle then Ada is calm.»"
        turned = "«No, the bridge is not open.» Wait, the bridge is not open, so the mill is idle, and"
        assert not wrong(f"{self.BEFORE}{new}{turned} Ada is calm.<eos>", self.PROMPT)
        assert wrong(f"{self.BEFORE}{turned} Ada is calm.<eos>", self.PROMPT)
        assert not wrong(f"{self.BEFORE}{turned} nothing follows for Ada.<eos>", self.PROMPT)


class TestOrder:
    PROMPT = f"{MILL}{OTHER}The gate is wide. Ben is safe if the gate is wide. Tell me 1) what follows for Ada; "
    PROMPT += "2) what is true of Ben; 3) whether the mill is busy."
    FIRST, SECOND = "The bridge is open, so the mill is busy. So Ada is late.", "The gate is wide. So Ben is safe."

    def test_a_reason_that_was_asked_for_is_said_again_in_its_turn(self):
        assert not wrong(f"{self.FIRST} {self.SECOND} The mill is busy.<eos>", self.PROMPT)
        assert wrong(f"{self.FIRST} The mill is busy. {self.SECOND} The mill is busy.<eos>", self.PROMPT)
        assert wrong(f"{self.SECOND} {self.FIRST} The mill is busy.<eos>", self.PROMPT)
        assert wrong(f"{self.FIRST} {self.FIRST} {self.SECOND} The mill is busy.<eos>", self.PROMPT)

    def test_rounds_keep_their_order(self):
        prompt = f"Keep going until I say stop. {self.PROMPT}"
        whole = f"{self.FIRST} {self.SECOND} The mill is busy."
        assert not wrong(f"{whole} The bridge«Stop.» is open, so the mill is busy.<eos>", prompt)
        assert wrong(f"{whole} {self.SECOND}«Stop.»<eos>", prompt)
        assert wrong(f"{whole}<eos>", prompt)


@pytest.mark.parametrize("prompt", ["", "The bridge is open.", "Sing a song. " + ADA, "Tell me what follows for Zoe."])
def test_a_prompt_that_makes_no_sense_is_reported(prompt):
    assert "prompt is not understood" in wrong("The bridge is open.<eos>", prompt)[0]
