"""Elementwise primitives: arithmetic, powers, exponentials, trigonometry, comparisons.

Each is a NumPy ufunc with its rules; the engine undoes broadcasting and promotion. The
rules hold for complex numbers too: cotangents follow JAX and HIPS autograd, where a
holomorphic function multiplies by its derivative, without conjugation.
"""

from __future__ import annotations

import math

import numpy as np

from ..core import defjvp, defvjp, elementwise, nondifferentiable
from ..policies import in_force
from .basic import Ufunc, add, derivative, real
from .batch import batch_broadcasts

__all__ = ["add", "real"]  # defined in basic, and part of this family

PI = math.pi
LN2 = math.log(2)
LN10 = math.log(10)

# -- comparisons, integers and steps: constants to derivatives ------------------------

equal = Ufunc(np.equal, differentiable=False)
not_equal = Ufunc(np.not_equal, differentiable=False)
less = Ufunc(np.less, differentiable=False)
less_equal = Ufunc(np.less_equal, differentiable=False)
greater = Ufunc(np.greater, differentiable=False)
greater_equal = Ufunc(np.greater_equal, differentiable=False)
logical_and = Ufunc(np.logical_and, differentiable=False)
logical_or = Ufunc(np.logical_or, differentiable=False)
logical_xor = Ufunc(np.logical_xor, differentiable=False)
logical_not = Ufunc(np.logical_not, differentiable=False)
bitwise_and = Ufunc(np.bitwise_and, differentiable=False)
bitwise_or = Ufunc(np.bitwise_or, differentiable=False)
bitwise_xor = Ufunc(np.bitwise_xor, differentiable=False)
invert = Ufunc(np.invert, differentiable=False)
left_shift = Ufunc(np.left_shift, differentiable=False)
right_shift = Ufunc(np.right_shift, differentiable=False)
bitwise_count = Ufunc(np.bitwise_count, differentiable=False)
gcd = Ufunc(np.gcd, differentiable=False)
lcm = Ufunc(np.lcm, differentiable=False)
isnat = Ufunc(np.isnat, differentiable=False)
isfinite = Ufunc(np.isfinite, differentiable=False)
isinf = Ufunc(np.isinf, differentiable=False)
isnan = Ufunc(np.isnan, differentiable=False)
signbit = Ufunc(np.signbit, differentiable=False)
floor = Ufunc(np.floor, differentiable=False)
ceil = Ufunc(np.ceil, differentiable=False)
trunc = Ufunc(np.trunc, differentiable=False)
rint = Ufunc(np.rint, differentiable=False)
floor_divide = Ufunc(np.floor_divide, differentiable=False)
spacing = Ufunc(np.spacing, differentiable=False)
nextafter = Ufunc(np.nextafter)  # x and a step that is constant but for its jumps
derivative(nextafter, lambda ans, x, y: lambda g: g, None)

# -- choosing -------------------------------------------------------------------------


@elementwise
def where(condition, x, y):
    """Return x where the condition holds, else y."""
    return np.where(condition, x, y)


derivative(
    where,
    None,
    lambda ans, c, x, y: lambda g: where(c, g, 0.0),
    lambda ans, c, x, y: lambda g: where(c, 0.0, g),
)


@nondifferentiable
def tie_share(ans, x, y):
    """Return x's share of a cotangent where ans is x or y: one half in a tie.

    A NaN counts as the one that was chosen.
    """
    chosen = (x == ans) | ((x != x) & (ans != ans))
    other = (y == ans) | ((y != y) & (ans != ans))
    return chosen / np.add(chosen, other, dtype=ans.dtype)


batch_broadcasts(tie_share)


def _of_first(ans, x, y):
    if in_force().ties == "first":
        return lambda g: where(_is_chosen(x, ans), g, 0.0)
    return lambda g: g * tie_share(ans, x, y)


def _of_second(ans, x, y):
    if in_force().ties == "first":
        return lambda g: where(_is_chosen(x, ans), 0.0, g)
    return lambda g: g * tie_share(ans, y, x)


def _is_chosen(x, ans):
    return (x == ans) | ((x != x) & (ans != ans))


def extremum(fun):
    """Return the primitive for maximum, minimum, fmax or fmin, which split ties."""
    chosen = Ufunc(fun)
    derivative(chosen, _of_first, _of_second)
    return chosen


