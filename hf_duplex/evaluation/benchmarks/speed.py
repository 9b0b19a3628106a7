"""
Time to apply an update, time per token, and bytes of state per stream: `hf-duplex bench speed`.

Everything is measured through `generate()`, as users call it: a streamer records when each token comes, the interrupt
callback when it was polled. All models alternate in one run, so that noise affects them equally; compare the ratios,
not the milliseconds. Speed depends on sizes, not on values: the weights are random.
"""

import copy
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, set_seed
from transformers.generation.streamers import BaseStreamer

from ...modeling import DuplexCache, DuplexConfig, Interrupt, WorkspaceConfig, count_parameters, equal_size_configs
from ...record import command_line, describe_machine, describe_versions, write_json


# In tokens. Decode steps are timed in turns of DECODE_TOKENS, without the first WARM_UP tokens of each turn.
MESSAGE_LENGTH, UPDATE_LENGTH, DECODE_TOKENS, WARM_UP = 32, 16, 8, 2
# A restart takes up to a minute: each history is re-read as often as it fits into this many tokens. If it does not
# fit, its first reading counts.
RESTART_TOKENS = 16384

LABELS = {
    "workspace": "workspace",
    "dual_stream": "dual stream",
    "baseline": "baseline, splice",
    "baseline_restart": "baseline, restart",
    "llama": "plain Llama",
    "llama_restart": "plain Llama, restart",
    "llama_same_depth": "plain Llama, as deep as the workspace",
}
RESTARTED = ("baseline", "llama")
MEASURES = {
    "update_ms": "From update to next token (ms)",
    "decode_ms": "One more token (ms)",
    "prompt_ms": "Reading the history, to the first token (ms)",
    "state_bytes": "State (KiB)",
}


class Stopwatch(BaseStreamer):
    """
    Records when `generate` is called, when each token comes, and when the callback is polled.

    Args:
        update_ids (`torch.LongTensor` of shape `(1, length)`, *optional*): The update that the callback returns.
        poll (`int`, *optional*, defaults to `WARM_UP + 1`): At which poll it does so, counted from 1.
    """

    def __init__(self, update_ids: torch.LongTensor | None = None, poll: int = WARM_UP + 1):
        self.update_ids, self.poll, self.polls, self.asked = update_ids, poll, 0, 0.0
        self.started = time.perf_counter()
        self.times: list[float] = []

    def put(self, value: torch.Tensor) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        pass

    def callback(self, input_ids: torch.Tensor) -> Interrupt | None:
        self.polls += 1
        if self.update_ids is None or self.polls != self.poll:
            return None
        self.asked = time.perf_counter()
        return Interrupt(self.update_ids)

    @property
    def tokens(self) -> list[float]:
        """When each new token came; `generate` passes its input to the streamer first."""
        return self.times[1:]

    @property
    def to_first_token_ms(self) -> float:
        return 1e3 * (self.tokens[0] - self.started)

    @property
    def update_to_token_ms(self) -> float:
        return 1e3 * (self.tokens[self.poll - 1] - self.asked)

    @property
    def per_token_ms(self) -> list[float]:
        return [1e3 * (after - before) for before, after in pairwise(self.tokens[WARM_UP - 1 :])]


