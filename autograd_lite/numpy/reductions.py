"""Reductions: sum, mean, var, std, max, min, prod and their kin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import is_tracer
from ..errors import UnsupportedError
from ..ops import elementwise as ew
from ..ops import reduce as red
from ..ops.basic import cast
from .dispatch import (
    Axis,
    axes_of,
    constant,
    converted,
    implements,
    mask_of,
    operand,
    reduced_axes,
)

any = constant(np.any)
all = constant(np.all)
argmax = constant(np.argmax)
argmin = constant(np.argmin)
count_nonzero = constant(np.count_nonzero)


_np_mean, _np_var, _np_std = [constant(f) for f in (np.mean, np.var, np.std)]


def _is_whole(dtype: Any) -> bool:
    """Return whether a result in this dtype is a constant: integers, booleans."""
    return dtype is not None and np.dtype(dtype).kind in "iub"


def _prepared(a: Any, dtype: Any = None, where: Any = True, filler: Any = 0) -> Any:
    """Return `a` in `dtype`, with the filler wherever `where` is False."""
    a = operand(a)
    if dtype is not None:
        a = converted(a, dtype)
    return a if where is True else ew.where(mask_of(where, a.shape), a, filler)


def _number_of(where: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """Return how many elements each reduction joins: an int, or an array of them."""
    if where is True:
        return red.count(a.shape, axes_of(axis, a.ndim))
    return np.sum(np.broadcast_to(where, a.shape), axis=axis, keepdims=keepdims)


@implements(np.sum)
def sum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the sum over axes."""
    a = _prepared(a, dtype, where)
    total = red.sum(a, axis=reduced_axes(axis, a.ndim), keepdims=keepdims)
    return total if initial is None else total + started(initial, total)


def started(initial: Any, total: Any) -> Any:
    """Return the start of a reduction in the dtype of its result, as NumPy has it."""
    if is_tracer(initial) or np.result_type(initial, total.dtype).kind == "c":
        return initial
    return np.asarray(initial).astype(total.dtype)


@implements(np.mean)
def mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    where: Any = True,
) -> Any:
    """Return the mean over axes."""
    if _is_whole(dtype):
        return _np_mean(a, axis, dtype, None, keepdims, where=where)
    a = _prepared(a, dtype, where)
    if where is True:
        return red.mean(a, axis=axes_of(axis, a.ndim), keepdims=keepdims)
    total = red.sum(a, axis=axes_of(axis, a.ndim), keepdims=keepdims)
    return ew.divide(total, _number_of(where, a, axis, keepdims), dtype=total.dtype)


@implements(np.var)
def var(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
) -> Any:
    """Return the variance over axes; `correction` is another name of `ddof`."""
    ddof = ddof if correction is None else correction
    if _is_whole(dtype):
        return _np_var(a, axis, dtype, None, ddof, keepdims, where=where)
    a = _prepared(a, dtype)
    axes = axes_of(axis, a.ndim)
    if where is True and mean is None:
        found = red.var(a, axis=axes, ddof=ddof, keepdims=keepdims)
    else:
        found = _general_var(a, axes, ddof, keepdims, where, mean)
    return found if dtype is None else cast(found, np.dtype(dtype))


def _general_var(
    a: Any, axes: Any, ddof: float, keepdims: bool, where: Any, middle: Any
) -> Any:
    if middle is None:
        middle = mean(a, axes, keepdims=True, where=where)
    elif operand(middle).dtype.kind == "c" and a.dtype.kind != "c":
        raise UnsupportedError("np.var: a complex mean of real numbers")
    d = ew.where(mask_of(where, a.shape), a - middle, 0)
    total = red.sum(ew.real(d * ew.conj(d)), axis=axes, keepdims=keepdims)
    freedom = np.maximum(_number_of(where, a, axes, keepdims) - ddof, 0)
    return ew.divide(total, freedom, dtype=total.dtype)


@implements(np.std)
def std(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
) -> Any:
    """Return the standard deviation over axes; where it is 0, its gradient is 0."""
    ddof = ddof if correction is None else correction
    if _is_whole(dtype):
        return _np_std(a, axis, dtype, None, ddof, keepdims, where=where)
    a = _prepared(a, dtype)
    axes = axes_of(axis, a.ndim)
    if where is True and mean is None:
        found = red.std(a, axis=axes, ddof=ddof, keepdims=keepdims)
    else:
        variance = _general_var(a, axes, ddof, keepdims, where, mean)
        zero = variance == 0
        found = ew.where(zero, 0.0, ew.sqrt(ew.where(zero, 1.0, variance)))
    return found if dtype is None else cast(found, np.dtype(dtype))


@implements(np.max, np.amax)
def max(
    a: Any,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the maximum over axes; elements that tie share the gradient evenly."""
    a = _prepared(a, where=where, filler=-math.inf)
    if initial is not None and a.size == 0:
        top = _filled(a, axis, keepdims, -math.inf)
    else:
        top = red.max(a, axis=reduced_axes(axis, a.ndim), keepdims=keepdims)
    return top if initial is None else ew.maximum(top, started(initial, top))


def _filled(a: Any, axis: Axis, keepdims: bool, filler: float) -> np.ndarray:
    """Return what a reduction of an empty array starts from, in place of its result."""
    shape = np.sum(np.empty(a.shape), axis=axis, keepdims=keepdims).shape
    return np.full(shape, filler, np.result_type(a.dtype, np.float16))


@implements(np.min, np.amin)
def min(
    a: Any,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the minimum over axes; elements that tie share the gradient evenly."""
    a = _prepared(a, where=where, filler=math.inf)
    if initial is not None and a.size == 0:
        bottom = _filled(a, axis, keepdims, math.inf)
    else:
        bottom = red.min(a, axis=reduced_axes(axis, a.ndim), keepdims=keepdims)
    return bottom if initial is None else ew.minimum(bottom, started(initial, bottom))


amax = max
amin = min


@implements(np.ptp)
def ptp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return maximum minus minimum over axes."""
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


@implements(np.average)
def average(
    a: Any,
    axis: Axis = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """Return the weighted mean over axes, and if `returned` the sums of weights too."""
    a = operand(a)
    axes = axes_of(axis, a.ndim)
    if weights is None:
        mid = mean(a, axis, keepdims=keepdims)
        total = np.asarray(red.count(a.shape, axes), mid.dtype)
    else:
        w = _weights_like(a, axis, axes, operand(weights))
        total = sum(w, axes, keepdims=keepdims)
        mid = sum(a * w, axes, keepdims=keepdims) / total
    return (mid, np.broadcast_to(total, mid.shape)) if returned else mid


def _weights_like(a: Any, axis: Axis, axes: tuple[int, ...], w: Any) -> Any:
    """Return weights that have the shape of `a`, or of its reduced axes, aligned."""
    if w.shape == a.shape:
        return w
    if axis is None or w.shape != tuple([a.shape[i] for i in axes]):
        raise ValueError(
            f"np.average: weights of shape {w.shape} fit neither the array, {a.shape}, "
            f"nor its axis {axis}"
        )
    shape = [n if i in axes else 1 for i, n in enumerate(a.shape)]
    order = tuple(sorted(range(len(axes)), key=axes.__getitem__))
    return np.broadcast_to(np.reshape(np.transpose(w, order), shape), a.shape)
