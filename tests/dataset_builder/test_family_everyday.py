"""The everyday family: its wordings, what updates make of an answer, and the splits."""

import ast
import re
from random import Random

import pytest

from dataset_builder.families.everyday import SPLITS, available, sample, split_of
from dataset_builder.families.everyday.expressions import evaluate
from dataset_builder.families.everyday.leads import Repairs
from dataset_builder.families.everyday.oracle import arithmetic, grammar, problems
from dataset_builder.families.everyday.repair import Repairer, units
from dataset_builder.families.everyday.rows_oracle import wrong_places
from dataset_builder.families.everyday.stream import Stream
from dataset_builder.families.everyday.updates import User, draw_slots
from dataset_builder.families.everyday.values import Day, Money, Time, article, show
from dataset_builder.families.everyday.wordings import Choices, Scenario, common, domain


DOMAINS = available()
WITHOUT_EFFECT = {"confirmation", "chatter", "other_speaker"}


def samples(name, split="train", count=150):
    rng = Random(f"{name} {split}")
    return [sample(rng, split=split, domain_name=name) for _ in range(count)]


@pytest.fixture(scope="module")
def made():
    return {(name, split): samples(name, split) for name in DOMAINS for split in SPLITS}


@pytest.mark.parametrize("name", DOMAINS)
def test_wordings_are_complete_and_many(name):
    one = domain(name)
    assert [line for scenario in one.scenarios.values() for line in scenario.problems()] == []
    scenarios = one.scenarios.values()
    assert len(scenarios) >= 6
    assert sum(len(scenario.prompts.all) for scenario in scenarios) >= 50
    assert sum(len(choices.all) for scenario in scenarios for choices in scenario.updates.values()) >= 40
    assert sum(len(choices.all) for choices in one.repairs.values()) >= 10


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("split", SPLITS)
def test_timeline_values_and_arithmetic_hold(made, name, split):
    assert [(problem, one) for one in made[name, split] for problem in problems(one)][:3] == []


@pytest.mark.parametrize("name", DOMAINS)
def test_grammar_has_no_obvious_slips(made, name):
    found = [(slip, one["text"]) for split in SPLITS for one in made[name, split] for slip in grammar(one["text"])]
    assert len(found) <= 0.01 * sum(len(made[name, split]) for split in SPLITS), found[:5]


@pytest.mark.parametrize("name", DOMAINS)
def test_updates_without_effect_change_nothing(made, name):
    for one in made[name, "train"]:
        for version, update in enumerate(one["updates"], 1):
            if update["kind"] in WITHOUT_EFFECT:
                assert one["worlds"][version].values_now == one["worlds"][version - 1].values_now
        if all(update["kind"] in WITHOUT_EFFECT for update in one["updates"]):
            assert one["templates"]["repairs"] == []


def _python(node, values):
    """Numbers of an expression, by Python itself."""
    names = {name: float(values[name]) for name in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}}
    return eval(compile(ast.Expression(node), "", "eval"), {"__builtins__": {}}, names)


@pytest.mark.parametrize("name", DOMAINS)
def test_derived_numbers_are_right(made, name):
    for one in made[name, "train"]:
        scenario = domain(name).scenarios[one["scenario"]]
        for world in one["worlds"]:
            for key, source in scenario.derived.items():
                node = ast.parse(source, mode="eval").body
                simple = (ast.BinOp, ast.Name, ast.Constant, ast.operator, ast.expr_context)
                if not all(isinstance(n, simple) for n in ast.walk(node)):
                    continue
                used = [world[n.id] for n in ast.walk(node) if isinstance(n, ast.Name)]
                if not all(
                    type(value) is int or isinstance(value, Money) or type(value).__name__ == "Decimal"
                    for value in used
                ):
                    continue
                assert float(world[key]) == pytest.approx(_python(node, world)), (key, source)


