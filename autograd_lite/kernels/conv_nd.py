"""Convolutions in one to three dimensions, with any geometry, by those of images.

A few reductions lead every form to the kernels of `conv`:

- zeros between the elements of the input (`input_dilation`): without a stride this is
  the input gradient of a convolution with that stride, whose phases skip the zeros;
- negative padding: the images without what is left out;
- signals: images of height one;
- volumes: images whose channels are those of all the depths that a window meets, or,
  with groups, a sum over these depths.

Shapes: `x: (n, *size, c)`, `w: (*window, c/groups, k)`, `y: (n, *size', k)`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from . import conv, depths, memory
from .launch import Array

Sizes = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]
Shape = tuple[int, ...]

channel_sum, channel_sums = conv.channel_sum, conv.channel_sums


class Window(NamedTuple):
    """How a window slides; one entry for each axis.

    input_dilation: the distance of the input's elements, between which there are zeros;
    `()` if it is one everywhere.
    """

    stride: Sizes
    padding: Padding
    dilation: Sizes
    groups: int = 1
    input_dilation: Sizes = ()

    @property
    def flat(self) -> tuple[Any, ...]:
        """What the kernels of images take."""
        return self.stride, self.padding, self.dilation, self.groups

    def outputs(self, size: Sizes, taps: Sizes) -> Sizes:
        """Return how many windows fit."""
        spread = self.input_dilation or (1,) * len(size)
        axes = zip(size, taps, self.stride, self.padding, self.dilation, spread)
        return tuple(
            [
                ((n - 1) * e + 1 + sum(sides) - d * (r - 1) - 1) // s + 1
                for n, r, s, sides, d, e in axes
            ]
        )

    def transposed(self, taps: Sizes) -> Window:
        """Return the window of the convolution whose input gradient is this one.

        With x[j] standing at j * e, y[o] = sum over t of w[t] x[j], j * e = o + t * d -
        before. So o = j * e + (r - 1 - t) * d - ((r - 1) * d - before): the gradient of
        a convolution with stride e, turned weights and that padding.
        """
        padding = tuple(
            [
                (d * (r - 1) - before, d * (r - 1) - after)
                for r, d, (before, after) in zip(taps, self.dilation, self.padding)
            ]
        )
        return Window(self.input_dilation, padding, self.dilation, self.groups)


@lru_cache(maxsize=1024)
def window_of(
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
    input_dilation: Sizes,
) -> Window:
    """Return a Window in its simplest form."""
    if all(e == 1 for e in input_dilation):
        input_dilation = ()
    return Window(stride, padding, dilation, groups, input_dilation)


@lru_cache(maxsize=1024)
def _ordinary(window: Window) -> bool:
    """Return whether the kernels of images take the window as it is."""
    images = len(window.stride) == 2 and not window.input_dilation
    return images and not _crops(window)


def _crops(window: Window) -> bool:
    return any(side < 0 for sides in window.padding for side in sides)


def conv_forward(
    x: Array,
    w: Array,
    b: Array | None,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int = 1,
    input_dilation: Sizes = (),
) -> Array:
    """Return the cross-correlation of x with w, plus the bias `b: (k)`.

    Example:
        >>> x, w = np.arange(5.0).reshape(1, 5, 1), np.ones((2, 1, 1))
        >>> conv_forward(x, w, None, (1,), ((0, 0),), (1,))[0, :, 0]
        array([1., 3., 5., 7.])
    """
    window = window_of(stride, padding, dilation, groups, input_dilation)
    if _ordinary(window):
        return conv.conv_forward(x, w, b, *window.flat)
    return _forward(x, w, b, window)


def _forward(x: Array, w: Array, b: Array | None, window: Window) -> Array:
    if window.input_dilation:
        if max(window.stride) > 1:
            spread, window = _spread(x, window)
            return _forward(spread, w, b, window)
        shape = _output_shape(x.shape, w.shape, window)
        y = _input_grad(
            x, turned(w, window.groups), shape, window.transposed(w.shape[:-2])
        )
        return y if b is None else np.add(y, b, out=y)
    if _crops(window):
        inside, padding = _kept(x.shape[1:-1], window.padding)
        return _forward(x[inside], w, b, window._replace(padding=padding))
    if x.ndim == 3:
        y = conv.conv_forward(x[:, None], w[None], b, *_as_image(window))
        return y[:, 0]
    if x.ndim == 5:
        return depths.forward(x, w, b, *window.flat)
    return conv.conv_forward(x, w, b, *window.flat)


def conv_input_grad(
    g: Array,
    w: Array,
    input_shape: Shape,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int = 1,
    input_dilation: Sizes = (),
) -> Array:
    """Return the cotangent `(n, *size, c)` of the input of `conv_forward`."""
    window = window_of(stride, padding, dilation, groups, input_dilation)
    if _ordinary(window):
        return conv.conv_input_grad(g, w, input_shape, *window.flat)
    return _input_grad(g, w, tuple(input_shape), window)


def _input_grad(g: Array, w: Array, shape: Shape, window: Window) -> Array:
    if window.input_dilation:
        if max(window.stride) > 1:
            wide, between = _spread_shape(shape, window.input_dilation)
            x_bar = _input_grad(g, w, wide, window._replace(input_dilation=()))
            return np.ascontiguousarray(x_bar[between])
        turn = turned(w, window.groups)
        return _forward(g, turn, None, window.transposed(w.shape[:-2]))
    if _crops(window):
        x_bar = memory.zeros(shape, g.dtype)
        inside, padding = _kept(shape[1:-1], window.padding)
        part = x_bar[inside]
        if part.size:
            part[...] = _input_grad(g, w, part.shape, window._replace(padding=padding))
        return x_bar
    if g.ndim == 3:
        image = (shape[0], 1, *shape[1:])
        x_bar = conv.conv_input_grad(g[:, None], w[None], image, *_as_image(window))
        return x_bar[:, 0]
    if g.ndim == 5:
        return depths.input_grad(g, w, shape, *window.flat)
    return conv.conv_input_grad(g, w, shape, *window.flat)


def conv_weight_grad(
    x: Array,
    g: Array,
    kernel_shape: Shape,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int = 1,
    input_dilation: Sizes = (),
) -> Array:
    """Return the cotangent `(*window, c/groups, k)` of the weights."""
    window = window_of(stride, padding, dilation, groups, input_dilation)
    if _ordinary(window):
        return conv.conv_weight_grad(x, g, kernel_shape, *window.flat)
    return _weight_grad(x, g, tuple(kernel_shape), window)


def _weight_grad(x: Array, g: Array, shape: Shape, window: Window) -> Array:
    if window.input_dilation:
        if max(window.stride) > 1:
            spread, window = _spread(x, window)
            return _weight_grad(spread, g, shape, window)
        turn = _turned_shape(shape, window.groups)
        w_bar = _weight_grad(g, x, turn, window.transposed(shape[:-2]))
        return turned(w_bar, window.groups)
    if _crops(window):
        inside, padding = _kept(x.shape[1:-1], window.padding)
        return _weight_grad(x[inside], g, shape, window._replace(padding=padding))
    if x.ndim == 3:
        image = (1, *shape)
        w_bar = conv.conv_weight_grad(x[:, None], g[:, None], image, *_as_image(window))
        return w_bar[0]
    if x.ndim == 5:
        return depths.weight_grad(x, g, shape, *window.flat)
    return conv.conv_weight_grad(x, g, shape, *window.flat)


def conv_weight_grads(
    x: Array,
    g: Array,
    kernel_shape: Shape,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int = 1,
    input_dilation: Sizes = (),
) -> Array:
    """Return `conv_weight_grad` for each of m parts of a batch, (m, n, ...)."""
    window = window_of(stride, padding, dilation, groups, input_dilation)
    if _ordinary(window):
        return conv.conv_weight_grads(x, g, kernel_shape, *window.flat)
    w_bar = memory.zeros((len(x), *kernel_shape), x.dtype)
    for i in range(len(x)):
        w_bar[i] = _weight_grad(x[i], g[i], tuple(kernel_shape), window)
    return w_bar


def _as_image(window: Window) -> tuple[Any, ...]:
    """Return the window over signals as one over images of height one."""
    stride, padding, dilation, groups = window.flat
    return (1, *stride), ((0, 0), *padding), (1, *dilation), groups


def _kept(size: Sizes, padding: Padding) -> tuple[tuple[slice, ...], Padding]:
    """Return what negative padding leaves of an array, and the padding without it."""
    box = [
        slice(max(0, -before), max(0, n + min(0, after)))
        for n, (before, after) in zip(size, padding)
    ]
    rest = tuple([(max(0, before), max(0, after)) for before, after in padding])
    return (slice(None), *box), rest


def _output_shape(x_shape: Shape, w_shape: Shape, window: Window) -> Shape:
    size = window.outputs(x_shape[1:-1], w_shape[:-2])
    return (x_shape[0], *size, w_shape[-1])


def _spread_shape(shape: Shape, distance: Sizes) -> tuple[Shape, tuple[slice, ...]]:
    """Return the shape with zeros between the elements, and where the elements are."""
    size = [max(0, (n - 1) * e + 1) for n, e in zip(shape[1:-1], distance)]
    between = (slice(None), *[slice(None, None, e) for e in distance])
    return (shape[0], *size, shape[-1]), between


def _spread(x: Array, window: Window) -> tuple[Array, Window]:
    """Return x with zeros between its elements, and the window without dilation."""
    shape, between = _spread_shape(x.shape, window.input_dilation)
    spread = memory.zeros(shape, x.dtype)
    spread[between] = x
    return spread, window._replace(input_dilation=())


def _turned_shape(shape: Shape, groups: int) -> Shape:
    *taps, c, k = shape
    return (*taps, k // groups, c * groups)


def turned(w: Array, groups: int) -> Array:
    """Return weights of the opposite direction, turned round; an involution.

    `(*window, c/groups, k)` -> `(*window, k/groups, c)`
    """
    *taps, c, k = w.shape
    rank = len(taps)
    split = np.flip(w, tuple(range(rank))).reshape(*taps, c, groups, k // groups)
    swapped = split.transpose(*range(rank), rank + 2, rank + 1, rank)
    return np.ascontiguousarray(swapped).reshape(_turned_shape(w.shape, groups))


def im2col(
    x: Array, kernel: Sizes, stride: Sizes, padding: Padding, dilation: Sizes
) -> Array:
    """Return the windows of `x: (n, *size, c)` as rows, `(n, *size', taps*c)`.

    Example:
        >>> im2col(np.ones((1, 4, 2)), (3,), (1,), ((0, 0),), (1,)).shape
        (1, 2, 6)
    """
    if _crops(Window(stride, padding, dilation)):
        inside, padding = _kept(x.shape[1:-1], padding)
        return im2col(x[inside], kernel, stride, padding, dilation)
    if x.ndim == 3:
        image = ((1, *kernel), *_as_image(Window(stride, padding, dilation))[:3])
        return conv.im2col(x[:, None], *image)[:, 0]
    if x.ndim == 5:
        return depths.im2col(x, kernel, stride, padding, dilation)
    window: tuple[Any, ...] = (kernel, stride, padding, dilation)
    return conv.im2col(x, *window)


def col2im(
    cols: Array,
    input_shape: Shape,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> Array:
    """Add windows `(n, *size', taps*c)` back into arrays: the adjoint of im2col."""
    shape = tuple(input_shape)
    if _crops(Window(stride, padding, dilation)):
        x = memory.zeros(shape, cols.dtype)
        inside, padding = _kept(shape[1:-1], padding)
        part = x[inside]
        part[...] = col2im(cols, part.shape, kernel, stride, padding, dilation)
        return x
    if len(shape) == 3:
        image = ((1, *kernel), *_as_image(Window(stride, padding, dilation))[:3])
        wide = (shape[0], 1, *shape[1:])
        return conv.col2im(cols[:, None], wide, *image)[:, 0]
    if len(shape) == 5:
        return depths.col2im(cols, shape, kernel, stride, padding, dilation)
    window: tuple[Any, ...] = (kernel, stride, padding, dilation)
    return conv.col2im(cols, shape, *window)
