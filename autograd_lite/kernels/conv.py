"""Convolution of NHWC images, its two gradients, im2col and col2im.

Which kernel runs is decided by the tables below: the first row whose condition holds
for the geometry. The last row takes everything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias

import numpy as np

from . import (
    conv_fast,
    depthwise,
    dilated,
    grouped,
    memory,
    one_channel,
    plain,
    pointwise,
    winograd,
)
from .geometry import Geometry, Padding, Pair, geometry
from .launch import Array
from .passes import tiles_fit
from .plain import channel_sum, channel_sums

__all__ = [
    "channel_sum",
    "channel_sums",
    "col2im",
    "conv_forward",
    "conv_input_grad",
    "conv_weight_grad",
    "conv_weight_grads",
    "im2col",
]

Fits: TypeAlias = Callable[[Geometry, np.dtype], bool]
Table: TypeAlias = tuple[tuple[Fits, Callable[..., Array]], ...]


def _always(size: Geometry, dtype: np.dtype) -> bool:
    return True


def _forward(x: Array, w: Array, b: Array | None, size: Geometry) -> Array:
    return _kernel(FORWARD, x.dtype, size)(x, w, b, size)


def _input_grad(g: Array, w: Array, size: Geometry) -> Array:
    return _kernel(INPUT_GRAD, g.dtype, size)(g, w, size)


def _weight_grad(x: Array, g: Array, size: Geometry) -> Array:
    return _kernel(WEIGHT_GRAD, x.dtype, size)(x, g, size)


# Dilated convolutions are made of others, which the tables choose again.
FORWARD: Final[Table] = (
    (pointwise.fits, pointwise.forward),
    (dilated.fits, partial(dilated.forward, _forward)),
    (depthwise.fits, depthwise.forward),
    (grouped.fits, grouped.forward),
    (winograd.fits, winograd.forward),
    (tiles_fit, conv_fast.forward),
    (_always, plain.conv_forward),
)

INPUT_GRAD: Final[Table] = (
    (pointwise.fits, pointwise.input_grad),
    (dilated.fits, partial(dilated.input_grad, _input_grad)),
    (depthwise.fits, depthwise.input_grad),
    (grouped.fits, grouped.input_grad),
    (winograd.fits, winograd.input_grad),
    (one_channel.fits, one_channel.input_grad),
    (tiles_fit, conv_fast.input_grad),
    (_always, plain.conv_input_grad),
)

WEIGHT_GRAD: Final[Table] = (
    (pointwise.fits, pointwise.weight_grad),
    (dilated.fits, partial(dilated.weight_grad, _weight_grad)),
    (depthwise.fits, depthwise.weight_grad),
    (grouped.fits, grouped.weight_grad),
    (winograd.fits, winograd.weight_grad),
    (tiles_fit, conv_fast.weight_grad),
    (_always, plain.conv_weight_grad),
)


@lru_cache(maxsize=1024)
def _choose(
    table: Table, dtype: np.dtype, *sizes: Any
) -> tuple[Callable[..., Array], Geometry]:
    """Return the kernel for a geometry, and the geometry."""
    size = geometry(*sizes)
    return _kernel(table, dtype, size), size


@lru_cache(maxsize=1024)
def _kernel(table: Table, dtype: np.dtype, size: Geometry) -> Callable[..., Array]:
    return next(kernel for fits, kernel in table if fits(size, dtype))


def conv_forward(
    x: Array,
    w: Array,
    b: Array | None,
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """Return the cross-correlation `y: (n, ho, wo, k)` of x with w, plus the bias.

    Shapes: `x: (n, h, w, c)`, `w: (r, s, c/groups, k)`, `b: (k)` or None; strides and
    dilation `(vertical, horizontal)`, padding `((top, bottom), (left, right))`. The
    caller has checked that the sizes fit; the result has the dtype of x.

    Example:
        >>> x, w = np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 2))
        >>> conv_forward(x, w, None, (1, 1), ((0, 0), (0, 0)))[0, 0]
        array([[9., 9.],
               [9., 9.]])
    """
    sizes = (x.shape, w.shape, stride, padding, dilation, groups)
    kernel, size = _choose(FORWARD, x.dtype, *sizes)
    bias = None if b is None else np.ascontiguousarray(b, x.dtype)
    return kernel(np.ascontiguousarray(x), np.ascontiguousarray(w, x.dtype), bias, size)


def conv_input_grad(
    g: Array,
    w: Array,
    input_shape: tuple[int, ...],
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """Return the cotangent `gx: (n, h, w, c)` of the input of `conv_forward`.

    Example:
        >>> g, w = np.ones((1, 2, 2, 2)), np.ones((3, 3, 1, 2))
        >>> gx = conv_input_grad(g, w, (1, 4, 4, 1), (1, 1), ((0, 0), (0, 0)))
        >>> gx[0, :, :, 0].astype(int)
        array([[2, 4, 4, 2],
               [4, 8, 8, 4],
               [4, 8, 8, 4],
               [2, 4, 4, 2]])
    """
    sizes = (tuple(input_shape), w.shape, stride, padding, dilation, groups)
    kernel, size = _choose(INPUT_GRAD, g.dtype, *sizes)
    return kernel(np.ascontiguousarray(g), np.ascontiguousarray(w, g.dtype), size)


def conv_weight_grad(
    x: Array,
    g: Array,
    kernel_shape: tuple[int, ...],
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """Return the cotangent `gw: (r, s, c/groups, k)` of the weights.

    Example:
        >>> x, g = np.ones((1, 4, 4, 1)), np.ones((1, 2, 2, 5))
        >>> gw = conv_weight_grad(x, g, (3, 3, 1, 5), (1, 1), ((0, 0), (0, 0)))
        >>> gw[2, 2]
        array([[4., 4., 4., 4., 4.]])
    """
    sizes = (x.shape, tuple(kernel_shape), stride, padding, dilation, groups)
    kernel, size = _choose(WEIGHT_GRAD, x.dtype, *sizes)
    return kernel(np.ascontiguousarray(x), np.ascontiguousarray(g, x.dtype), size)


def conv_weight_grads(
    x: Array,
    g: Array,
    kernel_shape: tuple[int, ...],
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """Return the cotangents `(m, r, s, c/groups, k)` of the weights, part by part.

    Shapes: `x: (m, n, h, w, c)`, `g: (m, n, ho, wo, k)`, m parts of a batch.

    Example:
        >>> x, g = np.ones((2, 1, 4, 4, 1)), np.ones((2, 1, 2, 2, 5))
        >>> geometry = ((1, 1), ((0, 0), (0, 0)))
        >>> conv_weight_grads(x, g, (3, 3, 1, 5), *geometry)[:, 2, 2, 0, 0]
        array([4., 4.])
    """
    parts, n, *image = x.shape
    window = (stride, padding, dilation, groups)
    size = geometry((parts * n, *image), tuple(kernel_shape), *window)
    if tiles_fit(size, x.dtype):
        images = np.ascontiguousarray(x).reshape(size.input_shape)
        cotangents = np.ascontiguousarray(g, x.dtype).reshape(size.output_shape)
        return conv_fast.weight_grads(images, cotangents, size, parts)
    gw = memory.zeros((parts, *size.kernel_shape), x.dtype)
    for part in range(parts):
        gw[part] = conv_weight_grad(x[part], g[part], kernel_shape, *window)
    return gw


def im2col(
    x: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair = (1, 1)
) -> Array:
    """Return the windows of `x: (n, h, w, c)` as rows, `(n, ho, wo, r*s*c)`.

    Example:
        >>> im2col(np.ones((1, 4, 4, 2)), (3, 3), (1, 1), ((0, 0), (0, 0))).shape
        (1, 2, 2, 18)
    """
    size = geometry(x.shape, (*kernel, x.shape[3], 1), stride, padding, dilation)
    cols = memory.zeros((size.n, size.ho, size.wo, size.r, size.s, size.c), x.dtype)
    plain.im2col(np.ascontiguousarray(x), cols, size.window)
    return cols.reshape(size.n, size.ho, size.wo, size.r * size.s * size.c)


def col2im(
    cols: Array,
    input_shape: tuple[int, ...],
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
) -> Array:
    """Add windows `(n, ho, wo, r*s*c)` back into an image: the adjoint of im2col."""
    shape = tuple(input_shape)
    size = geometry(shape, (*kernel, shape[3], 1), stride, padding, dilation)
    windows = (size.n, size.ho, size.wo, size.r, size.s, size.c)
    x = memory.zeros(shape, cols.dtype)
    plain.col2im(np.ascontiguousarray(cols).reshape(windows), x, size.window)
    return x
