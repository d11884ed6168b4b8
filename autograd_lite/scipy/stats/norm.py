"""The normal distribution with mean `loc` and standard deviation `scale`."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import exp
from ...ops.special import names as special
from .common import LOG_TWO_PI, log, placed, probability, standard


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    z, log_scale = standard(x, loc, scale)
    return -(z * z) / 2 - LOG_TWO_PI / 2 - log_scale


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    return exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x)."""
    return special.ndtr(standard(x, loc, scale)[0])


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x), precise in both tails."""
    return special.log_ndtr(standard(x, loc, scale)[0])


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x)."""
    return special.ndtr(-standard(x, loc, scale)[0])


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x), precise in both tails."""
    return special.log_ndtr(-standard(x, loc, scale)[0])


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(special.ndtri(probability(q)), loc, scale)


def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed(-special.ndtri(probability(q)), loc, scale)


def entropy(loc: Any = 0, scale: Any = 1) -> Any:
    """Return the differential entropy."""
    return (LOG_TWO_PI + 1) / 2 + log(scale) + 0 * loc
