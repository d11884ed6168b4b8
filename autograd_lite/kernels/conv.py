"""Convolution of NHWC images, its two gradients, im2col and col2im."""

import numpy as np

from . import plain
from .geometry import Padding, Pair, geometry
from .plain import channel_sum

__all__ = [
    "channel_sum",
    "col2im",
    "conv_forward",
    "conv_input_grad",
    "conv_weight_grad",
    "im2col",
]


def conv_forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Return the cross-correlation `y: (n, ho, wo, k)` of x with w, plus the bias.

    Shapes: `x: (n, h, w, c)`, `w: (r, s, c/groups, k)`, `b: (k)` or None.
    """
    size = geometry(x.shape, w.shape, stride, padding, dilation, groups)
    y = np.zeros(size.output_shape, x.dtype)
    if b is not None:
        y[...] = b
    plain.forward(np.ascontiguousarray(x), np.ascontiguousarray(w), y, size.window)
    return y


def conv_input_grad(
    g: np.ndarray,
    w: np.ndarray,
    input_shape: tuple[int, ...],
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Return the cotangent `gx: (n, h, w, c)` of the input of `conv_forward`."""
    size = geometry(tuple(input_shape), w.shape, stride, padding, dilation, groups)
    gx = np.zeros(size.input_shape, g.dtype)
    plain.input_grad(np.ascontiguousarray(g), np.ascontiguousarray(w), gx, size.window)
    return gx


def conv_weight_grad(
    x: np.ndarray,
    g: np.ndarray,
    kernel_shape: tuple[int, ...],
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Return the cotangent `gw: (r, s, c/groups, k)` of the weights."""
    size = geometry(x.shape, tuple(kernel_shape), stride, padding, dilation, groups)
    gw = np.zeros(size.kernel_shape, g.dtype)
    plain.weight_grad(np.ascontiguousarray(x), np.ascontiguousarray(g), gw, size.window)
    return gw


def im2col(
    x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair = (1, 1)
) -> np.ndarray:
    """Return the windows of `x: (n, h, w, c)` as rows, `(n, ho, wo, r*s*c)`.

    Example:
        >>> im2col(np.ones((1, 4, 4, 2)), (3, 3), (1, 1), ((0, 0), (0, 0))).shape
        (1, 2, 2, 18)
    """
    size = geometry(x.shape, (*kernel, x.shape[3], 1), stride, padding, dilation)
    cols = np.zeros((size.n, size.ho, size.wo, size.r, size.s, size.c), x.dtype)
    plain.im2col(np.ascontiguousarray(x), cols, size.window)
    return cols.reshape(size.n, size.ho, size.wo, -1)


def col2im(
    cols: np.ndarray,
    input_shape: tuple[int, ...],
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
) -> np.ndarray:
    """Add windows `(n, ho, wo, r*s*c)` back into an image: the adjoint of im2col."""
    shape = tuple(input_shape)
    size = geometry(shape, (*kernel, shape[3], 1), stride, padding, dilation)
    windows = (size.n, size.ho, size.wo, size.r, size.s, size.c)
    x = np.zeros(shape, cols.dtype)
    plain.col2im(np.ascontiguousarray(cols).reshape(windows), x, size.window)
    return x
