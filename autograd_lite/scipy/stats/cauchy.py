"""The Cauchy distribution: density 1 / (pi (1 + x^2))."""

from __future__ import annotations

import math
from typing import Any

from ...ops.elementwise import arctan2, cos, exp, log, log1p, sin
from .common import placed, probability, standard


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    z, log_scale = standard(x, loc, scale)
    return -log1p(z * z) - math.log(math.pi) - log_scale


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    return exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x), precise in the lower tail."""
    return arctan2(1, -standard(x, loc, scale)[0]) / math.pi


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x)."""
    return log(cdf(x, loc, scale))


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x), precise in the upper tail."""
    return arctan2(1, standard(x, loc, scale)[0]) / math.pi


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x)."""
    return log(sf(x, loc, scale))


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(_quantile(probability(q)), loc, scale)


def _quantile(q: Any) -> Any:
    """Return -1 / tan(pi q), which is precise in the lower tail."""
    return -cos(math.pi * q) / sin(math.pi * q)


def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed(-_quantile(probability(q)), loc, scale)
