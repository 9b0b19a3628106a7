"""The corpus of thoughts: dialogues known by construction, oracles, passes that resume, agreement,
shares, the pilot."""

import json
import random
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from toy_tracks import write_encoder
from typer.testing import CliRunner

from dataset_builder.reflection.agreement import cohens_kappa, compare
from dataset_builder.reflection.cli import app
from dataset_builder.reflection.corpora import Filter, chat_rows, chitchat, filtered, narrative, small_talk
from dataset_builder.reflection.dialogues import DialogueConfig, write_dialogue
from dataset_builder.reflection.facts import FACTS
from dataset_builder.reflection.games import fact_deltas, textworld_games
from dataset_builder.reflection.interleaved import interleave, separate
from dataset_builder.reflection.oracle import ChatOracle, OracleError, ScriptedOracle
from dataset_builder.reflection.passes import annotate, annotate_all, read_finished
from dataset_builder.reflection.pilot import pilot_report
from dataset_builder.reflection.public_sets import PUBLIC, public
from dataset_builder.reflection.schema import TIERS, Annotation, AnnotationError, Dialogue, Turn, check, from_row
from dataset_builder.reflection.shares import TARGETS, balanced, off_target, split, type_shares
from dataset_builder.reflection.similarity import SentenceEmbedding


def test_dialogues_are_consistent_and_the_same_for_the_same_seed():
    for seed in range(120):
        dialogue = write_dialogue(seed, "train")
        check(dialogue)
        assert dialogue.to_row() == write_dialogue(seed, "train").to_row()
        for annotation in dialogue.annotations:
            said = dialogue.turns[annotation.turn].text[: annotation.end]
            assert said[-1] in ".?!", "an event ends with a sentence"
            assert (annotation.type == "NEW") == (annotation.link == -1)
            if annotation.operation == "UPDATE":
                old, new = annotation.summary.split(" changed from ")[1].split(", which")[0].split(" to ", 1)
                assert new in said and old != new
                assert old in dialogue.annotations[annotation.link].summary


def test_values_of_test_are_in_no_other_split():
    seen = {name: Counter() for name in ("train", "test")}
    for name, counts in seen.items():
        for seed in range(150):
            for annotation in write_dialogue(seed, name).annotations:
                for fact in FACTS:
                    if f"the user's {fact.name} is " in annotation.summary and annotation.type == "NEW":
                        counts[fact.name, annotation.summary.split(" is ")[1].split(",")[0]] += 1
    assert len(seen["train"]) > 100 and len(seen["test"]) > 30
    assert not set(seen["train"]) & set(seen["test"])


def test_a_question_long_after_has_one_answer_and_an_older_one():
    dialogue = write_dialogue(1, "test", config=DialogueConfig(far=300))
    (question,) = dialogue.questions
    annotation = dialogue.annotations[question["annotation"]]
    after = sum(len(turn.text.split()) for turn in dialogue.turns[annotation.turn + 1 :])
    assert after >= 280 and question["answer"] not in question["outdated"]
    assert question["answer"] in dialogue.turns[annotation.turn].text
    for seed in range(60):
        for question in write_dialogue(seed, "test", config=DialogueConfig(far=20)).questions:
            assert question["outdated"] and question["answer"] not in question["outdated"]


def test_types_come_near_their_targets_and_balancing_brings_them_nearer():
    rows = [write_dialogue(seed, "train").to_row() for seed in range(300)]
    few = [row for row in rows if all(a["type"] != "CONFLICT" for a in row["annotations"])] + rows[:20]
    before, after = sum(off_target(few).values()), sum(off_target(balanced(few)).values())
    assert after < before
    assert sum(off_target(rows).values()) < 0.1, type_shares(rows)


