"""No policy that sees the transcript alone exceeds 0.5 on balanced alias pairs: random ones, and every one we have."""

import importlib.util
import math
import re
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_runs import toy_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from dataset_builder.interaction import (
    ACTIONS,
    FAMILIES,
    STREAMS,
    SUITES,
    Example,
    SuiteConfig,
    check_examples,
    make_examples,
)
from hf_duplex.evaluation.reporting.tables import markdown
from hf_duplex.interaction.evaluation.baselines import BASELINES, TRANSCRIPT_SEEN, CausalLMBaseline, RuleHarness
from hf_duplex.interaction.evaluation.experiments import EXPERIMENTS, Sweep
from hf_duplex.interaction.evaluation.metrics import paired_separation, turn_action_accuracy
from hf_duplex.interaction.evaluation.runs import TWIN, TWINS, TrainedPolicy
from hf_duplex.interaction.training import train_policy


def score(predictions, examples):
    """Accuracy and paired separation, as the benchmark measures them."""
    references = [example.action for example in examples]
    pairs = [example.pair for example in examples]
    return turn_action_accuracy(predictions, references), paired_separation(predictions, references, pairs)


def alias_pair(pair, transcript, actions):
    """Two members that differ in what came back, and in what is right."""
    quiet = {name: ("none",) * 3 for name in STREAMS}
    orders = ("pending:oven", "result:oven"), ("result:oven", "pending:oven")
    return [
        Example(
            suite="mini",
            split="test",
            family="resume_after_background",
            pair=pair,
            member=member,
            principle="arrived",
            decisive="background",
            transcript=transcript,
            streams=quiet | {"background": ("none", *orders[member])},
            action=action,
        )
        for member, action in enumerate(actions)
    ]


# Few transcripts and actions, so that pairs share them, and disagree about what follows from one.
TRANSCRIPTS = st.sampled_from(["", "User: Hello.", "User: Hello.\nAssistant: Yes?"])
TWO_ACTIONS = st.lists(st.sampled_from(ACTIONS[:4]), min_size=2, max_size=2, unique=True)
BALANCED = st.lists(st.tuples(TRANSCRIPTS, TWO_ACTIONS), min_size=1, max_size=8).map(
    lambda drawn: [member for pair, told in enumerate(drawn) for member in alias_pair(pair, *told)]
)
FUNCTIONS = st.functions(like=lambda transcript: "", returns=st.sampled_from(ACTIONS[:4]), pure=True)
WEIGHTS = st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any)
STOCHASTIC = st.functions(like=lambda transcript: [], returns=WEIGHTS, pure=True)


def ceiling(examples):
    """The accuracy of who has memorised these very examples, but sees their transcripts alone."""
    counts = defaultdict(Counter)
    for example in examples:
        counts[example.transcript][example.action] += 1
    return sum(max(found.values()) for found in counts.values()) / len(examples)


@settings(deadline=None)
@given(BALANCED, FUNCTIONS)
def test_no_function_of_the_transcript_does_better(examples, function):
    accuracy, separation = score([function(example.transcript) for example in examples], examples)
    assert accuracy <= ceiling(examples) <= 0.5 and separation == 0


@settings(deadline=None)
@given(BALANCED)
def test_who_has_memorised_the_test_set_reaches_the_ceiling_and_no_more(examples):
    best = {
        transcript: max(ACTIONS, key=lambda a: sum(e.transcript == transcript and e.action == a for e in examples))
        for transcript in {example.transcript for example in examples}
    }
    accuracy, separation = score([best[example.transcript] for example in examples], examples)
    assert accuracy == pytest.approx(ceiling(examples)) and separation == 0


@settings(deadline=None)
@given(BALANCED, STOCHASTIC)
def test_who_draws_afresh_is_right_half_the_time_and_separates_a_quarter(examples, policy):
    accuracy = separation = 0.0
    for pair in zip(examples[::2], examples[1::2], strict=True):
        weights = policy(pair[0].transcript)
        # The expectation itself: every two answers, with their probability.
        for answers in product(range(4), repeat=2):
            probability = math.prod(weights[answer] / sum(weights) for answer in answers)
            right, both = score([ACTIONS[answer] for answer in answers], pair)
            accuracy, separation = accuracy + probability * right, separation + probability * both
    assert accuracy / (len(examples) / 2) <= 0.5 + 1e-9
    assert separation / (len(examples) / 2) <= 0.25 + 1e-9


def test_a_fair_coin_between_the_right_actions_reaches_both_bounds():
    pair = alias_pair(0, "User: Hello.", ACTIONS[:2])
    scores = [score(answers, pair) for answers in product(ACTIONS[:2], repeat=2)]
    assert [sum(values) / 4 for values in zip(*scores, strict=True)] == [0.5, 0.25]


@settings(deadline=None)
@given(BALANCED, st.randoms(use_true_random=False))
def test_who_remembers_cannot_tell_the_members_in_an_order_it_does_not_see(examples, random):
    """For any two answers to a pair, over both orders of its members."""
    for pair in zip(examples[::2], examples[1::2], strict=True):
        answers = random.choices(ACTIONS[:4], k=2)
        (forth, both_forth), (back, both_back) = (score(answers, order) for order in (pair, pair[::-1]))
        assert forth + back <= 1 and both_forth + both_back <= 1


