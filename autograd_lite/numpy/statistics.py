"""Statistics: reductions that skip NaN, quantiles, covariances, counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ShapeError, UnsupportedError
from ..ops import elementwise as ew
from ..ops import reduce as red
from ..ops import sorting as ops
from ..ops.basic import cast, reshape, transpose
from ..ops.index import getitem
from . import reductions
from .at import at
from .dispatch import Axis, axes_of, constant, converted, implements, operand
from .joins import concatenate
from .products import matmul
from .shapes import ravel

_np_quantile: Any = np.quantile  # its type knows each method as a literal only

nanargmax = constant(np.nanargmax)
nanargmin = constant(np.nanargmin)
histogram = constant(np.histogram, multiple=True)
histogram2d = constant(np.histogram2d, multiple=True)
histogramdd = constant(np.histogramdd)
histogram_bin_edges = constant(np.histogram_bin_edges)

# -- without NaN ----------------------------------------------------------------------


def _present(a: Any, where: Any) -> Any:
    """Return the mask of the elements that count."""
    mask = ~ew.isnan(a)
    return mask if where is True else mask & where


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the sum over axes, with NaN as 0."""
    a = operand(a)
    return reductions.sum(
        ew.where(ew.isnan(a), 0, a),
        axis,
        dtype,
        keepdims=keepdims,
        initial=initial,
        where=where,
    )


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    where: Any = True,
) -> Any:
    """Return the mean over axes of the elements that are not NaN."""
    a = operand(a)
    mask = _present(a, where)
    return reductions.mean(a, axis, dtype, keepdims=keepdims, where=mask)


