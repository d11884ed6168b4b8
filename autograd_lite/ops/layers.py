"""Primitives that layers and losses are made of, fused where one pass replaces many."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any, Final

import numpy as np

from ..core import (
    Primitive,
    defbatch,
    defjvp,
    defvjp,
    elementwise,
    primitive,
)
from ..errors import ArgumentError
from ..policies import in_force
from .basic import Axes, broadcast_to, reshape, sum
from .batch import batch_along_axes, batch_rows, batch_stacks
from .elementwise import where

# Elements below which NumPy is as fast, and needs nothing compiled.
_SMALL: Final = 1 << 12


@cache
def _kernels() -> ModuleType:
    """Return `kernels.activation`; imported on first use, because it loads Numba."""
    from ..kernels import activation as kernels

    return kernels


@cache
def _optim_kernels() -> ModuleType:
    from ..kernels import optim as kernels

    return kernels


def _suits_a_kernel(x: Any) -> bool:
    return x.size >= _SMALL and x.dtype.char in "fd"


# -- activations -------------------------------------------------------------------


@primitive
def relu(x: Any) -> Any:
    """Return x where it is positive or NaN, else 0."""
    return _kernels().relu(x) if _suits_a_kernel(x) else np.maximum(x, 0)


@primitive
def relu_mask(g: Any, y: Any) -> Any:
    """Return g where y is positive or NaN, else 0; y is a constant to derivatives."""
    if _suits_a_kernel(g) and g.dtype == y.dtype:
        return _kernels().relu_mask(g, y)
    return np.where(y <= 0, np.zeros((), g.dtype), g)[()]


def _relu_vjp(ans: Any, x: Any) -> Callable[[Any], Any]:
    at_zero = in_force().relu0
    if at_zero:
        return lambda g: where(x == 0, at_zero * g, relu_mask(g, ans))
    return lambda g: relu_mask(g, ans)


defvjp(relu, _relu_vjp)
defjvp(relu, lambda x_dot, ans, x: _relu_vjp(ans, x)(x_dot))
defvjp(relu_mask, lambda ans, g, y: lambda x_bar: relu_mask(x_bar, y), None)
defjvp(relu_mask, lambda g_dot, ans, g, y: relu_mask(g_dot, y), None)


def _leaky_slope(x: Any, *, slope: float) -> Any:
    """Return 1 where x is positive, else `slope`: the derivative of leaky_relu."""
    one = np.ones((), x.dtype)
    positive = x >= 0 if in_force().leaky0 == 1 else x > 0
    return np.where(positive, one, one * slope)[()]


leaky_slope = Primitive(_leaky_slope, name="leaky_slope", differentiable=False)


@elementwise
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), to full precision at both ends."""
    e = np.exp(-np.abs(x))
    return (np.where(x < 0, e, np.ones((), e.dtype)) / (1 + e))[()]


defvjp(sigmoid, lambda ans, x: lambda g: g * (ans * (1 - ans)))
defjvp(sigmoid, lambda x_dot, ans, x: x_dot * (ans * (1 - ans)))


@elementwise
def softplus(x: Any) -> Any:
    """Return log(1 + exp(x)), without overflow."""
    return np.logaddexp(x, 0)


defvjp(softplus, lambda ans, x: lambda g: g * sigmoid(x))
defjvp(softplus, lambda x_dot, ans, x: x_dot * sigmoid(x))


@primitive
def sum_of_squares(x: Any) -> Any:
    """Return the sum of the squares of all elements of a real array."""
    if _suits_a_kernel(x):
        total = _optim_kernels().square_norm(np.ascontiguousarray(x).reshape(-1))
        return x.dtype.type(total)
    return np.sum(x * x)


defvjp(sum_of_squares, lambda ans, x: lambda g: (2 * g) * x)
defjvp(
    sum_of_squares,
    lambda x_dot, ans, x: 2 * sum(x * x_dot, axis=tuple(range(x.ndim))),
)


# -- softmax -----------------------------------------------------------------------


@primitive
def softmax(x: Any, *, axis: Axes) -> Any:
    """Return exp(x) divided by its sum over the axes `axis`."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _softmax_derivative(v: Any, ans: Any, axis: Axes) -> Any:
    """Return J v, which is also v J: the Jacobian of softmax is symmetric."""
    return ans * (v - sum(v * ans, axis=axis, keepdims=True))


defvjp(softmax, lambda ans, x, *, axis: lambda g: _softmax_derivative(g, ans, axis))
defjvp(softmax, lambda x_dot, ans, x, *, axis: _softmax_derivative(x_dot, ans, axis))


@primitive
def log_softmax(x: Any, *, axis: Axes) -> Any:
    """Return the logarithm of softmax, which stays finite where softmax underflows."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _log_softmax_vjp(ans: Any, x: Any, *, axis: Axes) -> Any:
    return lambda g: g - softmax(x, axis=axis) * sum(g, axis=axis, keepdims=True)


def _log_softmax_jvp(x_dot: Any, ans: Any, x: Any, *, axis: Axes) -> Any:
    return x_dot - sum(x_dot * softmax(x, axis=axis), axis=axis, keepdims=True)


