"""Distribution functions: chi-square, gamma, Poisson, t, F and binomial.

Each is an incomplete gamma or beta function of other arguments, and so are its
derivatives.
"""

from __future__ import annotations

from ..elementwise import exp, floor, log1p, sign
from .base import special, unknown
from .gamma import betaln
from .incomplete import beta_density, betainc_moment, gamma_density, gammainc_moment

# -- incomplete gamma functions -------------------------------------------------------


def chi2_slopes(tail):
    """Return the derivatives of P(v / 2, x / 2), or of Q = 1 - P with tail = -1."""
    return (
        lambda ans, v, x: tail / 2 * gammainc_moment(v / 2, x / 2, order=1),
        lambda ans, v, x: tail / 2 * gamma_density(v / 2, x / 2),
    )


chdtr = special("chdtr", "P(X <= x) of chi-square with v freedoms.", *chi2_slopes(1))
chdtrc = special("chdtrc", "P(X > x) of chi-square with v freedoms.", *chi2_slopes(-1))


def gamma_slopes(tail):
    """Return the derivatives of P(b, a x), or of Q = 1 - P with tail = -1."""
    return (
        lambda ans, a, b, x: tail * x * gamma_density(b, a * x),
        lambda ans, a, b, x: tail * gammainc_moment(b, a * x, order=1),
        lambda ans, a, b, x: tail * a * gamma_density(b, a * x),
    )


gdtr = special("gdtr", "P(X <= x) of gamma: rate a, shape b.", *gamma_slopes(1))
gdtrc = special("gdtrc", "P(X > x) of gamma: rate a, shape b.", *gamma_slopes(-1))

# The sum of Poisson's weights up to k is Q(k + 1, m) (DLMF 8.4.10).
pdtr = special(
    "pdtr",
    "P(X <= k) of Poisson with mean m; no derivative in the count k.",
    unknown,
    lambda ans, k, m: -gamma_density(floor(k) + 1, m),
)

pdtrc = special(
    "pdtrc",
    "P(X > k) of Poisson with mean m; no derivative in the count k.",
    unknown,
    lambda ans, k, m: gamma_density(floor(k) + 1, m),
)

# -- incomplete beta functions --------------------------------------------------------


def t_density(df, t):
    """Return the density of Student's t."""
    norm = betaln(df / 2, 0.5)
    return exp(-norm - (df + 1) / 2 * log1p(t * t / df)) / df**0.5


def t_slope(df, t):
    """Return the derivative of stdtr in df: of I_x(df/2, 1/2), x = df / (df + t^2)."""
    total = df + t * t
    x = df / total
    in_a = betainc_moment(df / 2, 0.5, x, orders=(1, 0)) / 2
    in_x = beta_density(df / 2, 0.5, x) * (t / total) ** 2
    return -sign(t) / 2 * (in_a + in_x)


stdtr = special(
    "stdtr",
    "P(T <= t) of Student's t with df freedoms.",
    lambda ans, df, t: t_slope(df, t),
    lambda ans, df, t: t_density(df, t),
)


def f_slopes(tail):
    """Return the derivatives of I_z(n/2, d/2) at z = n x / (n x + d), times `tail`."""

    def rule(orders, dz):
        def slope(ans, n, d, x):
            total = n * x + d
            z = n * x / total
            change = beta_density(n / 2, d / 2, z) * dz(n, d, x) / total**2
            if orders is not None:
                change = change + betainc_moment(n / 2, d / 2, z, orders=orders) / 2
            return tail * change

        return slope

    return (
        rule((1, 0), lambda n, d, x: x * d),
        rule((0, 1), lambda n, d, x: -n * x),
        rule(None, lambda n, d, x: n * d),
    )


fdtr = special("fdtr", "P(X <= x) of F with dfn, dfd freedoms.", *f_slopes(1))
fdtrc = special("fdtrc", "P(X > x) of F with dfn, dfd freedoms.", *f_slopes(-1))

# The sum of binomial weights up to k is I_{1-p}(n - k, k + 1) (DLMF 8.17.5).
bdtr = special(
    "bdtr",
    "P(X <= k) of n trials with probability p; no derivatives in k and n.",
    unknown,
    unknown,
    lambda ans, k, n, p: -beta_density(n - floor(k), floor(k) + 1, 1 - p),
)

bdtrc = special(
    "bdtrc",
    "P(X > k) of n trials with probability p; no derivatives in k and n.",
    unknown,
    unknown,
    lambda ans, k, n, p: beta_density(n - floor(k), floor(k) + 1, 1 - p),
)
