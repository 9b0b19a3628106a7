"""
What is claimed of the interaction benchmark, each claim with the place of its evidence: the targets, and what the
theorem in docs/interaction_bottleneck.md foretells.

What the prior art (nanoIM) reports is told beside a claim. It was measured on other data; only the question is the
same.
"""

from collections.abc import Iterator
from functools import partial

from dataset_builder.interaction import FAMILIES, SUITES

from ..modeling.configuration_policy import ARCHITECTURES
from .baselines import BASELINES, TRANSCRIPT_SEEN
from .claim import Claim
from .evidence import COMMAND
from .runs import HELD_OUT_SUITE, SEEDS, TRANSFERRING, TWINS


IN_DISTRIBUTION, HELD_OUT = "in_distribution.json", "leave_one_family_out.json"

LANGUAGE_MODEL = "SmolLM2-135M-Instruct"

# In paths: all of these have to be there.
_SUITES, _POLICIES = "|".join(SUITES), "|".join(ARCHITECTURES)
_SEEDS = "|".join(map(str, SEEDS))

_FITTED = [name for name, baseline in BASELINES.items() if baseline.sees == TRANSCRIPT_SEEN]
_TRANSCRIPT_RUNS = len(SUITES) * (len(_FITTED) + len(TWINS) * len(SEEDS))

HELD_OUT_MEAN, HELD_OUT_EACH = "held-out-mean", "held-out-each-family"

_METRICS = {"turn_action_accuracy": "accuracy", "paired_separation": "separation"}
_IN_WORDS = {"turn_action_accuracy": "turn-action accuracy", "paired_separation": "paired separation"}
_CONTROLS = {
    "timing": (0.55, "0.600", "Ticks in random order lower"),
    "streams": (0.65, "0.681", "Critical streams of another example lower"),
    "labels": (0.75, "0.803", "Permuted labels lower"),
}


def _command(experiment: str, options: str = "") -> str:
    return f"{COMMAND} {experiment}{options}"


def _in_distribution() -> Iterator[Claim]:
    for suite in SUITES:
        exact = suite != "noisy"
        for metric, short in _METRICS.items():
            yield Claim(
                id=f"{suite}-{short}",
                sentence=f"Each policy that sees the streams has, with each of three seeds, a {_IN_WORDS[metric]} of "
                f"{'1.000' if exact else 'at least 0.97'} on the test split of {suite}.",
                file=IN_DISTRIBUTION,
                path=f"suites/{suite}/methods/{_POLICIES}/runs/{_SEEDS}/{metric}",
                comparison="==" if exact else ">=",
                threshold=1.0 if exact else 0.97,
                command=_command("in-distribution"),
                at_least=len(ARCHITECTURES) * len(SEEDS),
                prior="1.000 ± 0.000",
            )


def _transcript() -> Iterator[Claim]:
    claim = partial(Claim, file=IN_DISTRIBUTION, command=_command("in-distribution"))
    yield claim(
        id="transcript-separation",
        sentence="No transcript-only policy separates a pair: majority, n-gram, logistic, the twins of the policies.",
        path=f"suites/{_SUITES}/methods/*[sees=transcript]/runs/*/paired_separation",
        comparison="==",
        threshold=0.0,
        at_least=_TRANSCRIPT_RUNS,
        prior="0.000",
    )
    yield claim(
        id="transcript-ceiling",
        sentence="No transcript-only policy has a turn-action accuracy above 0.5.",
        path=f"suites/{_SUITES}/methods/*[sees=transcript]/runs/*/turn_action_accuracy",
        comparison="<=",
        threshold=0.5,
        at_least=_TRANSCRIPT_RUNS,
        prior="at or below 0.50",
    )
    yield Claim(
        id="language-model-separation",
        sentence=f"A pretrained language model ({LANGUAGE_MODEL}) that reads the transcript separates no pair.",
        file=IN_DISTRIBUTION,
        path=f"suites/{_SUITES}/methods/{LANGUAGE_MODEL}*/runs/*/paired_separation",
        comparison="==",
        threshold=0.0,
        command=_command("in-distribution", f" --language-model {LANGUAGE_MODEL}"),
        at_least=len(SUITES),
        prior="0.000, seven language models",
    )
    yield Claim(
        id="held-out-transcript-separation",
        sentence="No transcript baseline separates a pair of a family that was held out.",
        file=HELD_OUT,
        path=f"suites/{HELD_OUT_SUITE}/families/*/methods/{'|'.join(_FITTED)}/paired_separation",
        comparison="==",
        threshold=0.0,
        command=_command("leave-one-family-out"),
        at_least=len(_FITTED) * len(FAMILIES),
    )
    yield claim(
        id="streams-suffice",
        sentence="The streams hold what decides: the rule harness, which learns nothing, is right without noise.",
        path="suites/mini|hard/methods/rules/runs/*/turn_action_accuracy",
        comparison="==",
        threshold=1.0,
        at_least=2,
    )


