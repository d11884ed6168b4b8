"""The uniform distribution on [loc, loc + scale]."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import clip, exp
from .common import log, placed, probability, standard, where_inside, within


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    z, log_scale = standard(x, loc, scale)
    inside, z = within(z, 0, 1, 0.5)
    return where_inside(inside, 0 * z - log_scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    return exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x)."""
    return clip(standard(x, loc, scale)[0], 0.0, 1.0)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x)."""
    return log(cdf(x, loc, scale))


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x)."""
    return 1 - cdf(x, loc, scale)


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x)."""
    return log(sf(x, loc, scale))


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(probability(q), loc, scale)


def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed((1 - probability(q)), loc, scale)
