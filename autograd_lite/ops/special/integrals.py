"""Exponential and trigonometric integrals, Lambert's W, hypergeometric functions.

Formulas: DLMF, chapters 4, 6, 8, 13, 15, 16 and 25.
"""

from __future__ import annotations

import math

import numpy as np

from ..elementwise import absolute, cos, cosh, exp, log, over, sinc, sinh, where
from .base import Special, scipy_special, series, special, special_pair, switch, unknown

# -- exponential integrals ------------------------------------------------------------

expi = special("expi", "Ei(x) (DLMF 6.2.5).", lambda ans, x: exp(x) / x)

exp1 = special("exp1", "E_1(z) (DLMF 6.2.1).", lambda ans, z: -exp(-z) / z)


def expn_slope(ans, n, x):
    """Return -E_{n-1}(x) (DLMF 8.19.13), where E_{-1} = exp(-x) (1 + x) / x^2."""
    lowest = np.equal(n, 0)
    lower = expn(np.where(lowest, 2, n) - 1, x)
    return -where(lowest, exp(-x) * (1 + x) / (x * x), lower)


expn = special(
    "expn",
    "The generalised exponential integral E_n(x) of integer order n (DLMF 8.19.3).",
    unknown,
    expn_slope,
)


SINHC = [1 / math.factorial(2 * k + 1) for k in range(10)]


def sinhc(x):
    """Return sinh(x) / x, near 0 by its series."""
    return switch(
        absolute(x) < 1,
        x,
        lambda x: series(x * x, SINHC),
        lambda x: sinh(x) / x,
        elsewhere=1.0,
    )


# At 0, where Ci and Chi are -inf, their derivatives are given as 0, so that those of
# Si and Shi are right.
sici = special_pair(
    "sici",
    "The sine and cosine integrals Si(x) and Ci(x) (DLMF 6.2.9, 6.2.11).",
    1,
    2,
    lambda ans, x: (sinc(x / math.pi), over(cos(x), x)),
)

shichi = special_pair(
    "shichi",
    "The hyperbolic sine and cosine integrals Shi(x), Chi(x) (DLMF 6.2.15, 6.2.16).",
    1,
    2,
    lambda ans, x: (sinhc(x), over(cosh(x), x)),
)

SPENCE_SLOPE = [-1 / (k + 1) for k in range(18)]


def spence_slope(ans, z):
    """Return log(z) / (1 - z), near 1 by its series."""
    d = 1 - z
    return switch(
        absolute(d) < 0.1,
        d,
        lambda d: series(d, SPENCE_SLOPE),
        lambda d: log(1 - d) / d,
        elsewhere=0.5,
    )


spence = special(
    "spence",
    "Spence's integral, the dilogarithm of 1 - z (DLMF 25.12.2).",
    spence_slope,
)

# -- Lambert's W and its kin ----------------------------------------------------------

lambertw = special(
    "lambertw",
    "The solution w of w exp(w) = z on branch k (DLMF 4.13.1); complex.",
    lambda ans, z, k: exp(-ans) / (1 + ans),
    unknown,
    impl=lambda z, k: scipy_special().lambertw(z, k),
)

wrightomega = special(
    "wrightomega",
    "The solution w of w + log(w) = z (R. Corless, D. Jeffrey, 2002).",
    lambda ans, z: ans / (1 + ans),
)

# -- hypergeometric functions: derivatives in the last argument -----------------------

hyp2f1: Special = special(
    "hyp2f1",
    "The Gauss hypergeometric function (DLMF 15.2.1, 15.5.1).",
    unknown,
    unknown,
    unknown,
    lambda ans, a, b, c, z: a * b / c * hyp2f1(a + 1, b + 1, c + 1, z),
)

hyp1f1: Special = special(
    "hyp1f1",
    "Kummer's confluent hypergeometric function M (DLMF 13.2.2, 13.3.15).",
    unknown,
    unknown,
    lambda ans, a, b, x: a / b * hyp1f1(a + 1, b + 1, x),
)

hyperu: Special = special(
    "hyperu",
    "Tricomi's confluent hypergeometric function U (DLMF 13.2.6, 13.3.22).",
    unknown,
    unknown,
    lambda ans, a, b, x: -a * hyperu(a + 1, b + 1, x),
)

hyp0f1: Special = special(
    "hyp0f1",
    "The confluent hypergeometric limit function 0F1 (DLMF 16.2.1).",
    unknown,
    lambda ans, v, z: hyp0f1(v + 1, z) / v,
)

wright_bessel: Special = special(
    "wright_bessel",
    "Wright's generalised Bessel function (DLMF 10.46.1).",
    unknown,
    unknown,
    lambda ans, a, b, x: wright_bessel(a, a + b, x),
)

log_wright_bessel: Special = special(
    "log_wright_bessel",
    "The logarithm of wright_bessel.",
    unknown,
    unknown,
    lambda ans, a, b, x: exp(log_wright_bessel(a, a + b, x) - ans),
)

# -- associated Legendre functions ----------------------------------------------------


def lpmv_slope(ans, m, v, x):
    """Return the derivative of P_v^m (DLMF 14.10.5); NaN at -1 and 1."""
    return ((v + 1) * x * ans - (v - m + 1) * lpmv(m, v + 1, x)) / ((1 - x) * (1 + x))


lpmv: Special = special(
    "lpmv",
    "The associated Legendre function of order m and degree v (DLMF 14.3.1).",
    unknown,
    unknown,
    lpmv_slope,
)
