"""The card of a built suite. All figures are counted in the examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..build.card import size_category
from .example import Example
from .families import FAMILIES
from .rules import PRINCIPLES
from .streams import ACTIONS, STREAMS
from .suite_config import SuiteConfig


TEMPLATE = Path(__file__).with_name("card_template.md")

COLUMNS = {
    "suite": "the suite",
    "split": "the split",
    "family": "the family of the pair",
    "pair": "number of the pair within the split",
    "member": "which of its two members this is, 0 or 1",
    "principle": "the rule that decides",
    "decisive": "the only stream in which the members differ",
    "transcript": "the flattened transcript, the same bytes for both members",
    "action": "what is right to do after the last tick",
    **{name: "a stream, one value a tick" for name in STREAMS},
}
"""What each column of a row holds, in the order of `Example.to_row`."""

_RULES = {
    "halt": "the assistant speaks, and the user shouts or raises a hand",
    "halt_forbidden": "it explains what the policy forbids",
    "barge_in": "it speaks, and the user speaks",
    "forbidden": "it was asked for, or is calling, what the policy forbids",
    "approval": "it is calling what needs approval that is not granted",
    "contradiction": "it said one thing, and another is shown, pointed at or found",
    "arrived": "what it waits for has come, or is granted",
    "failed": "what it waits for has failed",
    "due": "something is due, it listens or waits, and the user is quiet",
    "hesitation": "the user hesitates",
    "listening_in": "it listens, and the user pauses and looks here or nods",
    "asked": "it was asked, the user is quiet and points at nothing else",
    "asked_other": "it was asked about one thing, and the user points at another",
    "speaking_on": "it speaks",
    "allowed": "it is calling",
    "otherwise": "none of the above",
}


def render_card(suite: SuiteConfig, seed: int, splits: Mapping[str, Sequence[Example]]) -> str:
    """
    The text of a card, with metadata that lets `datasets.load_dataset` find every split.

    Raises:
        ModuleNotFoundError: `jinja2` or `huggingface_hub` is not installed.
    """
    import jinja2  # noqa: F401  # what fills the template; said here, huggingface_hub would raise something else
    from huggingface_hub import DatasetCard, DatasetCardData

    examples = [example for members in splits.values() for example in members]
    data = DatasetCardData(
        language="en",
        license="apache-2.0",
        pretty_name=f"Interaction bottleneck: {suite.name}",
        size_categories=size_category(len(examples)),
        task_categories=["other"],
        tags=["synthetic", "full-duplex", "turn-taking", "alias-pairs"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits],
            }
        ],
    )
    card = DatasetCard.from_template(
        data,
        template_path=str(TEMPLATE),
        name=suite.name,
        seed=seed,
        num_streams=len(STREAMS),
        rows=f"{len(examples):,}",
        pairs=f"{len(examples) // 2:,}",
        ticks=suite.ticks,
        history="one episode" if suite.history == 1 else f"{suite.history} episodes",
        things=suite.things,
        noise=_noise(suite),
        mistakes="the noise stands for" if suite.has_noise else "only the suite `noisy` stands for",
        before_noise=" of the timeline before noise" if suite.has_noise else "",
        sample=render_pair(*next(iter(splits.values()))[:2]),
        columns=_table(["column", "meaning"], [[f"`{name}`", told] for name, told in COLUMNS.items()]),
        streams=_table(["stream", "holds"], [[f"`{name}`", _holds(name)] for name in STREAMS]),
        splits=_table(
            ["split", "pairs", "examples"],
            [[f"`{name}`", f"{len(rows) // 2:,}", f"{len(rows):,}"] for name, rows in splits.items()],
        ),
        families=_table(
            ["family", "pairs", "about", "contrasts"],
            [
                [f"`{name}`", f"{_count(examples, name) // 2:,}", FAMILIES[name].about, _contrasts(name)]
                for name in FAMILIES
            ],
        ),
        actions=_actions(examples),
        principles=_principles(examples),
    )
    return str(card)


def _noise(suite: SuiteConfig) -> str:
    if not suite.has_noise:
        return "no noise"
    return (
        f"each value of each tick replaced with probability {suite.replace:g} and lost with {suite.drop:g}, each "
        f"change late with {suite.late:g}"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)


def _holds(name: str) -> str:
    plain, about = STREAMS[name]
    return ", ".join(f"`{kind}`" for kind in (*plain, *(f"{kind}:THING" for kind in about)))


def _count(examples: Sequence[Example], family: str) -> int:
    return sum(example.family == family for example in examples)


def _contrasts(family: str) -> str:
    told = (f"`{' / '.join(each.values)}`: {' / '.join(each.actions)}" for each in FAMILIES[family].contrasts)
    return "; ".join(dict.fromkeys(told))


def _actions(examples: Sequence[Example]) -> str:
    counts = Counter((example.action, example.family) for example in examples)
    rows = [[f"`{action}`", *(f"{counts[action, family]:,}" for family in FAMILIES)] for action in ACTIONS]
    return _table(["action", *(f"`{family}`" for family in FAMILIES)], rows)


def _principles(examples: Sequence[Example]) -> str:
    counts = Counter(example.principle for example in examples)
    families = {(example.principle, example.family) for example in examples}
    rows = [
        [f"`{name}`", _RULES[name], action, f"{counts[name]:,}", str(sum(each == name for each, _ in families))]
        for name, (action, _) in PRINCIPLES.items()
    ]
    return _table(["principle", "holds when", "action", "examples", "families"], rows)


def render_pair(first: Example, second: Example) -> str:
    """A pair for the eye: the transcript, then what the streams hold, runs of a value told once."""
    width = max(map(len, STREAMS)) + 2
    shared = [f"{name:{width}}{_runs(first.streams[name])}" for name in STREAMS if name != first.decisive]
    members = [
        f"{each.decisive:{width}}{_runs(each.streams[each.decisive])} -> {each.action}" for each in (first, second)
    ]
    return "\n".join([first.transcript, "", *shared, "", *members])


def _runs(values: Sequence[str]) -> str:
    runs: list[list[str]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(f"{run[0]} x{len(run)}" for run in runs)
