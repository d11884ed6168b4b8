"""The depths that a window meets, as channels of one image, and the adjoint."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import prange

from . import memory
from .jit import PARALLEL_FROM, elementwise, parallel, split
from .launch import Array

# Channels below which a loop over pixels is the faster one.
_FEW: Final = 8

# Of a window along the depth: taps, stride, depths before the first, dilation.
Depth = tuple[int, int, int, int]


def gather(x: Array, window: Depth, outputs: int, groups: int) -> Array:
    """Return the depths of each window side by side, group by group.

    Shapes: `x: (n, d, h, w, c)`; the result `(n, outputs, h, w, groups * taps * c /
    groups)`. Depths outside are zero.

    Example:
        >>> x = np.arange(3.0).reshape(1, 3, 1, 1, 1)
        >>> gather(x, (2, 1, 1, 1), 3, 1)[0, :, 0, 0]
        array([[0., 0.],
               [0., 1.],
               [1., 2.]])
    """
    n, d, h, w, c = x.shape
    y = memory.empty((n, outputs, h, w, window[0] * c), x.dtype)
    shape = (n, d, h * w, groups, c // groups)
    spread = (n, outputs, h * w, groups, window[0], c // groups)
    _gather(np.ascontiguousarray(x).reshape(shape), y.reshape(spread), window)
    return y


def scatter(y: Array, window: Depth, depths: int, groups: int) -> Array:
    """Add what `gather` returns back to the depths: its adjoint.

    Example:
        >>> y = np.ones((1, 3, 1, 1, 2))
        >>> scatter(y, (2, 1, 1, 1), 3, 1)[0, :, 0, 0, 0]
        array([2., 2., 1.])
    """
    n, outputs, h, w, spread_c = y.shape
    c = spread_c // window[0]
    x = memory.zeros((n, depths, h, w, c), y.dtype)
    spread = (n, outputs, h * w, groups, window[0], c // groups)
    shape = (n, depths, h * w, groups, c // groups)
    _scatter(x.reshape(shape), np.ascontiguousarray(y).reshape(spread), window)
    return x


@elementwise
def _copy(source, target):
    pixels, groups, c = source.shape
    for group in range(groups):
        for j in range(c):
            for p in range(pixels):
                target[p, group, j] = source[p, group, j]


@elementwise
def _gather_depth(x, y, i, o, window):
    taps, stride, front, dilation = window
    _, _, pixels, groups, _, c = y.shape
    for t in range(taps):
        depth = o * stride + t * dilation - front
        if depth < 0 or depth >= x.shape[1]:
            y[i, o, :, :, t] = 0
        elif c < _FEW:
            _copy(x[i, depth], y[i, o, :, :, t])
        else:
            for p in range(pixels):
                for group in range(groups):
                    for j in range(c):
                        y[i, o, p, group, t, j] = x[i, depth, p, group, j]


@elementwise
def _scatter_depth(x, y, i, depth, window):
    taps, stride, front, dilation = window
    _, outputs, pixels, groups, _, c = y.shape
    for t in range(taps):
        place = depth + front - t * dilation
        o = place // stride
        if place % stride or o < 0 or o >= outputs:
            continue
        if c < _FEW:
            for group in range(groups):
                for j in range(c):
                    for p in range(pixels):
                        x[i, depth, p, group, j] += y[i, o, p, group, t, j]
        else:
            for p in range(pixels):
                for group in range(groups):
                    for j in range(c):
                        x[i, depth, p, group, j] += y[i, o, p, group, t, j]


@parallel
def _gather(x, y, window):
    outputs = y.shape[1]
    if y.size < PARALLEL_FROM:
        for task in range(len(y) * outputs):
            i, o = split(task, outputs)
            _gather_depth(x, y, i, o, window)
    else:
        for task in prange(len(y) * outputs):
            i, o = split(task, outputs)
            _gather_depth(x, y, i, o, window)


@parallel
def _scatter(x, y, window):
    depths = x.shape[1]
    if y.size < PARALLEL_FROM:
        for task in range(len(x) * depths):
            i, depth = split(task, depths)
            _scatter_depth(x, y, i, depth, window)
    else:
        for task in prange(len(x) * depths):
            i, depth = split(task, depths)
            _scatter_depth(x, y, i, depth, window)