@dataclass
class Stream:
    """
    A model that has read a history and emitted a few tokens.

    Attributes:
        model: A duplex generator, or a plain causal language model.
        history (`torch.LongTensor` of shape `(1, tokens)`): The incoming tokens.
        sequences (`torch.LongTensor` of shape `(1, tokens)`): What `generate` returned.
        cache (`transformers.DynamicCache`): The state after it; never modified, see [`branch`].
        prompt_ms (`float`): Milliseconds to read the history and emit the first token.
    """

    model: Any
    history: torch.Tensor
    sequences: torch.Tensor
    cache: Any
    prompt_ms: float

    @classmethod
    def open(cls, model: Any, history: torch.Tensor) -> "Stream":
        watch = Stopwatch()
        given = {"prompt_ids": history} if is_duplex(model) else {"inputs": history}
        output = run(model, watch, WARM_UP, return_dict_in_generate=True, **given)
        return cls(model, history, output.sequences, output.past_key_values, watch.to_first_token_ms)

    def branch(self) -> Any:
        """A copy of the state to continue from, any number of times: keys and values are never changed in place."""
        if isinstance(self.cache, DuplexCache):
            return self.cache.snapshot()
        twin = copy.copy(self.cache)
        twin.layers = [copy.copy(layer) for layer in self.cache.layers]
        return twin

    @property
    def state_bytes(self) -> int:
        if isinstance(self.cache, DuplexCache):
            return self.cache.nbytes
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self.cache.layers)

    def decode(self) -> list[float]:
        """Milliseconds of each of `DECODE_TOKENS` tokens."""
        watch = Stopwatch()
        run(self.model, watch, WARM_UP + DECODE_TOKENS, inputs=self.sequences, past_key_values=self.branch())
        return watch.per_token_ms

    def update(self, update_ids: torch.Tensor) -> float:
        """Milliseconds from the poll of the callback, which returns an update, to the next token."""
        watch = Stopwatch(update_ids)
        arguments = {"interrupt_callback": watch.callback, "past_key_values": self.branch()}
        run(self.model, watch, watch.poll, inputs=self.sequences, **arguments)
        return watch.update_to_token_ms

    def restart(self, update_ids: torch.Tensor) -> float:
        """Milliseconds to the next token when all incoming and emitted tokens are read again."""
        watch = Stopwatch()
        if is_duplex(self.model):
            heard = torch.cat([self.history, update_ids], dim=1)
            run(self.model, watch, 1, inputs=self.sequences, prompt_ids=heard)
        else:
            run(self.model, watch, 1, inputs=torch.cat([self.sequences, update_ids], dim=1))
        return watch.to_first_token_ms


def is_duplex(model: Any) -> bool:
    return hasattr(model, "read_updates")


def run(model: Any, watch: Stopwatch, tokens: int, inputs: torch.Tensor | None = None, **arguments: Any) -> Any:
    """`generate`, greedily, exactly so many tokens."""
    if inputs is not None:
        arguments.update(inputs=inputs, attention_mask=torch.ones_like(inputs))
    with torch.inference_mode():
        output = model.generate(max_new_tokens=tokens, do_sample=False, streamer=watch, **arguments)
    if len(watch.tokens) != tokens:
        raise RuntimeError(
            f"{type(model).__name__} said {len(watch.tokens)} tokens, not {tokens}: nothing to compare."
        )
    return output


def llama_config(like: DuplexConfig, num_hidden_layers: int, parameters: int) -> LlamaConfig:
    """A plain Llama of so many layers, its feed-forward width set by the number of parameters."""
    names = ["vocab_size", "hidden_size", "num_attention_heads", "num_key_value_heads", "max_position_embeddings"]
    names += ["pad_token_id", "bos_token_id", "eos_token_id", "tie_word_embeddings", "head_dim", "rms_norm_eps"]
    shared = {name: getattr(like, name) for name in names} | {"num_hidden_layers": num_hidden_layers}
    small, large = (count_parameters(LlamaConfig(**shared, intermediate_size=inner)) for inner in (8, 16))
    inner = max(8, 8 + 8 * round((parameters - small) / (large - small)))
    return LlamaConfig(**shared, intermediate_size=inner)


def speed_configs(size: WorkspaceConfig) -> dict[str, Any]:
    """The three generators and the two plain models, all with the parameter count of the workspace model."""
    configs: dict[str, Any] = dict(equal_size_configs(size))
    parameters = count_parameters(size)
    configs["llama"] = llama_config(configs["baseline"], configs["baseline"].num_hidden_layers, parameters)
    configs["llama_same_depth"] = llama_config(configs["baseline"], size.num_hidden_layers, parameters)
    return configs


def random_model(config: Any) -> Any:
    """A model in float32 with random weights that never ends early."""
    # A checkpoint's configuration also holds the storage type of its weights, which is not needed here.
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    with torch.no_grad():
        for token in {*ends, config.pad_token_id} - {None}:
            # A logit of zero is never the largest.
            model.get_input_embeddings().weight[token] = 0.0
    return model