def test_splits_hold_other_prompts_and_wordings(made):
    for name in DOMAINS:
        for split in ("train", "validation", "test"):
            assert all(split_of(one["prompt"]) == split for one in made[name, split])
        for scenario in domain(name).scenarios.values():
            for choices in (scenario.prompts, scenario.answers, *scenario.updates.values()):
                assert not {repr(source) for source in choices.known} & {repr(source) for source in choices.held_out}
                assert choices.held_out or len(choices.all) == 1
        for one in made[name, "paraphrase"]:
            scenario = domain(name).scenarios[one["scenario"]]
            assert one["templates"]["prompt"] in [str(source).strip() for source in scenario.prompts.held_out]
        for one in made[name, "train"]:
            scenario = domain(name).scenarios[one["scenario"]]
            assert one["templates"]["prompt"] not in [str(source).strip() for source in scenario.prompts.held_out]


END = "<eos>"


def test_the_end_is_marked_and_updates_may_come_before_or_after_it():
    rng = Random(9)
    made = [sample(rng) for _ in range(2000)]
    assert all(one["text"].endswith(END) for one in made)
    after = before = 0
    for one in made:
        for update in one["updates"]:
            emitted, rest = one["text"][: update["after_chars"]], one["text"][update["after_chars"] :]
            assert rest  # words, or another end
            after += emitted.endswith(END)
            before += rest == END and not emitted.endswith(END)
    assert after > 100 and before > 3


@pytest.mark.parametrize(
    ("text", "places", "right"),
    [
        ("One two.<eos>", [3], True),
        ("One two.<eos> Three.<eos>", [13], True),
        ("One two.<eos><eos>", [13], True),
        ("One two.<eos>", [8], True),
        ("One two.<eos>", [13], False),
        ("One two.<eos>", [2], False),
        ("One two.", [3], False),
        ("One two.<eos> Three.<eos>", [3], False),
    ],
)
def test_places_of_updates_and_ends_are_checked(text, places, right):
    assert (wrong_places(text, places) == []) == right


def updates_of(key, count=40):
    """Updates that an entry of `updates` makes."""
    for name in DOMAINS:
        one = domain(name)
        for scenario in one.scenarios.values():
            for found in scenario.updates:
                if found.startswith(key):
                    rng = Random(3)
                    world = scenario.world(draw_slots(scenario, rng, False), {"currency": "$"})
                    user = User(one, scenario, world, rng, False, False)
                    made = (user._change_by(found) for _ in range(count))
                    yield from ((scenario, found.split()[1], world, change) for change in made if change)


def test_fewer_is_a_correction():
    kinds = {change[-1] for _, _, _, change in updates_of("fewer ")}
    assert kinds == {"correction"}


def test_an_item_is_replaced_in_its_place():
    count = 0
    for scenario, slot, world, (after, local, old, kind) in updates_of("replace "):
        count += 1
        changed = [place for place, item in enumerate(world[slot]) if after[slot][place] != item]
        assert kind == "correction" and len(after[slot]) == len(world[slot]) and len(changed) == 1, scenario.place
        assert (old["item"], local["item"]) == (world[slot][changed[0]], after[slot][changed[0]])
        if isinstance(local["item"], dict):
            assert sum(local["item"][name] != old["item"][name] for name in old["item"]) == 1
    assert count > 300


def test_what_an_item_replaces_is_named():
    rng, told = Random(2), 0
    for _ in range(400):
        made = sample(rng, domain_name="lists", scenario_name="guests")
        for version, update in enumerate(made["updates"], 1):
            if "{item.old}" in update["template"]:
                gone = set(made["worlds"][version - 1]["guests"]) - set(made["worlds"][version]["guests"])
                told += 1
                assert len(gone) == 1 and gone.pop().lower() in update["text"].lower()
    assert told > 20


def test_an_addition_may_be_taken_back_before_it_shows():
    rng = Random(4)
    for _ in range(3000):
        made = sample(rng, domain_name="lists", scenario_name="shopping")
        kinds = [update["kind"] for update in made["updates"]]
        if kinds[:2] == ["addition", "retraction"] and not made["repairs"]:
            assert problems(made) == []
            return
    raise AssertionError("No such sample was drawn.")


