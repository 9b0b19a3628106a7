"""
Whether a duplex adapter preserves its base without updates: perplexity on ordinary chat, and whether logits equal the
base's where they must.

    hf-duplex bench fidelity --model ADAPTER --data chat.jsonl --json FILE
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ...bases import SMOLLM2, load_base
from ...data.chat_encoding import ChatEncoder
from ...data.encoding import EncodedSample
from ...data.own import Conversation, read_conversations
from ...modeling import DuplexAdapterConfig, Interrupt, listen
from ...modeling.configuration_adapter import SCOPES
from ...record import command_line, describe_commit, describe_machine, describe_versions, write_json
from ..contestants.models import check_contestant, load_adapter
from .weight_noise import add_noise


FORMAT = 1
TARGET = 1.03
"""The largest perplexity on ordinary chat, as a multiple of the base's."""
RESAMPLES = 2000
# For the comparison of logits: emitted tokens, number of conversations, and when an update arrives.
COMPARED_TOKENS, COMPARED_CHATS, UPDATE_AT = 16, 8, 8
UPDATE = "Actually, please answer in one short sentence."


def chat_to_measure(data: str | Path | None, samples: int) -> list[Conversation]:
    """
    Ordinary chat without updates.

    Args:
        data (`str` or `Path`, *optional*): A user's own file (see [`~hf_duplex.data.own`]); held-out human replies of
            chitchat-dataset if it is not given.
        samples (`int`): At most so many conversations.

    Raises:
        ValueError: There is none, or a line is wrong or holds updates; the message names it.
    """
    if data is None:
        return human_replies(samples)
    found = read_conversations(data)
    interrupted = next((conversation for conversation in found if conversation.updates), None)
    if interrupted is not None:
        raise ValueError(
            f"`--data`: {interrupted.where}: `updates` must be []; fidelity is measured where nobody interrupts."
        )
    return found[:samples]


def human_replies(samples: int) -> list[Conversation]:
    """
    Replies written by people, each with the turns before it: the assistant turns of held-out prompts.

    Raises:
        ValueError: chitchat-dataset is not installed.
    """
    from ...data.chat_prompts import chat_prompts

    openings = (messages[:-1] for messages in chat_prompts("test") if len(messages) > 1)
    return [Conversation(messages[:-1], messages[-1]["content"]) for messages in openings][:samples]


def encode_chat(
    encoder: ChatEncoder, conversations: Sequence[Conversation], longest: int | None
) -> list[EncodedSample]:
    """
    Conversations as tokens.

    Raises:
        ValueError: One is longer than the context of the base.
    """
    encoded = [encoder.conversation(conversation) for conversation in conversations]
    for sample, conversation in zip(encoded, conversations, strict=True):
        length = len(sample["prompt_ids"]) + len(sample["input_ids"])
        if longest is not None and length > longest:
            raise ValueError(f"{conversation.where}: has {length} tokens, and the base reads {longest}; shorten it.")
    return encoded


def _padded(rows: Sequence[list[int]], device: Any) -> tuple[torch.LongTensor, torch.LongTensor]:
    """Rows `(batch, length)`, padded on the right, and their mask."""
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=device)
    lengths = torch.tensor([[len(row)] for row in rows], device=device)
    return ids, (torch.arange(longest, device=device) < lengths).long()


def _emitted_logits(model: Any, batch: Sequence[EncodedSample]) -> Iterator[torch.Tensor]:
    """For each sample the logits `(emitted - 1, vocab_size)` that predict its emitted tokens except the first."""
    emitted = [sample["input_ids"] for sample in batch]
    prompts = [sample["prompt_ids"] for sample in batch]
    if model.config.model_type == "duplex_adapter":
        (ids, mask), (prompt_ids, prompt_mask) = _padded(emitted, model.device), _padded(prompts, model.device)
        given = {"prompt_ids": prompt_ids, "prompt_mask": prompt_mask}
        logits = model(input_ids=ids, attention_mask=mask, **given).logits
        starts = [0] * len(batch)
    else:
        ids, mask = _padded([[*prompt, *row] for prompt, row in zip(prompts, emitted, strict=True)], model.device)
        logits = model(input_ids=ids, attention_mask=mask).logits
        starts = [len(prompt) for prompt in prompts]
    for row, start, tokens in zip(logits, starts, emitted, strict=True):
        yield row[start : start + len(tokens) - 1]


@torch.inference_mode()
def chat_surprisals(model: Any, encoded: Sequence[EncodedSample], batch_size: int = 8) -> np.ndarray:
    """
    Negative log-likelihood of the emitted text of each sample, its end token included, given its prompt.

    Args:
        model (`PreTrainedModel`): A duplex adapter, or any causal language model.
        encoded (`Sequence[EncodedSample]`): The samples.
        batch_size (`int`, *optional*, defaults to 8): Samples at a time, batched by length.

    Returns:
        `(samples, 2)`: the sum over the tokens in nats, and their number.
    """
    found = np.zeros((len(encoded), 2))
    lengths = [len(sample["prompt_ids"]) + len(sample["input_ids"]) for sample in encoded]
    order = sorted(range(len(encoded)), key=lengths.__getitem__)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = [encoded[index] for index in chosen]
        for index, sample, logits in zip(chosen, batch, _emitted_logits(model, batch), strict=True):
            gold = torch.tensor(sample["input_ids"][1:], device=logits.device)
            found[index] = float(F.cross_entropy(logits.float(), gold, reduction="sum")), len(gold)
    return found


