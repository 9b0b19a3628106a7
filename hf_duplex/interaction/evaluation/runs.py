"""
The runs of the interaction experiments: one method on one suite, trained with one seed, perhaps without a family. Each
leaves its predictions on the test split in a file of its own, and what it learnt in a folder of its own, so that an
interrupted sweep goes on from there, on as many processes as there are cores.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from transformers.utils.logging import disable_progress_bar

from dataset_builder.interaction import FAMILIES, STREAMS, SUITES, Example, make_examples

from ...record import write_json
from ..data import choose_actions
from ..modeling.configuration_policy import ARCHITECTURES
from ..modeling.modeling_policy import StreamPolicyForSequenceClassification
from ..training import train_policy
from .baselines import BASELINES, STREAMS_SEEN, TRANSCRIPT_SEEN, CausalLMBaseline, Policy
from .controls import CONTROLS, blank_stream
from .evidence import Evidence, hash_examples, hash_file
from .metrics import turn_action_accuracy


SEEDS = (3, 7, 11)
SPLITS = ("train", "validation", "test")
TWIN = "-transcript"
TWINS = tuple(f"{architecture}{TWIN}" for architecture in ("gru", "transformer"))
"""The relational policy has no twin: within one stream there are no relations."""

TRANSFERRING, HELD_OUT_SUITE = "relational", "hard"
"""The policy that is said to carry over to families that it has not seen, and the suite that they are left out of."""

TWIN_SAMPLES, TWIN_BATCH = 15_000, 128
"""How many examples a twin reads in training, and how many at once. There is a ceiling: it never ends early by being
perfect."""

SAME = 0.02
"""How far the accuracy of a policy may be off once it is loaded: ties may fall another way in other batches."""

POLICIES = (*ARCHITECTURES, *TWINS)


@dataclass(frozen=True)
class Settings:
    """
    What all runs of a folder of evidence have in common.

    Args:
        train_pairs, validation_pairs, test_pairs (`int`, *optional*): Pairs of each split; as many as the suite has
            where not given.
        data_seed (`int`, *optional*, defaults to 0): Of the examples.
        training (`dict`, *optional*): Arguments of [`train_policy`] that differ from its own.
    """

    train_pairs: int | None = None
    validation_pairs: int | None = None
    test_pairs: int | None = None
    data_seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def examples(self, suite: str, split: str) -> tuple[Example, ...]:
        """The examples of a split, made once in a process."""
        return _examples(suite, split, getattr(self, f"{split}_pairs"), self.data_seed)


@cache
def _examples(suite: str, split: str, num_pairs: int | None, seed: int) -> tuple[Example, ...]:
    return tuple(make_examples(suite, split, num_pairs, seed=seed))


class TrainedPolicy:
    """A policy from the folder where [`train_policy`] left it."""

    def __init__(self, folder: str | Path):
        self.model = StreamPolicyForSequenceClassification.from_pretrained(folder)
        self.sees = TRANSCRIPT_SEEN if self.model.config.streams == [TRANSCRIPT_SEEN] else STREAMS_SEEN

    @torch.inference_mode()
    def predict(self, examples: Sequence[Example]) -> list[str]:
        return choose_actions(self.model, examples)


@dataclass(frozen=True)
class Run:
    """
    One method on one suite.

    Args:
        suite (`str`): The suite.
        method (`str`): One of `POLICIES` or `BASELINES`, or the name of a language model.
        seed (`int`, *optional*): Of the training of a policy.
        held_out (`str`, *optional*): A family that is not trained on; it alone is tested then.
        language_model (`str`, *optional*): The folder, Hub name or .gguf file of a language model.

    Raises:
        ValueError: There is no such suite, method or family, or a policy has no seed.
    """

    suite: str
    method: str
    seed: int | None = None
    held_out: str | None = None
    language_model: str | None = None

    def __post_init__(self) -> None:
        if self.suite not in SUITES:
            raise ValueError(f"`suite` must be one of {', '.join(SUITES)}, got {self.suite!r}.")
        if self.held_out is not None and self.held_out not in FAMILIES:
            raise ValueError(f"`held_out` must be one of {', '.join(FAMILIES)}, got {self.held_out!r}.")
        if self.language_model is None and self.method not in (*POLICIES, *BASELINES):
            raise ValueError(f"`method` must be one of {', '.join((*POLICIES, *BASELINES))}, got {self.method!r}.")
        if self.trained and self.seed is None:
            raise ValueError(f"`seed` must be given for {self.method}: it is trained.")

    @property
    def trained(self) -> bool:
        return self.language_model is None and self.method in POLICIES

    @property
    def sees(self) -> str:
        """`"streams"`, or `"transcript"` for what sees that alone."""
        if self.trained:
            return TRANSCRIPT_SEEN if self.method.endswith(TWIN) else STREAMS_SEEN
        return TRANSCRIPT_SEEN if self.language_model else BASELINES[self.method].sees

    @property
    def name(self) -> str:
        seed = "" if self.seed is None else f"-seed{self.seed}"
        return f"{self.method}{seed}" + (f"-without-{self.held_out}" if self.held_out else "")

    @property
    def folder(self) -> str:
        """Where a trained policy lies, in a folder of evidence."""
        return f"policies/{self.suite}/{self.name}"

    @property
    def weights(self) -> str:
        return f"{self.folder}/model.safetensors"

    def file(self, what: str) -> str:
        """Where what was found of it lies, in a folder of evidence: `predictions`, `occlusion` or `controls`."""
        return f"{what}/{self.suite}/{self.name}.json"

    def examples(self, settings: Settings, split: str) -> tuple[Example, ...]:
        """What it is trained on, or, in `"test"`, tested on."""
        found = settings.examples(self.suite, split)
        if self.held_out is None:
            return found
        return tuple(example for example in found if (example.family == self.held_out) == (split == "test"))


Task = Callable[[Run, Settings, Path], None]
"""What is done with a run, in a folder of evidence; its file is there afterwards."""


def _policy(run: Run, settings: Settings, out: Path) -> tuple[Policy, dict[str, Any]]:
    """A policy that is ready to predict, trained first if it has not been, and facts about it."""
    if run.language_model is not None:
        model = CausalLMBaseline.from_pretrained(run.language_model)
        return model, {"parameters": model.model.num_parameters()}
    started = time.perf_counter()
    if not run.trained:
        baseline = BASELINES[run.method]().fit(run.examples(settings, "train"))
        return baseline, {"seconds": round(time.perf_counter() - started, 2)}
    folder = out / run.folder
    facts = folder / "training.json"
    if not facts.is_file():
        train = run.examples(settings, "train")
        training = dict(settings.training)
        if run.method.endswith(TWIN):
            training.setdefault("steps", math.ceil(TWIN_SAMPLES / TWIN_BATCH))
            training.setdefault("batch_size", TWIN_BATCH)
        train_policy(
            train,
            run.examples(settings, "validation"),
            architecture=run.method.removesuffix(TWIN),
            suite=run.suite,
            transcript_only=run.method.endswith(TWIN),
            seed=SEEDS[0] if run.seed is None else run.seed,
            output_dir=folder,
            **training,
        )
    policy = TrainedPolicy(folder)
    told = json.loads(facts.read_text())
    _check_loaded(policy, folder, told["eval_accuracy"], run.examples(settings, "validation"))
    return policy, {"parameters": policy.model.num_parameters(), "seconds": told["seconds"]}


def _check_loaded(policy: Policy, folder: Path, trained: float, validation: Sequence[Example]) -> None:
    """
    What is measured is what was saved, so that must be what was trained.

    Raises:
        ValueError: A policy is not as right on validation as it was when it had been trained.
    """
    right = turn_action_accuracy(policy.predict(validation), [example.action for example in validation])
    if abs(right - trained) > SAME:
        raise ValueError(
            f"{folder} holds a policy that is right in {right:.3f} of the validation examples; training.json says "
            f"{trained:.3f}. It is not saved or loaded as it was trained: delete the folder and train it anew."
        )


def play(run: Run, settings: Settings, out: Path) -> None:
    """Trains what has to be trained, and writes the predictions on the test split."""
    examples = run.examples(settings, "test")
    policy, facts = _policy(run, settings, out)
    found = {**asdict(run), "sees": policy.sees, "data": hash_examples(examples), **facts}
    write_json({**found, "predictions": policy.predict(examples)}, out / run.file("predictions"))


def occlude(run: Run, settings: Settings, out: Path) -> None:
    """Writes the accuracy of a trained policy with each stream blanked."""
    examples = run.examples(settings, "test")
    references, policy = [example.action for example in examples], TrainedPolicy(out / run.folder)
    found = {name: turn_action_accuracy(policy.predict(blank_stream(examples, name)), references) for name in STREAMS}
    write_json({"weights": hash_file(out / run.weights), "accuracy": found}, out / run.file("occlusion"))


REPEATS = 5
"""Draws of each control."""


def control(run: Run, settings: Settings, out: Path) -> None:
    """Writes the accuracy of a trained policy under each destructive control, one for each draw."""
    examples = run.examples(settings, "test")
    policy = TrainedPolicy(out / run.folder)
    found = {name: [make(policy, examples, seed) for seed in range(REPEATS)] for name, make in CONTROLS.items()}
    write_json({"weights": hash_file(out / run.weights), "accuracy": found}, out / run.file("controls"))


def _start() -> None:
    """What a worker does first: one thread, and no bars beside that of the sweep."""
    torch.set_num_threads(1)
    disable_progress_bar()


def _run_task(task: Task, run: Run, settings: Settings, out: Path) -> Run:
    task(run, settings, out)
    return run


def finish(
    what: str,
    task: Task,
    runs: Iterable[Run],
    settings: Settings,
    evidence: Evidence,
    num_workers: int = 1,
    progress: bool = True,
) -> None:
    """
    Does what has not been done yet, and enters it in the manifest.

    Args:
        what (`str`): The files that `task` leaves: see [`Run.file`].
        task (`Task`): [`play`], [`occlude`] or [`control`].
        runs (`Iterable[Run]`): The runs.
        settings (`Settings`): Of all of them.
        evidence (`Evidence`): Where it goes.
        num_workers (`int`, *optional*, defaults to 1): Processes, of one thread each.
        progress (`bool`, *optional*, defaults to `True`): Whether to draw a bar on standard error.

    Raises:
        ValueError: A file that is there does not match its hash.
    """
    runs = list(dict.fromkeys(runs))
    due = [run for run in runs if not _done(what, run, evidence)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
        line = bar.add_task(what, total=len(runs), completed=len(runs) - len(due))
        for run in _each(task, due, settings, evidence.folder, num_workers):
            if what == "predictions" and run.trained:
                folder = evidence.folder / run.folder
                evidence.enter(*(f"{run.folder}/{path.name}" for path in sorted(folder.iterdir()) if path.is_file()))
            evidence.enter(run.file(what))
            bar.update(line, advance=1, description=f"{what}: {run.suite} {run.name}")


def _each(task: Task, runs: Sequence[Run], settings: Settings, out: Path, num_workers: int) -> Iterable[Run]:
    """The runs, each as its task is done."""
    disable_progress_bar()
    if num_workers == 1 or len(runs) < 2:
        for run in runs:
            yield _run_task(task, run, settings, out)
        return
    with ProcessPoolExecutor(num_workers, get_context("spawn"), initializer=_start) as pool:
        futures = [pool.submit(_run_task, task, run, settings, out) for run in runs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _done(what: str, run: Run, evidence: Evidence) -> bool:
    """Whether a file is there that was made with these weights."""
    if run.trained:
        evidence.has(run.weights)
    if not evidence.has(run.file(what)):
        return False
    if what == "predictions":
        return not run.trained or evidence.has(run.weights)
    found = evidence.read(run.file(what))
    return bool(found["weights"] == evidence.manifest["files"].get(run.weights))
