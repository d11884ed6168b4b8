"""Convolution: three contractions of one trilinear form, each the others' gradient.

As <y, conv(x, w)> = <x, conv_input_grad(y, w)> = <w, conv_weight_grad(x, y)>, the rules
below are all there is: derivatives of every order come from these three kernels.

Shapes: `x: (n, h, w, c)`, `w: (r, s, c/groups, k)`, `y: (n, ho, wo, k)`; signals and
volumes have one spatial axis or three. The parameters are resolved: `stride`,
`dilation` and `input_dilation` are tuples of ints, one per axis, `padding` is a tuple
of pairs, ((top, bottom), (left, right)).
"""

from __future__ import annotations

import math
from functools import cache
from types import ModuleType
from typing import Any, Final

from ..core import Primitive, defbatch, defjvp, defvjp, primitive
from .basic import align, broadcast_to, reshape, transpose
from .batch import batch_rows, every, fold, unfold
from .elementwise import add


@cache
def _kernels() -> ModuleType:
    """Return `kernels.conv_nd`; imported on first use, because it loads Numba."""
    from ..kernels import conv_nd as kernels

    return kernels


@primitive
def conv(x: Any, w: Any, **window: Any) -> Any:
    """Return the cross-correlation of images x with the kernels w."""
    return _kernels().conv_forward(x, w, None, **window)


@primitive
def conv_bias(x: Any, w: Any, b: Any, **window: Any) -> Any:
    """Return `conv(x, w) + b`, `b: (k)`, in one pass over the result."""
    return _kernels().conv_forward(x, w, b, **window)


@primitive
def conv_input_grad(y: Any, w: Any, *, input_shape: Any, **window: Any) -> Any:
    """Return the x_bar with <x_bar, x> = <y, conv(x, w)> for every such x."""
    return _kernels().conv_input_grad(y, w, input_shape, **window)


@primitive
def conv_weight_grad(x: Any, y: Any, *, kernel_shape: Any, **window: Any) -> Any:
    """Return the w_bar with <w_bar, w> = <y, conv(x, w)> for every such w."""
    return _kernels().conv_weight_grad(x, y, kernel_shape, **window)


@primitive
def conv_weight_grads(x: Any, y: Any, *, kernel_shape: Any, **window: Any) -> Any:
    """Return `conv_weight_grad` for each of m parts: (m, n, ...) -> (m, r, s, ...)."""
    return _kernels().conv_weight_grads(x, y, kernel_shape, **window)


@primitive
def channel_sum(x: Any, *, parts: bool = False) -> Any:
    """Return the sum over all axes but the last, `(..., k) -> (k)`.

    With `parts` one for each part of a batch, `(m, ..., k) -> (m, k)`.
    """
    return _kernels().channel_sums(x) if parts else _kernels().channel_sum(x)


def _input_pullback(ans: Any, x: Any, w: Any, *b: Any, **window: Any) -> Any:
    shape = x.shape
    return lambda g: conv_input_grad(g, w, input_shape=shape, **window)


def _weight_pullback(ans: Any, x: Any, w: Any, *b: Any, **window: Any) -> Any:
    shape = w.shape
    return lambda g: conv_weight_grad(x, g, kernel_shape=shape, **window)


defvjp(conv, _input_pullback, _weight_pullback)
defvjp(conv_bias, _input_pullback, _weight_pullback, lambda *_, **window: channel_sum)


def _input_grad_weight_pullback(
    ans: Any, y: Any, w: Any, *, input_shape: Any, **window: Any
) -> Any:
    shape = w.shape
    return lambda g: conv_weight_grad(g, y, kernel_shape=shape, **window)


defvjp(
    conv_input_grad,
    lambda ans, y, w, *, input_shape, **window: lambda g: conv(g, w, **window),
    _input_grad_weight_pullback,
)


def _weight_grad_input_pullback(
    ans: Any, x: Any, y: Any, *, kernel_shape: Any, **window: Any
) -> Any:
    shape = x.shape
    return lambda g: conv_input_grad(y, g, input_shape=shape, **window)


defvjp(
    conv_weight_grad,
    _weight_grad_input_pullback,
    lambda ans, x, y, *, kernel_shape, **window: lambda g: conv(x, g, **window),
)


