"""The error function and its kin: normal distribution, Dawson, Fresnel, Owen.

Formulas: NIST Digital Library of Mathematical Functions (DLMF), chapter 7.
"""

from __future__ import annotations

import math

import numpy as np

from ..basic import real
from ..elementwise import cos, exp, sin, where
from .base import double, scipy_special, series, special, special_pair

TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
HALF_ROOT_PI = math.sqrt(math.pi) / 2
ROOT_TWO_PI = math.sqrt(2 * math.pi)


def gauss(x):
    """Return the derivative of erf (DLMF 7.10.1)."""
    return TWO_OVER_ROOT_PI * exp(-(x * x))


def density(x):
    """Return the density of the standard normal distribution."""
    return exp(-(x * x) / 2) / ROOT_TWO_PI


erf = special(
    "erf",
    "2/sqrt(pi) times the integral of exp(-t^2) from 0 to x (DLMF 7.2.1).",
    lambda ans, x: gauss(x),
)

erfc = special(
    "erfc", "1 - erf(x), precise for large x (DLMF 7.2.2).", lambda ans, x: -gauss(x)
)

erfi = special("erfi", "-i erf(ix).", lambda ans, x: TWO_OVER_ROOT_PI * exp(x * x))

# Where 2 x erfcx(x) and 2/sqrt(pi) (or 2 x dawsn(x) and 1) nearly cancel, their
# difference is the asymptotic series in 1/x^2 (DLMF 7.12.1), of which this many terms
# are exact in double precision.
FAR = 25.0
ODD_FACTORIALS = np.cumprod([1, *(np.arange(1, 8) + 0.5)])  # (2k+1)!! / 2^k


def erfcx_slope(ans, x):
    """Return 2 x erfcx(x) - 2/sqrt(pi), by its series where x is large."""
    far = np.real(x) > FAR
    t = 1 / where(far, x, FAR) ** 2
    asymptotic = -TWO_OVER_ROOT_PI / 2 * t * series(-t, ODD_FACTORIALS)
    near = 2 * where(far, 0.0, x) * ans - TWO_OVER_ROOT_PI
    return where(far, asymptotic, near)


erfcx = special("erfcx", "exp(x^2) erfc(x) (DLMF 7.2.3 at z = ix).", erfcx_slope)


def dawsn_slope(ans, x):
    """Return 1 - 2 x dawsn(x) (DLMF 7.10.3), by its series where x is large.

    And where exp(-x^2), which the series leaves out, is small for complex x too.
    """
    far = (np.abs(x) > FAR) & (np.real(x * x) > 2 * FAR)
    t = 1 / where(far, x, FAR) ** 2
    near = 1 - 2 * where(far, 0.0, x) * ans
    return where(far, -t / 2 * series(t, ODD_FACTORIALS), near)


dawsn = special("dawsn", "Dawson's integral (DLMF 7.2.5).", dawsn_slope)


def wofz_slope(ans, z):
    """Return 2i/sqrt(pi) - 2 z w(z), by its series where z is large, not below 0."""
    far = (np.abs(z) > FAR) & (np.imag(z) >= 0)
    t = 1 / where(far, z, FAR) ** 2
    near = 1j * TWO_OVER_ROOT_PI - 2 * where(far, 0.0, z) * ans
    return where(far, -1j * TWO_OVER_ROOT_PI / 2 * t * series(t, ODD_FACTORIALS), near)


wofz = special(
    "wofz", "The Faddeeva function exp(-z^2) erfc(-iz) (DLMF 7.2.3).", wofz_slope
)

# -- the Voigt profile ----------------------------------------------------------------

EVEN_FACTORIALS = ODD_FACTORIALS * 2 * np.arange(1, 9)  # of the second derivative


def voigt_curve(x, sigma, gamma, order):
    """Return the derivative in x, of order 1 or 2, of w(z) / (sigma sqrt(2 pi)).

    z = u / (sigma sqrt(2)), u = x + i gamma; the real part of the function is the
    profile (DLMF 7.19.4). Where z is large, a series in sigma / u does not cancel;
    elsewhere double precision is enough.
    """
    u = double(x) + 1j * gamma
    far = np.abs(u) > FAR * sigma
    v, s = where(far, u, 1.0), where(far, sigma, 0.0)
    t = 2 * (s / v) ** 2
    s = where(far, 1.0, sigma) * math.sqrt(2)
    z = where(far, 0.0, u) / s
    w = wofz(z)
    slope = wofz_slope(w, z)
    if order == 1:
        distant = -1j / math.pi * series(t, ODD_FACTORIALS) / v**2
        return where(far, distant, slope / (s * s * math.sqrt(math.pi)))
    distant = 1j / math.pi * series(t, EVEN_FACTORIALS) / v**3
    return where(far, distant, -2 * (w + z * slope) / (s**3 * math.sqrt(math.pi)))


voigt_profile = special(
    "voigt_profile",
    "The convolution of a normal density (sigma) and a Cauchy density (gamma) at x.",
    lambda ans, x, sigma, gamma: real(voigt_curve(x, sigma, gamma, 1)),
    lambda ans, x, sigma, gamma: sigma * real(voigt_curve(x, sigma, gamma, 2)),
    lambda ans, x, sigma, gamma: real(1j * voigt_curve(x, sigma, gamma, 1)),
)

erfinv = special(
    "erfinv",
    "The inverse of erf.",
    lambda ans, y: HALF_ROOT_PI * exp(ans * ans),
)

erfcinv = special(
    "erfcinv",
    "The inverse of erfc.",
    lambda ans, y: -HALF_ROOT_PI * exp(ans * ans),
)

# -- the normal distribution ----------------------------------------------------------


def _hazard(x):
    with np.errstate(over="ignore"):
        return 2 / ROOT_TWO_PI / scipy_special().erfcx(x * (-1 / math.sqrt(2)))


hazard = special(
    "hazard",
    "density(x) / ndtr(x), the derivative of log_ndtr; precise in both tails.",
    lambda ans, x: -ans * (x + ans),
    impl=_hazard,
)

ndtr = special(
    "ndtr",
    "The distribution function of the standard normal distribution.",
    lambda ans, x: density(x),
)

log_ndtr = special(
    "log_ndtr",
    "The logarithm of ndtr, precise in both tails.",
    lambda ans, x: hazard(x),
)

ndtri = special(
    "ndtri",
    "The inverse of ndtr: quantiles of the standard normal distribution.",
    lambda ans, p: ROOT_TWO_PI * exp(ans * ans / 2),
)

ndtri_exp = special(
    "ndtri_exp", "The inverse of log_ndtr.", lambda ans, y: 1 / hazard(ans)
)

owens_t = special(
    "owens_t",
    "Owen's T function of h and a (D. Owen, 1956, Ann. Math. Stat. 27, 1075).",
    lambda ans, h, a: -density(h) / 2 * erf(a * h / math.sqrt(2)),
    lambda ans, h, a: exp(-(h * h) * (1 + a * a) / 2) / (2 * math.pi * (1 + a * a)),
)

# -- Fresnel integrals ----------------------------------------------------------------


def half_square(z):
    """Return pi z^2 / 2, the phase of the Fresnel integrals."""
    return (math.pi / 2) * (z * z)


fresnel = special_pair(
    "fresnel",
    "The Fresnel integrals S(z) and C(z) (DLMF 7.2.7, 7.2.8).",
    1,
    2,
    lambda ans, z: (sin(half_square(z)), cos(half_square(z))),
)
