"""The log-normal distribution: log(x) is normal with standard deviation `s`."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import exp, log, where
from . import norm
from .common import placed, standard, where_inside


def _log_inside(x: Any, loc: Any, scale: Any) -> tuple[Any, Any, Any]:
    """Return where the support is, log of the standardised x there, and log(scale)."""
    z, log_scale = standard(x, loc, scale)
    inside = ~(z <= 0)
    return inside, log(where(inside, z, 1.0)), log_scale


def logpdf(x: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    inside, y, log_scale = _log_inside(x, loc, scale)
    return where_inside(inside, norm.logpdf(y, 0, s) - y - log_scale)


def pdf(x: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    return exp(logpdf(x, s, loc, scale))


def cdf(x: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x)."""
    inside, y, _ = _log_inside(x, loc, scale)
    return where_inside(inside, norm.cdf(y, 0, s), 0.0)


def logcdf(x: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x), precise in both tails."""
    inside, y, _ = _log_inside(x, loc, scale)
    return where_inside(inside, norm.logcdf(y, 0, s))


def sf(x: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x)."""
    inside, y, _ = _log_inside(x, loc, scale)
    return where_inside(inside, norm.sf(y, 0, s), 1.0)


def logsf(x: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x), precise in both tails."""
    inside, y, _ = _log_inside(x, loc, scale)
    return where_inside(inside, norm.logsf(y, 0, s), 0.0)


def ppf(q: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(exp(norm.ppf(q, 0, s)), loc, scale)


def isf(q: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed(exp(norm.isf(q, 0, s)), loc, scale)