def _channel_sum_vjp(ans: Any, x: Any, *, parts: bool = False) -> Any:
    shape = x.shape
    kept = (shape[0], *(1,) * (x.ndim - 2), shape[-1]) if parts else shape[-1:]
    return lambda g: broadcast_to(reshape(g, shape=kept), shape=shape)


defvjp(channel_sum, _channel_sum_vjp)
defjvp(channel_sum, lambda x_dot, ans, x, **params: channel_sum(x_dot, **params))


def _def_bilinear_jvp(fun: Primitive) -> None:
    """Define the forward rules of a function linear in each of two arguments."""
    defjvp(
        fun,
        lambda x_dot, ans, x, y, **params: fun(x_dot, y, **params),
        lambda y_dot, ans, x, y, **params: fun(x, y_dot, **params),
    )


for _fun in (conv, conv_input_grad, conv_weight_grad):
    _def_bilinear_jvp(_fun)
defjvp(
    conv_bias,
    lambda x_dot, ans, x, w, b, **window: conv(x_dot, w, **window),
    lambda w_dot, ans, x, w, b, **window: conv(x, w_dot, **window),
    lambda b_dot, ans, x, w, b, **window: broadcast_to(b_dot, shape=ans.shape),
)


@primitive
def im2col(x: Any, *, kernel: Any, **window: Any) -> Any:
    """Return the windows of x as rows: `(n, h, w, c) -> (n, ho, wo, r*s*c)`.

    With one spatial axis or three accordingly.

    The formulation of K. Chellapilla, S. Puri, P. Simard, 2006, "High Performance
    Convolutional Neural Networks for Document Processing": convolution as one matrix
    product.
    """
    return _kernels().im2col(x, kernel, **window)


@primitive
def col2im(cols: Any, *, input_shape: Any, kernel: Any, **window: Any) -> Any:
    """Add windows back into images: the transpose of `im2col`."""
    return _kernels().col2im(cols, input_shape, kernel, **window)


def _im2col_vjp(ans: Any, x: Any, **params: Any) -> Any:
    shape = x.shape
    return lambda g: col2im(g, input_shape=shape, **params)


defvjp(im2col, _im2col_vjp)
defjvp(im2col, lambda x_dot, ans, x, **params: im2col(x_dot, **params))
defvjp(
    col2im,
    lambda ans, cols, *, input_shape, **params: lambda g: im2col(g, **params),
)
defjvp(col2im, lambda cols_dot, ans, cols, **params: col2im(cols_dot, **params))

# -- batching --------------------------------------------------------------------------

# Images that all use the same kernels are more images. Kernels of one kind for each
# element are more kernels where the images are the same for all; where these differ as
# well, elements become groups of channels, which see kernels of their own.


def _conv_batch(size: int, args: Any, batched: Any, **window: Any) -> Any:
    x, w = args
    if not batched[1]:
        return unfold(conv(fold(x), w, **window), size)
    groups = window["groups"]
    if not batched[0]:
        return _from_channels(conv(x, _many(w, groups), **window), size, groups)
    if groups > 1 or not window.keys() <= _WINDOWED:
        window = {**window, "groups": size * groups}
        y = conv(_in_channels(x), _in_channels(w), **window)
        return _from_channels(y, size, 1)
    *kernel, _, k = w.shape[1:]
    cols = im2col(fold(x), kernel=tuple(kernel), **_geometry(window))
    places, taps = cols.shape[1:-1], cols.shape[-1]
    rows = reshape(cols, shape=(size, x.shape[1] * math.prod(places), taps))
    y = rows @ reshape(w, shape=(size, taps, k))
    return reshape(y, shape=(size, x.shape[1], *places, k))


def _conv_bias_batch(size: int, args: Any, batched: Any, **window: Any) -> Any:
    x, w, b = args
    if not batched[1] and not batched[2]:
        return unfold(conv_bias(fold(x), w, b, **window), size)
    if batched[0] or batched[1]:
        y, has_axis = _conv_batch(size, (x, w), batched[:2], **window), True
    else:
        y, has_axis = conv(x, w, **window), False
    return add(*align([y, b], [has_axis, batched[2]]))


