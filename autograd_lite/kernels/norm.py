"""Batch normalisation over the rows of an `(m, c)` array.

Rows are taken in blocks whose size depends on c alone. Sums over a block are formed
while it is in the cache and combined in order and in float64, so that statistics are
accurate where the mean is large, and do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import prange

from . import memory
from .jit import CHUNK, PARALLEL_FROM, elementwise, parallel, serial

Array: TypeAlias = np.ndarray[Any, Any]


def moments(x: Array) -> tuple[Array, Array]:
    """Return mean and (biased) variance of each column. x: (m, c) -> two of (c)

    Combines the blocks' moments as Chan, Golub and LeVeque, "Updating formulae and a
    pairwise algorithm for computing sample variances" (1979).
    """
    block = _block(x)
    partial = np.zeros((2, -(-x.shape[0] // block), x.shape[1]), np.float64)
    _moments(x, partial[0], partial[1], block)
    means, deviations = partial
    rows = np.full((len(means), 1), float(block))
    rows[-1] = x.shape[0] - block * (len(means) - 1)
    mean = (rows * means).sum(0) / x.shape[0]
    square = deviations.sum(0) + (rows * (means - mean) ** 2).sum(0)
    return mean.astype(x.dtype), (square / x.shape[0]).astype(x.dtype)


def normalise(x: Array, mean: Array, scale: Array, shift: Array) -> Array:
    """Return `(x - mean) * scale + shift`. x: (m, c), the others: (c)"""
    y = memory.empty_like(x)
    _normalise(x, mean, scale, shift, y)
    return y


def backward(
    g: Array,
    mean_bar: Array,
    variance_bar: Array,
    x: Array,
    mean: Array,
    inverse: Array,
    gamma: Array,
) -> tuple[Array, Array, Array]:
    """Return the cotangents of x, gamma and beta, given those of y, mean and variance.

    `inverse` is 1 / sqrt(variance + eps). S. Ioffe and C. Szegedy, 2015, "Batch
    Normalization", section 3. g, x: (m, c), the others: (c)
    """
    m, block = x.shape[0], _block(x)
    partial = np.zeros((2, -(-m // block), x.shape[1]), x.dtype)
    _correlate(g, x, mean, inverse, partial[0], partial[1], block)
    g_sum, gx_sum = partial.sum(1, dtype=np.float64)
    # x_bar = a * g - b * (x - mean) - c, with coefficients for each channel.
    a = gamma * inverse
    b = ((a * inverse * gx_sum - 2 * variance_bar) / m).astype(x.dtype)
    c = ((a * g_sum - mean_bar) / m).astype(x.dtype)
    x_bar = memory.empty_like(x)
    _combine(g, x, mean, a, b, c, x_bar)
    return x_bar, gx_sum.astype(x.dtype), g_sum.astype(x.dtype)


def _block(x: Array) -> int:
    return max(1, CHUNK // max(1, x.shape[1]))


@parallel
def _moments(x, means, deviations, block):
    if x.size < PARALLEL_FROM:
        for i in range(means.shape[0]):
            _block_moments(x[i * block : (i + 1) * block], means[i], deviations[i])
    else:
        for i in prange(means.shape[0]):
            _block_moments(x[i * block : (i + 1) * block], means[i], deviations[i])


@serial
def _block_moments(x, mean, deviation):
    total = np.zeros(x.shape[1], x.dtype)
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            total[k] += x[i, k]
    centre = total / x.dtype.type(x.shape[0])
    mean[:] = centre
    total[:] = 0
    residue = np.zeros_like(total)
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            d = x[i, k] - centre[k]
            total[k] += d * d
            residue[k] += d
    # What rounding left over in the mean is put back (Chan et al., section 4).
    for k in range(x.shape[1]):
        mean[k] += np.float64(residue[k]) / x.shape[0]
        deviation[k] = total[k] - np.float64(residue[k]) ** 2 / x.shape[0]


@parallel
def _normalise(x, mean, scale, shift, y):
    if x.size < PARALLEL_FROM:
        for i in range(x.shape[0]):
            _normalise_row(x[i], mean, scale, shift, y[i])
    else:
        for i in prange(x.shape[0]):
            _normalise_row(x[i], mean, scale, shift, y[i])


@elementwise
def _normalise_row(x, mean, scale, shift, y):
    for k in range(x.size):
        y[k] = (x[k] - mean[k]) * scale[k] + shift[k]


@parallel
def _correlate(g, x, mean, inverse, g_sums, gx_sums, block):
    if x.size < PARALLEL_FROM:
        for i in range(g_sums.shape[0]):
            at = slice(i * block, (i + 1) * block)
            _block_correlate(g[at], x[at], mean, inverse, g_sums[i], gx_sums[i])
    else:
        for i in prange(g_sums.shape[0]):
            at = slice(i * block, (i + 1) * block)
            _block_correlate(g[at], x[at], mean, inverse, g_sums[i], gx_sums[i])


@serial
def _block_correlate(g, x, mean, inverse, g_sum, gx_sum):
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            g_sum[k] += g[i, k]
        for k in range(x.shape[1]):
            gx_sum[k] += g[i, k] * (x[i, k] - mean[k])
    for k in range(x.shape[1]):
        gx_sum[k] *= inverse[k]


@parallel
def _combine(g, x, mean, a, b, c, x_bar):
    if x.size < PARALLEL_FROM:
        for i in range(x.shape[0]):
            _combine_row(g[i], x[i], mean, a, b, c, x_bar[i])
    else:
        for i in prange(x.shape[0]):
            _combine_row(g[i], x[i], mean, a, b, c, x_bar[i])


@elementwise
def _combine_row(g, x, mean, a, b, c, x_bar):
    for k in range(x.size):
        x_bar[k] = a[k] * g[k] - b[k] * (x[k] - mean[k]) - c[k]
