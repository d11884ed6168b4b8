"""Special functions, computed by SciPy, which is loaded by the first that is used."""

from __future__ import annotations

import math
from functools import cache
from types import ModuleType
from typing import Any

from ..core import defjvp, defvjp, elementwise
from .elementwise import exp


@cache
def _scipy() -> ModuleType:
    import scipy.special

    return scipy.special


@elementwise
def erf(x: Any) -> Any:
    """Return 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    return _scipy().erf(x)


def _erf_slope(x: Any) -> Any:
    return (2 / math.sqrt(math.pi)) * exp(-(x * x))


defvjp(erf, lambda ans, x: lambda g: g * _erf_slope(x))
defjvp(erf, lambda x_dot, ans, x: x_dot * _erf_slope(x))
