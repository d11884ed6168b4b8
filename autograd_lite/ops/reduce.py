"""Reductions: mean, var, std, max, min, logsumexp (sum is in `basic`).

Each takes `axis`, a tuple of non-negative ints, and `keepdims`.
"""

from __future__ import annotations

import math

import numpy as np

from ..core import defjvp, defvjp, nondifferentiable, primitive
from ..policies import in_force
from .basic import broadcast_to, kept_shape, real, reshape, sum
from .batch import batch_along_axes
from .elementwise import conj, exp, over, where

__all__ = ["sum"]  # defined in basic, and part of this family


def count(shape, axis):
    """Return the number of elements that a reduction of `shape` over `axis` joins."""
    n = 1
    for i in axis:
        n *= shape[i]
    return n


def kept(y, x, axis):
    """Return a reduction's result, or its cotangent, as keepdims has it."""
    return reshape(y, shape=kept_shape(x.shape, axis))


# -- averages -------------------------------------------------------------------------


@primitive
def mean(x, *, axis, keepdims=False):
    """Return the mean over the axes `axis`."""
    if x.dtype.kind in "fc" and x.dtype.itemsize > 2:
        total = np.add.reduce(x, axis=axis, keepdims=keepdims)
        return total / count(x.shape, axis)
    return np.mean(x, axis=axis, keepdims=keepdims)


def _mean_vjp(ans, x, *, axis, keepdims=False):
    shape, n = x.shape, count(x.shape, axis)
    joined = kept_shape(shape, axis)
    return lambda g: broadcast_to(reshape(g / n, shape=joined), shape=shape)


defvjp(mean, _mean_vjp)
defjvp(mean, lambda x_dot, ans, x, **params: mean(x_dot, **params))


def deviation(x, axis):
    """Return x minus its mean over `axis`."""
    return x - mean(x, axis=axis, keepdims=True)


def per_sample(x, axis, ddof):
    """Return 1 / (n - ddof), as NumPy has it: infinite where there is no freedom."""
    freedom = count(x.shape, axis) - ddof
    return 1 / freedom if freedom > 0 else math.inf


@primitive
def var(x, *, axis, ddof=0, keepdims=False):
    """Return the variance over the axes `axis`."""
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


def _var_vjp(ans, x, *, axis, ddof=0, keepdims=False):
    scale = 2 * per_sample(x, axis, ddof)
    return lambda g: kept(g * scale, x, axis) * conj(deviation(x, axis))


def _var_jvp(x_dot, ans, x, *, axis, ddof=0, keepdims=False):
    scale = 2 * per_sample(x, axis, ddof)
    change = real(x_dot * conj(deviation(x, axis)))
    return scale * sum(change, axis=axis, keepdims=keepdims)


defvjp(var, _var_vjp)
defjvp(var, _var_jvp)


@primitive
def std(x, *, axis, ddof=0, keepdims=False):
    """Return the standard deviation over the axes `axis`."""
    return np.std(x, axis=axis, ddof=ddof, keepdims=keepdims)


def _std_vjp(ans, x, *, axis, ddof=0, keepdims=False):
    scale = per_sample(x, axis, ddof)
    at_zero = in_force().std0

    def pull(g):
        return kept(over(g * scale, ans, at_zero), x, axis) * conj(deviation(x, axis))

    return pull


def _std_jvp(x_dot, ans, x, *, axis, ddof=0, keepdims=False):
    scale = per_sample(x, axis, ddof)
    change = real(x_dot * conj(deviation(x, axis)))
    total = scale * sum(change, axis=axis, keepdims=keepdims)
    return over(total, ans, in_force().std0)


defvjp(std, _std_vjp)
defjvp(std, _std_jvp)

# -- extremes -------------------------------------------------------------------------


@nondifferentiable
def extremum_share(x, ans, *, axis):
    """Return for each element its share of the cotangent: ties split it evenly."""
    ans = ans.reshape(kept_shape(x.shape, axis))
    chosen = x == ans
    if np.isnan(ans).any():  # the NaNs were chosen
        chosen |= (x != x) & (ans != ans)
    return chosen / np.add.reduce(chosen, axis=axis, dtype=x.dtype, keepdims=True)


@nondifferentiable
def first_share(x, ans, *, axis):
    """Return 1 for the first extremum along the axes, in the order of C, else 0."""
    chosen = extremum_share.impl(x, ans, axis=axis) > 0
    last = tuple(range(x.ndim - len(axis), x.ndim))
    rows = np.moveaxis(chosen, axis, last)
    flat = rows.reshape(*rows.shape[: x.ndim - len(axis)], -1)
    first = np.zeros(flat.shape, x.dtype)
    if flat.size:
        np.put_along_axis(first, flat.argmax(-1)[..., None], 1, -1)
    return np.moveaxis(first.reshape(rows.shape), last, axis)


def _share():
    """Return what the policy in force makes of ties."""
    return first_share if in_force().ties == "first" else extremum_share


def _extremum_vjp(ans, x, *, axis, keepdims=False):
    share = _share()
    return lambda g: kept(g, x, axis) * share(x, ans, axis=axis)


def _extremum_jvp(x_dot, ans, x, *, axis, keepdims=False):
    change = x_dot * _share()(x, ans, axis=axis)
    return sum(change, axis=axis, keepdims=keepdims)


@primitive
def max(x, *, axis, keepdims=False):
    """Return the maximum over the axes `axis`; ties share the gradient evenly."""
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


defvjp(max, _extremum_vjp)
defjvp(max, _extremum_jvp)


@primitive
def min(x, *, axis, keepdims=False):
    """Return the minimum over the axes `axis`; ties share the gradient evenly."""
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims)


defvjp(min, _extremum_vjp)
defjvp(min, _extremum_jvp)

# -- exponentials ---------------------------------------------------------------------


@primitive
def logsumexp(x, *, axis, keepdims=False):
    """Return log(sum(exp(x))) over the axes `axis`, without overflow.

    An empty sum, or one of -inf alone, is -inf, and has zero gradient.
    """
    top = np.maximum.reduce(x.real, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    total = np.add.reduce(np.exp(x - top), axis=axis, keepdims=keepdims)
    with np.errstate(divide="ignore"):
        return np.log(total) + top.reshape(total.shape)


def softmax_of(x, ans, axis):
    """Return exp(x - logsumexp(x)), and zeros where the sum is empty."""
    ans = kept(ans, x, axis)
    return exp(x - where(ans == -np.inf, 0.0, ans))


def _logsumexp_vjp(ans, x, *, axis, keepdims=False):
    return lambda g: kept(g, x, axis) * softmax_of(x, ans, axis)


def _logsumexp_jvp(x_dot, ans, x, *, axis, keepdims=False):
    change = x_dot * softmax_of(x, ans, axis)
    return sum(change, axis=axis, keepdims=keepdims)


defvjp(logsumexp, _logsumexp_vjp)
defjvp(logsumexp, _logsumexp_jvp)

batch_along_axes(mean, var, std, max, min, logsumexp)
batch_along_axes(extremum_share, first_share)