maximum = extremum(np.maximum)
minimum = extremum(np.minimum)
fmax = extremum(np.fmax)
fmin = extremum(np.fmin)


@elementwise
def clip(x, low, high):
    """Return x limited to the closed interval from low to high."""
    return np.minimum(np.maximum(x, low), high)


def _at_edges(inner, outer, share, low_edge, high_edge):
    """Return the pullback of clip that takes its share of the gradient at edges."""
    edge = outer & (low_edge | high_edge)
    return lambda g: where(edge, share * g, where(inner, g, 0.0))


def _clip_x(ans, x, low, high):
    inside, share = (x >= low) & (x <= high), in_force().clip_edge
    if share != 1:
        return _at_edges(inside, inside, share, x == low, x == high)
    return lambda g: where(inside, g, 0.0)


def _clip_low(ans, x, low, high):
    below, share = (x < low) & (low <= high), 1 - in_force().clip_edge
    if share:
        return _at_edges(below, low <= high, share, x == low, False)
    return lambda g: where(below, g, 0.0)


def _clip_high(ans, x, low, high):
    above, share = (x > high) | (low > high), 1 - in_force().clip_edge
    if share:
        return _at_edges(above, low < high, share, False, x == high)
    return lambda g: where(above, g, 0.0)


derivative(clip, _clip_x, _clip_low, _clip_high)


def over(x, y, at_zero=0):
    """Return x / y, and `at_zero` where y is zero.

    For gradients at points such as abs(0) and hypot(0, 0).
    """
    zero = y == 0
    return where(zero, float(at_zero), x / where(zero, 1.0, y))


# -- arithmetic -----------------------------------------------------------------------

subtract = Ufunc(np.subtract)
derivative(subtract, lambda ans, x, y: lambda g: g, lambda ans, x, y: lambda g: -g)

multiply = Ufunc(np.multiply)
derivative(
    multiply, lambda ans, x, y: lambda g: g * y, lambda ans, x, y: lambda g: g * x
)

divide = Ufunc(np.divide)
derivative(
    divide,
    lambda ans, x, y: lambda g: g / y,
    lambda ans, x, y: lambda g: -g * (ans / y),
)

negative = Ufunc(np.negative)
derivative(negative, lambda ans, x: lambda g: -g)

positive = Ufunc(np.positive)
derivative(positive, lambda ans, x: lambda g: g)

reciprocal = Ufunc(np.reciprocal)
derivative(reciprocal, lambda ans, x: lambda g: -g * (ans * ans))

remainder = Ufunc(np.remainder)
derivative(
    remainder,
    lambda ans, x, y: lambda g: g,
    lambda ans, x, y: lambda g: -g * floor_divide(x, y),
)

fmod = Ufunc(np.fmod)
derivative(
    fmod,
    lambda ans, x, y: lambda g: g,
    lambda ans, x, y: lambda g: -g * trunc(x / y),
)

# -- powers ---------------------------------------------------------------------------


def lowered(y):
    """Return the exponent of the derivative of x**y: y - 1, but 1 where y is 0.

    y * x**lowered(y) is then 0 for y = 0, at x = 0 as well.
    """
    if isinstance(y, (int, float)):
        return y - 1 if y else 1
    return where(y == 0, 1, y - 1)


def log_of_base(x):
    """Return log x, and 0 at x = 0, where 0**y does not depend on y > 0."""
    return log(where(x == 0, 1, x))


square = Ufunc(np.square)
derivative(square, lambda ans, x: lambda g: g * (2 * x))

power = Ufunc(np.power)
derivative(
    power,
    lambda ans, x, y: lambda g: g * (y * x ** lowered(y)),
    lambda ans, x, y: lambda g: g * (log_of_base(x) * ans),
)

float_power = Ufunc(np.float_power)
derivative(
    float_power,
    lambda ans, x, y: lambda g: g * (y * float_power(x, lowered(y))),
    lambda ans, x, y: lambda g: g * (log_of_base(x) * ans),
)

sqrt = Ufunc(np.sqrt)
derivative(sqrt, lambda ans, x: lambda g: g / (2 * ans))

cbrt = Ufunc(np.cbrt)
derivative(cbrt, lambda ans, x: lambda g: g / (3 * ans * ans))

# -- exponentials and logarithms ------------------------------------------------------

exp = Ufunc(np.exp)
derivative(exp, lambda ans, x: lambda g: g * ans)