def test_splits_hold_as_much_of_each_kind_and_nothing_twice():
    rows = [write_dialogue(seed, "train").to_row() for seed in range(200)]
    parts = split(rows)
    keys = [row["key"] for part in parts.values() for row in part]
    assert len(keys) == len(set(keys)) == len(rows)
    assert [len(part) for part in parts.values()] == pytest.approx([160, 20, 20], abs=3)
    for name in TARGETS:
        assert abs(type_shares(parts["train"])[name] - type_shares(parts["test"])[name]) < 0.12
    with pytest.raises(ValueError, match="add up"):
        split(rows, shares=(0.5, 0.1, 0.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "OLD"}, "type 'OLD'"), ({"turn": 99}, "no turn 99"), ({"end": 9999}, "no position"),
        ({"link": 7}, "not an earlier"), ({"operation": "DROP"}, "operation"),
    ],
)  # fmt: skip
def test_annotations_that_are_not_possible_are_named(change, message):
    row = write_dialogue(0, "train").to_row()
    row["annotations"][0] = {**row["annotations"][0], **change}
    with pytest.raises(AnnotationError, match=message):
        from_row(row)


# -- oracles
# -------------------------------------------------------------------------------------------------------------


class Endpoint:
    """A chat client that gives the answers it was given, one after the other; errors are raised."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def chat_completion(self, messages, **kwargs):
        self.asked.append(messages[0]["content"])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content=answer))])


DIALOGUE = Dialogue(
    [Turn("user", "Hello there. My budget is $500."), Turn("assistant", "Fine."), Turn("user", "Make it $700.")]
)
TAGS = (
    'Position: [Turn 0] "budget is $500"\n[DSL_START] NEW | the budget is $500 [DSL_END]\n'
    'Position: [Turn 2] "Make it $700"\n[DSL_START] UPDATE | budget from $500 to $700 [DSL_END]\n'
    'Position: [Turn 2] "never said"\n[DSL_START] NEW | made up [DSL_END]'
)


def chat(*answers, retries=1):
    return ChatOracle("m", client=Endpoint(*answers), retries=retries, pause=0)


def test_a_chat_oracle_annotates_places_and_verifies():
    done, facts = annotate(DIALOGUE, chat(TAGS, "1", "YES", "the number is 3", "No, it could not."), verify=True)
    assert [(a.type, a.turn, a.end) for a in done.annotations] == [("NEW", 0, 31)]
    assert facts == {"proposed": 2, "discarded": 0, "refused": 1, "agreed": 2}
    done, facts = annotate(DIALOGUE, chat(TAGS, "DISCARD", "3"))
    assert [a.type for a in done.annotations] == ["UPDATE"] and facts["discarded"] == 1
    assert annotate(DIALOGUE, chat("NONE"))[0].annotations == []


def test_a_chat_oracle_that_answers_nonsense_or_times_out_is_asked_again_and_then_given_up():
    oracle = chat("what?", TimeoutError("too slow"), retries=1)
    with pytest.raises(OracleError, match="TimeoutError: too slow, 2 times"):
        oracle.annotate(DIALOGUE)
    assert len(chat(TimeoutError(), TAGS).annotate(DIALOGUE)) == 2
    with pytest.raises(OracleError, match="another format"):
        chat("99", "99").place(DIALOGUE, Annotation("NEW", "x", 0, 5))


def test_annotated_work_is_kept_and_gone_on_with(tmp_path):
    dialogues = [Dialogue([Turn("user", f"I have {n} cats.")]) for n in range(5)]
    tag = 'Position: [Turn 0] "cats"\n[DSL_START] NEW | the user has cats [DSL_END]'
    path = tmp_path / "a.jsonl"
    with pytest.raises(OracleError):
        annotate_all(dialogues, path, chat(tag, "0", tag, "0", *["?"] * 9, retries=2), patience=3)
    assert len(read_finished(path)) == 2
    with path.open("a") as file:
        file.write('{"turns": [')  # As a machine that stopped leaves it.
    counts = annotate_all(dialogues, path, chat(*[tag, "0"] * 3))
    assert counts == {"annotated": 3, "before": 2, "failed": 0}
    assert [row["turns"][0]["text"] for row in read_finished(path).values()] == [d.turns[0].text for d in dialogues]
    path.write_text('{"turns": 1}\n' + path.read_text())
    with pytest.raises(AnnotationError, match="line 1"):
        read_finished(path)


def test_fact_deltas_are_annotated_exactly():
    dialogue = fact_deltas(
        ["You see a key on the table.", "Nothing happens.", "You take the key."],
        [
            *[frozenset({("on", "key", "table")})] * 2,
            frozenset({("in", "key", "bag"), ("at", "lamp", "hall")}),
        ],
        "game",
    )  # fmt: skip
    assert [(a.type, a.turn, a.link) for a in dialogue.annotations] == [("NEW", 0, -1), ("UPDATE", 2, 0)]
    assert "lamp" not in str(dialogue.annotations), "what is not said is not annotated"
    with pytest.raises(ValueError, match="as many as"):
        fact_deltas(["a"], [], "game")


class Game:
    """A game as textworld plays it: what is said and what is true after each command."""

    def __init__(self, steps):
        self.steps, self.policy = steps, [command for command, *_ in steps[1:]]

    def reset(self):
        return self.state(0)

    def step(self, command):
        self.at = [known for known, *_ in self.steps].index(command)
        return self.state(self.at), 0, False

    def state(self, at):
        _, feedback, facts = self.steps[at]
        true = [SimpleNamespace(name=n, arguments=[SimpleNamespace(name=a) for a in rest]) for n, *rest in facts]
        return SimpleNamespace(feedback=feedback, facts=true, policy_commands=self.policy)

    def close(self):
        self.closed = True


def test_games_are_played_through_and_annotated(monkeypatch):
    banner = "$$$$ A WELCOME\n$$$$\n-= Hall =-\nYou see a chest.\n\n\n>        -= Hall =-0/1"
    game = Game([
        ("", banner, [("at", "chest", "hall"), ("closed", "chest"), ("at", "P", "hall"), ("north_of", "a", "b")]),
        ("open chest", "You open the chest.\n\n\n>   -= Hall =-0/1", [("at", "chest", "hall"), ("open", "chest")]),
        ("take key", "You take the key.\n\n *** The End ***\nRESTART?", [("open", "chest"), ("in", "key", "I")]),
    ])  # fmt: skip
    options = []

    class Textworld:
        GameOptions = SimpleNamespace
        EnvInfos = SimpleNamespace
        make = staticmethod(lambda o: options.append(o) or (o.path, None))
        start = staticmethod(lambda path, infos: game)

    monkeypatch.setitem(sys.modules, "textworld", Textworld)
    (dialogue,) = textworld_games(1, seed=7)
    assert options[0].seeds == 7 and game.closed
    assert [turn.text for turn in dialogue.turns] == [
        "-= Hall =- You see a chest.", "> open chest You open the chest.", "> take key You take the key.",
    ]  # fmt: skip
    assert [(a.type, a.summary, a.turn, a.link) for a in dialogue.annotations] == [
        ("NEW", "at chest hall", 0, -1), ("NEW", "closed chest", 0, -1),
        ("UPDATE", "open chest now, before it was closed chest", 1, 1), ("NEW", "in key inventory", 2, -1),
    ]  # fmt: skip
    with pytest.raises(AnnotationError, match="`rooms` must be at least 1"):
        list(textworld_games(1, rooms=0))
    monkeypatch.setitem(sys.modules, "textworld", None)
    with pytest.raises(AnnotationError, match="pip install textworld"):
        list(textworld_games(1))


def test_summaries_are_compared_by_a_sentence_embedding_model(tmp_path):
    alike = SentenceEmbedding(str(write_encoder(tmp_path / "encoder")))
    assert alike("my dog", "my dog") == pytest.approx(1)
    assert alike("my dog", "the wedding") == pytest.approx(alike("the wedding", "my dog"))
    assert alike("my dog", "the wedding") < 0.999
    together, single = alike.embed(["my dog", "the wedding is in May"]), alike.embed(["my dog"])
    assert torch.allclose(together[0], single[0], atol=1e-5), "padding changes nothing"
    one, other = [Annotation("NEW", "a dog", 0, 5)], [Annotation("NEW", "the hound", 0, 5)]
    assert compare(one, other, lambda a, b: 0.9).kept and not compare(one, other).kept
    with pytest.raises(ValueError, match="no sentence-embedding model"):
        SentenceEmbedding(str(tmp_path / "nothing"))


def test_two_oracles_are_compared_by_what_they_are_about():
    one = [
        Annotation("NEW", "budget is $500", 0, 5),
        Annotation("UPDATE", "budget is $700", 2, 5),
        Annotation("NEW", "x y", 2, 5),
    ]
    other = [Annotation("NEW", "the budget is $500", 0, 5), Annotation("NEW", "budget is $700", 2, 5)]
    agreement = compare(one, other)
    assert agreement.pairs == [(0, 0), (1, 1)]
    assert [a.summary for a in agreement.kept] == ["budget is $500"]
    assert agreement.labels == (["NEW", "UPDATE", "NEW"], ["NEW", "NEW", "none"])
    assert cohens_kappa(list("aabb"), list("aabb")) == 1
    assert cohens_kappa(list("aabb"), list("abab")) == 0
    with pytest.raises(ValueError, match="as many labels"):
        cohens_kappa(["a"], [])


def test_the_pilot_says_what_to_change():
    rows = [write_dialogue(seed, "train").to_row() for seed in range(40)]
    for row in rows:
        row["passes"] = {
            "proposed": 6,
            "agreed": 6,
            "discarded": 3,
            "refused": 0,
            "labels": (["NEW", "UPDATE"], ["UPDATE", "NEW"]),
        }
    report = pilot_report(rows)
    assert "| synthetic | 40 |" in report and "below 0.75" in report and "more than 30 %" in report
    with pytest.raises(ValueError, match="nothing annotated"):
        pilot_report([])


# -- corpora
# -------------------------------------------------------------------------------------------------------------


def test_chats_novels_and_public_sets_become_dialogues(tmp_path):
    chats = {
        "1": {
            "messages": [
                [{"text": "Hi", "sender": "a"}, {"text": "the weather is odd today, is it not", "sender": "a"}],
                [{"text": "I know", "sender": "b"}],
            ]
        }
    }
    path = tmp_path / "c.json"
    path.write_text(json.dumps(chats))
    (dialogue,) = chitchat(path)
    assert [turn.speaker for turn in dialogue.turns] == ["user", "assistant"]
    assert small_talk([dialogue]) == ["Hi the weather is odd today, is it not."]
    path.write_text("[]")
    with pytest.raises(AnnotationError, match="does not hold chats"):
        list(chitchat(path))

    book = tmp_path / "emma.txt"
    book.write_text("One day it rained.\n\nThe next it did not.\n\n" * 50)
    pieces = list(narrative(book, words=100))
    assert len(pieces) > 3 and pieces[0].tier == "narrative" and pieces[0].source == "emma"
    with pytest.raises(AnnotationError, match="there is no"):
        list(narrative(tmp_path / "no.txt"))

    with pytest.raises(AnnotationError, match="must be one of"):
        list(public("nothing"))
    with pytest.raises(AnnotationError, match="row 0"):
        list(chat_rows([{"x": 1}], "conversation", "s", "dialogue"))


CHAT = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    ("name", "rows", "turns"),
    [
        ("wildchat", [{"conversation": CHAT}], [("user", "a"), ("assistant", "b")]),
        ("lmsys", [{"conversation": CHAT}], [("user", "a"), ("assistant", "b")]),
        ("sharegpt", [{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}],
         [("user", "a"), ("assistant", "b")]),
        ("gutenberg", [{"text": "One day.\n\nThe next\nday."}],
         [("narrator", "One day."), ("narrator", "The next day.")]),
        ("opensubtitles", [{"translation": {"en": "Run!", "fr": "Cours"}}, {"translation": {"en": "Why?", "fr": ""}}],
         [("narrator", "Run!"), ("narrator", "Why?")]),
        ("ami", [{"dialogue": "A: hello\nB: hi there\nA: let's begin"}],
         [("user", "hello"), ("assistant", "hi there"), ("user", "let's begin")]),
        ("stackexchange", [{"question": "how?", "answers": [{"text": "so"}, {"text": "no, so"}]}],
         [("user", "how?"), ("assistant", "so"), ("assistant", "no, so")]),
    ],
)  # fmt: skip
def test_public_sets_are_read_by_their_names(name, rows, turns):
    asked = []
    (found,) = public(name, load=lambda path, **options: asked.append((path, options)) or rows)
    assert [(turn.speaker, turn.text) for turn in found.turns] == turns
    assert found.source == name and found.tier == PUBLIC[name].tier
    ((path, options),) = asked
    assert path == PUBLIC[name].path and options["streaming"] and options.items() >= PUBLIC[name].options.items()
    with pytest.raises(AnnotationError, match=f"row 0 of {name}"):
        list(public(name, load=lambda path, **options: [{"x": 1}]))


def test_all_public_sets_are_tried():
    assert set(PUBLIC) == {"wildchat", "lmsys", "sharegpt", "gutenberg", "opensubtitles", "ami", "stackexchange"}
    assert {entry.tier for entry in PUBLIC.values()} == set(TIERS)


def test_filters_drop_what_is_short_foreign_or_there_already():
    english = Dialogue([Turn("user", "it was in the house and that is all of it to me " * 10)])
    german = Dialogue([Turn("user", "das Haus steht seit vielen Jahren am selben Ort dort drüben " * 10)])
    short = Dialogue([Turn("user", "the house")])
    assert list(filtered([english, german, short, english], Filter(min_words=50))) == [english]
    assert len(list(filtered([english, german], Filter(min_words=50, language="any")))) == 2


def test_the_command_line_writes_annotates_splits_and_reports(tmp_path):
    run = CliRunner().invoke
    made = run(app, ["synthetic", str(tmp_path / "c"), "--train", "30", "--held-out", "5", "--far", "2", "--plain"])
    assert made.exit_code == 0, made.output
    assert len((tmp_path / "c/far.jsonl").read_text().splitlines()) == 2
    told = run(app, ["annotate", str(tmp_path / "c/train.jsonl"), str(tmp_path / "a.jsonl"), "--min-words", "1"])
    assert "30 annotated, 0 were there" in told.output
    again = run(app, ["annotate", str(tmp_path / "c/train.jsonl"), str(tmp_path / "a.jsonl"), "--min-words", "1"])
    assert "0 annotated, 30 were there" in again.output
    assert run(app, ["split", str(tmp_path / "a.jsonl"), str(tmp_path / "s"), "--interleaved"]).exit_code == 0
    assert (tmp_path / "s/test.jsonl").is_file()
    rows = [json.loads(line) for line in (tmp_path / "s/train.interleaved.jsonl").read_text().splitlines()]
    assert all("[DSL_START]" in row["text"] for row in rows)
    shown = run(app, ["show", str(tmp_path / "a.jsonl"), "--number", "3"])
    assert "[DSL_START] NEW |" in " ".join(shown.output.split())
    assert run(app, ["show", str(tmp_path / "a.jsonl"), "--number", "99"]).exit_code == 2
    assert "# Pilot annotation" in run(app, ["pilot", str(tmp_path / "a.jsonl")]).output
    missing = run(app, ["annotate", str(tmp_path / "no.txt"), str(tmp_path / "b.jsonl")])
    assert missing.exit_code == 2 and "there is no" in missing.output


def test_text_and_thoughts_are_interleaved_and_come_apart_again():
    dialogue = Dialogue(
        [Turn("user", "Hello. My dog is Rex. It rains."), Turn("assistant", "Fine.")],
        [Annotation("NEW", "the dog is Rex", 0, 18)],
    )
    text = interleave(dialogue)
    assert text == "user: Hello. My dog is Rex. [DSL_START] NEW | the dog is Rex [DSL_END] It rains.\nassistant: Fine."
    for seed in range(20):
        made = write_dialogue(seed, "train")
        plain, thoughts = separate(interleave(made))
        assert plain == "\n".join(f"{turn.speaker}: {turn.text}" for turn in made.turns)
        assert thoughts == [(a.type, a.summary) for a in made.annotations]
    with pytest.raises(AnnotationError, match="already"):
        interleave(Dialogue([Turn("user", "what is [DSL_END]?")]))


def test_the_corpus_needs_neither_torch_nor_the_models():
    code = """
import importlib, pkgutil, sys
sys.modules.update({"torch": None, "hf_duplex": None})
import dataset_builder.reflection as here
for module in pkgutil.iter_modules(here.__path__):
    if module.name != "__main__":
        importlib.import_module(f"{here.__name__}.{module.name}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_scripted_oracle_agrees_with_itself():
    rng = random.Random(0)
    dialogue = write_dialogue(rng.randint(0, 99), "train")
    done, facts = annotate(dialogue, ScriptedOracle(), ScriptedOracle(), verify=True)
    assert list(done.annotations) == list(dialogue.annotations)
    assert facts["labels"][0] == facts["labels"][1] and facts["discarded"] == 0
