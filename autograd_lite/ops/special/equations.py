"""Solutions of differential equations of second order, and integrals of Bessel's.

SciPy gives the solutions together with their first derivatives; the equation has the
second. Orders and parameters have no rules. Formulas: DLMF, chapters 9 to 12 and 28.
"""

from __future__ import annotations

import math

import numpy as np

from ..elementwise import cos, cosh, exp, over, sqrt, where
from .base import Special, real_only, special, special_pair, unknown
from .bessel import i0, j0, k0, modstruve, struve, y0

# -- Kelvin functions: f'' = i f - f' / x (DLMF 10.61.3) ------------------------------


def over_x(slope, x, limit):
    """Return slope / x, and its limit at 0."""
    zero = x == 0
    return where(zero, limit, slope / where(zero, 1.0, x))


ber = special("ber", "The Kelvin function ber.", lambda ans, x: berp(x))
bei = special("bei", "The Kelvin function bei.", lambda ans, x: beip(x))
ker = special("ker", "The Kelvin function ker.", lambda ans, x: kerp(x))
kei = special("kei", "The Kelvin function kei.", lambda ans, x: keip(x))
berp: Special = special(
    "berp",
    "The derivative of ber. Its second derivatives at 0 are NaN.",
    lambda ans, x: -bei(x) - over_x(ans, x, 0.0),
)
beip: Special = special(
    "beip",
    "The derivative of bei. Its second derivatives at 0 are NaN.",
    lambda ans, x: ber(x) - over_x(ans, x, 0.5),
)
kerp: Special = special(
    "kerp", "The derivative of ker.", lambda ans, x: -kei(x) - ans / x
)
keip: Special = special(
    "keip", "The derivative of kei.", lambda ans, x: ker(x) - ans / x
)
kelvin = special_pair(
    "kelvin",
    "The Kelvin functions ber + i bei and ker + i kei, and their derivatives.",
    1,
    4,
    lambda ans, x: (
        ans[2],
        ans[3],
        1j * ans[0] - over_x(ans[2], x, 0.5j),
        1j * ans[1] - ans[3] / x,
    ),
)

# -- parabolic cylinder functions (DLMF 12.2.2, 12.2.3) -------------------------------

pbdv = special_pair(
    "pbdv",
    "The parabolic cylinder function D_v(x), and its derivative.",
    2,
    2,
    unknown,
    lambda ans, v, x: (ans[1], (x * x / 4 - v - 0.5) * ans[0]),
)
pbvv = special_pair(
    "pbvv",
    "The parabolic cylinder function V_v(x), and its derivative.",
    2,
    2,
    unknown,
    lambda ans, v, x: (ans[1], (x * x / 4 - v - 0.5) * ans[0]),
)
pbwa = special_pair(
    "pbwa",
    "The parabolic cylinder function W(a, x), and its derivative.",
    2,
    2,
    unknown,
    lambda ans, a, x: (ans[1], (a - x * x / 4) * ans[0]),
)

# -- Mathieu functions (DLMF 28.2.1, 28.20.1) -----------------------------------------

DEGREE = math.pi / 180

mathieu_a = special(
    "mathieu_a", "The characteristic value of even solutions.", unknown, unknown
)
mathieu_b = special(
    "mathieu_b", "The characteristic value of odd solutions.", unknown, unknown
)


def angular(characteristic):
    """Return the slope in x, an angle in degrees, of a Mathieu function."""

    def slope(ans, m, q, x):
        value = characteristic(m, q)
        second = (2 * q * cos(2 * DEGREE * x) - value) * ans[0]
        return ans[1] * DEGREE, second * DEGREE

    return slope


def radial(characteristic):
    """Return the slope in x of a modified Mathieu function."""

    def slope(ans, m, q, x):
        value = characteristic(m, q)
        return ans[1], (value - 2 * q * cosh(2 * x)) * ans[0]

    return slope


def mathieu(name, slope):
    """Return the primitive of a Mathieu function and its derivative."""
    doc = "A Mathieu function of order m and parameter q, and its derivative in x."
    return special_pair(name, doc, 3, 2, unknown, unknown, slope)


mathieu_cem = mathieu("mathieu_cem", angular(mathieu_a))
mathieu_sem = mathieu("mathieu_sem", angular(mathieu_b))
mathieu_modcem1 = mathieu("mathieu_modcem1", radial(mathieu_a))
mathieu_modcem2 = mathieu("mathieu_modcem2", radial(mathieu_a))
mathieu_modsem1 = mathieu("mathieu_modsem1", radial(mathieu_b))
mathieu_modsem2 = mathieu("mathieu_modsem2", radial(mathieu_b))

# -- scaled Airy functions ------------------------------------------------------------


def airye_slope(ans, x):
    """Return the derivatives for real x: scaled by exp(+-2/3 x^(3/2)) for x > 0."""
    real_only("airye", x)
    root = sqrt(where(x > 0, x, 0.0))
    ai, aip, bi, bip = ans  # the first two are NaN for x < 0
    return (
        aip + root * ai,
        x * ai + root * aip,
        bip - root * bi,
        x * bi - root * bip,
    )


airye = special_pair("airye", "The scaled Airy functions.", 1, 4, airye_slope)

# -- integrals of Bessel functions -----------------------------------------------------

itj0y0 = special_pair(
    "itj0y0", "Integrals of J_0 and Y_0 from 0.", 1, 2, lambda ans, x: (j0(x), y0(x))
)
iti0k0 = special_pair(
    "iti0k0", "Integrals of I_0 and K_0 from 0.", 1, 2, lambda ans, x: (i0(x), k0(x))
)
it2j0y0 = special_pair(
    "it2j0y0",
    "Integrals of (1 - J_0(t)) / t from 0 to x, and of Y_0(t) / t from x.",
    1,
    2,
    lambda ans, x: (over(1 - j0(x), x), -y0(x) / x),
)
it2i0k0 = special_pair(
    "it2i0k0",
    "Integrals of (I_0(t) - 1) / t from 0 to x, and of K_0(t) / t from x.",
    1,
    2,
    lambda ans, x: (over(i0(x) - 1, x), -k0(x) / x),
)
itstruve0 = special(
    "itstruve0", "The integral of H_0 from 0.", lambda ans, x: struve(0, x)
)
it2struve0 = special(
    "it2struve0",
    "The integral of H_0(t) / t from x.",
    lambda ans, x: -over_x(struve(0, x), x, 2 / math.pi),
)
itmodstruve0 = special(
    "itmodstruve0", "The integral of L_0 from 0.", lambda ans, x: modstruve(0, x)
)

# -- modified Fresnel integrals -------------------------------------------------------


def modfresnel(name, i):
    """Return the primitive of F(x), the integral of exp(i t^2) from x, and of K(x).

    `i` is either square root of -1.
    """
    turn = np.exp(-i * math.pi / 4) / math.sqrt(math.pi)
    return special_pair(
        name,
        "Modified Fresnel integrals F and K. SciPy has an error in F of x < 0.",
        1,
        2,
        lambda ans, x: (
            -exp(i * (x * x)),
            -2 * i * x * ans[1] - turn,
        ),
    )


modfresnelp = modfresnel("modfresnelp", 1j)
modfresnelm = modfresnel("modfresnelm", -1j)
