"""Quantiles: by any of NumPy's methods, with weights, of data with NaN; medians.

A quantile lies between two neighbours of the sorted data, and its gradient goes to
them. With respect to q it is the slope between them: zero for the methods that jump
from one element to the next.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Tracer, is_tracer
from ..errors import ArgumentError, ShapeError
from ..ops import elementwise as ew
from ..ops import reduce as red
from ..ops import sorting as ops
from ..ops.basic import reshape, transpose
from ..ops.index import getitem
from . import reductions
from .dispatch import Axis, axes_of, constant, exactly, implements, operand

_np_quantile: Any = np.quantile  # its type knows each method as a literal only
_exact: Any = constant(np.quantile)


def _sorted_lines(a: Any, axis: Axis) -> tuple[Any, tuple[int, ...]]:
    """Return `a` with the reduced axes joined into the last, and sorted along it."""
    a = operand(a)
    axes = axes_of(axis, a.ndim)
    rest = tuple([i for i in range(a.ndim) if i not in axes])
    left = tuple([a.shape[i] for i in rest])
    lines = transpose(a, axes=rest + axes)
    lines = reshape(lines, shape=(*left, red.count(a.shape, axes)))
    kept = tuple([1 if i in axes else n for i, n in enumerate(a.shape)])
    return ops.sort(lines, axis=len(left)), kept


_DISCRETE = {"inverted_cdf", "closest_observation", "lower", "higher", "nearest"}

# Methods whose quantile is continuous in q: the place among n sorted elements is
# n q + alpha + q (1 - alpha - beta) - 1, within 0 and n - 1 (Hyndman and Fan, 1996).
_ALPHA_BETA = {
    "linear": (1.0, 1.0),
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}


@constant
def _position(q: Any, n: int, method: str) -> Any:
    """Return the place of the q-quantile among n sorted elements, by any method.

    All methods interpolate between neighbours, so the quantile of 0, 1, ..., n - 1
    is the place itself.
    """
    return _np_quantile(np.arange(n, dtype=float), q, method=method)


def _smooth_share(q: Any, share: Any, n: int, method: str) -> Any:
    """Return the share of the upper neighbour with its derivative in a traced q."""
    if method not in _ALPHA_BETA:
        return share
    alpha, beta = _ALPHA_BETA[method]
    slope = n + 1 - alpha - beta
    place = q * slope + (alpha - 1)
    inside = (place >= 0) & (place <= n - 1)
    return exactly(ew.where(inside, place, 0.0), share)


def _at(lines: Any, q: Any, method: str) -> Any:
    """Return the quantiles of sorted lines (..., n), the axes of q in front."""
    n = lines.shape[-1]
    place = _position(q, n, method)
    low = np.floor(place).astype(int)
    if is_tracer(q):  # the last element as well is the end of an interval
        low = np.minimum(low, max(n - 2, 0))
    high = np.minimum(low + 1, n - 1)
    if method in _DISCRETE:
        low, share = np.rint(place).astype(int), None
    else:  # a plain number q promotes weakly
        weak = not isinstance(q, (np.ndarray, Tracer))
        share = (place - low).astype(lines.dtype if weak else q.dtype)
    if is_tracer(q) and share is not None:
        share = _smooth_share(q, share, n, method)
    a, b = getitem(lines, (..., low)), getitem(lines, (..., high))
    found = a if share is None else a + (b - a) * share
    return _turned(found, np.ndim(place))


def _turned(found: Any, rank: int) -> Any:
    """Return found: (..., *q) as (*q, ...), where q has `rank` axes."""
    n = found.ndim - rank
    return transpose(found, axes=(*range(n, found.ndim), *range(n)))


def _quantile(a: Any, q: Any, axis: Axis, method: str, keepdims: bool) -> Any:
    lines, kept = _sorted_lines(a, axis)
    if lines.shape[-1] == 0:
        raise ShapeError(f"quantile over no elements: shape {operand(a).shape}")
    found = _at(lines, q, method)
    last = getitem(lines, (..., -1))  # NaN is sorted to the end
    found = ew.where(ew.isnan(last), math.nan, found)
    if is_tracer(q):
        found = exactly(found, _exact(a, q, axis, method=method))
    return reshape(found, shape=(*np.shape(q), *kept)) if keepdims else found


def _nan_quantile(a: Any, q: Any, axis: Axis, method: str, keepdims: bool) -> Any:
    """Return the quantile of each line's elements that are not NaN, sorted in front."""
    lines, kept = _sorted_lines(a, axis)
    shape = lines.shape[:-1]
    lines = reshape(lines, shape=(math.prod(shape), lines.shape[-1]))
    counts = np.sum(~ew.isnan(lines), axis=-1)
    missing = np.full(np.shape(q), math.nan, lines.dtype)
    parts = [
        _at(getitem(lines, (i, slice(0, n))), q, method) if n else missing
        for i, n in enumerate(counts.tolist())
    ]
    found = np.stack(parts, axis=-1)
    return reshape(found, shape=(*np.shape(q), *(kept if keepdims else shape)))


