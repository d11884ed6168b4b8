"""The binomial distribution: successes among n trials of probability p."""

from __future__ import annotations

from typing import Any

from ...numpy.dispatch import operand
from ...ops.elementwise import exp
from ...ops.special import names as special
from .common import gammaln, where_inside, whole


def logpmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Any:
    """Return log P(X = k)."""
    fits, k = whole(operand(k) - loc, 0, n)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    weight = special.xlogy(k, p) + special.xlog1py(n - k, -p)
    return where_inside(fits, ways + weight)


def pmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Any:
    """Return P(X = k)."""
    return exp(logpmf(k, n, p, loc))
