"""Convolution of volumes, by that of images.

The depths that a window meets become channels of one image: a window of t depths over
c channels is then one of t * c channels over an image, and the fast kernels have more
to do at a time. Where each channel is a group of its own, which has fast kernels for
itself, the contributions of the depths are added up instead.

Shapes: `x: (n, d, h, w, c)`, `w: (t, r, s, c/groups, k)`, `y: (n, d', h', w', k)`. The
first entry of a stride, of the padding and so on is that of the depth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from . import conv, memory
from .launch import Array
from .volumes import gather, scatter

Sizes = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]
Shape = tuple[int, ...]


def forward(
    x: Array,
    w: Array,
    b: Array | None,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> Array:
    """Return the cross-correlation of volumes x with w, plus the bias."""
    flat: tuple[Any, ...] = (stride[1:], padding[1:], dilation[1:], groups)
    if not 1 < groups == x.shape[-1]:
        columns = _columns(x, w.shape[0], stride[0], padding[0], dilation[0], groups)
        y = conv.conv_forward(_images(columns), _image_weights(w), b, *flat)
        return y.reshape(*columns.shape[:2], *y.shape[1:])
    total = None
    parts = _taps(x, w.shape[0], stride[0], padding[0], dilation[0])
    for tap, part in enumerate(parts):
        bias = b if tap == 0 else None
        y = conv.conv_forward(_images(part), w[tap], bias, *flat)
        total = y if total is None else np.add(total, y, out=total)
    assert total is not None, "a window has at least one depth"
    return total.reshape(*part.shape[:2], *total.shape[1:])


def input_grad(
    g: Array,
    w: Array,
    input_shape: Shape,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> Array:
    """Return the cotangent `(n, d, h, w, c)` of the input."""
    flat: tuple[Any, ...] = (stride[1:], padding[1:], dilation[1:], groups)
    n, _, *image, c = input_shape
    taps, outputs = w.shape[0], g.shape[1]
    rows = _images(g)
    if not 1 < groups == c:
        shape = (len(rows), *image, taps * c)
        found = conv.conv_input_grad(rows, _image_weights(w), shape, *flat)
        columns = found.reshape(n, outputs, *image, taps * c)
        window = (taps, stride[0], padding[0][0], dilation[0])
        return scatter(columns, window, input_shape[1], groups)
    wide = _padded_zeros(input_shape, padding[0], g.dtype)
    shape = (len(rows), *image, c)
    sums = (
        conv.conv_input_grad(rows, w[tap], shape, *flat).reshape(n, outputs, *image, c)
        for tap in range(taps)
    )
    _add_taps(wide, sums, stride[0], dilation[0])
    return _without_padding(wide, input_shape[1], padding[0])


def weight_grad(
    x: Array,
    g: Array,
    kernel_shape: Shape,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> Array:
    """Return the cotangent `(t, r, s, c/groups, k)` of the weights."""
    flat: tuple[Any, ...] = (stride[1:], padding[1:], dilation[1:], groups)
    depth = (kernel_shape[0], stride[0], padding[0], dilation[0])
    taps, r, s, c, k = kernel_shape
    if not 1 < groups == x.shape[-1]:
        columns = _images(_columns(x, *depth, groups))
        shape = (r, s, taps * c, k)
        found = conv.conv_weight_grad(columns, _images(g), shape, *flat)
        turned = found.reshape(r, s, taps, c, k).transpose(2, 0, 1, 3, 4)
        return np.ascontiguousarray(turned)
    each = [
        conv.conv_weight_grad(_images(part), _images(g), kernel_shape[1:], *flat)
        for part in _taps(x, *depth)
    ]
    return np.stack(each)


def im2col(
    x: Array, kernel: Sizes, stride: Sizes, padding: Padding, dilation: Sizes
) -> Array:
    """Return the windows of volumes as rows, `(n, d', h', w', t*r*s*c)`."""
    columns = _columns(x, kernel[0], stride[0], padding[0], dilation[0])
    flat: tuple[Any, ...] = (kernel[1:], stride[1:], padding[1:], dilation[1:])
    rows = conv.im2col(_images(columns), *flat)  # (n * d', h', w', r*s * t*c)
    (n, d), c, area = columns.shape[:2], x.shape[4], kernel[1] * kernel[2]
    split = rows.reshape(n, d, *rows.shape[1:3], area, kernel[0], c)
    return np.swapaxes(split, 4, 5).reshape(n, d, *rows.shape[1:])


def col2im(
    cols: Array,
    input_shape: Shape,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> Array:
    """Add windows back into volumes: the adjoint of im2col."""
    n, d, ho, wo, _ = cols.shape
    *_, h, w, c = input_shape
    taps, area = kernel[0], kernel[1] * kernel[2]
    split = cols.reshape(n * d, ho, wo, taps, area, c)
    rows = np.swapaxes(split, 3, 4).reshape(n * d, ho, wo, area * taps * c)
    flat: tuple[Any, ...] = (kernel[1:], stride[1:], padding[1:], dilation[1:])
    images = conv.col2im(rows, (n * d, h, w, taps * c), *flat)
    columns = images.reshape(n, d, h, w, taps * c)
    window = (taps, stride[0], padding[0][0], dilation[0])
    return scatter(columns, window, input_shape[1], 1)


def _images(volumes: Array) -> Array:
    """Return every depth of `(n, d, ...)` as an image of its own."""
    n, d, *rest = volumes.shape
    return np.ascontiguousarray(volumes).reshape(n * d, *rest)


def _image_weights(w: Array) -> Array:
    """Return `(t, r, s, c, k)` as `(r, s, t * c, k)`."""
    t, r, s, c, k = w.shape
    return w.transpose(1, 2, 0, 3, 4).reshape(r, s, t * c, k)


def _columns(
    x: Array,
    taps: int,
    stride: int,
    sides: tuple[int, int],
    dilation: int,
    groups: int = 1,
) -> Array:
    """Return `(n, d', h, w, t * c)`: the depths of each window side by side."""
    if taps == stride == 1 and sides == (0, 0):
        return x
    outputs = (x.shape[1] + sum(sides) - dilation * (taps - 1) - 1) // stride + 1
    return gather(x, (taps, stride, sides[0], dilation), outputs, groups)


def _taps(
    x: Array, taps: int, stride: int, sides: tuple[int, int], dilation: int
) -> Iterator[Array]:
    """Yield for each depth of the window the `(n, d', h, w, c)` that it meets."""
    wide = _padded(x, sides)
    outputs = (wide.shape[1] - dilation * (taps - 1) - 1) // stride + 1
    for index in _tap_slices(taps, outputs, stride, dilation):
        yield wide[index]


def _tap_slices(
    taps: int, outputs: int, stride: int, dilation: int
) -> list[tuple[slice, slice]]:
    length = max(0, (outputs - 1) * stride + 1)
    firsts = range(0, taps * dilation, dilation)
    return [(slice(None), slice(at, at + length, stride)) for at in firsts]


def _add_taps(wide: Array, parts: Iterable[Array], stride: int, dilation: int) -> None:
    """Add the part of each tap, `(n, d', h, w, c)`, to the depths that it meets."""
    for tap, part in enumerate(parts):
        first, length = tap * dilation, (part.shape[1] - 1) * stride + 1
        wide[:, first : first + max(0, length) : stride] += part


def _padded(x: Array, sides: tuple[int, int]) -> Array:
    if sides == (0, 0):
        return x
    return np.pad(x, ((0, 0), sides, (0, 0), (0, 0), (0, 0)))


def _padded_zeros(shape: Shape, sides: tuple[int, int], dtype: np.dtype) -> Array:
    n, d, *rest = shape
    return memory.zeros((n, d + sum(sides), *rest), dtype)


def _without_padding(wide: Array, depth: int, sides: tuple[int, int]) -> Array:
    if sides == (0, 0):
        return wide
    return np.ascontiguousarray(wide[:, sides[0] : sides[0] + depth])
