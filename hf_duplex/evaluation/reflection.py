"""What dual-track reflection is worth: activation, thoughts, connections, facts long ago, what is kept, and what it
costs.

hf-duplex bench reflection measure ADAPTER CORPUS --base BASE --json results/reflection/reflection.json
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from rich.progress import track

from ..data.reflection import (
    ReflectionCollator,
    base_tokenizer,
    boundaries,
    chat_ids,
    encode_dialogue,
    read_rows,
)  # fmt: skip
from ..modeling.configuration_dual_track import MEMORY_OPERATIONS, THOUGHT_TYPES
from ..modeling.dual_track_cache import DualTrackCache
from ..modeling.modeling_dual_track import DualTrackForCausalLM
from ..modeling.thought_grammar import is_grammatical
from ..record import command_line, describe_machine, describe_versions, rounded, write_json
from .reflection_decision import activation_figures, best_threshold, decide
from .statistics import ratio


def share(right: Sequence[bool]) -> dict[str, Any]:
    """How many are right, with an interval that none and all have too."""
    return ratio(np.asarray(right, dtype=int), np.ones(len(right), dtype=int))


def mean(right: Sequence[float], seed: int = 0, draws: int = 2000) -> dict[str, Any]:
    """Mean, its 95 % interval by the percentile bootstrap over samples, and their number."""
    values = np.asarray(right, dtype=float)
    if not len(values):
        return {"value": None, "interval": None, "n": 0}
    means = np.random.default_rng(seed).choice(values, (draws, len(values))).mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"value": float(values.mean()), "interval": [float(low), float(high)], "n": len(values)}


@torch.no_grad()
def score_teacher_forced(
    model: DualTrackForCausalLM, rows: list[dict], tokenizer, batch_size: int, length: int
) -> dict[str, Any]:
    """
    Activation logits and labels at boundaries; and, where the oracle reflects, types, links and operations, all
    earlier thoughts being the oracle's.
    """
    encoded = [encode_dialogue(row, tokenizer, model.config, length) for row in rows]
    encoded = [row for row in encoded if row["thoughts"]]
    collate = ReflectionCollator(model.config, tokenizer.pad_token_id)
    device = model.device
    found: dict[str, list] = {
        name: []
        for name in (
            "logits",
            "labels",
            "kinds",
            "type_right",
            "linked_first",
            "linked",
            "operation_right",
            "vectors",
            "types",
        )
    }
    before, model.training_step = model.training_step, "reflect"
    for begin in track(range(0, len(encoded), batch_size), description="teacher-forced", transient=True):
        part = encoded[begin : begin + batch_size]
        batch = {name: value.to(device) for name, value in collate(part).items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            output = model(**{name: value for name, value in batch.items() if not name.startswith("teacher")})
            scores = model.memory(output.thought_vectors, output.thought_vectors).float().cpu()
            operations = model.memory.operation(output.thought_vectors).float().argmax(-1).cpu()
        types = output.thought_logits[..., model.config.type_ids].argmax(-1).cpu()
        starts = [(row == model.config.start_id).nonzero().squeeze(-1).tolist() for row in batch["thought_ids"].cpu()]
        for index, row in enumerate(part):
            asked = torch.tensor(row["activation_labels"]) >= 0
            found["logits"] += output.activation_logits[index, : len(asked)].float().cpu()[asked].tolist()
            labels = torch.tensor(row["activation_labels"])[asked]
            kinds = torch.full_like(labels, -1)
            kinds[labels == 1] = torch.tensor(row["types"])
            found["labels"] += labels.tolist()
            found["kinds"] += kinds.tolist()
            found["vectors"] += output.thought_vectors[index, : len(row["thoughts"])].float().cpu().tolist()
            for number, (place, kind) in enumerate(zip(starts[index], row["types"], strict=True)):
                found["types"].append(kind)
                found["type_right"].append(int(types[index, place]) == kind)
                if row["links"][number] >= 0:
                    there = [j for j in range(number) if row["until"][j] >= number]
                    ranked = sorted(there, key=lambda j: -float(scores[index, number, j]))
                    found["linked_first"].append(ranked[0] == row["links"][number])
                    found["linked"].append(row["links"][number] in ranked[: model.config.linked_thoughts])
                    found["operation_right"].append(int(operations[index, number]) == row["operations"][number])
    model.training_step = before
    return found


OPENING = "You told me that your {fact} is"


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids of different lengths, `[batch, longest]`, and their mask."""
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask


