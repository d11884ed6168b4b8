"""A convolution's bias, ReLU and max-pool in one pass: `max_pool(relu(conv(x, w, b)))`.

It is taken apart as max-pooling is. Who wins a window, and which windows ReLU makes
zero, has no gradient; given these codes, what is left is linear in each argument: the
convolution, read at the winners. The full-size result is never written, and gradients
of weights and bias come straight from the cotangent of what was pooled. Derivatives of
higher order are those of the operations that it stands for.

Shapes: `x: (n, h, w, c)`, `w: (r, s, c, k)`, `b: (k)`, results `(n, h', w', k)`. The
parameters are `padding` of the convolution, `window` and `stride` of the pool; other
strides are 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

from ..core import (
    KernelCall,
    Primitive,
    defbatch,
    defjvp,
    defvjp_argnums,
    is_transformed,
    primitive,
)
from .batch import every, fold, unfold
from .conv import channel_sum, conv, conv_bias, conv_input_grad, conv_weight_grad
from .elementwise import where
from .pool import max_pool_gather, max_pool_scatter, max_pool_winners


@cache
def _kernels() -> ModuleType:
    """Return `kernels.conv_relu_pool`; imported on first use: it loads Numba."""
    from ..kernels import conv_relu_pool as kernels

    return kernels


_ONES = (1, 1)


@lru_cache(maxsize=1024)
def _plan(x: Any, w: Any, dtype: Any, padding: Any, window: Any, stride: Any) -> Any:
    """Return what kernels take after the arrays, given shapes; None: there is none."""
    from ..kernels.geometry import geometry

    size = geometry(x, w, _ONES, padding)
    fits = _kernels().fits(size, dtype, window, stride)
    return (size, window, stride) if fits else None


def pays(x: Any, w: Any, *, padding: Any, window: Any, stride: Any) -> bool:
    """Return whether there is a kernel for this; where there is, it is faster."""
    return _plan(x.shape, w.shape, x.dtype, padding, window, stride) is not None


def _convolution(params: dict[str, Any]) -> dict[str, Any]:
    window = {"stride": _ONES, "padding": params["padding"], "dilation": _ONES}
    return {**window, "groups": 1}


def _pool(params: dict[str, Any]) -> dict[str, Any]:
    unpadded = {"padding": ((0, 0), (0, 0))}
    return {"window": params["window"], "stride": params["stride"], **unpadded}


def _dead(params: dict[str, Any]) -> int:
    """Return the code of windows that ReLU made zero."""
    return params["window"][0] * params["window"][1]


def pooled_layer(x: Any, w: Any, b: Any, **params: Any) -> Any:
    """Return `max_pool(relu(conv_bias(x, w, b)))`, with the same gradient."""
    y, code = conv_relu_pool_winners(x, w, b, **params)
    return conv_relu_pool(x, w, b, code, y, **params)


def _winners(x: Any, w: Any, b: Any, **params: Any) -> tuple[Any, Any]:
    """Return what is pooled and, without gradient, who won each window."""
    plan = _plan(x.shape, w.shape, x.dtype, **params)
    if plan is not None:
        return _kernels().forward(x, w, b, *plan)
    return _winners_of(conv_bias(x, w, b, **_convolution(params)), params)


def _winners_of(y: Any, params: dict[str, Any]) -> tuple[Any, Any]:
    y, code = max_pool_winners(y, **_pool(params))
    dead = y <= 0
    zero, none = y.dtype.type(0), code.dtype.type(_dead(params))
    return where(dead, zero, y), where(dead, none, code)


conv_relu_pool_winners = Primitive(
    _winners, name="conv_relu_pool_winners", multiple=True, differentiable=False
)


@primitive
def conv_relu_pool(
    x: Any, w: Any, b: Any, code: Any, y: Any = None, **params: Any
) -> Any:
    """Return from each window of the convolution the element that `code` names.

    Where ReLU made it zero, it is. `y` says what is known already: linear in x, and in
    w and b together, all the same.
    """
    if y is not None:
        return y
    return _at(conv_bias(x, w, b, **_convolution(params)), code, params)


def _at(y: Any, code: Any, params: dict[str, Any]) -> Any:
    """Return the elements of a convolution that won."""
    dead = _dead(params)
    named = where(code == dead, code.dtype.type(0), code)
    return _alive(max_pool_gather(y, named, **_pool(params)), code, params)


def _alive(y: Any, code: Any, params: dict[str, Any]) -> Any:
    return where(code == _dead(params), y.dtype.type(0), y)


def _both_grads(x: Any, g: Any, code: Any, *, plan: Any) -> tuple[Any, Any]:
    return _kernels().weight_grad(x, g, code, *plan)


_weight_and_bias_grad = KernelCall(_both_grads, "conv_relu_pool_weight_grad")


def _vjp(
    argnums: tuple[int, ...], ans: Any, args: tuple[Any, ...], params: dict[str, Any]
) -> Callable[[Any], tuple[Any, ...]]:
    x, w, _, code, *_ = args
    plan = (
        None
        if any(map(is_transformed, args))
        else _plan(x.shape, w.shape, x.dtype, **params)
    )

    def pullback(g: Any) -> tuple[Any, ...]:
        if plan is None or is_transformed(g):
            return _unfused(argnums, g, x, w, code, params)
        x_bars = _unfused((0,), g, x, w, code, params) if 0 in argnums else ()
        if argnums[len(x_bars) :]:
            both = _weight_and_bias_grad(x, g, code, plan=plan)
            x_bars += tuple([both[i - 1] for i in argnums if i])
        return x_bars

    return pullback


def _unfused(
    argnums: tuple[int, ...], g: Any, x: Any, w: Any, code: Any, params: Any
) -> tuple[Any, ...]:
    """Return the cotangents by way of that of the convolution's result."""
    convolution = _convolution(params)
    (top, bottom), (left, right) = params["padding"]
    size = (
        x.shape[1] + top + bottom - w.shape[0] + 1,
        x.shape[2] + left + right - w.shape[1] + 1,
    )
    g = max_pool_scatter(_alive(g, code, params), code, size=size, **_pool(params))
    rules = (
        lambda: conv_input_grad(g, w, input_shape=x.shape, **convolution),
        lambda: conv_weight_grad(x, g, kernel_shape=w.shape, **convolution),
        lambda: channel_sum(g),
    )
    return tuple([rules[i]() for i in argnums])