def perplexity_of(surprisals: np.ndarray) -> float:
    """The perplexity over the tokens of all samples `(samples, 2)`."""
    nats, tokens = surprisals.sum(0)
    return float(np.exp(nats / tokens))


def perplexity_ratio(ours: np.ndarray, base: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """
    Ratio of our perplexity to the base's on the same samples, with the 95 % interval of a bootstrap over samples.
    """
    differences, tokens = ours[:, 0] - base[:, 0], base[:, 1]
    draws = np.random.default_rng(seed).integers(len(tokens), size=(RESAMPLES, len(tokens)))
    ratios = np.exp(differences[draws].sum(1) / tokens[draws].sum(1))
    value = float(np.exp(differences.sum() / tokens.sum()))
    low, high = (float(bound) for bound in np.percentile(ratios, [2.5, 97.5]))
    return {"value": value, "interval": [low, high], "target": TARGET, "met": value <= TARGET}


@torch.inference_mode()
def logit_difference(
    model: Any, base: Any, encoder: ChatEncoder, encoded: Sequence[EncodedSample], interrupt: bool
) -> dict[str, Any]:
    """
    The largest absolute difference of logits to the base's, while both generate greedily, one conversation at a time.

    Args:
        model (`DuplexAdapterForCausalLM`): The adapter.
        base (`PreTrainedModel`): Its base.
        encoder ([`ChatEncoder`]): Of the adapter's mode.
        encoded (`Sequence[EncodedSample]`): The prompts.
        interrupt (`bool`): Send an update after a few tokens; those before it are compared.

    Returns:
        `largest` (None if nothing was compared), `tokens` compared, and with an update `largest_behind_update`, which
        is above 0 where the update was received.
    """
    largest = behind = 0.0
    compared = 0
    update = torch.tensor([encoder.format.update(UPDATE)], device=model.device)
    for sample in encoded[:COMPARED_CHATS]:
        prompt = torch.tensor([sample["prompt_ids"]], device=model.device)
        start = torch.tensor([sample["input_ids"][:1]], device=model.device)
        how = {
            "max_new_tokens": COMPARED_TOKENS,
            "do_sample": False,
            "eos_token_id": None,
            "output_logits": True,
            "return_dict_in_generate": True,
        }
        whole = torch.cat([prompt, start], dim=1)
        expected = base.generate(whole, attention_mask=torch.ones_like(whole), **how)

        def callback(input_ids: torch.LongTensor) -> Interrupt | None:
            return Interrupt(update) if interrupt and input_ids.shape[1] == 1 + UPDATE_AT else None

        given = model.generate(start, prompt_ids=prompt, interrupt_callback=callback, **how)
        for index, (ours, theirs) in enumerate(zip(given.logits, expected.logits, strict=True)):
            difference = float((ours.float() - theirs.float()).abs().max())
            if interrupt and index >= UPDATE_AT:
                behind = max(behind, difference)
                break
            largest, compared = max(largest, difference), compared + 1
            if given.sequences[0, 1 + index] != expected.sequences[0, whole.shape[1] + index]:
                # From here on, the two emit different texts.
                break
    found: dict[str, Any] = {"largest": largest if compared else None, "tokens": compared}
    return found | ({"largest_behind_update": behind} if interrupt else {})


def _measure(
    specs: Sequence[str],
    base: tuple[Any, Any],
    conversations: Sequence[Conversation],
    batch_size: int,
    advance: Callable[[float], None],
) -> dict[str, Any]:
    """Perplexity of a base and of each adapter on it in each scope, and the differences of logits."""
    model, tokenizer = base
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    encoder = ChatEncoder(tokenizer)
    encoded = encode_chat(encoder, conversations, longest)
    expected = chat_surprisals(model, encoded, batch_size)
    fresh = listen(model, DuplexAdapterConfig())
    found: dict[str, Any] = {
        "base": {"perplexity": perplexity_of(expected), "tokens": int(expected[:, 1].sum())},
        "fresh": {"logits": logit_difference(fresh, model, encoder, encoded, interrupt=False)},
        "models": {},
    }
    advance(1)
    for spec in specs:
        scopes = {}
        for scope in SCOPES:
            adapter = load_adapter(spec, base, scope=scope).eval()
            given = chat_surprisals(adapter, encoded, batch_size)
            scopes[scope] = {"perplexity": perplexity_of(given), "ratio": perplexity_ratio(given, expected)}
            if scope == "after_update":
                own = ChatEncoder(tokenizer, adapter.config.mode)
                scopes[scope]["logits"] = logit_difference(adapter, model, own, encoded, interrupt=True)
            advance(1)
        found["models"][Path(spec).name] = {"spec": spec, **scopes}
    return found


def run_fidelity_benchmark(
    models: Sequence[str],
    data: str | Path | None = None,
    base: str | Path = SMOLLM2,
    samples: int = 256,
    device: str = "cpu",
    batch_size: int = 8,
    noise: int | None = None,
    json_path: str | Path | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """
    Compares adapters with their base on ordinary chat, in float32.

    Args:
        models (`Sequence[str]`): Adapters, by folder or Hub name; each is measured in both scopes.
        data (`str` or `Path`, *optional*): As in [`chat_to_measure`].
        base (`str` or `Path`, *optional*, defaults to `"smollm2"`): Their base.
        samples (`int`, *optional*, defaults to 256): At most so many conversations.
        device (`str`, *optional*, defaults to `"cpu"`): Where to run.
        batch_size (`int`, *optional*, defaults to 8): Conversations at a time.
        noise (`int`, *optional*): Measure all once more on a base with noise on its weights, with this seed (see
            [`weight_noise`]).
        json_path (`str` or `Path`, *optional*): Where the results are written.
        progress (`bool`, *optional*, defaults to `True`): Whether to show a progress bar, on standard error.

    Returns:
        Under `clean`, and with `noise` under `noisy`: the perplexity of the base and of each adapter in each scope
        with its ratio to the base's, and the largest differences of logits.

    Raises:
        ValueError: An argument or a line of `data` is unusable; the message names it.
    """
    if not models:
        raise ValueError("`--model` is missing: name at least one duplex adapter.")
    names = [Path(spec).name for spec in models]
    if len(set(names)) < len(names):
        raise ValueError(f"`--model`: two adapters have the same name ({', '.join(names)}): rename a folder.")
    for option, value in (("--samples", samples), ("--batch-size", batch_size)):
        if value < 1:
            raise ValueError(f"`{option}` must be at least 1, got {value}.")
    for spec in models:
        path, mode, config = check_contestant(spec)
        if mode is not None or config.model_type != "duplex_adapter":
            raise ValueError(
                f"`--model`: {spec} is no duplex adapter by folder or Hub name; both of its scopes are measured."
            )
    conversations = chat_to_measure(data, samples)
    results: dict[str, Any] = {
        "benchmark": "fidelity",
        "format": FORMAT,
        "command": command_line(),
        "commit": describe_commit(),
        "settings": {
            "data": Path(data).name if data else "chitchat-dataset, test",
            "conversations": len(conversations),
            "base": str(base),
            "device": device,
            "dtype": "float32",
            "batch_size": batch_size,
            "noise": noise,
        },
        "versions": describe_versions(),
        "machine": describe_machine(),
    }
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
        passes = {"clean": None} | ({} if noise is None else {"noisy": noise})
        for name, seed in passes.items():
            task = bar.add_task(f"{name} base", total=1 + len(models) * len(SCOPES))
            model, tokenizer = load_base(base)
            if seed is not None:
                add_noise(model, seed)
            results[name] = _measure(
                models, (model.to(device), tokenizer), conversations, batch_size, partial(bar.advance, task)
            )
            write_json(results, json_path)
    return results


def print_fidelity_table(results: dict[str, Any], console: Console | None = None) -> None:
    """Prints perplexities, their ratios to the base's with the target, and the largest differences of logits."""
    console = console or Console()
    for name in ("clean", "noisy"):
        found = results.get(name)
        if found is None:
            continue
        noise = "" if name == "clean" else ", noise on the weights of the base"
        table = Table(title=f"Ordinary chat, {results['settings']['conversations']} conversations{noise}")
        for column in ("model", "scope", "perplexity", "ratio to the base", f"at most {TARGET:g}"):
            table.add_column(column)
        table.add_row("base", "", f"{found['base']['perplexity']:.3f}", "", "")
        for model, scopes in found["models"].items():
            for scope in SCOPES:
                ratio = scopes[scope]["ratio"]
                low, high = ratio["interval"]
                cells = f"{scopes[scope]['perplexity']:.3f}", f"{ratio['value']:.4f} ({low:.4f}–{high:.4f})"
                table.add_row(model, scope, *cells, "[green]holds[/]" if ratio["met"] else "[red]missed[/]")
        console.print(table)
        differences = {"a fresh adapter": found["fresh"]["logits"]}
        for model, scopes in found["models"].items():
            differences[f"{model}, after_update, before the first update"] = scopes["after_update"]["logits"]
        for what, difference in differences.items():
            verdict = "[green]holds[/]" if difference["largest"] == 0 else "[red]missed[/]"
            console.print(
                f"{verdict}  {what}: largest difference of logits to the base {difference['largest']:g} over "
                f"{difference['tokens']} tokens (wanted 0)"
            )
