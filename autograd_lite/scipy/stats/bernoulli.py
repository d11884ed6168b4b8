"""The Bernoulli distribution: 1 with probability p, else 0."""

from __future__ import annotations

from typing import Any

from ...numpy.dispatch import operand
from ...ops.elementwise import exp
from ...ops.special.logistic import xlog1py, xlogy
from .common import where_inside, whole


def logpmf(k: Any, p: Any, loc: Any = 0) -> Any:
    """Return log P(X = k)."""
    fits, k = whole(operand(k) - loc, 0, 1)
    return where_inside(fits, xlogy(k, p) + xlog1py(1 - k, -p))


def pmf(k: Any, p: Any, loc: Any = 0) -> Any:
    """Return P(X = k)."""
    return exp(logpmf(k, p, loc))
