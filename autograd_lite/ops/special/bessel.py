"""Bessel functions and their relatives. Formulas: DLMF, chapters 9 to 11.

None has a rule for its order: its derivative in the order is no function of SciPy.
"""

from __future__ import annotations

import math

import numpy as np

from ..elementwise import sign
from .base import Special, real_only, scipy_special, special, special_pair, unknown
from .gamma import rgamma

# -- Bessel functions (DLMF 10.6.1, 10.6.3) -------------------------------------------

jv: Special = special(
    "jv",
    "The Bessel function of the first kind, of real order v (DLMF 10.2.2).",
    unknown,
    lambda ans, v, z: (jv(v - 1, z) - jv(v + 1, z)) / 2,
)

j0 = special("j0", "The Bessel function J_0.", lambda ans, x: -j1(x))

j1: Special = special(
    "j1", "The Bessel function J_1.", lambda ans, x: (j0(x) - jv(2, x)) / 2
)

yv: Special = special(
    "yv",
    "The Bessel function of the second kind, of real order v (DLMF 10.2.3).",
    unknown,
    lambda ans, v, z: (yv(v - 1, z) - yv(v + 1, z)) / 2,
)

yn: Special = special(
    "yn",
    "The Bessel function of the second kind, of integer order n.",
    unknown,
    lambda ans, n, x: (yn(n - 1, x) - yn(n + 1, x)) / 2,
)

y0 = special("y0", "The Bessel function Y_0.", lambda ans, x: -y1(x))

y1: Special = special(
    "y1", "The Bessel function Y_1.", lambda ans, x: (y0(x) - yn(2, x)) / 2
)

hankel1: Special = special(
    "hankel1",
    "The Hankel function of the first kind, J_v + i Y_v (DLMF 10.4.3).",
    unknown,
    lambda ans, v, z: (hankel1(v - 1, z) - hankel1(v + 1, z)) / 2,
)

hankel2: Special = special(
    "hankel2",
    "The Hankel function of the second kind, J_v - i Y_v (DLMF 10.4.3).",
    unknown,
    lambda ans, v, z: (hankel2(v - 1, z) - hankel2(v + 1, z)) / 2,
)

hankel1e: Special = special(
    "hankel1e",
    "hankel1(v, z) exp(-iz).",
    unknown,
    lambda ans, v, z: (hankel1e(v - 1, z) - hankel1e(v + 1, z)) / 2 - 1j * ans,
)

hankel2e: Special = special(
    "hankel2e",
    "hankel2(v, z) exp(iz).",
    unknown,
    lambda ans, v, z: (hankel2e(v - 1, z) - hankel2e(v + 1, z)) / 2 + 1j * ans,
)

# -- modified Bessel functions (DLMF 10.29.1, 10.29.3) --------------------------------

iv: Special = special(
    "iv",
    "The modified Bessel function of the first kind, of real order v (DLMF 10.25.2).",
    unknown,
    lambda ans, v, z: (iv(v - 1, z) + iv(v + 1, z)) / 2,
)

i0 = special("i0", "The modified Bessel function I_0.", lambda ans, x: i1(x))

i1: Special = special(
    "i1", "The modified Bessel function I_1.", lambda ans, x: (i0(x) + iv(2, x)) / 2
)


def ive_slope(ans, v, x):
    """Return the derivative of exp(-|x|) I_v(x) for real x."""
    real_only("ive", x)
    return (ive(v - 1, x) + ive(v + 1, x)) / 2 - sign(x) * ans


ive = special("ive", "iv(v, x) exp(-|x|).", unknown, ive_slope)

i0e = special("i0e", "i0(x) exp(-|x|).", lambda ans, x: i1e(x) - sign(x) * ans)

i1e: Special = special(
    "i1e",
    "i1(x) exp(-|x|).",
    lambda ans, x: (i0e(x) + ive(2, x)) / 2 - sign(x) * ans,
)

kv: Special = special(
    "kv",
    "The modified Bessel function of the second kind, of real order v (DLMF 10.25.3).",
    unknown,
    lambda ans, v, z: -(kv(v - 1, z) + kv(v + 1, z)) / 2,
)

