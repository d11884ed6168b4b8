"""Logistic functions, entropies, robust losses, and elementary functions made precise.

Where a product such as x log(y) is zero by convention, at x = 0, its derivatives are
zero by convention too; see `xlogy`.
"""

from __future__ import annotations

import math

from ..elementwise import absolute, clip, exp, hypot, log, over, sin, where
from .base import Special, series, special, switch

LN10, LN2 = math.log(10), math.log(2)
DEGREE = math.pi / 180

# -- logistic -------------------------------------------------------------------------

expit: Special = special(
    "expit", "1 / (1 + exp(-x)).", lambda ans, x: ans * expit(-x)
)  # not 1 - ans: that would be 0 for large x

logit = special("logit", "log(p / (1 - p)).", lambda ans, p: 1 / (p * (1 - p)))

log_expit = special("log_expit", "log(expit(x)).", lambda ans, x: expit(-x))

softplus = special(
    "softplus", "log(1 + exp(x)); in SciPy from 1.16 on.", lambda ans, x: expit(x)
)

# -- logarithms of what may be zero ---------------------------------------------------


def log_where_needed(x, y):
    """Return log(y), and 0 where both are 0: where x log(y) is 0 by convention."""
    return log(where((x == 0) & (y == 0), 1.0, y))


def ratio(x, y):
    """Return x / y, and 0 where x is 0, whatever y is."""
    nothing = x == 0
    return where(nothing, 0.0, x / where(nothing, 1.0, y))


xlogy = special(
    "xlogy",
    "x log(y), and 0 where x = 0. The derivative in y is 0 there, for y = 0 as well; "
    "that in x is log(y), and 0 where x = y = 0.",
    lambda ans, x, y: log_where_needed(x, y),
    lambda ans, x, y: ratio(x, y),
)

xlog1py = special(
    "xlog1py",
    "x log(1 + y), and 0 where x = 0; derivatives as those of xlogy.",
    lambda ans, x, y: log1p(where((x == 0) & (y == -1), 0.0, y)),
    lambda ans, x, y: ratio(x, 1 + y),
)

entr = special("entr", "-x log(x), and 0 at x = 0.", lambda ans, x: -log(x) - 1)

rel_entr = special(
    "rel_entr",
    "x log(x / y), and 0 where x = 0; derivatives are 0 where x = y = 0.",
    lambda ans, x, y: where((x == 0) & (y == 0), 0.0, log_of_ratio(x, y) + 1),
    lambda ans, x, y: -ratio(x, y),
)

kl_div = special(
    "kl_div",
    "x log(x / y) - x + y; derivatives are those of its terms.",
    lambda ans, x, y: log_of_ratio(x, y),
    lambda ans, x, y: 1 - ratio(x, y),
)


def log_of_ratio(x, y):
    """Return log(x / y), and 0 where both are 0."""
    nothing = (x == 0) & (y == 0)
    return log(where(nothing, 1.0, x) / where(nothing, 1.0, y))


# -- robust losses --------------------------------------------------------------------

huber = special(
    "huber",
    "r^2 / 2 for |r| <= delta, else delta (|r| - delta / 2).",
    lambda ans, delta, r: where(absolute(r) > delta, absolute(r) - delta, 0.0),
    lambda ans, delta, r: clip(r, -delta, delta),
)

pseudo_huber = special(
    "pseudo_huber",
    "delta^2 (sqrt(1 + (r / delta)^2) - 1).",
    lambda ans, delta, r: delta_slope(delta, r, hypot(delta, r)),
    lambda ans, delta, r: over(r * delta, hypot(delta, r)),
)


def delta_slope(delta, r, h):
    """Return 2 (h - delta) - r^2 / h with h = hypot(delta, r), without cancellation."""
    return over(r**4, h * (h + delta) ** 2)


# -- exponentials and powers ----------------------------------------------------------

expm1 = special("expm1", "exp(x) - 1.", lambda ans, x: ans + 1)

log1p: Special = special("log1p", "log(1 + x).", lambda ans, x: 1 / (1 + x))

exp2 = special("exp2", "2^x.", lambda ans, x: LN2 * ans)

exp10 = special("exp10", "10^x.", lambda ans, x: LN10 * ans)

cbrt = special("cbrt", "The cube root.", lambda ans, x: 1 / (3 * ans * ans))

powm1 = special(
    "powm1",
    "x^y - 1.",
    lambda ans, x, y: y * x ** (y - 1),
    lambda ans, x, y: log(x) * (ans + 1),
)

EXPREL_SLOPE = [(k + 1) / math.factorial(k + 2) for k in range(17)]


def exprel_slope(x):
    """Return the derivative of exprel, near 0 by its series."""
    return switch(
        absolute(x) < 0.5,
        x,
        lambda x: series(x, EXPREL_SLOPE),
        lambda x: (exp(x) - exprel(x)) / x,
        elsewhere=1.0,
    )


exprel = special("exprel", "(exp(x) - 1) / x.", lambda ans, x: exprel_slope(x))

LOG1PREL_SLOPE = [(-1) ** (k + 1) * (k + 1) / (k + 2) for k in range(18)]


def log1prel_slope(w):
    """Return the derivative of log1p(w) / w, near 0 by its series."""
    return switch(
        absolute(w) < 0.1,
        w,
        lambda w: series(w, LOG1PREL_SLOPE),
        lambda w: (w / (1 + w) - log1p(w)) / (w * w),
        elsewhere=1.0,
    )


# With L = log(x), boxcox(x, lam) = L exprel(lam L).
boxcox = special(
    "boxcox",
    "(x^lam - 1) / lam, and log(x) for lam = 0 (G. Box, D. Cox, 1964).",
    lambda ans, x, lam: x ** (lam - 1),
    lambda ans, x, lam: log(x) ** 2 * exprel_slope(lam * log(x)),
)

boxcox1p = special(
    "boxcox1p",
    "boxcox(1 + x, lam).",
    lambda ans, x, lam: exp((lam - 1) * log1p(x)),
    lambda ans, x, lam: log1p(x) ** 2 * exprel_slope(lam * log1p(x)),
)

inv_boxcox = special(
    "inv_boxcox",
    "The x with boxcox(x, lam) = y.",
    lambda ans, y, lam: ans ** (1 - lam),
    lambda ans, y, lam: ans * y**2 * log1prel_slope(lam * y),
)

inv_boxcox1p = special(
    "inv_boxcox1p",
    "The x with boxcox1p(x, lam) = y.",
    lambda ans, y, lam: (1 + ans) ** (1 - lam),
    lambda ans, y, lam: (1 + ans) * y**2 * log1prel_slope(lam * y),
)

# -- trigonometry ---------------------------------------------------------------------

cosm1 = special("cosm1", "cos(x) - 1.", lambda ans, x: -sin(x))

sindg = special("sindg", "The sine of degrees.", lambda ans, x: DEGREE * cosdg(x))

cosdg: Special = special(
    "cosdg", "The cosine of degrees.", lambda ans, x: -DEGREE * sindg(x)
)

tandg = special(
    "tandg", "The tangent of degrees.", lambda ans, x: DEGREE * (1 + ans * ans)
)

cotdg = special(
    "cotdg", "The cotangent of degrees.", lambda ans, x: -DEGREE * (1 + ans * ans)
)

radian = special(
    "radian",
    "Degrees, minutes and seconds in radians.",
    lambda ans, d, m, s: DEGREE,
    lambda ans, d, m, s: DEGREE / 60,
    lambda ans, d, m, s: DEGREE / 3600,
)
