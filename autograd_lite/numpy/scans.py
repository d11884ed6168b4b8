"""Running sums and products, differences, integrals, convolution of vectors."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ..core import is_tracer
from ..errors import ShapeError, UnsupportedError
from ..ops import elementwise as ew
from ..ops import scan as ops
from ..ops.basic import cast, reshape, transpose
from ..ops.index import getitem
from .dispatch import (
    Axis,
    axes_of,
    axis_of,
    constant,
    converted,
    implements,
    mask_of,
    operand,
    reduced_axes,
)
from .joins import concatenate
from .reductions import started
from .shapes import moveaxis, ravel

DOUBLE = np.dtype(np.float64)

# -- running sums and products --------------------------------------------------------


def _scanned(scan: Any, a: Any, axis: int | None, dtype: Any, filler: Any) -> Any:
    """Apply a scan to `a`, in `dtype`, with the filler if any in place of NaN."""
    a = operand(a)
    if filler is not None:
        a = ew.where(ew.isnan(a), filler, a)
    if dtype is not None:
        a = converted(a, dtype)
    if axis is None:
        a, axis = ravel(a), 0
    return scan(a, axis=axis_of(axis, a.ndim))


@implements(np.cumsum)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the running sums along an axis; without an axis of the vector."""
    return _scanned(ops.cumsum, a, axis, dtype, None)


@implements(np.cumprod)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the running products along an axis; the gradient is exact at zeros."""
    return _scanned(ops.cumprod, a, axis, dtype, None)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the running sums along an axis, with NaN as 0."""
    return _scanned(ops.cumsum, a, axis, dtype, 0)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the running products along an axis, with NaN as 1."""
    return _scanned(ops.cumprod, a, axis, dtype, 1)


def _cumulative(
    scan: Any, x: Any, axis: int | None, dtype: Any, first: float | None
) -> Any:
    x = operand(x)
    x = x if x.ndim else reshape(x, shape=(1,))
    if axis is None and x.ndim > 1:
        raise ValueError(f"shape {x.shape}: give an axis, or use one vector")
    axis = 0 if axis is None else axis_of(axis, x.ndim)
    found = scan(x, axis, dtype)
    if first is None:
        return found
    shape = [1 if i == axis else n for i, n in enumerate(x.shape)]
    return concatenate([np.full(shape, first, found.dtype), found], axis)


@implements(np.cumulative_sum)
def cumulative_sum(
    x: Any, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Return the running sums along an axis, with a zero in front if asked for."""
    return _cumulative(cumsum, x, axis, dtype, 0 if include_initial else None)


