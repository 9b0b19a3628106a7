"""
A process with sessions is killed repeatedly at random times; nothing that it acknowledged may be lost.

    python -m hf_duplex.evaluation.benchmarks.kill_test --json runs/kill.json
    python -m hf_duplex.evaluation.benchmarks.kill_test --kills 4

Each log survives several kills: a process restores its sessions, continues, sends updates, and is ended by SIGKILL.
The last process lets all sessions finish. Then every acknowledged update must have been received once and in order,
every token that a reader got must be kept, and the text must equal, token for token, that of a process that was never
killed and received the same updates at the same places.
"""

import json as jsons
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer

from ...record import command_line, describe_commit, describe_machine, describe_versions, write_json
from ...released import WORKSPACE
from ...runtime.checkpoints import describe_model, find_checkpoint, load_checkpoint
from ...runtime.event_log import LogError
from ...runtime.limits import Limits
from ...runtime.receipts import REFUSED
from ...runtime.sampling import Sampling
from ...runtime.server import Server
from ...runtime.session import Session, SessionError


LIVES = 5
"""Kills per log."""
PATIENCE_SECONDS = 120.0
FAULTS = ("lost", "twice", "out_of_order", "changed", "not_reproduced")


class Witness:
    """Lines in a file that survive the process: acknowledged updates, and tokens read."""

    def __init__(self, path: Path):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, *what: Any) -> None:
        os.write(self.file, (jsons.dumps(what) + "\n").encode())

    @staticmethod
    def lines(path: Path) -> list[list[Any]]:
        return [jsons.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def restored(server: Server, count: int, sampling: Sampling) -> list[Session]:
    """Sessions of the log, plus new ones up to this number."""
    sessions = [server.restore(id) for id in server.log.sessions()]
    for number in range(len(sessions), count):
        prompt = f"Given x = {number + 2}, y = {number + 3}, compute 1) x + y; 2) 2x + 1; 3) y + 4."
        sessions.append(server.open(prompt, sampling, id=f"s{number}"))
    return sessions


def live(model: Any, tokenizer: Any, log: Path, witness: Path, count: int, sampling: Sampling, seed: int) -> None:
    """Runs a process until it is killed."""
    rng, note = random.Random(seed), Witness(witness).note
    server = Server(model, tokenizer, log, Limits(rate=None))
    sessions = restored(server, count, sampling)

    def read(session: Session) -> None:
        while True:
            token = session.read()
            if token is None:
                time.sleep(0.01)
            else:
                note("read", session.id, token.step, token.id)

    for session in sessions:
        threading.Thread(target=read, args=(session,), daemon=True).start()
    while True:
        time.sleep(rng.expovariate(20.0))
        session = rng.choice(sessions)
        receipt = session.send(f"Actually {rng.choice('xy')} = {rng.randint(2, 90)}.")
        if receipt.status != REFUSED:
            note("acknowledged", session.id, receipt.number, receipt.text)


def finish(model: Any, tokenizer: Any, log: Path, witness: Path, answer: Path) -> None:
    """Lets all sessions of a log finish, and counts violations."""
    faults, reasons = dict.fromkeys(FAULTS, 0), []
    counts = dict.fromkeys(("sessions", "updates", "tokens"), 0)
    lines = Witness.lines(witness)
    with Server(model, tokenizer, log, Limits(rate=None)) as server:
        for id in server.log.sessions():
            session = server.restore(id)
            session.wait(PATIENCE_SECONDS)
            heard = [number for number, _ in session.history.heard]
            taken = {update.number: update.text for update in session.history.sent}
            known = {number: text for kind, of, number, text in lines if (kind, of) == ("acknowledged", id)}
            read = [(step, token) for kind, of, step, token in lines if (kind, of) == ("read", id)]
            said = [token.id for token in session.tokens]
            faults["lost"] += sum(taken.get(number) != text or number not in heard for number, text in known.items())
            faults["lost"] += len(taken.keys() - set(heard))
            faults["twice"] += len(heard) - len(set(heard))
            faults["out_of_order"] += heard != sorted(heard)
            faults["changed"] += sum(step >= len(said) or said[step] != token for step, token in read)
            found = session.replay()
            faults["not_reproduced"] += not found.same
            if not found.same:
                reasons.append(f"{id}: step {found.first} of {len(said)}")
            counts["sessions"] += 1
            counts["updates"] += len(known)
            counts["tokens"] += len(said)
    answer.write_text(jsons.dumps({"faults": faults, "counts": counts, "reasons": reasons}))


def forked(work: Callable[[], None]) -> int:
    """Forks a process that runs a function and ends; returns its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except (LogError, SessionError, ValueError, OSError) as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
    finally:
        os._exit(status)


def kill_test(
    model: str | None = None, kills: int = 100, sessions: int = 6, longest: float = 1.5, seed: int = 0
) -> dict[str, Any]:
    """
    Args:
        model (`str`, *optional*): Folder or Hub name; the released workspace model if it is not given.
        kills (`int`, *optional*, defaults to 100): How often a process is killed.
        sessions (`int`, *optional*, defaults to 6): Sessions of each log.
        longest (`float`, *optional*, defaults to 1.5): Most seconds before a kill.
        seed (`int`, *optional*, defaults to 0): Of times and texts.

    Returns:
        Faults, and counts of what was run.
    """
    # Processes are forked, so that a model is loaded once; torch's threads do not survive a fork.
    torch.set_num_threads(1)
    loaded, tokenizer = load_checkpoint(find_checkpoint(model, WORKSPACE, "--model"), "--model")
    rng, sampling = random.Random(seed), Sampling(max_new_tokens=48)
    faults, counts = dict.fromkeys(FAULTS, 0), {"sessions": 0, "updates": 0, "tokens": 0}
    reasons: list[str] = []
    left, unfinished = kills, 0
    while left:
        with TemporaryDirectory() as folder:
            log, witness, answer = (Path(folder) / name for name in ("log.sqlite", "witness", "answer"))
            for _ in range(min(left, LIVES)):
                draw = rng.randrange(2**32)
                child = forked(partial(live, loaded, tokenizer, log, witness, sessions, sampling, draw))
                time.sleep(rng.uniform(0.02, longest))
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                unfinished += not os.WIFSIGNALED(status)
                left -= 1
            child = forked(partial(finish, loaded, tokenizer, log, witness, answer))
            _, status = os.waitpid(child, 0)
            if status or not answer.exists():
                unfinished += 1
                continue
            found = jsons.loads(answer.read_text())
            faults = {name: faults[name] + found["faults"][name] for name in faults}
            counts = {name: counts[name] + found["counts"][name] for name in counts}
            reasons += found["reasons"]
    return {
        "command": command_line(),
        "commit": describe_commit(),
        "versions": describe_versions(),
        "machine": describe_machine(),
        "model": describe_model(loaded),
        "seed": seed,
        "kills": kills,
        **counts,
        "faults": {**faults, "not_restored": unfinished},
        "reasons": reasons,
        "passed": not any(faults.values()) and not unfinished,
    }


def main(
    model: Annotated[str | None, typer.Option(help="Folder or Hub name; the released workspace model.")] = None,
    kills: Annotated[int, typer.Option(help="How often a process is killed.")] = 100,
    sessions: Annotated[int, typer.Option(help="Sessions of each log.")] = 6,
    longest: Annotated[float, typer.Option(help="Most seconds that a process lives.")] = 1.5,
    seed: Annotated[int, typer.Option(help="Of moments and of what is said.")] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the results.")] = None,
) -> None:
    """A process with sessions is killed at random moments; nothing that it acknowledged may be lost."""
    results = kill_test(model, kills, sessions, longest, seed)
    write_json(results, json)
    typer.echo(
        f"{results['kills']} kills, {results['sessions']} sessions, {results['updates']} updates acknowledged, "
        f"{results['tokens']} tokens; faults: {results['faults']}"
    )
    for reason in results["reasons"]:
        typer.echo(f"not reproduced: {reason}")
    typer.echo("passed" if results["passed"] else "FAILED")
    raise typer.Exit(0 if results["passed"] else 1)


if __name__ == "__main__":
    typer.run(main)
