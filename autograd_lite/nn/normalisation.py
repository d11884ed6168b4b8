"""Normalisation over the batch, over channels, and over groups of channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..fusing import normalise
from ..ops.basic import cast, reshape
from ..ops.batch_norm import batch_moments
from ..ops.normalise import group_normalise
from .arrays import as_float, check_kernel_dtypes, fields
from .layouts import entered, left

Params = dict[str, Any]


def init_batch_norm(channels: int, dtype: Any = np.float32) -> Params:
    """Return the parameters of a normalisation that changes nothing: scale and bias.

    >>> sorted(init_batch_norm(8))
    ['bias', 'scale']
    """
    return {"scale": np.ones(channels, dtype), "bias": np.zeros(channels, dtype)}


def init_batch_norm_state(channels: int, dtype: Any = np.float32) -> Params:
    """Return the running statistics before the first batch.

    >>> sorted(init_batch_norm_state(8))
    ['mean', 'var']
    """
    return {"mean": np.zeros(channels, dtype), "var": np.ones(channels, dtype)}


def batch_norm(
    x: Any,
    params: Params,
    state: Params,
    train: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    layout: str = "NHWC",
) -> tuple[Any, Params]:
    """Return x normalised over all axes but the last, and the new running statistics.

    Training takes mean and variance from the batch and moves the running ones by the
    share `momentum` towards them (the variance unbiased, as in PyTorch; no gradient
    flows through the running ones). Otherwise the running ones are used and returned.
    S. Ioffe and C. Szegedy, 2015, "Batch Normalization".

    x: (..., c), params: {"scale": (c), "bias": (c)}, state: {"mean": (c), "var": (c)}.
    With `layout="NCHW"` and more than two axes, the channels are axis 1.

    >>> x = np.random.default_rng(0).normal(3.0, 2.0, (8, 4, 4, 2)).astype(np.float32)
    >>> y, state = batch_norm(x, init_batch_norm(2), init_batch_norm_state(2), True)
    >>> bool(abs(y.mean()) < 1e-5 and abs(y.std() - 1) < 1e-3)
    True
    """
    x = as_float(x, "x")
    if layout != "NHWC" and x.ndim > 2:
        x, form = entered(x, x.ndim - 2, layout)
        y, state = batch_norm(x, params, state, train, momentum, eps)
        return left(y, form), state
    scale, bias = fields(params, "params", "scale", "bias")
    running_mean, running_var = fields(state, "state", "mean", "var")
    _check_channels(x, scale=scale, bias=bias, mean=running_mean, var=running_var)
    if not train:
        factor = scale * (running_var + eps) ** -0.5
        return x * factor + (bias - running_mean * factor), state
    check_kernel_dtypes(x=x, scale=scale, bias=bias)
    rows = math.prod(x.shape[:-1])
    if rows < 2:
        raise ShapeError(
            f"x has shape {x.shape}: training needs at least two values per channel."
        )
    mean, var = batch_moments(x)
    y = normalise(x, scale, bias, mean, var, eps=float(eps))
    unbiased = var * (rows / (rows - 1))
    return y, {
        "mean": (1 - momentum) * running_mean + momentum * mean,
        "var": (1 - momentum) * running_var + momentum * unbiased,
    }


def _check_channels(x: Any, **given: Any) -> None:
    for name, array in given.items():
        if x.ndim < 1 or array.shape != x.shape[-1:]:
            raise ShapeError(
                f"{name} has shape {array.shape}, expected {x.shape[-1:]}, "
                f"the channels of x {x.shape}."
            )


def layer_norm(x: Any, params: Params | None = None, eps: float = 1e-5) -> Any:
    """Return x normalised over its last axis, scaled and shifted by `params`.

    Where the parameters have several axes, x is normalised over as many of its last
    ones. J. Ba and others, 2016, "Layer Normalization".
    x: (..., c), params: {"scale": (c), "bias": (c)}

    >>> layer_norm([1.0, 3.0], eps=0.0)
    array([-1.,  1.])
    """
    x = as_float(x, "x")
    scale, bias = _scale_and_bias(params, x.shape[-1:], x.dtype)
    axes = max(1, scale.ndim)
    shape = x.shape[x.ndim - axes :]
    c = math.prod(shape)
    if x.ndim < axes or c == 0:
        raise ShapeError(f"x has shape {x.shape}, expected (..., c) with c > 0.")
    for name, array in {"scale": scale, "bias": bias}.items():
        if array.shape != shape:
            raise ShapeError(
                f"{name} has shape {array.shape}, expected {shape}, the last axis of x "
                f"{x.shape}."
            )
    rows = (math.prod(x.shape[: x.ndim - axes]), 1, c)
    return _normalised(x, rows, scale, bias, 1, eps)


def group_norm(
    x: Any,
    groups: int,
    params: Params | None = None,
    eps: float = 1e-5,
    *,
    layout: str = "NHWC",
) -> Any:
    """Return x with each group of channels of each item normalised.

    Y. Wu and K. He, 2018, "Group Normalization".
    x: (n, ..., c), params: {"scale": (c), "bias": (c)}

    >>> group_norm([[1.0, 3.0, 5.0, 9.0]], 2, eps=0.0)
    array([[-1.,  1., -1.,  1.]])
    """
    x = as_float(x, "x")
    if layout != "NHWC" and x.ndim > 2:
        x, form = entered(x, x.ndim - 2, layout)
        return left(group_norm(x, groups, params, eps), form)
    if x.ndim < 2 or x.shape[-1] == 0:
        raise ShapeError(f"x has shape {x.shape}, expected (n, ..., c) with c > 0.")
    n, *size, c = x.shape
    if not hasattr(groups, "__index__") or groups < 1 or c % groups:
        raise ArgumentError(
            f"groups={groups!r}: expected a number that divides the {c} channels of x "
            f"{x.shape}."
        )
    scale, bias = _scale_and_bias(params, (c,), x.dtype)
    _check_channels(x, scale=scale, bias=bias)
    return _normalised(x, (n, math.prod(size), c), scale, bias, int(groups), eps)


def instance_norm(
    x: Any, params: Params | None = None, eps: float = 1e-5, *, layout: str = "NHWC"
) -> Any:
    """Return x with each channel of each item normalised.

    D. Ulyanov and others, 2016, "Instance Normalization".
    x: (n, *size, c), params: {"scale": (c), "bias": (c)}

    >>> instance_norm([[[1.0], [3.0]]], eps=0.0)[0, :, 0]
    array([-1.,  1.])
    """
    x = as_float(x, "x")
    if x.ndim < 3:
        raise ShapeError(f"x has shape {x.shape}, expected (n, *size, c).")
    channels = x.shape[1 if layout[1:2] == "C" else -1]
    return group_norm(x, channels, params, eps, layout=layout)


def _scale_and_bias(params: Params | None, shape: Any, dtype: Any) -> list[Any]:
    if params is None:
        return [np.ones(shape, dtype), np.zeros(shape, dtype)]
    return fields(params, "params", "scale", "bias")


def _normalised(
    x: Any, rows: tuple[int, int, int], scale: Any, bias: Any, groups: int, eps: float
) -> Any:
    if x.dtype == np.float16:
        single = np.dtype(np.float32)
        wide, scale, bias = [cast(v, single) for v in (x, scale, bias)]
        return cast(_normalised(wide, rows, scale, bias, groups, eps), x.dtype)
    check_kernel_dtypes(x=x, scale=scale, bias=bias)
    c = (rows[2],)
    flat = [reshape(v, shape=c) if v.shape != c else v for v in (scale, bias)]
    y = group_normalise(reshape(x, shape=rows), *flat, groups=groups, eps=float(eps))
    return reshape(y, shape=x.shape)
