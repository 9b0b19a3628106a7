"""Processes that make shards in parallel, and stop cleanly.

Each worker holds its own [`ShardMaker`] and one pipe to its parent process: tasks come in, numbers of finished rows
and results go out. When the parent ends, for whatever reason, the pipe breaks; the worker then drops the unfinished
file and ends too.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from .config import BuildConfig
from .shards import BuildError, ShardMaker, ShardPlan


STOP_SECONDS = 20.0  # a worker stops when its row group is done


@dataclass(frozen=True)
class Task:
    """A method of [`ShardMaker`] to call with a shard, more arguments, and `on_rows`."""

    method: Callable[..., Any]
    shard: ShardPlan
    arguments: tuple[Any, ...] = ()

    def run(self, maker: ShardMaker, on_rows: Callable[[int], None]) -> Any:
        return self.method(maker, self.shard, *self.arguments, on_rows=on_rows)


class Workers:
    """
    Runs tasks; a context manager, which ends the processes on exit.

    Args:
        config (`BuildConfig`): What the data set is made from.
        folder (`Path`): Its folder.
        num_workers (`int`): Maximum number of processes; with 1, everything runs in this process.
    """

    def __init__(self, config: BuildConfig, folder: Path, num_workers: int):
        self.config, self.folder, self.num_workers = config, folder, num_workers
        self._processes: list[Any] = []
        self._idle: list[Connection] = []
        self._busy: dict[Connection, Task] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in (*self._idle, *self._busy):
            connection.close()
        for process in self._processes:
            process.join(STOP_SECONDS)
            if process.is_alive():
                process.terminate()
                process.join()

    def run(self, tasks: Sequence[Task], on_rows: Callable[[int], None]) -> Iterator[tuple[ShardPlan, Any]]:
        """
        Runs tasks in any order.

        Args:
            tasks (`Sequence[Task]`): What to run.
            on_rows (`Callable[[int], None]`): Called with the number of further rows done.

        Yields:
            `tuple[ShardPlan, Any]`: The shard of each finished task, and the result of the task.

        Raises:
            BuildError: A worker died.
            Exception: The first exception raised by a task.
        """
        if self.num_workers == 1:
            maker = ShardMaker(self.config, self.folder)
            for task in tasks:
                yield task.shard, task.run(maker, on_rows)
            return
        self._start(min(self.num_workers, len(tasks)))
        waiting = deque(tasks)
        while waiting or self._busy:
            while waiting and self._idle:
                connection = self._idle.pop()
                self._busy[connection] = waiting.popleft()
                with suppress(ConnectionError):  # a dead worker is detected when its result is awaited
                    connection.send(self._busy[connection])
            for ready in wait(list(self._busy)):
                assert isinstance(ready, Connection)
                kind, value = self._receive(ready)
                if kind == "rows":
                    on_rows(value)
                elif kind == "error":
                    raise value
                else:
                    self._idle.append(ready)
                    yield self._busy.pop(ready).shard, value

    def _receive(self, connection: Connection) -> tuple[str, Any]:
        try:
            kind, value = connection.recv()
        except (EOFError, OSError):
            raise BuildError(
                f"A worker died over {self._busy[connection].shard.file}, perhaps for want of memory. Finished shards "
                "are kept; run the same command to resume, with fewer workers if memory is short."
            ) from None
        return kind, value

    def _start(self, workers: int) -> None:
        # Spawned and not forked: the progress bar and arrow run threads, and a fork would copy their locks.
        context = get_context("spawn")
        for _ in range(workers - len(self._processes)):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, self.config, self.folder), daemon=True)
            with _interrupts_ignored():  # inherited by the worker: only the parent stops it
                process.start()
            theirs.close()
            self._processes.append(process)
            self._idle.append(ours)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(connection: Connection, config: BuildConfig, folder: Path) -> None:
    """Runs task after task in a worker, until its pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    maker = ShardMaker(config, folder)
    with suppress(EOFError, ConnectionError):
        while True:
            task = connection.recv()
            try:
                result = task.run(maker, lambda rows: connection.send(("rows", rows)))
            except ConnectionError:
                return
            except Exception as error:
                connection.send(("error", _portable(error)))
            else:
                connection.send(("done", result))


def _portable(error: Exception) -> Exception:
    """The error in a form that can be pickled; an unexpected one carries its traceback as a note."""
    if not isinstance(error, BuildError):
        error.add_note(traceback.format_exc().rstrip())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return BuildError(f"{type(error).__name__}: {error}")
    return error
