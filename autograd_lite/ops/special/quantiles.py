"""Inverses of distribution functions, in the point and in the parameters.

Each is the solution of F(...) = p in one argument, so that its derivatives are the
negative ratios of those of F: implicit differentiation.
"""

from __future__ import annotations

import math

from ..elementwise import exp, floor, log, sqrt, where
from .base import Slope, special, unknown
from .bessel import ive
from .distributions import chi2_slopes, f_slopes, gamma_slopes, t_density, t_slope
from .error import ndtri
from .incomplete import beta_density, betainc_moment, gamma_density
from .logistic import xlogy


def implicit(slopes: tuple[Slope, ...], solved: int, places: list[int]) -> list[Slope]:
    """Return the slopes of the inverse of F in its argument number `solved`.

    The inverse's arguments are the probability, -1, and those of F: `places` has the
    numbers, in the inverse's order.
    """

    def slope(place):
        def rule(ans, *args):
            given = dict(zip(places, args))
            point = [ans if i == solved else given[i] for i in range(len(slopes))]
            steepness = slopes[solved](None, *point)
            if place == -1:
                return 1 / steepness
            return -slopes[place](None, *point) / steepness

        return rule

    return [slope(place) for place in places]


T_SLOPES = (
    lambda ans, df, t: t_slope(df, t),
    lambda ans, df, t: t_density(df, t),
)
BETA_SLOPES = (
    lambda ans, a, b, x: betainc_moment(a, b, x, orders=(1, 0)),
    lambda ans, a, b, x: betainc_moment(a, b, x, orders=(0, 1)),
    lambda ans, a, b, x: beta_density(a, b, x),
)

stdtrit = special(
    "stdtrit",
    "The t with stdtr(df, t) = p: quantiles of Student's t.",
    *implicit(T_SLOPES, 1, [0, -1]),
)
stdtridf = special(
    "stdtridf", "The df with stdtr(df, t) = p.", *implicit(T_SLOPES, 0, [-1, 1])
)

chdtri = special(
    "chdtri", "The x with chdtrc(v, x) = p.", *implicit(chi2_slopes(-1), 1, [0, -1])
)
chdtriv = special(
    "chdtriv", "The v with chdtr(v, x) = p.", *implicit(chi2_slopes(1), 0, [-1, 1])
)

gdtrix = special(
    "gdtrix", "The x with gdtr(a, b, x) = p.", *implicit(gamma_slopes(1), 2, [0, 1, -1])
)
gdtria = special(
    "gdtria", "The a with gdtr(a, b, x) = p.", *implicit(gamma_slopes(1), 0, [-1, 1, 2])
)
gdtrib = special(
    "gdtrib", "The b with gdtr(a, b, x) = p.", *implicit(gamma_slopes(1), 1, [0, -1, 2])
)

fdtri = special(
    "fdtri", "The x with fdtr(n, d, x) = p.", *implicit(f_slopes(1), 2, [0, 1, -1])
)
fdtridfd = special(
    "fdtridfd", "The d with fdtr(n, d, x) = p.", *implicit(f_slopes(1), 1, [0, -1, 2])
)

btdtria = special(
    "btdtria", "The a with betainc(a, b, x) = p.", *implicit(BETA_SLOPES, 0, [-1, 1, 2])
)
btdtrib = special(
    "btdtrib", "The b with betainc(a, b, x) = p.", *implicit(BETA_SLOPES, 1, [0, -1, 2])
)

# -- the normal distribution ----------------------------------------------------------

ROOT_TWO_PI = math.sqrt(2 * math.pi)

nrdtrimn = special(
    "nrdtrimn",
    "The mean of a normal distribution with P(X <= x) = p.",
    lambda ans, p, std, x: -std * ROOT_TWO_PI * exp(ndtri(p) ** 2 / 2),
    lambda ans, p, std, x: -ndtri(p),
    lambda ans, p, std, x: 1.0,
)
nrdtrisd = special(
    "nrdtrisd",
    "The standard deviation of a normal distribution with P(X <= x) = p.",
    lambda ans, mean, p, x: -1 / ndtri(p),
    lambda ans, mean, p, x: -ans * ROOT_TWO_PI * exp(ndtri(p) ** 2 / 2) / ndtri(p),
    lambda ans, mean, p, x: 1 / ndtri(p),
)

# -- discrete distributions: no derivatives in the counts -----------------------------

bdtri = special(
    "bdtri",
    "The p with bdtr(k, n, p) = y; no derivatives in k and n.",
    unknown,
    unknown,
    lambda ans, k, n, y: -1 / beta_density(n - floor(k), floor(k) + 1, 1 - ans),
)
pdtri = special(
    "pdtri",
    "The mean m with pdtr(k, m) = y; no derivative in k.",
    unknown,
    lambda ans, k, y: -1 / gamma_density(floor(k) + 1, ans),
)
nbdtr = special(
    "nbdtr",
    "P(X <= k) failures before the n-th success; no derivatives in k and n.",
    unknown,
    unknown,
    lambda ans, k, n, p: beta_density(n, floor(k) + 1, p),
)
nbdtrc = special(
    "nbdtrc",
    "P(X > k) failures before the n-th success; no derivatives in k and n.",
    unknown,
    unknown,
    lambda ans, k, n, p: -beta_density(n, floor(k) + 1, p),
)
nbdtri = special(
    "nbdtri",
    "The p with nbdtr(k, n, p) = y; no derivatives in k and n.",
    unknown,
    unknown,
    lambda ans, k, n, y: 1 / beta_density(n, floor(k) + 1, ans),
)

# -- noncentral chi-square: no derivative in the degrees of freedom -------------------


def noncentral_density(x, df, nc):
    """Return the density of noncentral chi-square (DLMF 10.25 in R. Fisher's form)."""
    order, root = df / 2 - 1, sqrt(nc * x)
    scale = xlogy(order / 2, x / nc) - (sqrt(x) - sqrt(nc)) ** 2 / 2
    return exp(scale) * ive(order, root) / 2


chndtr = special(
    "chndtr",
    "P(X <= x) of noncentral chi-square; no derivative in df.",
    lambda ans, x, df, nc: noncentral_density(x, df, nc),
    unknown,
    lambda ans, x, df, nc: -noncentral_density(x, df + 2, nc),
)
chndtrix = special(
    "chndtrix",
    "The x with chndtr(x, df, nc) = p; no derivative in df.",
    lambda ans, p, df, nc: 1 / noncentral_density(ans, df, nc),
    unknown,
    lambda ans, p, df, nc: (
        noncentral_density(ans, df + 2, nc) / noncentral_density(ans, df, nc)
    ),
)

# -- Tukey's lambda -------------------------------------------------------------------


def tukey_slope(ans, x, lam):
    """Return the density, 1 / (p^(lam - 1) + (1 - p)^(lam - 1)), 0 beyond the ends."""
    inside = (ans > 0) & (ans < 1)
    p = where(inside, ans, 0.5)
    density = 1 / (exp((lam - 1) * log(p)) + exp((lam - 1) * log(1 - p)))
    return where(inside, density, 0.0)


tklmbda = special(
    "tklmbda",
    "The distribution function of Tukey's lambda; no derivative in lambda.",
    tukey_slope,
    unknown,
)
