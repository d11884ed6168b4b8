"""Orthogonal polynomials of degree n. Derivatives: DLMF 18.9(iii).

The degree and other parameters have no rules. SciPy takes a real degree to mean the
hypergeometric function, and the derivatives hold for these as well. That of degree 0 is
zero; the functions of lower degree are asked for degree 0 then.
"""

from __future__ import annotations

import numpy as np

from .base import Special, special, unknown
from .gamma import binom


def below(n):
    """Return n - 1, but 0 for n = 0."""
    return np.where(np.equal(n, 0), 0, np.subtract(n, 1))[()]


def varies(n):
    """Return 1, but 0 for n = 0: what is of degree 0 is constant."""
    return np.where(np.equal(n, 0), 0, 1)[()]


eval_jacobi: Special = special(
    "eval_jacobi",
    "The Jacobi polynomial of degree n and parameters alpha, beta (DLMF 18.9.15).",
    unknown,
    unknown,
    unknown,
    lambda ans, n, a, b, x: (
        varies(n) * ((n + a + b + 1) / 2) * eval_jacobi(below(n), a + 1, b + 1, x)
    ),
)

eval_sh_jacobi: Special = special(
    "eval_sh_jacobi",
    "The shifted Jacobi polynomial of degree n (DLMF 18.1.2).",
    unknown,
    unknown,
    unknown,
    lambda ans, n, p, q, x: (
        varies(n)
        * ((n + p) / binom(2 * n + p - 1, n))
        * eval_jacobi(below(n), p - q + 1, q, 2 * x - 1)
    ),
)


def legendre_slope(ans, n, x):
    """Return the derivative of P_n, the same as that of degree -n - 1."""
    n = np.where(np.less(n, -0.5), np.subtract(-1, n), n)[()]
    return varies(n) * ((n + 1) / 2) * eval_jacobi(below(n), 1.0, 1.0, x)


eval_legendre = special(
    "eval_legendre", "The Legendre polynomial of degree n.", unknown, legendre_slope
)

eval_sh_legendre = special(
    "eval_sh_legendre",
    "The shifted Legendre polynomial of degree n, P_n(2x - 1).",
    unknown,
    lambda ans, n, x: 2 * legendre_slope(ans, n, 2 * x - 1),
)

eval_gegenbauer: Special = special(
    "eval_gegenbauer",
    "The Gegenbauer polynomial of degree n and parameter alpha (DLMF 18.9.19).",
    unknown,
    unknown,
    lambda ans, n, a, x: varies(n) * 2 * a * eval_gegenbauer(below(n), a + 1, x),
)

# -- Chebyshev polynomials ------------------------------------------------------------

eval_chebyt = special(
    "eval_chebyt",
    "The Chebyshev polynomial of the first kind of degree n (DLMF 18.9.21).",
    unknown,
    lambda ans, n, x: n * eval_chebyu(np.subtract(n, 1), x),
)


def chebyu_slope(ans, n, x):
    """Return the derivative of U_n, the opposite of that of degree -n - 2."""
    sign = np.sign(np.add(n, 1))
    n = np.where(np.less(n, -1), np.subtract(-2, n), n)
    n = np.where(np.equal(n, -1), 0, n)[()]  # as good as any: U_-1 is zero
    return sign * varies(n) * 2 * eval_gegenbauer(below(n), 2.0, x)


eval_chebyu: Special = special(
    "eval_chebyu",
    "The Chebyshev polynomial of the second kind of degree n.",
    unknown,
    chebyu_slope,
)

eval_chebyc = special(
    "eval_chebyc",
    "The Chebyshev polynomial of the first kind on [-2, 2], 2 T_n(x / 2).",
    unknown,
    lambda ans, n, x: n * eval_chebys(np.subtract(n, 1), x),
)

eval_chebys: Special = special(
    "eval_chebys",
    "The Chebyshev polynomial of the second kind on [-2, 2], U_n(x / 2).",
    unknown,
    lambda ans, n, x: chebyu_slope(ans, n, x / 2) / 2,
)

eval_sh_chebyt = special(
    "eval_sh_chebyt",
    "The shifted Chebyshev polynomial of the first kind, T_n(2x - 1).",
    unknown,
    lambda ans, n, x: 2 * n * eval_sh_chebyu(np.subtract(n, 1), x),
)

eval_sh_chebyu: Special = special(
    "eval_sh_chebyu",
    "The shifted Chebyshev polynomial of the second kind, U_n(2x - 1).",
    unknown,
    lambda ans, n, x: 2 * chebyu_slope(ans, n, 2 * x - 1),
)

# -- Hermite and Laguerre polynomials -------------------------------------------------

eval_hermite: Special = special(
    "eval_hermite",
    "The physicists' Hermite polynomial of degree n (DLMF 18.9.25).",
    unknown,
    lambda ans, n, x: 2 * n * eval_hermite(below(n), x),
)

eval_hermitenorm: Special = special(
    "eval_hermitenorm",
    "The probabilists' Hermite polynomial of degree n (DLMF 18.9.27).",
    unknown,
    lambda ans, n, x: n * eval_hermitenorm(below(n), x),
)

eval_genlaguerre: Special = special(
    "eval_genlaguerre",
    "The generalised Laguerre polynomial of degree n and alpha (DLMF 18.9.23).",
    unknown,
    unknown,
    lambda ans, n, a, x: -varies(n) * eval_genlaguerre(below(n), a + 1, x),
)

eval_laguerre = special(
    "eval_laguerre",
    "The Laguerre polynomial of degree n.",
    unknown,
    lambda ans, n, x: -varies(n) * eval_genlaguerre(below(n), 1.0, x),
)
