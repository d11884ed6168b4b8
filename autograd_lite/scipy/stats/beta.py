"""The beta distribution: density x^(a-1) (1-x)^(b-1) / beta(a, b) on [0, 1]."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import where
from ...ops.special import names as special
from ...ops.special.incomplete import beta_density
from .common import (
    betaln,
    like,
    log,
    placed,
    probability,
    standard,
    where_inside,
    within,
)


def logpdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the logarithm of the density at x."""
    z, log_scale = standard(x, loc, scale)
    inside, z = within(z, 0, 1, 0.5)
    value = (
        special.xlogy(like(a - 1, z), z)
        + special.xlog1py(like(b - 1, z), -z)
        - betaln(a, b)
    )
    return where_inside(inside, value - log_scale)


def pdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the density at x."""
    inside, z = within(standard(x, loc, scale)[0], 0, 1, 0.5)
    value = beta_density(like(a, z), like(b, z), z)
    return where_inside(inside, value / scale, 0.0)


def cdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X <= x)."""
    z = standard(x, loc, scale)[0]
    inside, inner = within(z, 0, 1, 0.5)
    value = special.betainc(like(a, inner), like(b, inner), inner)
    return where(z > 1, 1.0, where_inside(inside, value, 0.0))


def logcdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X <= x)."""
    return log(cdf(x, a, b, loc, scale))


def sf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return P(X > x)."""
    z = standard(x, loc, scale)[0]
    inside, inner = within(z, 0, 1, 0.5)
    value = special.betaincc(like(a, inner), like(b, inner), inner)
    return where(z > 1, 0.0, where_inside(inside, value, 1.0))


def logsf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return log P(X > x)."""
    return log(sf(x, a, b, loc, scale))


def ppf(q: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X <= x) = q."""
    return placed(special.betaincinv(a, b, probability(q)), loc, scale)


def isf(q: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Return the x with P(X > x) = q."""
    return placed(special.betainccinv(a, b, probability(q)), loc, scale)