def _input_grad_batch(
    size: int, args: Any, batched: Any, *, input_shape: Any, **window: Any
) -> Any:
    y, w = args
    n, *image, c = input_shape
    if not batched[1]:
        rows = {"input_shape": (size * n, *image, c), **window}
        return unfold(conv_input_grad(fold(y), w, **rows), size)
    (y,) = every(size, [y], batched[:1])
    if window["groups"] > 1 or not window.keys() <= _WINDOWED:
        window = {**window, "groups": size * window["groups"]}
        shape = (n, *image, size * c)
        channels = _in_channels(y), _in_channels(w)
        x_bar = conv_input_grad(*channels, input_shape=shape, **window)
        return _from_channels(x_bar, size, 1)
    *kernel, _, k = w.shape[1:]
    taps, places = math.prod(kernel) * c, y.shape[2:-1]
    turned = transpose(reshape(w, shape=(size, taps, k)), axes=(0, 2, 1))
    cols = reshape(y, shape=(size, n * math.prod(places), k)) @ turned
    cols = reshape(cols, shape=(size * n, *places, taps))
    rows = {"input_shape": (size * n, *image, c), "kernel": tuple(kernel)}
    return unfold(col2im(cols, **rows, **_geometry(window)), size)


# What `im2col` knows of, besides the groups that it has nothing to do with.
_WINDOWED: Final = {"stride", "padding", "dilation", "groups"}


def _geometry(window: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in window.items() if name != "groups"}


def _weight_grad_batch(
    size: int, args: Any, batched: Any, *, kernel_shape: Any, **window: Any
) -> Any:
    x, y = args
    if not batched[0]:
        groups = window["groups"]
        shape = (*kernel_shape[:-1], size * kernel_shape[-1])
        w_bar = conv_weight_grad(x, _many(y, groups), kernel_shape=shape, **window)
        return _from_channels(w_bar, size, groups)
    x, y = every(size, args, batched)
    return conv_weight_grads(x, y, kernel_shape=kernel_shape, **window)


def _many(w: Any, groups: int) -> Any:
    """Return (size, ..., k) as (..., size * k), the groups of channels outside."""
    size, *shape, k = w.shape
    w = reshape(w, shape=(size, *shape, groups, k // groups))
    n = len(shape)
    w = transpose(w, axes=(*range(1, n + 2), 0, n + 2))
    return reshape(w, shape=(*shape, size * k))


def _in_channels(x: Any) -> Any:
    """Return (size, ..., c) as (..., size * c)."""
    return _many(x, 1)


def _from_channels(y: Any, size: int, groups: int) -> Any:
    """Return (..., size * k) as (size, ..., k): the inverse of `_many`."""
    *shape, k = y.shape
    n = len(shape)
    y = reshape(y, shape=(*shape, groups, size, k // (groups * size)))
    y = transpose(y, axes=(n + 1, *range(n + 1), n + 2))
    return reshape(y, shape=(size, *shape, k // size))


def _channel_sum_batch(
    size: int, args: Any, batched: Any, *, parts: bool = False
) -> Any:
    (x,) = args
    if not parts:
        return channel_sum(x, parts=True)
    return unfold(channel_sum(fold(x), parts=True), size)


def _col2im_batch(
    size: int, args: Any, batched: Any, *, input_shape: Any, **params: Any
) -> Any:
    n, *image = input_shape
    rows = {"input_shape": (size * n, *image), **params}
    return unfold(col2im(fold(args[0]), **rows), size)


defbatch(conv, _conv_batch)
defbatch(conv_bias, _conv_bias_batch)
defbatch(conv_input_grad, _input_grad_batch)
defbatch(conv_weight_grad, _weight_grad_batch)
defbatch(channel_sum, _channel_sum_batch)
defbatch(col2im, _col2im_batch)
batch_rows(im2col, conv_weight_grads)


def _weight_grads_input_pullback(
    ans: Any, x: Any, y: Any, *, kernel_shape: Any, **window: Any
) -> Any:
    m, *shape = x.shape
    params = {"input_shape": tuple(shape), **window}
    return lambda g: _input_grad_batch(m, (y, g), (True, True), **params)


def _weight_grads_output_pullback(
    ans: Any, x: Any, y: Any, *, kernel_shape: Any, **window: Any
) -> Any:
    return lambda g: _conv_batch(x.shape[0], (x, g), (True, True), **window)


defvjp(conv_weight_grads, _weight_grads_input_pullback, _weight_grads_output_pullback)
_def_bilinear_jvp(conv_weight_grads)
