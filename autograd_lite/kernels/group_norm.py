"""Normalisation of groups of channels, for each item by itself, and its gradient.

An item is `(m, c)`: the pixels of an image, or one row of a matrix (m = 1). Its c
channels are split into groups, each normalised over its channels and all pixels. One
group makes this layer normalisation, c groups instance normalisation.

Items are independent, so the number of threads doesn't change the result. Sums are in
float64, by channel, which is the axis of the vectors.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numba import prange

from . import memory
from .denormals import flush, restore
from .jit import CHUNK, PARALLEL_FROM, elementwise, parallel, serial

Array: TypeAlias = np.ndarray[Any, Any]

# Channels up to which a sum in the dtype of the array is accurate enough.
LONGEST_ROW: Final = 1 << 12


def normalise(
    x: Array, gamma: Array, beta: Array, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """Return `gamma * (x - mean) / sqrt(variance + eps) + beta`, mean, and 1 / sqrt.

    x: (n, m, c), gamma, beta: (c) -> (n, m, c), (n, groups), (n, groups)

    Example:
        >>> x = np.array([[[1.0, 3.0]]])
        >>> normalise(x, np.ones(2), np.zeros(2), 1, 0.0)[0]
        array([[[-1.,  1.]]])
    """
    y = memory.empty_like(x)
    mean = np.empty((x.shape[0], groups), x.dtype)
    inverse = np.empty_like(mean)
    block = _block(x)
    arrays = [np.ascontiguousarray(a, x.dtype) for a in (x, gamma, beta)]
    _normalise(*arrays, y, mean, inverse, float(eps), block)
    return y, mean, inverse


def backward(
    g: Array, x: Array, gamma: Array, mean: Array, inverse: Array
) -> tuple[Array, Array, Array]:
    """Return the cotangents of x, gamma and beta, given that of y.

    g, x: (n, m, c), gamma: (c), mean, inverse: (n, groups)
    """
    block = _block(x)
    partial = np.zeros((2, -(-x.shape[0] // block), x.shape[2]), np.float64)
    x_bar = memory.empty_like(x)
    arrays = [np.ascontiguousarray(a, x.dtype) for a in (g, x, gamma, mean, inverse)]
    _backward(*arrays, x_bar, partial, block)
    gamma_bar, beta_bar = partial.sum(1).astype(x.dtype)
    return x_bar, gamma_bar, beta_bar


def _block(x: Array) -> int:
    """Return how many items a task has; it depends on their size alone."""
    return max(1, CHUNK // max(1, x.shape[1] * x.shape[2]))


@serial
def _spread_groups(sums, count, groups):
    """Replace sums by channel by the mean of the channel's group."""
    width = sums.size // groups
    for group in range(groups):
        total = 0.0
        for k in range(group * width, (group + 1) * width):
            total += sums[k]
        for k in range(group * width, (group + 1) * width):
            sums[k] = total / (count * width)


@serial
def _moments(x, mean, variance, groups):
    """Write each channel's mean and variance, those of its group. x: (m, c)"""
    mean[:] = 0
    variance[:] = 0
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            mean[k] += x[i, k]
    _spread_groups(mean, x.shape[0], groups)
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            d = x[i, k] - mean[k]
            variance[k] += d * d
    _spread_groups(variance, x.shape[0], groups)


@elementwise
def _scale_and_shift(x, mean, scale, shift, y):
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            y[i, k] = (x[i, k] - mean[k]) * scale[k] + shift[k]


@serial
def _normalise_rows(x, gamma, beta, y, means, inverses, eps, first, last):
    """Normalise items of one row and one group: sums run along the vectors."""
    c = x.shape[2]
    for n in range(first, last):
        total = x.dtype.type(0)
        for k in range(c):
            total += x[n, 0, k]
        mean = total / x.dtype.type(c)
        total = x.dtype.type(0)
        for k in range(c):
            total += (x[n, 0, k] - mean) * (x[n, 0, k] - mean)
        inverse = x.dtype.type(1 / np.sqrt(total / c + eps))
        means[n, 0], inverses[n, 0] = mean, inverse
        for k in range(c):
            y[n, 0, k] = (x[n, 0, k] - mean) * (inverse * gamma[k]) + beta[k]