def test_repairs_are_told():
    rng = Random(6)
    for _ in range(600):
        made = sample(rng)
        versions = {repair["version"] for repair in made["repairs"]}
        assert versions <= {number for number, update in enumerate(made["updates"], 1) if update["repair"]}
        if not any(update["repair"] for update in made["updates"]):
            assert made["repairs"] == []


def test_counts_and_times_of_updates_vary():
    rng = Random(5)
    made = [sample(rng) for _ in range(1500)]
    counts = [len(one["updates"]) for one in made]
    assert 0.05 < counts.count(0) / len(made) < 0.12 and 0.5 < counts.count(1) / len(made) < 0.7
    first = [one["updates"][0]["after_chars"] for one in made if one["updates"]]
    assert sum(at == 0 for at in first) > 0.03 * len(first)


def test_expressions_allow_nothing_else():
    values = {"a": 6, "b": 4, "p": Money("2.50"), "t": Time(18 * 60), "d": Day(6)}
    assert evaluate("a * b if a > b else 0", values) == 24
    assert show(evaluate("a * p", values), {"currency": "$"}) == "$15"
    assert show(evaluate("t + 90", values), {"clock": "12"}) == "7:30 pm"
    assert show(evaluate("d + 2", values), {}) == "Tuesday"
    for source in ("__import__('os')", "a.__class__()", "[a for a in b]", "lambda: 1", "a ** b"):
        with pytest.raises(ValueError):
            evaluate(source, values)


def test_articles():
    assert [article(word) for word in ("apple", "unicycle", "hour", "pear")] == [
        "an apple",
        "a unicycle",
        "an hour",
        "a pear",
    ]


DATA = {
    "slots": {
        "people": {"type": "int"},
        "time": {"type": "time"},
        "note": {"choices": ["a pram", "a dog"], "optional": True},
        "foods": {"list": "food", "size": [2, 3]},
    },
    "derived": {"double": "people * 2"},
    "prompts": ["table?"],
    "answers": ["A table | for {people} people | at {time}. {double} chairs.", "x"],
    "updates": {"people": ["make it {people}"]},
    "restate": {"people": ["it's for {people}"], "time": ["it's at {time}"]},
    "outcome": ["so that is 2 x {people} = {double}"],
}


LEADS = {"": "-- sorry,", "sentence": "Sorry,", "artifact": "Corrected:"}


def told(answer, words, change, kind="correction", then=None, leads=lambda kind, place: LEADS[place], seed=1, **data):
    """What is emitted when an update comes after so many words; `then`: further updates; `data`: of the scenario."""
    scenario = Scenario("bookings", "own", {**DATA, **data, "answers": [answer]})
    first = {"people": 6, "time": Time(19 * 60), "note": None, "foods": ("milk", "bread")}
    world = scenario.world(first, {"clock": "12", "currency": "$"})
    stream = Stream(units(scenario.answer(answer), world), world)
    rng = Random(seed)
    repairs = Repairs(domain(DOMAINS[0]), rng, False)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(repairs, "draw", lambda kind, place, old: leads(kind, place))
    repairer = Repairer(stream, scenario, repairs, rng)
    for count, new, of in [(words, change, kind), *(then or [])]:
        stream.emit(count)
        stream.version += 1
        world = stream.world.replaced({}, new) if of == "form" else stream.world.replaced(new)
        repairer.update(world, of, () if of == "form" else tuple(new))
    stream.emit()
    return stream.text


PROSE = "A table | for {people} people | at {time}. You need {double} chairs."
LIST = {"artifact": ["Food at {time}", {"each": "foods", "line": "- {item}"}]}


def test_what_was_not_emitted_is_simply_new():
    assert told(PROSE, 2, {"people": 8}) == "A table for 8 people at 7 pm. You need 16 chairs."


def test_prose_goes_back_to_the_part():
    assert told(PROSE, 4, {"people": 8}) == "A table for 6 -- sorry, for 8 people at 7 pm. You need 16 chairs."


def test_a_later_sentence_is_begun_again_behind_the_restatement():
    text = "A table for 6 people at 7 pm. You -- sorry, it's for 8. You need 16 chairs."
    assert told(PROSE, 9, {"people": 8}) == text


