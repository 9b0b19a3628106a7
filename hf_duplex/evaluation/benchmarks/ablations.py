"""
The contribution of each part of a model: variants listed in a YAML file, each compared with the intact model on the
same samples.

    hf-duplex bench ablations examples/configs/ablations.yaml --out runs/ablations

A variant is an existing model, or one that is trained first; an interrupted run is resumed. Destructive controls must
lower the score: if one does not, the benchmark does not measure what it claims to.
"""

import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub.errors import StrictDataclassError

from ...modeling import InterruptError
from ...record import command_line, describe_commit, describe_machine, describe_versions, write_json
from ..metrics.revision import LOWER_IS_BETTER, RATIOS
from ..metrics.statistics import Case, breakdown, figures, holm, paired_difference
from ..reporting.plots import ablation_figure
from ..reporting.tables import ablation_table, metrics_table


FORMAT = 2
CONTROLS = "controls"
"""The group whose variants must lower the score."""

SIGNIFICANT = 0.05
MODES = ("deaf", "frozen", "restart", "shuffled", "late", "noise", "permuted", "relocated")
AT_LOAD = ("n_slots", "max_message_length", "message_separator_token_id", "sliding_window")
"""Configuration fields that no weight depends on (with `validity`), so that they may differ from training."""

Evaluate = Callable[[str, dict[str, Any]], Sequence[Case]]
"""Runs the samples on the contestant `PATH` or `PATH@MODE` with changed configuration fields: `(spec, config)`."""

Train = Callable[[Path, Path], None]
"""Trains a configuration file into a folder, resuming from a checkpoint in it: `(config, folder)`."""


