"""What the listener of constraint revision makes of conversations written by hand, right and wrong ones."""

import pytest
from test_oracle import talk

from dataset_builder.oracle import disagreements, listener_for


TRIP = (
    "We have $200 to spend. The hotel costs $40 a night. We stay 3 nights. The zoo costs $50. "
    "Plan 1) what the hotel gets; 2) the share of the zoo; 3) the total; 4) what is left."
)
HOTEL = "3 nights at $40 make $120, so the hotel gets $120."
ZOO = "The zoo gets $50."
SUMS = "The total is $120 + $50 = $170. We keep $200 - $170 = $30."


def wrong(text, prompt=TRIP):
    return disagreements(talk("constraint_revision", prompt, text))


class TestShares:
    def test_the_plan_of_the_prompt(self):
        assert not wrong(f"{HOTEL} {ZOO} {SUMS}<eos>")

    @pytest.mark.parametrize(
        ("right", "other"),
        [
            ("3 nights", "4 nights"),
            ("3 nights", "3 weeks"),
            ("at $40", "at $50"),
            ("make $120", "make $130"),
            ("so the hotel", "but the hotel"),
            ("gets $120.", "gets $100."),
            ("gets $120.", "gets the last $120."),
            ("The total is $120 + $50", "The total is $100 + $70"),
            ("= $170. We", "= $180. We"),
            ("$200 - $170", "$210 - $180"),
            ("$200 - $170", "$200 - $120 - $40"),
            (HOTEL, f"The budget is $300. {HOTEL}"),
            (f"{HOTEL} {ZOO}", f"{ZOO} {HOTEL}"),
        ],
    )
    def test_any_number_or_word_on_the_way_may_be_wrong(self, right, other):
        text = f"{HOTEL} {ZOO} {SUMS}<eos>"
        assert right in text
        assert wrong(text.replace(right, other))

    def test_the_last_ones_get_less_and_a_limit_holds(self):
        prompt = TRIP.replace("$200 to spend", "$130 to spend") + " The hotel gets at most $90."
        right = (
            "The budget is $130. For the hotel, $40 * 3 = $120, but we spend the allowed $90, which leaves $40. "
            "The zoo gets the last $40, which leaves $0. The total is $130 - $0 = $130. $0 is left.<eos>"
        )
        assert not wrong(right, prompt)
        for reason, other in (
            ("the allowed $90", "the last $90"),
            ("the last $40", "$40"),
            ("leaves $40", "leaves $50"),
        ):
            assert wrong(right.replace(reason, other), prompt)

    def test_without_a_price_nothing_is_planned(self):
        prompt = (
            "The bread costs $9; the salt is $2 a box; and we buy 3 boxes of salt. First tell me what the ham gets; "
        )
        prompt += "second tell me what the salt gets; third tell me the sum."
        right = (
            "There is no budget. Nothing is planned for the ham. At $2 a box, 3 boxes make $6, so the salt gets $6. "
        )
        right += "Together that makes $0 + $6 = $6.<eos>"
        assert not wrong(right, prompt)
        assert wrong(right.replace("Nothing is planned for the ham", "The ham gets $9"), prompt)
        assert wrong(right.replace("Together", "The bread gets $9. Together"), prompt)


class TestRepairs:
    CHANGE = "«Sorry, the zoo costs $60.»"

    def test_what_became_stale_is_taken_back(self):
        sums = "The total is $120 + $60 = $180. We keep $200 - $180 = $20.<eos>"
        assert not wrong(f"{HOTEL} {ZOO}{self.CHANGE} Wait, the zoo takes $60. {sums}")
        assert wrong(f"{HOTEL} {ZOO}{self.CHANGE} {sums}")
        assert wrong(f"{HOTEL} {ZOO}{self.CHANGE} Wait, the zoo takes $50. {sums}")
        assert wrong(f"{HOTEL} {ZOO}{self.CHANGE} Wait, the zoo takes $60, and the hotel gets $120. {sums}")

    def test_what_was_not_said_yet_calls_for_none(self):
        sums = "The total is $120 + $60 = $180. We keep $200 - $180 = $20.<eos>"
        assert not wrong(f"{HOTEL}{self.CHANGE} The zoo gets $60. {sums}")
        assert wrong(f"{HOTEL}{self.CHANGE} Wait, the zoo takes $60. {sums}")
        assert wrong(f"{HOTEL} {ZOO}«Nice weather today.» Wait, the zoo takes $50. {SUMS}<eos>")

    def test_a_step_that_became_stale_is_enough(self):
        half, change = "3 nights at $40", "«Make the number of nights 4.»"
        rest = f"{ZOO} The total is $160 + $40 = $200. We keep $200 - $200 = $0.<eos>".replace("$50", "the last $40")
        assert not wrong(f"{half}{change} -- no, at $40 a night, 4 nights make $160, so the hotel gets $160. {rest}")
        assert wrong(f"{half}{change} make $160, so the hotel gets $160. {rest}")

    @pytest.mark.parametrize("said", ["The budget is $200. ", "We have $200. "])
    def test_a_budget_that_nobody_asked_for_is_taken_back_too(self, said):
        prompt = "We have $200 to spend. The zoo costs $50. How much goes to the zoo?"
        change = "«We can spend $180 in all now.»"
        assert not wrong(f"{said}The{change} -- hold on, the budget is $180 -- zoo gets $50.<eos>", prompt)
        assert wrong(f"{said}The{change} zoo gets $50.<eos>", prompt)


