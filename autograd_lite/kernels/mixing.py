"""Sparse matrices applied along one axis, and the elements that win windows.

Both serve the forms that the kernels of `pool` leave: any number of axes, dilation,
windows of uneven sizes, interpolation.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numba import prange

from . import memory
from .denormals import flush, restore
from .jit import PARALLEL_FROM, parallel, serial, split

Array: TypeAlias = np.ndarray[Any, Any]


def mix(x: Array, axis: int, pointers: Array, indices: Array, weights: Array) -> Array:
    """Return the matrix of these rows times x along an axis.

    Example:
        >>> rows = (np.array([0, 2]), np.array([0, 2]), np.array([0.5, 0.5]))
        >>> mix(np.array([[1.0, 2.0, 3.0]]), 1, *rows)
        array([[2.]])
    """
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    count = len(pointers) - 1
    y = memory.empty((*before, count, *after), x.dtype)
    outer, inner = math.prod(before), math.prod(after)
    flat = np.ascontiguousarray(x).reshape(outer, x.shape[axis], inner)
    _mix(flat, y.reshape(outer, count, inner), pointers, indices, weights)
    return y


@serial
def _mix_row(x, y, a, i, pointers, indices, weights):
    modes = flush()
    first, last = pointers[i], pointers[i + 1]
    count = y.shape[2]
    if last - first >= 2:  # most rows have two entries: one pass over y
        u, v = x.dtype.type(weights[first]), x.dtype.type(weights[first + 1])
        here, there = indices[first], indices[first + 1]
        for k in range(count):
            y[a, i, k] = u * x[a, here, k] + v * x[a, there, k]
    elif last > first:
        u, here = x.dtype.type(weights[first]), indices[first]
        for k in range(count):
            y[a, i, k] = u * x[a, here, k]
    else:
        y[a, i] = 0
    for p in range(first + 2, last):
        u, here = x.dtype.type(weights[p]), indices[p]
        for k in range(count):
            y[a, i, k] += u * x[a, here, k]
    restore(modes)


@parallel
def _mix(x, y, pointers, indices, weights):
    count = y.shape[1]
    if max(x.size, y.size) < PARALLEL_FROM:
        for task in range(y.shape[0] * count):
            _mix_row(x, y, *split(task, count), pointers, indices, weights)
    else:
        for task in prange(y.shape[0] * count):
            _mix_row(x, y, *split(task, count), pointers, indices, weights)


def winners(x: Array, bins: tuple[Array, ...]) -> tuple[Array, Array]:
    """Return the maximum of each window and its place among the elements of an image.

    x: (n, *size, c), bins: for each axis `(start, stop, step)` of every window ->
    two of (n, *counts, c). The first of equal elements wins, a NaN over everything.
    """
    n, *size, c = x.shape
    counts = [len(table) for table in bins]
    y = memory.empty((n, *counts, c), x.dtype)
    index = memory.empty(y.shape, np.int64)
    more = 3 - len(bins)
    single = np.array([[0, 1, 1]], np.int64)
    volume = np.ascontiguousarray(x).reshape(n, *(1,) * more, *size, c)
    deep = (n, *(1,) * more, *counts, c)
    tables = (single,) * more + bins
    _winners(volume, y.reshape(deep), index.reshape(deep), *tables)
    return y, index


@serial
def _contend(x, best, index, here):
    """Let the pixel `here`, x: (c), win where it is larger than the best."""
    for k in range(x.size):
        wins = (not x[k] <= best[k]) and best[k] == best[k]
        best[k] = x[k] if wins else best[k]
        index[k] = here if wins else index[k]


@parallel
def _winners(x, y, index, depths, heights, widths):
    planes = y.shape[1] * y.shape[2]
    for task in prange(y.shape[0] * planes):
        n, plane = split(task, planes)
        z, i = split(plane, y.shape[2])
        for j in range(y.shape[3]):
            d, r, s = depths[z, 0], heights[i, 0], widths[j, 0]
            first = (d * x.shape[2] + r) * x.shape[3] + s
            y[n, z, i, j] = x[n, d, r, s]
            index[n, z, i, j] = first
            for d in range(depths[z, 0], depths[z, 1], depths[z, 2]):
                for r in range(heights[i, 0], heights[i, 1], heights[i, 2]):
                    for s in range(widths[j, 0], widths[j, 1], widths[j, 2]):
                        here = (d * x.shape[2] + r) * x.shape[3] + s
                        _contend(x[n, d, r, s], y[n, z, i, j], index[n, z, i, j], here)


def pick(x: Array, index: Array) -> Array:
    """Return the elements at these places: x: (n, m, c), index: (n, o, c).

    Example:
        >>> pick(np.array([[[1.0], [2.0]]]), np.array([[[1]]]))
        array([[[2.]]])
    """
    y = memory.empty(index.shape, x.dtype)
    _pick(np.ascontiguousarray(x), np.ascontiguousarray(index), y)
    return y


@parallel
def _pick(x, index, y):
    for task in prange(y.shape[0] * y.shape[1]):
        n, o = split(task, y.shape[1])
        for k in range(y.shape[2]):
            y[n, o, k] = x[n, index[n, o, k], k]


def place(g: Array, index: Array, size: int) -> Array:
    """Add g to zeros at these places, the transpose of `pick`: (n, o, c) -> (n, m, c).

    Example:
        >>> place(np.array([[[5.0], [6.0]]]), np.array([[[2], [2]]]), 3)[0, :, 0]
        array([ 0.,  0., 11.])
    """
    x_bar = memory.zeros((g.shape[0], size, g.shape[2]), g.dtype)
    _place(np.ascontiguousarray(g), np.ascontiguousarray(index), x_bar)
    return x_bar


@parallel
def _place(g, index, x_bar):
    for n in prange(g.shape[0]):
        for o in range(g.shape[1]):
            for k in range(g.shape[2]):
                x_bar[n, index[n, o, k], k] += g[n, o, k]
