"""The logistic distribution: distribution function 1 / (1 + exp(-x))."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import exp
from ...ops.special import names as special
from .common import placed, probability, standard


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    z, log_scale = standard(x, loc, scale)
    return special.log_expit(z) + special.log_expit(-z) - log_scale


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    return exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x)."""
    return special.expit(standard(x, loc, scale)[0])


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x), precise in both tails."""
    return special.log_expit(standard(x, loc, scale)[0])


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x)."""
    return special.expit(-standard(x, loc, scale)[0])


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x), precise in both tails."""
    return special.log_expit(-standard(x, loc, scale)[0])


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(special.logit(probability(q)), loc, scale)


def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed(-special.logit(probability(q)), loc, scale)
