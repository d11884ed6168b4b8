"""What this machine can do at best: probes, taken in the same run as the cases.

Three limits: a large matrix product (what NumPy's BLAS reaches), fused multiply-adds
(what the processor reaches with no memory to wait for), and copies of several sizes
(caches are faster than memory, so a case is compared with a copy of its own size).
And whether the machine still has all its cores: on a shared one they come and go.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import perf_counter, sleep
from typing import Any

import numpy as np

from benchmarks import machine

COPIES = tuple(1 << n for n in (18, 20, 22, 24, 26, 28))  # bytes read and written
SLOWER = 1.5  # times as long as usual: half of two cores is twice
PATIENCE = 2.0  # seconds that a probe waits for a missing core


@dataclass(frozen=True)
class Limits:
    """The best rates: GFLOP/s, and GB/s read and written of copies by their bytes."""

    gemm: float
    fma: float
    copies: dict[int, float]

    @property
    def gflops(self) -> float:
        """The higher of the two rates of arithmetic."""
        return max(self.gemm, self.fma)

    def bandwidth(self, nbytes: int) -> float:
        """GB/s of a copy that touches so many bytes, between those measured.

        >>> round(Limits(100, 200, {1000: 40.0, 100_000: 20.0}).bandwidth(10_000))
        30
        """
        sizes = sorted(self.copies)
        rates = [self.copies[size] for size in sizes]
        return float(np.interp(np.log(max(nbytes, 1)), np.log(sizes), rates))

    def share(self, gflops: float, gbs: float, nbytes: int) -> float:
        """How much of the limits these rates are: of that which is nearer.

        >>> limits = Limits(100, 200, {1000: 50.0})
        >>> limits.share(100, 10, 1000), limits.share(100, 40, 1000)
        (0.5, 0.8)
        """
        return max(gflops / self.gflops, gbs / self.bandwidth(nbytes))

    def or_better(self, other: "Limits") -> "Limits":
        """The better of two measurements: a busy machine is no limit."""
        return Limits(
            max(self.gemm, other.gemm),
            max(self.fma, other.fma),
            {n: max(rate, other.copies[n]) for n, rate in self.copies.items()},
        )

    def __str__(self) -> str:
        small, large = self.copies[min(self.copies)], self.copies[max(self.copies)]
        return (
            f"limits: gemm {self.gemm:.0f} GFLOP/s, FMA {self.fma:.0f} GFLOP/s, "
            f"copy {large:.1f} GB/s from memory, {small:.0f} GB/s from caches"
        )

    def record(self) -> dict[str, object]:
        """What goes into the JSON file."""
        return {"gemm": self.gemm, "fma": self.fma, "copies": self.copies}


def limits_from(record: dict[str, object]) -> Limits:
    """Limits as they stand in a JSON file, whose keys are text.

    >>> limits_from({"gemm": 1.0, "fma": 2.0, "copies": {"8": 3.0}})
    Limits(gemm=1.0, fma=2.0, copies={8: 3.0})
    """
    copies = record["copies"]
    assert isinstance(copies, dict)
    rates = {int(size): float(rate) for size, rate in copies.items()}
    return Limits(float(str(record["gemm"])), float(str(record["fma"])), rates)


def measure() -> Limits:
    """Probe the machine, in a fresh process whose threads end with it."""
    command = [sys.executable, "-m", "benchmarks.probes"]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return limits_from(json.loads(run.stdout))


def rate_of(work: Callable[[], object], amount: float, seconds: float = 0.4) -> float:
    """The best rate of `work`, which does `amount` of something, in 10^9 a second."""
    work()
    best, end = float("inf"), perf_counter() + seconds
    while perf_counter() < end:
        start = perf_counter()
        work()
        best = min(best, perf_counter() - start)
    return amount / best / 1e9


def gemm(n: int = 1536) -> float:
    """GFLOP/s of a product of n x n float32 matrices."""
    a = np.ones((n, n), np.float32)
    out = np.empty_like(a)
    return rate_of(lambda: np.matmul(a, a, out=out), 2 * n**3, seconds=1.0)


def copy(nbytes: int) -> float:
    """GB/s, read and written, of a copy in one piece per core."""
    source = np.ones(nbytes // 8, np.float32)
    target = np.empty_like(source)
    pieces = zip(np.array_split(target, threads()), np.array_split(source, threads()))
    repeats = max(1, (1 << 25) // nbytes)  # hides the hand-over

    def piece(pair: tuple[np.ndarray, np.ndarray]) -> None:
        for _ in range(repeats):
            np.copyto(*pair)

    return on_all_cores(piece, list(pieces), repeats * nbytes)


def multiply_add() -> float:
    """GFLOP/s of fused multiply-adds on every core."""
    from benchmarks import fma

    turns = [fma.TURNS] * threads()
    return on_all_cores(fma.on_one_thread, turns, len(turns) * fma.OPERATIONS)


def on_all_cores(work: Callable[[Any], object], pieces: list[Any], done: int) -> float:
    """The best rate at which threads do the pieces, `done` operations together."""
    with ThreadPoolExecutor(len(pieces)) as pool:
        return rate_of(lambda: list(pool.map(work, pieces)), done)


def threads() -> int:
    """How many threads a contender may use: --threads, or one per core."""
    return min(int(os.environ.get("NUMBA_NUM_THREADS", machine.cores())), 256)


class Cores:
    """Tells whether all cores are there: one piece of work on each, at once.

    Hashing needs no array library, whose threads it would wake, and lets go of the
    interpreter's lock. What is slower than usual has had to share.
    """

    def __init__(self) -> None:
        self._count = threads()
        self._pool = ThreadPoolExecutor(self._count)
        self._piece = bytes(1 << 20)
        self.usual = min(self.seconds(1) for _ in range(20))  # with a core to itself

    def seconds(self, count: int | None = None) -> float:
        """The time of a piece of work on every core, or on some: about a millisecond.

        It is the same, if every piece has a core.
        """
        start = perf_counter()
        pieces = range(count or self._count)
        for done in [self._pool.submit(hashlib.sha256, self._piece) for _ in pieces]:
            done.result()
        return perf_counter() - start

    def all_there(self) -> bool:
        """Whether no core is missing; one more look, if one seems to be."""
        for _ in range(2):
            found = self.seconds()
            self.usual = min(self.usual, found)
            if found < SLOWER * self.usual:
                return True
        return False

    def wait(self, seconds: float) -> None:
        """Wait until all cores are there, or so many seconds have passed."""
        end = perf_counter() + seconds
        while not self.all_there() and perf_counter() < end:
            sleep(0.05)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def main() -> None:
    """Print the limits as JSON."""
    cores = Cores()
    rates = []
    every: list[Callable[[], float]] = [multiply_add, gemm]
    every += [partial(copy, size) for size in COPIES]
    for probe in every:
        sleep(0.05)  # the BLAS's threads stop spinning
        cores.wait(PATIENCE)
        rates.append(probe())
    cores.close()
    multiplied, product, *copies = rates
    found = Limits(product, multiplied, dict(zip(COPIES, copies)))
    print(json.dumps(found.record()))


if __name__ == "__main__":
    main()