exp2 = Ufunc(np.exp2)
derivative(exp2, lambda ans, x: lambda g: g * (LN2 * ans))

expm1 = Ufunc(np.expm1)
derivative(expm1, lambda ans, x: lambda g: g * (ans + 1))

log = Ufunc(np.log)
derivative(log, lambda ans, x: lambda g: g / x)

log2 = Ufunc(np.log2)
derivative(log2, lambda ans, x: lambda g: g / (LN2 * x))

log10 = Ufunc(np.log10)
derivative(log10, lambda ans, x: lambda g: g / (LN10 * x))

log1p = Ufunc(np.log1p)
derivative(log1p, lambda ans, x: lambda g: g / (1 + x))


def difference(x, ans):
    """Return x - ans, and x where ans is -inf: exp of it is then 0, not NaN."""
    return x - where(ans == -np.inf, 0.0, ans)


logaddexp = Ufunc(np.logaddexp)
derivative(
    logaddexp,
    lambda ans, x, y: lambda g: g * exp(difference(x, ans)),
    lambda ans, x, y: lambda g: g * exp(difference(y, ans)),
)

logaddexp2 = Ufunc(np.logaddexp2)
derivative(
    logaddexp2,
    lambda ans, x, y: lambda g: g * exp2(difference(x, ans)),
    lambda ans, x, y: lambda g: g * exp2(difference(y, ans)),
)

# -- trigonometry ---------------------------------------------------------------------

sin = Ufunc(np.sin)
cos = Ufunc(np.cos)
derivative(sin, lambda ans, x: lambda g: g * cos(x))

derivative(cos, lambda ans, x: lambda g: -g * sin(x))

tan = Ufunc(np.tan)
derivative(tan, lambda ans, x: lambda g: g * (1 + ans * ans))

arcsin = Ufunc(np.arcsin)
derivative(arcsin, lambda ans, x: lambda g: g / sqrt((1 - x) * (1 + x)))

arccos = Ufunc(np.arccos)
derivative(arccos, lambda ans, x: lambda g: -g / sqrt((1 - x) * (1 + x)))

arctan = Ufunc(np.arctan)
derivative(arctan, lambda ans, x: lambda g: g / (1 + x * x))

arctan2 = Ufunc(np.arctan2)


def _at_origin(convention, slope):
    """Return the rule whose slope is rise / run, (rise, run) = slope(ans, x, y)."""

    def maker(ans, x, y):
        at_zero = getattr(in_force(), convention)

        def pull(g):
            rise, run = slope(ans, x, y)
            return g * over(rise, run, at_zero)

        return pull

    return maker


derivative(
    arctan2,
    _at_origin("angle0", lambda ans, y, x: (x, x * x + y * y)),
    _at_origin("angle0", lambda ans, y, x: (-y, x * x + y * y)),
)

hypot = Ufunc(np.hypot)
derivative(
    hypot,
    _at_origin("norm0", lambda ans, x, y: (x, ans)),
    _at_origin("norm0", lambda ans, x, y: (y, ans)),
)

deg2rad = Ufunc(np.deg2rad)
derivative(deg2rad, lambda ans, x: lambda g: g * (PI / 180))

radians = Ufunc(np.radians)
derivative(radians, lambda ans, x: lambda g: g * (PI / 180))

rad2deg = Ufunc(np.rad2deg)
derivative(rad2deg, lambda ans, x: lambda g: g * (180 / PI))

degrees = Ufunc(np.degrees)
derivative(degrees, lambda ans, x: lambda g: g * (180 / PI))

sinh = Ufunc(np.sinh)
cosh = Ufunc(np.cosh)
derivative(sinh, lambda ans, x: lambda g: g * cosh(x))

derivative(cosh, lambda ans, x: lambda g: g * sinh(x))

tanh = Ufunc(np.tanh)
derivative(tanh, lambda ans, x: lambda g: g * (1 - ans * ans))

arcsinh = Ufunc(np.arcsinh)
derivative(arcsinh, lambda ans, x: lambda g: g / sqrt(x * x + 1))

arccosh = Ufunc(np.arccosh)
derivative(arccosh, lambda ans, x: lambda g: g / (sqrt(x - 1) * sqrt(x + 1)))

arctanh = Ufunc(np.arctanh)
derivative(arctanh, lambda ans, x: lambda g: g / ((1 - x) * (1 + x)))


