"""Convolution and pooling of images.

Images are `(n, h, w, c)`, or `(n, c, h, w)` with `layout="NCHW"`, which is transposed
on the way in and out. Kernels are `(r, s, c / groups, k)` in both cases.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..ops import conv as ops
from ..ops import pool as pools
from ..ops.basic import reshape, transpose
from ..ops.windows import (
    Padding,
    Pair,
    check_fit,
    check_overlap,
    pair,
    resolve_padding,
)
from .arrays import as_array, check_choice, check_kernel_dtypes, check_ndim

_LAYOUTS = {"NHWC": "(n, h, w, c)", "NCHW": "(n, c, h, w)"}


def conv(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Any = 1,
    padding: Any = "VALID",
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "NHWC",
    method: str = "direct",
) -> Any:
    """Return the convolution (cross-correlation) of images with kernels, plus a bias.

    Args:
        stride, dilation: an int, or a pair (vertical, horizontal).
        padding: "VALID" (none), "SAME" (size / stride, rounded up), an int, a pair, or
            ((top, bottom), (left, right)).
        groups: channels are split into so many groups that don't mix.
        layout: "NHWC", or "NCHW" for x and the result.
        method: "direct", or "im2col", which copies the windows to a matrix and
            multiplies: the textbook's way, here to compare with.

    x: (n, h, w, c), w: (r, s, c / groups, k), b: (k) -> (n, h', w', k). Raises
    `ShapeError` with the arithmetic when the kernel doesn't fit.

    >>> import numpy as np
    >>> conv(np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2)), padding="SAME").shape
    (1, 5, 5, 2)
    """
    check_choice(method, "method", ("direct", "im2col"))
    x, w = _image(x, layout), as_array(w)
    check_ndim(w, 4, "w", "(r, s, c / groups, k)")
    _check_channels(x, w, groups)
    window = _conv_geometry(
        x.shape[1:3], w.shape[:2], _key(stride), _key(padding), _key(dilation)
    )
    if b is not None:
        b = as_array(b)
        check_kernel_dtypes(x=x, w=w, b=b)
        if b.shape != w.shape[3:]:
            raise ShapeError(f"b has shape {b.shape}, expected {w.shape[3:]}.")
    else:
        check_kernel_dtypes(x=x, w=w)
    y = (_direct if method == "direct" else _im2col)(x, w, b, groups, window)
    return _restored(y, layout)


def _direct(x: Any, w: Any, b: Any, groups: int, window: dict[str, Any]) -> Any:
    if b is None:
        return ops.conv(x, w, groups=groups, **window)
    return ops.conv_bias(x, w, b, groups=groups, **window)


def _im2col(x: Any, w: Any, b: Any, groups: int, window: dict[str, Any]) -> Any:
    if groups != 1:
        raise ArgumentError('groups need method="direct".')
    r, s, c, k = w.shape
    cols = ops.im2col(x, kernel=(r, s), **window)
    n, ho, wo, _ = cols.shape
    rows = reshape(cols, shape=(n * ho * wo, r * s * c))
    y = rows @ reshape(w, shape=(r * s * c, k))
    return reshape(y if b is None else y + b, shape=(n, ho, wo, k))


@lru_cache(maxsize=1024)
def _conv_geometry(
    size: Pair, kernel: Pair, stride: Any, padding: Any, dilation: Any
) -> dict[str, Any]:
    stride, dilation = pair(stride, "stride"), pair(dilation, "dilation")
    if min(kernel) < 1:
        raise ShapeError(f"w spans {kernel[0]} x {kernel[1]} pixels: none.")
    padding = resolve_padding(padding, size, kernel, stride, dilation)
    check_fit("conv", size, kernel, stride, padding, dilation)
    return {"stride": stride, "padding": padding, "dilation": dilation}


def _check_channels(x: Any, w: Any, groups: int) -> None:
    c, (_, _, per_group, k) = x.shape[3], w.shape
    if groups < 1 or c != per_group * groups or k % groups:
        raise ShapeError(
            f"x has {c} channels, w has shape {w.shape} and groups={groups}: expected "
            f"w of shape ({w.shape[0]}, {w.shape[1]}, c / groups, k) with k a multiple "
            f"of groups, that is {w.shape[0]}, {w.shape[1]}, {c} / {groups}, k."
        )


def max_pool(
    x: Any,
    window: Any,
    stride: Any = None,
    padding: Any = "VALID",
    *,
    layout: str = "NHWC",
) -> Any:
    """Return the maximum of each window; `stride` is by default the window.

    The first of equal elements takes the gradient, as in PyTorch and JAX (a reduction
    like `np.max` splits it), and a NaN wins. Padding never wins. Arguments are those of
    `conv`. x: (n, h, w, c) -> (n, h', w', c)

    >>> import numpy as np
    >>> max_pool(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    x = _image(x, layout)
    check_kernel_dtypes(x=x)
    geometry = _pool_geometry(
        "max_pool", x.shape[1:3], _key(window), _key(stride), _key(padding), True
    )
    return _restored(pools.max_pool(x, **geometry), layout)


def avg_pool(
    x: Any,
    window: Any,
    stride: Any = None,
    padding: Any = "VALID",
    *,
    count_include_pad: bool = True,
    layout: str = "NHWC",
) -> Any:
    """Return the mean of each window; `stride` is by default the window.

    Padding counts as zeros, as in PyTorch, or with `count_include_pad=False` not at
    all. Arguments are those of `conv`. x: (n, h, w, c) -> (n, h', w', c)

    >>> import numpy as np
    >>> avg_pool(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    x = _image(x, layout)
    check_kernel_dtypes(x=x)
    overlap = not count_include_pad
    geometry = _pool_geometry(
        "avg_pool", x.shape[1:3], _key(window), _key(stride), _key(padding), overlap
    )
    y = pools.avg_pool(x, count_include_pad=bool(count_include_pad), **geometry)
    return _restored(y, layout)


@lru_cache(maxsize=1024)
def _pool_geometry(
    what: str, size: Pair, window: Any, stride: Any, padding: Any, overlap: bool
) -> dict[str, Any]:
    window = pair(window, "window")
    stride = window if stride is None else pair(stride, "stride")
    resolved: Padding = resolve_padding(padding, size, window, stride)
    check_fit(what, size, window, stride, resolved)
    if overlap:
        check_overlap(what, window, resolved)
    return {"window": window, "stride": stride, "padding": resolved}


def _key(value: Any) -> Any:
    """Return lists and arrays as tuples, so that a cache can look the value up."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return tuple([_key(v) for v in value])
    return value


def _image(x: Any, layout: str) -> Any:
    """Return images as (n, h, w, c)."""
    check_choice(layout, "layout", ("NHWC", "NCHW"))
    x = as_array(x)
    check_ndim(x, 4, "x", f"images {_LAYOUTS[layout]}")
    return x if layout == "NHWC" else transpose(x, axes=(0, 2, 3, 1))


def _restored(y: Any, layout: str) -> Any:
    return y if layout == "NHWC" else transpose(y, axes=(0, 3, 1, 2))
