"""The gamma distribution of shape `a`: density x^(a-1) exp(-x) / gamma(a), x >= 0."""

from __future__ import annotations

from typing import Any

from ...ops.special import names as special
from ...ops.special.incomplete import gamma_density
from .common import (
    gammaln,
    like,
    log,
    placed,
    probability,
    standard,
    where_inside,
    within,
)


def logpdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    z, log_scale = standard(x, loc, scale)
    inside, z = within(z, 0, float("inf"), 1.0)
    value = special.xlogy(like(a - 1, z), z) - z - gammaln(a) - log_scale
    return where_inside(inside, value)


def pdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    inside, z = within(standard(x, loc, scale)[0], 0, float("inf"), 1.0)
    return where_inside(inside, gamma_density(like(a, z), z) / scale, 0.0)


def cdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x)."""
    inside, z = within(standard(x, loc, scale)[0], 0, float("inf"), 1.0)
    return where_inside(inside, special.gammainc(like(a, z), z), 0.0)


def logcdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x)."""
    return log(cdf(x, a, loc, scale))


def sf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x)."""
    inside, z = within(standard(x, loc, scale)[0], 0, float("inf"), 1.0)
    return where_inside(inside, special.gammaincc(like(a, z), z), 1.0)


def logsf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x)."""
    return log(sf(x, a, loc, scale))


def ppf(q: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(special.gammaincinv(a, probability(q)), loc, scale)


def isf(q: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed(special.gammainccinv(a, probability(q)), loc, scale)
