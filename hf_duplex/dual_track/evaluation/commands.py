"""The command line `hf-duplex bench reflection`: what dual-track reflection is worth, a command for each question.

hf-duplex bench reflection measure ADAPTER CORPUS --base BASE --json results/reflection/text-0.json
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from ...bases import find_base, load_base
from ...record import command_line, describe_machine, describe_versions, rounded, write_json
from ..data import base_tokenizer, read_rows
from ..modeling.configuration_dual_track import MEMORY_OPERATIONS, THOUGHT_TYPES
from ..modeling.modeling_dual_track import DualTrackForCausalLM
from ..modeling.reflection import forbidden_ids_of
from .attention import attention_kept
from .cost import cost
from .decision import activation_figures, best_threshold, decide
from .far import ask_again, told_just_before
from .silent import silent_difference
from .thoughts import score_teacher_forced, share


Base = Annotated[str, typer.Option(help="The frozen base: smollm2, a folder or a Hub name.")]
Json = Annotated[Path, typer.Option("--json", help="Where the results go.")]
Device = Annotated[str, typer.Option(help="Where the model runs: cpu, cuda.")]
Threshold = Annotated[float, typer.Option(help="Of the activation head, as `measure` found it on validation.")]
Linked = Annotated[int, typer.Option(help="Past thoughts whose content a reflection opens (K).")]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def load(adapter: str, base: str, device: str) -> tuple[DualTrackForCausalLM, Any]:
    """The tracks on their base, in bfloat16 on a GPU, and the tokenizer."""
    tokenizer = base_tokenizer(base)
    folder = str(find_base(base))
    model = DualTrackForCausalLM.from_pretrained(adapter, base=folder, dtype=torch.float32).eval().to(device)
    model.forbid(forbidden_ids_of(tokenizer))
    if device == "cuda":
        model.backbone.to(torch.bfloat16)
    return model, tokenizer


def head(benchmark: str) -> dict[str, Any]:
    """What each results file begins with."""
    return {
        "benchmark": benchmark,
        "command": command_line(),
        "machine": describe_machine(),
        "versions": describe_versions(),
    }


@app.command("codes")
def codes_command(
    adapter: str,
    corpus: Path,
    base: Base,
    json_path: Json = Path("codes.json"),  # noqa: B008
    samples: int = typer.Option(200, help="Dialogues whose thoughts are looked at."),
    parts: int = typer.Option(16, help="Codes of a thought."),
    codes: int = typer.Option(32, help="Codes to choose each from."),
    batch_size: int = typer.Option(8),
) -> None:
    """Say whether thoughts cluster, and whether codes of a small vocabulary compose to what was held out."""
    from dataset_builder.reflection.facts import FACTS

    from .codes import composition, separation

    model, tokenizer = load(adapter, base, "cpu")
    rows = read_rows(corpus / "test.jsonl", samples)
    found = score_teacher_forced(model, rows, tokenizer, batch_size, 10**6)
    vectors = np.asarray(found["vectors"], float)
    types = [THOUGHT_TYPES[kind] for kind in found["types"]]
    said = [annotation["summary"] for row in rows for annotation in row["annotations"]]
    about = [max((fact.name for fact in FACTS if fact.name in summary), key=len, default="none") for summary in said]
    results = {
        **head("reflection codes"),
        "thoughts": len(vectors),
        "clusters": {"about": separation(vectors, about), "type": separation(vectors, types)},
        "composition": composition(vectors, about, types, parts, codes),
    }
    write_json(rounded(results), json_path)
    print(json.dumps(rounded({k: v for k, v in results.items() if k not in ("machine", "versions")}), indent=1))


@app.command("far")
def far_command(
    adapter: str,
    corpus: Path,
    base: Base,
    json_path: Json = Path("far.json"),  # noqa: B008
    rows: int = typer.Option(16, help="Dialogues in which a fact is asked again."),
    threshold: Threshold = 0.5,
    linked: Linked = 4,
    device: Device = "cpu",
    batch_size: int = typer.Option(4),
) -> None:
    """Ask facts again that changed long ago, of an adapter and of its base; `measure` does it too, among the rest."""
    model, tokenizer = load(adapter, base, device)
    model.config.linked_thoughts, model.config.threshold = linked, threshold
    results = {
        **head("reflection far"),
        "facts long ago": ask_again(model, read_rows(corpus / "far.jsonl", rows), tokenizer, batch_size),
    }
    write_json(rounded(results), json_path)


@app.command("ceiling")
def ceiling_command(
    adapter: str,
    corpus: Path,
    base: Base,
    json_path: Json = Path("ceiling.json"),  # noqa: B008
    rows: int = typer.Option(200, help="Dialogues in which a fact is asked again."),
    device: Device = "cpu",
    batch_size: int = typer.Option(8),
) -> None:
    """Ask the base about what it was told just before; `far` does it too, among the rest."""
    model, tokenizer = load(adapter, base, device)
    results = {
        **head("reflection ceiling"),
        "told just before": told_just_before(model, read_rows(corpus / "far.jsonl", rows), tokenizer, batch_size),
    }
    write_json(rounded(results), json_path)
    print(json.dumps(rounded(results["told just before"])))


@app.command("silent")
def silent_command(
    adapter: str,
    corpus: Path,
    base: Base,
    json_path: Json = Path("silent.json"),  # noqa: B008
    rows: int = typer.Option(8, help="Dialogues."),
) -> None:
    """Compare logits with those of the base while the thought track is silent."""
    model, tokenizer = load(adapter, base, "cpu")
    theirs, _ = load_base(base)
    results = {
        **head("reflection silent"),
        "difference": silent_difference(model, theirs, read_rows(corpus / "test.jsonl", rows), tokenizer),
    }
    write_json(rounded(results), json_path)
    print(json.dumps(results["difference"], indent=1))


@app.command("cost")
def cost_command(
    adapter: str,
    corpus: Path,
    base: Base,
    json_path: Json = Path("cost.json"),  # noqa: B008
    rows: int = typer.Option(16, help="Dialogues, each played with the track on and off."),
    threshold: Threshold = 0.5,
    device: Device = "cpu",
) -> None:
    """Time decoding with the thought track on against off, in pairs."""
    model, tokenizer = load(adapter, base, device)
    model.config.threshold = threshold
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        found = cost(model, read_rows(corpus / "test.jsonl", rows), tokenizer)
    results = {
        **head("reflection cost"),
        "adapter": {"latent_tokens": model.config.latent_tokens, "head_tier": model.config.head_tier},
        "cost": found,
    }
    write_json(rounded(results), json_path)
    print(json.dumps(rounded(found), indent=1))


@app.command("changes")
def changes_command(
    adapter: str,
    corpus: Path,
    base: Base,
    embeddings: str = typer.Option(..., help="Folder or name of a sentence-embedding model, for the baseline."),
    json_path: Json = Path("changes.json"),  # noqa: B008
    conversation: Path | None = typer.Option(None, help="Folder of another set like cri-benchmark."),  # noqa: B008
    messages: int | None = typer.Option(None, help="Only so many first messages, to try it."),
    threshold: float = typer.Option(0.1, help="Of the activation head; low, since messages are ranked."),
    thought_window: int = typer.Option(16, help="Thoughts that a new one attends to."),
    device: Device = "cpu",
) -> None:
    """Find the gold changes and conflicts of cri-benchmark, beside n-grams and sentence embeddings."""
    from dataset_builder.reflection.similarity import SentenceEmbedding

    from .changes import (  # fmt: skip
        baseline_scores,
        compare_changes,
        read_cri,
        scores_of_thoughts,
        thoughts_of,
        training_messages,
    )

    turns, gold = read_cri(conversation)
    turns = turns[:messages]
    gold = [item for item in gold if max(item.messages) < len(turns)]
    if not gold:
        raise ValueError(f"`messages`: nothing changes within the first {messages}; read more.")
    texts, labels = training_messages(read_rows(corpus / "train.jsonl", 1000))
    model, tokenizer = load(adapter, base, device)
    model.config.threshold, model.config.thought_window, model.config.max_nodes = threshold, thought_window, 10**6
    thoughts = thoughts_of(model, turns, tokenizer)
    likely, thought = scores_of_thoughts(thoughts, turns, tokenizer)
    users = [number for number, turn in enumerate(turns) if turn["speaker"] == "user"]
    said = [turns[number]["text"] for number in users]
    scores = {"reflection": likely}
    for name, values in baseline_scores(texts, labels, said, SentenceEmbedding(embeddings)).items():
        scores[name] = np.full(len(turns), -np.inf)
        scores[name][users] = values
    results = {
        **head("reflection changes"),
        "messages": len(users),
        "thoughts": len(thoughts),
        "messages with a thought": int(thought[users].sum()),
        "types": {name: sum(node.type == name for node in thoughts) for name in THOUGHT_TYPES},
        "gold": {kind: sum(item.kind == kind for item in gold) for kind in ("change", "conflict")},
        "recall": compare_changes(scores, gold, users),
    }
    write_json(rounded(results), json_path)
    print(json.dumps(rounded(results["recall"]), indent=1))


@app.command("decide")
def decide_command(
    results: Path,
    data_fixed: bool = typer.Option(False, help="Hard negatives and oversampling have been tried."),
) -> None:
    """Say what to do about the activation head, by the decision table of the design, from a results file."""
    figures = json.loads(results.read_text())["validation"]
    recalls = ", ".join(
        f"{value:.2f} {name}" for name, value in figures["recall_by_type"].items() if value is not None
    )
    print(f"F1 {figures['f1']:.3f}; recall {recalls}: {decide(figures, data_fixed)}")


@app.command("measure")
def main(
    adapter: str,
    corpus: Path,
    base: Base,
    json_path: Json = Path("reflection.json"),  # noqa: B008
    samples: int = typer.Option(400, help="Dialogues for activation and thoughts."),
    far: int = typer.Option(100, help="Dialogues in which a fact is asked again."),
    device: Device = "cpu",
    batch_size: int = typer.Option(8),
    linked: Linked = 4,
) -> None:
    """Measure a dual-track adapter on held-out dialogues, and write what was found."""
    model, tokenizer = load(adapter, base, device)
    model.config.linked_thoughts = linked
    validation = score_teacher_forced(
        model, read_rows(corpus / "validation.jsonl", samples), tokenizer, batch_size, 1024
    )
    threshold = best_threshold(validation["logits"], validation["labels"])
    found = score_teacher_forced(model, read_rows(corpus / "test.jsonl", samples), tokenizer, batch_size, 1024)
    results: dict[str, Any] = {
        **head("reflection"),
        "adapter": {"latent_tokens": model.config.latent_tokens, "head_tier": model.config.head_tier},
        "threshold": threshold,
        "validation": activation_figures(validation, threshold),
        "activation": activation_figures(found, threshold),
        "types": {
            "accuracy": share(found["type_right"]),
            "by_type": {
                name: share(
                    [right for right, kind in zip(found["type_right"], found["types"], strict=True) if kind == index]
                )
                for index, name in enumerate(THOUGHT_TYPES)
            },
        },
        "connections": {
            "first": share(found["linked_first"]),
            f"among {model.config.linked_thoughts}": share(found["linked"]),
            "operation": share(found["operation_right"]) | {"of": list(MEMORY_OPERATIONS)},
        },
        "tokens_of_a_thought": found["tokens"],
    }
    write_json(rounded(results), json_path)
    model.config.threshold = threshold
    if far:
        rows = read_rows(corpus / "far.jsonl", far)
        results["facts long ago"] = ask_again(model, rows, tokenizer, batch_size)
        write_json(rounded(results), json_path)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=device == "cuda"):
            results["attention kept"] = attention_kept(model, rows[: min(far, 30)], tokenizer)
    write_json(rounded(results), json_path)
    print(json.dumps(rounded({k: v for k, v in results.items() if k not in ("machine", "versions")}), indent=1))


if __name__ == "__main__":
    app()
