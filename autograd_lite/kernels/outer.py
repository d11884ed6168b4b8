"""Outer products of many pairs of vectors: gradients of matrices, row by row.

np.matmul sends each pair to the BLAS, which packs matrices of one column; what there is
to do is to write the result as fast as memory takes it.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from . import memory
from .jit import PARALLEL_FROM, elementwise, parallel
from .launch import Array


def outer_products(x: Array, y: Array) -> Array:
    """Return `z[i] = outer(x[i], y[i])`. x: (n, m), y: (n, k) -> (n, m, k)

    Example:
        >>> outer_products(np.ones((1, 2)), np.arange(3.0)[None])
        array([[[0., 1., 2.],
                [0., 1., 2.]]])
    """
    z = memory.empty((*x.shape, y.shape[1]), x.dtype)
    _outer(np.ascontiguousarray(x), np.ascontiguousarray(y, x.dtype), z)
    return z


@parallel
def _outer(x, y, z):
    if z.size < PARALLEL_FROM:
        for i in range(x.shape[0]):
            _one(x[i], y[i], z[i])
    else:
        for i in prange(x.shape[0]):
            _one(x[i], y[i], z[i])


@elementwise
def _one(x, y, z):
    for j in range(x.size):
        _scaled(x[j], y, z[j])


@elementwise
def _scaled(factor, y, z):
    for k in range(y.size):
        z[k] = factor * y[k]
