"""Incomplete gamma and beta functions, differentiated in their parameters as well.

Both are integrals of a density over t, and a derivative in a parameter is the integral
of the density's derivative: of the density times a polynomial in log(t) (and log(1-t)).
SciPy has no function for that. It is computed by a double exponential quadrature (H.
Takahasi, M. Mori, 1974), over the tail on x's own side of the middle, where nothing
cancels. Formulas: DLMF, chapter 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import elementwise
from ..elementwise import exp, log, where
from .base import define_slopes, special
from .gamma import betaln, gammaln, polygamma, psi
from .logistic import log1p, xlog1py, xlogy

# -- quadrature -----------------------------------------------------------------------

# v = exp(tau - exp(-tau)) turns an integral over v from 0 to infinity, of a function
# that decays like exp(-v), into one over tau that the trapezoidal rule gets to within
# rounding: the integrand vanishes double exponentially at both ends.
TAU = np.arange(-3.75, 7.0, 0.05)
NODES = np.exp(TAU - np.exp(-TAU))
WEIGHTS = 0.05 * NODES * (1 + np.exp(-TAU))
CHUNK = 1 << 12


def quadrature(integrand: Callable[..., Any], rate: Any, *args: Any) -> Any:
    """Return the integral of integrand(s, *args) over s > 0, for vectors of args.

    `rate` is how fast it decays, roughly: 1 / rate is the natural unit of s.
    """
    total = np.empty(rate.shape)
    for start in range(0, rate.size, CHUNK):
        part = slice(start, start + CHUNK)
        scale = 1 / rate[part, None]
        values = integrand(NODES * scale, *[a[part, None] for a in args])
        total[part] = (values @ WEIGHTS) * scale[:, 0]
    return total


def exponential_derivative(orders: tuple[int, int], partial: Callable[..., Any]) -> Any:
    """Return exp(-F) times a mixed derivative of exp(F) (Faa di Bruno).

    `partial(i, j)` is the derivative of F of orders i and j in its two parameters.
    """
    j, k = orders
    if j == k == 0:
        return 1.0
    if j == 0:
        return exponential_derivative((k, 0), lambda p, q: partial(q, p))
    total = 0.0
    for p in range(j):
        for q in range(k + 1):
            rest = exponential_derivative((j - 1 - p, k - q), partial)
            ways = math.comb(j - 1, p) * math.comb(k, q)
            total = total + ways * partial(p + 1, q) * rest
    return total


def flattened(fun: Callable[..., Any], *args: Any) -> Any:
    """Return fun of the arguments as float64 vectors of one length, in their shape."""
    dtype = np.result_type(*[np.asarray(a) for a in args], np.float32)
    shape = np.broadcast_shapes(*[np.shape(a) for a in args])
    arrays = [np.broadcast_to(np.asarray(a, float), shape) for a in args]
    with np.errstate(all="ignore"):
        total = fun(*[a.ravel() for a in arrays])
    return total.reshape(shape).astype(dtype)[()]


def split_zero(x, power):
    """Return x with 1 in place of 0, and x^power where x is 0, else 1.

    So that x^power, by way of logarithms elsewhere, has its derivatives at 0 too.
    """
    zero = x == 0
    return where(zero, 1.0, x), where(zero, x, 1.0) ** power


# -- incomplete gamma functions -------------------------------------------------------


def gamma_density(a, x):
    """Return x^(a-1) exp(-x) / gamma(a), the density whose integral is gammainc."""
    positive, factor = split_zero(x, a - 1)
    return exp(xlogy(a - 1, positive) - x - gammaln(a)) * factor


def gamma_factor(order, a, log_t):
    """Return the density's derivative in a of this order, divided by the density."""

    def partial(i, j):
        return log_t - psi(a) if i == 1 else -polygamma(i - 1, a)

    return exponential_derivative((order, 0), partial)


def _lower_gamma(s, a, x, factor):
    """Return the integrand for t = x exp(-s) in (0, x)."""
    log_t = np.log(x) - s
    return np.exp(a * log_t - np.exp(log_t) - gammaln(a)) * factor(a, log_t)


def _upper_gamma(s, a, x, factor):
    """Return the integrand for t = x + s in (x, infinity)."""
    log_t = np.log(x + s)
    return np.exp((a - 1) * log_t - x - s - gammaln(a)) * factor(a, log_t)


@elementwise
def gammainc_moment(a, x, *, order):
    """Return the derivative of gammainc(a, x) in a of this order."""

    def factor(a, log_t):
        return gamma_factor(order, a, log_t)

    def moment(a, x):
        below = x < a
        narrow = np.minimum(a, np.sqrt(a))
        t, u = np.where(below, x, a), np.where(below, a, x)
        lower = quadrature(
            lambda s, a, t: _lower_gamma(s, a, t, factor), a - t + narrow, a, t
        )
        upper = quadrature(
            lambda s, a, u: _upper_gamma(s, a, u, factor),
            np.minimum((u - a + 1) / u, 1) + 1 / np.sqrt(np.maximum(a, 1)),
            *(a, u),
        )
        inside = (x > 0) & (x < np.inf)
        return np.where(inside, np.where(below, lower, -upper), _outside(x, a))

    return flattened(moment, a, x)


def _outside(x, *parameters):
    """Return 0 at the ends of the support, NaN for NaN and impossible parameters."""
    good = ~np.isnan(x)
    for a in parameters:
        good &= a > 0
    return np.where(good, 0.0, np.nan)


define_slopes(
    gammainc_moment,
    lambda ans, a, x, *, order: gammainc_moment(a, x, order=order + 1),
    lambda ans, a, x, *, order: gamma_density(a, x) * gamma_factor(order, a, log(x)),
)