@implements(np.cumulative_prod)
def cumulative_prod(
    x: Any, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Return the running products along an axis, with a one in front if asked for."""
    return _cumulative(cumprod, x, axis, dtype, 1 if include_initial else None)


@implements(np.prod)
def prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the product over axes; the gradient is exact where factors are zero."""
    a = operand(a) if dtype is None else converted(a, dtype)
    if where is not True:
        a = ew.where(mask_of(where, a.shape), a, 1)
    axes = reduced_axes(axis, a.ndim)
    rest = tuple([i for i in range(a.ndim) if i not in axes])
    left = tuple([a.shape[i] for i in rest])
    joined = math.prod([a.shape[i] for i in axes])
    flat = reshape(transpose(a, axes=rest + axes), shape=(*left, joined))
    total = ops.prod(flat, axis=len(left))
    if keepdims:
        shape = tuple([1 if i in axes else n for i, n in enumerate(a.shape)])
        total = reshape(total, shape=shape)
    return total if initial is None else total * started(initial, total)


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the product over axes, with NaN as 1."""
    a = operand(a)
    a = ew.where(ew.isnan(a), 1, a)
    return prod(a, axis, dtype, keepdims=keepdims, initial=initial, where=where)


# -- differences and integrals --------------------------------------------------------


def _slice(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    return getitem(x, (slice(None),) * axis + (slice(start, stop),))


@implements(np.diff)
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None
) -> Any:
    """Return the n-th differences along an axis."""
    a = operand(a)
    if n == 0:
        return a
    axis = axis_of(axis, a.ndim)
    ends = [_end(end, a, axis) for end in (prepend, append)]
    if prepend is not None or append is not None:
        parts = [ends[0], a, ends[1]]
        a = concatenate([p for p in parts if p is not None], axis)
    for _ in range(n):
        a = ew.subtract(_slice(a, axis, 1, None), _slice(a, axis, None, -1))
    return a


def _end(end: Any, a: Any, axis: int) -> Any:
    if end is None:
        return None
    end = operand(end)
    if end.ndim:
        return end
    return np.broadcast_to(end, [1 if i == axis else n for i, n in enumerate(a.shape)])


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return the differences of neighbours in a vector, with ends put on."""
    middle = diff(ravel(ary))
    parts = [to_begin, middle, to_end]
    dtype = middle.dtype
    return concatenate([cast(ravel(p), dtype) for p in parts if p is not None])


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Return the integral of samples by the trapezoidal rule."""
    y = operand(y)
    axis = axis_of(axis, y.ndim)
    if x is not None:
        x = operand(x)
        dx = diff(x, axis=axis if x.ndim > 1 else -1)
        if x.ndim == 1:
            dx = reshape(dx, shape=(-1 if dx.size else 0, *(1,) * (y.ndim - 1 - axis)))
    middle = _slice(y, axis, 1, None) + _slice(y, axis, None, -1)
    return np.sum(dx * middle / 2, axis)


@implements(np.gradient)
def gradient(
    f: Any,
    *varargs: Any,
    axis: int | tuple[int, ...] | None = None,
    edge_order: int = 1,
) -> Any:
    """Return central differences along axes; one array, or a tuple of one per axis."""
    f = operand(f)
    axes = axes_of(axis, f.ndim)
    steps = list(varargs) or [1.0]
    steps = steps * len(axes) if len(steps) == 1 and len(axes) > 1 else steps
    if len(steps) != len(axes):
        raise ShapeError(f"np.gradient: {len(steps)} spacings for {len(axes)} axes")
    if edge_order not in (1, 2):
        raise UnsupportedError(f"np.gradient: edge_order={edge_order}; use 1 or 2")
    found = [_slopes(f, operand(h), i, edge_order) for h, i in zip(steps, axes)]
    return found[0] if len(found) == 1 else tuple(found)


def _slopes(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    """Return the slopes along one axis; h is a step or the coordinates."""
    y = moveaxis(f, axis, 0)
    n = y.shape[0]
    if n < edge_order + 1:
        raise ShapeError(f"np.gradient: {n} samples are too few")
    steps = diff(h) if h.ndim else np.broadcast_to(h, (n - 1,))
    steps = reshape(steps, shape=(n - 1, *(1,) * (y.ndim - 1)))
    a, b = steps[:-1], steps[1:]
    if h.ndim:
        inner = (
            -b / (a * (a + b)) * y[:-2]
            + (b - a) / (a * b) * y[1:-1]
            + a / (b * (a + b)) * y[2:]
        )
    else:
        inner = (y[2:] - y[:-2]) / (2 * h)
    if edge_order == 1:
        first, last = (y[1:2] - y[:1]) / steps[:1], (y[-1:] - y[-2:-1]) / steps[-1:]
    else:
        first = _edge(y[:1], y[1:2], y[2:3], steps[:1], steps[1:2])
        last = -_edge(y[-1:], y[-2:-1], y[-3:-2], steps[-1:], steps[-2:-1])
    return cast(moveaxis(concatenate([first, inner, last]), 0, axis), f.dtype)


def _edge(y0: Any, y1: Any, y2: Any, a: Any, b: Any) -> Any:
    """Return the slope at y0 of the parabola through three samples."""
    total = a + b
    return -(a + total) / (a * total) * y0 + total / (a * b) * y1 - a / (b * total) * y2


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Return a piecewise linear function at x, given its values fp at the points xp."""
    x, xp = cast(operand(x), DOUBLE), cast(operand(xp), DOUBLE)
    fp = operand(fp)
    fp = cast(fp, np.result_type(fp.dtype, DOUBLE))
    if period is not None:
        x, xp, fp = _periodic(x, xp, fp, abs(period))
        left = right = None
    n = xp.shape[0]
    i = np.clip(np.searchsorted(xp, x, "right") - 1, 0, max(n - 2, 0))
    j = np.minimum(i + 1, n - 1)
    width = xp[j] - xp[i]
    share = (x - xp[i]) / ew.where(width == 0, 1, width)
    inside = fp[i] + (fp[j] - fp[i]) * share
    y = ew.where(x <= xp[0], fp[0], ew.where(x >= xp[-1], fp[-1], inside))
    y = y if left is None else ew.where(x < xp[0], left, y)
    return y if right is None else ew.where(x > xp[-1], right, y)


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    x, xp = ew.remainder(x, period), ew.remainder(xp, period)
    order = np.argsort(xp)
    xp, fp = xp[order], fp[order]
    xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return x, xp, concatenate([fp[-1:], fp, fp[:1]])


@implements(np.unwrap)
def unwrap(
    p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi
) -> Any:
    """Return `p` with jumps along an axis replaced by the way round the period."""
    p = operand(p)
    if is_tracer(period):
        raise UnsupportedError("np.unwrap: a traced period is not supported")
    return p + _turns(p, discont, axis_of(axis, p.ndim), period)


@partial(constant, like=np.unwrap)
def _turns(p: Any, discont: float | None, axis: int, period: float) -> Any:
    return np.unwrap(p, discont, axis, period=period) - p


# -- convolution ----------------------------------------------------------------------


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Return the convolution of two vectors; mode "full", "same" or "valid"."""
    a, v = ravel(a), ravel(v)
    return _cut(ops.convolve(a, v), a.size, v.size, mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """Return the correlation of two vectors; mode "full", "same" or "valid"."""
    a, v = ravel(a), ravel(v)
    full = ops.correlate(a, v)
    if a.size < v.size and mode == "same":  # NumPy swaps them, and turns the result
        return _cut(full[::-1], a.size, v.size, mode)[::-1]
    return _cut(full, a.size, v.size, mode)


def _cut(full: Any, n: int, m: int, mode: str) -> Any:
    short, long = sorted((n, m))
    if mode == "full":
        return full
    if mode == "same":
        return full[(short - 1) // 2 : (short - 1) // 2 + long]
    if mode == "valid":
        return full[short - 1 : long]
    raise ValueError(f"mode={mode!r}: expected 'full', 'same' or 'valid'")
