"""Dense layers, dropout and normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..ops import layers as ops
from ..ops.basic import reshape, stop_gradient, sum
from .arrays import (
    as_array,
    as_float,
    check_generator,
    check_kernel_dtypes,
    fields,
)


def dense(x: Any, w: Any, b: Any = None) -> Any:
    """Return `x @ w + b`. x: (..., i), w: (i, o), b: (o) -> (..., o)

    >>> dense(np.ones((2, 3)), np.ones((3, 4)), np.zeros(4)).shape
    (2, 4)
    """
    x, w = as_array(x), as_array(w)
    if w.ndim != 2 or x.ndim < 1 or x.shape[-1] != w.shape[0]:
        raise ShapeError(
            f"x has shape {x.shape} and w {w.shape}; expected (..., i) and (i, o). "
            "Images are made rows by nn.flatten(x)."
        )
    if b is None:
        return x @ w
    b = as_array(b)
    if b.shape != w.shape[1:]:
        raise ShapeError(f"b has shape {b.shape}, expected {w.shape[1:]}.")
    return x @ w + b


def flatten(x: Any) -> Any:
    """Return all axes but the first as one. x: (n, ...) -> (n, i)

    >>> flatten(np.ones((2, 3, 4))).shape
    (2, 12)
    """
    x = as_array(x)
    if x.ndim < 1:
        raise ShapeError("x has no axes, expected (n, ...).")
    return reshape(x, shape=(x.shape[0], math.prod(x.shape[1:])))


def dropout(x: Any, rate: float, rng: Any, train: bool = True) -> Any:
    """Return x with a share `rate` of its elements zeroed and the rest scaled up.

    The mean stays the same: what is kept is divided by 1 - rate. Without `train`, x is
    returned as it is and `rng`, a `numpy.random.Generator`, may be None.
    N. Srivastava and others, 2014, "Dropout".

    >>> dropout(np.ones(4), 0.5, np.random.default_rng(0))
    array([2., 2., 2., 0.])
    """
    if not 0 <= rate < 1:
        raise ArgumentError(f"rate={rate}: expected a share from 0 to less than 1.")
    x = as_float(x, "x")
    if not train or rate == 0:
        return x
    check_generator(rng)
    kept = rng.random(x.shape, np.float32) >= rate
    return x * (kept * x.dtype.type(1 / (1 - rate)))


def init_batch_norm(channels: int, dtype: Any = np.float32) -> dict[str, Any]:
    """Return the parameters of a normalisation that changes nothing: scale and bias.

    >>> sorted(init_batch_norm(8))
    ['bias', 'scale']
    """
    return {"scale": np.ones(channels, dtype), "bias": np.zeros(channels, dtype)}


def init_batch_norm_state(channels: int, dtype: Any = np.float32) -> dict[str, Any]:
    """Return the running statistics before the first batch.

    >>> sorted(init_batch_norm_state(8))
    ['mean', 'var']
    """
    return {"mean": np.zeros(channels, dtype), "var": np.ones(channels, dtype)}


def batch_norm(
    x: Any,
    params: dict[str, Any],
    state: dict[str, Any],
    train: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Any, dict[str, Any]]:
    """Return x normalised over all axes but the last, and the new running statistics.

    Training takes mean and variance from the batch and moves the running ones by the
    share `momentum` towards them (the variance unbiased, as in PyTorch; no gradient
    flows through the running ones). Otherwise the running ones are used and returned.
    S. Ioffe and C. Szegedy, 2015, "Batch Normalization".

    x: (..., c), params: {"scale": (c), "bias": (c)}, state: {"mean": (c), "var": (c)}

    >>> x = np.random.default_rng(0).normal(3.0, 2.0, (8, 4, 4, 2)).astype(np.float32)
    >>> y, state = batch_norm(x, init_batch_norm(2), init_batch_norm_state(2), True)
    >>> bool(abs(y.mean()) < 1e-5 and abs(y.std() - 1) < 1e-3)
    True
    """
    x = as_float(x, "x")
    scale, bias = fields(params, "params", "scale", "bias")
    running_mean, running_var = fields(state, "state", "mean", "var")
    given = {"scale": scale, "bias": bias, "mean": running_mean, "var": running_var}
    for name, array in given.items():
        if x.ndim < 1 or array.shape != x.shape[-1:]:
            raise ShapeError(
                f"{name} has shape {array.shape}, expected {x.shape[-1:]}, "
                f"the channels of x {x.shape}."
            )
    if not train:
        factor = scale * (running_var + eps) ** -0.5
        return x * factor + (bias - running_mean * factor), state
    check_kernel_dtypes(x=x, scale=scale, bias=bias)
    rows = math.prod(x.shape[:-1])
    if rows < 2:
        raise ShapeError(
            f"x has shape {x.shape}: training needs at least two values per channel."
        )
    y, mean, var = ops.batch_normalise(x, scale, bias, eps=float(eps))
    unbiased = stop_gradient(var) * (rows / (rows - 1))
    return y, {
        "mean": (1 - momentum) * running_mean + momentum * stop_gradient(mean),
        "var": (1 - momentum) * running_var + momentum * unbiased,
    }


def layer_norm(x: Any, params: dict[str, Any] | None = None, eps: float = 1e-5) -> Any:
    """Return x normalised over its last axis, scaled and shifted by `params`.

    J. Ba and others, 2016, "Layer Normalization".
    x: (..., c), params: {"scale": (c), "bias": (c)}

    >>> layer_norm([1.0, 3.0], eps=0.0)
    array([-1.,  1.])
    """
    x = as_float(x, "x")
    if x.ndim < 1 or x.shape[-1] == 0:
        raise ShapeError(f"x has shape {x.shape}, expected (..., c) with c > 0.")
    axis, c = (x.ndim - 1,), x.shape[-1]
    centred = x - sum(x, axis=axis, keepdims=True) * (1 / c)
    var = sum(centred * centred, axis=axis, keepdims=True) * (1 / c)
    y = centred * (var + eps) ** -0.5
    if params is None:
        return y
    scale, bias = fields(params, "params", "scale", "bias")
    for name, array in {"scale": scale, "bias": bias}.items():
        if array.shape != (c,):
            raise ShapeError(
                f"{name} has shape {array.shape}, expected {(c,)}, the last axis of x "
                f"{x.shape}."
            )
    return y * scale + bias
