"""One comparison: a function, a mode, directions, and both derivatives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ..api import jvp, vjp
from .numerical import Estimate, central, one_sided
from .spaces import (
    Arrays,
    FlatFunction,
    epsilon,
    inner,
    like,
    move,
    random_like,
    size_of,
    widen,
)

# Largest machine epsilon of the arithmetic -> relative tolerance of a derivative.
RTOL: Final = ((1e-12, 1e-6), (1e-5, 2e-4), (1.0, 2e-2))
CLOSE: Final = 1e-6  # a step on which smooth functions are straight
ROUNDING: Final = 100.0  # machine epsilons of the result that a derivative may be off


@dataclasses.dataclass(frozen=True)
class Level:
    """A function under check, the user's or a derivative of it, and the settings."""

    fun: FlatFunction
    xs: Arrays
    names: list[str]  # of the arguments
    trail: tuple[str, ...]  # the modes that made this function out of the user's
    title: str
    rtol: float | None
    atol: float
    rng: np.random.Generator

    def tolerance(self, eps: float) -> float:
        """Return the relative tolerance for arithmetic of this machine epsilon."""
        if self.rtol is not None:
            return self.rtol
        return next(rtol for limit, rtol in RTOL if eps <= limit)

    def where(self, mode: str) -> str:
        """Say what is being checked: function, mode and order."""
        kind = {"rev": "reverse mode", "fwd": "forward mode"}[mode]
        order = len(self.trail) + 1
        path = f" ({' of '.join([mode, *reversed(self.trail)])})" if self.trail else ""
        return f"{self.title}: {kind}, order {order}{path}"


@dataclasses.dataclass(frozen=True)
class Probe:
    """The derivative along `us` of the results weighted by `ws`, in two ways."""

    level: Level
    mode: str
    xs: Arrays
    ys: Sequence[Any]
    us: Arrays
    ws: Arrays
    noise: float = 0.0  # found by `measured`, in the weighted results

    def derivative(self, us: Arrays) -> Sequence[Any]:
        """Return the pullback of `ws`, or the tangents that `us` causes."""
        if self.mode == "rev":
            return vjp(self.level.fun, *self.xs)[1](tuple(self.ws))
        return jvp(self.level.fun, self.xs, us)[1]

    def analytic(self, us: Arrays) -> float:
        """Return the derivative along `us` by the mode under check."""
        return inner(self.derivative(us), us if self.mode == "rev" else self.ws)

    def numerical(self, us: Arrays, expected: float, enough: float = 0.0) -> Estimate:
        """Return the derivative along `us` by finite differences.

        About as large as `expected`; good enough when the error bar is below `enough`.
        """
        noise = self.rounding + self.eps * finite(expected)
        return central(lambda t: self.value(us, t), noise, self.eps, enough)

    def slopes(self) -> tuple[Estimate, Estimate]:
        """Return the derivatives from the right and from the left."""
        right, left = (
            one_sided(lambda t: self.value(self.us, t), self.rounding, self.eps, sign)
            for sign in (1.0, -1.0)
        )
        return right, left

    def value(self, us: Arrays, step: float) -> float:
        """Return the weighted results after a step."""
        with np.errstate(all="ignore"):
            return inner(self.level.fun(*move(self.xs, us, step)), self.ws)

    def measured(self) -> Probe:
        """Return the probe with its noise measured: rounding may be worse than known.

        High differences of a smooth function at close points are next to zero, so that
        what remains is noise (R. Hamming, "Introduction to applied numerical analysis",
        1971). Functions that compute in float32 inside are found out in this way.
        """
        values = [self.value(self.us, k * CLOSE) for k in range(-3, 4)]
        rest = np.abs(np.diff(values, 4)).max() / math.sqrt(70)
        return dataclasses.replace(self, noise=finite(2 * float(rest)))

    @property
    def eps(self) -> float:
        """The machine epsilon of the arithmetic."""
        known = epsilon([*self.xs, *self.ys])
        return min(max(known, self.noise / (self.size or 1.0)), 0.1)

    @property
    def size(self) -> float:
        """The magnitude of the weighted results."""
        return size_of(self.ws, self.ys)

    @property
    def rounding(self) -> float:
        """The rounding error to be expected in the weighted results."""
        return max(4 * self.eps * self.size, self.noise)

    def tolerance(self, a: float, b: float) -> float:
        """Return how far apart two values of the derivative may be."""
        scale = max(finite(a), finite(b))
        floor = ROUNDING * self.eps * self.size + self.level.atol
        return self.level.tolerance(self.eps) * scale + floor

    def unsteadiness(self) -> float:
        """Return how far the derivative moves when its arguments are rounded anew.

        That is the effect of rounding in the arguments and inside of the rules, while
        a wrong rule stays wrong by the same amount.
        """
        here = self.analytic(self.us)
        changes = [0.0]
        for _ in range(4):
            errors = random_like(self.level.rng, self.xs)
            xs = [
                np.asarray(x + 2 * self.eps * abs(x) * e, x.dtype)
                for x, e in zip(self.xs, errors, strict=True)
            ]
            moved = dataclasses.replace(self, xs=xs).analytic(self.us)
            changes.append(finite(moved - here))
        return max(changes)

    def widened(self) -> Probe | None:
        """Return the probe in double precision; None if it is so, or can't be."""
        double = epsilon([1.0])
        if self.eps <= double:
            return None
        xs = widen(self.xs)
        try:
            ys = self.level.fun(*xs)
        except (TypeError, ValueError):  # it accepts nothing but its own dtype
            return None
        ws = like(self.ws, ys)
        change = abs(inner(ys, ws) - inner(self.ys, self.ws))
        if epsilon(ys) > double or change > 1e-2 * size_of(ys, ws):
            return None
        return dataclasses.replace(self, xs=xs, ys=ys, us=like(self.us, xs), ws=ws)


def finite(x: float) -> float:
    """Return the magnitude of x, 0 if it has none."""
    return abs(x) if math.isfinite(x) else 0.0
