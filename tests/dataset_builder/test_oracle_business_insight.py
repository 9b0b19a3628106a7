"""What the oracle makes of conversations about business, right ones and wrong ones."""

import pytest
from test_oracle import talk

from dataset_builder.oracle import disagreements


TARVIK = (
    "The revenue of Tarvik was fifty million; Tarvik spent 30 million; and Tarvik should expand if its profit is at "
    "least 10 million and otherwise wait. Tell me 1) the profit or loss of Tarvik, 2) the advice for Tarvik."
)
PAIR = (
    "Wong owes 20 million. For Ito the debt comes to 35 million. "
    "Give me first the total debt; second the leader in debt."
)


def business(text, prompt=TARVIK):
    return disagreements(talk("business_insight", prompt, text))


class TestStaleValues:
    def test_advice_that_is_not_taken_back(self):
        said = "Tarvik makes a profit of 20 million, so Tarvik should expand.«The books now say 32 million for the "
        said += "revenue of Tarvik.»"
        repair = " Wait, Tarvik makes a profit of 2 million"
        assert not business(f"{said}{repair}, and Tarvik should wait.<eos>")
        assert any("nothing takes it back" in wrong for wrong in business(f"{said}<eos>"))
        assert business(f"{said}{repair}.<eos>")

    def test_advice_that_still_holds_is_not_repeated(self):
        said = "Tarvik makes a profit of 20 million, so Tarvik should expand.«Put the cost of Tarvik at 35 million "
        said += "instead of 30 million.» Sorry, Tarvik makes a profit of 15 million{}.<eos>"
        assert not business(said.format(""))
        assert business(said.format(", and Tarvik should expand"))

    def test_a_word_that_has_begun_is_finished_and_then_repaired(self):
        change = "«I was wrong about the cost of Tarvik, it was 60 million.»"
        end = " -- no, Tarvik makes a loss of 10 million. I advise Tarvik to wait.<eos>"
        assert not business(f"The result of Tarvik is a profit of 20{change} million{end}")
        assert not business(f"The result of Tarvik is{change} a loss of 10 million. I advise Tarvik to wait.<eos>")
        assert business(f"The result of Tarvik is{change} a profit of 20 million{end}")


class TestRepairsWithNoCause:
    @pytest.mark.parametrize(
        "heard",
        [
            "Also, Wong has 30 customers.",
            "By the way, Wong's revenue is 12 million.",
            "Right, the cost of Tarvik is thirty million.",
            "My phone rang, never mind.",
        ],
    )
    def test_nothing_has_changed(self, heard):
        first, second = "Tarvik makes a profit of 20 million.", "Tarvik should expand.<eos>"
        assert not business(f"{first}«{heard}» {second}")
        assert business(f"{first}«{heard}» Sorry, Tarvik makes a profit of 20 million. {second}")


class TestWhatFollows:
    def test_each_step_must_be_right(self):
        said = "For Tarvik, {} million minus {} million is a {} million. {}.<eos>"
        assert not business(said.format(50, 30, "profit of 20", "My advice for Tarvik is to expand"))
        assert business(said.format(50, 30, "profit of 30", "My advice for Tarvik is to expand"))
        assert business(said.format(50, 30, "loss of 20", "My advice for Tarvik is to expand"))
        assert business(said.format(30, 50, "profit of 20", "My advice for Tarvik is to expand"))
        assert business(said.format(50, 30, "profit of 20", "My advice for Tarvik is to wait"))

    def test_growth_tells_the_past_first(self):
        prompt = "Last year Tarvik took in 40 million. Tarvik took in 45 million. What is Tarvik's growth?"
        assert not business("From 40 million to 45 million, Tarvik is up 5 million.<eos>", prompt)
        assert business("From 45 million to 40 million, Tarvik is up 5 million.<eos>", prompt)
        assert business("From 40 million to 45 million, Tarvik is down 5 million.<eos>", prompt)

    def test_totals_and_leaders(self):
        leader = "In debt, the leader is {}.<eos>"
        for terms in ("20 million plus 35 million", "35 million plus 20 million"):
            assert not business(f"{terms} is a total debt of 55 million. {leader.format('Ito')}", PAIR)
        assert business(f"20 million plus 30 million is a total debt of 55 million. {leader.format('Ito')}", PAIR)
        assert business(f"35 million plus 35 million is a total debt of 55 million. {leader.format('Ito')}", PAIR)
        assert business(f"The total debt is 65 million. {leader.format('Ito')}", PAIR)
        assert business(f"The total debt is 55 million. {leader.format('Wong')}", PAIR)
        tie = "«Swap 35 million for 20 million as the debt of Ito.»"
        assert not business(f"{tie}The total debt is 40 million. {leader.format('neither')}", PAIR)

    def test_what_is_withdrawn_is_not_known(self):
        gone = "«Strike the revenue of Tarvik, the books are being checked.»The result of Tarvik {}."
        assert not business(gone.format("is not known") + " No advice for Tarvik can be given.<eos>")
        assert business(gone.format("is a profit of 20 million") + " No advice for Tarvik can be given.<eos>")
        assert business(gone.format("is not known") + " Tarvik should expand.<eos>")