@implements(np.nanvar)
def nanvar(
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
    """Return the variance over axes of the elements that are not NaN."""
    a = operand(a)
    return reductions.var(
        a,
        axis,
        dtype,
        ddof=ddof if correction is None else correction,
        keepdims=keepdims,
        where=_present(a, where),
        mean=mean,
    )


@implements(np.nanstd)
def nanstd(
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
    """Return the standard deviation over axes of the elements that are not NaN."""
    a = operand(a)
    return reductions.std(
        a,
        axis,
        dtype,
        ddof=ddof if correction is None else correction,
        keepdims=keepdims,
        where=_present(a, where),
        mean=mean,
    )


def _nan_extremum(
    extremum: Any, worst: float, a: Any, axis: Axis, keepdims: bool, options: Any
) -> Any:
    """Return an extremum of the elements that are not NaN; NaN where there is none."""
    a = operand(a)
    missing = ew.isnan(a)
    found = extremum(ew.where(missing, worst, a), axis, keepdims=keepdims, **options)
    empty = np.all(missing, axis=axes_of(axis, a.ndim), keepdims=keepdims)
    return ew.where(empty, math.nan, found)


@implements(np.nanmax)
def nanmax(
    a: Any,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the maximum over axes of the elements that are not NaN."""
    options = {"initial": initial, "where": where}
    return _nan_extremum(reductions.max, -math.inf, a, axis, keepdims, options)


@implements(np.nanmin)
def nanmin(
    a: Any,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return the minimum over axes of the elements that are not NaN."""
    options = {"initial": initial, "where": where}
    return _nan_extremum(reductions.min, math.inf, a, axis, keepdims, options)


# -- quantiles ------------------------------------------------------------------------


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


def _position(n: int, q: Any, method: str) -> Any:
    """Return the place of the q-quantile among n sorted elements, by any method.

    All methods interpolate between neighbours, so the quantile of 0, 1, ..., n - 1
    is the place itself.
    """
    return _np_quantile(np.arange(n, dtype=float), q, method=method)


def _at(lines: Any, q: Any, method: str) -> Any:
    """Return the quantiles of sorted lines (..., n), the axes of q in front."""
    place = _position(lines.shape[-1], q, method)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, lines.shape[-1] - 1)
    if method in _DISCRETE:
        low, share = np.rint(place).astype(int), None
    else:  # a plain number q promotes weakly
        weak = not isinstance(q, np.ndarray)
        share = np.asarray(place - low, lines.dtype if weak else q.dtype)
    a, b = getitem(lines, (..., low)), getitem(lines, (..., high))
    found = a if share is None else a + (b - a) * share
    n = found.ndim - np.ndim(place)
    return transpose(found, axes=(*range(n, found.ndim), *range(n)))


def _quantile(a: Any, q: Any, axis: Axis, method: str, keepdims: bool) -> Any:
    lines, kept = _sorted_lines(a, axis)
    if lines.shape[-1] == 0:
        raise ValueError(f"quantile over no elements: shape {operand(a).shape}")
    found = _at(lines, q, method)
    last = getitem(lines, (..., -1))  # NaN is sorted to the end
    found = ew.where(ew.isnan(last), math.nan, found)
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


@implements(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Return the q-quantiles over axes, by any of NumPy's methods; q is not traced."""
    return _quantile(a, _plain(q), axis, method, keepdims)


def _plain(q: Any) -> Any:
    if isinstance(q, (float, int)) and not isinstance(q, np.generic):
        return q
    if isinstance(q, (np.ndarray, np.generic, list, tuple)):
        return np.asarray(q)
    raise UnsupportedError("quantiles have no derivative with respect to q here")


@implements(np.percentile)
def percentile(
    a: Any,
    q: Any,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Return percentiles over axes, by any of NumPy's methods; q is not traced."""
    return _quantile(a, _plain(q) / 100, axis, method, keepdims)


@implements(np.median)
def median(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the median over axes: the mean of the middle two of an even number."""
    a = operand(a)
    if not red.count(a.shape, axes_of(axis, a.ndim)):
        return reductions.mean(a, axis, keepdims=keepdims)  # NaN, of the right shape
    return _quantile(a, 0.5, axis, "linear", keepdims)


@implements(np.nanquantile)
def nanquantile(
    a: Any,
    q: Any,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Return the q-quantiles over axes of the elements that are not NaN."""
    return _nan_quantile(a, _plain(q), axis, method, keepdims)


@implements(np.nanpercentile)
def nanpercentile(
    a: Any,
    q: Any,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    """Return percentiles over axes of the elements that are not NaN."""
    return _nan_quantile(a, _plain(q) / 100, axis, method, keepdims)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the median over axes of the elements that are not NaN."""
    return _nan_quantile(a, 0.5, axis, "linear", keepdims)


# -- covariances ----------------------------------------------------------------------


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Return the covariances of variables, which are the rows of `m` and of `y`."""
    x = _variables(m, rowvar)
    if y is not None:
        x = concatenate([x, _variables(y, rowvar)])
    double = np.result_type(x.dtype, np.float64)
    x = converted(x, double if dtype is None else dtype)
    ddof = (0 if bias else 1) if ddof is None else ddof
    w, freedom = _weights(fweights, aweights, x.shape[1], ddof)
    if w is None:
        d = x - red.mean(x, axis=(1,), keepdims=True)
        weighted = d
    else:
        d = x - reductions.average(x, 1, w, keepdims=True)
        weighted = d * w
    products = matmul(d, transpose(ew.conj(weighted), axes=(1, 0)))
    return np.squeeze(ew.divide(products, freedom, dtype=products.dtype))


def _variables(m: Any, rowvar: bool) -> Any:
    m = np.atleast_2d(operand(m))
    return m if rowvar or m.shape[0] == 1 else transpose(m, axes=(1, 0))


def _weights(fweights: Any, aweights: Any, n: int, ddof: int) -> tuple[Any, Any]:
    """Return the weights of n samples, None for equal ones, and the norm."""
    if fweights is None and aweights is None:
        return None, max(n - ddof, 0)
    w = 1.0
    for weights in (fweights, aweights):
        if weights is not None and operand(weights).shape != (n,):
            raise ShapeError(f"np.cov: weights of {np.shape(weights)} for {n} samples")
        if weights is not None and operand(weights).dtype.kind == "c":
            raise UnsupportedError("np.cov: complex weights are not supported")
        w = w if weights is None else w * operand(weights)
    total = reductions.sum(w)
    if ddof == 0:
        return w, total
    if aweights is None:
        return w, total - ddof
    return w, total - ddof * reductions.sum(w * operand(aweights)) / total


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Return the correlation coefficients of variables, the rows of x and of y."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    scale = ew.sqrt(ew.real(np.diagonal(c)))
    return c / reshape(scale, shape=(-1, 1)) / scale if c.size else c


# -- counts ---------------------------------------------------------------------------


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """Return the sum of the weights that fall on each integer."""
    if weights is None:
        return np.bincount(np.asarray(x), minlength=minlength)
    x = np.asarray(x)
    n = max(minlength, int(x.max()) + 1 if x.size else 0)
    weights = cast(ravel(weights), np.dtype(float))
    return at(np.zeros(n))[x].add(weights)