def test_after_the_end_a_sentence_puts_it_right():
    text = told(PROSE, 99, {"people": 8})
    assert re.fullmatch(
        r"A table for 6 people at 7 pm\. You need 12 chairs\. Sorry, (it's for 8\. So that|that) is 2 x 8 = 16\.", text
    )


def test_a_repair_is_repaired():
    text = told(PROSE, 4, {"people": 8}, then=[(4, {"people": 9}, "recorrection")])
    assert text == "A table for 6 -- sorry, for 8 -- sorry, for 9 people at 7 pm. You need 18 chairs."


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_what_is_taken_back_right_behind_words_of_repair_is_said_again(old, words, seed):
    restate = {"people": ["it's for {people}, not {people.old}" if old else "it's for {people}"]}
    six, seven = {"people": 6}, {"people": 7}
    text = told(PROSE, 99, {"people": 8}, then=[(words, six, "retraction")], restate=restate, seed=seed)
    assert text.startswith("A table for 6 people at 7 pm. You need 12 chairs. Sorry,")
    assert text.endswith("2 x 6 = 12.") and "not 6" not in text and "8" not in text
    then = [(words, six, "retraction"), (1, seven, "correction")]
    text = told(PROSE, 99, {"people": 8}, then=then, restate=restate, seed=seed)
    assert text.endswith("2 x 7 = 14.")


def test_a_result_that_stays_is_worked_out_again():
    text = told(PROSE, 99, {"people": 8}, derived={"double": "people // 10"})
    assert text.startswith("A table for 6 people at 7 pm. You need 0 chairs. Sorry,") and text.endswith("2 x 8 = 0.")


@pytest.mark.parametrize(
    ("words", "style", "text"),
    [
        (2, {"lines": "numbers"}, "Food at 7 pm\n1. milk\n2. bread"),
        (5, {"lines": "numbers"}, "Food at 7 pm\n- milk\nSure:\nFood at 7 pm\n1. milk\n2. bread"),
        (2, {"lines": "one"}, "Food at 7 pm; milk; bread"),
        (2, {"clock": "24"}, "Food at 19:00\n- milk\n- bread"),
        (99, {"caps": "yes"}, "Food at 7 pm\n- milk\n- bread\nSURE:\nFOOD AT 7 PM\n- MILK\n- BREAD"),
    ],
)
def test_the_form_of_an_artifact_changes(words, style, text):
    made = told(LIST, words, style, "form", leads=lambda kind, place: "Sure:")
    assert re.sub("\n\n", "\n", made) == text


def test_the_form_of_prose_changes():
    sure = {"leads": lambda kind, place: "Sure:" if place else "-- sure,"}
    answer = "We have {foods} | at {time}! So {double} chairs. It is nice!"
    assert told(answer, 1, {"separator": "semi"}, "form").startswith("We have milk; bread at 7 pm!")
    text = told(answer, 8, {"clock": "24"}, "form", **sure)
    assert text == "We have milk and bread at 7 pm! Sure: It's at 19:00. So 12 chairs. It is nice!"
    assert told(answer, 8, {"calm": "yes"}, "form").endswith("7 pm! So 12 chairs. It is nice.")
    assert told(answer, 8, {"short": "yes"}, "form").endswith("7 pm! So 12 chairs.")
    upper = told("Note: | {note} | for {people}.", 99, {"note": "a pram"}, then=[(0, {"upper": "note"}, "form")])
    assert "A PRAM" in upper


def test_early_updates_come_with_others_that_change_nothing():
    rng, found = Random(8), set()
    for _ in range(500):
        updates = sample(rng, num_updates=(2, 2))["updates"]
        kinds = tuple(update["kind"] in WITHOUT_EFFECT for update in updates)
        found |= {kinds} if updates[-1]["after_chars"] < 20 else set()
    assert {(True, False), (False, True)} <= found


def test_an_artifact_comes_again_whole():
    text = told(LIST, 5, {"time": Time(20 * 60)})
    assert re.fullmatch(r"Food at 7 pm\n- milk\n\n?Corrected:\nFood at 8 pm\n- milk\n- bread", text)


