"""Do two functions have the same gradients: ours, another framework's, a kernel's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .grads import first_level, title_of
from .patterns import common_pattern
from .probe import ROUNDING, Level
from .report import OK, WRONG, Element, Finding, Report
from .spaces import as_double, epsilon, flat_function, like, random_like

SHOWN = 3


def assert_grads_close(
    f: Callable[..., Any],
    g: Callable[..., Any],
    args: Any,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int | np.random.Generator = 0,
    report: bool = False,
) -> Report | None:
    """Check that two functions have the same values and the same gradients.

    Args:
        f: the function on trial, differentiated by reverse mode.
        g: its specification; either may be a PyTorch or JAX function that `of_torch`
            or `of_jax` was given.
        args: the tuple of their arguments.
        rtol: relative to each element, by dtype when None as in `check_grads`; beside
            it the rounding error of the largest element is excused.
        atol, seed, report: as in `check_grads`.

    Raises `GradientCheckError` that names the elements which differ most.

    >>> import numpy as np
    >>> assert_grads_close(lambda x: x * x, lambda x: x**2, (np.ones(3),))
    """
    start = time.perf_counter()
    args = args if isinstance(args, tuple) else (args,)
    rng = np.random.default_rng(seed)
    one, other = (_level(fun, args, rng, rtol, atol) for fun in (f, g))
    names = [f"value {i}" for i in range(len(one.ys))]
    if len(one.ys) != len(other.ys):
        raise ArgumentError(
            f"{one.title} returns {len(one.ys)} arrays, {other.title} {len(other.ys)}"
        )
    findings = _compared(one, names, one.ys, other.ys, one.ys)
    if not findings:
        ws = random_like(rng, one.ys)
        a = one.derived("rev")(*one.xs, *ws)
        b = other.derived("rev")(*other.xs, *like(ws, other.ys))
        findings = _compared(one, one.names, a, b, one.xs)
    found = Report(
        f"{one.title} and {other.title}",
        findings or [Finding(OK, "values and gradients")],
        seed=seed if isinstance(seed, int) else None,
        seconds=time.perf_counter() - start,
    )
    if report:
        return found
    found.settle()
    return None


def _level(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    rng: np.random.Generator,
    rtol: float | None,
    atol: float,
) -> Level:
    flat, xs, names = flat_function(fun, args)
    return first_level(flat, xs, names, title_of(fun), rng, rtol, atol)


def _compared(
    level: Level,
    names: list[str],
    a: Sequence[Any],
    b: Sequence[Any],
    xs: Sequence[Any],
) -> list[Finding]:
    """Return a finding for each pair of arrays that differ."""
    found = []
    for name, one, other, x in zip(names, a, b, xs, strict=True):
        where = name if name.startswith("value") else f"gradient of argument {name!r}"
        if one.shape != other.shape:
            text = f"shapes {one.shape} and {other.shape}"
            found.append(Finding(WRONG, where, "rev", text=text))
            continue
        eps = epsilon([one, other])
        p, q = as_double(one), as_double(other)
        floor = ROUNDING * eps * float(np.abs(q).max(initial=0.0)) + level.atol
        allowed = level.tolerance(eps) * np.maximum(abs(p), abs(q)) + floor
        same = (abs(p - q) <= allowed) | (p == q) | (np.isnan(p) & np.isnan(q))
        if not same.all():
            found.append(_difference(where, name, x, p, q, floor))
    return found


def _difference(where: str, name: str, x: Any, p: Any, q: Any, floor: float) -> Finding:
    table = []
    for index in np.ndindex(p.shape):
        about = (name, index, p.shape, str(x.dtype), complex(x[index]))
        table.append(Element(*about, p[index].real, q[index].real, floor / 5))
    worst = sorted(table, key=lambda e: -abs(e.analytic - e.numerical))[:SHOWN]
    first = worst[0]
    return Finding(
        WRONG,
        where,
        "rev",
        analytic=first.analytic,
        numerical=first.numerical,
        error=first.error,
        step=0.0,
        text="they differ (analytic: the first function's, numerical: the second's)",
        worst=tuple(worst),
        pattern=common_pattern(table),
    )
