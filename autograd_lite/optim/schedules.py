"""Learning rates that change: functions of the number of steps done."""

from __future__ import annotations

import math

from ..errors import ArgumentError
from .settings import Schedule, check_steps


def constant(lr: float) -> Schedule:
    """Return the schedule that is `lr` at every step."""
    return lambda count: lr


def step_decay(lr: float, every: int, factor: float = 0.1) -> Schedule:
    """Return `lr`, multiplied by `factor` after every `every` steps.

    >>> [step_decay(1.0, every=2, factor=0.5)(count) for count in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    check_steps(every=every)
    return lambda count: lr * factor ** (count // every)


def exponential(lr: float, factor: float, steps: int) -> Schedule:
    """Return `lr`, falling smoothly by `factor` in the course of each `steps` steps.

    >>> exponential(1.0, 0.25, steps=10)(5)
    0.5
    """
    check_steps(steps=steps)
    return lambda count: lr * factor ** (count / steps)


def cosine(lr: float, steps: int, warmup: int = 0, final: float = 0.0) -> Schedule:
    """Return a linear rise to `lr` over `warmup` steps, then half a cosine to `final`.

    `steps` counts both parts; after them the rate stays at `final`. I. Loshchilov and
    F. Hutter, 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts".

    >>> schedule = cosine(1.0, steps=12, warmup=2)
    >>> [round(schedule(count), 3) for count in (0, 1, 2, 7, 12, 20)]
    [0.5, 1.0, 1.0, 0.5, 0.0, 0.0]
    """
    check_steps(steps=steps)
    if not 0 <= warmup < steps:
        raise ArgumentError(f"warmup={warmup}: expected 0 to steps - 1 = {steps - 1}.")

    def schedule(count: int) -> float:
        if count < warmup:
            return lr * (count + 1) / warmup
        return _anneal(lr, final, (count - warmup) / (steps - warmup))

    return schedule


def one_cycle(
    lr: float,
    steps: int,
    rise: float = 0.3,
    start_factor: float = 1 / 25,
    final_factor: float = 1e-4,
) -> Schedule:
    """Return half a cosine up to `lr` in the share `rise` of the steps, then one down.

    It starts at `start = lr * start_factor` and ends at `start * final_factor`.
    L. Smith and N. Topin, 2018, "Super-Convergence", in PyTorch's form.

    >>> schedule = one_cycle(1.0, steps=20, rise=0.5)
    >>> [round(schedule(count), 4) for count in (0, 9, 19)]
    [0.04, 1.0, 0.0]
    """
    check_steps(steps=steps)
    if not 0 < rise < 1:
        raise ArgumentError(f"rise={rise}: expected a share between 0 and 1.")
    start, peak, end = lr * start_factor, max(rise * steps - 1, 0), steps - 1

    def schedule(count: int) -> float:
        if peak >= end:  # one step, or two: no room for a curve
            return lr
        if count < peak:
            return _anneal(start, lr, count / peak)
        return _anneal(lr, start * final_factor, (count - peak) / (end - peak))

    return schedule


def _anneal(first: float, last: float, share: float) -> float:
    """Return the value after a share of half a cosine from `first` to `last`."""
    return last + (first - last) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
