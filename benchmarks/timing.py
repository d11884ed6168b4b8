"""Measuring one piece of code, and comparing two: medians, ratios, intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

LONG = 0.05  # seconds of a call


@dataclass(frozen=True)
class Job:
    """What a contender made of a case: `run` is timed, `value` is what it computes.

    `value()` returns arrays in autograd_lite's layout, comparable between contenders;
    by default it is what `run` returns. Of a training step these are the first loss and
    its gradients, and `parameters()` returns what the steps have made so far.
    """

    run: Callable[[], object]
    value: Callable[[], object] | None = None
    parameters: Callable[[], object] | None = None

    def result(self) -> object:
        """The values computed, comparable between contenders."""
        return self.value() if self.value else self.run()

    def arrays(self) -> list[np.ndarray]:
        """The same as a list, in the order of the keys of dicts."""
        return arrays_of(self.result())


def arrays_of(value: object) -> list[np.ndarray]:
    """The arrays in nested dicts, lists and tuples.

    >>> arrays_of({"b": [1.0], "a": (2, 3)})
    [array(2), array(3), array(1.)]
    """
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list | tuple):
        return [array for part in value for array in arrays_of(part)]
    return [np.asarray(value)]


def largest_error(found: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> float:
    """The largest difference, relative to the largest element of its array.

    >>> largest_error([np.array([1.0, 2.5])], [np.array([1.0, 2.0])])
    0.25
    """
    errors = [0.0]
    for a, b in zip(found, true, strict=True):
        if a.shape != b.shape:
            raise ValueError(f"compared arrays of shapes {a.shape} and {b.shape}")
        if b.size:
            scale = np.abs(b).max() or 1.0
            errors.append(float(np.abs(a - b).max() / scale))
    return max(errors)


def total_error(found: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> float:
    """The length of the difference of all arrays together, relative to theirs.

    A ReLU whose argument is 0 but for rounding falls either way, and takes the gradient
    of a few weights with it: that makes the largest error of a network's gradients a
    matter of luck.

    >>> total_error([np.array([3.0, 4.5])], [np.array([3.0, 4.0])])
    0.1
    """
    wrong = sum(float(np.sum((a - b) ** 2)) for a, b in zip(found, true, strict=True))
    return (wrong / sum(float(np.sum(b**2)) for b in true)) ** 0.5


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


def estimate(run: Callable[[], object]) -> float:
    """About the seconds of a call; more than one measures it if it is short.

    The first compiles and fills caches, the second may still.
    """
    second = time_calls(run, calls=1)[0]
    return second if second > LONG else time_calls(run, calls=3)[-1]


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