class TestLimits:
    PROMPT = (
        "Ito's staff is 90 people. Ito's revenue is 40 million. Ito has a target of 30 million. Advise Ito to wait if "
        "its revenue is under target and otherwise to hire. What should Ito do?"
    )

    def test_a_limit_comes_and_goes(self):
        limit = "«From now on Ito should hire only if its revenue is at least fifteen million over target.»"
        lifted = "«Drop the limit for Ito, Ito should wait only if its revenue is under target.»"
        assert not business("Ito should hire.<eos>", self.PROMPT)
        assert not business(f"{limit}Ito should wait.<eos>", self.PROMPT)
        assert business(f"{limit}Ito should hire.<eos>", self.PROMPT)
        assert not business(f"{limit}{lifted}Ito should hire.<eos>", self.PROMPT)
        assert not business(
            f"Ito should hire.{limit} No, the limit for Ito is now 15 million, so Ito should wait.<eos>", self.PROMPT
        )

    def test_three_cases(self):
        prompt = "Ito spent {}. Ito took in 40 million. If its profit is at least 20 million Ito should build. "
        prompt += "Tell Ito to save if it makes a loss. In all other cases Ito should hold. What should Ito do?"
        for cost, advice in (("15 million", "build"), ("thirty million", "hold"), ("41 million", "save")):
            for said in ("build", "hold", "save"):
                assert bool(business(f"I advise Ito to {said}.<eos>", prompt.format(cost))) == (said != advice)


class TestUpdates:
    PROMPT = "Our revenue is one hundred and five million. Do not believe Ben. Tell me the revenue of the company."

    def test_a_value_alone_means_the_only_figure(self):
        said = "The revenue is 105 million.«{}» Wait, the revenue is {} million.<eos>"
        assert not business(said.format("Correction: fifteen million, not 105 million.", 15), self.PROMPT)
        assert business(said.format("Correction: fifteen million, not 105 million.", 16), self.PROMPT)

    def test_who_is_not_to_be_trusted_changes_nothing(self):
        assert not business("«Ben says: Make that 9 million.»The revenue is 105 million.<eos>", self.PROMPT)
        assert business("«Ben says: Make that 9 million.»The revenue is 9 million.<eos>", self.PROMPT)
        assert not business("«Ida says: Make that 9 million.»The revenue is 9 million.<eos>", self.PROMPT)

    def test_a_change_is_taken_back(self):
        heard = "«Change the revenue of Tarvik to 5 million.»«Change the cost of Tarvik to 70 million.»"
        heard += "«Ignore my last change of the revenue of Tarvik.»"
        assert not business(f"{heard}Tarvik makes a loss of 20 million. Tarvik should wait.<eos>")
        assert business(f"{heard}Tarvik makes a loss of 65 million. Tarvik should wait.<eos>")
        heard += "«Undo the last change, please.»"
        assert not business(f"{heard}Tarvik makes a profit of 20 million. Tarvik should expand.<eos>")

    def test_what_was_said_as_a_reason_is_taken_back_too(self):
        prompt = "Ito owes 9 million. Advise Ito to save if its debt is at most 5 million and otherwise to sell. "
        prompt += "What do you advise Ito?"
        said = "Ito owes 9 million, so«Actually, the debt of Ito is 7 million.» -- sorry, the debt of Ito is {}, so "
        said += "Ito should {}.<eos>"
        assert not business(said.format("7 million", "sell"), prompt)
        assert business(said.format("9 million", "sell"), prompt)
        assert business(said.format("7 million", "save"), prompt)


@pytest.mark.parametrize("clause", ["Tarvik should dance if it rains", "Tarvik is fine", "Tell Tarvik to wait"])
def test_a_prompt_that_makes_no_sense_is_reported(clause):
    assert "not understood" in business("Tarvik makes a profit of 20 million.<eos>", f"{clause}. {TARVIK}")[0]
