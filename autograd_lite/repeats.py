"""Whether a function that runs again gives what it gave before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from .core import concrete
from .errors import ArgumentError

_SAMPLE: Final = 1024  # elements that are compared one by one


class Trace(NamedTuple):
    """What is remembered of an array: shape, some elements, and the sum of squares."""

    shape: tuple[int, ...]
    sample: Any
    squares: Any


def trace_of(y: Any) -> Trace:
    """Return what is compared of a result, without holding it."""
    y = np.asarray(concrete(y))
    flat = y.ravel()
    step = max(1, flat.size // _SAMPLE)
    with np.errstate(all="ignore"):
        return Trace(y.shape, flat[::step].copy(), np.vdot(flat, flat))


def check_repeated(name: str, before: Sequence[Trace], outs: Sequence[Any]) -> None:
    """Raise `ArgumentError` where a second run gives something else than the first."""
    after = [trace_of(y) for y in outs]
    if len(before) == len(after) and all(map(_alike, before, after)):
        return
    raise ArgumentError(
        f"{name}: when it ran again for the walk back, the function gave other "
        "results. It must be pure: random numbers have to come in as arguments, and "
        "arrays that it captures must not be written to in between."
    )


def _alike(before: Trace, after: Trace) -> bool:
    """Return whether two results are the same, but for rounding."""
    if before.shape != after.shape:
        return False
    exact = before.sample.dtype.kind not in "fc"
    rtol = 0.0 if exact else 1e3 * float(np.finfo(before.sample.dtype).eps)
    size = np.abs(before.sample[np.isfinite(before.sample)]).max(initial=0.0)
    return bool(
        np.allclose(before.sample, after.sample, rtol, rtol * size, equal_nan=True)
        and np.allclose(before.squares, after.squares, rtol, 0.0, equal_nan=True)
    )
