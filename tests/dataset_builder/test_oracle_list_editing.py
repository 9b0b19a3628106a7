"""Conversations about lists, written by hand: the oracle agrees with what is right, and with nothing else."""

import pytest
from test_oracle import talk

from dataset_builder.oracle import disagreements


TOUR = "The tour goes Rome then Oslo then Bern. "
WHOLE = TOUR + "Tell me the whole tour in order."


def heard(text, prompt):
    return disagreements(talk("list_editing", prompt, text))


def read_out(*stops):
    """A list as it is told, which had three items at the start."""
    told = [f"Stop {number} is {item}." for number, item in enumerate(stops, 1)]
    return " ".join([*told, *(f"There is no stop {number}." for number in range(len(stops) + 1, 4))])


class TestEdits:
    @pytest.mark.parametrize(
        ("said", "stops"),
        [
            ("Put Paris right before Oslo on the tour.", "Rome, Paris, Oslo, Bern"),
            ("Actually, on the tour Bern comes first.", "Bern, Rome, Oslo"),
            ("Oh, the place of Rome on the tour is right after Bern now.", "Oslo, Bern, Rome"),
            ("Please see to it that Rome comes in last place on the tour.", "Oslo, Bern, Rome"),
            ("I meant that the third stop of the tour is Rome and the first is Bern.", "Bern, Oslo, Rome"),
            ("Change stop 2 of the tour from Oslo to New Lima.", "Rome, New Lima, Bern"),
            ("To be exact, by Rome on the tour I mean North Rome.", "North Rome, Oslo, Bern"),
            ("It turns out that the tour can spare Oslo.", "Rome, Bern"),
            ("New limit: drop everything after Oslo from the tour.", "Rome, Oslo"),
            ("Right, the tour has 3 stops.", "Rome, Oslo, Bern"),
            ("By the way, on the menu there is Rome at the end.", "Rome, Oslo, Bern"),
            ("Nice weather today.", "Rome, Oslo, Bern"),
        ],
    )
    def test_an_edit_makes_one_list_of_another(self, said, stops):
        first, second, *others = stops.split(", ")
        assert not heard(f"«{said}»{read_out(first, second, *others)}<eos>", WHOLE)
        assert heard(f"«{said}»{read_out(second, first, *others)}<eos>", WHOLE)
        assert heard(f"«{said}»{read_out(first, second, *others, 'Riga')}<eos>", WHOLE)

    def test_an_edit_that_is_done_already_changes_nothing(self):
        once = "«Put Paris first on the tour.»«Drop Oslo from the tour.»"
        assert not heard(f"{once}{once}Stop 1 is Paris. Stop 2 is Rome. Stop 3 is Bern.<eos>", WHOLE)


class TestStale:
    PROMPT = TOUR + "Tell me (1) the second stop of the tour; (2) the number of stops on the tour."
    CHANGE = "«Wait, stop 2 of the tour is Kyiv.»"

    def test_a_stale_item_is_taken_back(self):
        assert not heard(f"Stop 2 is Oslo.{self.CHANGE} Wait, stop 2 is Kyiv. The tour has 3 stops.<eos>", self.PROMPT)
        assert heard(f"Stop 2 is Oslo.{self.CHANGE} The tour has 3 stops.<eos>", self.PROMPT)
        assert heard(f"Stop 2 is Oslo.{self.CHANGE} The tour has 3 stops. Wait, stop 2 is Kyiv.<eos>", self.PROMPT)

    def test_a_repair_has_a_cause(self):
        assert heard("Stop 2 is Oslo. Wait, stop 2 is Oslo. The tour has 3 stops.<eos>", self.PROMPT)
        swap = "«Make Bern stop 1 and Rome stop 3 of the tour.»"
        assert not heard(f"Stop 2 is Oslo.{swap} The tour has 3 stops.<eos>", self.PROMPT)
        assert heard(f"Stop 2 is Oslo.{swap} Sorry, stop 2 is Oslo. The tour has 3 stops.<eos>", self.PROMPT)

    def test_what_was_not_said_yet_needs_no_repair(self):
        assert not heard(f"Stop 2 is{self.CHANGE} Kyiv. The tour has 3 stops.<eos>", self.PROMPT)
        assert heard(
            f"Stop 2 is{self.CHANGE} -- wait, stop 2 is Kyiv, and the tour has 4 stops. The tour has 3 stops.<eos>",
            self.PROMPT,
        )


