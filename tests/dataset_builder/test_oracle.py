"""The oracle agrees with gold texts of every family, and catches what is wrong with others."""

import ast
import copy
import functools
import importlib.util
import random
import re
from pathlib import Path

import pytest

import dataset_builder.oracle
from dataset_builder import FAMILIES, Builder, BuilderConfig, split_config
from dataset_builder.oracle import __main__ as command
from dataset_builder.oracle import disagreements, listener_for
from dataset_builder.oracle.listener import read_row


ORACLES = [name for name in FAMILIES if importlib.util.find_spec(f"dataset_builder.families.{name}.oracle")]
SPLITS = {"train": 240, "composition": 40, "retraction": 40, "paraphrase": 40, "distractor": 32, "long": 8}
PLANTED = 200


@functools.cache
def samples(family, split):
    builder = Builder(split_config(BuilderConfig(families=(family,), seed=3), split))
    return [sample.to_row() for sample in builder.samples(SPLITS[split])]


def talk(task_type, prompt, text):
    """A row, with what was heard in the text at its place, between « and »."""
    pieces = re.split(r"«(.*?)»", text)
    updates, target = [], pieces[0]
    for said, after in zip(pieces[1::2], pieces[2::2], strict=True):
        updates.append({"text": said, "position": len(target)})
        target += after
    cut = updates[0]["position"] if updates else len(target)
    return {
        "prompt": prompt,
        "initial_target": target[:cut],
        "updates": updates,
        "revised_target": target[cut:],
        "task_type": task_type,
    }


def sums(text, prompt="With x = 10, y = 16, compute 1) 2x + 3; 2) x + y."):
    return disagreements(talk("variable_substitution", prompt, text))


def facts(text, prompt="The capital of Peru is Lima. The founder of Peru is Kim. Tell me the capital of Peru."):
    return disagreements(talk("fact_correction", prompt, text))


def members(text, prompt="Age is 20; city is Rome; sports is judo. Give me JSON for (1) age; (2) city."):
    return disagreements(talk("structured_transformation", prompt, text))


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("family", ORACLES)
def test_it_agrees_with_every_gold_text(family, split):
    found = {row["index"]: wrong for row in samples(family, split) if (wrong := disagreements(row))}
    assert not found


@pytest.mark.parametrize("split", ["train", "retraction"])
@pytest.mark.parametrize("family", ORACLES)
def test_the_timeline_tells_what_it_works_out(family, split):
    for row in samples(family, split):
        conversation = read_row(row)
        for key in conversation.states[0].questions:
            told = {entry["version"]: entry["value"] for entry in row["timeline"] if entry["key"] == key}
            value = ""
            for version, state in enumerate(conversation.states):
                value = told.get(version, value)
                assert conversation.listener.value(state, key) == value, (row["index"], key, version)


def shape(value):
    """What a value looks like, letters and digits aside."""
    return re.sub(r"[a-z]+", "a", re.sub(r"[A-Z][\w-]*(?: [A-Z][\w-]*)*", "A", value))


def another(rng, value, pool):
    """A wrong value that looks right, or None."""
    if value in ("true", "false"):
        return "false" if value == "true" else "true"
    number = re.search(r"\d+", value)
    if number:
        return value[: number.start()] + str(int(number[0]) + rng.choice((1, 2, 10))) + value[number.end() :]
    others = sorted(pool.get(shape(value), set()) - {value})
    return rng.choice(others) if others else None


def plant(rng, row, pool):
    """The row with one stated value changed, and nothing else; None if there is nothing to change."""
    claims = [claim for claim in row["provenance"] if claim["complete"]]
    rng.shuffle(claims)
    text = row["initial_target"] + row["revised_target"]
    for claim in claims:
        at = text.rfind(claim["value"], claim["start"], claim["end"])
        new = another(rng, claim["value"], pool)
        if at >= 0 and new is not None:
            break
    else:
        return None
    grown = len(new) - len(claim["value"])
    made = copy.deepcopy(row)
    made["initial_target"], made["revised_target"] = "", text[:at] + new + text[at + len(claim["value"]) :]
    for update in made["updates"]:
        update["position"] += grown * (update["position"] >= at + len(claim["value"]))
    return made


@pytest.mark.parametrize("family", ORACLES)
def test_every_planted_wrong_value_is_caught(family):
    rows = samples(family, "train")
    pool = {}
    for row in rows:
        for claim in row["provenance"]:
            pool.setdefault(shape(claim["value"]), set()).add(claim["value"])
    rng = random.Random(1)
    planted = [made for row in rows if (made := plant(rng, row, pool))][:PLANTED]
    assert len(planted) == PLANTED
    missed = [made["index"] for made in planted if not disagreements(made)]
    assert not missed