@serial
def _normalise_items(x, gamma, beta, y, means, inverses, eps, first, last):
    modes = flush()
    groups = means.shape[1]
    if groups == x.shape[1] == 1 and x.shape[2] <= LONGEST_ROW:
        _normalise_rows(x, gamma, beta, y, means, inverses, eps, first, last)
        restore(modes)
        return
    c = x.shape[2]
    width = max(1, c // groups)
    mean, scale = np.empty(c), np.empty(c)
    near, factor = np.empty(c, x.dtype), np.empty(c, x.dtype)
    for n in range(first, last):
        _moments(x[n], mean, scale, groups)
        for k in range(c):
            scale[k] = 1 / np.sqrt(scale[k] + eps)
            near[k] = mean[k]
            factor[k] = scale[k] * gamma[k]
        for group in range(groups):
            means[n, group] = mean[group * width]
            inverses[n, group] = scale[group * width]
        _scale_and_shift(x[n], near, factor, beta, y[n])
    restore(modes)


@parallel
def _normalise(x, gamma, beta, y, means, inverses, eps, block):
    n = x.shape[0]
    tasks = (n + block - 1) // block
    if x.size < PARALLEL_FROM:
        _normalise_items(x, gamma, beta, y, means, inverses, eps, 0, n)
    else:
        for task in prange(tasks):
            first = np.int64(task) * block
            last = min(n, first + block)
            _normalise_items(x, gamma, beta, y, means, inverses, eps, first, last)


@elementwise
def _combine(g, x, gamma, mean, inverse, a, b, x_bar):
    """Write inverse * (gamma * g - a - z * b), z the normalised x."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            z = (x[i, k] - mean[k]) * inverse[k]
            x_bar[i, k] = inverse[k] * (gamma[k] * g[i, k] - a[k] - z * b[k])


@serial
def _backward_rows(g, x, gamma, means, inverses, x_bar, gz_sum, g_sum, first, last):
    """Compute cotangents of items of one row and one group."""
    c = x.shape[2]
    gz_part, g_part = np.zeros(c, x.dtype), np.zeros(c, x.dtype)
    for n in range(first, last):
        mean, inverse = means[n, 0], inverses[n, 0]
        a, b = x.dtype.type(0), x.dtype.type(0)
        for k in range(c):
            z = (x[n, 0, k] - mean) * inverse
            a += gamma[k] * g[n, 0, k]
            b += gamma[k] * g[n, 0, k] * z
        a, b = a / x.dtype.type(c), b / x.dtype.type(c)
        for k in range(c):
            z = (x[n, 0, k] - mean) * inverse
            x_bar[n, 0, k] = inverse * (gamma[k] * g[n, 0, k] - a - z * b)
        for k in range(c):
            gz_part[k] += g[n, 0, k] * ((x[n, 0, k] - mean) * inverse)
            g_part[k] += g[n, 0, k]
    gz_sum += gz_part
    g_sum += g_part


@serial
def _backward_items(g, x, gamma, means, inverses, x_bar, gz_sum, g_sum, first, last):
    modes = flush()
    groups = means.shape[1]
    if groups == x.shape[1] == 1 and x.shape[2] <= LONGEST_ROW:
        rest = (gz_sum, g_sum, first, last)
        _backward_rows(g, x, gamma, means, inverses, x_bar, *rest)
        restore(modes)
        return
    c = x.shape[2]
    width = max(1, c // groups)
    mean, inverse = np.empty(c, x.dtype), np.empty(c, x.dtype)
    a, b = np.empty(c), np.empty(c)
    near_a, near_b = np.empty(c, x.dtype), np.empty(c, x.dtype)
    for n in range(first, last):
        for group in range(groups):
            mean[group * width : (group + 1) * width] = means[n, group]
            inverse[group * width : (group + 1) * width] = inverses[n, group]
        a[:] = 0
        b[:] = 0
        for i in range(x.shape[1]):
            for k in range(c):
                a[k] += g[n, i, k]
                b[k] += g[n, i, k] * (x[n, i, k] - mean[k])
        for k in range(c):
            b[k] *= inverse[k]
            g_sum[k] += a[k]
            gz_sum[k] += b[k]
            a[k] *= gamma[k]
            b[k] *= gamma[k]
        _spread_groups(a, x.shape[1], groups)
        _spread_groups(b, x.shape[1], groups)
        near_a[:] = a
        near_b[:] = b
        _combine(g[n], x[n], gamma, mean, inverse, near_a, near_b, x_bar[n])
    restore(modes)


@parallel
def _backward(g, x, gamma, means, inverses, x_bar, partial, block):
    n = x.shape[0]
    if x.size < PARALLEL_FROM:
        for task in range(partial.shape[1]):
            first = task * block
            gz_sum, g_sum = partial[0, task], partial[1, task]
            rest = (gz_sum, g_sum, first, min(n, first + block))
            _backward_items(g, x, gamma, means, inverses, x_bar, *rest)
    else:
        for task in prange(partial.shape[1]):
            first = np.int64(task) * block
            gz_sum, g_sum = partial[0, task], partial[1, task]
            rest = (gz_sum, g_sum, first, min(n, first + block))
            _backward_items(g, x, gamma, means, inverses, x_bar, *rest)
