"""Plain `@njit` convolutions: any stride, dilation, groups and number of channels.

The dispatcher's last resort, and the yardstick for the fast kernels. `window` is
`Geometry.window`: `(sh, sw, top, left, dh, dw, groups)`.
"""

import numpy as np
from numba import prange

from . import memory
from .denormals import flush, restore
from .geometry import Geometry
from .jit import parallel, serial
from .launch import Array


@serial
def _split(task, size):
    """Return `divmod(task, size)`; prange counts in uint64, which int64 spoils."""
    return np.int64(task) // size, np.int64(task) % size


@serial
def _span(stride, offset, size, count):
    """Return the range of outputs o < count with 0 <= o * stride + offset < size."""
    first = max(0, -(offset // stride))
    return first, max(first, min(count, (size - 1 - offset) // stride + 1))


@serial
def _inside(position, size):
    """Tell whether a row belongs to the image, and not to its border."""
    return 0 <= position < size


@serial
def _add_pixel(x, w, y, groups):
    """Add one tap of one pixel: `x: (c)`, `w: (c/groups, k)`, `y: (k)`."""
    cg, kg = w.shape[0], w.shape[1] // groups
    if cg == kg == 1:
        for k in range(groups):
            y[k] += x[k] * w[0, k]
        return
    for group in range(groups):
        for c in range(cg):
            value = x[group * cg + c]
            for k in range(group * kg, (group + 1) * kg):
                y[k] += value * w[c, k]


@serial
def _add_pixel_transposed(gx, w, g, groups):
    """Add one tap to an input pixel: `gx: (c)`, `w: (c/groups, k)`, `g: (k)`."""
    cg, kg = w.shape[0], w.shape[1] // groups
    if cg == kg == 1:
        for k in range(groups):
            gx[k] += g[k] * w[0, k]
        return
    for group in range(groups):
        for c in range(cg):
            total = gx[group * cg + c]
            for k in range(group * kg, (group + 1) * kg):
                total += g[k] * w[c, k]
            gx[group * cg + c] = total


@serial
def _add_outer(gw, x, g, channel, groups):
    """Add one pixel's outer product to a row of weights: `gw: (k)`, `g: (k)`."""
    cg, kg = x.shape[0] // groups, g.shape[0] // groups
    if cg == kg == 1:
        for k in range(groups):
            gw[k] += x[k] * g[k]
        return
    for group in range(groups):
        value = x[group * cg + channel]
        for k in range(group * kg, (group + 1) * kg):
            gw[k] += value * g[k]


@parallel
def forward(x, w, y, window):
    """Add the convolution of `x: (n, h, w, c)` with `w: (r, s, c/groups, k)` to y."""
    sh, sw, top, left, dh, dw, groups = window
    n, ho, wo, _ = y.shape
    for task in prange(n * ho):
        modes = flush()
        image, i = _split(task, ho)
        for r in range(w.shape[0]):
            row = i * sh + r * dh - top
            if _inside(row, x.shape[1]):
                for s in range(w.shape[1]):
                    offset = s * dw - left
                    first, last = _span(sw, offset, x.shape[2], wo)
                    for j in range(first, last):
                        pixel = x[image, row, j * sw + offset]
                        _add_pixel(pixel, w[r, s], y[image, i, j], groups)
        restore(modes)


@parallel
def input_grad(g, w, gx, window):
    """Add to `gx: (n, h, w, c)` the cotangent of the input."""
    sh, sw, top, left, dh, dw, groups = window
    n, ho, wo, _ = g.shape
    for image in prange(n):
        modes = flush()
        for i in range(ho):
            for r in range(w.shape[0]):
                row = i * sh + r * dh - top
                if _inside(row, gx.shape[1]):
                    for s in range(w.shape[1]):
                        offset = s * dw - left
                        first, last = _span(sw, offset, gx.shape[2], wo)
                        for j in range(first, last):
                            target = gx[image, row, j * sw + offset]
                            pixel = g[image, i, j]
                            _add_pixel_transposed(target, w[r, s], pixel, groups)
        restore(modes)


@parallel
def weight_grad(x, g, gw, window):
    """Add to `gw: (r, s, c/groups, k)` the cotangent of the weights."""
    sh, sw, top, left, dh, dw, groups = window
    n, ho, wo, _ = g.shape
    taps_s, channels = gw.shape[1], gw.shape[2]
    for task in prange(gw.shape[0] * taps_s * channels):
        modes = flush()
        tap, channel = _split(task, channels)
        r, s = _split(tap, taps_s)
        target, offset = gw[r, s, channel], s * dw - left
        first, last = _span(sw, offset, x.shape[2], wo)
        for image in range(n):
            for i in range(ho):
                row = i * sh + r * dh - top
                if _inside(row, x.shape[1]):
                    for j in range(first, last):
                        pixel = x[image, row, j * sw + offset]
                        _add_outer(target, pixel, g[image, i, j], channel, groups)
        restore(modes)


@parallel
def im2col(x, cols, window):
    """Write the windows of `x: (n, h, w, c)` into zeroed `(n, ho, wo, r, s, c)`."""
    sh, sw, top, left, dh, dw, _ = window
    n, ho, wo, taps_r, taps_s, _ = cols.shape
    for task in prange(n * ho):
        image, i = _split(task, ho)
        for r in range(taps_r):
            row = i * sh + r * dh - top
            if _inside(row, x.shape[1]):
                for s in range(taps_s):
                    offset = s * dw - left
                    first, last = _span(sw, offset, x.shape[2], wo)
                    for j in range(first, last):
                        for c in range(x.shape[3]):
                            value = x[image, row, j * sw + offset, c]
                            cols[image, i, j, r, s, c] = value


@parallel
def col2im(cols, x, window):
    """Add windows `(n, ho, wo, r, s, c)` where they came from in `x: (n, h, w, c)`."""
    sh, sw, top, left, dh, dw, _ = window
    n, ho, wo, taps_r, taps_s, _ = cols.shape
    for image in prange(n):
        for i in range(ho):
            for r in range(taps_r):
                row = i * sh + r * dh - top
                if _inside(row, x.shape[1]):
                    for s in range(taps_s):
                        offset = s * dw - left
                        first, last = _span(sw, offset, x.shape[2], wo)
                        for j in range(first, last):
                            for c in range(x.shape[3]):
                                value = cols[image, i, j, r, s, c]
                                x[image, row, j * sw + offset, c] += value


def conv_forward(x: Array, w: Array, b: Array | None, size: Geometry) -> Array:
    """Return the convolution of contiguous x with w, plus the bias."""
    y = memory.zeros(size.output_shape, x.dtype)
    if b is not None:
        y[...] = b
    forward(x, w, y, size.window)
    return y


def conv_input_grad(g: Array, w: Array, size: Geometry) -> Array:
    """Return the cotangent of the input; g and w are contiguous."""
    gx = memory.zeros(size.input_shape, g.dtype)
    input_grad(g, w, gx, size.window)
    return gx


def conv_weight_grad(x: Array, g: Array, size: Geometry) -> Array:
    """Return the cotangent of the weights; x and g are contiguous."""
    gw = memory.zeros(size.kernel_shape, g.dtype)
    weight_grad(x, g, gw, size.window)
    return gw


WIDTH = 256  # numbers summed side by side, for channels too few to fill vectors
DEPTH = 64  # numbers per partial sum: fixed, so that threads don't change the bits


@parallel
def chunk_sums(rows, partial):
    """Add up every DEPTH of `rows: (rows, width)` to `partial: (chunks, width)`."""
    for chunk in prange(partial.shape[0]):
        total = partial[chunk]
        first = np.int64(chunk) * DEPTH
        for row in range(first, min(rows.shape[0], first + DEPTH)):
            for i in range(rows.shape[1]):
                total[i] += rows[row, i]


def channel_sum(g: Array) -> Array:
    """Sum `g: (..., k)` over all axes but the last: the gradient of a bias.

    Example:
        >>> channel_sum(np.ones((2, 3, 4)))
        array([6., 6., 6., 6.])
    """
    channels = g.shape[-1]
    if g.size < WIDTH * DEPTH:
        return g.sum(tuple(range(g.ndim - 1)))
    width = channels * max(1, WIDTH // channels)
    numbers = np.ascontiguousarray(g).reshape(-1)
    whole = len(numbers) // width
    partial = np.zeros((-(-whole // DEPTH) + 1, width), g.dtype)
    rest = numbers[whole * width :]
    partial[-1, : len(rest)] = rest
    chunk_sums(numbers[: whole * width].reshape(whole, width), partial[:-1])
    return partial.reshape(-1, channels).sum(0)


@parallel
def part_sums(rows, total):
    """Add to `total: (m, k)` the sums of `rows: (m, n, k)` over n, DEPTH at a time."""
    for part in prange(rows.shape[0]):
        block = np.zeros(rows.shape[2], rows.dtype)
        for first in range(0, rows.shape[1], DEPTH):
            block[:] = 0
            for row in range(first, min(rows.shape[1], first + DEPTH)):
                for i in range(rows.shape[2]):
                    block[i] += rows[part, row, i]
            for i in range(rows.shape[2]):
                total[part, i] += block[i]


def channel_sums(g: Array) -> Array:
    """Sum `g: (m, ..., k)` over all axes but the first and the last.

    Example:
        >>> channel_sums(np.ones((2, 3, 2)))
        array([[3., 3.],
               [3., 3.]])
    """
    if g.size < WIDTH * DEPTH:
        return g.sum(tuple(range(1, g.ndim - 1)))
    m, k = g.shape[0], g.shape[-1]
    total = np.zeros((m, k), g.dtype)
    part_sums(np.ascontiguousarray(g).reshape(m, -1, k), total)
    return total