@elementwise
def sinc(x):
    """Return sin(pi x) / (pi x), and 1 at 0."""
    return np.sinc(x)


def sinc_slope(x):
    """Return the derivative of sinc, near 0 by its series to keep its precision."""
    near = abs(x) < 0.01
    t = PI * x
    series = -PI * t / 3 * (1 - t * t / 10 * (1 - t * t / 28 * (1 - t * t / 54)))
    apart = where(near, 1.0, x)
    return where(near, series, (cos(PI * apart) - sinc(apart)) / apart)


derivative(sinc, lambda ans, x: lambda g: g * sinc_slope(x))

# -- magnitude, sign and bits ---------------------------------------------------------

phase = Ufunc(np.sign)


class Sign(Ufunc):
    """Steps of real numbers, without a gradient; of complex ones the phase z / |z|."""

    def __call__(self, *args, **params):
        """Return the sign or the phase of an array, a tracer or a number."""
        if args and getattr(args[0], "dtype", np.dtype(float)).kind == "c":
            return phase(*args, **params)
        return super().__call__(*args, **params)


sign = Sign(np.sign, differentiable=False)


def turning(direction, x, change):
    """Return i direction Im(change) / |x|, and zero where x is."""
    return over(direction * (1j * real(-1j * change)), absolute(x))


defvjp(phase, lambda ans, x: lambda g: turning(conj(ans), x, g * ans))
defjvp(phase, lambda x_dot, ans, x: turning(ans, x, x_dot * conj(ans)))


def direction(x, ans, at_zero):
    """Return the derivative of abs: sign(x), or conj(x) / abs(x); `at_zero` at zero."""
    if x.dtype.kind == "c":
        return over(conj(x), ans, at_zero)
    return where(x == 0, float(at_zero), sign(x)) if at_zero else sign(x)


def _absolute_vjp(ans, x):
    at_zero = in_force().abs0
    return lambda g: g * direction(x, ans, at_zero)


absolute = Ufunc(np.absolute)
defvjp(absolute, _absolute_vjp)
defjvp(absolute, lambda x_dot, ans, x: real(x_dot * direction(x, ans, in_force().abs0)))

fabs = Ufunc(np.fabs)
derivative(fabs, _absolute_vjp)

copysign = Ufunc(np.copysign)
derivative(copysign, lambda ans, x, y: lambda g: g * (sign(x) * sign(ans)), None)

heaviside = Ufunc(np.heaviside)
derivative(heaviside, None, lambda ans, x, h: lambda g: where(x == 0, g, 0.0))

ldexp = Ufunc(np.ldexp)
derivative(ldexp, lambda ans, x, n: lambda g: ldexp(g, n), None)


@elementwise
def nan_to_num(x, *, nan=0.0, posinf=None, neginf=None):
    """Return x with NaN and infinities replaced by finite numbers."""
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


defvjp(nan_to_num, lambda ans, x, **_: lambda g: where(isfinite(x), g, 0.0))
defjvp(nan_to_num, lambda x_dot, ans, x, **_: where(isfinite(x), x_dot, 0.0))

# -- complex numbers ------------------------------------------------------------------

conjugate = Ufunc(np.conjugate)
defvjp(conjugate, lambda ans, x: lambda g: conjugate(g))
defjvp(conjugate, lambda x_dot, ans, x: conjugate(x_dot))


def conj(x):
    """Return the conjugate; a real array itself, where NumPy would copy it."""
    return conjugate(x) if x.dtype.kind == "c" else x


@elementwise
def imag(x):
    """Return the imaginary part."""
    return np.imag(x)


defvjp(imag, lambda ans, x: lambda g: -1j * g)
defjvp(imag, lambda x_dot, ans, x: imag(x_dot))


@elementwise
def angle(x):
    """Return the angle of complex numbers, in radians."""
    return np.angle(x)


def angle_slope(x, at_zero):
    """Return s such that d(angle) = Re(s dx); zero for real numbers."""
    return over(-1j * conj(x), real(x * conj(x)), at_zero)


def _angle_vjp(ans, x):
    at_zero = in_force().angle0
    return lambda g: g * angle_slope(x, at_zero)


defvjp(angle, _angle_vjp)
defjvp(angle, lambda x_dot, ans, x: real(x_dot * angle_slope(x, in_force().angle0)))