def says(text: str, value: str) -> bool:
    """Whether a value is in a text, as words of its own."""
    return re.search(rf"(?<!\w){re.escape(value.lower())}(?!\w)", text.lower()) is not None


def answered(text: str, question: Mapping[str, Any]) -> bool:
    """Whether an answer holds the value that is current, and none that is out of date."""
    return says(text, question["answer"]) and not any(says(text, old) for old in question["outdated"])


@torch.no_grad()
def ask_again(
    model: DualTrackForCausalLM, rows: Sequence[Mapping[str, Any]], tokenizer, batch_size: int = 8, tokens: int = 10
) -> dict[str, Any]:
    """
    Facts that changed long ago, asked again: with reflection, and the base with the same window and with all the
    context.

    The base with a window sees the sinks and the window, as the content track does, and no thought. The answer's first
    words (`OPENING`) are given to all three.
    """
    device, config = model.device, model.config
    right: dict[str, list[bool]] = {"reflection": [], "base, same window": [], "base, full context": []}
    grammatical, residents, thoughts, distance, opened = [], [], [], [], []
    examples: list[dict[str, Any]] = []
    forbidden = set(model._forbidden.tolist() if model._forbidden is not None else [])
    for begin in track(range(0, len(rows), batch_size), description="facts long ago", transient=True):
        part, prompts, openings, changes = rows[begin : begin + batch_size], [], [], []
        for row in part:
            turns = [*row["turns"], {"speaker": "user", "text": row["questions"][0]["question"]}]
            ids, where = chat_ids(turns, tokenizer, generate=True)
            annotation = row["annotations"][row["questions"][0]["annotation"]]
            prompts.append(ids)
            openings.append(tokenizer(OPENING.format(**row["questions"][0]), add_special_tokens=False)["input_ids"])
            changes.append(where[annotation["turn"]][annotation["end"] - 1])
            distance.append(len(ids) - changes[-1])
        pad = tokenizer.pad_token_id
        prompt, mask = left_padded(prompts, pad, device)
        opening, opening_mask = left_padded(openings, pad, device)
        padding = [prompt.shape[1] - len(ids) for ids in prompts]
        whole = torch.cat([prompt, opening], dim=1)
        for name in right:
            cache = DualTrackCache(config)
            if name == "base, same window":
                cache.start(len(part), device)
                cache.thoughtful = [True] * len(part)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                # The answer is opened in the same words for all, since so small a base seldom answers by itself.
                cache.reflect = name == "reflection"
                model.step(prompt, cache, mask)
                said = model.generate(
                    whole,
                    attention_mask=torch.cat([mask, opening_mask], dim=1),
                    past_key_values=cache,
                    reflect=name == "reflection",
                    max_new_tokens=tokens,
                    do_sample=False,
                    pad_token_id=pad,
                )
            for row, ids in zip(part, said, strict=True):
                text = tokenizer.decode(ids[whole.shape[1] :], skip_special_tokens=True)
                right[name].append(answered(text, row["questions"][0]))
                if len(examples) < 12:
                    examples.append({"how": name, "asked": row["questions"][0], "said": text})
            if name == "reflection":
                for index in range(len(part)):
                    nodes = cache.buffers[index].nodes
                    changed = changes[index] + padding[index]
                    grammatical += [is_grammatical(node.ids, config, forbidden) for node in nodes]
                    thoughts.append(len(nodes))
                    pages = cache.wanted(index)
                    residents.append(len(pages) / -(-(cache.length - padding[index]) // cache.page_size))
                    opened.append(any(begin <= changed < end for begin, end in cache.opened[index]))
    return {
        "accuracy": {name: share(values) for name, values in right.items()},
        "difference": {
            name: mean(np.asarray(right["reflection"], float) - np.asarray(values, float))
            for name, values in right.items()
            if name != "reflection"
        },
        "tokens since the change": {"least": min(distance), "median": float(np.median(distance))},
        "grammatical": share(grammatical),
        "change in sight": share(opened),
        "resident pages": mean(residents),
        "thoughts": float(np.mean(thoughts)),
        "examples": examples,
    }


@torch.no_grad()
def attention_kept(
    model: DualTrackForCausalLM, rows: Sequence[Mapping[str, Any]], tokenizer, ks: Sequence[int] = (0, 1, 2, 4, 8)
) -> dict[str, Any]:
    """
    KL of attention kept to full attention, against K: of the last content token, mean over layers and heads. Kept are
    the sinks, the window and the sentence after which each of the K thoughts was had that the network ranks first, as
    the runtime opens them; KL is -log of their mass.
    """
    config, device = model.config, model.device
    collate = ReflectionCollator(config, tokenizer.pad_token_id)
    found: dict[int, list[float]] = {k: [] for k in ks}
    pages: dict[int, list[float]] = {k: [] for k in ks}
    before, model.training_step = model.training_step, "reflect"
    for row in track(rows, description="attention kept", transient=True):
        turns = [*row["turns"], {"speaker": "user", "text": row["questions"][0]["question"]}]
        end = len(row["questions"][0]["question"])
        question = {
            "type": "RECALL",
            "summary": "the user asks again",
            "turn": len(turns) - 1,
            "end": end,
            "link": -1,
            "operation": "PUSH",
        }
        encoded = encode_dialogue(
            {**row, "turns": turns, "annotations": [*row["annotations"], question]}, tokenizer, config, 10**6
        )
        batch = {
            name: value.to(device) for name, value in collate([encoded]).items() if not name.startswith("teacher")
        }
        output = model(**batch)
        number = len(encoded["thoughts"]) - 1
        there = [j for j in range(number) if encoded["until"][j] >= number]
        scores = model.memory(output.thought_vectors, output.thought_vectors)[0, number]
        ranked = sorted(there, key=lambda j: -float(scores[j]))
        ids = torch.tensor([encoded["input_ids"]], device=device)
        weights = _last_attention(model, ids)
        length = ids.shape[1]
        columns = torch.arange(length, device=device)
        asked = boundaries(encoded["input_ids"], config)
        for k in ks:
            keep = (columns >= length - config.window) | (columns < config.sinks)
            for j in ranked[:k]:
                begin, stop = encoded["spans"][j]
                sentence = max((end + 1 for end in asked if end + 1 < stop), default=0)
                keep |= (columns >= max(begin, sentence, stop - config.max_range)) & (columns < stop)
            mass = weights[..., keep].sum(-1).clamp_min(1e-9)
            found[k].append(float(-mass.log().mean()))
            held = set((columns[keep] // config.page_size).tolist())
            pages[k].append(len(held) / -(-length // config.page_size))
    model.training_step = before
    return {str(k): {"kl": mean(found[k]), "pages": mean(pages[k])} for k in ks}


def _last_attention(model: DualTrackForCausalLM, ids: torch.Tensor) -> torch.Tensor:
    """`[layers, heads, tokens]`, the full attention of the last token of the base model."""
    queries: list[torch.Tensor] = []
    layers = model.backbone.model.layers
    hooks = [
        layer.self_attn.q_proj.register_forward_hook(lambda m, i, o: queries.append(o[:, -1:])) for layer in layers
    ]
    try:
        _, _, cache = model.utter(ids)
    finally:
        for hook in hooks:
            hook.remove()
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    position = torch.tensor([[ids.shape[1] - 1]], device=ids.device)
    cosine, sine = model.backbone.model.rotary_emb(queries[0], position_ids=position)
    found = []
    for layer, thought_layer, query in zip(cache.layers, model.thought_layers, queries, strict=True):
        query = query.view(1, 1, thought_layer.heads, -1).transpose(1, 2)
        query, _ = apply_rotary_pos_emb(query, query, cosine, sine)
        keys = layer.keys.repeat_interleave(thought_layer.heads // thought_layer.key_heads, 1)
        found.append((query @ keys.transpose(-1, -2) * thought_layer.head_size**-0.5).float().softmax(-1)[0, :, 0])
    return torch.stack(found)


@torch.no_grad()
def cost(
    model: DualTrackForCausalLM, rows: Sequence[Mapping[str, Any]], tokenizer, tokens: int = 120
) -> dict[str, Any]:
    """
    The track on against off, in pairs of the same dialogue: decode tokens a second of the reply to its last turn with
    something to remember, reflections while it is said included; and the same with that turn read too, and thought
    about. What was said before is read beforehand in both.
    """
    decode, turn, reflections = [], [], {"turn": 0, "reply": 0}
    for number, row in enumerate(track(rows, description="cost", transient=True)):
        last = row["annotations"][-1]["turn"]
        before, _ = chat_ids(row["turns"][:last], tokenizer)
        new, _ = chat_ids([row["turns"][last]], tokenizer, generate=True)
        prompt = torch.tensor([[*before, *new]], device=model.device)
        read, said = {}, {}
        # Which comes first changes from row to row, so that neither is always the warm one.
        for reflect in (False, True) if number % 2 else (True, False):
            cache = DualTrackCache(model.config)
            cache.reflect = reflect
            if before:
                model.step(prompt[:, : len(before)], cache)
            counts, times = [cache.reflections], [_now(model)]
            model.step(prompt[:, len(before) : -1], cache)
            counts.append(cache.reflections)
            times.append(_now(model))
            model.generate(
                prompt, attention_mask=torch.ones_like(prompt), past_key_values=cache, reflect=reflect,
                max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
            times.append(_now(model))
            read[reflect], said[reflect] = times[1] - times[0], times[2] - times[1]
            reflections["turn"] += counts[1] - counts[0]
            reflections["reply"] += cache.reflections - counts[1]
        decode.append(said[False] / said[True])
        turn.append((said[False] + read[False]) / (said[True] + read[True]))
    return {
        "ratio": mean(decode),
        "ratio with the turn": mean(turn),
        "median ratio": float(np.median(decode)),
        "reflections": {name: count / len(rows) for name, count in reflections.items()},
        "tokens": tokens,
    }


def _now(model: DualTrackForCausalLM) -> float:
    """Seconds, with all that was asked of the device done."""
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def load(adapter: str, base: str, device: str) -> tuple[DualTrackForCausalLM, Any]:
    """The tracks on their base, in bfloat16 on a GPU, and the tokenizer."""
    from ..modeling.reflection import forbidden_ids_of

    tokenizer = base_tokenizer(base)
    model = DualTrackForCausalLM.from_pretrained(adapter, base=base, dtype=torch.float32).eval().to(device)
    model.forbid(forbidden_ids_of(tokenizer))
    if device == "cuda":
        model.backbone.to(torch.bfloat16)
    return model, tokenizer


@app.command("codes")
def codes_command(
    adapter: str,
    corpus: Path,
    base: str = typer.Option(..., help="Folder or name of the frozen base."),
    json_path: Path = typer.Option(Path("codes.json"), "--json", help="Where the results go."),  # noqa: B008
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
        "benchmark": "reflection codes",
        "command": command_line(),
        "machine": describe_machine(),
        "thoughts": len(vectors),
        "clusters": {"about": separation(vectors, about), "type": separation(vectors, types)},
        "composition": composition(vectors, about, types, parts, codes),
    }
    write_json(rounded(results), json_path)
    print(json.dumps(rounded({k: v for k, v in results.items() if k != "machine"}), indent=1))


@app.command("far")
def far_command(
    adapter: str,
    corpus: Path,
    base: str = typer.Option(..., help="Folder or name of the frozen base."),
    json_path: Path = typer.Option(Path("far.json"), "--json", help="Where the results go."),  # noqa: B008
    rows: int = typer.Option(16, help="Dialogues in which a fact is asked again."),
    threshold: float = typer.Option(0.5, help="Of the activation head, as `measure` found it on validation."),
    linked: int = typer.Option(4, help="Past thoughts whose content a reflection opens (K)."),
    device: str = typer.Option("cpu"),
    batch_size: int = typer.Option(4),
) -> None:
    """Ask facts again that changed long ago, of an adapter and of its base; `measure` does it too, among the rest."""
    model, tokenizer = load(adapter, base, device)
    model.config.linked_thoughts, model.config.threshold = linked, threshold
    results = {
        "benchmark": "reflection far",
        "command": command_line(),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "facts long ago": ask_again(model, read_rows(corpus / "far.jsonl", rows), tokenizer, batch_size),
    }
    write_json(rounded(results), json_path)


@app.command("changes")
def changes_command(
    adapter: str,
    corpus: Path,
    base: str = typer.Option(..., help="Folder or name of the frozen base."),
    embeddings: str = typer.Option(..., help="Folder or name of a sentence-embedding model, for the baseline."),
    json_path: Path = typer.Option(Path("changes.json"), "--json", help="Where the results go."),  # noqa: B008
    conversation: Path | None = typer.Option(None, help="Folder of another set like cri-benchmark."),  # noqa: B008
    messages: int | None = typer.Option(None, help="Only so many first messages, to try it."),
    threshold: float = typer.Option(0.1, help="Of the activation head; low, since messages are ranked."),
    thought_window: int = typer.Option(16, help="Thoughts that a new one attends to."),
    device: str = typer.Option("cpu"),
) -> None:
    """Find the gold changes and conflicts of cri-benchmark, beside n-grams and sentence embeddings."""
    from dataset_builder.reflection.similarity import SentenceEmbedding

    from .changes import (
        classified,
        compare_changes,
        nearest_earlier,
        ngram_vectors,
        read_cri,
        scores_of_thoughts,
        thoughts_of,
        training_messages,
    )  # fmt: skip

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
    embedding = SentenceEmbedding(embeddings)
    scores = {"reflection": likely}
    for name, vectors in (
        ("n-grams", ngram_vectors([*texts, *said])), ("embeddings", embedding.embed([*texts, *said]))
    ):  # fmt: skip
        own, fitted = vectors[len(texts) :], vectors[: len(texts)]
        for method, values in (
            ("nearest earlier", nearest_earlier(own)), ("classifier", classified(fitted, labels, own))
        ):  # fmt: skip
            scores[f"{name}, {method}"] = np.full(len(turns), -np.inf)
            scores[f"{name}, {method}"][users] = values
    results = {
        "benchmark": "reflection changes",
        "command": command_line(),
        "machine": describe_machine(),
        "versions": describe_versions(),
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
    base: str = typer.Option(..., help="Folder or name of the frozen base."),
    json_path: Path = typer.Option(Path("reflection.json"), "--json", help="Where the results go."),  # noqa: B008
    samples: int = typer.Option(400, help="Dialogues for activation and thoughts."),
    far: int = typer.Option(100, help="Dialogues in which a fact is asked again."),
    device: str = typer.Option("cpu"),
    batch_size: int = typer.Option(8),
    linked: int = typer.Option(4, help="Past thoughts whose content a reflection opens (K)."),
    timing: int = typer.Option(5, help="Dialogues for the cost; 0 leaves it out."),
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
        "benchmark": "reflection",
        "command": command_line(),
        "machine": describe_machine(),
        "versions": describe_versions(),
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
        "tokens_of_a_thought": 2 + model.config.latent_tokens + 1 if model.config.latent_tokens else None,
    }
    if results["tokens_of_a_thought"] is None:
        rows = read_rows(corpus / "test.jsonl", samples)
        lengths = [len(t) for row in rows for t in encode_dialogue(row, tokenizer, model.config)["thoughts"]]
        results["tokens_of_a_thought"] = float(np.mean(lengths))
    write_json(rounded(results), json_path)
    model.config.threshold = threshold
    if far:
        rows = read_rows(corpus / "far.jsonl", far)
        results["facts long ago"] = ask_again(model, rows, tokenizer, batch_size)
        write_json(rounded(results), json_path)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=device == "cuda"):
            results["attention kept"] = attention_kept(model, rows[: min(far, 30)], tokenizer)
    if timing:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=device == "cuda"):
            results["cost"] = cost(model, read_rows(corpus / "test.jsonl", timing), tokenizer)
    write_json(rounded(results), json_path)
    print(json.dumps(rounded({k: v for k, v in results.items() if k not in ("machine", "versions")}), indent=1))


if __name__ == "__main__":
    app()
