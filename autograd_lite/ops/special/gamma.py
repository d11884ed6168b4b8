"""Gamma, beta, digamma, zeta, binomials. Formulas: DLMF, chapters 5 and 25."""

from __future__ import annotations

import math

import numpy as np

from ..elementwise import cos, exp, log, sin, where
from .base import Special, double, scipy_special, series, special, unknown

TERMS = 15
BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510]

gamma = special(
    "gamma", "The gamma function (DLMF 5.2.1).", lambda ans, x: ans * psi(x)
)

gammaln = special("gammaln", "log |gamma(x)|.", lambda ans, x: psi(x))

loggamma = special(
    "loggamma",
    "The principal branch of log gamma(z); NaN for real x < 0.",
    lambda ans, z: psi(z),
)


def trigamma(x):
    """Return the derivative of psi; SciPy has it for real arguments only."""
    if isinstance(x, complex) or getattr(x, "dtype", np.dtype(float)).kind == "c":
        return complex_trigamma(x)
    return polygamma(1, x)


def complex_trigamma(z):
    """Return the trigamma function by recurrence, asymptotics, and left by reflection.

    DLMF 5.15.5, 5.15.8 and 5.15.6.
    """
    left = np.real(z) < 0.5
    w = where(left, 1 - z, z)
    total = 0.0
    for k in range(TERMS):
        total = total + (w + k) ** -2.0
    w = w + TERMS
    total = total + 1 / w + w**-2.0 / 2
    total = total + w**-3.0 * series(w**-2.0, BERNOULLI)
    near = left & (np.abs(np.imag(z)) < 100)  # else the square below vanishes
    mirror = where(near, (math.pi / sin(math.pi * where(near, z, 0.5))) ** 2, 0.0)
    return where(left, mirror - total, total)


gammasgn = Special("gammasgn", "The sign of gamma(x).", 1, differentiable=False)

psi: Special = special(
    "psi",
    "The digamma function, the derivative of gammaln (DLMF 5.2.2).",
    lambda ans, x: trigamma(x),
)

digamma = psi

polygamma: Special = special(
    "polygamma",
    "The n-th derivative of psi (DLMF 5.15).",
    unknown,
    lambda ans, n, x: polygamma(np.add(n, 1), x),
    impl=lambda n, x: scipy_special().polygamma(n, x),
)


def rgamma_slope(ans, x):
    """Return -psi(x) / gamma(x), and its limit (-1)^m m! at the poles x = -m."""
    pole = (np.real(x) <= 0) & (x == np.round(np.real(x)))
    m = where(pole, -np.real(x), 0.0)
    x = where(pole, 1.0, x)
    return where(pole, (1 - 2 * (m % 2)) * gamma(m + 1), -psi(x) * rgamma(x))


rgamma = special(
    "rgamma",
    "1 / gamma(x), 0 at the poles of gamma. Second derivatives at these are NaN.",
    rgamma_slope,
)

beta = special(
    "beta",
    "The beta function gamma(a) gamma(b) / gamma(a + b) (DLMF 5.12.1).",
    lambda ans, a, b: ans * (psi(a) - psi(a + b)),
    lambda ans, a, b: ans * (psi(b) - psi(a + b)),
)

betaln = special(
    "betaln",
    "log |beta(a, b)|.",
    lambda ans, a, b: psi(a) - psi(a + b),
    lambda ans, a, b: psi(b) - psi(a + b),
)

poch = special(
    "poch",
    "The Pochhammer symbol gamma(z + m) / gamma(z) (DLMF 5.2.5).",
    lambda ans, z, m: ans * (psi(z + m) - psi(z)),
    lambda ans, z, m: ans * psi(z + m),
)

binom = special(
    "binom",
    "The binomial coefficient of real numbers, gamma(n + 1) / gamma(k + 1) / "
    "gamma(n - k + 1).",
    lambda ans, n, k: ans * (psi(n + 1) - psi(n - k + 1)),
    lambda ans, n, k: ans * (psi(n - k + 1) - psi(k + 1)),
)

# -- zeta functions -------------------------------------------------------------------

# Of the Euler-Maclaurin formula: the coefficients of s (s + 1) ... (s + 2j - 2), and
# B_2j / (2j)!, for j = 1, 2, ...
CORRECTIONS = [
    (np.poly(-np.arange(2.0 * j - 1))[::-1], number / math.factorial(2 * j))
    for j, number in enumerate(BERNOULLI, 1)
]


def zeta_slope(s, q):
    """Return the derivative in s of the Hurwitz zeta function, for s > -5.

    That of the Euler-Maclaurin formula (DLMF 25.11.5), term by term, in double
    precision: the terms are large and cancel.
    """
    s, q = double(s), double(q)
    w = q + TERMS
    total = -(w ** (1 - s)) * (log(w) / (s - 1) + 1 / (s - 1) ** 2)
    total = total - log(w) * w**-s / 2
    for k in range(TERMS):
        total = total - log(q + k) * (q + k) ** -s
    for j, (polynomial, factor) in enumerate(CORRECTIONS, 1):
        lower = polynomial[1:] * np.arange(1, len(polynomial))
        change = series(s, lower) - series(s, polynomial) * log(w)
        total = total + factor * w ** (1 - 2 * j - s) * change
    return where(s > -5, total, np.nan)


def riemann_slope(s):
    """Return the derivative of the Riemann zeta function; left of 0 by reflection.

    zeta(s) = (2 pi)^s / pi sin(pi s / 2) gamma(1 - s) zeta(1 - s) (DLMF 25.4.1).
    """
    s = double(s)
    left = np.real(s) < 0
    mirrored = 1 - where(left, s, -1.0)
    half = math.pi / 2 * (1 - mirrored)
    factor = exp((1 - mirrored) * LOG_TWO_PI + loggamma(mirrored)) / math.pi
    steady = sin(half) * (LOG_TWO_PI - psi(mirrored)) + math.pi / 2 * cos(half)
    change = steady * riemann_zeta(mirrored) - sin(half) * zeta_slope(mirrored, 1.0)
    return where(left, factor * change, zeta_slope(where(left, 2.0, s), 1.0))


LOG_TWO_PI = math.log(2 * math.pi)

hurwitz: Special = special(
    "zeta",
    "The Hurwitz zeta function of s and q (DLMF 25.11.1).",
    lambda ans, s, q: zeta_slope(s, q),
    lambda ans, s, q: -s * hurwitz(s + 1, q),
)

riemann_zeta: Special = special(
    "riemann_zeta",
    "The Riemann zeta function (DLMF 25.2.1).",
    lambda ans, s: riemann_slope(s),
    impl=lambda s: scipy_special().zeta(s),
)

zetac = special("zetac", "zeta(s) - 1.", lambda ans, s: riemann_slope(s))
