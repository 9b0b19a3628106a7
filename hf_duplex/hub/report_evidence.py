"""
What a report is drawn from. Every results file is read into one form, and split into conditions: what was played, and
what came of it for each model. A file that is not there is no error; the report says what it would have answered.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataset_builder import SPLITS, BuilderConfig, split_config

from .disfl_qa import read_disfl_qa
from .report_seeds import ENDING, read_seeds
from .tables import read_results
from .trials import FACTS


WORKSPACE, BASELINE, DUAL_STREAM = "duplex_workspace", "duplex_baseline", "duplex_dual_stream"

Figure = Mapping[str, Any]

# Models whose parameters are further apart than by this factor are of different sizes.
SAME_SIZE = 1.5


@dataclass(frozen=True)
class Condition:
    """
    A split of a results file.

    Args:
        file (`str`): The name of the file.
        split (`str`): Which split.
        updates (`int`, *optional*): How many updates every sample has, where all have as many.
        models (`dict`): By name, the facts of each model, and what was `measured` of it.
        comparisons (`list`): Paired comparisons in this split, as the file holds them.
        seeds (`dict`): By model and metric, the value of each training seed.
        partly (`bool`): Whether it is a part of another condition: the samples of it with so many updates.
        label (`str`): What the report calls it.
    """

    file: str
    split: str
    updates: int | None
    models: dict[str, dict[str, Any]]
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    seeds: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)
    partly: bool = False
    label: str = ""

    def named(self, model_type: str) -> str | None:
        """The model of a type; of several, the first that is played as it is (no `@MODE`)."""
        names = [name for name, model in self.models.items() if model["model_type"] == model_type]
        plain = [name for name in names if not any("@" in spec for spec in self.models[name]["specs"])]
        return next(iter(plain or names), None)

    @property
    def workspace(self) -> str | None:
        return self.named(WORKSPACE)

    @property
    def rivals(self) -> list[str]:
        """All models but the workspace."""
        return self.rivals_of(self.workspace)

    def rivals_of(self, name: str | None) -> list[str]:
        """All models but one."""
        return [other for other in self.models if other != name]

    def measured(self, name: str) -> dict[str, Any]:
        return self.models[name]["measured"]

    def difference(self, rival: str, metric: str, family: str | None = None) -> dict[str, Any] | None:
        """The paired comparison workspace − rival, if the file holds one."""
        return self.between(self.workspace, rival, metric, family)

    def between(self, name: str | None, rival: str, metric: str, family: str | None = None) -> dict[str, Any] | None:
        """The paired comparison of two models, the first − the second, if the file holds one."""
        for entry in self.comparisons:
            if entry["metric"] != metric or entry.get("family") != family:
                continue
            if (entry["a"], entry["b"]) == (name, rival):
                return entry
            if (entry["a"], entry["b"]) == (rival, name):
                return turned(entry)
        return None


def turned(entry: dict[str, Any]) -> dict[str, Any]:
    """A comparison seen from the other side."""
    if entry["value"] is None:
        return entry | {"a": entry["b"], "b": entry["a"]}
    low, high = entry["interval"]
    return entry | {"a": entry["b"], "b": entry["a"], "value": -entry["value"], "interval": [-high, -low]}


@dataclass(frozen=True)
class Evidence:
    """
    All that a report is drawn from.

    Args:
        conditions (`list[Condition]`): Of the comparison, as in training first.
        sizes (`dict`): By file, the conditions of models of another size.
        results (`dict`): The files of the comparison, by name.
        ablations (`dict`): Files of ablations, by name.
        disfl_qa (`dict`): Files of the example on Disfl-QA, by name.
        speeds (`dict`): Files of the speed benchmark that lie with a model, by the name of the model.
        trials (`list`): What was tried.
        trainings (`dict`): The facts of each training run that is known, by name; those of a release among them.
    """

    conditions: list[Condition]
    sizes: dict[str, list[Condition]]
    results: dict[str, dict[str, Any]]
    ablations: dict[str, dict[str, Any]]
    disfl_qa: dict[str, dict[str, Any]]
    speeds: dict[str, dict[str, Any]]
    trials: list[dict[str, Any]]
    trainings: dict[str, dict[str, Any]]

    def on(self, where: str | int | None) -> list[Condition]:
        """
        The conditions of a split, with as many updates as in training; of a number of updates; or all (None). Samples
        that are part of another condition are taken where nothing else has their number of updates.
        """
        whole = [condition for condition in self.conditions if not condition.partly]
        if where is None:
            return whole
        if isinstance(where, str):
            return [condition for condition in whole if condition.split == where and condition.updates is None][:1]
        exact = [condition for condition in self.conditions if condition.updates == where]
        return [condition for condition in exact if not condition.partly] or exact

    @property
    def in_training(self) -> Condition | None:
        """The split that is as training was."""
        return next(iter(self.on("test") or self.on("validation")), None)

    def merged(self, partly: bool = True) -> dict[str, Any]:
        """
        All conditions as one results file, which tables and plots of results files can take.

        Raises:
            ValueError: Files call different models by one name.
        """
        models: dict[str, Any] = {}
        for condition in self.conditions:
            for name, model in condition.models.items():
                facts = {key: model[key] for key in ("model_type", "parameters", "specs")}
                known = models.setdefault(name, facts | {"splits": {}})
                if any(known[key] != facts[key] for key in ("model_type", "parameters")):
                    raise ValueError(f"{condition.file} calls another model {name} than the files before it do.")
                if partly or not condition.partly:
                    known["splits"][condition.label] = model["measured"]
        return {"format": 2, "models": models}

    def compared(self, sizes: bool = False) -> dict[str, list[str]]:
        """The models of the comparison, and with `sizes` those of other sizes: by name the runs that are its seeds."""
        found: dict[str, dict[str, None]] = {}
        others = [condition for conditions in self.sizes.values() for condition in conditions] if sizes else []
        for condition in [*self.conditions, *others]:
            for name, model in condition.models.items():
                runs = [Path(spec.partition("@")[0]).name for spec in model["specs"]]
                found.setdefault(name, {}).update(dict.fromkeys(runs))
        return {name: list(runs) for name, runs in found.items()}

    @property
    def known_runs(self) -> list[str]:
        """The runs of the comparison, of any size, whose training is known."""
        return [run for runs in self.compared(sizes=True).values() for run in runs if run in self.trainings]


def update_counts(results: Mapping[str, Any], split: str) -> tuple[int, ...]:
    """The numbers of updates that samples of a split can have, where they are drawn from a few; else empty."""
    settings = results["settings"]
    if "builder" not in settings:
        # Of a data set that was built, it is only known of this split that it has few.
        played = [model["splits"].get(split, {}) for model in results["models"].values()]
        groups = {int(count) for found in played for count in found.get("updates", {})}
        return tuple(sorted(groups)) if split == "more_updates" else ()
    config = split_config(BuilderConfig(**settings["builder"]), split)
    few, many = config.num_updates
    return tuple(sorted(set(config.update_counts))) or ((few,) if few == many else ())


def conditions_of(file: str, results: dict[str, Any], seeds: Mapping[str, Any]) -> Iterator[Condition]:
    """The conditions in a results file; those of a few numbers of updates also apart by these."""
    for split in dict.fromkeys(split for model in results["models"].values() for split in model["splits"]):
        models = {
            name: {key: model[key] for key in ("model_type", "parameters", "specs")}
            | {"measured": model["splits"][split]}
            for name, model in results["models"].items()
            if split in model["splits"]
        }
        compared = [entry for entry in results["comparisons"] if entry["split"] == split]
        known = {name: splits[split] for name, splits in seeds.items() if split in splits}
        counts = update_counts(results, split)
        fixed = counts[0] if len(counts) == 1 else None
        yield Condition(file, split, fixed, models, compared, known)
        for count in counts if len(counts) > 1 else ():
            part = {name: _with_updates(model, count) for name, model in models.items()}
            part = {name: model for name, model in part.items() if model["measured"]["metrics"]}
            if part:
                yield Condition(file, split, count, part, partly=True)


def _with_updates(model: dict[str, Any], count: int) -> dict[str, Any]:
    """What was measured on the samples with so many updates. Latencies are not kept apart by them."""
    nothing: dict[str, Any] = {"n": 0, "median": None, "histogram": {}}
    metrics = model["measured"]["updates"].get(str(count), {})
    return model | {"measured": {"metrics": metrics, "latency": nothing}}


def in_order(conditions: Sequence[Condition]) -> list[Condition]:
    """As in training first, then by number of updates; each with a label of its own."""
    splits = [*dict.fromkeys(("test", "validation", *SPLITS))]

    def rank(condition: Condition) -> tuple[int, int]:
        known = condition.split in splits
        return condition.updates or 0, splits.index(condition.split) if known else len(splits)

    found: list[Condition] = []
    taken: set[str] = set()
    for condition in sorted(conditions, key=rank):
        label = condition.split if condition.updates is None else f"{condition.split}, {condition.updates:,} updates"
        label = label if label not in taken else f"{label} ({Path(condition.file).stem})"
        taken.add(label)
        found.append(replace(condition, label=label))
    return found


def json_files(folder: Path) -> list[Path]:
    """The results files in a folder, by name; none where there is no folder."""
    return sorted(path for path in folder.glob("*.json") if not path.name.endswith(ENDING))


def training_facts(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a training run in one form, whether from `training.json` or from `trials.json`."""
    log = found.get("log", [])
    losses = found.get("losses") or [entry for entry in log if "loss" in entry]
    held_out = found.get("eval_losses") or [entry for entry in log if "eval_loss" in entry]
    return {
        "name": name,
        **{key: found.get(key) for key in (*FACTS, "command", "model", "machine", "earlier")},
        "phases": found.get("phases") or found.get("data", {}).get("phases"),
        "seconds": found.get("seconds") or found.get("seconds_since_last_resume"),
        "losses": [(entry["step"], entry["loss"]) for entry in losses],
        "eval_losses": [(entry["step"], entry["eval_loss"]) for entry in held_out],
    }