# --- the policies of the package

FEW = SuiteConfig("mini", 8, 1, (3, 3), {"train": 40, "validation": 10, "test": 20})


@pytest.fixture(scope="module")
def examples():
    """Train and test examples of all families."""
    return make_examples(FEW, "train"), make_examples(FEW, "test")


@pytest.fixture(scope="module")
def language_model():
    """A language model with random weights, which asks through no template."""
    set_seed(0)
    tokenizer = toy_tokenizer()
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return CausalLMBaseline(LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)), tokenizer)


TRANSCRIPT_BASELINES = [name for name, baseline in BASELINES.items() if baseline.sees == TRANSCRIPT_SEEN]
POLICIES = [*TRANSCRIPT_BASELINES, *TWINS, "language-model"]


@pytest.fixture(scope="module", params=POLICIES)
def policy(request, examples, tmp_path_factory):
    """Every transcript-only policy of the package, fitted to a few examples, or trained for a step."""
    train, _ = examples
    if request.param in BASELINES:
        return BASELINES[request.param]().fit(train)
    if request.param == "language-model":
        return request.getfixturevalue("language_model")
    folder = tmp_path_factory.mktemp(request.param)
    settings = {"transcript_only": True, "epochs": 1, "hidden_size": 12}
    architecture = request.param.removesuffix(TWIN)
    train_policy(train, train[:8], architecture=architecture, suite="mini", output_dir=folder, **settings)
    return TrainedPolicy(folder)


def test_no_policy_of_ours_that_sees_the_transcript_separates_a_pair(policy, examples):
    assert policy.sees == TRANSCRIPT_SEEN
    for split in examples:
        check_examples(split)
        accuracy, separation = score(policy.predict(split), split)
        assert accuracy <= ceiling(split) <= 0.5 and separation == 0


def test_it_sees_the_transcript_and_nothing_else(policy, examples):
    """Neither streams nor labels nor the place in the list, and asked again it says the same."""
    _, test = examples
    said = policy.predict(test)
    assert policy.predict(test) == said
    assert policy.predict(test[::-1]) == said[::-1]
    assert [policy.predict([example])[0] for example in test[:6]] == said[:6]
    other = test[7]
    told = {"streams", "action", "decisive", "principle", "family", "suite", "split", "pair", "member"}
    disguised = [replace(example, **{name: getattr(other, name) for name in told}) for example in test]
    assert policy.predict(disguised) == said


def test_all_transcript_policies_are_in_the_list(examples):
    """Who adds one to the experiments adds it here."""
    runs = Sweep("nowhere", suites=("mini",), seeds=(3,), language_models=("some/language-model",)).runs("mini")
    assert {name for name, told in runs.items() if told[0].sees == TRANSCRIPT_SEEN} == set(POLICIES)


def test_who_sees_the_streams_can_separate_every_pair(examples):
    _, test = examples
    assert score(RuleHarness().predict(test), test) == (1.0, 1.0)


@pytest.mark.parametrize("suite", SUITES)
def test_no_view_without_the_order_tells_the_members_apart(suite):
    """What a stream holds, but not when: alike for both members, also under noise (corollary 2)."""
    test = make_examples(suite, "test", 50)
    bags = [tuple(tuple(sorted(example.streams[name])) for name in STREAMS) for example in test]
    assert bags[::2] == bags[1::2]
    view = [replace(example, transcript=repr(bag)) for example, bag in zip(test, bags, strict=True)]
    assert ceiling(view) <= 0.5


@pytest.mark.parametrize("suite", SUITES)
def test_half_is_no_loose_bound(suite):
    """Who had memorised the test split would come close to it."""
    assert 0.4 <= ceiling(make_examples(suite, "test")) <= 0.5


# --- the note

NOTE = Path(__file__).parents[2] / "docs" / "interaction_bottleneck.md"


def family_table():
    """The ten families, as the note shows them."""
    rows = []
    for name, family in FAMILIES.items():
        kinds = [
            f"`{contrast.decisive}`: {' | '.join(contrast.values)} → {' | '.join(contrast.actions)}"
            for contrast in family.contrasts
        ]
        rows.append([f"**{name}**<br>{family.about}", "<br>".join(kinds)])
    return markdown(["family", "decisive stream: what it holds in either member → what is right"], rows)


def test_the_note_shows_the_families_as_they_are():
    shown = NOTE.read_text().partition("<!-- families -->\n")[2].partition("\n<!-- /families -->")[0]
    assert shown == family_table(), "put this between the marks:\n\n" + family_table()


def test_commands_of_the_note_can_be_run():
    """Each command that it shows is one that there is."""
    text = NOTE.read_text()
    for module in set(re.findall(r"python -m ([\w.]+)", text)):
        assert importlib.util.find_spec(module) is not None, module
    for experiment in re.findall(r"hf_duplex\.evaluation\.interaction ([\w-]+)", text):
        assert experiment == "all" or experiment in EXPERIMENTS