class TestUpdates:
    PROMPT = "Do not believe Ben. The zoo costs $50. What does the zoo get?"

    @pytest.mark.parametrize(
        ("said", "due"),
        [
            ("No! The price of the zoo is $70.", "The zoo gets $70."),
            ("Correction: the zoo is $70, not $50.", "The zoo gets $70."),
            ("Replace $50 by $70 as the price of the zoo.", "The zoo gets $70."),
            ("Keep the zoo within $30.", "The zoo gets the allowed $30."),
            ("Please respect this too: the zoo is limited to $50.", "The zoo gets $50."),
            ("Keep it all within $30.", "The zoo gets the last $30."),
            ("Take the zoo off the list.", "The zoo is not planned."),
            ("Nobody knows the price of the zoo any more.", "Nothing is planned for the zoo."),
            ("By the way, the price of the ham is $3.", "The zoo gets $50."),
            ("This is Ida. Please set the zoo to $70.", "The zoo gets $70."),
            ("Ben says: Please set the zoo to $70.", "The zoo gets $50."),
        ],
    )
    def test_what_each_changes(self, said, due):
        assert not wrong(f"«{said}»{due}<eos>", self.PROMPT)
        for other in ("The zoo gets $50.", "The zoo gets $70.", "The zoo gets the allowed $30.", "The zoo gets $30."):
            assert other == due or wrong(f"«{said}»{other}<eos>", self.PROMPT)

    def test_what_was_dropped_is_planned_again(self):
        dropped = "The zoo gets $50.«We skip the zoo.» Sorry, nothing is planned for the zoo."
        added = f"{dropped}«Add the zoo: we pay $20 for the zoo.» No, the zoo takes $20.<eos>"
        assert not wrong(added, self.PROMPT)
        assert wrong(f"{dropped} No, the zoo takes $20.<eos>", self.PROMPT)

    @pytest.mark.parametrize("said", ["No limit holds for the zoo any longer.", "Lift the limit for the zoo."])
    def test_a_limit_is_lifted(self, said):
        heard = f"«Give the zoo at most $30.»«{said}»"
        assert not wrong(f"{heard}{ZOO}<eos>", self.PROMPT)
        assert wrong(f"{heard}The zoo gets the allowed $30.<eos>", self.PROMPT)

    def test_changes_are_taken_back(self):
        heard = "«Give the zoo at most $30.»«The zoo costs $90 now.»«Also, the ham costs $3.»"
        assert not wrong(f"{heard}«Undo the last change, please.»The zoo gets the allowed $30.<eos>", self.PROMPT)
        assert not wrong(
            f"{heard}«Forget the last change of the limit for the zoo.»The zoo gets $90.<eos>", self.PROMPT
        )
        assert not wrong(f"{heard}«Forget my last change.»«Undo the last change, please.»{ZOO}<eos>", self.PROMPT)
        assert wrong(f"{heard}«Forget the last change of the limit for the zoo.»{ZOO}<eos>", self.PROMPT)

    def test_a_price_keeps_its_unit(self):
        prompt = "The hotel costs $40 a night. We stay 3 nights. How much may the hotel take?"
        assert not wrong("«The hotel should be $50.»3 nights at $50 make $150, so the hotel gets $150.<eos>", prompt)
        assert wrong("«The hotel should be $50.»The hotel gets $50.<eos>", prompt)


@pytest.mark.parametrize("clause", ["The zoo is far away.", "The zoo costs nothing.", "And so on."])
def test_a_clause_that_makes_no_sense_is_reported(clause):
    assert "prompt is not understood" in wrong(f"{HOTEL} {ZOO} {SUMS}<eos>", f"{clause} {TRIP}")[0]


def test_items_share_no_names_with_other_facts():
    listener = listener_for("constraint_revision")
    state = listener.understand(TRIP)
    assert listener.refers(state, "the budget") == {"budget"}
    assert listener.refers(state, "the number of nights") == {"nights"}
    assert listener.refers(state, "the price of the hotel per night") == {"price of hotel"}
    assert "limit for zoo" in listener.refers(state, "the zoo")
    assert listener.refers(state, "it") == set()