@dataclass(frozen=True)
class Variant:
    """
    One row of an ablation.

    Args:
        name (`str`): Its name in table and figure.
        group (`str`): The part that it varies; those of `controls` must lower the score.
        model (`str` or `list[str]`, *optional*): A model folder, a Hub name, or the name of another variant; a list
            holds one for each training seed.
        train (`dict`, *optional*): Fields of `hf-duplex train` that differ from the base configuration.
        mode (`str`, *optional*): How the model is run: one of `MODES`.
        config (`dict`, *optional*): Fields of its configuration that differ when it is loaded: some of `AT_LOAD`.
        against (`str`, *optional*): The variant that it is compared with; by default the reference.
        metric (`str`, *optional*, defaults to `"revision_accuracy"`): The metric of the comparison.
        note (`str`, *optional*): A note for the reader of the table.
        open (`str`, *optional*): Why it cannot be run: the table lists it with that reason.
    """

    name: str
    group: str
    model: str | list[str] | None = None
    train: dict[str, Any] | None = None
    mode: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    against: str | None = None
    metric: str = "revision_accuracy"
    note: str = ""
    open: str | None = None

    def __post_init__(self) -> None:
        for name in ("name", "group"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise ValueError(f"`{name}` of a variant must be a text, got {getattr(self, name)!r}.")
        if sum(given is not None for given in (self.model, self.train, self.open)) != 1:
            raise ValueError(f"variant {self.name!r} must have one of `model`, `train` and `open`.")
        if self.mode is not None and self.mode not in MODES:
            raise ValueError(f"variant {self.name!r}: `mode` must be one of {', '.join(MODES)}, got {self.mode!r}.")
        if self.metric not in RATIOS:
            raise ValueError(
                f"variant {self.name!r}: `metric` must be one of {', '.join(RATIOS)}, got {self.metric!r}."
            )
        for name in ("train", "config"):
            if not isinstance(getattr(self, name), dict | None):
                raise ValueError(f"variant {self.name!r}: `{name}` must map fields to values.")
        unknown = [name for name in self.config if name not in AT_LOAD]
        if unknown:
            raise ValueError(
                f"variant {self.name!r}: `config` cannot change {', '.join(unknown)} after training; it can change "
                f"{', '.join(AT_LOAD)}. List other fields under `train`."
            )
        if not self.models and self.model is not None or not all(isinstance(model, str) for model in self.models):
            raise ValueError(f"variant {self.name!r}: `model` must be a name or a list of names, got {self.model!r}.")

    @property
    def models(self) -> list[str]:
        return [self.model] if isinstance(self.model, str) else list(self.model or [])

    @property
    def slug(self) -> str:
        """Its name as a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@dataclass(frozen=True)
class Plan:
    """
    The plan of an ablation.

    Args:
        reference (`str`): The variant that the others are compared with.
        variants (`tuple[Variant, ...]`): In the order of the table.
        base (`dict`, *optional*): The training configuration that `train` of a variant differs from.
        seeds (`tuple[int, ...]`, *optional*): Training seeds: each trained variant is trained with each of them.
    """

    reference: str
    variants: tuple[Variant, ...]
    base: dict[str, Any] | None = None
    seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        slugs = [variant.slug for variant in self.variants]
        twice = sorted(
            {variant.name for variant in self.variants if slugs.count(variant.slug) > 1 or not variant.slug}
        )
        if twice:
            raise ValueError(f"`variants` must have names whose letters and digits differ, got {', '.join(twice)}.")
        names = {variant.name: variant for variant in self.variants}
        for given, what in [(self.reference, "`reference`")] + [
            (variant.against, f"variant {variant.name!r}: `against`") for variant in self.variants if variant.against
        ]:
            if given not in names or names[given].open is not None:
                raise ValueError(f"{what} must be the name of a variant that is run, got {given!r}.")
        if self.base is None and any(variant.train is not None for variant in self.variants):
            raise ValueError("`base` must name a training configuration where a variant has `train`.")
        for variant in self.variants:
            for model in variant.models:
                if model in names and (names[model].models or names[model].train is None):
                    raise ValueError(
                        f"variant {variant.name!r}: `model` {model!r} is a variant without `train`: name its model."
                    )

    def trained(self, name: str) -> Variant | None:
        """The variant of that name, if it is to be trained."""
        return next((variant for variant in self.variants if variant.name == name and variant.train is not None), None)


def _mapping(value: Any, where: str, known: Sequence[str], needed: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must map fields to values, got a {type(value).__name__}.")
    unknown, missing = sorted(map(str, value.keys() - set(known))), [name for name in needed if name not in value]
    if unknown:
        raise ValueError(f"{where}: no such field: {', '.join(unknown)}; choose from {', '.join(known)}.")
    if missing:
        raise ValueError(f"{where}: `{'`, `'.join(missing)}` must be given.")
    return value


def _read_yaml(path: Path, where: str) -> Any:
    if not path.is_file():
        raise ValueError(f"{where}: there is no file {path}.")
    try:
        return yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error


def read_plan(path: str | Path) -> Plan:
    """
    Reads an ablation: `reference`, `variants` (see [`Variant`]), and if some are trained: `base`, a configuration of
    `hf-duplex train` in the same folder, `train`, fields that differ from it for all, and `seeds`.

    Raises:
        ValueError: The file is missing or not valid; the message names the error.
    """
    path = Path(path)
    settings = _mapping(
        _read_yaml(path, "CONFIG"),
        str(path),
        ("reference", "base", "train", "seeds", "variants"),
        ("reference", "variants"),
    )
    if not isinstance(settings["variants"], list) or not settings["variants"]:
        raise ValueError(f"{path}: `variants` must list at least one.")
    known = [entry.name for entry in fields(Variant)]
    variants = [
        Variant(**_mapping(entry, f"{path}: number {number + 1} of `variants`", known, ("name", "group")))
        for number, entry in enumerate(settings["variants"])
    ]
    base = None
    if "base" in settings:
        found = _read_yaml(path.parent / str(settings["base"]), "`base`")
        if not isinstance(found, dict) or not isinstance(settings.get("train") or {}, dict):
            raise ValueError(f"{path}: `base` and `train` must hold fields of `hf-duplex train`.")
        base = {**found, **(settings.get("train") or {})}
    seeds = settings.get("seeds", [])
    if not isinstance(seeds, list) or not all(type(seed) is int for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ValueError(f"{path}: `seeds` must list whole numbers that differ, got {seeds!r}.")
    return Plan(settings["reference"], tuple(variants), base, tuple(seeds))


def train_model(config: Path, folder: Path) -> None:
    """Trains a variant, resuming from its last checkpoint."""
    from ...training.train import main

    main([str(config), "--output_dir", str(folder)])


class Trainings:
    """The trained models of variants, in one folder: the required ones, and the existing ones."""

    def __init__(self, plan: Plan, folder: Path):
        self.plan, self.folder = plan, folder

    def runs(self, variant: Variant) -> dict[Path, dict[str, Any]]:
        """The folder of each training run of a variant, and its configuration."""
        settings = {**(self.plan.base or {}), **(variant.train or {})}
        settings.pop("output_dir", None)
        if not self.plan.seeds:
            return {self.folder / variant.slug: settings}
        return {self.folder / f"{variant.slug}-seed{seed}": {**settings, "seed": seed} for seed in self.plan.seeds}

    @staticmethod
    def config(folder: Path) -> Path:
        """The configuration file next to a run."""
        return folder.with_name(f"{folder.name}.yaml")

    @staticmethod
    def finished(folder: Path) -> bool:
        return (folder / "training.json").is_file()

    def check(self) -> None:
        """
        Raises:
            ValueError: A variant cannot be trained as specified, or was trained differently before.
        """
        for variant in self.plan.variants:
            if variant.train is None:
                continue
            for folder, settings in self.runs(variant).items():
                earlier = self.config(folder)
                if earlier.is_file() and yaml.safe_load(earlier.read_text()) != settings:
                    raise ValueError(
                        f"variant {variant.name!r} was trained with other settings into {folder}: choose another "
                        "`--out`, or remove that folder and its .yaml."
                    )
                if not self.finished(folder):
                    self._check_fields(variant.name, settings)

    @staticmethod
    def _check_fields(name: str, settings: Mapping[str, Any]) -> None:
        from ...training import parse_arguments

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "config.yaml")
            path.write_text(yaml.safe_dump(dict(settings), sort_keys=False))
            try:
                model, *_ = parse_arguments([str(path), "--output_dir", folder])
                model.config()
            except SystemExit as error:
                raise ValueError(f"variant {name!r}: a field of `train` cannot be read, see above.") from error
            except (ValueError, StrictDataclassError) as error:
                raise ValueError(
                    f"variant {name!r} cannot be trained: {str(error).replace(str(path), '`train`')}"
                ) from error

    def finish(self, variant: Variant, train: Train) -> None:
        """Trains the missing models."""
        for folder, settings in self.runs(variant).items():
            if not self.finished(folder):
                folder.mkdir(parents=True, exist_ok=True)
                self.config(folder).write_text(yaml.safe_dump(settings, sort_keys=False))
                train(self.config(folder), folder)


def _specs(plan: Plan, variant: Variant, trainings: Trainings) -> list[str]:
    """The contestants of a variant, one for each training seed."""
    models: list[str] = []
    for model in variant.models or [variant.name]:
        source = plan.trained(model)
        models += [model] if source is None else map(str, trainings.runs(source))
    return [f"{model}@{variant.mode}" if variant.mode else model for model in models]


def _read_cases(path: Path) -> list[list[Case]]:
    runs: dict[int, list[Case]] = {}
    for line in path.read_text().splitlines():
        case = json.loads(line)
        runs.setdefault(case.pop("run"), []).append(case)
    return list(runs.values())


def _write_cases(runs: Sequence[Sequence[Case]], path: Path) -> None:
    """Writes one case per line, with the number of its training run, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"run": run, **case}) + "\n" for run, cases in enumerate(runs) for case in cases]
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text("".join(lines))
    unfinished.replace(path)


