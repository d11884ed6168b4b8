"""Windows themselves: as rows for a matrix product, as views, and what reduces them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..ops import conv as ops
from ..ops import mixing, sliding
from ..ops.basic import reshape, transpose
from ..ops.scan import prod
from ..ops.shape import crop, pad
from ..ops.taps import Sliding
from ..ops.windows import (
    Padding,
    Sizes,
    check_fit,
    check_overlap,
    counts,
    is_plain,
    per_axis,
    resolve_padding,
)
from .arrays import as_array, as_float, check_kernel_dtypes
from .layouts import entered, key, left, rank_of

Reducer = str | Callable[..., Any]


def unfold(
    x: Any,
    window: Any,
    stride: Any = 1,
    padding: Any = "VALID",
    dilation: Any = 1,
    *,
    layout: str = "NHWC",
) -> Any:
    """Return the windows of images as rows: im2col, so that a convolution is a product.

    Arguments are those of `conv`. x: (n, h, w, c) -> (n, h', w', r * s * c), channels
    innermost; or, as in PyTorch, with `layout="NCHW"` (n, c, h, w) ->
    (n, c * r * s, h' * w'), channels outermost.

    >>> import numpy as np
    >>> x, w = np.ones((1, 5, 5, 2)), np.ones((3, 3, 2, 4))
    >>> (unfold(x, (3, 3)) @ w.reshape(-1, 4)).shape
    (1, 3, 3, 4)
    """
    x, form = entered(x, rank_of(x, layout, "unfold", key(window)), layout)
    check_kernel_dtypes(x=x)
    size = x.shape[1:-1]
    kernel, geometry = _slid("unfold", size, window, stride, padding, dilation)
    cols = ops.im2col(x, kernel=kernel, **geometry)
    if not form.channels_first:
        return left(cols, form)
    n, *places, _ = cols.shape
    area, c = math.prod(kernel), x.shape[-1]
    cols = reshape(cols, shape=(n, math.prod(places), area, c))
    cols = transpose(cols, axes=(0, 3, 2, 1))
    rows = (c * area, math.prod(places))
    return reshape(cols, shape=(n, *rows) if form.batched else rows)


def fold(
    cols: Any,
    output_size: Any,
    window: Any,
    stride: Any = 1,
    padding: Any = "VALID",
    dilation: Any = 1,
    *,
    layout: str = "NHWC",
) -> Any:
    """Add windows into images of `output_size`: the transpose of `unfold`.

    cols: (n, h', w', r * s * c) -> (n, *output_size, c), or with `layout="NCHW"`
    (n, c * r * s, h' * w') -> (n, c, *output_size).

    >>> import numpy as np
    >>> fold(unfold(np.ones((1, 3, 1)), (2,)), (3,), (2,))[0, :, 0]
    array([1., 2., 1.])
    """
    size = key(output_size)
    if not isinstance(size, tuple):
        raise ArgumentError(f"output_size={size!r}: expected one int per axis: (h, w).")
    size = per_axis(size, "output_size", len(size))
    kernel, geometry = _slid("fold", size, window, stride, padding, dilation)
    places, area = counts(size, kernel, **geometry), math.prod(kernel)
    if layout[1:2] == "C":
        cols, batched = _columns_last(as_array(cols), places, area)
    else:
        cols, form = entered(cols, len(size), layout, "cols")
        batched = form.batched
    check_kernel_dtypes(cols=cols)
    if cols.shape[1:-1] != places or cols.shape[-1] % area:
        raise ShapeError(
            f"cols has windows {cols.shape[1:-1]} of {cols.shape[-1]} numbers; images "
            f"of size {size} have {places} windows, of {area} times the channels."
        )
    shape = (cols.shape[0], *size, cols.shape[-1] // area)
    x = ops.col2im(cols, input_shape=shape, kernel=kernel, **geometry)
    _, form = entered(x, len(size), "NHWC")
    first = form._replace(channels_first=layout[1] == "C", batched=batched)
    return left(x, first)


def _columns_last(cols: Any, places: Sizes, area: int) -> tuple[Any, bool]:
    """Return PyTorch's (n, c * area, places) as (n, *places, area * c)."""
    batched, shape = cols.ndim == 3, cols.shape
    if cols.ndim not in (2, 3) or shape[-1] != math.prod(places) or shape[-2] % area:
        raise ShapeError(
            f"cols has shape {shape}, expected (n, c * {area}, {math.prod(places)})."
        )
    n, c = shape[0] if batched else 1, shape[-2] // area
    cols = transpose(
        reshape(cols, shape=(n, c, area, math.prod(places))), axes=(0, 3, 2, 1)
    )
    return reshape(cols, shape=(n, *places, area * c)), batched