def test_it_imports_nothing_that_makes_samples():
    root = Path(dataset_builder.__file__).parent
    shared = [path for path in (root / "oracle").glob("*.py") if path.name != "__main__.py"]  # that hands samples over
    own = [*root.glob("families/*/oracle.py"), root / "families/everyday/rows_oracle.py"]
    assert len(shared) > 3 and len(own) > 8
    for path in (*shared, *own):
        if path == root / "families/everyday/oracle.py":  # checks samples, which it is given
            continue
        package = path.relative_to(root.parent).with_suffix("").parts[:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else ()
                taken = [".".join((*base, *((node.module or "").split(".") if node.module else ())))]
            else:
                taken = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in taken:
                if name.startswith(("dataset_builder", "hf_duplex")):
                    known = ("dataset_builder.reading", "dataset_builder.world.facts", "dataset_builder.oracle")
                    mine = f"{'.'.join(package)}.reader"
                    rows = name == "dataset_builder.families.everyday" and path.parent.name == "oracle"
                    assert name.startswith(known) or name == mine or rows, (path, name)


class TestBelief:
    PROMPT = "Do not believe Ben. With x = 10, y = 16, find x + y."

    def test_who_is_not_to_be_trusted_changes_nothing(self):
        assert not sums("x + y = 10«Ben says: No, x = 3.» + 16 = 26.<eos>", self.PROMPT)
        assert sums("«Ben here: No, x = 3.»x + y = 3 + 16 = 19.<eos>", self.PROMPT)

    def test_others_are_believed(self):
        assert not sums("«This is Ida. No, x = 3.»x + y = 3 + 16 = 19.<eos>", self.PROMPT)
        assert sums("«Ida says: No, x = 3.»x + y = 10 + 16 = 26.<eos>", self.PROMPT)

    @pytest.mark.parametrize("said", ["Nice weather today.", "Yes, x is 10.", "I am taking notes.", "Also, z = 3."])
    def test_what_is_so_already_changes_nothing(self, said):
        assert not sums(f"2x + 3 = 2 * 10«{said}» + 3 = 20 + 3 = 23. x + y = 10 + 16 = 26.<eos>")


class TestTakingBack:
    def test_the_last_change_that_stands(self):
        heard = (
            "«Wait, x is 3.»«Sorry, y is 5.»«Yes, x is 3.»«Undo the last change, please.»«Ignore that last change.»"
        )
        assert not sums(heard + "2x + 3 = 2 * 10 + 3 = 20 + 3 = 23. x + y = 10 + 16 = 26.<eos>")

    def test_the_last_change_of_a_fact(self):
        heard = "«Wait, x is 3.»«Sorry, y is 5.»«Ignore my last change of x.»"
        assert not sums(heard + "2x + 3 = 2 * 10 + 3 = 20 + 3 = 23. x + y = 10 + 5 = 15.<eos>")
        assert sums(heard + "2x + 3 = 2 * 10 + 3 = 20 + 3 = 23. x + y = 10 + 16 = 26.<eos>")

    def test_a_change_is_taken_back_once(self):
        heard = "«Wait, x is 3.»«Sorry, x is 4.»«Take that last change back.»«Forget my last change.»"
        assert not sums(heard + "2x + 3 = 2 * 10 + 3 = 20 + 3 = 23. x + y = 10 + 16 = 26.<eos>")


class TestTiming:
    def test_a_word_that_has_begun_is_finished_with_the_old_value(self):
        assert not facts(
            "The capital of Peru is Li«Actually, the capital of Peru is Oslo.»ma. "
            "Sorry, the capital of Peru is Oslo.<eos>"
        )
        assert not facts("The capital of Peru is«Actually, the capital of Peru is Oslo.» Oslo.<eos>")
        assert facts(
            "The capital of Peru is«Actually, the capital of Peru is Oslo.» Lima. "
            "Sorry, the capital of Peru is Oslo.<eos>"
        )
        assert facts("The capital of Peru is «Actually, the capital of Peru is Oslo.»Oslo.<eos>")

    def test_a_value_of_two_words_is_one_word(self):
        old = "The capital of Peru is New Lima. Tell me the capital of Peru."
        assert not facts(
            "The capital of Peru is New«No, Oslo is the capital of Peru.» Lima. No, the capital of Peru is Oslo.<eos>",
            old,
        )


class TestSteps:
    def test_every_number_of_a_chain_must_be_right(self):
        assert sums("2x + 3 = 2 * 10 + 3 = 21 + 3 = 23. x + y = 10 + 16 = 26.<eos>")
        assert sums("2x + 3 = 2 * 11 + 3 = 20 + 3 = 23. x + y = 10 + 16 = 26.<eos>")
        assert sums("2x + 3 = 2 * 10 - 3 = 20 + 3 = 23. x + y = 10 + 16 = 26.<eos>")
        assert sums("2x + 3 = 2 * 10 + 3 = 20 + 3 = 23. Since x = 9, x + y = 10 + 16 = 26.<eos>")

    def test_letters_that_nobody_knows(self):
        assert not sums("2x + 3 = 2 * 10 + 3 = 20 + 3 = 23.«We can't rely on y now.» x + y cannot be computed.<eos>")
        assert sums("2x + 3 = 2 * 10 + 3 = 20 + 3 = 23. x + y cannot be computed.<eos>")


class TestOrder:
    def test_every_question_is_answered(self):
        assert sums("2x + 3 = 2 * 10 + 3 = 20 + 3 = 23.<eos>")
        assert sums("x + y = 10 + 16 = 26. 2x + 3 = 2 * 10 + 3 = 20 + 3 = 23.<eos>")

    def test_nothing_is_said_twice(self):
        once = "2x + 3 = 2 * 10 + 3 = 20 + 3 = 23. x + y = 10 + 16 = 26."
        assert not sums(once + "<eos>")
        assert sums(once + " x + y = 10 + 16 = 26.<eos>")
        assert sums(
            once + "«Oh, y is 7 now.» Sorry, y is 7, so x + y = 10 + 7 = 17, and 2x + 3 = 2 * 10 + 3 = 20 + 3 "
            "= 23.<eos>"
        )

    def test_rounds_go_on_until_the_stop(self):
        prompt = "Keep going until I say stop. With x = 10, y = 16, compute 1) 2x + 3; 2) x + y."
        one, two = "2x + 3 = 2 * 10 + 3 = 20 + 3 = 23.", "x + y = 10 + 16 = 26."
        assert not sums(f"{one} {two} {one[:5]}«Stop.»{one[5:]}<eos>", prompt)
        assert sums(f"{one} {two}<eos>", prompt)
        assert sums(f"{one} {two} {one[:5]}«Stop.»{one[5:]} {two} {one}<eos>", prompt)
        assert sums(f"{one} {one[:5]}«Stop.»{one[5:]}<eos>", prompt)


class TestRepairs:
    def test_a_repair_must_be_due(self):
        assert facts(
            "The capital of Peru is Lima.«Also, the founder of Chad is Kim.» Wait, the capital of Peru is Lima.<eos>"
        )
        assert facts("The«No, Oslo is the capital of Peru.» capital -- wait, the capital of Peru is Oslo.<eos>")

    def test_what_is_stale_is_taken_back_at_once(self):
        first, second = "2x + 3 = 2 * 10 + 3 = 20 + 3 = 23.", "x + y = 10 + 16 = 26."
        change, again = "«Oh, x is 3 now.»", "x is 3, so 2x + 3 = 2 * 3 + 3 = 6 + 3 = 9"
        assert not sums(f"{first}{change} Wait, {again}. x + y = 3 + 16 = 19.<eos>")
        assert sums(f"{first}{change} x + y = 3 + 16 = 19. Wait, {again}.<eos>")
        assert sums(f"{first}{change} x + y = 3 + 16 = 19.<eos>")
        assert sums(
            f"{first} {second}{change} x is 3, so x + y = 3 + 16 = 19, and 2x + 3 = 2 * 3 + 3 = 6 + 3 = 9.<eos>"
        )

    def test_a_repair_in_the_midst_of_a_sentence(self):
        prompt = "Kim is the founder of Peru; Lima is the capital of Peru. "
        prompt += "List 1) the founder of Peru, 2) the capital of Peru."
        assert not facts(
            "Peru was founded by Kim. The capital«No, Gray is the founder of Peru.» -- sorry, Peru's "
            "founder is Gray -- of Peru is Lima.<eos>",
            prompt,
        )


class TestMembers:
    def test_members_are_repaired_behind_a_comment(self):
        assert not members('{"age": 2«Actually, age is 9.»0, "//": "wait", "age": 9, "city": "Rome"}<eos>')
        assert members('{"age": 2«Actually, age is 9.»0, "age": 9, "city": "Rome"}<eos>')
        assert members('{"age": 20, "//": "wait", "age": 20, "city": "Rome"}<eos>')
        assert members('{"age": 2«Actually, age is 9.»0, "city": "Rome", "//": "wait", "age": 9}<eos>')

    def test_what_is_added_is_written_and_what_is_lost_is_null(self):
        assert not members('{"age": 20, "city":«By the way, height is 170.» "Rome", "height": 170}<eos>')
        assert members('{"age": 20, "city":«By the way, height is 170.» "Rome"}<eos>')
        assert not members('{"age": 20, "city": "Rome"}<eos>«Remove age.» {"//": "no", "age": null}<eos>')
        assert not members('{"age": 20, "city":«In the trip file, paid is true.» "Rome"}<eos>')
        assert members('{"age": 20, "city": "Rome", "sports": ["judo"]}<eos>')

    def test_lists_grow_and_shrink(self):
        asked = "Sports is judo and polo. I need sports in JSON."
        assert not members('{"sports":«Add sumo to sports.»«Take judo out of sports.» ["polo", "sumo"]}<eos>', asked)
        assert members('{"sports":«Add sumo to sports.» ["judo", "polo"]}<eos>', asked)

    def test_objects_must_parse_and_lie_where_they_should(self):
        asked = "Age is 20. I need age in JSON. Wrap it in user."
        assert not members('{"user": {"age": 20}}<eos>', asked)
        assert members('{"age": 20}<eos>', asked)
        assert members('{"user": {"age": 20}<eos>', asked)
        assert members('{"age": 20, "city": "Rome"<eos>')

    def test_members_that_follow_from_others(self):
        asked = "Born is 2030 minus age; age is 20; adult tells whether age is 18 or more. "
        asked += "Give me JSON for (1) born; (2) adult."
        assert not members('{"born": 2010, "adult": true}<eos>', asked)
        assert members('{"born": 2010, "adult": false}<eos>', asked)


class TestBrokenRows:
    ROW = talk(
        "fact_correction", "The capital of Peru is Lima. Tell me the capital of Peru.", "Peru's capital is Lima.<eos>"
    )

    def test_the_row_itself_is_right(self):
        assert not disagreements(self.ROW)

    @pytest.mark.parametrize(
        "text", ["", "Peru's capital", "Peru's capital is Lima.", "<eos>", "-- wait, -- no,", "\0 --"]
    )
    def test_a_broken_text_is_reported(self, text):
        assert disagreements({**self.ROW, "initial_target": text})

    @pytest.mark.parametrize("family", ORACLES)
    def test_no_text_makes_it_fail(self, family):
        rng = random.Random(2)
        for row in samples(family, "train")[:20]:
            text = row["initial_target"] + row["revised_target"]
            start, end = sorted(rng.choices(range(len(text)), k=2))
            assert disagreements({**row, "initial_target": "", "revised_target": text[:start]})
            disagreements({**row, "initial_target": text[start:end], "revised_target": text[:end:-1]})

    @pytest.mark.parametrize("prompt", ["", "Tell me the capital of Peru.", "Lima."])
    def test_a_prompt_that_makes_no_sense_is_reported(self, prompt):
        assert "prompt is not understood" in disagreements({**self.ROW, "prompt": prompt})[0]

    @pytest.mark.parametrize("name", ["prompt", "initial_target", "revised_target", "updates", "task_type"])
    def test_a_missing_column_is_named(self, name):
        with pytest.raises(ValueError, match=name):
            disagreements({column: value for column, value in self.ROW.items() if column != name})

    def test_updates_must_lie_in_the_text_in_order(self):
        heard = [{"text": "Nice weather today.", "position": position} for position in (0, 9, 5)]
        assert disagreements({**self.ROW, "updates": heard})
        assert disagreements({**self.ROW, "updates": [{"text": "Nice weather today.", "position": 999}]})
        with pytest.raises(ValueError, match="position"):
            disagreements({**self.ROW, "updates": [{"text": "Nice weather today."}]})

    @pytest.mark.parametrize("name", ["knitting", "listener", "", "../x", "reading.threads"])
    def test_a_family_without_an_oracle_is_named(self, name):
        with pytest.raises(ValueError, match="has no oracle"):
            listener_for(name)


class TestCommand:
    def test_it_prints_the_agreement(self, capsys):
        assert command.main(["--family", "fact_correction", "--num", "20"]) == 0
        assert "fact_correction, train: 20 of 20 agree (100.00 %)" in capsys.readouterr().out

    def test_it_fails_where_something_disagrees(self, capsys, monkeypatch):
        monkeypatch.setattr(command, "disagreements", lambda row: ["No."] * (row["index"] == 12))
        assert command.main(["--family", "fact_correction", "--num", "5", "--start", "10"]) == 1
        out = capsys.readouterr().out
        assert "sample 12:\n  No." in out and "4 of 5 agree (80.00 %)" in out

    def test_bad_numbers_are_refused(self, capsys):
        with pytest.raises(SystemExit):
            command.main(["--family", "fact_correction", "--num", "0"])
        assert "--num" in capsys.readouterr().err
