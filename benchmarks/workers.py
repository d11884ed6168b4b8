"""Contenders in processes of their own, asked in turn for blocks of calls.

Thread pools of two libraries in one process disturb each other (OpenMP's and OpenBLAS's
threads spin while they wait), so each contender has a process, and only one of them
works at a time. They alternate block by block, so that a slow minute of the machine
meets all of them.
"""

import importlib
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from benchmarks import timing
from benchmarks.cases import Case

# Spinning threads of the contender that worked before have gone to sleep after this.
PAUSE = 0.02

# contender -> seconds per call, one median per block
Blocks = dict[str, list[float]]


class WorkerError(RuntimeError):
    """A contender failed; its process has printed the traceback."""


class Worker:
    """One contender in a process of its own."""

    def __init__(self, name: str, module: str) -> None:
        # A forked child would share our imports and threads; a spawned one is fresh.
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, name, module), daemon=True
        )
        self._process.start()
        theirs.close()

    def prepare(self, case: Case) -> float | None:
        """Make the case ready; the seconds of a warm call, or None if unsupported."""
        return self._ask("prepare", case)

    def block(self, calls: int) -> list[float]:
        """Seconds of each of `calls` calls of the prepared case."""
        return self._ask("block", calls)

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.is_alive()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(timeout=5)
        if self.running:
            self._process.terminate()

    def _ask(self, request: str, argument: object) -> Any:
        try:
            self._pipe.send((request, argument))
            return self._pipe.recv()
        except (EOFError, ConnectionError):
            raise WorkerError(f"{self.name} failed; its traceback is above") from None


def serve(pipe: Connection, name: str, module: str) -> None:
    """What a worker's process does: answer requests until the pipe closes.

    An error ends the process, which prints the traceback.
    """
    job: timing.Job | None = None
    while True:
        try:
            request, argument = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        if request == "prepare":
            job = None  # lets the last case's memory go before the next one's comes
            job = build(name, module, argument)
            pipe.send(timing.time_calls(job.run, calls=3, warm=2)[-1] if job else None)
        elif job is not None:
            pipe.send(timing.time_calls(job.run, argument))


def build(name: str, module: str, case: Case) -> timing.Job | None:
    """The contender's code for a case, or None if it has none of that kind."""
    builder = importlib.import_module(module).BUILDERS.get(case.kind)
    return builder(name, case) if builder else None


class Workers:
    """The contenders of a run; a context manager that ends their processes.

    `contenders` maps a name to the module with its BUILDERS; the first is ours.
    """

    def __init__(self, contenders: dict[str, str]) -> None:
        self.failed: dict[str, WorkerError] = {}
        self._workers = [Worker(*item) for item in contenders.items()]

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.close()

    def compare(self, case: Case, rounds: int, seconds: float) -> Blocks:
        """Medians of `rounds` alternating blocks of about `seconds` each.

        A peer that fails is noted in `failed` and left out; ours has to work.
        """
        ready = self._prepare(case)
        calls = {w: timing.calls_for(seconds, duration) for w, duration in ready}
        blocks: Blocks = {worker.name: [] for worker in calls}
        for turn in range(rounds):
            order = list(calls) if turn % 2 else list(reversed(calls))
            for worker in order:
                time.sleep(PAUSE)
                times = worker.block(calls[worker])
                blocks[worker.name].append(statistics.median(times))
        return blocks

    def _prepare(self, case: Case) -> list[tuple[Worker, float]]:
        ready = []
        for worker in self._workers:
            if worker.name in self.failed:
                continue
            try:
                duration = worker.prepare(case)
            except WorkerError as error:
                if worker is self._workers[0]:
                    raise
                self.failed[worker.name] = error
                continue
            if duration is not None:
                ready.append((worker, duration))
        return ready
