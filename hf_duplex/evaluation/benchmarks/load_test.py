"""
Many sessions on one model, with updates at random times: none lost, duplicated, leaked to another session, or
reordered.

    python -m hf_duplex.evaluation.benchmarks.load_test --json runs/load.json
    python -m hf_duplex.evaluation.benchmarks.load_test --sessions 20 --seconds 10

Afterwards the log is checked, every workspace is compared with one that read its own session alone, and some sessions
are regenerated one after another, to compare speed and to verify that their text is the same.
"""

import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer

from ...record import command_line, describe_commit, describe_machine, describe_versions, write_json
from ...released import WORKSPACE
from ...runtime.checkpoints import describe_model, find_checkpoint, load_checkpoint
from ...runtime.limits import Limits
from ...runtime.listeners import is_workspace
from ...runtime.receipts import APPLIED, REFUSED, Receipt
from ...runtime.replay import replay
from ...runtime.sampling import Sampling
from ...runtime.server import ROWS, Server
from ...runtime.session import Session
from ...runtime.session_row import SessionRow
from ...runtime.versions import prompt_messages, workspace_after


SENDERS = 4
"""Sender threads; each has a share of the sessions."""
PATIENCE_SECONDS = 120.0


def percentile(values: Sequence[float], share: float) -> float | None:
    """The quantile of the values; None if there are none."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else None


def prompt_of(number: int) -> str:
    """A prompt with numbers that are unique to its session."""
    return f"Given x = {number % 89 + 2}, y = {number % 7 + 2}, compute 1) x + y; 2) 2x + 1; 3) x + 4; 4) y + 3."


class Sender:
    """Sends updates to its sessions at random times, and keeps their receipts."""

    def __init__(self, sessions: Sequence[Session], gap: float, seed: int):
        self.sessions, self.gap, self.rng = sessions, gap, random.Random(seed)
        self.receipts: dict[str, list[Receipt]] = {session.id: [] for session in sessions}
        self.refused = 0

    def run(self, until: float) -> None:
        """Sends each session an update every `gap` seconds on average."""
        due = [(time.monotonic() + self.rng.expovariate(1 / self.gap), index) for index in range(len(self.sessions))]
        while due:
            due.sort()
            moment, index = due.pop(0)
            if moment >= until:
                continue
            time.sleep(max(0.0, moment - time.monotonic()))
            session = self.sessions[index]
            name = self.rng.choice("xy")
            receipt = session.send(f"Actually {name} = {self.rng.randint(2, 90)}.", source=session.id)
            if receipt.status == REFUSED:
                self.refused += 1
            else:
                self.receipts[session.id].append(receipt)
            due.append((moment + self.rng.expovariate(1 / self.gap), index))


def check_log(server: Server, sent: dict[str, list[Receipt]]) -> dict[str, int]:
    """Counts violations in the log of each session."""
    faults = dict.fromkeys(("lost", "twice", "leaked", "out_of_order", "wrong_version"), 0)
    for session in server.sessions:
        receipts = sent[session.id]
        heard = [number for number, _ in session.history.heard]
        faults["lost"] += len(set(range(len(receipts))) - set(heard))
        faults["twice"] += len(heard) - len(set(heard))
        faults["out_of_order"] += heard != sorted(heard)
        told = [session.history.sent[number] for number in heard]
        faults["leaked"] += sum(update.source != session.id for update in told)
        texts = [receipt.text for receipt in receipts]
        faults["out_of_order"] += [update.text for update in session.history.sent] != texts
        messages = prompt_messages(server.model.config, session.history.opened["prompt_ids"])
        faults["wrong_version"] += session.version != len(messages) + len(heard)
        faults["wrong_version"] += any(receipt.status != APPLIED for receipt in receipts)
    return faults


def check_workspaces(server: Server) -> dict[str, int]:
    """Compares the workspace of every row with one that read only the messages of its own session."""
    if not is_workspace(server.model):
        return {}
    compared = different = 0
    with server.turn:
        rows = [(batch, row) for batch in server.batches for row in range(len(batch))]
        for batch, row in rows:
            batch_row = batch.members[row]
            assert isinstance(batch_row, SessionRow)
            if batch_row.gone or batch_row.known is not None:
                continue
            history = batch_row.session.history
            messages = prompt_messages(server.model.config, history.opened["prompt_ids"])
            messages += [history.sent[number].ids for number, _ in history.heard]
            alone = workspace_after(server.model, messages, [step for _, step in history.heard])
            # They are followed by unused columns if the row needs fewer than others.
            columns, memory = alone.slot_ids.shape[1], batch.cache.memory
            same = torch.equal(alone.token_ids[0], memory.token_ids[row, :columns])
            same = same and torch.allclose(alone.slots[0], memory.slots[row, :columns], atol=1e-4)
            compared += 1
            different += not (same and torch.allclose(alone.validity[0], memory.validity[row, :columns], atol=1e-4))
    return {"compared": compared, "different": different}


def one_after_another(server: Server, sessions: Sequence[Session]) -> dict[str, Any]:
    """Regenerates sessions one by one: their speed, and whether their text is the same."""
    start, tokens, same = time.perf_counter(), 0, 0
    for session in sessions:
        found = replay(server, session.id)
        tokens += len(found.tokens)
        same += found.same
    seconds = time.perf_counter() - start
    return {"sessions": len(sessions), "same": same, "tokens": tokens, "tokens_per_second": tokens / seconds}


def load_test(
    model: str | None = None,
    sessions: int = 200,
    seconds: float = 120.0,
    gap: float = 10.0,
    rows: int = ROWS,
    threads: int | None = None,
    alone: int = 20,
    max_new_tokens: int = 64,
    seed: int = 0,
) -> dict[str, Any]:
    """
    Args:
        model (`str`, *optional*): Folder or Hub name; the released workspace model if it is not given.
        sessions (`int`, *optional*, defaults to 200): Number of concurrent sessions.
        seconds (`float`, *optional*, defaults to 120): How long updates are sent.
        gap (`float`, *optional*, defaults to 10): Mean seconds between two updates of a session.
        rows (`int`, *optional*, defaults to 32): Most sessions in one batch.
        threads (`int`, *optional*): Threads of torch; by default one for each core.
        alone (`int`, *optional*, defaults to 20): How many are regenerated, one after another.
        max_new_tokens (`int`, *optional*, defaults to 64): A session ends after this many tokens, counted anew each
            time it emits.
        seed (`int`, *optional*, defaults to 0): Of times and texts.

    Returns:
        Faults, times and speed, and the settings.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    loaded, tokenizer = load_checkpoint(find_checkpoint(model, WORKSPACE, "--model"), "--model")
    rng = random.Random(seed)
    with TemporaryDirectory() as folder:
        server = Server(loaded, tokenizer, Path(folder) / "log.sqlite", Limits(max_unread=None, rate=None), rows)
        with server:
            sampling = Sampling(max_new_tokens=max_new_tokens)
            start = time.monotonic()
            opened = [server.open(prompt_of(number), sampling, id=f"s{number}") for number in range(sessions)]
            senders = [Sender(opened[index::SENDERS], gap, rng.randrange(2**32)) for index in range(SENDERS)]
            workers = [threading.Thread(target=sender.run, args=(start + seconds,)) for sender in senders]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            time.sleep(max(0.0, start + seconds - time.monotonic()))
            with server.lock:
                tokens = sum(len(session.tokens) for session in opened)
                elapsed = time.monotonic() - start
            for session in opened:
                session.wait(PATIENCE_SECONDS)
            sent = {id: receipts for sender in senders for id, receipts in sender.receipts.items()}
            receipts = [receipt for each in sent.values() for receipt in each]
            times = [receipt.milliseconds for receipt in receipts if receipt.milliseconds is not None]
            speed = tokens / elapsed
            after = one_after_another(server, rng.sample(opened, min(alone, sessions)))
            return {
                "command": command_line(),
                "commit": describe_commit(),
                "versions": describe_versions(),
                "machine": {**describe_machine(), "threads": torch.get_num_threads()},
                "model": describe_model(loaded),
                "sessions": sessions,
                "seconds": elapsed,
                "rows": rows,
                "seed": seed,
                "updates": len(receipts),
                "refused": sum(sender.refused for sender in senders),
                "faults": check_log(server, sent),
                "workspaces": check_workspaces(server),
                "send_to_applied_ms": {f"p{q}": percentile(times, q / 100) for q in (50, 90, 99, 100)},
                "tokens": tokens,
                "tokens_per_second": speed,
                "one_after_another": after,
                "ratio": speed / after["tokens_per_second"] if alone else None,
                "state_bytes": server.nbytes,
                "passed": True,
            }


