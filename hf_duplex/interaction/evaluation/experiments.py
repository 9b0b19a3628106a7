"""
The experiments of the interaction benchmark: who can tell what to do, from the streams and from the transcript.

    python -m hf_duplex.interaction all --out results/interaction
    python -m hf_duplex.interaction in-distribution --suite mini --seed 3 --out results/mini
    python -m hf_duplex.interaction all --language-model HuggingFaceTB/SmolLM2-135M-Instruct

Each experiment writes one JSON file, and trains and plays what it needs first; what is there is used again. Every file
is entered in `manifest.json` with its hash, and refused once it was changed.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from dataset_builder.interaction import FAMILIES, STREAMS, SUITES

from ...evaluation.metrics.statistics import PERMUTATIONS, RESAMPLES, Case, holm, paired_difference, ratio
from ...evaluation.reporting.tables import markdown
from ...record import command_line, describe_commit, describe_machine, describe_versions
from ..modeling.configuration_policy import ARCHITECTURES
from .baselines import BASELINES, TRANSCRIPT_SEEN
from .controls import CONTROLS
from .evidence import COMMAND, FORMAT, Evidence, hash_examples
from .metrics import expected_after_permutation, pair_cases, score, turn_action_accuracy
from .runs import (
    HELD_OUT_SUITE,
    REPEATS,
    SEEDS,
    SPLITS,
    TRANSFERRING,
    TWINS,
    Run,
    Settings,
    control,
    finish,
    occlude,
    play,
)


NOTE = (
    "Not the data of the prior art: suites, families and pairs are this package's own, so its numbers and these are "
    "not of the same examples."
)
CEILING = 0.5
"""No transcript-only policy can expect more on balanced alias pairs; see docs/interaction_bottleneck.md."""

REFERENCE = "majority"


@dataclass(frozen=True)
class Sweep:
    """
    What the experiments run over.

    Args:
        out (`str` or `Path`): The folder of evidence.
        suites (`tuple[str, ...]`, *optional*): Defaults to all three.
        held_out_suites (`tuple[str, ...]`, *optional*, defaults to `("hard",)`): Where families are left out.
        held_out_architectures (`tuple[str, ...]`, *optional*, defaults to `("relational",)`): Policies that are
            trained without a family; by default the one that is said to carry over.
        seeds (`tuple[int, ...]`, *optional*, defaults to `(3, 7, 11)`): Of trainings.
        architectures (`tuple[str, ...]`, *optional*): Policies that see the streams.
        twins (`tuple[str, ...]`, *optional*): Policies that see the transcript alone.
        families (`tuple[str, ...]`, *optional*): Those that are left out, one at a time.
        language_models (`tuple[str, ...]`, *optional*): Folders, Hub names or .gguf files.
        settings (`Settings`, *optional*): Sizes of the splits and training.
        num_workers (`int`, *optional*, defaults to 1): Processes, of one thread each.
        progress (`bool`, *optional*, defaults to `True`): Whether to draw bars on standard error.
    """

    out: str | Path
    suites: tuple[str, ...] = tuple(SUITES)
    held_out_suites: tuple[str, ...] = (HELD_OUT_SUITE,)
    held_out_architectures: tuple[str, ...] = (TRANSFERRING,)
    seeds: tuple[int, ...] = SEEDS
    architectures: tuple[str, ...] = ARCHITECTURES
    twins: tuple[str, ...] = TWINS
    families: tuple[str, ...] = tuple(FAMILIES)
    language_models: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    num_workers: int = 1
    progress: bool = True

    def runs(self, suite: str, held_out: str | None = None) -> dict[str, list[Run]]:
        """The runs of each method on a suite: one for each seed, where something is trained."""
        policies = (*self.architectures, *self.twins) if held_out is None else self.held_out_architectures
        found = {method: [Run(suite, method, seed, held_out) for seed in self.seeds] for method in policies}
        found |= {method: [Run(suite, method, held_out=held_out)] for method in BASELINES}
        if held_out is None:
            # Nothing is trained, so that no family is left out: they are played once.
            for spec in self.language_models:
                name = Path(spec).stem if spec.endswith(".gguf") else Path(spec).name
                found[name] = [Run(suite, name, language_model=spec)]
        return found

    def policies(self, suite: str) -> dict[str, list[Run]]:
        """Those that are trained and see the streams."""
        runs = self.runs(suite)
        return {method: runs[method] for method in self.architectures}


class Bench:
    """A sweep with its folder of evidence, and what its runs predicted."""

    def __init__(self, sweep: Sweep):
        self.sweep, self.evidence = sweep, Evidence(sweep.out)
        self._hashes: dict[tuple[str, str | None], str] = {}
        self.evidence.keep_to({**asdict(sweep.settings), "training": dict(sweep.settings.training)})

    def finish(self, what: str, task: Callable[[Run, Settings, Path], None], runs: Sequence[Run]) -> None:
        """See [`interaction_runs.finish`]; the data are held against their hashes first."""
        for suite in dict.fromkeys(run.suite for run in runs):
            for split in SPLITS:
                self.evidence.keep_data(f"{suite}/{split}", self.sweep.settings.examples(suite, split))
        finish(what, task, runs, self.sweep.settings, self.evidence, self.sweep.num_workers, self.sweep.progress)

    def read(self, run: Run) -> dict[str, Any]:
        """What a run predicted, and facts about it."""
        found = self.evidence.read(run.file("predictions"))
        if found["data"] != self._hash(run):
            raise ValueError(
                f"{self.evidence.folder / run.file('predictions')} holds predictions on other examples than those of "
                f"{run.suite} now: choose another folder, and run everything on the new data."
            )
        return found

    def _hash(self, run: Run) -> str:
        key = run.suite, run.held_out
        if key not in self._hashes:
            self._hashes[key] = hash_examples(run.examples(self.sweep.settings, "test"))
        return self._hashes[key]

    def cases(self, runs: Sequence[Run]) -> list[list[Case]]:
        """For each run, the counts of its pairs."""
        return [pair_cases(self.read(run)["predictions"], run.examples(self.sweep.settings, "test")) for run in runs]

    def score(self, run: Run) -> dict[str, Any]:
        """The metrics of a run."""
        return score(self.read(run)["predictions"], run.examples(self.sweep.settings, "test"))

    def write(self, experiment: str, settings: Mapping[str, Any], suites: Mapping[str, Any]) -> dict[str, Any]:
        """Writes the results of an experiment, with where and how they were made."""
        results: dict[str, Any] = {
            "format": FORMAT,
            "benchmark": "interaction",
            "experiment": experiment,
            "note": NOTE,
            "command": command_line(),
            "commit": describe_commit(),
            "versions": describe_versions(),
            "machine": describe_machine(),
            "settings": {**self.evidence.manifest["settings"], **settings},
            "suites": suites,
        }
        self.evidence.write(f"{experiment}.json", results)
        return results


def _figures(cases: Sequence[Sequence[Case]]) -> dict[str, Any]:
    """Both metrics with their intervals, over training seeds and pairs."""

    def figure(part: str, whole: str) -> dict[str, Any]:
        parts, wholes = ([[case["counts"][name] for case in run] for run in cases] for name in (part, whole))
        return ratio(parts, wholes)

    return {
        "turn_action_accuracy": figure("right", "examples"),
        "paired_separation": figure("separated", "pairs"),
    }


def _seed(run: Run) -> str:
    """The key of a run in results; what is not trained has no seed."""
    return "none" if run.seed is None else str(run.seed)


def in_distribution(sweep: Sweep) -> dict[str, Any]:
    """
    Every method on the test split of each suite, trained on its train split.

    Returns:
        `suites`: for each `data` (hash and number of pairs) and `methods`: what each `sees`, both metrics as figures
        (see [`ratio`]), and `runs`, the metrics of each seed with `parameters` and `seconds` of training.
    """
    bench = Bench(sweep)
    suites: dict[str, Any] = {}
    bench.finish("predictions", play, [r for s in sweep.suites for runs in sweep.runs(s).values() for r in runs])
    for suite in sweep.suites:
        methods: dict[str, Any] = {}
        for method, runs in sweep.runs(suite).items():
            told: dict[str, Any] = {}
            for run in runs:
                facts = bench.read(run)
                known = {name: facts[name] for name in ("parameters", "seconds") if name in facts}
                told[_seed(run)] = {**bench.score(run), **known}
            methods[method] = {"sees": runs[0].sees, **_figures(bench.cases(runs)), "runs": told}
        test = sweep.settings.examples(suite, "test")
        data = {"sha256": bench.evidence.manifest["data"][f"{suite}/test"], "pairs": len(test) // 2}
        suites[suite] = {"data": data, "ceiling": CEILING, "methods": methods}
    return bench.write("in_distribution", {"seeds": sweep.seeds, "resamples": RESAMPLES}, suites)


def leave_one_family_out(sweep: Sweep) -> dict[str, Any]:
    """
    Every method on each family that it was not trained on.

    Returns:
        `suites`: for each `families`: by family and method, the mean over seeds of both metrics and the accuracy of
        each seed, and the `best_transcript` baseline; `methods`: by method, the mean over families, and in which of
        them it is not above that baseline (`not_above`).
    """
    bench = Bench(sweep)
    suites: dict[str, Any] = {}
    wanted = {
        (suite, family): sweep.runs(suite, family) for suite in sweep.held_out_suites for family in sweep.families
    }
    asked = {suite: sweep.runs(suite) for suite in sweep.held_out_suites}
    runs = [run for methods in wanted.values() for found in methods.values() for run in found]
    runs += [run for methods in asked.values() for found in methods.values() for run in found if run.language_model]
    bench.finish("predictions", play, runs)
    for suite in sweep.held_out_suites:
        families: dict[str, Any] = {}
        for family in sweep.families:
            methods = {method: _over_seeds(bench, found) for method, found in wanted[suite, family].items()}
            for method, found in asked[suite].items():
                if found[0].language_model:
                    methods[method] = _of_family(bench, found[0], family)
            transcript = {name: told for name, told in methods.items() if told["sees"] == TRANSCRIPT_SEEN}
            best = max(transcript, key=lambda name: transcript[name]["turn_action_accuracy"])
            told = {"method": best, "turn_action_accuracy": transcript[best]["turn_action_accuracy"]}
            families[family] = {"best_transcript": told, "methods": methods}
        suites[suite] = {"ceiling": CEILING, "families": families, "methods": _over_families(families)}
    return bench.write("leave_one_family_out", {"seeds": sweep.seeds, "families": sweep.families}, suites)


def _over_seeds(bench: Bench, runs: Sequence[Run]) -> dict[str, Any]:
    scores = {_seed(run): bench.score(run) for run in runs}
    found: dict[str, Any] = {"sees": runs[0].sees}
    for metric in ("turn_action_accuracy", "paired_separation"):
        found[metric] = sum(told[metric] for told in scores.values()) / len(scores)
    return found | {"runs": {seed: told["turn_action_accuracy"] for seed, told in scores.items()}}


def _of_family(bench: Bench, run: Run, family: str) -> dict[str, Any]:
    """The metrics of a run that nothing was left out of, on one family."""
    examples, predictions = run.examples(bench.sweep.settings, "test"), bench.read(run)["predictions"]
    told = [(action, example) for action, example in zip(predictions, examples) if example.family == family]
    scores = score([action for action, _ in told], [example for _, example in told])
    return {"sees": run.sees, **{name: scores[name] for name in ("turn_action_accuracy", "paired_separation")}}


def _over_families(families: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for method, told in next(iter(families.values()))["methods"].items():
        row: dict[str, Any] = {"sees": told["sees"]}
        for metric in ("turn_action_accuracy", "paired_separation"):
            row[f"mean_{metric}"] = sum(f["methods"][method][metric] for f in families.values()) / len(families)
        row["not_above"] = [
            name
            for name, f in families.items()
            if f["methods"][method]["turn_action_accuracy"] <= f["best_transcript"]["turn_action_accuracy"]
        ]
        found[method] = row
    return found


def occlusion(sweep: Sweep) -> dict[str, Any]:
    """
    Trained policies with one stream blanked, in turn.

    Returns:
        `suites`: by policy, `intact` accuracy, and by stream the accuracy left and the `drop`, means over seeds;
        `ranking`: streams by how much they are relied on.
    """
    bench = Bench(sweep)
    suites: dict[str, Any] = {}
    _train(bench)
    bench.finish("occlusion", occlude, [r for s in sweep.suites for runs in sweep.policies(s).values() for r in runs])
    for suite in sweep.suites:
        suites[suite] = {}
        for method, runs in sweep.policies(suite).items():
            intact = _mean([bench.score(run)["turn_action_accuracy"] for run in runs])
            found = [bench.evidence.read(run.file("occlusion"))["accuracy"] for run in runs]
            streams = {name: _drop(intact, [told[name] for told in found]) for name in STREAMS}
            ranking = sorted(STREAMS, key=lambda name: -streams[name]["drop"])
            suites[suite][method] = {"intact": intact, "streams": streams, "ranking": ranking}
    return bench.write("occlusion", {"seeds": sweep.seeds}, suites)


def controls(sweep: Sweep) -> dict[str, Any]:
    """
    Trained policies under each destructive control.

    Returns:
        `suites`: by policy, `intact` accuracy, and by control the accuracy left and the `drop`, means over seeds and
        draws; for labels also what is `expected`.
    """
    bench = Bench(sweep)
    suites: dict[str, Any] = {}
    _train(bench)
    bench.finish("controls", control, [r for s in sweep.suites for runs in sweep.policies(s).values() for r in runs])
    for suite in sweep.suites:
        suites[suite] = {}
        references = [example.action for example in sweep.settings.examples(suite, "test")]
        for method, runs in sweep.policies(suite).items():
            told = [bench.read(run)["predictions"] for run in runs]
            intact = _mean([turn_action_accuracy(predictions, references) for predictions in told])
            found = [bench.evidence.read(run.file("controls"))["accuracy"] for run in runs]
            dropped = {name: _drop(intact, [_mean(draws[name]) for draws in found]) for name in CONTROLS}
            dropped["labels"]["expected"] = _mean([expected_after_permutation(p, references) for p in told])
            suites[suite][method] = {"intact": intact, "controls": dropped}
    return bench.write("controls", {"seeds": sweep.seeds, "draws": REPEATS}, suites)


def _train(bench: Bench) -> None:
    """Trains and plays the policies that see the streams."""
    sweep = bench.sweep
    bench.finish("predictions", play, [r for s in sweep.suites for runs in sweep.policies(s).values() for r in runs])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _drop(intact: float, left: Sequence[float]) -> dict[str, Any]:
    """What is left of an accuracy, over seeds."""
    return {"turn_action_accuracy": _mean(left), "drop": intact - _mean(left), "runs": list(left)}


def significance(sweep: Sweep) -> dict[str, Any]:
    """
    Every method against the transcript majority, on the same pairs.

    Returns:
        `suites`: by method, what it `sees` and for both metrics the difference to the majority (see
        [`paired_difference`]): `value`, bootstrap `interval`, `p` of a permutation test that swaps the two in pairs,
        and `p_holm`, corrected for the number of methods of the suite.
    """
    bench = Bench(sweep)
    suites: dict[str, Any] = {}
    bench.finish("predictions", play, [r for s in sweep.suites for runs in sweep.runs(s).values() for r in runs])
    for suite in sweep.suites:
        cases = {method: bench.cases(runs) for method, runs in sweep.runs(suite).items()}
        methods: dict[str, Any] = {}
        for method, runs in sweep.runs(suite).items():
            if method != REFERENCE:
                methods[method] = {"sees": runs[0].sees, "against": REFERENCE}
        for metric, counts in (
            ("turn_action_accuracy", ("right", "examples")),
            ("paired_separation", ("separated", "pairs")),
        ):
            for method, told in methods.items():
                told[metric] = paired_difference(cases[method], cases[REFERENCE], *counts)
            for method, p in holm({method: told[metric]["p"] for method, told in methods.items()}).items():
                methods[method][metric]["p_holm"] = p
        suites[suite] = {"methods": methods}
    settings = {"seeds": sweep.seeds, "permutations": PERMUTATIONS, "resamples": RESAMPLES}
    return bench.write("significance", settings, suites)


def manifest(sweep: Sweep) -> dict[str, Any]:
    """
    Makes the data anew and holds them and every file against the hashes in `manifest.json`.

    Returns:
        The manifest.

    Raises:
        ValueError: Something does not match; the message names it, and what makes it anew.
    """
    bench = Bench(sweep)
    for split in bench.evidence.manifest["data"]:
        bench.evidence.keep_data(split, sweep.settings.examples(*split.split("/")))
    if not bench.evidence.check_all():
        raise ValueError(f"`--out`: {sweep.out} holds no evidence yet: run `{COMMAND} all --out {sweep.out}`.")
    return bench.evidence.manifest


EXPERIMENTS: dict[str, Callable[[Sweep], dict[str, Any]]] = {
    "in-distribution": in_distribution,
    "leave-one-family-out": leave_one_family_out,
    "occlusion": occlusion,
    "controls": controls,
    "significance": significance,
    "manifest": manifest,
}


def run_experiments(names: Sequence[str], sweep: Sweep) -> dict[str, dict[str, Any]]:
    """
    Runs experiments by name, `"all"` for every one, in the order of `EXPERIMENTS`. A whole sweep that began with an
    empty folder leaves its seconds in `sweep.json`.

    Raises:
        ValueError: There is no such experiment, or evidence does not match its hash.
    """
    for name in names:
        if name not in (*EXPERIMENTS, "all"):
            raise ValueError(f"`experiments` must be all or some of {', '.join(EXPERIMENTS)}, got {name!r}.")
    whole, started = "all" in names and not Evidence(sweep.out).manifest["files"], time.monotonic()
    found = {name: run(sweep) for name, run in EXPERIMENTS.items() if name in names or "all" in names}
    if whole:
        facts = {"format": FORMAT, "command": command_line(), "machine": describe_machine()}
        seconds = round(time.monotonic() - started, 1)
        Bench(sweep).evidence.write("sweep.json", {**facts, "num_workers": sweep.num_workers, "seconds": seconds})
    return found


def interaction_table(results: Mapping[str, Any]) -> str:
    """The results of [`in_distribution`] or [`leave_one_family_out`] as a Markdown table."""
    rows, suites = [], results["suites"]
    methods = list(dict.fromkeys(method for told in suites.values() for method in told["methods"]))
    for method in methods:
        cells, sees = [], ""
        for told in suites.values():
            found = told["methods"].get(method)
            if found is None:
                cells += ["–", "–"]
                continue
            sees = found["sees"]
            for metric in ("turn_action_accuracy", "paired_separation"):
                value = found[f"mean_{metric}"] if f"mean_{metric}" in found else found[metric]["value"]
                cells.append(f"{value:.3f}")
        rows.append([method, sees, *cells])
    head = ["method", "sees"] + [f"{suite} {metric}" for suite in suites for metric in ("TAA", "separation")]
    return markdown(head, rows)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
Several = list[str] | None


@app.command()
def interaction(
    experiments: Annotated[
        list[str], typer.Argument(help=f"all, or some of {', '.join(EXPERIMENTS)}.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder of evidence; an interrupted sweep goes on in it.")] = Path(
        "results/interaction"
    ),
    suite: Annotated[Several, typer.Option(help="May be repeated.", show_default=", ".join(SUITES))] = None,
    held_out_suite: Annotated[
        Several,
        typer.Option(
            "--held-out-suite", help="Where families are left out; may be repeated.", show_default=HELD_OUT_SUITE
        ),
    ] = None,
    held_out_architecture: Annotated[
        Several,
        typer.Option(
            "--held-out-architecture",
            help="What is trained without a family; may be repeated.",
            show_default=TRANSFERRING,
        ),
    ] = None,
    family: Annotated[
        Several, typer.Option(help="Family to leave out; may be repeated.", show_default="all ten")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Of a training; may be repeated.", show_default="3, 7, 11")
    ] = None,
    architecture: Annotated[
        Several, typer.Option(help="May be repeated.", show_default=", ".join(ARCHITECTURES))
    ] = None,
    language_model: Annotated[
        Several,
        typer.Option("--language-model", help="Folder, Hub name or .gguf file of a causal LM; may be repeated."),
    ] = None,
    train_pairs: Annotated[
        int | None, typer.Option(min=1, help="For a try.", show_default="those of the suite")
    ] = None,
    test_pairs: Annotated[
        int | None, typer.Option(min=1, help="For a try.", show_default="those of the suite")
    ] = None,
    num_workers: Annotated[
        int | None,
        typer.Option("--num-workers", "--num_workers", min=1, help="Processes.", show_default="all cores"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Run experiments on alias pairs: who can tell what to do, from the streams and from the transcript.

    Each writes one JSON file, and trains and plays what it needs first; what
    is there is used again. Every file is entered in manifest.json with its
    hash, and refused once it was changed.

    [bold]Examples[/]

    [cyan]python -m hf_duplex.interaction all --out results/interaction[/]

    [cyan]python -m hf_duplex.interaction in-distribution --suite mini --seed 3 --out results/mini[/]

    [cyan]python -m hf_duplex.interaction all --language-model HuggingFaceTB/SmolLM2-135M-Instruct[/]
    """
    chosen: dict[str, Any] = {
        "suites": suite,
        "held_out_suites": held_out_suite,
        "held_out_architectures": held_out_architecture,
        "families": family,
        "seeds": seed,
        "architectures": architecture,
        "language_models": language_model,
    }
    sweep = Sweep(
        out,
        settings=Settings(train_pairs=train_pairs, test_pairs=test_pairs),
        num_workers=num_workers or os.cpu_count() or 1,
        progress=not quiet,
        **{name: tuple(values) for name, values in chosen.items() if values},
    )
    for name, results in run_experiments(experiments, sweep).items():
        if name in ("in-distribution", "leave-one-family-out"):
            typer.echo(f"\n{name}\n\n{interaction_table(results)}")


if __name__ == "__main__":
    app()
