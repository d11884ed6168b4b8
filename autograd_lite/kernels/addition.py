"""Sums of two large arrays, as residual connections make them, on all threads.

np.add runs on one, and maps its result afresh each time.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from . import memory
from .jit import CHUNK, parallel, serial
from .launch import Array


def add(x: Array, y: Array) -> Array:
    """Return `x + y` for contiguous arrays of one shape and real dtype, bit for bit.

    Where a result is not finite, NumPy does it again, for its warnings.

    Example:
        >>> add(np.arange(3.0), np.ones(3))
        array([1., 2., 3.])
    """
    z = memory.empty_like(x)
    if _add(x.reshape(-1), y.reshape(-1), z.reshape(-1)):
        np.add(x, y, out=z)
    return z


@parallel
def _add(x, y, z):
    odd = 0
    for i in prange((x.size + CHUNK - 1) // CHUNK):
        at = slice(i * CHUNK, (i + 1) * CHUNK)
        odd += _add_chunk(x[at], y[at], z[at])
    return odd


@serial
def _add_chunk(x, y, z):
    """Fill z; return whether some number in it is not finite."""
    odd = x.dtype.type(0)
    for i in range(x.size):
        z[i] = x[i] + y[i]
        odd += z[i] * x.dtype.type(0)
    return odd != 0
