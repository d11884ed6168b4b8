"""The Laplace distribution: density exp(-|x|) / 2."""

from __future__ import annotations

import math
from typing import Any

from ...ops.elementwise import absolute, exp, log, log1p, where
from .common import placed, probability, standard

LOG2 = math.log(2)


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    z, log_scale = standard(x, loc, scale)
    return -absolute(z) - LOG2 - log_scale


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    return exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x)."""
    return _below(standard(x, loc, scale)[0])


def _below(z: Any) -> Any:
    half = exp(-absolute(z)) / 2
    return where(z > 0, 1 - half, half)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x), precise in both tails."""
    return _log_below(standard(x, loc, scale)[0])


def _log_below(z: Any) -> Any:
    size = absolute(z)
    return where(z > 0, log1p(-exp(-size) / 2), -size - LOG2)


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x)."""
    return _below(-standard(x, loc, scale)[0])


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x), precise in both tails."""
    return _log_below(-standard(x, loc, scale)[0])


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(_quantile(probability(q)), loc, scale)


def _quantile(q: Any) -> Any:
    return where(q > 0.5, -log(2 * (1 - q)), log(2 * q))


def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed(-_quantile(probability(q)), loc, scale)
