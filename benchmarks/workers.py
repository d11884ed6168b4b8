"""Contenders in processes of their own, asked in turn for blocks of calls.

Thread pools of two libraries in one process disturb each other (OpenMP's and OpenBLAS's
threads spin while they wait), so each contender has a process, and only one of them
works at a time. They alternate block by block, so that a slow minute of the machine
meets all of them, and a block in which a core was missing is measured again.
"""

import importlib
import multiprocessing
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import numpy as np

from benchmarks import timing
from benchmarks.cases import Case
from benchmarks.probes import Cores

OURS = "autograd_lite"
REFERENCE = "reference"

# Spinning threads of the contender that worked before have gone to sleep after this.
PAUSE = 0.02

# contender -> seconds per call, one median per block
Blocks = dict[str, list[float]]


@dataclass(frozen=True)
class Effort:
    """How long to measure: alternating rounds, and seconds per block.

    `repeats` is the most blocks of one contender, in one case, that are measured again.
    Only a `thorough` run measures errors, and what else takes long.
    """

    rounds: int
    seconds: float
    repeats: int
    thorough: bool = True


FULL = Effort(rounds=11, seconds=0.1, repeats=11)
QUICK = Effort(rounds=3, seconds=0.02, repeats=1, thorough=False)


@dataclass
class Comparison:
    """What came of a case: blocks of times, and each contender's error.

    `repeated` counts the blocks that were measured again, `disturbed` those that stayed
    although a core was missing: on a busy machine they would have no end.
    """

    blocks: Blocks
    errors: dict[str, float]
    repeated: int = 0
    disturbed: int = 0


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

    def load(self, case: Case) -> bool:
        """Make the case ready without running it; whether it is supported."""
        return self._ask("load", case)

    def block(self, calls: int) -> list[float]:
        """Seconds of each of `calls` calls of the prepared case."""
        return self._ask("block", calls)

    def arrays(self) -> list[np.ndarray]:
        """What the prepared case computes."""
        return self._ask("arrays", None)

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
        if request in ("load", "prepare"):
            job = None  # lets the last case's memory go before the next one's comes
            job = build(name, module, argument)
        if request == "load":
            pipe.send(job is not None)
        elif request == "prepare":
            pipe.send(timing.estimate(job.run) if job else None)
        elif job is not None:
            block = request == "block"
            pipe.send(timing.time_calls(job.run, argument) if block else job.arrays())


def build(name: str, module: str, case: Case) -> timing.Job | None:
    """The contender's code for a case, or None if it has none of that kind."""
    builder = importlib.import_module(module).BUILDERS.get(case.kind)
    return builder(name, case) if builder else None


class Workers:
    """The contenders of a run; a context manager that ends their processes.

    `contenders` maps a name to the module with its BUILDERS; the first is ours. One
    called "reference" is not timed: the others' errors are measured against it.
    """

    def __init__(self, contenders: dict[str, str]) -> None:
        self.failed: dict[str, WorkerError] = {}
        self._cores = Cores()
        self._workers = [Worker(*item) for item in contenders.items()]

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cores.close()
        for worker in self._workers:
            worker.close()

    def compare(self, case: Case, effort: Effort) -> Comparison:
        """Medians of alternating blocks, and errors.

        A peer that fails is noted in `failed` and left out; ours has to work.
        """
        timed = [w for w in self._workers if w.name != REFERENCE]
        ready = self._prepare(case, timed)
        calls = {w: timing.calls_for(effort.seconds, time) for w, time in ready}
        found = Comparison({worker.name: [] for worker in calls}, {})
        budget = dict.fromkeys(calls, effort.repeats)
        self._settled()
        for turn in range(effort.rounds):
            order = list(calls) if turn % 2 else list(reversed(calls))
            for worker in order:
                block = self._block(worker, calls[worker], budget, found)
                found.blocks[worker.name].append(block)
        if effort.thorough:
            found.errors |= self._errors(case, list(calls))
        return found

    def arrays(self, name: str) -> list[np.ndarray]:
        """What a contender computes of the case that was compared last."""
        (worker,) = (worker for worker in self._workers if worker.name == name)
        return worker.arrays()

    def _block(
        self, worker: Worker, calls: int, budget: dict[Worker, int], found: Comparison
    ) -> float:
        """The median of one block that had all cores, or of the last one allowed."""
        while True:
            times = worker.block(calls)
            whole = self._settled()
            if whole or not budget[worker]:
                found.disturbed += not whole
                return statistics.median(times)
            budget[worker] -= 1
            found.repeated += 1

    def _settled(self) -> bool:
        """Whether all cores are there, when spinning threads have gone to sleep."""
        time.sleep(PAUSE)
        return self._cores.all_there()

    def _errors(self, case: Case, workers: list[Worker]) -> dict[str, float]:
        judges = [w for w in self._workers if w.name == REFERENCE]
        if not judges or not judges[0].load(case):
            return {}
        true = judges[0].arrays()
        networks = case.kind == "step"
        measure = timing.total_error if networks else timing.largest_error
        return {w.name: measure(w.arrays(), true) for w in workers}

    def _prepare(
        self, case: Case, workers: Iterable[Worker]
    ) -> list[tuple[Worker, float]]:
        ready = []
        for worker in workers:
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
