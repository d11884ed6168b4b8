"""The Poisson distribution with mean `mu`; no gradient in the count k."""

from __future__ import annotations

from typing import Any

from ...numpy.dispatch import operand
from ...ops.elementwise import exp, floor
from ...ops.special import names as special
from .common import gammaln, log, where_inside, whole, within


def logpmf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """Return log P(X = k)."""
    fits, k = whole(operand(k) - loc, 0)
    return where_inside(fits, special.xlogy(k, mu) - gammaln(k + 1) - mu)


def pmf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """Return P(X = k)."""
    return exp(logpmf(k, mu, loc))


def cdf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """Return P(X <= k)."""
    inside, k = within(floor(operand(k) - loc), 0, float("inf"), 0.0)
    return where_inside(inside, special.pdtr(k, mu), 0.0)


def logcdf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """Return log P(X <= k)."""
    return log(cdf(k, mu, loc))


def sf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """Return P(X > k)."""
    inside, k = within(floor(operand(k) - loc), 0, float("inf"), 0.0)
    return where_inside(inside, special.pdtrc(k, mu), 1.0)