def _slid(
    what: str, size: Sizes, window: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[Sizes, dict[str, Any]]:
    """Return the window and how it slides, checked."""
    rank = len(size)
    window = per_axis(key(window), "window", rank)
    stride = per_axis(key(stride), "stride", rank)
    dilation = per_axis(key(dilation), "dilation", rank)
    sides = resolve_padding(key(padding), size, window, stride, dilation)
    check_fit(what, size, window, stride, sides, dilation)
    return window, {"stride": stride, "padding": sides, "dilation": dilation}


def sliding_window(
    x: Any,
    window: Any,
    stride: Any = 1,
    padding: Any = "VALID",
    dilation: Any = 1,
    *,
    axis: Any = None,
) -> Any:
    """Return the windows along some axes of any array; the window's axes come last.

    As `numpy.lib.stride_tricks.sliding_window_view` with a stride, padding by zeros and
    dilation, all of them ints or one per axis. `axis` are the axes, by default all.
    x: (*size) -> (*size', *window)

    >>> sliding_window([1.0, 2.0, 3.0, 4.0], 2, stride=2)
    array([[1., 2.],
           [3., 4.]])
    """
    x = as_array(x)
    axes = _axes(x, axis)
    size = tuple([x.shape[i] for i in axes])
    window, geometry = _slid("sliding_window", size, window, stride, padding, dilation)
    x = _padded(x, axes, geometry.pop("padding"))
    return sliding.gather_windows(x, axes=axes, window=window, **geometry)


def _axes(x: Any, axis: Any) -> Sizes:
    if axis is None:
        return tuple(range(x.ndim))
    axes = key(axis) if isinstance(key(axis), tuple) else (axis,)
    if not all(-x.ndim <= i < x.ndim for i in axes) or len(
        {i % x.ndim for i in axes}
    ) < len(axes):
        raise ArgumentError(f"axis={axis}: x has shape {x.shape}.")
    return tuple([i % x.ndim for i in axes])


def _padded(x: Any, axes: Sizes, sides: Padding, value: float = 0.0) -> Any:
    """Return x with its border along some axes; negative ones are left out."""
    widths = [(0, 0)] * x.ndim
    for axis, side in zip(axes, sides):
        widths[axis] = side
    if not is_plain(tuple(widths)):
        starts = tuple([max(0, -before) for before, _ in widths])
        stops = tuple([n + min(0, after) for n, (_, after) in zip(x.shape, widths)])
        x = crop(x, starts=starts, stops=stops)
        widths = [(max(0, before), max(0, after)) for before, after in widths]
    if any(map(any, widths)):
        x = pad(x, widths=tuple(widths), value=value)
    return x


def reduce_window(
    x: Any,
    reducer: Reducer,
    window: Any,
    stride: Any = 1,
    padding: Any = "VALID",
    dilation: Any = 1,
    *,
    axis: Any = None,
) -> Any:
    """Return each window along some axes of any array, reduced to one number.

    Args:
        reducer: "sum", "max", "min" or "prod", to which padding adds nothing; or a
            function such as `np.median` that takes the windows, padded by zeros, and
            `axis`, the tuple of axes to reduce.
        window, stride, padding, dilation, axis: as in `sliding_window`.

    The first of equal elements takes the gradient of a maximum, as in `max_pool`.
    x: (*size) -> (*size')

    >>> reduce_window([1.0, 2.0, 3.0, 4.0], "sum", 3)
    array([6., 9.])
    """
    x = as_float(x, "x")
    axes = _axes(x, axis)
    size = tuple([x.shape[i] for i in axes])
    window, geometry = _slid("reduce_window", size, window, stride, padding, dilation)
    if callable(reducer):
        views = sliding_window(x, window, **geometry, axis=axes)
        return reducer(views, axis=tuple(range(x.ndim, views.ndim)))
    if reducer == "prod":
        x = _padded(x, axes, geometry.pop("padding"), 1.0)
        views = sliding.gather_windows(x, axes=axes, window=window, **geometry)
        flat = (*views.shape[: x.ndim], math.prod(window))
        return prod(reshape(views, shape=flat), axis=x.ndim)
    if reducer not in ("sum", "max", "min"):
        raise ArgumentError(
            f'reducer={reducer!r}: expected "sum", "max", "min", "prod" or a function '
            "of windows and axis."
        )
    return _separately(x, reducer, axes, window, **geometry)


def _separately(
    x: Any,
    reducer: str,
    axes: Sizes,
    window: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> Any:
    """Reduce one axis after the other, the last one first."""
    size = tuple([x.shape[i] for i in axes])
    check_kernel_dtypes(x=x)
    if reducer != "sum":
        check_overlap("reduce_window", size, window, stride, padding, dilation)
    if not is_plain(padding):
        negative = tuple([(min(0, a), min(0, b)) for a, b in padding])
        padding = tuple([(max(0, a), max(0, b)) for a, b in padding])
        x = _padded(x, axes, negative)
    x = -x if reducer == "min" else x
    for i, taps, step, sides, spread in reversed(
        list(zip(axes, window, stride, padding, dilation))
    ):
        along = Sliding(x.shape[i], taps, step, sides, spread)
        if reducer == "sum":
            x = mixing.mix(x, axis=i, taps=along)
        else:
            x = _max_along(x, i, along)
    return -x if reducer == "min" else x


def _max_along(x: Any, axis: int, taps: Sliding) -> Any:
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    flat = (math.prod(before), x.shape[axis], math.prod(after))
    y, _ = mixing.windows_max(reshape(x, shape=flat), (taps,))
    return reshape(y, shape=(*before, y.shape[1], *after))
