"""
Generates a base's answers to ordinary chat, or to open requests. Training an adapter on them preserves the behaviour
of the base.

    python -m hf_duplex.training.chat_answers --base smollm2 --out answers.jsonl --count 4000 --device cuda
    python -m hf_duplex.training.chat_answers --prompt-set open --out open.jsonl --count 9000 --device cuda

Each line of the output has `messages`, `text` (the answer) and an empty list of `updates`. An answer that the base
does not end within `--max-new-tokens` is left out, since truncated texts would teach the adapter to end anywhere: of
SmolLM2-135M about one in three at 96 tokens. The same command resumes an interrupted run. Where chitchat-dataset is
not installed, make prompts elsewhere with `--write-prompts FILE`, and read them with `--prompts FILE`.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from ..bases import load_base
from ..data.chat_prompts import SPLITS, chat_prompts
from ..data.open_chat import open_prompts


Messages = list[dict[str, str]]


def read_prompts(path: Path) -> list[Messages]:
    """
    The `messages` of each line of a file.

    Raises:
        ValueError: There is no such file, or a line of it has no messages that end with the user's.
    """
    if not path.is_file():
        raise ValueError(f"`prompts`: there is no file {path}.")
    found = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                messages = json.loads(line)["messages"]
                complete = all(isinstance(message["content"], str) for message in messages)
                usable = complete and messages[-1]["role"] == "user"
            except (ValueError, LookupError, TypeError):
                usable = False
            if not usable:
                raise ValueError(
                    f"`prompts`: line {number} of {path} has no `messages` that end with one of the role user."
                )
            found.append(messages)
    return found


def write_prompts(prompts: Sequence[Messages], path: Path) -> None:
    """Writes prompts as [`read_prompts`] reads them."""
    lines = (json.dumps({"messages": messages}, ensure_ascii=False) for messages in prompts)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def batches_of(prompts: Sequence[Messages], tokenizer: Any, size: int) -> list[list[tuple[Messages, list[int]]]]:
    """Prompts with their tokens, longest first: batches have little padding, and the first needs the most memory."""
    encoded = [
        tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
        for messages in prompts
    ]
    rows = sorted(zip(prompts, encoded), key=lambda row: -len(row[1]))
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


@torch.inference_mode()
def answer(
    model: Any, tokenizer: Any, rows: Sequence[Sequence[int]], max_new_tokens: int, temperature: float, top_p: float
) -> Iterator[str | None]:
    """Samples an answer to each row: None for one that is empty, or not finished."""
    padded = tokenizer.pad({"input_ids": list(rows)}, padding_side="left", return_tensors="pt").to(model.device)
    emitted = model.generate(
        **padded,
        do_sample=True,
        temperature=temperature,
        top_p=top_p,
        top_k=0,
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
    )[:, padded["input_ids"].shape[1] :]
    end = tokenizer.eos_token_id
    for ids in emitted.tolist():
        text = tokenizer.decode(ids[: ids.index(end)], skip_special_tokens=True) if end in ids else ""
        yield text if text.strip() else None


def answer_all(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Messages],
    out: Path,
    batch_size: int = 256,
    max_new_tokens: int = 96,
    temperature: float = 0.7,
    top_p: float = 0.95,
    seed: int = 0,
) -> int:
    """
    Writes the answers that the base finishes, batch by batch; an interrupted run is resumed.

    Each batch has its own seed, so a resumed run writes the same as an uninterrupted one. Progress is kept in a file
    next to `out`.

    Returns: How many answers were added.

    Raises:
        ValueError: `out` was begun with other prompts or options.
    """
    sampling = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p}
    batches = batches_of(prompts, tokenizer, batch_size)
    digest = hashlib.sha256(json.dumps(prompts).encode()).hexdigest()[:16]
    options = {
        "base": model.config._name_or_path,
        "prompts": digest,
        "batch_size": batch_size,
        "seed": seed,
        **sampling,
    }
    kept = out.with_name(f"{out.name}.progress")
    done, size = read_progress(out, kept, options)
    write_progress(kept, {"options": options, "batches": done, "bytes": size})
    added = 0
    with out.open("ab") as file, tqdm(total=len(prompts), desc="answers", file=sys.stderr) as bar:
        # Output of a run that was stopped within a batch.
        file.truncate(size)
        for number, batch in enumerate(batches):
            if number >= done:
                torch.manual_seed(seed + number)
                answers = answer(model, tokenizer, [ids for _, ids in batch], **sampling)
                rows = [
                    {"messages": messages, "text": text, "updates": []}
                    for (messages, _), text in zip(batch, answers)
                    if text is not None
                ]
                lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
                file.write(lines)
                file.flush()
                size += len(lines)
                added += len(rows)
                write_progress(kept, {"options": options, "batches": number + 1, "bytes": size})
            bar.update(len(batch))
    return added


def read_progress(out: Path, kept: Path, options: dict[str, Any]) -> tuple[int, int]:
    """How many batches are in `out`, and in how many bytes."""
    if not out.exists():
        return 0, 0
    progress: dict[str, Any] = {"options": {}}
    if kept.is_file():
        progress = json.loads(kept.read_text())
    changed = [name for name in options if progress["options"].get(name) != options[name]]
    if changed:
        raise ValueError(
            f"`out`: {out} was not begun with this command ({', '.join(changed)}): remove it, or name another file."
        )
    return progress["batches"], progress["bytes"]


def write_progress(kept: Path, progress: dict[str, Any]) -> None:
    """Writes a file atomically."""
    partial = kept.with_name(f"{kept.name}.partial")
    partial.write_text(json.dumps(progress) + "\n")
    partial.replace(kept)


def main(arguments: list[str] | None = None) -> None:
    """Parses arguments, and writes prompts or answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="smollm2", help="smollm2, a folder or a Hub name")
    parser.add_argument("--out", type=Path, default=Path("answers.jsonl"), help="where the answers go")
    parser.add_argument("--prompts", type=Path, help="a file of prompts, instead of those of chitchat-dataset")
    parser.add_argument(
        "--prompt-set", choices=("chat", "open"), default="chat", help="openings of people's chats, or open requests"
    )
    parser.add_argument("--write-prompts", type=Path, help="write the prompts to this file, and answer none")
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--count", type=int, default=4000, help="how many prompts, at most")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--max-new-tokens", type=int, default=96)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args(arguments)
    for name in ("count", "batch_size", "max_new_tokens"):
        if getattr(given, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if given.temperature <= 0:
        parser.error("--temperature must be above 0")
    if not 0 < given.top_p <= 1:
        parser.error("--top-p must be above 0 and at most 1")
    try:
        if given.prompts:
            prompts = read_prompts(given.prompts)
        elif given.prompt_set == "open":
            prompts = open_prompts(given.seed)
        else:
            prompts = chat_prompts(given.split, given.seed)
        prompts = prompts[: given.count]
        if given.write_prompts:
            given.write_prompts.parent.mkdir(parents=True, exist_ok=True)
            write_prompts(prompts, given.write_prompts)
            print(f"{len(prompts)} prompts are in {given.write_prompts}.")
            return
        on_gpu = torch.device(given.device).type == "cuda"
        model, tokenizer = load_base(given.base, dtype=torch.bfloat16 if on_gpu else torch.float32)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        added = answer_all(
            model.to(given.device),
            tokenizer,
            prompts,
            given.out,
            batch_size=given.batch_size,
            max_new_tokens=given.max_new_tokens,
            temperature=given.temperature,
            top_p=given.top_p,
            seed=given.seed,
        )
    except ValueError as error:
        parser.exit(2, f"Error: {error}\n")
    print(f"{added} answers to {len(prompts)} prompts were added to {given.out}.")


if __name__ == "__main__":
    main()
