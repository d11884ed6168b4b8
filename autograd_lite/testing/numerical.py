"""Numerical derivatives of functions of one number, each with its own error bar.

A ladder of shrinking steps feeds Richardson's extrapolation, and the entry of the table
with the smallest error estimate wins (C. Ridders, 1982, "Accurate computation of F'(x)
and F'(x) F''(x)"). The estimate covers both truncation, seen as the disagreement of
neighbouring entries, and rounding, known from the values and the step. So nobody has to
choose a step, and whoever compares knows how far to trust the number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Function = Callable[[float], float]
SHRINK = 4.0  # ratio of successive steps
REFUTED = 10.0  # error bars, of both, that two estimates differ by
LEVELS = 10  # steps of the ladder; the last one is 4**-9 of the first
FITS = 7  # steps of a longer ladder of fits
POINTS = 16  # of each of these fits, on either side


class Estimate(NamedTuple):
    """A derivative, how far it may be off, and the step it came from."""

    value: float
    error: float
    step: float

    def __str__(self) -> str:
        return f"{self.value:.10g} +- {self.error:.1g} (step {self.step:.1g})"


UNKNOWN = Estimate(math.nan, math.inf, math.nan)


def central(fun: Function, noise: float, eps: float, enough: float) -> Estimate:
    """Return the derivative of `fun` at 0 by central differences.

    Args:
        fun: smooth on the scale of 1 around 0, or as far as it happens to be.
        noise: the rounding error of one value of `fun`.
        eps: the machine epsilon of the arithmetic inside `fun`.
        enough: the ladder ends as soon as the error bar is below this.

    >>> import math
    >>> estimate = central(math.exp, noise=1e-16, eps=2e-16, enough=0.0)
    >>> abs(estimate.value - 1) < 1e-10
    True
    """
    return _ladder(lambda h: (fun(h) - fun(-h)) / (2 * h), 2, noise, eps, enough)


def one_sided(fun: Function, noise: float, eps: float, sign: float) -> Estimate:
    """Return the derivative of `fun` at 0 from the right (`sign=1`) or left (-1)."""
    start = fun(0.0)
    return _ladder(lambda h: (fun(sign * h) - start) / (sign * h), 1, noise, eps, 0.0)


def fitted(fun: Function, noise: float, eps: float) -> Estimate:
    """Return the derivative of `fun` at 0 by lines through many of its values.

    For noisy functions: noise averages out, and how far the values lie off a line tells
    how much of it there is. A line is as far off as its slope is from a cubic's.

    >>> import math
    >>> rough = lambda t: round(math.sin(t), 6)
    >>> estimate = fitted(rough, noise=1e-6, eps=1e-6)
    >>> abs(estimate.value - 1) < 5 * estimate.error < 1e-2
    True
    """
    spread = np.random.default_rng(0).uniform(0.2, 0.8, POINTS)
    shares = (np.arange(POINTS) + spread) / POINTS
    found = []
    step = first_step(eps)
    for _ in range(FITS):
        values = [(fun(t) - fun(-t)) / 2 for t in (step * shares).tolist()]
        if all(map(math.isfinite, values)):
            found.append(_fit(shares, np.array(values), noise, step))
        step /= SHRINK
    return _best(found)


def _fit(shares: Any, values: Any, noise: float, step: float) -> Estimate:
    """Return the slope of the line through odd parts at shares of a step."""
    slope = float(shares @ values / (shares @ shares))
    powers = np.stack([shares, shares**3], axis=1)
    cubic = np.linalg.lstsq(powers, values, rcond=None)[0]
    rest = float(np.linalg.norm(values - slope * shares))
    scatter = 2 * rest / math.sqrt(POINTS - 1)
    error = max(scatter, noise) / float(np.linalg.norm(shares))
    error = max(error, abs(slope - float(cubic[0])))
    return Estimate(slope / step, error / step, step)


def _ladder(
    difference: Function, order: int, noise: float, eps: float, enough: float
) -> Estimate:
    """Extrapolate `difference(step)`, whose error starts with step**order."""
    step = first_step(eps)
    row: list[float] = []
    found: list[Estimate] = []  # the best of each row
    for _ in range(LEVELS):
        value = difference(step)
        if not math.isfinite(value):  # outside of the domain: start again, smaller
            row = []
        else:
            row, candidate = _extend(row, value, order, step, noise / step)
            found.append(candidate)
            if candidate.error <= enough:
                break
        step /= SHRINK
    return _best(found)


def _best(found: list[Estimate]) -> Estimate:
    """Return the estimate with the smallest error bar, widened to reach a neighbour.

    Two noisy numbers agree by chance now and then; three in a row hardly ever do. And
    long steps may agree where they miss what the function does close by: an estimate is
    refuted by one from shorter steps whose error bar it lies far out of.
    """
    if not found:
        return UNKNOWN
    kept = [i for i, e in enumerate(found) if not _refuted(e, found[i + 1 :])]
    at = min(kept, key=lambda i: found[i].error)
    best = found[at]
    neighbours = [*found[max(at - 1, 0) : at], *found[at + 1 : at + 2]]
    spread = min([abs(best.value - n.value) for n in neighbours], default=0.0)
    return best._replace(error=max(best.error, spread))


def _refuted(estimate: Estimate, finer: list[Estimate]) -> bool:
    """Return whether an estimate disagrees with one from shorter steps."""
    return any(
        abs(estimate.value - e.value) > REFUTED * (estimate.error + e.error)
        for e in finer
    )


def _extend(
    row: list[float], value: float, order: int, step: float, rounding: float
) -> tuple[list[float], Estimate]:
    """Return the next row of the extrapolation table and its best entry."""
    new = [value]
    best = Estimate(value, math.inf, step)
    for j, previous in enumerate(row):
        if j == 0:  # without extrapolation: the change since the last step
            best = Estimate(value, abs(value - previous) + rounding, step)
        factor = SHRINK ** (order * (j + 1))
        new.append(new[j] + (new[j] - previous) / (factor - 1))
        change = max(abs(new[j + 1] - new[j]), abs(new[j + 1] - previous))
        if change + rounding < best.error:
            best = Estimate(new[j + 1], change + rounding, step)
    return new, best


def first_step(eps: float) -> float:
    """Return the largest step of the ladder.

    With two levels of extrapolation the truncation error falls as step**4, the rounding
    error as eps / step; they balance at eps**(1/5).
    """
    return 2 * eps**0.2
