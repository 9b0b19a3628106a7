"""Made-up models with known behaviour: every metric gives the score worked out by hand."""

import pytest
from hand_made import CONFIRMED, CORRECTED, CUSCO, DISTRUSTED, LIMA, PESO, QUITO, WAIT

from dataset_builder import FAMILIES, Builder, BuilderConfig, split_config
from hf_duplex.evaluation.benchmarks.cases import token_places
from hf_duplex.evaluation.metrics.judging import JudgedText
from hf_duplex.evaluation.metrics.revision import LOWER_IS_BETTER, RATIOS, all_counts, latencies


COUNTS = (
    ("revised", "revised_right"),
    ("claims_after", "contradictions", "contradictions_before", "contradictions_after"),
    ("coherent",),
    ("stale_said", "recovered"),
    ("unaffected", "kept"),
    ("harmless", "over_revised"),
    ("answers", "answers_right", "answers_unread"),
)
ECHO = " Actually, the capital of Chile is Cusco."
AGAIN = " Wait, the capital of Chile is Lima."

# What is said before the update, and after it; whether it ends; the counts in the order above; latencies.
TABLE = {
    "always new": (
        CORRECTED,
        "",
        CUSCO + PESO,
        1,
        ((1, 1), (1, 0, 0, 0), (1,), (0, 0), (1, 1), (0, 0), (2, 2, 0)),
        [0],
    ),
    "always old": (
        *(CORRECTED, "", LIMA + PESO, 1),
        *(((1, 0), (1, 1, 1, 0), (1,), (0, 0), (1, 1), (0, 0), (2, 1, 0)), [None]),
    ),
    "old, then nothing": (
        *(CORRECTED, LIMA, PESO, 1),
        *(((1, 0), (0, 0, 0, 0), (1,), (1, 0), (1, 1), (0, 0), (2, 1, 0)), [None]),
    ),
    "repaired": (
        *(CORRECTED, LIMA, WAIT + PESO, 1),
        *(((1, 1), (1, 0, 0, 0), (1,), (1, 1), (1, 1), (0, 0), (2, 2, 0)), [0]),
    ),
    "repaired late": (  # behind another sentence: "The currency of Chile is the peso."
        *(CORRECTED, LIMA, PESO + WAIT, 1),
        *(((1, 1), (1, 0, 0, 0), (1,), (1, 0), (1, 1), (0, 0), (2, 2, 0)), [8]),
    ),
    "repaired twice": (
        *(CORRECTED, LIMA, WAIT + WAIT + PESO, 1),
        *(((2, 2), (2, 0, 0, 0), (1,), (1, 0), (1, 1), (0, 0), (2, 2, 0)), [0]),
    ),
    "both, the old one last": (
        *(CORRECTED, "", f"{CUSCO} {LIMA}{PESO}", 1),
        *(((2, 1), (2, 1, 0, 1), (1,), (0, 0), (1, 1), (0, 0), (2, 1, 0)), [0]),
    ),
    "both, the new one last": (  # late by ". The capital of Chile is Cusco"
        *(CORRECTED, "", f"{LIMA} {CUSCO}{PESO}", 1),
        *(((2, 1), (2, 1, 1, 0), (1,), (0, 0), (1, 1), (0, 0), (2, 2, 0)), [7]),
    ),
    "neither": (
        *(CORRECTED, "", QUITO + PESO, 1),
        *(((1, 0), (1, 0, 0, 0), (1,), (0, 0), (1, 1), (0, 0), (2, 1, 0)), [None]),
    ),
    "empty": (CORRECTED, "", "", 0, ((1, 0), (0, 0, 0, 0), (0,), (0, 0), (1, 0), (0, 0), (2, 0, 2)), [None]),
    "not to be read": (
        *(CORRECTED, "", "It is hard to say what is so.", 1),
        *(((1, 0), (0, 0, 0, 0), (0,), (0, 0), (1, 0), (0, 0), (2, 0, 2)), [None]),
    ),
    "echo alone": (
        *(CORRECTED, "", ECHO, 1),
        *(((1, 1), (1, 0, 0, 0), (1,), (0, 0), (1, 0), (0, 0), (2, 1, 1)), [0]),
    ),
    "echo over and over": (  # a loop, and no repair: late by "Actually, the capital of Chile is"
        *(CORRECTED, LIMA, ECHO * 3 + PESO, 1),
        *(((3, 3), (3, 0, 0, 0), (0,), (1, 0), (1, 1), (0, 0), (2, 2, 0)), [7]),
    ),
    "ramble without end": (
        *(CORRECTED, "", f"{CUSCO}{PESO} And so it goes on and on and on and on and on and", 0),
        *(((1, 1), (1, 0, 0, 0), (0,), (0, 0), (1, 1), (0, 0), (2, 2, 0)), [0]),
    ),
    "forgets what was not affected": (
        *(CORRECTED, LIMA, WAIT, 1),
        *(((1, 1), (1, 0, 0, 0), (1,), (1, 1), (1, 0), (0, 0), (2, 1, 1)), [0]),
    ),
    "ignores the distrusted": (
        *(DISTRUSTED, LIMA, PESO, 1),
        *(((0, 0), (0, 0, 0, 0), (1,), (0, 0), (2, 2), (1, 0), (2, 2, 0)), []),
    ),
    "obeys the distrusted": (
        *(DISTRUSTED, LIMA, WAIT + PESO, 1),
        *(((0, 0), (0, 0, 0, 0), (1,), (0, 0), (2, 1), (1, 1), (2, 1, 0)), []),
    ),
    "obeys the distrusted without a repair": (
        *(DISTRUSTED, "", CUSCO + PESO, 1),
        *(((0, 0), (0, 0, 0, 0), (1,), (0, 0), (2, 1), (1, 1), (2, 1, 0)), []),
    ),
    "repairs without cause": (
        *(CONFIRMED, LIMA, AGAIN + PESO, 1),
        *(((0, 0), (0, 0, 0, 0), (1,), (0, 0), (2, 1), (1, 1), (2, 2, 0)), []),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_made_up_model_gets_the_score_worked_out_by_hand(name):
    row, before, after, ended, expected, late = TABLE[name]
    text = before + after + ("<eos>" if ended else "")
    hearing = JudgedText(row, text, [len(before)], bool(ended))
    counts = all_counts(hearing)
    assert tuple(tuple(counts[name] for name in names) for names in COUNTS) == expected
    assert latencies(hearing, token_places(text)) == late


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("split", ["train", "adversarial", "distractor"])
def test_gold_texts_score_full_marks(family, split):
    config = split_config(BuilderConfig(families=(family,)), split)
    for sample in Builder(config).samples(12):
        places = [update["position"] for update in sample.updates]
        counts = all_counts(JudgedText(sample.to_row(), sample.target, places, True))
        for metric, (part, whole) in RATIOS.items():
            assert counts[part] == (0 if metric in LOWER_IS_BETTER else counts[whole]), (metric, sample.index)


def test_every_count_of_a_ratio_is_counted():
    counts = all_counts(JudgedText(CORRECTED, CUSCO, [0], True))
    assert {name for names in RATIOS.values() for name in names} <= set(counts)