defvjp(log_softmax, _log_softmax_vjp)
defjvp(log_softmax, _log_softmax_jvp)


@primitive
def softmax_cross_entropy(logits: Any, labels: Any, *, smoothing: float) -> Any:
    """Return -sum(target * log_softmax(logits)) of each row, from integer labels.

    The target is smoothing / k for every class, plus 1 - smoothing at the label.
    logits: (n, k), labels: (n) -> (n)
    """
    loss, bad = _kernels().cross_entropy(logits, labels, smoothing)
    if bad >= 0:
        raise ArgumentError(
            f"label {labels[bad]} of row {bad} is no class: logits of shape "
            f"{logits.shape} have classes 0 to {logits.shape[1] - 1}."
        )
    return loss


@primitive
def softmax_cross_entropy_grad(
    g: Any, logits: Any, labels: Any, *, smoothing: float
) -> Any:
    """Return g[:, None] * (softmax(logits) - target): (n, k)."""
    return _kernels().cross_entropy_backward(g, logits, labels, smoothing)


def _cross_entropy_vjp(ans: Any, logits: Any, labels: Any, *, smoothing: float) -> Any:
    return lambda g: softmax_cross_entropy_grad(g, logits, labels, smoothing=smoothing)


def _cross_entropy_jvp(
    logits_dot: Any, ans: Any, logits: Any, labels: Any, *, smoothing: float
) -> Any:
    ones = np.ones(ans.shape, ans.dtype)
    slope = softmax_cross_entropy_grad(ones, logits, labels, smoothing=smoothing)
    return sum(logits_dot * slope, axis=(1,))


defvjp(softmax_cross_entropy, _cross_entropy_vjp, None)
defjvp(softmax_cross_entropy, _cross_entropy_jvp, None)


def _entropy_grad_vjp_g(
    ans: Any, g: Any, logits: Any, labels: Any, *, smoothing: float
) -> Any:
    def pullback(v: Any) -> Any:
        return _cross_entropy_jvp(v, g, logits, labels, smoothing=smoothing)

    return pullback


def _entropy_grad_vjp_logits(
    ans: Any, g: Any, logits: Any, labels: Any, *, smoothing: float
) -> Any:
    weight = reshape(g, shape=(*g.shape, 1))
    return lambda v: _softmax_derivative(weight * v, softmax(logits, axis=(1,)), (1,))


def _entropy_grad_jvp_g(
    g_dot: Any, ans: Any, g: Any, logits: Any, labels: Any, *, smoothing: float
) -> Any:
    return softmax_cross_entropy_grad(g_dot, logits, labels, smoothing=smoothing)


def _entropy_grad_jvp_logits(
    logits_dot: Any, ans: Any, g: Any, logits: Any, labels: Any, *, smoothing: float
) -> Any:
    weight = reshape(g, shape=(*g.shape, 1))
    return weight * _softmax_derivative(logits_dot, softmax(logits, axis=(1,)), (1,))


defvjp(softmax_cross_entropy_grad, _entropy_grad_vjp_g, _entropy_grad_vjp_logits, None)
defjvp(softmax_cross_entropy_grad, _entropy_grad_jvp_g, _entropy_grad_jvp_logits, None)


@primitive
def total_cross_entropy(
    logits: Any, labels: Any, *, smoothing: float, scale: float
) -> Any:
    """Return `scale` times the sum of `softmax_cross_entropy`: a loss, in one step."""
    loss = softmax_cross_entropy.impl(logits, labels, smoothing=smoothing)
    return loss.sum() * scale


def _total_vjp(
    ans: Any, logits: Any, labels: Any, *, smoothing: float, scale: float
) -> Any:
    def pullback(g: Any) -> Any:
        rows = broadcast_to(g * scale, shape=labels.shape)
        return softmax_cross_entropy_grad(rows, logits, labels, smoothing=smoothing)

    return pullback


def _total_jvp(
    logits_dot: Any, ans: Any, logits: Any, labels: Any, *, smoothing: float, scale: Any
) -> Any:
    rows = broadcast_to(ans, shape=labels.shape)
    slopes = _cross_entropy_jvp(logits_dot, rows, logits, labels, smoothing=smoothing)
    return sum(slopes, axis=(0,)) * scale


defvjp(total_cross_entropy, _total_vjp, None)
defjvp(total_cross_entropy, _total_jvp, None)


# -- batching ----------------------------------------------------------------------


def _sum_of_squares_batch(size: int, args: Any, batched: Any) -> Any:
    (x,) = args
    return sum(x * x, axis=tuple(range(1, x.ndim)))


def _total_batch(
    size: int, args: Any, batched: Any, *, smoothing: float, scale: float
) -> Any:
    rows: Any = softmax_cross_entropy.batch
    return sum(rows(size, args, batched, smoothing=smoothing), axis=(1,)) * scale


batch_stacks(relu, relu_mask, leaky_slope)
batch_along_axes(softmax, log_softmax)
batch_rows(softmax_cross_entropy, softmax_cross_entropy_grad)
defbatch(sum_of_squares, _sum_of_squares_batch)
defbatch(total_cross_entropy, _total_batch)