defvjp_argnums(conv_relu_pool, _vjp)


def _x_jvp(
    x_dot: Any, ans: Any, x: Any, w: Any, b: Any, code: Any, y: Any = None, **p: Any
) -> Any:
    return _at(conv(x_dot, w, **_convolution(p)), code, p)


def _w_jvp(
    w_dot: Any, ans: Any, x: Any, w: Any, b: Any, code: Any, y: Any = None, **p: Any
) -> Any:
    return _at(conv(x, w_dot, **_convolution(p)), code, p)


def _b_jvp(
    b_dot: Any, ans: Any, x: Any, w: Any, b: Any, code: Any, y: Any = None, **p: Any
) -> Any:
    return where(code == _dead(p), b_dot.dtype.type(0), b_dot)


defjvp(conv_relu_pool, _x_jvp, _w_jvp, _b_jvp)


def _convolved(size: int, args: Any, batched: Sequence[bool], params: Any) -> Any:
    """Return the convolutions of a batch of calls, folded into one batch of images."""
    rule = conv_bias.batch
    if rule is not None and any(batched):
        y = rule(size, args, batched, **_convolution(params))
    else:
        (y,) = every(size, [conv_bias(*args, **_convolution(params))], [False])
    return fold(y)


def _winners_batch(size: int, args: Any, batched: Any, **params: Any) -> Any:
    y, code = _winners_of(_convolved(size, args, batched, params), params)
    return unfold(y, size), unfold(code, size)


def _at_winners_batch(size: int, args: Any, batched: Any, **params: Any) -> Any:
    code = every(size, args[3:4], batched[3:4])
    y = _convolved(size, args[:3], batched[:3], params)
    return unfold(_at(y, fold(code[0]), params), size)


defbatch(conv_relu_pool_winners, _winners_batch)
defbatch(conv_relu_pool, _at_winners_batch)
