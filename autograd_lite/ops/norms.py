"""Norms of vectors: the 2-norm and the p-norm. At zero their gradient is zero."""

from __future__ import annotations

import numpy as np

from ..core import defjvp, defvjp, primitive
from ..policies import in_force
from .basic import sum
from .batch import batch_along_axes
from .elementwise import absolute, conj, over, real, where
from .reduce import kept


@primitive
def norm(x, *, axis, keepdims=False):
    """Return the root of the sum of |x|**2 over the axes `axis`."""
    if len(axis) == x.ndim:
        return np.linalg.norm(x, keepdims=keepdims)
    return np.sqrt(np.add.reduce((x.conj() * x).real, axis=axis, keepdims=keepdims))


def _norm_vjp(ans, x, *, axis, keepdims=False):
    at_zero = in_force().norm0
    return lambda g: kept(over(g, ans, at_zero), x, axis) * conj(x)


def _norm_jvp(x_dot, ans, x, *, axis, keepdims=False):
    return over(_real_sum(x_dot * conj(x), axis, keepdims), ans, in_force().norm0)


def _real_sum(x, axis, keepdims):
    return sum(real(x) if x.dtype.kind == "c" else x, axis=axis, keepdims=keepdims)


defvjp(norm, _norm_vjp)
defjvp(norm, _norm_jvp)


@primitive
def power_norm(x, *, power, axis, keepdims=False):
    """Return the `power`-th root of the sum of |x|**power over one axis."""
    return np.linalg.norm(x, power, axis[0], keepdims)


def slope(x, ans, power, axis, at_zero):
    """Return the derivative of the p-norm; zero for elements of zero."""
    size = absolute(x)
    ratio = over(size, kept(ans, x, axis))
    usable = (ratio != 0) & (ratio < np.inf)
    factor = where(usable, where(usable, ratio, 1.0) ** (power - 1), 0.0)
    direction = factor * over(conj(x), size)
    return where(kept(ans, x, axis) == 0, at_zero, direction) if at_zero else direction


def _power_norm_vjp(ans, x, *, power, axis, keepdims=False):
    at_zero = in_force().norm0
    return lambda g: kept(g, x, axis) * slope(x, ans, power, axis, at_zero)


def _power_norm_jvp(x_dot, ans, x, *, power, axis, keepdims=False):
    change = x_dot * slope(x, ans, power, axis, in_force().norm0)
    return _real_sum(change, axis, keepdims)


defvjp(power_norm, _power_norm_vjp)
defjvp(power_norm, _power_norm_jvp)

batch_along_axes(norm, power_norm)