gammainc = special(
    "gammainc",
    "The regularised lower incomplete gamma function P(a, x) (DLMF 8.2.4).",
    lambda ans, a, x: gammainc_moment(a, x, order=1),
    lambda ans, a, x: gamma_density(a, x),
)

gammaincc = special(
    "gammaincc",
    "The regularised upper incomplete gamma function Q(a, x) (DLMF 8.2.4).",
    lambda ans, a, x: -gammainc_moment(a, x, order=1),
    lambda ans, a, x: -gamma_density(a, x),
)

gammaincinv = special(
    "gammaincinv",
    "The x with gammainc(a, x) = y.",
    lambda ans, a, y: -gammainc_moment(a, ans, order=1) / gamma_density(a, ans),
    lambda ans, a, y: 1 / gamma_density(a, ans),
)

gammainccinv = special(
    "gammainccinv",
    "The x with gammaincc(a, x) = y.",
    lambda ans, a, y: -gammainc_moment(a, ans, order=1) / gamma_density(a, ans),
    lambda ans, a, y: -1 / gamma_density(a, ans),
)

# -- incomplete beta functions --------------------------------------------------------


def beta_density(a, b, x):
    """Return x^(a-1) (1-x)^(b-1) / beta(a, b), whose integral is betainc."""
    positive, lower = split_zero(x, a - 1)
    one = x == 1
    rest, upper = where(one, 0.0, x), where(one, 1 - x, 1.0) ** (b - 1)
    inner = xlogy(a - 1, positive) + xlog1py(b - 1, -rest) - betaln(a, b)
    return exp(inner) * (lower * upper)


def beta_factor(orders, a, b, log_t, log_rest):
    """Return the density's derivative in a and b, divided by the density."""

    def partial(i, j):
        both = polygamma(i + j - 1, a + b)
        if i == 0:
            return both + (log_rest - psi(b) if j == 1 else -polygamma(j - 1, b))
        if j == 0:
            return both + (log_t - psi(a) if i == 1 else -polygamma(i - 1, a))
        return both

    return exponential_derivative(orders, partial)


def _lower_beta(orders):
    """Return the integrand for t = x exp(-s) in (0, x)."""

    def integrand(s, a, b, x):
        log_t = np.log(x) - s
        log_rest = np.log1p(-np.exp(log_t))
        density = np.exp(a * log_t + (b - 1) * log_rest - betaln(a, b))
        return density * beta_factor(orders, a, b, log_t, log_rest)

    return integrand


@elementwise
def betainc_moment(a, b, x, *, orders):
    """Return the derivative of betainc(a, b, x) of `orders` in a and b."""

    def moment(a, b, x):
        below = x < a / (a + b)  # else the other tail, by I_x(a, b) + I_1-x(b, a) = 1
        total = np.where((x >= 0) & (x <= 1), _outside(x, a, b), np.nan)
        inside = (x > 0) & (x < 1) & (a > 0) & (b > 0)
        lower, upper = inside & below, inside & ~below
        total[lower] = _beta_tail(orders, a[lower], b[lower], x[lower])
        total[upper] = -_beta_tail(orders[::-1], b[upper], a[upper], 1 - x[upper])
        return total

    return flattened(moment, a, b, x)


def _beta_tail(orders, a, b, x):
    drift = np.clip(a - (b - 1) * x / (1 - x), 0, a)
    width = np.minimum(a, np.sqrt(a * (a + b) / b))
    return quadrature(_lower_beta(orders), drift + width, a, b, x)


def density_slope(orders, a, b, x):
    """Return the derivative of beta_density of `orders` in a and b."""
    return beta_density(a, b, x) * beta_factor(orders, a, b, log(x), log1p(-x))


define_slopes(
    betainc_moment,
    lambda ans, a, b, x, *, orders: betainc_moment(
        a, b, x, orders=(orders[0] + 1, orders[1])
    ),
    lambda ans, a, b, x, *, orders: betainc_moment(
        a, b, x, orders=(orders[0], orders[1] + 1)
    ),
    lambda ans, a, b, x, *, orders: density_slope(orders, a, b, x),
)

betainc = special(
    "betainc",
    "The regularised incomplete beta function I_x(a, b) (DLMF 8.17.2).",
    lambda ans, a, b, x: betainc_moment(a, b, x, orders=(1, 0)),
    lambda ans, a, b, x: betainc_moment(a, b, x, orders=(0, 1)),
    lambda ans, a, b, x: beta_density(a, b, x),
)

betaincc = special(
    "betaincc",
    "1 - betainc(a, b, x), precise near 0.",
    lambda ans, a, b, x: -betainc_moment(a, b, x, orders=(1, 0)),
    lambda ans, a, b, x: -betainc_moment(a, b, x, orders=(0, 1)),
    lambda ans, a, b, x: -beta_density(a, b, x),
)


def quantile_slope(orders, a, b, x):
    """Return the derivative in a or b of the x at which betainc has a given value."""
    return -betainc_moment(a, b, x, orders=orders) / beta_density(a, b, x)


betaincinv = special(
    "betaincinv",
    "The x with betainc(a, b, x) = y.",
    lambda ans, a, b, y: quantile_slope((1, 0), a, b, ans),
    lambda ans, a, b, y: quantile_slope((0, 1), a, b, ans),
    lambda ans, a, b, y: 1 / beta_density(a, b, ans),
)

betainccinv = special(
    "betainccinv",
    "The x with betaincc(a, b, x) = y.",
    lambda ans, a, b, y: quantile_slope((1, 0), a, b, ans),
    lambda ans, a, b, y: quantile_slope((0, 1), a, b, ans),
    lambda ans, a, b, y: -1 / beta_density(a, b, ans),
)
