"""Orthogonal polynomials of degree n. Derivatives: DLMF 18.9(iii).

The degree and other parameters have no rules. The derivative of degree 0 is zero; the
functions of lower degree are asked for degree 0 at least, and their factor is 0 then.
"""

from __future__ import annotations

import numpy as np

from .base import Special, special, unknown


def below(n):
    """Return n - 1, but 0 for n = 0."""
    return np.maximum(n, 1) - 1


eval_jacobi: Special = special(
    "eval_jacobi",
    "The Jacobi polynomial of degree n and parameters alpha, beta (DLMF 18.9.15).",
    unknown,
    unknown,
    unknown,
    lambda ans, n, a, b, x: (
        np.sign(n) * ((n + a + b + 1) / 2) * eval_jacobi(below(n), a + 1, b + 1, x)
    ),
)

eval_legendre = special(
    "eval_legendre",
    "The Legendre polynomial of degree n.",
    unknown,
    lambda ans, n, x: np.sign(n) * ((n + 1) / 2) * eval_jacobi(below(n), 1.0, 1.0, x),
)

eval_gegenbauer: Special = special(
    "eval_gegenbauer",
    "The Gegenbauer polynomial of degree n and parameter alpha (DLMF 18.9.19).",
    unknown,
    unknown,
    lambda ans, n, a, x: np.sign(n) * 2 * a * eval_gegenbauer(below(n), a + 1, x),
)

eval_chebyt = special(
    "eval_chebyt",
    "The Chebyshev polynomial of the first kind of degree n (DLMF 18.9.21).",
    unknown,
    lambda ans, n, x: n * eval_chebyu(below(n), x),
)

eval_chebyu: Special = special(
    "eval_chebyu",
    "The Chebyshev polynomial of the second kind of degree n.",
    unknown,
    lambda ans, n, x: np.sign(n) * 2 * eval_gegenbauer(below(n), 2.0, x),
)

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
    lambda ans, n, a, x: -np.sign(n) * eval_genlaguerre(below(n), a + 1, x),
)

eval_laguerre = special(
    "eval_laguerre",
    "The Laguerre polynomial of degree n.",
    unknown,
    lambda ans, n, x: -np.sign(n) * eval_genlaguerre(below(n), 1.0, x),
)