def size_of(results: Mapping[str, Any]) -> int:
    """The parameters of the largest model in a results file."""
    return max((model["parameters"] for model in results["models"].values()), default=0)


def read_evidence(cards: Path, trials: Path) -> Evidence:
    """
    Reads `comparison/`, `ablations/`, `disfl_qa/` and `trials/` of the folder of model cards, the `training.json` and
    `speed.json` of each model in it, and `trials.json` of the folder of trials.

    Raises:
        ValueError: A file is of another kind or version than its folder says; the message names it.
    """
    results = {path.name: read_results(path) for path in json_files(cards / "comparison")}
    found: list[Condition] = []
    sizes: dict[str, list[Condition]] = {}
    files = sorted(results, key=lambda name: (-len(results[name]["settings"]["splits"]), size_of(results[name])))
    for file in files:
        seeds = read_seeds(cards / "comparison" / file, results[file])
        played = list(conditions_of(file, results[file], seeds))
        # The file with the most splits says of which size the models are that are compared.
        small, large = sorted(size_of(results[name]) for name in (files[0], file))
        if large > SAME_SIZE * small:
            sizes[file] = in_order(played)
        else:
            found += played
    tried = _trials([*json_files(cards / "trials"), *json_files(trials)])
    trainings = {trial["name"]: training_facts(trial["name"], trial) for trial in tried}
    for path in sorted(cards.glob("*/training.json")):
        trainings[path.parent.name] = training_facts(path.parent.name, json.loads(path.read_text()))
    return Evidence(
        in_order(found),
        sizes,
        results,
        {path.name: _of(path, "ablations") for path in json_files(cards / "ablations")},
        read_disfl_qa(cards / "disfl_qa"),
        {name: speed for name, speed in _speeds(cards) if speed.get("benchmark", "speed") == "speed"},
        tried,
        trainings,
    )


def _speeds(cards: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What was measured of each model's speed; an adapter's, which is held against its base, is none of these."""
    for path in sorted(cards.glob("*/speed.json")):
        yield path.parent.name, json.loads(path.read_text())


def _trials(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The trials of all files that hold some; of one name, the first."""
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        for trial in json.loads(path.read_text()).get("trials", []):
            found.setdefault(trial["name"], trial)
    return list(found.values())


def _of(path: Path, benchmark: str) -> dict[str, Any]:
    results = json.loads(path.read_text())
    if not isinstance(results, dict) or results.get("benchmark") != benchmark:
        raise ValueError(f"{path} holds no results of {benchmark}: move it elsewhere.")
    return results
