"""The card of a duplex adapter, drawn from the results files in its folder: no number in it is typed by hand."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from ..evaluation.reporting.tables import markdown, p_cell
from .tables import NOT_MEASURED, read_results, revision_table


TEMPLATE = Path(__file__).with_name("adapter_card_template.md")
WAYS = ("workspace", "spliced", "restart")
NAMES = {
    "next_turn": "stopped, the update sent as the next turn",
    "restart": "restarted with everything in the prompt",
    "spliced": "updates spliced into its stream, untrained",
}


def read(folder: Path, name: str) -> dict[str, Any] | None:
    """A results file of a folder; None if it is not there."""
    path = folder / name
    return json.loads(path.read_text()) if path.is_file() else None


def share(entry: dict[str, Any]) -> str:
    """A share with its interval."""
    low, high = entry["interval"]
    return f"{entry['right']} of {entry['n']} ({low:.2f}–{high:.2f})"


def contestant(name: str, base: str) -> str:
    """What a table calls a contestant of `hf-duplex bench natural`."""
    model, _, way = name.partition("@")
    if way in NAMES:
        return f"{base} {NAMES[way]}"
    return f"**{model}**" + (f", {way.replace('_', ' ')}" if way else "")


def natural_table(results: dict[str, Any], base: str = "the base") -> str:
    """Interruptions in natural English: right answers of every contestant, and those where repeating is not enough."""
    differences = {(one["a"], one["b"]): one for one in results["comparisons"]}
    first = next(iter(results["models"]))
    rows = []
    for name, model in results["models"].items():
        compared = differences.get((first, name))
        paired = "–" if compared is None else f"{compared['difference']:+.2f}, p {p_cell(compared['p'])}"
        rows.append([contestant(name, base), share(model["all"]), share(model["not_by_repeating"]), paired])
    return markdown(["model", "right after the last update", "not by repeating", "difference of the first"], rows)


def natural_groups(results: dict[str, Any]) -> str:
    """The same by domain and by kind of update, for the first contestant."""
    model = next(iter(results["models"].values()))
    groups = [*model["domains"].items(), *model["kinds"].items()]
    return ", ".join(f"{name.replace('_', ' ')} {group['right']}/{group['n']}" for name, group in groups)


def fidelity_table(results: dict[str, Any]) -> str:
    """Perplexity on ordinary chat, and how far logits are from the base's before an update."""
    rows = []
    for noise, part in (("", results.get("clean")), (" with noise", results.get("noisy"))):
        for name, model in ((part or {}).get("models") or {}).items():
            for scope in ("always", "after_update"):
                found = model[scope]
                logits = found.get("logits", {}).get("largest")
                rows.append(
                    [
                        f"{name}, {scope.replace('_', ' ')}{noise}",
                        f"{found['perplexity']:.2f}",
                        f"{found['ratio']['value']:.3f}",
                        "–" if logits is None else f"{logits:g}",
                    ]
                )
    return markdown(["model", "perplexity", "times the base's", "largest logit difference before an update"], rows)


def speed_rows(results: dict[str, Any]) -> str:
    """From update to next token, by how much was read before."""
    rows = []
    for row in results["rows"].values():
        took = {way: entry["median"] for way, entry in row["update_ms"].items()}
        times = took["restart"] / took["workspace"]
        cells = [f"{row['history_tokens']:,}", *(f"{took[way]:,.0f}" for way in WAYS), f"{times:.1f}"]
        rows.append([*cells, *(f"{row['decode_ms'][way]['median']:,.0f}" for way in WAYS)])
    head = ["tokens read before", *(f"update to next token, ms: {way}" for way in WAYS), "restart / workspace"]
    return markdown([*head, *(f"one more token, ms: {way}" for way in WAYS)], rows)


def training_facts(facts: dict[str, Any]) -> str:
    """What it was trained on, in a few sentences."""
    sources = ", ".join(f"{source['kind']} {source['share']:g}" for source in facts["sources"])
    speed = facts["samples_per_second"]
    pace = "" if speed is None else f" at {speed:,.0f} samples a second"
    earlier, averaged = facts.get("earlier"), facts.get("average")
    return (
        (f"It goes on from {earlier['samples']:,} conversations in {earlier['seconds']:,.0f} s. " if earlier else "")
        + f"{facts['samples']:,} conversations in {facts['steps']:,} steps{pace}, {facts['seconds']:,.0f} s on "
        f"{facts['machine'].get('accelerator') or facts['machine']['cpu']}; shares of the sources: {sources}. "
        f"{facts['parameters'] / 1e6:.1f} M parameters are trained, the base is frozen."
        + (
            f" The weights are an average: {averaged['share']:.0%} of the last run, the rest of the one before."
            if averaged
            else ""
        )
        + (
            f" The share was chosen on {averaged['chosen_on']}, so that the figure on these is optimistic."
            if averaged and averaged.get("chosen_on")
            else ""
        )
        + f"\n\n`{facts['command']}`"
    )


def adapter_card(folder: str | Path) -> ModelCard:
    """
    The card of the adapter in a folder.

    Raises:
        ValueError: The folder holds no duplex adapter.
    """
    folder = Path(folder)
    config = read(folder, "config.json")
    if config is None or config.get("model_type") != "duplex_adapter":
        raise ValueError(f"{folder} holds no duplex adapter.")
    natural, fidelity = read(folder, "natural.json"), read(folder, "fidelity.json")
    noisy, speed, training = (read(folder, name) for name in ("natural_noise.json", "speed.json", "training.json"))
    base = str(config["base_model_name_or_path"])
    revision = None if not (folder / "revision.json").is_file() else read_results(folder / "revision.json")
    name = base.rpartition("/")[2]

    def section(results: dict[str, Any] | None, *parts: str) -> str:
        return NOT_MEASURED if results is None else "\n\n".join([*parts, f"`{results['command']}`"])

    noise = ""
    if noisy is not None:
        noise = "With noise of the size of the 4-bit rounding error on the base: "
        noise += share(next(iter(noisy["models"].values()))["all"]) + "."
    data = ModelCardData(
        license="apache-2.0",
        language="en",
        library_name="hf_duplex",
        pipeline_tag="text-generation",
        base_model=base,
        base_model_relation="adapter",
        tags=["full-duplex", "interruption", "workspace", "hf_duplex"],
    )
    return ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        name=folder.name,
        base=base,
        base_name=name,
        scope=config["scope"],
        n_slots=config["n_slots"],
        natural=section(natural, *([natural_table(natural, name), natural_groups(natural), noise] if natural else [])),
        families=section(revision, revision_table(revision) if revision else ""),
        fidelity=section(fidelity, fidelity_table(fidelity) if fidelity else ""),
        speed=section(speed, speed_rows(speed) if speed else ""),
        training=NOT_MEASURED if training is None else training_facts(training),
    )