# -- with weights: the elements themselves, chosen by the sum of weights below --------


def _chosen(a: Any, weights: Any, q: Any, axis: Axis, skip_nan: bool) -> Any:
    """Return which of the sorted elements NumPy chooses: the quantiles of the ranks."""
    axes = axes_of(axis, a.ndim)
    last = tuple(range(a.ndim - len(axes), a.ndim))
    moved = np.moveaxis(a, axes, last)
    lines = moved.reshape(*moved.shape[: a.ndim - len(axes)], red.count(a.shape, axes))
    order = np.argsort(lines, -1, kind="stable")
    ranks = np.argsort(order, -1).astype(float).reshape(moved.shape)
    ranks = np.moveaxis(ranks, last, axes)
    if skip_nan:
        ranks[np.isnan(a)] = math.nan
    function: Any = np.nanquantile if skip_nan else np.quantile
    return function(ranks, q, axis, weights=weights, method="inverted_cdf")


_places = constant(_chosen)


def _weighted(
    a: Any, weights: Any, q: Any, axis: Axis, keepdims: bool, *, skip_nan: bool = False
) -> Any:
    """Return weighted quantiles; weights and q decide, but have no gradient."""
    a, q = operand(a), operand(q)
    places = _places(a, weights, q, axis, skip_nan)
    lines, kept = _sorted_lines(a, axis)
    left = lines.shape[:-1]
    missing = ew.isnan(places)
    places = np.reshape(np.where(missing, 0, places).astype(int), (q.size, *left))
    picked = ops.take_along_axis(lines, np.moveaxis(places, 0, -1), axis=len(left))
    found = np.reshape(np.moveaxis(picked, -1, 0), (*q.shape, *left))
    wrong = missing if skip_nan else ew.isnan(getitem(lines, (..., -1)))
    found = ew.where(wrong, math.nan, found)
    return reshape(found, shape=(*q.shape, *kept)) if keepdims else found


def _general(
    a: Any, q: Any, axis: Axis, method: str, keepdims: bool, weights: Any, nan: bool
) -> Any:
    """Return quantiles, skipping NaN or not, with weights or without."""
    if weights is None:
        return (_nan_quantile if nan else _quantile)(a, q, axis, method, keepdims)
    if method != "inverted_cdf":
        raise ArgumentError(
            f"quantiles with weights: method={method!r}, but NumPy knows them for "
            "method='inverted_cdf' only"
        )
    return _weighted(a, weights, q, axis, keepdims, skip_nan=nan)


def _array(q: Any) -> Any:
    """Return q as an array or tracer; plain numbers stay, as they promote weakly."""
    if isinstance(q, (float, int)) and not isinstance(q, np.generic):
        return q
    return operand(q)


@implements(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: Any = None,
) -> Any:
    """Return the q-quantiles over axes, by any of NumPy's methods."""
    return _general(a, _array(q), axis, method, keepdims, weights, False)


@implements(np.percentile)
def percentile(
    a: Any,
    q: Any,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: Any = None,
) -> Any:
    """Return percentiles over axes, by any of NumPy's methods."""
    return _general(a, _array(q) / 100, axis, method, keepdims, weights, False)


@implements(np.nanquantile)
def nanquantile(
    a: Any,
    q: Any,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: Any = None,
) -> Any:
    """Return the q-quantiles over axes of the elements that are not NaN."""
    return _general(a, _array(q), axis, method, keepdims, weights, True)


@implements(np.nanpercentile)
def nanpercentile(
    a: Any,
    q: Any,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: Any = None,
) -> Any:
    """Return percentiles over axes of the elements that are not NaN."""
    return _general(a, _array(q) / 100, axis, method, keepdims, weights, True)


@implements(np.median)
def median(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the median over axes: the mean of the middle two of an even number."""
    a = operand(a)
    if not red.count(a.shape, axes_of(axis, a.ndim)):
        return reductions.mean(a, axis, keepdims=keepdims)  # NaN, of the right shape
    return _quantile(a, 0.5, axis, "linear", keepdims)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the median over axes of the elements that are not NaN."""
    return _nan_quantile(a, 0.5, axis, "linear", keepdims)