class TestDerived:
    PROMPT = (
        "On the packing list come the map then the sleeping bag. I want to know, first how many items the packing "
        "list has; second what follows the map on the packing list; third at what place the map comes on the packing "
        "list; fourth what the packing list ends with."
    )
    RIGHT = (
        "I count 2 items. After the map comes the sleeping bag. The place of the map is 1. The last item is the "
        "sleeping bag."
    )

    def test_what_follows_from_a_list_is_worked_out(self):
        assert not heard(f"{self.RIGHT}<eos>", self.PROMPT)
        for old, new in [
            ("2", "3"),
            ("is 1", "is 2"),
            ("the sleeping bag. The", "nothing. The"),
            ("is the s", "is the m"),
        ]:
            assert heard(f"{self.RIGHT.replace(old, new)}<eos>", self.PROMPT), new

    def test_it_is_worked_out_again_when_the_list_changes(self):
        text = f"{self.RIGHT}«Let the map come last on the packing list.»"
        again = " Hold on, after the map comes nothing, and the place of the map is 2, and the last item is the map."
        assert not heard(f"{text}{again}<eos>", self.PROMPT)
        assert heard(f"{text}{again.replace('nothing', 'the sleeping bag')}<eos>", self.PROMPT)
        assert heard(f"{text}{again.replace(', and the place of the map is 2', '')}<eos>", self.PROMPT)

    def test_what_is_gone_has_no_place(self):
        prompt = TOUR + "Say which number Oslo has on the tour."
        assert not heard("«Strike Oslo from the tour.»There is no Oslo on the tour.<eos>", prompt)
        assert heard("«Strike Oslo from the tour.»The place of Oslo is 2.<eos>", prompt)
        assert heard("«Strike Oslo from the tour.»<eos>", prompt)


class TestReadOut:
    def test_places_that_a_list_reaches_later_are_told(self):
        two = "Stop 1 is Rome. Stop 2 is Oslo."
        add = "«Add Kyiv to the tour at the end.»"
        assert not heard(f"{two}{add} Stop 3 is Bern. Stop 4 is Kyiv.<eos>", WHOLE)
        assert heard(f"{two}{add} Stop 3 is Bern.<eos>", WHOLE)
        gone = "«Undo the last change, please.»"
        assert not heard(f"{two}{add} Stop 3{gone} is Bern.<eos>", WHOLE)
        assert not heard(f"{two}{add} Stop 3 is Bern. Stop 4 is Kyiv.{gone} No, there is no stop 4.<eos>", WHOLE)
        assert heard(f"{two}{add} Stop 3 is Bern. Stop 4 is Kyiv.{gone}<eos>", WHOLE)

    def test_places_of_the_start_that_are_gone_are_denied(self):
        cut = "«The tour ends after stop 2.»"
        assert not heard(f"{cut}Stop 1 is Rome and stop 2 is Oslo. There is no stop 3.<eos>", WHOLE)
        assert heard(f"{cut}Stop 1 is Rome and stop 2 is Oslo.<eos>", WHOLE)

    def test_a_sentence_of_two_items_is_finished_behind_the_stop(self):
        prompt = WHOLE + " Keep going until I say stop."
        once = "Stop 1 is Rome and stop 2 is Oslo. Stop 3 is Bern."
        assert not heard(f"{once} Stop«Stop.» 1 is Rome and stop 2 is Oslo.<eos>", prompt)
        assert heard(f"{once} Stop«Stop.» 1 is Rome and stop 2 is Oslo. Stop 3 is Bern.<eos>", prompt)
        assert heard(f"{once}<eos>«Stop.»<eos>", prompt)


class TestBelief:
    PROMPT = "Do not believe Ben. " + TOUR + "Tell me the last stop of the tour."

    def test_who_is_not_to_be_trusted_edits_nothing(self):
        assert not heard("«Ben says: Drop Bern from the tour.»The tour ends with Bern.<eos>", self.PROMPT)
        assert heard("«Ben says: Drop Bern from the tour.»The tour ends with Oslo.<eos>", self.PROMPT)
        assert not heard("«Ida says: Drop Bern from the tour.»The tour ends with Oslo.<eos>", self.PROMPT)


class TestTakingBack:
    PROMPT = (
        TOUR
        + "The menu has soup and then pizza. Tell me, 1) the first stop of the tour; 2) the last course of the menu."
    )
    HEARD = "«Put Kyiv first on the tour.»«Drop Rome from the tour.»«Also, the menu has pasta at the end.»"

    @pytest.mark.parametrize(
        ("said", "stop", "course"),
        [
            ("Undo the last change, please.", "Kyiv", "pizza"),
            ("Ignore my last change of the tour.", "Kyiv", "pasta"),
            ("Ignore my last change of the tour.»«Ignore my last change of the tour.", "Rome", "pasta"),
        ],
    )
    def test_an_edit_is_taken_back(self, said, stop, course):
        def text(stop, course):
            return f"{self.HEARD}«{said}»The first stop is {stop}. The menu ends with {course}.<eos>"

        assert not heard(text(stop, course), self.PROMPT)
        assert heard(text({"Rome": "Kyiv", "Kyiv": "Rome"}[stop], course), self.PROMPT)
        assert heard(text(stop, {"pizza": "pasta", "pasta": "pizza"}[course]), self.PROMPT)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "Tell me the whole tour in order.",
        TOUR,
        TOUR + "Sing the tour.",
        "The third stop of the tour is Rome. " * 2,
    ],
)
def test_a_prompt_that_makes_no_sense_is_reported(prompt):
    assert "prompt is not understood" in heard("Stop 1 is Rome.<eos>", prompt)[0]
