"""Convolution: three contractions of one trilinear form, each the others' gradient.

As <y, conv(x, w)> = <x, conv_input_grad(y, w)> = <w, conv_weight_grad(x, y)>, the rules
below are all there is: derivatives of every order come from these three kernels.

Shapes: `x: (n, h, w, c)`, `w: (r, s, c/groups, k)`, `y: (n, ho, wo, k)`. The parameters
are resolved: `stride` and `dilation` are pairs of ints, `padding` is
((top, bottom), (left, right)).
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from ..core import Primitive, defbatch, defjvp, defvjp, primitive
from .basic import broadcast_to, reshape


@cache
def _kernels() -> ModuleType:
    """Return `kernels.conv`; imported on first use, because it loads Numba."""
    from ..kernels import conv as kernels

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
def channel_sum(x: Any) -> Any:
    """Return the sum over all axes but the last, `(..., k) -> (k)`."""
    return _kernels().channel_sum(x)


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


def _channel_sum_vjp(ans: Any, x: Any) -> Any:
    shape = x.shape
    return lambda g: broadcast_to(g, shape=shape)


defvjp(channel_sum, _channel_sum_vjp)
defjvp(channel_sum, lambda x_dot, ans, x: channel_sum(x_dot))


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


def _fold(fun: Primitive) -> Any:
    """Return the batching rule that makes one batch of many, as the kernels allow.

    Only where the first argument alone is mapped: kernels that differ need a loop.
    """

    def rule(size: int, args: Any, batched: Any, **params: Any) -> Any:
        x, *rest = args
        if any(batched[1:]):
            return NotImplemented
        if "input_shape" in params:
            n, *image = params["input_shape"]
            params = {**params, "input_shape": (size * n, *image)}
        n = x.shape[1]
        y = fun(reshape(x, shape=(size * n, *x.shape[2:])), *rest, **params)
        return reshape(y, shape=(size, n, *y.shape[1:]))

    return rule


for _fun in (conv, conv_bias, conv_input_grad):
    defbatch(_fun, _fold(_fun))


@primitive
def im2col(x: Any, *, kernel: Any, **window: Any) -> Any:
    """Return the windows of x as rows: `(n, h, w, c) -> (n, ho, wo, r*s*c)`.

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
