"""Rectifiers and the softmax cross-entropy, forward and backward."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import prange

from . import memory
from .denormals import flush, restore
from .jit import CHUNK, PARALLEL_FROM, elementwise, parallel, serial

Array: TypeAlias = np.ndarray[Any, Any]


def relu(x: Array) -> Array:
    """Return x where it is positive or NaN, else 0."""
    x = np.ascontiguousarray(x)
    y = memory.empty_like(x)
    _relu(x.reshape(-1), y.reshape(-1))
    return y


def relu_mask(g: Array, y: Array) -> Array:
    """Return g where y is positive or NaN, else 0. g and y have one shape."""
    g, y = np.ascontiguousarray(g), np.ascontiguousarray(y)
    out = memory.empty_like(g)
    _relu_mask(g.reshape(-1), y.reshape(-1), out.reshape(-1))
    return out


def cross_entropy(logits: Array, labels: Array, smoothing: float) -> tuple[Array, int]:
    """Return the loss of each row, and the first row whose label is out of range.

    With `smoothing` s the target of a row is s / k plus 1 - s at its label. The second
    result is -1 where all labels are good. logits: (n, k), labels: (n) -> (n)
    """
    loss = memory.empty((logits.shape[0],), logits.dtype)
    bad = _cross_entropy(np.ascontiguousarray(logits), labels, smoothing, loss)
    return loss, bad


def cross_entropy_backward(
    g: Array, logits: Array, labels: Array, smoothing: float
) -> Array:
    """Return the cotangent of the logits. g, labels: (n), logits: (n, k) -> (n, k)"""
    out = memory.empty(logits.shape, logits.dtype)
    logits, g = np.ascontiguousarray(logits), np.ascontiguousarray(g)
    _cross_entropy_backward(g, logits, labels, smoothing, out)
    return out


@parallel
def _relu(x, y):
    if x.size < PARALLEL_FROM:
        _relu_chunk(x, y)
    else:
        for i in prange((x.size + CHUNK - 1) // CHUNK):
            at = slice(i * CHUNK, (i + 1) * CHUNK)
            _relu_chunk(x[at], y[at])


@elementwise
def _relu_chunk(x, y):
    zero = x.dtype.type(0)
    for i in range(x.size):
        y[i] = zero if x[i] <= zero else x[i]


@parallel
def _relu_mask(g, y, out):
    if g.size < PARALLEL_FROM:
        _relu_mask_chunk(g, y, out)
    else:
        for i in prange((g.size + CHUNK - 1) // CHUNK):
            at = slice(i * CHUNK, (i + 1) * CHUNK)
            _relu_mask_chunk(g[at], y[at], out[at])


@elementwise
def _relu_mask_chunk(g, y, out):
    zero = g.dtype.type(0)
    for i in range(g.size):
        out[i] = zero if y[i] <= zero else g[i]


@parallel
def _cross_entropy(logits, labels, smoothing, loss):
    # An exponential costs about as much as twenty elements of a memory-bound loop.
    n, k = logits.shape
    for i in range(n):
        if not 0 <= labels[i] < k:
            return i
    if logits.size * 20 < PARALLEL_FROM:
        for i in range(n):
            loss[i] = _row_loss(logits[i], labels[i], smoothing)
    else:
        for i in prange(n):
            loss[i] = _row_loss(logits[i], labels[i], smoothing)
    return -1


@serial
def _largest(z):
    """Return the maximum of a row; of one with a NaN, any of its elements."""
    largest = z[0]
    for j in range(z.size):
        largest = largest if z[j] <= largest else z[j]
    return largest


@serial
def _row_loss(z, label, smoothing):
    modes = flush()
    largest = _largest(z)
    total = level = z.dtype.type(0)
    for j in range(z.size):
        total += np.exp(z[j] - largest)
        level += z[j]
    loss = np.log(total) + largest - (1 - smoothing) * z[label]
    if smoothing:
        loss -= smoothing * level / z.size
    restore(modes)
    return loss


@parallel
def _cross_entropy_backward(g, logits, labels, smoothing, out):
    n = logits.shape[0]
    if logits.size * 20 < PARALLEL_FROM:
        for i in range(n):
            _row_backward(g[i], logits[i], labels[i], smoothing, out[i])
    else:
        for i in prange(n):
            _row_backward(g[i], logits[i], labels[i], smoothing, out[i])


@elementwise
def _row_backward(g, z, label, smoothing, out):
    modes = flush()
    largest = _largest(z)
    total = z.dtype.type(0)
    for j in range(z.size):
        out[j] = np.exp(z[j] - largest)
        total += out[j]
    uniform = z.dtype.type(smoothing / z.size)
    for j in range(z.size):
        out[j] = g * (out[j] / total - uniform)
    out[label] -= g * z.dtype.type(1 - smoothing)
    restore(modes)