def test_an_open_list_grows_without_a_word():
    text = told(LIST, 6, {"foods": ("milk", "bread", "eggs")}, "addition")
    assert text == "Food at 7 pm\n- milk\n- bread\n- eggs"


def artifact_leads(kind, place):
    return f"{kind}:" if place == "artifact" else LEADS[place]


EIGHT, NINE, SEVEN = ({"time": Time(hour * 60)} for hour in (20, 21, 19))


@pytest.mark.parametrize(
    ("words", "leads"),
    [
        (0, "retraction:\nFood at 7 pm"),  # the line is still to come
        (1, "correction:\nretraction:\nFood at 7 pm"),
        (3, "correction:\nFood at 7 pm\nretraction:\nFood at 7 pm"),  # the line under way ends
    ],
)
def test_the_line_above_an_artifact_fits_the_newest_update(words, leads):
    text = told(LIST, 4, EIGHT, then=[(words, SEVEN, "retraction")], leads=artifact_leads)
    assert re.sub("\n\n", "\n", text) == f"Food at 7 pm\n{leads}\n- milk\n- bread"


def test_an_earlier_version_that_changes_again_is_not_announced_as_earlier():
    then = [(5, SEVEN, "retraction"), (1, NINE, "correction")]
    text = told(LIST, 4, EIGHT, then=then, leads=artifact_leads)
    assert text.endswith("retraction:\ncorrection:\nFood at 9 pm\n- milk\n- bread")


def test_a_change_of_what_is_to_come_needs_no_further_line():
    text = told(LIST, 4, EIGHT, then=[(4, {"foods": ("milk", "eggs")}, "correction")], leads=artifact_leads)
    assert re.sub("\n\n", "\n", text) == "Food at 7 pm\ncorrection:\nFood at 8 pm\n- milk\n- eggs"


def test_a_lead_in_mid_sentence_keeps_lower_case():
    text = told(PROSE, 9, {"people": 8}, leads=lambda kind, place: "Correction:")
    assert text == "A table for 6 people at 7 pm. You -- correction: it's for 8. You need 16 chairs."
    assert told("The table for {people} is set.", 4, {"people": 8}) == (
        "The table for 6 -- sorry, the table for 8 is set."
    )


def test_no_word_comes_twice_where_a_lead_meets_a_part():
    text = told("It is set | now for {people} people.", 6, {"people": 8}, leads=lambda kind, place: "-- now")
    assert text == "It is set now for 6 -- now for 8 people."
    text = told("It is set, | and {people} people come.", 5, {"people": 8})
    assert text == "It is set, and 6 -- sorry, 8 people come."


def test_a_sentence_that_begins_with_a_value_has_a_capital():
    answer = "{foods} for {people}. {foods} it is."
    assert told(answer, 0, {"people": 8}) == "Milk and bread for 8. Milk and bread it is."


def test_leads_of_retractions_fit_every_part():
    lists = [common()[f"repairs {key}"].all for key in ("retraction", "retraction sentence")]
    for name in DOMAINS:
        lists += [domain(name).repairs[key].all for key in domain(name).repairs if key.startswith("retraction")]
    assert [lead for leads in lists for lead in leads if lead.endswith((" to", " to the", " with"))] == []


def test_one_wording_of_six_is_held_out():
    choices = Choices([f"wording {number}" for number in range(600)])
    assert 60 < len(choices.held_out) < 140 and set(choices.held_out).isdisjoint(choices.known)
    assert len(Choices(["one", "two"]).held_out) == 1 and not Choices(["one"]).held_out


def test_equations_are_read():
    assert arithmetic("So that is 3 x 9 + 4 = 31, and 5.5 - 2 = 3.5. 6 x $4 = $24.") == []
    assert arithmetic("So 3 x 9 + 4 = 32.") == ["wrong: 3 x 9 + 4 = 32"]


def test_shared_words_are_many():
    assert all(len(common()[kind].all) >= 10 for kind in ("retraction", "confirmation", "chatter", "other_speaker"))
