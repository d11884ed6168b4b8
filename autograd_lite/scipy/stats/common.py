"""What the distributions share: standardised variables, supports, weak constants."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from ...numpy.dispatch import operand
from ...ops import elementwise as ew
from ...ops.special import names as special

LOG_TWO_PI = math.log(2 * math.pi)


def weak(fun: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fun` with a Python number as its result, if all its arguments are.

    NumPy would promote float32 arrays to meet a np.float64, but not to meet a number.
    """

    @functools.wraps(fun)
    def function(*args: Any) -> Any:
        ans = fun(*args)
        constant = all(isinstance(a, (int, float)) for a in args)
        return float(ans) if constant else ans

    return function


log = weak(ew.log)
gammaln = weak(special.gammaln)
betaln = weak(special.betaln)


def like(a: Any, z: Any) -> Any:
    """Return a Python number in the dtype of z; anything else unchanged.

    Some functions of SciPy would compute in double precision for it.
    """
    return z.dtype.type(a) if isinstance(a, (int, float)) else a


def standard(x: Any, loc: Any, scale: Any) -> tuple[Any, Any]:
    """Return (x - loc) / scale and log(scale); both are NaN unless scale > 0."""
    scale = _positive(scale)
    return (operand(x) - loc) / scale, log(scale)


def placed(z: Any, loc: Any, scale: Any) -> Any:
    """Return z * scale + loc, NaN unless scale > 0: undo `standard`."""
    return z * _positive(scale) + loc


def _positive(scale: Any) -> Any:
    if isinstance(scale, (int, float)):
        return scale if scale > 0 else math.nan
    return ew.where(operand(scale) > 0, scale, math.nan)


def within(z: Any, low: Any, high: Any, harmless: float) -> tuple[Any, Any]:
    """Return whether z lies in [low, high] (or is NaN), and z with a number elsewhere.

    The number keeps what isn't used from spoiling the gradient.
    """
    inside = ~((z < low) | (z > high))
    return inside, ew.where(inside, z, harmless)


def where_inside(inside: Any, value: Any, outside: float = -math.inf) -> Any:
    """Return the value inside of the support, and a constant outside."""
    return ew.where(inside, value, outside)


def whole(k: Any, low: Any, high: Any = math.inf) -> tuple[Any, Any]:
    """Return whether k is an integer in [low, high], and k with `low` elsewhere."""
    fits = ~((k < low) | (k > high) | (ew.floor(k) != k))
    return fits, ew.where(fits, k, low)


def probability(q: Any) -> Any:
    """Return q as an array, NaN where it is not in [0, 1]."""
    q = operand(q)
    return ew.where((q >= 0) & (q <= 1), q, math.nan)
