"""Cases depend on what was said, not on who said it, and are kept as soon as they are known."""

import pytest

from dataset_builder import Builder, BuilderConfig
from hf_duplex.evaluation import Transcript
from hf_duplex.evaluation.benchmarks.cases import CaseFile, score, token_places
from hf_duplex.evaluation.contestants.models import Scripted


SAMPLES = [sample for sample in Builder(BuilderConfig()).samples(30) if sample.updates][:12]


def gold(sample):
    return Transcript([], sample.target, [update["position"] for update in sample.updates], True)


def silent(sample):
    return Transcript([], "", [0] * len(sample.updates), False)


@pytest.mark.parametrize("say", [gold, silent])
def test_the_same_text_gets_the_same_case(say):
    ours, theirs = (
        [
            score(sample, said, contestant.name)
            for sample, said in zip(SAMPLES, contestant.converse(SAMPLES, 400), strict=True)
        ]
        for contestant in (Scripted("ours", say, "duplex_workspace", 7), Scripted("theirs", say, "llama", 8))
    )
    assert ours != theirs
    assert [case | {"model": ""} for case in ours] == [case | {"model": ""} for case in theirs]


def test_silence_is_a_failure():
    for sample in SAMPLES:
        counts = score(sample, silent(sample))["counts"]
        assert counts["coherent"] == counts["revised_right"] == counts["answers_right"] == counts["kept"] == 0
        assert counts["answers_unread"] == counts["answers"]


def test_tokens_are_words_and_marks():
    assert token_places("It is 3 * a.<eos> No") == [0, 2, 5, 7, 9, 11, 12, 17]


def test_cases_survive_an_interruption(tmp_path):
    path = tmp_path / "some.cases.jsonl"
    found = [score(sample, gold(sample), "ours") for sample in SAMPLES[:3]]
    CaseFile(path, {"seed": 0}).add(found)
    path.write_text(path.read_text()[:-20])  # the last line was cut short
    again = CaseFile(path, {"seed": 0})
    assert again.of("ours", "train") == found[:2]
    again.add(found[2:])
    assert CaseFile(path, {"seed": 0}).of("ours", "train") == found
    with pytest.raises(ValueError, match="cases of other settings"):
        CaseFile(path, {"seed": 1})