def random_ids(config: WorkspaceConfig, length: int, generator: torch.Generator) -> torch.Tensor:
    """Tokens `(1, length)`, the separator after every message."""
    separator = config.message_separator_token_id
    ids = torch.randint(config.vocab_size // 2, config.vocab_size, (1, length), generator=generator)
    if separator is not None:
        ids[:, MESSAGE_LENGTH - 1 :: MESSAGE_LENGTH] = separator
        ids[:, -1] = separator
    return ids


def timed(times: Sequence[float]) -> dict[str, Any]:
    """Raw milliseconds and their median."""
    times = [round(value, 4) for value in times]
    return {"times": times, "median": statistics.median(times)}


def measure(
    models: dict[str, Any], history: torch.Tensor, update: torch.Tensor, repeats: int, advance: Callable[[str], None]
) -> dict[str, Any]:
    """One history, all models alternating: a row of the results. `advance(text)` is called at each step."""
    streams = {}
    for name, model in models.items():
        advance(f"{history.shape[1]} tokens, reading: {LABELS[name]}")
        streams[name] = Stream.open(model, history)
    update_ms: dict[str, list[float]] = {}
    decode_ms: dict[str, list[float]] = {}
    restarts = min(repeats, RESTART_TOKENS // history.shape[1])
    for name in RESTARTED:
        update_ms[f"{name}_restart"] = [] if restarts else [streams[name].prompt_ms]
    # The first turn is a warm-up and does not count.
    for turn in range(repeats + 1):
        for name, stream in streams.items():
            advance(f"{history.shape[1]} tokens, turn {turn}: {LABELS[name]}")
            decode_ms.setdefault(name, []).extend(stream.decode() if turn else [])
            if is_duplex(stream.model):
                latency = stream.update(update)
                update_ms.setdefault(name, []).extend([latency] if turn else [])
            if name in RESTARTED and 1 <= turn <= restarts:
                update_ms[f"{name}_restart"].append(stream.restart(update))
    return {
        "update_ms": {name: timed(times) for name, times in update_ms.items()},
        "decode_ms": {name: timed(times) for name, times in decode_ms.items()},
        "prompt_ms": {name: timed([stream.prompt_ms]) for name, stream in streams.items()},
        "state_bytes": {name: stream.state_bytes for name, stream in streams.items()},
    }


def measure_flatness(
    model: Any,
    histories: dict[int, torch.Tensor],
    update: torch.Tensor,
    repeats: int,
    advance: Callable[[str], None],
) -> dict[str, Any]:
    """Update to next token of one model; the histories alternate, so that only the history differs."""
    streams = {}
    for length, history in histories.items():
        advance(f"all histories, reading {length} tokens")
        streams[length] = Stream.open(model, history)
    times: dict[int, list[float]] = {length: [] for length in histories}
    for turn in range(repeats + 1):
        advance(f"all histories, turn {turn}")
        for length, stream in streams.items():
            latency = stream.update(update)
            times[length].extend([latency] if turn else [])
    return {str(length): timed(values) for length, values in times.items()}


def derive_ratios(rows: dict[str, Any], flatness: dict[str, Any]) -> dict[str, Any]:
    """All ratios, each of two medians."""

    def median(row: str, measure: str, name: str) -> float:
        return rows[row][measure][name]["median"]

    lengths = sorted(rows, key=int)
    ratios: dict[str, Any] = {
        "restart / workspace, update to token": {
            row: median(row, "update_ms", "baseline_restart") / median(row, "update_ms", "workspace")
            for row in lengths
        },
        "workspace, update to token, against the shortest history": {
            row: flatness[row]["median"] / flatness[lengths[0]]["median"] for row in lengths
        },
        "workspace, bytes of state, against the shortest history": {
            row: rows[row]["state_bytes"]["workspace"] / rows[lengths[0]]["state_bytes"]["workspace"]
            for row in lengths
        },
    }
    for name in ("llama", "llama_same_depth"):
        ratios[f"workspace / {LABELS[name]}, one more token"] = {
            row: median(row, "decode_ms", "workspace") / median(row, "decode_ms", name) for row in lengths
        }
    return ratios


def check_targets(ratios: dict[str, Any]) -> list[dict[str, Any]]:
    """Each target, its measurement, and whether it is met; histories that were not run are left out."""
    flat = ratios["workspace, update to token, against the shortest history"]
    state = ratios["workspace, bytes of state, against the shortest history"]
    shortest, longest = min(flat, key=int), max(flat, key=int)
    targets = []
    if shortest != longest:
        targets.append((f"update to token is flat: {longest} against {shortest}", flat[longest], "<=", 1.2))
        targets.append((f"state is constant: {longest} against {shortest}", state[longest], "<=", 1.0))
    restart = ratios["restart / workspace, update to token"]
    targets += [("restart / update at 8192", restart[row], ">=", 100.0) for row in restart if row == "8192"]
    for name in ("llama", "llama_same_depth"):
        decode = ratios[f"workspace / {LABELS[name]}, one more token"]
        for row in sorted(decode, key=int):
            if int(row) == 128:
                targets.append((f"one more token at {row}, against {LABELS[name]}", decode[row], "<=", 1.15))
            elif int(row) >= 2048:
                targets.append((f"one more token at {row}, against {LABELS[name]}", decode[row], "<=", 1.0))
    return [
        {
            "target": text,
            "value": value,
            "limit": f"{sign} {limit:g}",
            "met": value <= limit if sign == "<=" else value >= limit,
        }
        for text, value, sign, limit in targets
    ]


def earlier_rows(json_path: str | Path | None, results: dict[str, Any]) -> dict[str, Any]:
    """Reusable rows of an earlier run: same settings, same versions, same machine."""
    if json_path is None or not Path(json_path).exists():
        return {}
    try:
        earlier = json.loads(Path(json_path).read_text())
    except json.JSONDecodeError:
        return {}
    same = all(earlier.get(key) == results[key] for key in ("benchmark", "settings", "versions", "machine"))
    # A finished run is repeated, not resumed.
    return earlier["rows"] if same and "targets" not in earlier else {}


def describe_settings(
    size: WorkspaceConfig, configs: dict[str, Any], histories: list[int], repeats: int, seed: int, threads: int
) -> dict[str, Any]:
    return {
        "histories": histories,
        "repeats": repeats,
        "seed": seed,
        "threads": threads,
        "message_length": min(MESSAGE_LENGTH, size.max_message_length),
        "update_length": min(UPDATE_LENGTH, size.max_message_length),
        "decode_tokens_per_turn": DECODE_TOKENS,
        "weights": "random",
        "dtype": "float32",
        "decoding": "greedy, one row, through generate()",
        "update_type": size.update_type,
        "n_slots": size.n_slots,
        "models": {
            name: {
                "parameters": count_parameters(config),
                "hidden_size": config.hidden_size,
                "num_hidden_layers": config.num_hidden_layers,
                "intermediate_size": config.intermediate_size,
            }
            for name, config in configs.items()
        },
    }


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Temporarily sets the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_speed_benchmark(
    histories: Sequence[int] = (128, 1024, 2048, 8192, 32768),
    repeats: int = 7,
    seed: int = 0,
    threads: int = 1,
    size: WorkspaceConfig | None = None,
    checkpoint: str | Path | None = None,
    json_path: str | Path | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """
    Measures all models side by side at every history.

    Args:
        histories (`Sequence[int]`, *optional*): Incoming tokens that were read before.
        repeats (`int`, *optional*, defaults to 7): Turns of each model: as many updates, 8 times as many tokens, and
            as many restarts where they do not take too long.
        seed (`int`, *optional*, defaults to 0): Of the weights and the tokens.
        threads (`int`, *optional*, defaults to 1): Threads of torch. More do not speed up single steps of a small
            model, and two threads on a busy machine wait for each other.
        size (`WorkspaceConfig`, *optional*): The workspace model; the others get its parameter count.
        checkpoint (`str` or `Path`, *optional*): A workspace checkpoint to take the sizes from instead. Its weights
            are not used: they do not change the speed.
        json_path (`str` or `Path`, *optional*): Where results are written, after each history. An interrupted run with
            the same settings, versions and machine is resumed from there.
        progress (`bool`, *optional*, defaults to `True`): Whether to show a progress bar, on standard error.

    Returns:
        Settings, machine, raw milliseconds and medians (`rows`, by history), `ratios`, and `targets`.

    Raises:
        ValueError: `histories` or `repeats` is unusable, or both `size` and `checkpoint` were given.
    """
    if not histories or min(histories) < 1:
        raise ValueError(
            f"`histories` must hold at least one number of tokens, each 1 or more, got {tuple(histories)}."
        )
    if repeats < 1:
        raise ValueError(f"`repeats` must be 1 or more, got {repeats}.")
    if threads < 1:
        raise ValueError(f"`threads` must be 1 or more, got {threads}.")
    if size is not None and checkpoint is not None:
        raise ValueError("Give `size` or `checkpoint`, not both.")
    if checkpoint is not None:
        size = AutoConfig.from_pretrained(checkpoint)
        if not isinstance(size, WorkspaceConfig):
            raise ValueError(f"`checkpoint` must be a workspace model, {checkpoint} is a {type(size).__name__}.")
    lengths = sorted(set(histories))
    size = copy.deepcopy(size or WorkspaceConfig())
    size.max_position_embeddings = max(size.max_position_embeddings, 2 * lengths[-1])
    configs = speed_configs(size)

    results: dict[str, Any] = {
        "benchmark": "speed",
        "command": command_line(),
        "settings": describe_settings(size, configs, lengths, repeats, seed, threads),
        "versions": describe_versions(),
        "machine": describe_machine(),
    }
    results["rows"] = earlier_rows(json_path, results)

    set_seed(seed)
    models = {name: random_model(config) for name, config in configs.items()}
    generator = torch.Generator().manual_seed(seed)
    update = random_ids(size, results["settings"]["update_length"], generator)
    told = {length: random_ids(size, length, generator) for length in lengths}

    todo = [length for length in lengths if str(length) not in results["rows"]]
    flat_turns = 3 * repeats
    steps = len(todo) * len(models) * (repeats + 2) + len(lengths) + flat_turns + 1
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    bar = Progress(*columns, console=Console(stderr=True), disable=not progress)
    with bar, torch_threads(threads):
        task = bar.add_task("", total=steps)

        def advance(text: str) -> None:
            bar.update(task, advance=1, description=text)

        for length in todo:
            results["rows"][str(length)] = measure(models, told[length], update, repeats, advance)
            write_json(results, json_path)
        results["flatness_ms"] = measure_flatness(models["workspace"], told, update, flat_turns, advance)

    results["ratios"] = derive_ratios(results["rows"], results["flatness_ms"])
    results["targets"] = check_targets(results["ratios"])
    write_json(results, json_path)
    return results


def print_speed_table(results: dict[str, Any], console: Console | None = None) -> None:
    """Prints medians by measure and history, the ratios, and which targets hold."""
    console = console or Console()
    rows = results["rows"]
    histories = sorted(rows, key=int)
    for measure_name, title in MEASURES.items():
        measured = rows[histories[0]][measure_name]
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("history, tokens")
        for history in histories:
            table.add_column(f"{int(history):,}", justify="right")
        for name in (label for label in LABELS if label in measured):
            values = [rows[history][measure_name][name] for history in histories]
            if measure_name == "state_bytes":
                cells = [f"{value / 1024:,.0f}" for value in values]
            else:
                cells = [f"{value['median']:,.2f}" for value in values]
            table.add_row(LABELS[name], *cells)
        console.print(table)

    table = Table(title="Ratios of medians", title_justify="left", title_style="bold")
    table.add_column("history, tokens")
    for history in histories:
        table.add_column(f"{int(history):,}", justify="right")
    for name, values in results["ratios"].items():
        table.add_row(name, *(f"{values[history]:,.2f}" for history in histories))
    console.print(table)

    for target in results["targets"]:
        verdict = "[green]holds[/]" if target["met"] else "[red]missed[/]"
        console.print(f"{verdict}  {target['target']}: {target['value']:,.2f} (wanted {target['limit']})")
    machine = results["machine"]
    console.print(
        f"[dim]{machine['cpu']}, {machine['cores']} cores, {results['settings']['threads']} in use; "
        f"torch {results['versions']['torch']}, transformers {results['versions']['transformers']}; random weights[/]"
    )
