"""Batch normalisation with the statistics of the batch, and ReLU in the same pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from ..core import (
    KernelCall,
    Primitive,
    defbatch,
    defjvp_argnums,
    defvjp_argnums,
    is_transformed,
    primitive,
)
from .basic import filled, reshape, sum, transpose
from .batch import every
from .layers import relu_mask


@cache
def _kernels() -> ModuleType:
    """Return `kernels.norm`; imported on first use, because it loads Numba."""
    from ..kernels import norm as kernels

    return kernels


def _rows(x: Any) -> Any:
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _moments(x: Any) -> tuple[Any, Any]:
    """Return mean and biased variance over all axes but the last, as constants."""
    return _kernels().moments(_rows(x))


batch_moments = Primitive(
    _moments, name="batch_moments", multiple=True, differentiable=False
)


@primitive
def batch_normalise(
    x: Any,
    gamma: Any,
    beta: Any,
    mean: Any = None,
    variance: Any = None,
    *,
    eps: float,
    rectified: bool = False,
) -> Any:
    """Return `gamma * (x - mean) / sqrt(variance + eps) + beta`, or its ReLU.

    Mean and variance are those of x over all axes but the last; `mean` and `variance`
    say what is known of them already. x: (..., c), gamma, beta: (c) -> (..., c)
    """
    rows = _rows(x)
    if mean is None:
        mean, variance = _kernels().moments(rows)
    scale = gamma * _inverse_deviation(variance, eps)
    shift = np.ascontiguousarray(beta)
    return _kernels().normalise(rows, mean, scale, shift, rectified).reshape(x.shape)


def _inverse_deviation(variance: Any, eps: float) -> Any:
    return (variance + eps) ** -0.5


def _vjp(
    argnums: tuple[int, ...], ans: Any, args: tuple[Any, ...], params: dict[str, Any]
) -> Callable[[Any], tuple[Any, ...]]:
    x, gamma, beta, *known = args
    eps, rectified = params["eps"], params.get("rectified", False)
    y = ans if rectified else None
    traced = any(map(is_transformed, args))

    def pullback(g: Any) -> tuple[Any, ...]:
        if traced or is_transformed(g):
            g = g if y is None else relu_mask(g, y)
            x_bars = _traced_backward(g, x, gamma, eps)
        else:
            given = {"eps": eps, "rectified": rectified}
            x_bars = _batch_norm_grad(g, x, gamma, beta, *known, **given)
        return tuple([x_bars[i] if i < 3 else None for i in argnums])

    return pullback


def _backward(
    g: Any, x: Any, gamma: Any, beta: Any, *known: Any, eps: float, rectified: bool
) -> tuple[Any, ...]:
    """Return the cotangents of x, gamma and beta."""
    rows = _rows(x)
    mean, variance = known or _kernels().moments(rows)
    each = mean, _inverse_deviation(variance, eps), gamma, np.ascontiguousarray(beta)
    x_bar, *others = _kernels().backward(_rows(g), rows, *each, rectified)
    return (x_bar.reshape(x.shape), *others)


_batch_norm_grad = KernelCall(_backward, "batch_norm_grad")


def _traced_backward(g: Any, x: Any, gamma: Any, eps: float) -> tuple[Any, ...]:
    """Return what `kernels.norm.backward` does, in operations with derivatives."""
    axis = tuple(range(x.ndim - 1))
    m = math.prod(x.shape[:-1])
    centred = x - sum(x, axis=axis) / m
    inverse = _inverse_deviation(sum(centred * centred, axis=axis) / m, eps)
    z = centred * inverse
    gamma_bar, beta_bar = sum(g * z, axis=axis), sum(g, axis=axis)
    x_bar = gamma * inverse * (g - (beta_bar + z * gamma_bar) / m)
    return x_bar, gamma_bar, beta_bar


def _jvp(
    argnums: tuple[int, ...],
    x_dots: Sequence[Any],
    ans: Any,
    args: tuple[Any, ...],
    params: dict[str, Any],
) -> Any:
    x, gamma, _ = args[:3]
    given = [(i, dot) for i, dot in zip(argnums, x_dots) if i < 3]
    x_dot, gamma_dot, beta_dot = filled(
        tuple([i for i, _ in given]), [dot for _, dot in given], args[:3]
    )
    axis = tuple(range(x.ndim - 1))
    m = math.prod(x.shape[:-1])
    centred = x - sum(x, axis=axis) / m
    variance = sum(centred * centred, axis=axis) / m
    inverse = _inverse_deviation(variance, params["eps"])
    mean_dot = sum(x_dot, axis=axis) / m
    variance_dot = 2 * sum(centred * x_dot, axis=axis) / m
    z = centred * inverse
    z_dot = (x_dot - mean_dot - z * (variance_dot * inverse / 2)) * inverse
    y_dot = gamma_dot * z + gamma * z_dot + beta_dot
    return relu_mask(y_dot, ans) if params.get("rectified") else y_dot


defvjp_argnums(batch_normalise, _vjp)
defjvp_argnums(batch_normalise, _jvp)


def _in_channels(size: int, x: Any, batched: bool) -> Any:
    """Make channels of the elements: (size, ..., c) -> (..., size * c)"""
    (x,) = every(size, [x], [batched])
    last = x.ndim - 2
    x = transpose(x, axes=(*range(1, last + 1), 0, last + 1))
    return reshape(x, shape=(*x.shape[:-2], size * x.shape[-1]))


def _from_channels(size: int, y: Any) -> Any:
    """Return (..., size * c) as (size, ..., c)."""
    *rows, channels = y.shape
    y = reshape(y, shape=(*rows, size, channels // size))
    last = len(rows)
    return transpose(y, axes=(last, *range(last), last + 1))


def _batch(size: int, args: Any, batched: Any, **params: Any) -> Any:
    x, gamma, beta = [
        _in_channels(size, arg, has) for arg, has in zip(args[:3], batched)
    ]
    return _from_channels(size, batch_normalise(x, gamma, beta, **params))


def _moments_batch(size: int, args: Any, batched: Any) -> tuple[Any, Any]:
    mean, variance = batch_moments(_in_channels(size, args[0], batched[0]))
    return _from_channels(size, mean), _from_channels(size, variance)


defbatch(batch_normalise, _batch)
defbatch(batch_moments, _moments_batch)
