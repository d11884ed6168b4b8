"""Batch normalisation over the rows of an `(m, c)` array, and ReLU in the same pass.

Rows are taken in blocks whose size depends on c alone. Sums over a block are formed
while it is in the cache and combined in order and in float64, so that statistics are
accurate where the mean is large, and do not depend on the number of threads.

Few channels make rows that are shorter than what LLVM unrolls: several are read as one,
with as many copies of what belongs to the channels.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numba import prange

from . import memory
from .denormals import flush, restore
from .jit import CHUNK, PARALLEL_FROM, elementwise, parallel, serial
from .moves import whole_registers

Array: TypeAlias = np.ndarray[Any, Any]

_WIDE = 256  # numbers in a row that is long enough


def moments(x: Array) -> tuple[Array, Array]:
    """Return mean and (biased) variance of each column. x: (m, c) -> two of (c)

    Combines the blocks' moments as Chan, Golub and LeVeque, "Updating formulae and a
    pairwise algorithm for computing sample variances" (1979).
    """
    joined, copies = _joined(x)
    block = _block(joined)
    partial = np.zeros((2, -(-joined.shape[0] // block), joined.shape[1]), np.float64)
    _moments(joined, partial[0], partial[1], block)
    last = joined.shape[0] - block * (partial.shape[1] - 1)
    each = partial.reshape(2, -1, copies, x.shape[1])
    mean, square = np.empty((2, x.shape[1]), np.float64)
    _combined_moments(each[0], each[1], block, last, mean, square)
    return mean.astype(x.dtype), (square / x.shape[0]).astype(x.dtype)


def normalise(
    x: Array, mean: Array, scale: Array, shift: Array, rectified: bool = False
) -> Array:
    """Return `(x - mean) * scale + shift`, or its ReLU. x: (m, c), the others: (c)"""
    y = memory.empty_like(x)
    joined, copies = _joined(x)
    each = [_copied(v, copies) for v in (mean, scale, shift)]
    _normalise(joined, *each, rectified, y.reshape(joined.shape), _block(joined))
    return y


def backward(
    g: Array,
    x: Array,
    mean: Array,
    inverse: Array,
    gamma: Array,
    beta: Array,
    rectified: bool = False,
) -> tuple[Array, Array, Array]:
    """Return the cotangents of x, gamma and beta, given that of y.

    `inverse` is 1 / sqrt(variance + eps). S. Ioffe and C. Szegedy, 2015, "Batch
    Normalization", section 3. g, x: (m, c), the others: (c)
    """
    m, c = x.shape
    (x, copies), (g, _) = _joined(x), _joined(g)
    scale, block = gamma * inverse, _block(x)
    each = [_copied(v, copies) for v in (mean, scale, beta)]
    partial = np.zeros((2, -(-x.shape[0] // block), x.shape[1]), x.dtype)
    _correlate(g, x, *each, rectified, *partial, block)
    g_sum, gx_sum = np.zeros((2, c), np.float64)
    _add_rows(partial[0].reshape(-1, c), g_sum)
    _add_rows(partial[1].reshape(-1, c), gx_sum)
    gx_sum *= inverse
    # x_bar = scale * g - slope * (x - mean) - offset, for each channel.
    slope = _copied((scale * inverse * gx_sum / m).astype(x.dtype), copies)
    offset = _copied((scale * g_sum / m).astype(x.dtype), copies)
    x_bar = memory.empty((m, c), x.dtype)
    _combine(g, x, *each, rectified, slope, offset, x_bar.reshape(x.shape), block)
    return x_bar, gx_sum.astype(x.dtype), g_sum.astype(x.dtype)


def _joined(x: Array) -> tuple[Array, int]:
    """Return x with some rows in one, and how many: a power of 2 that divides m."""
    m, c = x.shape
    most = max(1, _WIDE // max(1, c))
    copies = math.gcd(m, 1 << (most.bit_length() - 1)) or 1
    return x.reshape(m // copies, c * copies), copies


def _copied(v: Array, copies: int) -> Array:
    """Return a vector so many times in one."""
    return v if copies == 1 else np.broadcast_to(v, (copies, v.size)).reshape(-1)


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
    modes = flush()
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
    restore(modes)


@serial
def _combined_moments(means, deviations, block, last, mean, square):
    """Combine the moments of parts, (parts, copies, c), to mean and square: (c).

    A copy in a part stands for `block` rows, in the last part for `last`.
    """
    parts, copies, c = means.shape
    total = float(copies * (block * (parts - 1) + last))
    mean[:] = 0
    for i in range(parts):
        share = (last if i == parts - 1 else block) / total
        for j in range(copies):
            for k in range(c):
                mean[k] += share * means[i, j, k]
    square[:] = 0
    for i in range(parts):
        rows = last if i == parts - 1 else block
        for j in range(copies):
            for k in range(c):
                apart = means[i, j, k] - mean[k]
                square[k] += deviations[i, j, k] + rows * apart * apart


@serial
def _add_rows(x, total):
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            total[k] += x[i, k]


@elementwise
def _at(x, mean, scale, shift):
    """Return a normalised number: to the bit the same forward and backward."""
    return (x - mean) * scale + shift


@parallel
def _normalise(x, mean, scale, shift, rectified, y, block):
    if x.size < PARALLEL_FROM:
        _block_normalise(x, mean, scale, shift, rectified, y)
    else:
        for i in prange((x.shape[0] + block - 1) // block):
            at = slice(i * block, (i + 1) * block)
            _block_normalise(x[at], mean, scale, shift, rectified, y[at])


@elementwise
def _block_normalise(x, mean, scale, shift, rectified, y):
    whole_registers()
    modes = flush()
    zero = x.dtype.type(0)
    for i in range(x.shape[0]):
        if rectified:
            for k in range(x.shape[1]):
                value = _at(x[i, k], mean[k], scale[k], shift[k])
                y[i, k] = zero if value <= zero else value
        else:
            for k in range(x.shape[1]):
                y[i, k] = _at(x[i, k], mean[k], scale[k], shift[k])
    restore(modes)


@parallel
def _correlate(g, x, mean, scale, shift, rectified, g_sums, gx_sums, block):
    if x.size < PARALLEL_FROM:
        for i in range(g_sums.shape[0]):
            at = slice(i * block, (i + 1) * block)
            sums = g_sums[i], gx_sums[i]
            _block_correlate(g[at], x[at], mean, scale, shift, rectified, *sums)
    else:
        for i in prange(g_sums.shape[0]):
            at = slice(i * block, (i + 1) * block)
            sums = g_sums[i], gx_sums[i]
            _block_correlate(g[at], x[at], mean, scale, shift, rectified, *sums)


@elementwise
def _block_correlate(g, x, mean, scale, shift, rectified, g_sum, gx_sum):
    whole_registers()
    modes = flush()
    zero = x.dtype.type(0)
    for i in range(x.shape[0]):
        if rectified:
            for k in range(x.shape[1]):
                value = _at(x[i, k], mean[k], scale[k], shift[k])
                received = zero if value <= zero else g[i, k]
                g_sum[k] += received
                gx_sum[k] += received * (x[i, k] - mean[k])
        else:
            for k in range(x.shape[1]):
                g_sum[k] += g[i, k]
                gx_sum[k] += g[i, k] * (x[i, k] - mean[k])
    restore(modes)


@parallel
def _combine(g, x, mean, scale, shift, rectified, slope, offset, x_bar, block):
    if x.size < PARALLEL_FROM:
        each = mean, scale, shift, rectified, slope, offset
        _block_combine(g, x, *each, x_bar)
    else:
        for i in prange((x.shape[0] + block - 1) // block):
            at = slice(i * block, (i + 1) * block)
            each = mean, scale, shift, rectified, slope, offset
            _block_combine(g[at], x[at], *each, x_bar[at])


@elementwise
def _block_combine(g, x, mean, scale, shift, rectified, slope, offset, x_bar):
    whole_registers()
    modes = flush()
    zero = x.dtype.type(0)
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            received = g[i, k]
            if rectified:
                value = _at(x[i, k], mean[k], scale[k], shift[k])
                received = zero if value <= zero else received
            rest = slope[k] * (x[i, k] - mean[k]) + offset[k]
            x_bar[i, k] = scale[k] * received - rest
    restore(modes)
