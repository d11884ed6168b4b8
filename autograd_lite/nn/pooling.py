"""Pooling of signals, images and volumes, and its inverse.

A window is an int or one int per axis, and so are stride and dilation. Arrays are
`(n, *size, c)`, or channels first with `layout="NCHW"`. A single int leaves open how
many axes there are: four of them are a batch of images, five a batch of volumes, and
three are asked about.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

from ..core import concrete, is_recorded
from ..errors import ArgumentError, DifferentiationTypeError, ShapeError
from ..fusing import pool as pool_pending
from ..ops import mixing
from ..ops import pool as pools
from ..ops.basic import reshape, sum
from ..ops.elementwise import absolute, power, where
from ..ops.shape import crop
from ..ops.taps import Adaptive, Sliding
from ..ops.windows import (
    Padding,
    Sizes,
    check_fit,
    check_overlap,
    is_plain,
    per_axis,
    resolve_padding,
    with_ceiling,
)
from .arrays import as_array, check_kernel_dtypes
from .layouts import entered, key, left, rank_of


class Pooling(NamedTuple):
    """How windows slide: one entry per axis, and what of the array is left out.

    padding: with the room that `ceil_mode` asks for; declared: without it. crops:
    whether something is left out; flat: the parameters of the primitives for images
    (signals are one pixel high), None where these can't do it.
    """

    window: Sizes
    stride: Sizes
    padding: Padding
    dilation: Sizes
    declared: Padding
    starts: Sizes
    stops: Sizes
    crops: bool
    flat: dict[str, Any] | None

    def cropped(self, x: Any) -> Any:
        """Return what negative padding leaves of x: (n, *size, c)."""
        if not self.crops:
            return x
        shape = x.shape
        starts, stops = (0, *self.starts, 0), (shape[0], *self.stops, shape[-1])
        return crop(x, starts=starts, stops=stops)

    def taps(self, size: Sizes, mean: bool = False, counted: Any = ()) -> Any:
        """Return a description of the windows along each axis."""
        counted = counted or ((0, 0),) * len(size)
        return tuple(
            [
                Sliding(n, window, stride, sides, dilation, mean, border)
                for n, window, stride, sides, dilation, border in zip(
                    *(size, self.window, self.stride, self.padding, self.dilation),
                    counted,
                )
            ]
        )


def _entered(x: Any, window: Any, layout: str, what: str, *more: Any) -> Any:
    rank = rank_of(x, layout, what, key(window), *map(key, more))
    x, form = entered(x, rank, layout)
    check_kernel_dtypes(x=x)
    return x, form


@lru_cache(maxsize=1024)
def _pooling(
    what: str,
    size: Sizes,
    window: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    overlap: bool,
) -> Pooling:
    rank = len(size)
    window = per_axis(window, "window", rank)
    stride = window if stride is None else per_axis(stride, "stride", rank)
    dilation = per_axis(dilation, "dilation", rank)
    declared = resolve_padding(padding, size, window, stride, dilation)
    check_fit(what, size, window, stride, declared, dilation)
    starts = tuple([max(0, -before) for before, _ in declared])
    stops = tuple([n + min(0, after) for n, (_, after) in zip(size, declared)])
    crops = not is_plain(declared)
    if crops:
        size = tuple([b - a for a, b in zip(starts, stops)])
        declared = tuple([(max(0, a), max(0, b)) for a, b in declared])
    resolved = declared
    if ceil_mode:
        resolved = with_ceiling(size, window, stride, declared, dilation)
    if overlap:
        check_overlap(what, size, window, stride, resolved, dilation)
    flat = _as_images(window, stride, resolved) if max(dilation) == 1 else None
    return Pooling(
        *(window, stride, resolved, dilation, declared, starts, stops, crops, flat)
    )


def _as_images(window: Sizes, stride: Sizes, padding: Padding) -> Any:
    if len(window) == 1:
        window, stride, padding = (1, *window), (1, *stride), ((0, 0), *padding)
    if len(window) > 2:
        return None
    return {"window": window, "stride": stride, "padding": padding}


def max_pool(
    x: Any,
    window: Any,
    stride: Any = None,
    padding: Any = "VALID",
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NHWC",
) -> Any:
    """Return the maximum of each window; `stride` is by default the window.

    The first of equal elements takes the gradient, as in PyTorch and JAX (a reduction
    like `np.max` splits it), and a NaN wins. Padding never wins. Arguments are those of
    `conv`. With `ceil_mode` windows count that reach over the end, if they start inside
    or in the padding before. With `return_indices`, the places of the maxima in their
    image are returned as well, row by row, for `max_unpool`.
    x: (n, h, w, c) -> (n, h', w', c)

    >>> import numpy as np
    >>> max_pool(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    x, form = _entered(x, window, layout, "max_pool", stride, dilation)
    geometry = _pooling(
        *("max_pool", x.shape[1:-1], key(window), key(stride), key(padding)),
        *(key(dilation), bool(ceil_mode), True),
    )
    inside = geometry.cropped(x)
    if geometry.flat and not return_indices:
        return left(_flat(pool_pending, inside, geometry.flat), form)
    y, index = mixing.windows_max(inside, geometry.taps(inside.shape[1:-1]))
    if not return_indices:
        return left(y, form)
    index = _in_whole(index, inside.shape[1:-1], geometry.starts, x.shape[1:-1])
    return left(y, form), left(index, form)


def _flat(pool: Any, x: Any, params: dict[str, Any]) -> Any:
    """Pool images, or signals as images that are one pixel high."""
    if x.ndim == 4:
        return pool(x, **params)
    n, length, c = x.shape
    y = pool(reshape(x, shape=(n, 1, length, c)), **params)
    return reshape(y, shape=(n, y.shape[2], c))


def _in_whole(index: Any, size: Sizes, starts: Sizes, whole: Sizes) -> Any:
    """Return places in a part of an image as places in the whole image."""
    if size == whole:
        return index
    places, step = 0, 1
    for n, start, wide in zip(size[::-1], starts[::-1], whole[::-1]):
        places = places + (index % n + start) * step
        index, step = index // n, step * wide
    return places


def max_unpool(x: Any, indices: Any, size: Any, *, layout: str = "NHWC") -> Any:
    """Return images of zeros with x at the places that `max_pool` returned.

    Where windows overlap and one element won several, what they hold is added up.
    x, indices: (n, h, w, c), size: (h', w') of the result -> (n, h', w', c)

    >>> import numpy as np
    >>> image = np.array([1.0, 5.0, 2.0, 7.0]).reshape(1, 1, 4, 1)
    >>> y, indices = max_pool(image, (1, 2), return_indices=True)
    >>> max_unpool(y, indices, (1, 4))[0, 0, :, 0]
    array([0., 5., 0., 7.])
    """
    size = key(size)
    if not isinstance(size, tuple):
        raise ArgumentError(f"size={size!r}: expected one int per axis: (h, w).")
    size = per_axis(size, "size", len(size), least=0)
    x, form = entered(x, len(size), layout)
    check_kernel_dtypes(x=x)
    indices, _ = entered(as_array(indices), len(size), layout, "indices")
    if indices.dtype.kind not in "iu":
        raise DifferentiationTypeError(
            f"indices have dtype {indices.dtype}, expected those that max_pool returns "
            "with return_indices=True."
        )
    if indices.shape != x.shape:
        raise ShapeError(f"indices have shape {indices.shape}, x has {x.shape}.")
    m, (n, *counts, c) = math.prod(size), x.shape
    _check_places(indices, m, size)
    rows = (n, math.prod(counts), c)
    y = mixing.place(reshape(x, shape=rows), reshape(indices, shape=rows), size=m)
    return left(reshape(y, shape=(n, *size, c)), form)


def _check_places(indices: Any, places: int, size: Sizes) -> None:
    if not indices.size or is_recorded(indices):
        return
    found = concrete(indices)
    if found.min() < 0 or found.max() >= places:
        raise ArgumentError(
            f"indices from {found.min()} to {found.max()}, but images of size {size} "
            f"have the places 0 to {places - 1}."
        )


def avg_pool(
    x: Any,
    window: Any,
    stride: Any = None,
    padding: Any = "VALID",
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    dilation: Any = 1,
    layout: str = "NHWC",
) -> Any:
    """Return the mean of each window; `stride` is by default the window.

    Padding counts as zeros, as in PyTorch, or with `count_include_pad=False` not at
    all. What `ceil_mode` adds to the end never counts. Arguments are those of
    `max_pool`. x: (n, h, w, c) -> (n, h', w', c)

    >>> import numpy as np
    >>> avg_pool(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    x, form = _entered(x, window, layout, "avg_pool", stride, dilation)
    geometry = _pooling(
        *("avg_pool", x.shape[1:-1], key(window), key(stride), key(padding)),
        *(key(dilation), bool(ceil_mode), not count_include_pad),
    )
    x = geometry.cropped(x)
    same = geometry.padding == geometry.declared
    if geometry.flat and (same or not count_include_pad):
        params = {**geometry.flat, "count_include_pad": bool(count_include_pad)}
        return left(_flat(pools.avg_pool, x, params), form)
    counted = geometry.declared if count_include_pad else ()
    taps = geometry.taps(x.shape[1:-1], mean=True, counted=counted)
    return left(mixing.along_each(x, 1, taps), form)


def lp_pool(
    x: Any,
    norm_type: float,
    window: Any,
    stride: Any = None,
    padding: Any = "VALID",
    ceil_mode: bool = False,
    *,
    dilation: Any = 1,
    layout: str = "NHWC",
) -> Any:
    """Return the p-norm of each window, the p-th root of its sum of abs(x)**p.

    `norm_type` is p, a positive number; arguments are those of `max_pool`. The
    gradient is zero where a window is. x: (n, h, w, c) -> (n, h', w', c)

    >>> import numpy as np
    >>> lp_pool(np.array([3.0, 4.0]).reshape(1, 1, 2, 1), 2, (1, 2)).item()
    5.0
    """
    if not norm_type > 0 or norm_type == math.inf:
        raise ArgumentError(
            f"norm_type={norm_type}: expected a positive number; infinity is max_pool "
            "of abs(x)."
        )
    x, form = _entered(x, window, layout, "lp_pool", stride, dilation)
    geometry = _pooling(
        *("lp_pool", x.shape[1:-1], key(window), key(stride), key(padding)),
        *(key(dilation), bool(ceil_mode), False),
    )
    x = geometry.cropped(x)
    raised = x * x if norm_type == 2 else power(absolute(x), x.dtype.type(norm_type))
    if geometry.flat:
        mean = _flat(
            pools.avg_pool, raised, {**geometry.flat, "count_include_pad": True}
        )
        total = mean * math.prod(geometry.window)
    else:
        total = mixing.along_each(raised, 1, geometry.taps(x.shape[1:-1]))
    return left(_root(total, norm_type), form)


def _root(total: Any, p: float) -> Any:
    """Return the p-th root, whose derivative at 0 is 0."""
    if p == 1:
        return total
    zero = total == 0
    one = total.dtype.type(1)
    root = power(where(zero, one, total), total.dtype.type(1 / p))
    return where(zero, total.dtype.type(0), root)


def _adaptive(x: Any, output_size: Any, layout: str, what: str) -> Any:
    """Return x as (n, *size, c), its form and a description of each axis' parts."""
    x, form = _entered(x, output_size, layout, what)
    size, wanted = x.shape[1:-1], key(output_size)
    if isinstance(wanted, tuple) and len(wanted) == len(size):
        wanted = tuple([n if o is None else o for n, o in zip(size, wanted)])
    counts = per_axis(size if wanted is None else wanted, "output_size", len(size))
    if 0 in size:
        raise ShapeError(f"{what}: x has shape {x.shape}, no elements to pool.")
    return x, form, tuple([Adaptive(n, o) for n, o in zip(size, counts)])


def adaptive_avg_pool(x: Any, output_size: Any, *, layout: str = "NHWC") -> Any:
    """Return the means of windows chosen such that the result has a given size.

    Window i of o, over n elements, is from floor(i n / o) to ceil((i + 1) n / o), as in
    PyTorch. `output_size` is an int or one per axis; None leaves an axis as it is.
    x: (n, h, w, c) -> (n, *output_size, c)

    >>> import numpy as np
    >>> adaptive_avg_pool(np.arange(5.0).reshape(1, 1, 5, 1), (1, 2))[0, 0, :, 0]
    array([1., 3.])
    """
    x, form, parts = _adaptive(x, output_size, layout, "adaptive_avg_pool")
    return left(mixing.along_each(x, 1, parts), form)


def adaptive_max_pool(
    x: Any, output_size: Any, return_indices: bool = False, *, layout: str = "NHWC"
) -> Any:
    """Return the maxima of windows as those of `adaptive_avg_pool`.

    `return_indices` and ties as in `max_pool`. x: (n, h, w, c) -> (n, *output_size, c)

    >>> import numpy as np
    >>> adaptive_max_pool(np.arange(5.0).reshape(1, 1, 5, 1), (1, 2))[0, 0, :, 0]
    array([2., 4.])
    """
    x, form, parts = _adaptive(x, output_size, layout, "adaptive_max_pool")
    y, index = mixing.windows_max(x, parts)
    return (left(y, form), left(index, form)) if return_indices else left(y, form)


def global_avg_pool(x: Any, *, keepdims: bool = False, layout: str = "NHWC") -> Any:
    """Return the mean of each channel of each image. x: (n, *size, c) -> (n, c)

    >>> import numpy as np
    >>> global_avg_pool(np.ones((2, 5, 5, 3))).shape
    (2, 3)
    """
    x, axis = _spatial(x, layout, "global_avg_pool")
    count = math.prod([x.shape[i] for i in axis])
    return sum(x, axis=axis, keepdims=keepdims) * (1 / count)


def global_max_pool(x: Any, *, keepdims: bool = False, layout: str = "NHWC") -> Any:
    """Return the maximum of each channel of each image. x: (n, *size, c) -> (n, c)

    The first of equal elements takes the gradient, as in `max_pool`.

    >>> import numpy as np
    >>> global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[6., 7.]])
    """
    x, axis = _spatial(x, layout, "global_max_pool")
    y = max_pool(x, tuple([x.shape[i] for i in axis]), layout=layout)
    if keepdims:
        return y
    kept = [n for i, n in enumerate(y.shape) if i not in axis]
    return reshape(y, shape=tuple(kept))


def _spatial(x: Any, layout: str, what: str) -> tuple[Any, tuple[int, ...]]:
    """Return x as an array, and its axes that are neither batch nor channels."""
    x = as_array(x)
    entered(x, max(1, min(3, x.ndim - 2)), layout)  # for the errors
    check_kernel_dtypes(x=x)
    axis = tuple(range(2, x.ndim) if layout[1] == "C" else range(1, x.ndim - 1))
    if x.ndim < 3 or 0 in [x.shape[i] for i in axis]:
        raise ShapeError(
            f"{what}: x has shape {x.shape}, expected (n, *size, c), no size 0."
        )
    return x, axis