kn: Special = special(
    "kn",
    "The modified Bessel function of the second kind, of integer order n.",
    unknown,
    lambda ans, n, x: -(kn(n - 1, x) + kn(n + 1, x)) / 2,
)

k0 = special("k0", "The modified Bessel function K_0.", lambda ans, x: -k1(x))

k1: Special = special(
    "k1", "The modified Bessel function K_1.", lambda ans, x: -(k0(x) + kn(2, x)) / 2
)

kve: Special = special(
    "kve",
    "kv(v, z) exp(z).",
    unknown,
    lambda ans, v, z: ans - (kve(v - 1, z) + kve(v + 1, z)) / 2,
)

k0e = special("k0e", "k0(x) exp(x).", lambda ans, x: ans - k1e(x))

k1e: Special = special(
    "k1e", "k1(x) exp(x).", lambda ans, x: ans - (k0e(x) + kve(2, x)) / 2
)

# -- scaled by the imaginary part: for real arguments the functions themselves --------


def jve_slope(ans, v, x):
    """Return the derivative of jve, for real x that of jv."""
    real_only("jve", x)
    return (jve(v - 1, x) - jve(v + 1, x)) / 2


jve = special("jve", "jv(v, z) exp(-|Im z|).", unknown, jve_slope)


def yve_slope(ans, v, x):
    """Return the derivative of yve, for real x that of yv."""
    real_only("yve", x)
    return (yve(v - 1, x) - yve(v + 1, x)) / 2


yve = special("yve", "yv(v, z) exp(-|Im z|).", unknown, yve_slope)

# -- spherical Bessel functions (DLMF 10.51.2, 10.51.5) -------------------------------


def neighbours(fun, n, z, sign):
    """Return (n f_{n-1} + sign (n + 1) f_{n+1}) / (2n + 1), which is regular at 0."""
    lower = n * fun(np.maximum(n, 1) - 1, z)
    return (lower + sign * (n + 1) * fun(n + 1, z)) / (2 * n + 1)


spherical_jn: Special = special(
    "spherical_jn",
    "The spherical Bessel function of the first kind, of integer order n.",
    unknown,
    lambda ans, n, z: neighbours(spherical_jn, n, z, -1),
    impl=lambda n, z: scipy_special().spherical_jn(n, z),
)

spherical_yn: Special = special(
    "spherical_yn",
    "The spherical Bessel function of the second kind, of integer order n.",
    unknown,
    lambda ans, n, z: neighbours(spherical_yn, n, z, -1),
    impl=lambda n, z: scipy_special().spherical_yn(n, z),
)

spherical_in: Special = special(
    "spherical_in",
    "The modified spherical Bessel function of the first kind, of integer order n.",
    unknown,
    lambda ans, n, z: neighbours(spherical_in, n, z, 1),
    impl=lambda n, z: scipy_special().spherical_in(n, z),
)

spherical_kn: Special = special(
    "spherical_kn",
    "The modified spherical Bessel function of the second kind, of integer order n.",
    unknown,
    lambda ans, n, z: -neighbours(spherical_kn, n, z, 1),
    impl=lambda n, z: scipy_special().spherical_kn(n, z),
)

# -- Struve and Airy functions --------------------------------------------------------


def struve_term(v, x):
    """Return the inhomogeneous term of DLMF 11.4(v)."""
    return (x / 2) ** v * rgamma(v + 1.5) / (2 * math.sqrt(math.pi))


struve: Special = special(
    "struve",
    "The Struve function H_v (DLMF 11.2.1).",
    unknown,
    lambda ans, v, x: (struve(v - 1, x) - struve(v + 1, x)) / 2 + struve_term(v, x),
)

modstruve: Special = special(
    "modstruve",
    "The modified Struve function L_v (DLMF 11.2.2).",
    unknown,
    lambda ans, v, x: (
        (modstruve(v - 1, x) + modstruve(v + 1, x)) / 2 + struve_term(v, x)
    ),
)

# Airy's equation: Ai'' = z Ai (DLMF 9.2.1).
airy = special_pair(
    "airy",
    "The Airy functions Ai, Ai', Bi, Bi' (DLMF 9.2).",
    1,
    4,
    lambda ans, z: (ans[1], z * ans[0], ans[3], z * ans[2]),
)