def verdict(results: dict[str, Any]) -> bool:
    """Whether there were no faults."""
    alone = results["one_after_another"]
    different = results["workspaces"].get("different", 0)
    return not any(results["faults"].values()) and not different and alone["same"] == alone["sessions"]


def main(
    model: Annotated[str | None, typer.Option(help="Folder or Hub name; the released workspace model.")] = None,
    sessions: Annotated[int, typer.Option(help="How many speak at once.")] = 200,
    seconds: Annotated[float, typer.Option(help="How long they are sent things.")] = 120.0,
    gap: Annotated[float, typer.Option(help="Mean seconds between two updates of a session.")] = 10.0,
    rows: Annotated[int, typer.Option(help="Most sessions in one batch.")] = ROWS,
    threads: Annotated[int | None, typer.Option(help="Threads of torch.")] = None,
    alone: Annotated[int, typer.Option(help="How many are said anew, one after another.")] = 20,
    max_new_tokens: Annotated[int, typer.Option(help="A session ends after so many, each time it speaks.")] = 64,
    seed: Annotated[int, typer.Option(help="Of moments and of what is said.")] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the results.")] = None,
) -> None:
    """Many sessions on one model, with updates at random times."""
    results = load_test(model, sessions, seconds, gap, rows, threads, alone, max_new_tokens, seed)
    results["passed"] = verdict(results)
    write_json(results, json)
    times, after = results["send_to_applied_ms"], results["one_after_another"]
    typer.echo(f"{results['updates']} updates, {results['refused']} refused; faults: {results['faults']}")
    typer.echo(f"workspaces: {results['workspaces']}; said anew: {after['same']} of {after['sessions']} the same")
    typer.echo(f"send to applied: p50 {times['p50'] or 0:.0f} ms, p99 {times['p99'] or 0:.0f} ms")
    typer.echo(
        f"{results['tokens_per_second']:.0f} tokens a second; one after another "
        f"{after['tokens_per_second']:.0f}: {results['ratio']:.1f} times"
    )
    typer.echo("passed" if results["passed"] else "FAILED")
    raise typer.Exit(0 if results["passed"] else 1)


if __name__ == "__main__":
    typer.run(main)