def _earlier(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """
    The rows of an earlier run in the same folder.

    Raises:
        ValueError: The existing results have other settings.
    """
    if not path.is_file():
        return {}
    results = json.loads(path.read_text())
    if results.get("format") != FORMAT or results.get("benchmark") != "ablations":
        raise ValueError(f"`--out`: {path} is no results file of ablations in format {FORMAT}: choose another folder.")
    if results["settings"] != json.loads(json.dumps(dict(settings))):
        raise ValueError(
            f"`--out`: {path} was measured with other settings, {results['settings']}, now {dict(settings)}: choose "
            "another folder, or the same settings to go on."
        )
    return results["variants"]


def run_ablations(
    plan: Plan,
    out: str | Path,
    evaluate: Evaluate,
    settings: Mapping[str, Any] | None = None,
    train: Train = train_model,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """
    Trains the missing models, measures every variant, and writes `ablations.json`, `ablations.md` and `ablations.png`.
    Results are saved after each variant; existing ones are neither trained nor measured again.

    Args:
        plan (`Plan`): See [`read_plan`].
        out (`str` or `Path`): The folder for results, `cases`, and trained `models`.
        evaluate (`Evaluate`): Runs the samples on a contestant, and returns its cases.
        settings (`Mapping`, *optional*): The settings of `evaluate` (samples, splits, seed), for the results file.
        train (`Train`, *optional*): Trains a configuration into a folder.
        seed (`int`, *optional*, defaults to 0): Of intervals and tests.
        progress (`bool`, *optional*, defaults to `True`): Whether to report progress, on standard error.

    Returns:
        `variants`, each with `status`, `metrics`, `difference` and, for a control, `hurts`; `models`, the same metrics
        by split, family, kind, number and place of updates; `failures`, the names of variants that could not be
        measured, and of controls that do not lower the score: with any of them the whole run fails.

    Raises:
        ValueError: The plan cannot be run as it is, or `out` holds something else. Nothing was changed then.
    """
    out, settings = Path(out), dict(settings or {})
    if out.exists() and not out.is_dir():
        raise ValueError(f"`--out`: {out} is not a folder: name one.")
    trainings = Trainings(plan, out / "models")
    trainings.check()
    earlier = _earlier(out / "ablations.json", settings)
    results: dict[str, Any] = {
        "format": FORMAT,
        "benchmark": "ablations",
        "command": command_line(),
        "commit": describe_commit(),
        "versions": describe_versions(),
        "machine": describe_machine(),
        "settings": settings,
        "reference": plan.reference,
        "seed": seed,
        "variants": {},
        "models": {},
        "failures": [],
    }
    cases: dict[str, list[list[Case]]] = {}
    for number, variant in enumerate(plan.variants):
        if progress:
            what = "open" if variant.open else "trained" if variant.train is not None else "measured"
            print(f"[{number + 1}/{len(plan.variants)}] {variant.name}: to be {what}", file=sys.stderr)
        row = _measure(plan, variant, trainings, evaluate, train, earlier.get(variant.name), out, cases)
        results["variants"][variant.name] = row
        if variant.name in cases:
            runs = cases[variant.name]
            row["metrics"] = figures(runs, seed)
            results["models"][variant.name] = {"splits": _by_split(runs, seed)}
        # Results of an earlier run that this one has not reached yet are kept.
        kept = {name: old for name, old in earlier.items() if name not in results["variants"]}
        write_json({**results, "variants": {**results["variants"], **kept}}, out / "ablations.json")
    _compare(plan, results, cases, seed)
    write_json(results, out / "ablations.json")
    (out / "ablations.md").write_text(_report(plan, results))
    if cases:
        ablation_figure(results, out / "ablations.png")
    return results


def _measure(
    plan: Plan,
    variant: Variant,
    trainings: Trainings,
    evaluate: Evaluate,
    train: Train,
    earlier: dict[str, Any] | None,
    out: Path,
    cases: dict[str, list[list[Case]]],
) -> dict[str, Any]:
    """The row of a variant without its figures; its cases are added to `cases`."""
    row: dict[str, Any] = {"group": variant.group, "note": variant.note, "metric": variant.metric}
    if variant.open is not None:
        return {**row, "status": f"not run: {variant.open}"}
    row |= {"specs": _specs(plan, variant, trainings), "config": variant.config}
    path = out / "cases" / f"{variant.slug}.jsonl"
    same = earlier is not None and all(earlier.get(key) == row[key] for key in ("specs", "config"))
    if same and earlier is not None and earlier["status"] == "measured" and path.is_file():
        cases[variant.name] = _read_cases(path)
        return {**row, "status": "measured"}
    try:
        for source in [variant, *filter(None, map(plan.trained, variant.models))]:
            if source.train is not None:
                trainings.finish(source, train)
        runs: list[list[Case]] = [list(evaluate(spec, dict(variant.config))) for spec in row["specs"]]
        if not all(runs):
            raise ValueError("no sample was played; raise the number of samples.")
    except (ValueError, InterruptError) as error:
        return {**row, "status": f"failed: {error}"}
    _write_cases(runs, path)
    cases[variant.name] = runs
    return {**row, "status": "measured"}


def _by_split(runs: Sequence[Sequence[Case]], seed: int) -> dict[str, Any]:
    splits = dict.fromkeys(case["split"] for case in runs[0])
    return {split: breakdown([[c for c in cases if c["split"] == split] for cases in runs], seed) for split in splits}


def _compare(plan: Plan, results: dict[str, Any], cases: Mapping[str, list[list[Case]]], seed: int) -> None:
    """Compares every variant with its reference, corrects for multiple tests, and names failures."""
    rows, failures = results["variants"], results["failures"]
    for variant in plan.variants:
        row = rows[variant.name]
        row["against"] = against = variant.against or plan.reference
        row["difference"] = row["hurts"] = None
        if variant.name != against and variant.name in cases and against in cases:
            counts = RATIOS[variant.metric]
            row["difference"] = paired_difference(cases[variant.name], cases[against], *counts, seed=seed)
    tested = {name: row["difference"]["p"] for name, row in rows.items() if row["difference"]}
    for name, corrected in holm(tested).items():
        rows[name]["difference"]["p_holm"] = corrected
    for variant in plan.variants:
        row = rows[variant.name]
        if row["status"].startswith("failed"):
            failures.append(f"{variant.name}: {row['status']}")
        if variant.group == CONTROLS and variant.open is None:
            row["hurts"] = _hurts(row["difference"], variant.metric)
            if not row["hurts"]:
                failures.append(f"{variant.name}: {_why(row)}")


def _hurts(difference: Mapping[str, Any] | None, metric: str) -> bool:
    if difference is None or difference["value"] is None:
        return False
    worse = difference["value"] > 0 if metric in LOWER_IS_BETTER else difference["value"] < 0
    return worse and difference["p"] < SIGNIFICANT


def _why(row: Mapping[str, Any]) -> str:
    difference, metric = row["difference"], row["metric"].replace("_", " ")
    if difference is None or difference["value"] is None:
        return f"a control that could not be held against {row['against']} in {metric}"
    low, high = difference["interval"]
    return (
        f"a control that does not hurt: {metric} {difference['value']:+.3f} ({low:+.3f} to {high:+.3f}) against "
        f"{row['against']}, p = {difference['p']:.3f}"
    )


def _report(plan: Plan, results: Mapping[str, Any]) -> str:
    """The table of all variants, the failures, and the reference by family, kind, number and place of updates."""
    parts = [f"# Ablations\n\n`{results['command']}`\n\n{ablation_table(results)}\n"]
    if results["failures"]:
        parts.append("Failed:\n\n" + "\n".join(f"- {failure}" for failure in results["failures"]) + "\n")
    reference = results["models"].get(plan.reference)
    for split in reference["splits"] if reference else ():
        parts.append(f"## By family, split {split}\n\n{metrics_table(results, split, 'families')}\n")
        intact = {"models": {plan.reference: reference}}
        for by in ("kinds", "updates", "places"):
            parts.append(f"## {plan.reference} by {by}, split {split}\n\n{metrics_table(intact, split, by)}\n")
    return "\n".join(parts)