def _significance() -> Iterator[Claim]:
    yield Claim(
        id="significance",
        sentence="Each method that sees the streams is ahead of the transcript majority (paired permutation test, "
        "10,000 resamples).",
        file="significance.json",
        path=f"suites/{_SUITES}/methods/*[sees=streams]/turn_action_accuracy/p",
        comparison="<",
        threshold=1e-4,
        command=_command("significance"),
        # The rule harness is one of them.
        at_least=len(SUITES) * (len(ARCHITECTURES) + 1),
        prior="below 1e-4",
    )
    yield Claim(
        id="significance-direction",
        sentence="The whole 95 % interval of its lead lies above 0.",
        file="significance.json",
        path=f"suites/{_SUITES}/methods/*[sees=streams]/turn_action_accuracy/interval/0",
        comparison=">",
        threshold=0.0,
        command=_command("significance"),
        at_least=len(SUITES) * (len(ARCHITECTURES) + 1),
    )


def _controls() -> Iterator[Claim]:
    for control, (threshold, prior, words) in _CONTROLS.items():
        yield Claim(
            id=f"control-{control}",
            sentence=f"{words} the turn-action accuracy of each policy on each suite by at least {threshold}.",
            file="controls.json",
            path=f"suites/{_SUITES}/{_POLICIES}/controls/{control}/drop",
            comparison=">=",
            threshold=threshold,
            command=_command("controls"),
            at_least=len(SUITES) * len(ARCHITECTURES),
            prior=prior,
        )


def _held_out() -> Iterator[Claim]:
    claim = partial(Claim, file=HELD_OUT, command=_command("leave-one-family-out"))
    families = f"suites/{HELD_OUT_SUITE}/families"
    accuracy = "turn_action_accuracy"
    yield claim(
        id=HELD_OUT_MEAN,
        sentence=f"The {TRANSFERRING} policy has a mean turn-action accuracy of at least 0.70 on families that it was "
        "not trained on (ten families, three seeds).",
        path=f"{families}/*/methods/{TRANSFERRING}/runs/{_SEEDS}",
        comparison=">=",
        threshold=0.70,
        mean=True,
        at_least=len(FAMILIES) * len(SEEDS),
        prior="0.344 (GRU), 0.256 (Transformer), 0.300 (majority)",
    )
    yield claim(
        id=HELD_OUT_EACH,
        sentence=f"In each family that was held out, the {TRANSFERRING} policy (mean of three seeds) is above the "
        "best transcript baseline.",
        path=f"{families}/*/methods/{TRANSFERRING}/{accuracy}",
        against=f"{families}/{{0}}/best_transcript/{accuracy}",
        comparison=">",
        threshold=0.0,
        at_least=len(FAMILIES),
        prior="mean below the majority",
    )


def _speed() -> Iterator[Claim]:
    yield Claim(
        id="training-time",
        sentence="Training one policy takes less than 60 seconds on a processor.",
        file=IN_DISTRIBUTION,
        path=f"suites/{_SUITES}/methods/{_POLICIES}|{'|'.join(TWINS)}/runs/{_SEEDS}/seconds",
        comparison="<",
        threshold=60.0,
        command=_command("in-distribution"),
        at_least=len(SUITES) * len((*ARCHITECTURES, *TWINS)) * len(SEEDS),
        prior="about 6 s, on a laptop's GPU",
    )
    yield Claim(
        id="sweep-time",
        sentence="The whole sweep takes less than 20 minutes on two cores.",
        file="sweep.json",
        path="seconds",
        comparison="<",
        threshold=1200.0,
        command=_command("all"),
        prior="about 6 minutes for the held-out sweep of one policy",
    )


CLAIMS: tuple[Claim, ...] = tuple(
    claim
    for group in (_in_distribution, _transcript, _significance, _controls, _held_out, _speed)
    for claim in group()
)
