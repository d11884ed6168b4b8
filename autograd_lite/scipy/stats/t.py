"""Student's t distribution with `df` degrees of freedom."""

from __future__ import annotations

from typing import Any

from ...numpy.dispatch import operand
from ...ops.elementwise import exp, log1p
from ...ops.special import names as special
from .common import betaln, like, log, placed, probability, standard


def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    z, log_scale = standard(x, loc, scale)
    norm = betaln(df / 2, like(0.5, operand(df))) + log(df) / 2
    return -(df + 1) / 2 * log1p(z * z / df) - norm - log_scale


def pdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    return exp(logpdf(x, df, loc, scale))


def cdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x)."""
    return special.stdtr(df, standard(x, loc, scale)[0])


def logcdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x)."""
    return log(cdf(x, df, loc, scale))


def sf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x)."""
    return special.stdtr(df, -standard(x, loc, scale)[0])


def logsf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x)."""
    return log(sf(x, df, loc, scale))


def ppf(q: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(special.stdtrit(df, probability(q)), loc, scale)


def isf(q: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed(-special.stdtrit(df, probability(q)), loc, scale)
