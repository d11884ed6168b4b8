"""Optimiser steps on vectors: one pass each, in place.

`u` holds the gradient on entry and the update on return, and moments are overwritten:
in place is the only form in which LLVM knows that input and output are the same memory.
Who must keep a buffer copies it first.

What descends takes the parameters as `target` and adds the update to them, while it is
still in the cache; an empty target is none.

Moments below the smallest normal number are set to zero. Arithmetic on denormals is up
to a hundred times slower, and the moments of a dead unit decay right into them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import prange

from .denormals import flush, restore
from .jit import CHUNK, PARALLEL_FROM, elementwise, parallel, serial
from .moves import whole_registers

# The smallest normal numbers; with `np.finfo`, a kernel from the disk loads SciPy.
_TINY_32: Final = float(np.finfo(np.float32).tiny)
_TINY_64: Final = float(np.finfo(np.float64).tiny)


@serial
def _chunks(size):
    return (size + CHUNK - 1) // CHUNK


@serial
def _tiny(u):
    return u.dtype.type(_TINY_32 if u.itemsize == 4 else _TINY_64)


@elementwise
def _flush(value, tiny, zero):
    return zero if abs(value) < tiny else value


@parallel
def scale(u, factor):
    """Multiply in place: `u *= factor`."""
    if u.size < PARALLEL_FROM:
        _scale(u, factor)
    else:
        for i in prange(_chunks(u.size)):
            at = slice(i * CHUNK, (i + 1) * CHUNK)
            _scale(u[at], factor)


@elementwise
def _scale(u, factor):
    whole_registers()
    modes = flush()
    factor = u.dtype.type(factor)
    for i in range(u.size):
        u[i] *= factor
    restore(modes)


@parallel
def add_scaled(u, x, factor):
    """Add in place: `u += factor * x`."""
    if u.size < PARALLEL_FROM:
        _add_scaled(u, x, factor)
    else:
        for i in prange(_chunks(u.size)):
            at = slice(i * CHUNK, (i + 1) * CHUNK)
            _add_scaled(u[at], x[at], factor)


@elementwise
def _add_scaled(u, x, factor):
    whole_registers()
    modes = flush()
    factor = u.dtype.type(factor)
    for i in range(u.size):
        u[i] += factor * x[i]
    restore(modes)


@elementwise
def _descended(target, u, start):
    """Add an update to its part of the target, if there is one."""
    if target.size:
        _add_scaled(target[start : start + u.size], u, 1.0)


@parallel
def descend(target, u, p, lr, decay):
    """Step down the gradient, after `decay` times the parameter `p` is added to it."""
    if u.size < PARALLEL_FROM:
        _descend(u, p, lr, decay)
        _descended(target, u, 0)
    else:
        for i in prange(_chunks(u.size)):
            at = slice(i * CHUNK, (i + 1) * CHUNK)
            _descend(u[at], p[at], lr, decay)
            _descended(target, u[at], at.start)


@elementwise
def _descend(u, p, lr, decay):
    whole_registers()
    modes = flush()
    lr, decay = u.dtype.type(lr), u.dtype.type(decay)
    for i in range(u.size):
        u[i] = -lr * (u[i] + decay * p[i])
    restore(modes)


@parallel
def momentum(target, u, trace, lr, decay, nesterov):
    """Step along a decaying sum of gradients, or one step ahead of it (Nesterov)."""
    if u.size < PARALLEL_FROM:
        _momentum(u, trace, lr, decay, nesterov)
        _descended(target, u, 0)
    else:
        for i in prange(_chunks(u.size)):
            at = slice(i * CHUNK, (i + 1) * CHUNK)
            _momentum(u[at], trace[at], lr, decay, nesterov)
            _descended(target, u[at], at.start)


@elementwise
def _momentum(u, trace, lr, decay, nesterov):
    whole_registers()
    modes = flush()
    real = u.dtype.type
    tiny, zero = _tiny(u), real(0)
    lr, decay = real(lr), real(decay)
    for i in range(u.size):
        moment = _flush(decay * trace[i] + u[i], tiny, zero)
        trace[i] = moment
        ahead = u[i] + decay * moment
        u[i] = -lr * (ahead if nesterov else moment)
    restore(modes)


@parallel
def adam(target, u, m, v, lr, b1, b2, eps, step):
    """Step along the mean gradient over the root of its mean square, both unbiased."""
    if u.size < PARALLEL_FROM:
        _adam(u, m, v, lr, b1, b2, eps, step)
        _descended(target, u, 0)
    else:
        for i in prange(_chunks(u.size)):
            at = slice(i * CHUNK, (i + 1) * CHUNK)
            _adam(u[at], m[at], v[at], lr, b1, b2, eps, step)
            _descended(target, u[at], at.start)


@elementwise
def _adam(u, m, v, lr, b1, b2, eps, step):
    whole_registers()
    modes = flush()
    real = u.dtype.type
    tiny, zero = _tiny(u), real(0)
    rate = real(lr / (1 - b1**step))
    correction = real(1 / np.sqrt(1 - b2**step))
    b1, b2, c1, c2, eps = real(b1), real(b2), real(1 - b1), real(1 - b2), real(eps)
    for i in range(u.size):
        mean = _flush(b1 * m[i] + c1 * u[i], tiny, zero)
        square = _flush(b2 * v[i] + c2 * u[i] * u[i], tiny, zero)
        m[i] = mean
        v[i] = square
        u[i] = -rate * mean / (np.sqrt(square) * correction + eps)
    restore(modes)


@parallel
def adamw(target, u, m, v, p, lr, b1, b2, eps, decay, step):
    """Step as `adam` does and pull the parameters `p` towards zero by `lr * decay`."""
    if u.size < PARALLEL_FROM:
        _adamw(u, m, v, p, lr, b1, b2, eps, decay, step)
        _descended(target, u, 0)
    else:
        for i in prange(_chunks(u.size)):
            at = slice(i * CHUNK, (i + 1) * CHUNK)
            _adamw(u[at], m[at], v[at], p[at], lr, b1, b2, eps, decay, step)
            _descended(target, u[at], at.start)


@elementwise
def _adamw(u, m, v, p, lr, b1, b2, eps, decay, step):
    whole_registers()
    # The chunk is still in the cache when the second loop reads it.
    _adam(u, m, v, lr, b1, b2, eps, step)
    _add_scaled(u, p, -lr * decay)


@parallel
def rmsprop(target, u, v, lr, decay, eps):
    """Step along the gradient over the root of its mean square."""
    if u.size < PARALLEL_FROM:
        _rmsprop(u, v, lr, decay, eps)
        _descended(target, u, 0)
    else:
        for i in prange(_chunks(u.size)):
            at = slice(i * CHUNK, (i + 1) * CHUNK)
            _rmsprop(u[at], v[at], lr, decay, eps)
            _descended(target, u[at], at.start)


@elementwise
def _rmsprop(u, v, lr, decay, eps):
    whole_registers()
    modes = flush()
    real = u.dtype.type
    tiny, zero = _tiny(u), real(0)
    lr, decay, fresh, eps = real(lr), real(decay), real(1 - decay), real(eps)
    for i in range(u.size):
        square = _flush(decay * v[i] + fresh * u[i] * u[i], tiny, zero)
        v[i] = square
        u[i] = -lr * u[i] / (np.sqrt(square) + eps)
    restore(modes)


@parallel
def square_norm(x):
    """Return the sum of squares as float64, added up in pieces of fixed size."""
    if x.size < PARALLEL_FROM:
        return _square_norm(x)
    partial = np.empty(_chunks(x.size), np.float64)
    for i in prange(partial.size):
        partial[i] = _square_norm(x[i * CHUNK : (i + 1) * CHUNK])
    total = 0.0
    for i in range(partial.size):
        total += partial[i]
    return total


@serial
def _square_norm(x):
    total = 0.0
    for i in range(x.size):
        value = np.float64(x[i])
        total += value * value
    return total
