"""The exponential distribution: density exp(-x) for x >= 0."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import exp, expm1, log1p
from .common import log, placed, probability, standard, where_inside, within


def _inside(x: Any, loc: Any, scale: Any) -> tuple[Any, Any, Any]:
    z, log_scale = standard(x, loc, scale)
    return (*within(z, 0, float("inf"), 0.0), log_scale)


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    inside, z, log_scale = _inside(x, loc, scale)
    return where_inside(inside, -z - log_scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    return exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x)."""
    inside, z, _ = _inside(x, loc, scale)
    return where_inside(inside, -expm1(-z), 0.0)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x)."""
    return log(cdf(x, loc, scale))


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x)."""
    return exp(logsf(x, loc, scale))


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x)."""
    inside, z, _ = _inside(x, loc, scale)
    return where_inside(inside, -z, 0.0)


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(-log1p(-probability(q)), loc, scale)


def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed(-log(probability(q)), loc, scale)
