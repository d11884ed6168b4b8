"""Elliptic integrals and functions of the parameter m = k^2.

Formulas: DLMF, chapters 19 and 22. The textbook derivatives in m are differences over
m, and cancel near m = 0; the forms here do not.
"""

from __future__ import annotations

import math

import numpy as np

from ..elementwise import cos, sin, sqrt
from .base import Special, scipy_special, special, special_pair, unknown
from .integrals import hyp2f1

# -- complete integrals ---------------------------------------------------------------


def k_slope(m):
    """Return dK/dm = pi/8 F(3/2, 3/2; 2; m) (DLMF 19.5.1), after Euler's transform."""
    return math.pi / 8 * hyp2f1(0.5, 0.5, 2.0, m) / (1 - m)


ellipk = special(
    "ellipk",
    "The complete elliptic integral of the first kind, K(m) (DLMF 19.2.8).",
    lambda ans, m: k_slope(m),
)

ellipkm1 = special(
    "ellipkm1",
    "K(1 - p), precise for small p.",
    lambda ans, p: -math.pi / 8 * hyp2f1(0.5, 0.5, 2.0, 1 - p) / p,
)

ellipe = special(
    "ellipe",
    "The complete elliptic integral of the second kind, E(m) (DLMF 19.2.8).",
    lambda ans, m: -math.pi / 8 * hyp2f1(0.5, 1.5, 2.0, m),
)


def mean_slope(mean, a, b):
    """Return the derivative in b of agm(a, b) = pi a / (2 K(1 - b^2 / a^2))."""
    return mean * mean * hyp2f1(0.5, 0.5, 2.0, 1 - (b / a) ** 2) / (2 * a * b)


agm = special(
    "agm",
    "The arithmetic-geometric mean of a and b (DLMF 19.8.5).",
    lambda ans, a, b: mean_slope(ans, b, a),
    lambda ans, a, b: mean_slope(ans, a, b),
)

# -- incomplete integrals -------------------------------------------------------------


def root(phi, m):
    """Return sqrt(1 - m sin(phi)^2)."""
    return sqrt(1 - m * sin(phi) ** 2)


def _ellip_d(phi, m):
    """Return D by Carlson's integral (DLMF 19.25.13), reduced to |phi| <= pi/2."""
    third = scipy_special().elliprd
    turns = np.round(phi / math.pi)
    s, c = np.sin(phi - turns * math.pi), np.cos(phi)
    part = s**3 * third(c * c, 1 - m * s * s, 1.0) / 3
    return part + 2 * turns * third(0.0, 1 - m, 1.0) / 3


def f_slope(f, d, phi, m):
    """Return dF/dm in terms of F and D (DLMF 19.4.1)."""
    return ((f - d) - sin(phi) * cos(phi) / root(phi, m)) / (2 * (1 - m))


# Its own derivative in m, needed for second derivatives, is NaN at m = 0.
ellip_d: Special = special(
    "ellip_d",
    "The incomplete elliptic integral D(phi | m) = (F - E) / m (DLMF 19.2.6).",
    lambda ans, phi, m: sin(phi) ** 2 / root(phi, m),
    lambda ans, phi, m: (f_slope(ellipkinc(phi, m), ans, phi, m) - ans / 2) / m,
    impl=_ellip_d,
)

ellipkinc: Special = special(
    "ellipkinc",
    "The incomplete elliptic integral F(phi | m) (DLMF 19.2.4).",
    lambda ans, phi, m: 1 / root(phi, m),
    lambda ans, phi, m: f_slope(ans, ellip_d(phi, m), phi, m),
)

ellipeinc = special(
    "ellipeinc",
    "The incomplete elliptic integral E(phi | m) (DLMF 19.2.5).",
    lambda ans, phi, m: root(phi, m),
    lambda ans, phi, m: -ellip_d(phi, m) / 2,
)

# -- Jacobian functions: no rule for m ------------------------------------------------

# (sn, cn, dn, am)' = (cn dn, -sn dn, -m sn cn, dn) (DLMF 22.13.1)
ellipj = special_pair(
    "ellipj",
    "The Jacobian elliptic functions sn, cn, dn and the amplitude, of u and m.",
    2,
    4,
    lambda ans, u, m: (ans[1] * ans[2], -ans[0] * ans[2], -m * ans[0] * ans[1], ans[2]),
    unknown,
)
