"""One comparison: a function, a mode, directions, and both derivatives."""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..forward import jvp_flat
from ..reverse import new_tape, separate, slot_of
from .frameworks import Foreign
from .numerical import Estimate, central, fitted, one_sided
from .spaces import (
    EPS,
    Arrays,
    FlatFunction,
    as_double,
    epsilon,
    epsilon_of,
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
WIDE: Final = 1e-2  # one on which most of them are nearly so
STAIRS: Final = 2  # steps of six that the values change in on stairs; at kinks in more
ROUNDING: Final = 100.0  # machine epsilons of the result that a derivative may be off


QUICK: Final = 4.0  # the step of a first look, in cube roots of the machine epsilon
IMAGINARY: Final = 1e-30  # a step that is never subtracted from anything
BLUNT: Final = 1e-2  # in double precision
VAGUE: Final = 5e-2  # of noisy values, which are fitted
COARSE: Final = 0.3  # an error bar that still tells a derivative from zero

Rule = Callable[..., tuple[Any, ...]]
Ends = tuple[Sequence[Any], Sequence[Any]]


def pulled_back(
    fun: FlatFunction, xs: Sequence[Any], gs: Sequence[Any]
) -> tuple[Any, ...]:
    """Return the cotangents of `xs` for those of `fun(*xs)`; `vjp` of flat lists."""
    tape = new_tape()
    try:
        outs = fun(*[tape.input(x) for x in xs])
        tape.open = False
        slots = [slot_of(tape, y) for y in outs]
        seeds = [(s, g) for s, g in zip(slots, gs, strict=True) if s is not None]
        return tuple(separate(tape.backward(seeds, range(len(xs))), gs))
    finally:
        tape.open = False
        tape.release()


@dataclasses.dataclass(frozen=True)
class Level:
    """A function under check, the user's or a derivative of it, and the settings.

    `rules` are its derivatives as functions of its arguments and a direction, where
    they don't come from tracing it.
    """

    fun: FlatFunction
    xs: Arrays
    ys: Sequence[Any]
    names: list[str]  # of the arguments
    title: str
    rng: np.random.Generator
    rtol: float | None = None
    atol: float = 0.0
    trail: tuple[str, ...] = ()  # the modes that made this function out of the user's
    rules: Mapping[str, Rule] | None = None
    base: float = 0.0  # the size of the user's results, where this is a derivative

    def derived(self, mode: str) -> Rule:
        """Return the pullback or pushforward, taking the arguments as well."""
        if self.rules is not None:
            return self.rules[mode]
        fun, n = self.fun, len(self.xs)
        if isinstance(fun, Foreign):
            return fun.derived(mode, n)
        if mode == "rev":
            return lambda *both: pulled_back(fun, both[:n], both[n:])
        return lambda *both: tuple(jvp_flat(fun, both[:n], both[n:])[1])

    def grain(self, xs: Arrays) -> float:
        """Return the machine epsilon of the coarsest numbers on the way to the results.

        It is that of what a tape records; 0 of a function that isn't traced.
        """
        if self.rules is not None or isinstance(self.fun, Foreign):
            return 0.0
        tape = new_tape()
        try:
            self.fun(*[tape.input(x) for x in xs])
            return epsilon_of([dtype for _, dtype in tape.avals if dtype.kind in "fc"])
        finally:
            tape.open = False
            tape.release()

    def tolerance(self, eps: float) -> float:
        """Return the relative tolerance for arithmetic of this machine epsilon."""
        if self.rtol is not None:
            return self.rtol
        return next(rtol for limit, rtol in RTOL if eps <= limit)

    def where(self, mode: str) -> str:
        """Say what is being checked: mode and order."""
        kind = {"rev": "reverse mode", "fwd": "forward mode"}[mode]
        order = len(self.trail) + 1
        path = f" ({' of '.join([mode, *reversed(self.trail)])})" if self.trail else ""
        return f"{kind}, order {order}{path}"


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
    grain: float = 0.0  # found there too: the machine epsilon of what is inside
    blurred: float = 0.0  # the share of the results that low precision changed

    def derivative(self, us: Arrays) -> Sequence[Any]:
        """Return the pullback of `ws`, or the tangents that `us` causes."""
        given = self.ws if self.mode == "rev" else us
        return self.level.derived(self.mode)(*self.xs, *given)

    def analytic(self, us: Arrays) -> float:
        """Return the derivative along `us` by the mode under check."""
        return inner(self.derivative(us), us if self.mode == "rev" else self.ws)

    def numerical(self, us: Arrays, expected: float, enough: float = 0.0) -> Estimate:
        """Return the derivative along `us` by finite differences.

        About as large as `expected`; good enough when the error bar is below `enough`.
        """
        noise = self.rounding + self.eps * finite(expected)
        return central(lambda t: self.value(us, t), noise, self.eps, enough)

    def ends(self, h: float = 0.0) -> Ends:
        """Return the results at both ends of a step, by default a first look's."""
        h = h or QUICK * self.eps ** (1 / 3)
        fun = self.level.fun
        with np.errstate(all="ignore"):
            return fun(*move(self.xs, self.us, h)), fun(*move(self.xs, self.us, -h))

    def glance(
        self, ends: Ends | None = None, h: float = 0.0
    ) -> tuple[Estimate, float]:
        """Return one central difference, and half the gap of the one-sided slopes.

        Two values of the function only: enough to see that a derivative is right, as
        no wrong one comes so close by chance, but not to condemn it.
        """
        h = h or QUICK * self.eps ** (1 / 3)
        with np.errstate(all="ignore"):
            right, left = [inner(ys, self.ws) for ys in ends or self.ends(h)]
        bend = abs(right - 2 * inner(self.ys, self.ws) + left) / (2 * h)
        error = self.rounding / h + h * bend
        return Estimate((right - left) / (2 * h), error, h), bend

    @property
    def given(self) -> Arrays:
        """The direction that the derivative is taken along."""
        return self.ws if self.mode == "rev" else self.us

    @property
    def free(self) -> Arrays:
        """The direction that the derivative is multiplied with in the end."""
        return self.us if self.mode == "rev" else self.ws

    def scale(self, a: float, b: float) -> float:
        """Return the magnitude that two values of the derivative are judged by."""
        return max(finite(a), finite(b))

    @property
    def blunt(self) -> float:
        """The share of a derivative above which an error bar checks nothing."""
        least = VAGUE if self.noise > self.precision * self.size else BLUNT
        return min(max(least, 4 * self.eps ** (1 / 3)), 0.2)

    def negligible(self, a: float) -> bool:
        """Return whether a derivative is no more than rounding makes of a zero."""
        size = max(self.size, self.level.base)
        return abs(a) <= ROUNDING * self.precision * size + self.level.atol

    def confirmed(self, analytic: float, estimate: Estimate) -> bool:
        """Return whether the complex step agrees with a derivative.

        Im f(x + i h u) / h is exact for a tiny h where f is analytic and takes complex
        arrays (W. Squire and G. Trapp, 1998, "Using complex variables to estimate
        derivatives of real functions"). A function that takes magnitudes or real parts
        inside gives something else without a complaint: so the two must be near the
        finite difference as well, and the complex step never condemns.
        """
        if not estimate.error <= COARSE * abs(analytic):
            return False
        if any(x.dtype.kind == "c" for x in self.xs):
            return False
        xs = [x + 1j * IMAGINARY * u for x, u in zip(self.xs, self.us, strict=True)]
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # a cast to real is seen in the result
                ys = self.level.fun(*xs)
                slope = inner([np.imag(y) for y in ys], self.ws) / IMAGINARY
        except (TypeError, ValueError, RuntimeError):  # it takes no complex numbers
            return False
        return abs(slope - analytic) <= self.tolerance(slope, analytic)

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

    def on_a_stair(self, estimate: Estimate) -> bool:
        """Return whether values are equal for want of digits in what is inside.

        Then they differ a little further away, on both sides. At kinks on one alone.
        """
        if estimate.value != 0.0 or self.grain or self.noise:
            return False
        if self.level.grain(self.xs) > self.eps:
            return True
        return estimate.step < CLOSE and _changes(self._row(CLOSE)) > 3

    def _row(self, step: float) -> Any:
        """Return seven values around this point."""
        return np.array([self.value(self.us, k * step) for k in range(-3, 4)])

    def fitted(self) -> Estimate:
        """Return the derivative by fits to many values: for noisy functions."""
        half_a_digit = self.eps * self.size / 2  # what stairs hide
        return fitted(lambda t: self.value(self.us, t), half_a_digit, self.eps)

    def unmeasured(self) -> Probe:
        """Return the probe without its noise, as a kink looks like noise."""
        return dataclasses.replace(self, noise=0.0, grain=0.0)

    def measured(self) -> Probe:
        """Return the probe with its noise measured: rounding may be worse than known.

        High differences of a smooth function at close points are next to zero, so that
        what remains is noise (R. Hamming, "Introduction to applied numerical analysis",
        1971). Functions that compute in float32 inside are found out in this way. In
        float16 they are stairs, and the points must be further apart than a step.
        """
        close, values = CLOSE, self._row(CLOSE)
        while _changes(values) <= STAIRS and close < WIDE:
            close *= 8
            values = self._row(close)
        rest = np.abs(np.diff(values, 4)).max() / math.sqrt(70)
        grain = self.level.grain(self.xs)
        return dataclasses.replace(self, noise=finite(2 * float(rest)), grain=grain)

    @functools.cached_property
    def eps(self) -> float:
        """The machine epsilon of the arithmetic, as far as values are concerned."""
        return min(max(self.precision, self.noise / (self.size or 1.0)), 0.1)

    @functools.cached_property
    def precision(self) -> float:
        """The same of derivatives, which don't see the noise in values."""
        return max(epsilon([*self.xs, *self.ys]), self.grain)

    @functools.cached_property
    def size(self) -> float:
        """The magnitude of the weighted results."""
        return size_of(self.ws, self.ys)

    @property
    def rounding(self) -> float:
        """The rounding error to be expected in the weighted results."""
        return max(4 * self.eps * self.size, self.noise, self.eps * self.level.base)

    def tolerance(self, a: float, b: float) -> float:
        """Return how far apart two values of the derivative may be."""
        scale = max(finite(a), finite(b))
        floor = ROUNDING * self.precision * self.size + self.level.atol
        return self.level.tolerance(self.eps) * scale + floor

    def unsteadiness(self) -> float:
        """Return how far the derivative moves when its arguments are rounded anew.

        That is the effect of rounding in the arguments and inside of the rules, while
        a wrong rule stays wrong by the same amount.
        """
        found = [self.analytic(self.us), *[self._shaken(2.0) for _ in range(4)]]
        return max(finite(moved - found[0]) for moved in found)

    def unsteadiness_nearby(self) -> float:
        """Return the same of points nearby alone, as a rule may be wrong right here.

        It may be so at ties, and some of the points may have them again: hence medians.
        """
        found = [self._shaken(4.0) for _ in range(7)]
        middle = statistics.median(found)
        return 3 * statistics.median(finite(moved - middle) for moved in found)

    def _shaken(self, far: float) -> float:
        """Return the derivative at arguments that differ by rounding errors."""
        errors = random_like(self.level.rng, self.xs)
        xs = [
            np.asarray(x + far * self.eps * abs(x) * e, x.dtype)
            for x, e in zip(self.xs, errors, strict=True)
        ]
        return dataclasses.replace(self, xs=xs).analytic(self.us)

    def widened(self) -> Probe | None:
        """Return the probe in double precision; None if it is so, or can't be."""
        if self.eps <= EPS:
            return None
        xs = widen(self.xs)
        try:
            ys = self.level.fun(*xs)
        except (
            TypeError,
            ValueError,
            RuntimeError,
        ):  # it accepts nothing but its own dtype
            return None
        ws = like(self.ws, ys)
        if epsilon(ys) > EPS:
            return None
        us, blurred = like(self.us, xs), apart(self.ys, ys)
        return dataclasses.replace(self, xs=xs, ys=ys, us=us, ws=ws, blurred=blurred)

    def overflows(self) -> bool:
        """Return whether something is out of range where the derivative is computed."""
        seen: list[str] = []
        with np.errstate(all="call", call=lambda kind, flag: seen.append(kind)):
            self.level.derived(self.mode)(*self.xs, *self.given)
        return any(kind in ("overflow", "underflow") for kind in seen)


def _changes(values: Any) -> int:
    """Return how many values differ from the one before."""
    return int(np.count_nonzero(np.diff(values)))


def apart(ys: Sequence[Any], others: Sequence[Any]) -> float:
    """Return the mean of the relative differences of all elements, each 1 at most."""
    total, count = 0.0, 0
    for y, other in zip(ys, others, strict=True):
        y, other = as_double(y), as_double(other)
        usable = np.isfinite(y) & np.isfinite(other) & (other != 0)
        share = np.abs(y - other)[usable] / np.abs(other)[usable]
        total += float(np.minimum(share, 1.0).sum())
        count += share.size
    return total / max(count, 1)


def finite(x: float) -> float:
    """Return the magnitude of x, 0 if it has none."""
    return abs(x) if math.isfinite(x) else 0.0
