"""
How long a pretrained base takes to apply an update: `hf-duplex bench speed --base BASE`.

Three methods alternate on the same history: a duplex adapter (its workspace), `listen` on the base without an adapter
(updates spliced into its stream), and a restart of the base with everything it had read and emitted. The history is
random tokens: speed depends on sizes, not on values.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from transformers import GenerationConfig

from ...bases import SMOLLM2, load_base
from ...modeling import ChatFormat, DuplexAdapterConfig, listen
from ...record import command_line, describe_commit, describe_machine, describe_versions, write_json
from ..contestants.models import check_contestant, load_adapter
from .speed import DECODE_TOKENS, RESTART_TOKENS, WARM_UP, Stopwatch, Stream, run, timed, torch_threads


UPDATE = "Correction: the meeting is at 16:30, not at 15:00."
# Positions reserved for emitted tokens.
ROOM = WARM_UP + DECODE_TOKENS + 16
LABELS = {"workspace": "workspace", "spliced": "spliced", "restart": "base, restarted"}
WAYS = ("workspace", "spliced")


def endless(model: Any) -> Any:
    """The model, without end tokens in its generation config."""
    ends = model.generation_config.eos_token_id
    pad = model.generation_config.pad_token_id
    pad = pad if pad is not None else ends[0] if isinstance(ends, list) else ends
    model.generation_config = GenerationConfig(
        bos_token_id=model.config.get_text_config().bos_token_id, eos_token_id=None, pad_token_id=pad
    )
    return model


def fitting(histories: Sequence[int], update: int, longest: int | None) -> dict[int, int]:
    """
    How many tokens of each history are read: all, or as many as leave room for an update and the emitted tokens.

    Raises:
        ValueError: The context of the base is too short for any history.
    """
    most = max(histories) if longest is None else longest - update - ROOM
    if most < 1:
        raise ValueError(f"`--base`: it reads {longest} tokens, too few for an update of {update} and a history.")
    return {length: min(length, most) for length in sorted(set(histories))}


def processed_twice(stream: Stream, update: torch.Tensor) -> int:
    """Tokens that a duplex model has processed more than once by the first token that attends to the update."""
    watch = Stopwatch(update)
    output = run(
        stream.model,
        watch,
        watch.poll,
        inputs=stream.sequences,
        interrupt_callback=watch.callback,
        past_key_values=stream.branch(),
        return_dict_in_generate=True,
    )
    # The newest token has not been processed yet.
    different = stream.history.shape[1] + update.shape[1] + output.sequences.shape[1] - 1
    return output.past_key_values.processed_tokens - different


def measure(
    models: dict[str, Any],
    history: torch.Tensor,
    updates: dict[str, torch.Tensor],
    repeats: int,
    advance: Callable[[str], None],
) -> dict[str, Any]:
    """One history, all methods alternating: a row of the results. `advance(text)` is called at each step."""
    streams = {}
    for name, model in models.items():
        advance(f"{history.shape[1]} tokens, reading: {LABELS[name]}")
        streams[name] = Stream.open(model, history)
    turns = max(1, min(repeats, RESTART_TOKENS // history.shape[1]))
    update_ms: dict[str, list[float]] = {name: [] for name in models}
    decode_ms: dict[str, list[float]] = {name: [] for name in models}
    # The first turn is a warm-up and does not count; the slow restart has warmed up by reading the history.
    for turn in range(turns + 1):
        for name, stream in streams.items():
            advance(f"{history.shape[1]} tokens, turn {turn}: {LABELS[name]}")
            if name == "restart":
                update_ms[name] += [stream.restart(updates[name])] if turn else []
            else:
                latency = stream.update(updates[name])
                update_ms[name] += [latency] if turn else []
            decoded = stream.decode()
            decode_ms[name] += decoded if turn else []
    twice = {name: processed_twice(streams[name], updates[name]) for name in WAYS}
    # The history and the emitted tokens except the last one, which only a restart has read.
    twice["restart"] = history.shape[1] + WARM_UP - 1
    return {
        "history_tokens": history.shape[1],
        "update_ms": {name: timed(times) for name, times in update_ms.items()},
        "decode_ms": {name: timed(times) for name, times in decode_ms.items()},
        "state_bytes": {name: stream.state_bytes for name, stream in streams.items()},
        "processed_twice": twice,
        "restart_ratio": {
            name: statistics.median(
                restart / ours for restart, ours in zip(update_ms["restart"], update_ms[name], strict=True)
            )
            for name in WAYS
        },
    }


def run_base_speed_benchmark(
    base: str | Path = SMOLLM2,
    adapter: str | None = None,
    histories: Sequence[int] = (128, 1024, 8192),
    repeats: int = 7,
    seed: int = 0,
    threads: int = 2,
    json_path: str | Path | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """
    Measures milliseconds from an update to the next token, in float32 on the processor.

    Args:
        base (`str` or `Path`, *optional*, defaults to `"smollm2"`): The base.
        adapter (`str`, *optional*): A duplex adapter with a workspace; by default a fresh one of the default sizes.
        histories (`Sequence[int]`, *optional*): Tokens that were read before. One that leaves no room for the update
            and the emitted tokens is shortened; `history_tokens` holds the actual length.
        repeats (`int`, *optional*, defaults to 7): Turns of each method, fewer where a restart takes too long.
        seed (`int`, *optional*, defaults to 0): Of the history.
        threads (`int`, *optional*, defaults to 2): Threads of torch.
        json_path (`str` or `Path`, *optional*): Where the results are written, after each history.
        progress (`bool`, *optional*, defaults to `True`): Whether to show a progress bar, on standard error.

    Returns:
        For each history (`rows`) raw milliseconds with their medians, tokens processed twice, bytes of state, and
        `restart_ratio`: the median over turns of a restart's milliseconds divided by those of the paired update.

    Raises:
        ValueError: An argument is unusable; the message names it.
    """
    if not histories or min(histories) < 1:
        raise ValueError(f"`--history` must be at least 1, got {tuple(histories)}.")
    for option, value in (("--repeats", repeats), ("--threads", threads)):
        if value < 1:
            raise ValueError(f"`{option}` must be at least 1, got {value}.")
    if adapter is not None:
        config = check_contestant(adapter)[2]
        if getattr(config, "mode", None) != "workspace":
            raise ValueError(f"`--model`: {adapter} is no duplex adapter with a workspace; name one, or none.")
    model, tokenizer = load_base(base)
    texts = {"workspace": ChatFormat(tokenizer), "spliced": ChatFormat(tokenizer, spliced=True)}
    updates = {name: torch.tensor([form.update(UPDATE)]) for name, form in texts.items()}
    updates["restart"] = updates["spliced"]
    text_config = model.config.get_text_config()
    longest_update = max(update.shape[1] for update in updates.values())
    lengths = fitting(histories, longest_update, getattr(text_config, "max_position_embeddings", None))
    n_slots = max(lengths.values()) + longest_update
    given = (model, tokenizer)
    workspace = (
        listen(model, DuplexAdapterConfig(n_slots=n_slots))
        if adapter is None
        else load_adapter(adapter, given, n_slots=n_slots)
    )
    models = {"workspace": workspace.eval(), "spliced": listen(model), "restart": model}
    models = {name: endless(part) for name, part in models.items()}
    results: dict[str, Any] = {
        "benchmark": "speed_base",
        "command": command_line(),
        "commit": describe_commit(),
        "settings": {
            "base": str(base),
            "parameters": model.num_parameters(),
            "adapter": adapter or "fresh, default sizes",
            "histories": list(lengths),
            "repeats": repeats,
            "seed": seed,
            "threads": threads,
            "n_slots": n_slots,
            "update_tokens": {name: update.shape[1] for name, update in updates.items()},
            "dtype": "float32",
            "decoding": "greedy, one row, through generate()",
        },
        "versions": describe_versions(),
        "machine": describe_machine(),
        "rows": {},
    }
    generator = torch.Generator().manual_seed(seed)
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    steps = sum(len(models) * (2 + max(1, min(repeats, RESTART_TOKENS // length))) for length in lengths.values())
    with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar, torch_threads(threads):
        task = bar.add_task("", total=steps)

        def advance(text: str) -> None:
            bar.update(task, advance=1, description=text)

        for length, tokens in lengths.items():
            history = torch.randint(text_config.vocab_size, (1, tokens), generator=generator)
            results["rows"][str(length)] = measure(models, history, updates, repeats, advance)
            write_json(results, json_path)
    return results


def print_base_speed_table(results: dict[str, Any], console: Console | None = None) -> None:
    """Prints medians and ratios by history."""
    console = console or Console()
    settings = results["settings"]
    table = Table(title=f"{settings['base']}, float32, {settings['threads']} threads: from update to next token")
    for column in ("history, tokens", "way", "median ms", "restart / this", "one more token, ms", "processed twice"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for row in results["rows"].values():
        for name, label in LABELS.items():
            ratio = row["restart_ratio"].get(name)
            table.add_row(
                f"{row['history_tokens']:,}" if name == "workspace" else "",
                label,
                f"{row['update_ms'][name]['median']:,.1f}",
                "" if ratio is None else f"{ratio:,.1f}",
                f"{row['decode_ms'][name]['median']:,.1f}",
                f"{row['processed_twice'][name]:,}",
            )
    console.print(table)
