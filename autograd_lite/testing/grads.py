"""`check_grads`: derivatives of traced functions against finite differences."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, overload

import numpy as np

from ..errors import ArgumentError, GradientCheckError, RuleError
from .engine import examine
from .probe import Level
from .report import WRONG, Finding, Report
from .spaces import (
    Arrays,
    FlatFunction,
    epsilon,
    flat_function,
    inner,
    random_like,
    size_of,
)

MODES: Final = ("rev", "fwd")


@overload
def check_grads(
    fun: Callable[..., Any],
    args: Any,
    order: int = 2,
    modes: Sequence[str] = MODES,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int | np.random.Generator = 0,
    report: Literal[False] = False,
) -> None: ...
@overload
def check_grads(
    fun: Callable[..., Any],
    args: Any,
    order: int = 2,
    modes: Sequence[str] = MODES,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int | np.random.Generator = 0,
    report: Literal[True],
) -> Report: ...
def check_grads(
    fun: Callable[..., Any],
    args: Any,
    order: int = 2,
    modes: Sequence[str] = MODES,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int | np.random.Generator = 0,
    report: bool = False,
) -> Report | None:
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
        report: return a `Report`, whatever it says, instead of the following.

    Raises `GradientCheckError`, an `AssertionError` too, that names the mode, the
    order, the argument, its worst elements and what they have in common. Warns with
    `GradientCheckWarning` where the function has a kink, or more noise than slope, so
    that nothing can be said.

    >>> import numpy as np
    >>> import autograd_lite.numpy as anp
    >>> check_grads(anp.tanh, (np.array([0.1, 0.2], np.float32),))
    """
    if not isinstance(order, int):
        raise ArgumentError(
            f"order is a {type(order).__name__}; pass the function's arguments as one "
            "tuple: check_grads(fun, (x, y))"
        )
    check_settings(order, modes)
    flat, xs, names = flat_function(fun, args if isinstance(args, tuple) else (args,))
    level = first_level(flat, xs, names, title_of(fun), seed, rtol, atol)
    return settled(examined(level, order, modes, seed), report)


def check_settings(order: int, modes: Sequence[str]) -> None:
    """Raise `ArgumentError` unless these are an order and modes that exist."""
    unknown = set(modes) - set(MODES)
    if unknown or not modes:
        raise ArgumentError(f"modes={modes!r}: expected some of {MODES}")
    if order < 1:
        raise ArgumentError(f"order={order}: expected 1 or more")


def title_of(fun: Any) -> str:
    """Return how reports call a function."""
    return getattr(fun, "__name__", type(fun).__name__)


def first_level(
    fun: FlatFunction,
    xs: Arrays,
    names: list[str],
    title: str,
    seed: int | np.random.Generator,
    rtol: float | None = None,
    atol: float = 0.0,
) -> Level:
    """Evaluate a function and return it with the settings of its check."""
    ys = fun(*[x.copy() for x in xs])
    if not ys:
        raise ArgumentError(f"{title} returns no array of floats to differentiate")
    return Level(fun, xs, ys, names, title, np.random.default_rng(seed), rtol, atol)


@np.errstate(all="ignore")
def examined(
    level: Level, order: int, modes: Sequence[str], seed: int | np.random.Generator
) -> Report:
    """Make the comparisons and return what they found."""
    start = time.perf_counter()
    cause = None
    findings = examine_values(level)
    if not findings:
        try:
            findings = examine(level, order, modes)
        except RuleError as error:
            cause = error
            findings = [Finding(WRONG, "the rules", text=str(error))]
        except GradientCheckError as error:  # from rules that were handed in
            findings = [Finding(WRONG, "first order", text=str(error))]
    number = seed if isinstance(seed, int) else None
    seconds = time.perf_counter() - start
    return Report(level.title, findings, seed=number, seconds=seconds, cause=cause)


def settled(found: Report, wanted: bool) -> Report | None:
    """Return the report if it is wanted; else raise or warn if it says so."""
    if wanted:
        return found
    found.settle(stacklevel=3)
    return None


def examine_values(level: Level) -> list[Finding]:
    """Return a finding if the function is not repeatable; raise if it isn't finite."""
    ws = random_like(level.rng, level.ys)
    a = inner(ws, level.ys)
    if not np.isfinite(a):
        raise ArgumentError(f"{level.title} is not finite at these arguments")
    before = [x.tobytes() for x in level.xs]
    b = inner(ws, level.fun(*level.xs))
    for name, x, old in zip(level.names, level.xs, before):
        if x.tobytes() != old:
            text = (
                f"argument {name} was written to. Functions must leave their arguments "
                "unchanged."
            )
            return [Finding(WRONG, "values", text=text)]
    if abs(a - b) <= 1e4 * epsilon(level.ys) * size_of(ws, level.ys):
        return []
    text = (
        f"{level.title} returns something else each time it is called. Seed its "
        "random numbers inside, and keep no state."
    )
    return [Finding(WRONG, "values", text=text)]
