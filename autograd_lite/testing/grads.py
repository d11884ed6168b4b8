"""`check_grads`: derivatives against finite differences, in random directions.

For random directions u of the arguments and weights w of the results, reverse mode
gives <pullback(w), u> and forward mode <w, jvp(u)>; both must be the derivative at
t = 0 of <w, f(x + t u)>, found numerically with an error bar. Higher orders check the
pullback and the pushforward as functions in their turn.

Functions of float32 or float16 arrays are checked in float64, where finite differences
are sharp, and then their own derivatives must agree with those in float64. A function
that insists on its dtype is checked in that, within wider error bars.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from ..api import jvp, vjp
from ..errors import ArgumentError, GradientCheckError
from .probe import Level, Probe
from .spaces import (
    Arrays,
    FlatFunction,
    as_double,
    epsilon,
    flat_function,
    inner,
    levelled,
    magnitudes,
    move,
    random_like,
    size_of,
)
from .verdict import judge, ratio

MODES: Final = ("rev", "fwd")
STEADY: Final = 5.0  # how many times the effect of rounding is excused
TINY: Final = 1e-6  # a step that should not leave the domain


def check_grads(
    fun: Callable[..., Any],
    args: Any,
    order: int = 2,
    modes: Sequence[str] = MODES,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int | np.random.Generator = 0,
) -> None:
    """Check the derivatives of a function against finite differences.

    Args:
        fun: takes and returns trees of arrays; pure and deterministic.
        args: the tuple of its arguments. Integers, booleans, strings are constants.
        order: the highest derivative to check.
        modes: "rev" (`vjp`), "fwd" (`jvp`) or both; at order 2 all combinations.
        rtol: relative tolerance of a directional derivative; by dtype when None: 1e-6
            (float64), 2e-4 (float32), 2e-2 (float16). It doesn't grow with the arrays.
        atol: absolute tolerance of a directional derivative, beside the rounding error
            that is known from the size of the results.
        seed: of the random directions, or a Generator for them.

    Raises `GradientCheckError`, an `AssertionError` too, that names the mode, the
    order, the argument and its worst element. Warns with `GradientCheckWarning` where
    the function has a kink, or more noise than slope, so that nothing can be said.

    >>> import numpy as np
    >>> import autograd_lite.numpy as anp
    >>> check_grads(anp.tanh, (np.array([0.1, 0.2], np.float32),))
    """
    if not isinstance(order, int):
        raise ArgumentError(
            f"order is a {type(order).__name__}; pass the function's arguments as one "
            "tuple: check_grads(fun, (x, y))"
        )
    unknown = set(modes) - set(MODES)
    if unknown or not modes:
        raise ArgumentError(f"modes={modes!r}: expected some of {MODES}")
    if order < 1:
        raise ArgumentError(f"order={order}: expected 1 or more")
    flat, xs, names = flat_function(fun, args if isinstance(args, tuple) else (args,))
    rng = np.random.default_rng(seed)
    title = getattr(fun, "__name__", type(fun).__name__)
    _check_values(flat, xs, rng, title)
    level = Level(flat, xs, names, (), title, rtol, atol, rng)
    _check_level(level, order, tuple(modes))


def _check_values(
    fun: FlatFunction, xs: Arrays, rng: np.random.Generator, title: str
) -> None:
    """Raise unless the function is repeatable and finite."""
    ys, again = fun(*xs), fun(*xs)
    if not ys:
        raise ArgumentError(f"{title} returns no array of floats to differentiate")
    ws = random_like(rng, ys)
    a, b = inner(ws, ys), inner(ws, again)
    if not math.isfinite(a):
        raise ArgumentError(f"{title} is not finite at these arguments")
    if abs(a - b) > 1e4 * epsilon(ys) * size_of(ws, ys):
        raise GradientCheckError(
            f"{title} returns something else each time it is called. Seed its random "
            "numbers inside, and keep no state."
        )


def _check_level(level: Level, order: int, modes: tuple[str, ...]) -> None:
    """Check first derivatives of this function, then their derivatives."""
    for mode in modes:
        given, derived = _check_mode(level, mode)
        if order > 1:
            kind = "cotangent" if mode == "rev" else "tangent"
            above = dataclasses.replace(
                level,
                fun=derived,
                xs=[*level.xs, *given],
                names=[*level.names, *[f"{kind} {i}" for i in range(len(given))]],
                trail=(*level.trail, mode),
            )
            _check_level(above, order - 1, modes)


def _check_mode(level: Level, mode: str) -> tuple[Arrays, FlatFunction]:
    """Check one mode; return its directions, and it as a function of these too."""
    ys = level.fun(*level.xs)
    ws = random_like(level.rng, ys)
    us = _directions(level)
    given, free = (ws, us) if mode == "rev" else (us, ws)
    derived = _derived(level.fun, mode, len(us))
    result = _evaluate(level, mode, derived, given)
    _check_linear(level, mode, derived, given, result)
    for frees in (free, levelled(free, result)):
        pair = (frees, given) if mode == "rev" else (given, frees)
        probe = Probe(level, mode, level.xs, ys, *pair)
        _compare(probe, inner(result, frees), size_of(result, frees))
    return given, derived


def _directions(level: Level) -> Arrays:
    """Return random directions of the arguments that stay in the domain, if some do."""
    draws = random_like(level.rng, level.xs)
    for careful in (False, True):
        sizes = magnitudes(level.xs, careful)
        us = [np.asarray(u * size, u.dtype) for u, size in zip(draws, sizes)]
        with np.errstate(all="ignore"):
            ends = [level.fun(*move(level.xs, us, step)) for step in (TINY, -TINY)]
        if all(np.isfinite(y).all() for end in ends for y in end):
            break
    return us


def _derived(fun: FlatFunction, mode: str, n: int) -> FlatFunction:
    """Return the pullback or pushforward of `fun`, taking its n arguments as well."""
    if mode == "rev":
        return lambda *both: vjp(fun, *both[:n])[1](both[n:])
    return lambda *both: jvp(fun, both[:n], both[n:])[1]


def _evaluate(
    level: Level, mode: str, derived: FlatFunction, given: Arrays
) -> Sequence[Any]:
    """Return the derivative, having seen that it leaves its arguments alone."""
    arrays = [*level.xs, *given]
    before = [x.copy() for x in arrays]
    result = derived(*arrays)
    names = [*level.names, *["(the direction)"] * len(given)]
    for name, x, old in zip(names, arrays, before, strict=True):
        if not np.array_equal(x, old, equal_nan=True):
            raise GradientCheckError(
                f"{level.where(mode)}: argument {name} was written to. Functions and "
                "rules must leave their arguments unchanged."
            )
    return result


def _check_linear(
    level: Level, mode: str, derived: FlatFunction, given: Arrays, once: Sequence[Any]
) -> None:
    """Raise unless the derivative is repeatable, and linear in the direction."""
    rtol = level.tolerance(epsilon([*given, *once]))
    for factor, complaint in (
        (1, "two evaluations differ; is there a random number or a state in a rule?"),
        (
            -1024,
            "-1024 times the direction gives something else than -1024 times the "
            "derivative: a rule is not linear in g",
        ),
    ):
        with np.errstate(all="ignore"):  # what overflows is left out
            scaled = [np.asarray(factor * g, g.dtype) for g in given]
            again = derived(*level.xs, *scaled)
        if any(_far(a, b / factor, rtol) for a, b in zip(once, again, strict=True)):
            raise GradientCheckError(f"{level.where(mode)}: {complaint}")


def _far(a: Any, b: Any, rtol: float) -> bool:
    """Return whether two arrays differ where both are finite."""
    usable = np.isfinite(a) & np.isfinite(b)
    a, b = as_double(a)[usable], as_double(b)[usable]
    return bool(np.linalg.norm(a - b) > rtol * np.linalg.norm(a))


def _compare(probe: Probe, given: float, spread: float) -> None:
    """Compare a derivative with finite differences, in double precision if possible.

    `spread` is the magnitude of the terms that were summed up to `given`.
    """
    wide = probe.widened()
    if wide is None:
        judge(probe, given)
        return
    sharp = wide.analytic(wide.us)
    judge(wide, sharp)
    if not _same(probe, wide, given, sharp, probe.tolerance(spread, sharp)):
        dtypes = ", ".join(sorted({str(x.dtype) for x in probe.xs}))
        raise GradientCheckError(
            f"{probe.level.where(probe.mode)}: the derivative in {dtypes} is "
            f"{given:.6g}, that of the same function in double precision {sharp:.6g} "
            f"(ratio {ratio(given, sharp)})"
        )


def _same(
    probe: Probe, wide: Probe, given: float, sharp: float, tolerance: float
) -> bool:
    """Return whether the derivative in low precision is that in double precision."""
    if abs(given - sharp) <= tolerance:
        return True
    if not math.isfinite(given):  # excused where the true values overflow
        limit = min([float(np.finfo(x.dtype).max) for x in probe.xs])
        arrays = wide.derivative(wide.us)
        return max([float(np.abs(y).max(initial=0.0)) for y in arrays]) > limit
    slack = STEADY * probe.unsteadiness()
    return abs(given - sharp) <= tolerance + slack
