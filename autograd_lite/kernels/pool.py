"""Max and average pooling over `(n, h, w, c)` arrays, and their adjoints.

A window is named by its top left corner, which padding may put outside of the array.
Max pooling returns beside the maxima a code: the position inside the window, row by
row, of the element that won. With the code, `max_pool_gather` (read the winners) and
`max_pool_scatter` (add to the winners) are linear and adjoint to each other, and so are
`avg_pool` and `avg_pool_adjoint`.

Work is divided into rows of the output, which no two iterations share: a row of an
adjoint looks for the windows that cover it instead of windows adding to rows. The
innermost loops run over the channels of one pixel.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import prange

from . import memory, pool_2x2
from .denormals import flush, restore
from .jit import PARALLEL_FROM, parallel, serial, split

Array: TypeAlias = np.ndarray[Any, Any]
Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = tuple[Pair, Pair]


def output_size(x: Array, window: Pair, stride: Pair, padding: Padding) -> Pair:
    """Return the height and width that pooling leaves of `x: (n, h, w, c)`."""
    (top, bottom), (left, right) = padding
    return (
        (x.shape[1] + top + bottom - window[0]) // stride[0] + 1,
        (x.shape[2] + left + right - window[1]) // stride[1] + 1,
    )


def code_dtype(window: Pair) -> type[np.generic]:
    """Return the smallest dtype used for positions inside a window."""
    return np.uint8 if window[0] * window[1] <= 256 else np.int32


def max_pool(
    x: Array, window: Pair, stride: Pair, padding: Padding
) -> tuple[Array, Array]:
    """Return the maximum of each window and the code of the element that won.

    The first of equal elements wins; a NaN wins over everything, as in `np.max`.
    Padding never wins. x: (n, h, w, c) -> two of (n, h', w', c); every window must
    overlap the array.
    """
    n, _, _, c = x.shape
    shape = (n, *output_size(x, window, stride, padding), c)
    y = memory.empty(shape, x.dtype)
    code = memory.empty(shape, code_dtype(window))
    x = np.ascontiguousarray(x)
    if not _are_squares(window, stride, padding):
        _max_pool(x, y, code, window, stride, _start(padding))
    elif pool_2x2.fits(x):
        pool_2x2.forward(x, y, code)
    else:
        _max_pool_2x2(x, y, code)
    return y, code


def max_pool_gather(
    x: Array, code: Array, window: Pair, stride: Pair, padding: Padding
) -> Array:
    """Return the element of each window that the code names.

    x: (n, h, w, c), code: (n, h', w', c) -> (n, h', w', c)
    """
    y = memory.empty(code.shape, x.dtype)
    x, code = np.ascontiguousarray(x), np.ascontiguousarray(code)
    _gather(x, code, y, window, stride, _start(padding))
    return y


def max_pool_scatter(
    g: Array, code: Array, size: Pair, window: Pair, stride: Pair, padding: Padding
) -> Array:
    """Add each element to that of its window which the code names.

    The adjoint of `max_pool_gather`. g, code: (n, h', w', c) -> (n, *size, c)
    """
    x_bar = memory.empty((g.shape[0], *size, g.shape[3]), g.dtype)
    g, code = np.ascontiguousarray(g), np.ascontiguousarray(code)
    if not _are_squares(window, stride, padding):
        _scatter(g, code, x_bar, window, stride, _start(padding))
    elif pool_2x2.fits(x_bar):
        pool_2x2.scatter(g, code, x_bar)
    else:
        _scatter_2x2(g, code, x_bar)
    return x_bar


def avg_pool(
    x: Array,
    window: Pair,
    stride: Pair,
    padding: Padding,
    count_include_pad: bool = True,
) -> Array:
    """Return the mean of each window.

    Padding counts as zeros, or, without `count_include_pad`, not at all.
    x: (n, h, w, c) -> (n, h', w', c)
    """
    n, _, _, c = x.shape
    y = memory.empty((n, *output_size(x, window, stride, padding), c), x.dtype)
    x = np.ascontiguousarray(x)
    _avg_pool(x, y, window, stride, _start(padding), count_include_pad)
    return y


def avg_pool_adjoint(
    g: Array,
    size: Pair,
    window: Pair,
    stride: Pair,
    padding: Padding,
    count_include_pad: bool = True,
) -> Array:
    """Spread each element evenly over its window: the adjoint of `avg_pool`.

    g: (n, h', w', c) -> (n, *size, c)
    """
    x_bar = memory.empty((g.shape[0], *size, g.shape[3]), g.dtype)
    g = np.ascontiguousarray(g)
    _avg_pool_adjoint(g, x_bar, window, stride, _start(padding), count_include_pad)
    return x_bar


def _are_squares(window: Pair, stride: Pair, padding: Padding) -> bool:
    """Return whether windows are 2 x 2, side by side, and begin in the corner."""
    return window == stride == (2, 2) and padding == ((0, 0), (0, 0))


def _start(padding: Padding) -> Pair:
    return padding[0][0], padding[1][0]


@serial
def _clip(first, window, size):
    """Return the part of a window, from its first index on, that is inside."""
    return max(0, -first), min(window, size - first)


@serial
def _covering(at, window, stride, start, count):
    """Return the range of the windows that cover an index."""
    at += start
    return max(0, (at - window) // stride + 1), min(count, at // stride + 1)


@serial
def _wins(v, best):
    """Whether `v` replaces `best`, the maximum of the elements before it."""
    return (not v <= best) and best == best


@serial
def _max_row(x, y, code, n, i, window, stride, start):
    top = i * stride[0] - start[0]
    r0, r1 = _clip(top, window[0], x.shape[1])
    for j in range(y.shape[2]):
        left = j * stride[1] - start[1]
        s0, s1 = _clip(left, window[1], x.shape[2])
        best, codes = y[n, i, j], code[n, i, j]
        best[:] = x[n, top + r0, left + s0]
        codes[:] = r0 * window[1] + s0
        for r in range(r0, r1):
            for s in range(s0, s1):
                here = code.dtype.type(r * window[1] + s)
                values = x[n, top + r, left + s]
                for k in range(y.shape[3]):
                    wins = _wins(values[k], best[k])
                    best[k] = values[k] if wins else best[k]
                    codes[k] = here if wins else codes[k]


@parallel
def _max_pool(x, y, code, window, stride, start):
    n, h, w, c = y.shape
    if x.size < PARALLEL_FROM:
        for row in range(n * h):
            _max_row(x, y, code, *split(row, h), window, stride, start)
    else:
        for row in prange(n * h):
            _max_row(x, y, code, *split(row, h), window, stride, start)


@serial
def _max_row_2x2(x, y, code, n, i):
    # The four corners stay in registers: several times as fast as the general loop.
    for j in range(y.shape[2]):
        for k in range(y.shape[3]):
            best = x[n, 2 * i, 2 * j, k]
            best_code = np.uint8(0)
            for corner in range(1, 4):
                v = x[n, 2 * i + corner // 2, 2 * j + corner % 2, k]
                wins = _wins(v, best)
                best = v if wins else best
                best_code = np.uint8(corner) if wins else best_code
            y[n, i, j, k] = best
            code[n, i, j, k] = best_code


@parallel
def _max_pool_2x2(x, y, code):
    n, h, w, c = y.shape
    if x.size < PARALLEL_FROM:
        for row in range(n * h):
            _max_row_2x2(x, y, code, *split(row, h))
    else:
        for row in prange(n * h):
            _max_row_2x2(x, y, code, *split(row, h))


@serial
def _gather_row(x, code, y, n, i, window, stride, start):
    top = i * stride[0] - start[0]
    r0, r1 = _clip(top, window[0], x.shape[1])
    for j in range(y.shape[2]):
        left = j * stride[1] - start[1]
        s0, s1 = _clip(left, window[1], x.shape[2])
        for r in range(r0, r1):
            for s in range(s0, s1):
                here = r * window[1] + s
                values = x[n, top + r, left + s]
                for k in range(y.shape[3]):
                    if code[n, i, j, k] == here:
                        y[n, i, j, k] = values[k]


@parallel
def _gather(x, code, y, window, stride, start):
    n, h, w, c = y.shape
    if x.size < PARALLEL_FROM:
        for row in range(n * h):
            _gather_row(x, code, y, *split(row, h), window, stride, start)
    else:
        for row in prange(n * h):
            _gather_row(x, code, y, *split(row, h), window, stride, start)


@serial
def _scatter_row(g, code, x_bar, n, at, window, stride, start):
    zero = g.dtype.type(0)
    x_bar[n, at] = zero
    first, end = _covering(at, window[0], stride[0], start[0], g.shape[1])
    for i in range(first, end):
        r = at + start[0] - i * stride[0]
        for j in range(g.shape[2]):
            left = j * stride[1] - start[1]
            s0, s1 = _clip(left, window[1], x_bar.shape[2])
            for s in range(s0, s1):
                here = r * window[1] + s
                target = x_bar[n, at, left + s]
                for k in range(g.shape[3]):
                    target[k] += g[n, i, j, k] if code[n, i, j, k] == here else zero


@parallel
def _scatter(g, code, x_bar, window, stride, start):
    n, h, w, c = x_bar.shape
    if x_bar.size < PARALLEL_FROM:
        for row in range(n * h):
            _scatter_row(g, code, x_bar, *split(row, h), window, stride, start)
    else:
        for row in prange(n * h):
            _scatter_row(g, code, x_bar, *split(row, h), window, stride, start)


@serial
def _select_row_2x2(g, code, out, here):
    # One destination per loop, and indices that are visibly not negative: in any
    # other form LLVM misses the SIMD.
    w, c = g.shape
    gs, codes, outs = g.reshape(-1), code.reshape(-1), out.reshape(-1)
    zero = g.dtype.type(0)
    for j in range(w):
        frm, to = j * c, 2 * j * c
        for k in range(c):
            outs[to + k] = gs[frm + k] if codes[frm + k] == here else zero
        for k in range(c):
            outs[to + c + k] = gs[frm + k] if codes[frm + k] == here + 1 else zero


@serial
def _scatter_row_2x2(g, code, x_bar, n, at):
    # Windows don't overlap: every element is written once and none is read.
    i = at // 2
    covered = 2 * g.shape[2] if i < g.shape[1] else 0
    x_bar[n, at, covered:] = 0
    if covered:
        _select_row_2x2(g[n, i], code[n, i], x_bar[n, at], np.uint8(2 * (at % 2)))


@parallel
def _scatter_2x2(g, code, x_bar):
    n, h, w, c = x_bar.shape
    if x_bar.size < PARALLEL_FROM:
        for row in range(n * h):
            _scatter_row_2x2(g, code, x_bar, *split(row, h))
    else:
        for row in prange(n * h):
            _scatter_row_2x2(g, code, x_bar, *split(row, h))


@serial
def _share(r, s, window, count_include_pad):
    """Return the weight of one of r * s elements of a window inside the array."""
    return 1.0 / (window[0] * window[1] if count_include_pad else r * s)


@serial
def _avg_row(x, y, n, i, window, stride, start, count_include_pad):
    modes = flush()
    top = i * stride[0] - start[0]
    r0, r1 = _clip(top, window[0], x.shape[1])
    for j in range(y.shape[2]):
        left = j * stride[1] - start[1]
        s0, s1 = _clip(left, window[1], x.shape[2])
        mean = y[n, i, j]
        mean[:] = 0
        for r in range(r0, r1):
            for s in range(s0, s1):
                values = x[n, top + r, left + s]
                for k in range(y.shape[3]):
                    mean[k] += values[k]
        mean *= x.dtype.type(_share(r1 - r0, s1 - s0, window, count_include_pad))
    restore(modes)


@parallel
def _avg_pool(x, y, window, stride, start, count_pad):
    n, h, w, c = y.shape
    if x.size < PARALLEL_FROM:
        for row in range(n * h):
            _avg_row(x, y, *split(row, h), window, stride, start, count_pad)
    else:
        for row in prange(n * h):
            _avg_row(x, y, *split(row, h), window, stride, start, count_pad)


@serial
def _spread_row(g, x_bar, n, at, window, stride, start, count_include_pad):
    modes = flush()
    x_bar[n, at] = 0
    first, end = _covering(at, window[0], stride[0], start[0], g.shape[1])
    for i in range(first, end):
        r0, r1 = _clip(i * stride[0] - start[0], window[0], x_bar.shape[1])
        for j in range(g.shape[2]):
            left = j * stride[1] - start[1]
            s0, s1 = _clip(left, window[1], x_bar.shape[2])
            share = g.dtype.type(_share(r1 - r0, s1 - s0, window, count_include_pad))
            for s in range(s0, s1):
                target = x_bar[n, at, left + s]
                for k in range(g.shape[3]):
                    target[k] += g[n, i, j, k] * share
    restore(modes)


@parallel
def _avg_pool_adjoint(g, x_bar, window, stride, start, count_pad):
    n, h, w, c = x_bar.shape
    if x_bar.size < PARALLEL_FROM:
        for row in range(n * h):
            _spread_row(g, x_bar, *split(row, h), window, stride, start, count_pad)
    else:
        for row in prange(n * h):
            _spread_row(g, x_bar, *split(row, h), window, stride, start, count_pad)
