"""Measuring one piece of code, and comparing two: medians, ratios, intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np


@dataclass(frozen=True)
class Job:
    """What a contender made of a case: `run` is timed, `value` is what it computes.

    `value()` returns arrays in autograd_lite's layout, so that tests can compare
    contenders; by default it is what `run` returns.
    """

    run: Callable[[], object]
    value: Callable[[], object] | None = None

    def result(self) -> object:
        """The values computed, comparable between contenders."""
        return self.value() if self.value else self.run()


def time_calls(run: Callable[[], object], calls: int, warm: int = 1) -> list[float]:
    """Seconds of each of `calls` calls, after `warm` calls that do not count.

    >>> len(time_calls(lambda: None, calls=5))
    5
    """
    for _ in range(warm):
        run()
    times = []
    for _ in range(calls):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return times


def calls_for(seconds: float, duration: float, most: int = 1000) -> int:
    """How many calls of `duration` seconds fill a block of `seconds`: at least 3.

    >>> calls_for(seconds=0.1, duration=0.01), calls_for(seconds=0.1, duration=1.0)
    (10, 3)
    """
    return max(3, min(most, int(seconds / max(duration, 1e-9))))


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs, with a 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def ratio(ours: Sequence[float], theirs: Sequence[float], draws: int = 2000) -> Ratio:
    """Ratio of the medians of blocks measured alternately, round by round.

    The interval is a percentile bootstrap over rounds (Efron 1979): both contenders'
    blocks of a round are drawn together, since a busy machine slows both.

    >>> print(ratio([1.0, 1.1, 0.9], [2.0, 2.0, 2.0]))
    0.50 [0.45, 0.55]
    """
    a, b = np.asarray(ours), np.asarray(theirs)
    rounds = min(len(a), len(b))
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, rounds, (draws, rounds))
    ratios = np.median(a[drawn], axis=1) / np.median(b[drawn], axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return Ratio(float(np.median(a) / np.median(b)), float(low), float(high))
